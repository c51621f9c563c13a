"""What Sales adds to orders, invoices and their lines: numbers, derived columns, prices, locks, states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tagline.sandbox.dataverse_errors import Refusal, row_exists
from tagline.sandbox.dataverse_pricing import price_header, price_line
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table, tables

ACTIVE = 0
BASE_CURRENCY = "USD"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True)
class Document:
    """A header with lines that Sales prices."""

    noun: str
    header: str
    line: str
    line_name: str
    """Column of a line that shows its product."""
    line_state: str
    """Column of a line that mirrors the header's state."""
    line_is_locked: str
    """Column of a line that mirrors the header's `ispricelocked`."""
    number: str
    prefix: str
    lock_state: int
    """State from which nothing but the state itself can be changed."""
    last_states: Mapping[int, frozenset[int]]
    """States that are left no more, and where they lead all the same."""
    locked_code: Callable[[], str]
    """Of the organisation that is answering, as is the next."""
    orphan_code: Callable[[], str]

    @property
    def id(self) -> str:
        """Primary key of the header, and the line's lookup to it."""
        return f"{self.header}id"


SUBMITTED, CANCELED, FULFILLED, INVOICED = 1, 2, 3, 4
ORDER = Document(
    noun="sales order",
    header="salesorder",
    line="salesorderdetail",
    line_name="salesorderdetailname",
    line_state="salesorderstatecode",
    line_is_locked="salesorderispricelocked",
    number="ordernumber",
    prefix="ORD",
    lock_state=SUBMITTED,
    last_states={CANCELED: frozenset(), FULFILLED: frozenset({INVOICED}), INVOICED: frozenset()},
    locked_code=lambda: quirks().order_locked_code,
    orphan_code=lambda: quirks().line_without_order_code,
)
CLOSED, PAID, CANCELED_INVOICE = 1, 2, 3
INVOICE = Document(
    noun="invoice",
    header="invoice",
    line="invoicedetail",
    line_name="invoicedetailname",
    line_state="invoicestatecode",
    line_is_locked="invoiceispricelocked",
    number="invoicenumber",
    prefix="INV",
    lock_state=CLOSED,
    last_states={PAID: frozenset(), CANCELED_INVOICE: frozenset()},
    locked_code=lambda: quirks().invoice_locked_code,
    orphan_code=lambda: quirks().line_without_invoice_code,
)
HEADERS: Mapping[str, Document] = {d.header: d for d in (ORDER, INVOICE)}
LINES: Mapping[str, Document] = {d.line: d for d in (ORDER, INVOICE)}


class Documents:
    """Rules of orders, invoices, their lines and price list items around a plain change of rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def before_create(self, table: Table, row: dict[str, Any], number: int) -> dict[str, Any]:
        """The row with what Sales fills in; refuses what it does not take."""
        if kind := HEADERS.get(table.name):
            return self._new_header(kind, row, number)
        if kind := LINES.get(table.name):
            header = self._header_of(kind, row)
            self._refuse_locked(kind, header)
            return self._described(kind, self._priced(kind, header, row))
        if table.name == "productpricelevel":
            self._refuse_second_price(table, row)
        return row

    def before_update(self, table: Table, row: dict[str, Any], before: Row) -> dict[str, Any]:
        if kind := LINES.get(table.name):
            return self._described(kind, self._priced(kind, self._header_of(kind, row), row))
        if kind := HEADERS.get(table.name):
            row = self._with_customer(row)
            moved = ("pricelevelid", "ispricelocked")
            if any(row.get(name) != before.get(name) for name in moved):
                self._reprice_lines(kind, row)
            return price_header(self._rows, table, row, self._lines(kind, row[kind.id]))
        return row

    def after_change(self, table: Table, row: Row, before: Row | None = None) -> None:
        """Carry a change on: totals of the header after a line, the state of the lines after the header."""
        if kind := LINES.get(table.name):
            headers = tables()[kind.header]
            header = self._rows.get(headers, row[kind.id][1])
            if header is not None:
                priced = price_header(self._rows, headers, header, self._lines(kind, header[kind.id]))
                self._rows.put(headers, header[kind.id], priced)
        elif (
            (kind := HEADERS.get(table.name))
            and before is not None
            and row["statecode"] != before["statecode"]
        ):
            lines = tables()[kind.line]
            for line in self._lines(kind, row[kind.id]):
                self._rows.put(lines, line[lines.primary_id], {**line, kind.line_state: row["statecode"]})

    def check_lock(self, table: Table, row: Row, changes: Mapping[str, Any] | None) -> None:
        """
        Refuse to change a document that is locked, or a line of it; `changes` None is a deletion.

        A submitted order may still change its state; what is canceled, fulfilled, invoiced or paid may not.
        """
        if kind := LINES.get(table.name):
            self._refuse_locked(kind, self._header_of(kind, row))
        elif (kind := HEADERS.get(table.name)) and changes is not None:
            state = row["statecode"]
            wanted = changes.get("statecode", state)
            leaves = wanted != state
            if leaves and state in kind.last_states and wanted not in kind.last_states[state]:
                raise Refusal(
                    400, quirks().invalid_state_code, f"The {kind.noun} cannot leave state {state}."
                )
            if not leaves:
                self._refuse_locked(kind, row)

    def _refuse_locked(self, kind: Document, header: Row) -> None:
        if header["statecode"] >= kind.lock_state:
            raise Refusal(
                400, kind.locked_code(), f"The {kind.noun} cannot be edited because it is not active."
            )

    def _new_header(self, kind: Document, row: dict[str, Any], number: int) -> dict[str, Any]:
        code = "".join(_LETTERS[(number * 7919 + i * 104729) % len(_LETTERS)] for i in range(1, 7))
        row.setdefault(kind.number, f"{kind.prefix}-{number + 1001:05}-{code}")
        if "transactioncurrencyid" not in row:
            base = self._base_currency()
            if base is not None:
                row["transactioncurrencyid"] = ("transactioncurrency", base)
        return price_header(self._rows, tables()[kind.header], self._with_customer(row), [])

    def _base_currency(self) -> str | None:
        currencies = self._rows.all(tables()["transactioncurrency"])
        found = (c["transactioncurrencyid"] for c in currencies if c.get("isocurrencycode") == BASE_CURRENCY)
        return next(found, None)

    def _with_customer(self, row: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in row.items() if name not in ("accountid", "contactid")}
        if customer := row.get("customerid"):
            kept[f"{customer[0]}id"] = customer
        return kept

    def _header_of(self, kind: Document, line: Row) -> Row:
        link = line.get(kind.id)
        header = self._rows.get(tables()[kind.header], link[1]) if link else None
        if header is None:
            raise Refusal(400, kind.orphan_code(), f"The parent {kind.noun} of the line is missing.")
        return header

    def _lines(self, kind: Document, header_id: str) -> list[Row]:
        lines = tables()[kind.line]
        found = (self._rows.get(lines, i) for i in self._rows.pointing(lines, kind.id, header_id))
        return [line for line in found if line is not None]

    def _reprice_lines(self, kind: Document, header: Row) -> None:
        lines = tables()[kind.line]
        for line in self._lines(kind, header[kind.id]):
            locked = {**line, kind.line_is_locked: bool(header.get("ispricelocked"))}
            self._rows.put(lines, line[lines.primary_id], price_line(self._rows, lines, header, locked))

    def _priced(self, kind: Document, header: Row, line: dict[str, Any]) -> dict[str, Any]:
        if not line.get("isproductoverridden"):
            self._check_product(line)
        line[kind.line_state] = header["statecode"]
        line[kind.line_is_locked] = bool(header.get("ispricelocked"))
        if currency := header.get("transactioncurrencyid"):
            line["transactioncurrencyid"] = currency
        return price_line(self._rows, tables()[kind.line], header, line)

    def _check_product(self, line: Row) -> None:
        if not (link := line.get("productid")):
            return  # told by pricing error 6
        product = self._rows.get(tables()["product"], link[1]) or {}
        if product.get("statecode") != ACTIVE:
            raise Refusal(400, quirks().product_not_active_code, "You can only add active products.")
        unit_link = line.get("uomid")
        if not unit_link:
            raise Refusal(400, quirks().unit_missing_code, "The unit id is missing.")
        unit = self._rows.get(tables()["uom"], unit_link[1]) or {}
        if unit.get("uomscheduleid") != product.get("defaultuomscheduleid"):
            raise Refusal(400, quirks().unit_wrong_code, "The unit is not part of the product's unit group.")

    def _described(self, kind: Document, line: dict[str, Any]) -> dict[str, Any]:
        columns = tables()[kind.line].columns
        if link := line.get("productid"):
            product = self._rows.get(tables()["product"], link[1]) or {}
            shown = {"productnumber": product.get("productnumber"), "productname": product.get("name")}
            line |= {name: value for name, value in shown.items() if name in columns}
        name = line.get("productdescription") if line.get("isproductoverridden") else line.get("productname")
        line[kind.line_name] = name
        return {key: value for key, value in line.items() if value is not None}

    def _refuse_second_price(self, table: Table, row: Row) -> None:
        if not row.get("productid"):
            return
        for item_id in self._rows.pointing(table, "productid", row["productid"][1]):
            item = self._rows.get(table, item_id) or {}
            if all(item.get(name) == row.get(name) for name in ("pricelevelid", "uomid")):
                raise row_exists()
