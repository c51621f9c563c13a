"""Creating, changing and deleting rows of Finance, with what the platform adds: numbers, defaults, amounts, reservations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from tagline.clock import Clock
from tagline.sandbox.finance_body import is_storable
from tagline.sandbox.finance_defaults import completed, day, instant
from tagline.sandbox.finance_errors import FinanceRefusal, infolog
from tagline.sandbox.finance_quirks import quirks
from tagline.sandbox.finance_rows import FinanceRows, Row, comparable, key_of
from tagline.sandbox.finance_rules import (
    FIXED,
    INVOICED,
    LINES,
    MANDATORY,
    NOT_EDITABLE,
    OPEN,
    RECORD_IDS,
    REFERENCES,
    SEQUENCES,
)
from tagline.sandbox.finance_schema import COMPANY, Entity, entities
from tagline.sandbox.finance_stock import announce, release, reserve, ship

CENT = Decimal("0.01")
_DIGITS = 200
"""More than any product of what a line may hold has."""
_NONE = Decimal(0)
_CREATE, _UPDATE, _DELETE = "Write", "Write", "Delete"


class FinanceRecords:
    """Writes as the platform performs them; the caller holds the transaction."""

    def __init__(self, rows: FinanceRows, clock: Clock) -> None:
        self.rows = rows
        self._clock = clock
        rows.now = lambda: instant(clock.now())
        self.on_event: Callable[[str, str, str], None] = lambda _event, _company, _number: None
        """Told of a business event, the company and the order's number."""

    def find(self, entity_set: str, *key: Any) -> Row | None:
        """The row with that key, its parts in the order of the declaration."""
        return self.rows.find(entity_set, *key)

    def create(self, entity: Entity, values: Mapping[str, Any]) -> Row:
        """
        Add a row; a value that is given goes before the platform's own.

        Raises:
            FinanceRefusal: A business rule says no, with its Infolog.
        """
        row = {name: value for name, value in values.items() if value != entity.empty[name]}
        row = self._writable(entity, row, _CREATE)
        if entity.has_company:
            row[COMPANY] = str(row.get(COMPANY, "")).lower()
            if not self.find("LegalEntities", row[COMPANY]):
                raise infolog(entity, _CREATE, f"Error: The company '{row[COMPANY]}' does not exist")
        self._demand(entity, row, _CREATE)
        self._open(entity, row, _CREATE)
        row = self._numbered(entity, completed(self.rows, entity, row, self._clock.now()))
        if self.rows.get(entity, key_of(entity, row)):
            raise infolog(
                entity, _CREATE, f"Error: Cannot create a record in {entity.type}. The record already exists"
            )
        stored = self.rows.put(entity, self._settled(entity, row))
        self._follow(entity, stored)
        return stored

    def update(self, entity: Entity, before: Row, changes: Mapping[str, Any]) -> Row:
        """
        Change a row.

        Raises:
            FinanceRefusal: A business rule says no, with its Infolog.
        """
        moved = [
            name
            for name in (*entity.key, *FIXED.get(entity.table, ()))
            if name in changes
            and comparable(changes[name]) != comparable(before.get(name, entity.empty[name]))
        ]
        if moved:
            raise infolog(entity, _UPDATE, f"Error: Field '{moved[0]}' does not allow edits")
        changes = {n: v for n, v in changes.items() if v != before.get(n, entity.empty[n])}
        changes = self._writable(entity, changes, _UPDATE)
        self._open(entity, before, _UPDATE)
        empty = entity.empty
        after = {n: v for n, v in {**before, **changes}.items() if n not in empty or v != empty[n]}
        self._demand(entity, after, _UPDATE)
        self._let_go(entity, before)
        stored = self.rows.put(entity, self._settled(entity, after, changed=changes))
        self._follow(entity, stored)
        return stored

    def delete(self, entity: Entity, row: Row) -> None:
        """
        Remove a row; the lines of a document go with it.

        Raises:
            FinanceRefusal: A business rule says no, with its Infolog.
        """
        if entity.read_only:
            raise infolog(entity, _DELETE, "Error: The record cannot be deleted")
        self._open(entity, row, _DELETE)
        for way in entity.navigation.values():
            target = entities()[way.target]
            if way.many:
                for line in self.rows.matching(
                    target, tuple(way.match.values()), [row[n] for n in way.match]
                ):
                    self.delete(target, line)
        if user := self._user_of(entity, row):
            raise infolog(
                entity, _DELETE, f"Error: The record cannot be deleted while dependent {user} exist"
            )
        self._let_go(entity, row)
        self.rows.remove(entity, row)
        self._follow(entity, row)

    def invoice(self, company: str, order_number: str) -> str:
        """Deliver and invoice an open sales order, as the people at its screen do; the invoice's number."""
        header = self.find("SalesOrderHeadersV2", company, order_number)
        if header is None or header.get("SalesOrderStatus") != OPEN:
            raise LookupError(f"{company} has no open sales order {order_number}")
        orders, lines, invoices = (
            entities()[n] for n in ("SalesOrderHeadersV2", "SalesOrderLines", "SalesInvoiceHeadersV2")
        )
        for line in self._lines(header):
            release(self.rows, line)
            ship(self.rows, line)
            self.rows.put(
                lines, {**line, "SalesOrderLineStatus": INVOICED, "_reserved": _NONE, "_counted": False}
            )
        self.rows.put(orders, {**header, "SalesOrderStatus": INVOICED})
        invoice = {
            COMPANY: header[COMPANY],
            "InvoiceDate": day(self._clock.now()),
            "LedgerVoucher": f"SIV-{self.rows.number(f'{company} voucher'):06}",
            "SalesOrderNumber": header["SalesOrderNumber"],
            "InvoiceCustomerAccountNumber": header["InvoiceCustomerAccountNumber"],
            "OrderingCustomerAccountNumber": header["OrderingCustomerAccountNumber"],
            "CurrencyCode": header["CurrencyCode"],
            "TotalInvoiceAmount": header.get("OrderTotalAmount", _NONE),
            "CustomersOrderReference": header.get("CustomersOrderReference", ""),
        }
        made = self.rows.put(invoices, self._numbered(invoices, invoice))
        self.on_event("SalesInvoicePostedBusinessEvent", company, order_number)
        return str(made["InvoiceNumber"])

    def post_journal(self, company: str, number: str) -> None:
        """Post a payment journal, as the people at its screen do."""
        header = self.find("CustomerPaymentJournalHeaders", company, number)
        if header is None:
            raise LookupError(f"{company} has no journal {number}")
        self.rows.put(entities()["CustomerPaymentJournalHeaders"], {**header, "IsPosted": "Yes"})

    def _writable(self, entity: Entity, values: Mapping[str, Any], verb: str) -> dict[str, Any]:
        """The values without those that nobody may give, where they are passed over."""
        if entity.read_only:
            raise infolog(entity, verb, f"Error: The data entity '{entity.type}' is read-only")
        fixed = NOT_EDITABLE.get(entity.table, frozenset())
        wrong = sorted(fixed.intersection(values))
        if wrong and quirks().read_only_is_refused:
            raise infolog(entity, verb, *(f"Warning: Field '{name}' does not allow edits" for name in wrong))
        return {name: value for name, value in values.items() if name not in fixed}

    def _demand(self, entity: Entity, row: Row, verb: str) -> None:
        defaulted = (
            {"CurrencyCode"} if entity.table in ("SalesOrderHeadersV2", "PurchaseOrderHeadersV2") else set()
        )
        missing = [
            label
            for name, label in MANDATORY.get(entity.table, {}).items()
            if not row.get(name) and name not in defaulted
        ]
        if missing:
            said = [f"Warning: Field '{label}' must be filled in" for label in missing]
            raise infolog(entity, verb, *said, "Error: validateWrite failed on data source")
        said = []
        for name, target in REFERENCES.get(entity.table, {}).items():
            if row.get(name) and not self._points(target, row, name):
                said.append(
                    f"Error: The value '{row[name]}' in field '{name}' is not found in the related table '{target}'"
                )
        if entity.table == "CustomerPaymentJournalLines":
            said += self._journal_line(row)
        if said:
            raise infolog(entity, verb, *said)

    def _points(self, target: str, row: Row, name: str) -> bool:
        key = (row[COMPANY], row[name]) if entities()[target].has_company else (row[name],)
        return self.find(target, *key) is not None

    def _journal_line(self, row: Row) -> list[str]:
        said = []
        account = row.get("AccountDisplayValue", "")
        if row.get("AccountType", "Cust") == "Cust" and not self.find("CustomersV3", row[COMPANY], account):
            said.append(f"Error: The account '{account}' does not exist")
        if row.get("DebitAmount", _NONE) and row.get("CreditAmount", _NONE):
            said.append("Error: Debit and credit cannot both be filled in")
        marked = row.get("MarkedInvoice", "")
        invoices = entities()["SalesInvoiceHeadersV2"]
        if marked and not self.rows.matching(invoices, (COMPANY, "InvoiceNumber"), (row[COMPANY], marked)):
            said.append(f"Error: The invoice '{marked}' does not exist")
        return said

    def _open(self, entity: Entity, row: Row, verb: str) -> None:
        """A document that went on cannot be changed, nor its lines."""
        if refusal := self._lock(entity, row, verb):
            raise refusal

    def _lock(self, entity: Entity, row: Row, verb: str) -> FinanceRefusal | None:
        parent: Row | None = None
        if entity.table in ("SalesOrderHeadersV2", "SalesOrderLines"):
            parent = self._parent("SalesOrderHeadersV2", row, "SalesOrderNumber")
            if parent and parent.get("SalesOrderStatus", OPEN) != OPEN:
                return infolog(
                    entity,
                    verb,
                    f"Error: Sales order {parent['SalesOrderNumber']} has status Invoiced and cannot be changed",
                )
        if entity.table in ("CustomerPaymentJournalHeaders", "CustomerPaymentJournalLines"):
            parent = self._parent("CustomerPaymentJournalHeaders", row, "JournalBatchNumber")
            if parent and parent.get("IsPosted") == "Yes":
                return infolog(entity, verb, f"Error: Journal {parent['JournalBatchNumber']} has been posted")
        return None

    def _parent(self, entity_set: str, row: Row, name: str) -> Row | None:
        return self.find(entity_set, row.get(COMPANY, ""), row.get(name, ""))

    def _user_of(self, entity: Entity, row: Row) -> str:
        """An entity that still points to the row; empty where none does."""
        own = [name for name in entity.key if name != COMPANY]
        for user, fields in REFERENCES.items():
            for name, target in fields.items():
                if target != entity.entity_set or len(own) != 1:
                    continue
                there = entities()[user]
                names = (COMPANY, name) if entity.has_company else (name,)
                values = (row[COMPANY], row[own[0]]) if entity.has_company else (row[own[0]],)
                if self.rows.matching(there, names, values):
                    return user
        return ""

    def _numbered(self, entity: Entity, row: dict[str, Any]) -> dict[str, Any]:
        if entity.table in SEQUENCES:
            name, printed, first = SEQUENCES[entity.table]
            if not row.get(name):
                row[name] = printed.format(self.rows.number(f"{row[COMPANY]} {name}", first))
        if entity.table in RECORD_IDS:
            name, first = RECORD_IDS[entity.table]
            row[name] = self.rows.number(name, first)
        if entity.table in LINES:
            document, name = LINES[entity.table]
            if not row.get(name):
                last = self._last_line(entity, row, document, name)
                row[name] = Decimal(last + 1) if entity.fields[name] == "Decimal" else last + 1
        if entity.table == "CustomerPaymentJournalLines" and not row.get("Voucher"):
            row["Voucher"] = f"CPV-{self.rows.number(f'{row[COMPANY]} Voucher'):06}"
        return row

    def _last_line(self, entity: Entity, row: Row, document: str, name: str) -> int:
        there = self.rows.matching(entity, (COMPANY, document), (row[COMPANY], row[document]))
        return max((int(line.get(name, 0)) for line in there), default=0)

    def _settled(
        self, entity: Entity, row: Mapping[str, Any], changed: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The row with its amounts, and with the goods it takes."""
        done = dict(row)
        given = "LineAmount" in (row if changed is None else changed) and quirks().given_amount_stands
        if entity.table == "SalesOrderLines":
            touched = changed is None or not {
                "OrderedSalesQuantity", "SalesPrice", "SalesPriceQuantity", "LineDiscountAmount", "LineDiscountPercentage",
            }.isdisjoint(changed)  # fmt: skip
            if touched and not given:
                done["LineAmount"] = _amount(entity, done, "OrderedSalesQuantity", "SalesPrice")
            return dict(reserve(self.rows, done))
        if entity.table == "PurchaseOrderLinesV2":
            if done.get("CalculateLineAmount") == "Yes" or not given:
                done["LineAmount"] = _amount(entity, done, "OrderedPurchaseQuantity", "PurchasePrice")
            announce(self.rows, done, 1)
        return done

    def _let_go(self, entity: Entity, row: Row) -> None:
        if entity.table == "SalesOrderLines":
            release(self.rows, row)
        elif entity.table == "PurchaseOrderLinesV2":
            announce(self.rows, row, -1)

    def _follow(self, entity: Entity, row: Row) -> None:
        """The document follows its lines."""
        if entity.table != "SalesOrderLines":
            return
        header = self._parent("SalesOrderHeadersV2", row, "SalesOrderNumber")
        if header is not None:
            total = sum((line.get("LineAmount", _NONE) for line in self._lines(header)), _NONE)
            if total != header.get("OrderTotalAmount", _NONE):
                self.rows.put(entities()["SalesOrderHeadersV2"], {**header, "OrderTotalAmount": total})

    def _lines(self, header: Row) -> list[Row]:
        key = (header[COMPANY], header["SalesOrderNumber"])
        return list(self.rows.matching(entities()["SalesOrderLines"], (COMPANY, "SalesOrderNumber"), key))


def _amount(entity: Entity, line: Row, ordered: str, price: str) -> Decimal:
    """Price by its quantity, less the discount each, by the ordered quantity, less the percentage."""
    quantity: Decimal = line.get(ordered, _NONE)
    with localcontext(prec=_DIGITS):
        each: Decimal = line.get(price, _NONE) / (line.get(f"{price}Quantity") or 1)
        each -= line.get("LineDiscountAmount", _NONE)
        share: Decimal = (100 - line.get("LineDiscountPercentage", _NONE)) / 100
        amount = (each * quantity * share).quantize(CENT, ROUND_HALF_UP)
    if not is_storable(amount):
        raise infolog(entity, _UPDATE, "Error: The value of field 'LineAmount' is too large")
    return amount
