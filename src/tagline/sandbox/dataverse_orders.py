"""What Sales adds to orders and their lines: numbers, derived columns, prices, locks, states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tagline.sandbox.assumptions import (
    INVALID_STATE_CODE,
    LINE_WITHOUT_ORDER_CODE,
    ORDER_LOCKED_CODE,
    PRODUCT_NOT_ACTIVE_CODE,
    UNIT_MISSING_CODE,
    UNIT_WRONG_CODE,
)
from tagline.sandbox.dataverse_errors import Refusal, row_exists
from tagline.sandbox.dataverse_pricing import price_line, price_order
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table, tables

ACTIVE, SUBMITTED, CANCELED, FULFILLED = 0, 1, 2, 3
BASE_CURRENCY = "USD"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Orders:
    """Rules of salesorder, salesorderdetail and productpricelevel around a plain change of rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        known = tables()
        self._header, self._line = known["salesorder"], known["salesorderdetail"]
        self._product, self._unit, self._item = known["product"], known["uom"], known["productpricelevel"]

    def before_create(self, table: Table, row: dict[str, Any], number: int) -> dict[str, Any]:
        """The row with what Sales fills in; refuses what it does not take."""
        if table is self._header:
            return self._new_order(row, number)
        if table is self._line:
            order = self._order_of(row)
            self._refuse_locked(order)
            return self._described(self._priced(order, row))
        if table is self._item:
            self._refuse_second_price(row)
        return row

    def before_update(self, table: Table, row: dict[str, Any], before: Row) -> dict[str, Any]:
        if table is self._line:
            return self._described(self._priced(self._order_of(row), row))
        if table is self._header:
            row = self._with_customer(row)
            if row.get("pricelevelid") != before.get("pricelevelid"):
                self._reprice_lines(row)
            return price_order(self._rows, row, self._lines(row["salesorderid"]))
        return row

    def after_change(self, table: Table, row: Row, before: Row | None = None) -> None:
        """Carry a change on: totals of the header after a line, the state of the lines after the header."""
        if table is self._line:
            order = self._rows.get(self._header, row["salesorderid"][1])
            if order is not None:
                priced = price_order(self._rows, order, self._lines(order["salesorderid"]))
                self._rows.put(self._header, order["salesorderid"], priced)
        elif table is self._header and before is not None and row["statecode"] != before["statecode"]:
            for line in self._lines(row["salesorderid"]):
                mirrored = {**line, "salesorderstatecode": row["statecode"]}
                self._rows.put(self._line, line["salesorderdetailid"], mirrored)

    def check_lock(self, table: Table, row: Row, changes: Mapping[str, Any] | None) -> None:
        """
        Refuse to change an order from Submitted on, or a line of it; `changes` None is a deletion.

        A submitted order may still change its state; what is canceled, fulfilled or invoiced may not.
        """
        if table is self._line:
            self._refuse_locked(self._order_of(row))
        elif table is self._header and changes is not None:
            state = row["statecode"]
            leaves = changes.get("statecode", state) != state
            if state > SUBMITTED and leaves:
                raise Refusal(400, INVALID_STATE_CODE, f"The sales order cannot leave state {state}.")
            if state >= SUBMITTED and not leaves:
                self._refuse_locked(row)

    def _refuse_locked(self, order: Row) -> None:
        if order["statecode"] >= SUBMITTED:
            raise Refusal(
                400, ORDER_LOCKED_CODE, "The sales order cannot be edited because it is not active."
            )

    def _new_order(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        code = "".join(_LETTERS[(number * 7919 + i * 104729) % len(_LETTERS)] for i in range(1, 7))
        row.setdefault("ordernumber", f"ORD-{number + 1001:05}-{code}")
        if "transactioncurrencyid" not in row:
            currencies = tables()["transactioncurrency"]
            base = self._rows.by_key(currencies, ("isocurrencycode",), (BASE_CURRENCY,))
            if base is not None:
                row["transactioncurrencyid"] = (currencies.name, base)
        return price_order(self._rows, self._with_customer(row), [])

    def _with_customer(self, row: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in row.items() if name not in ("accountid", "contactid")}
        if customer := row.get("customerid"):
            kept[f"{customer[0]}id"] = customer
        return kept

    def _order_of(self, line: Row) -> Row:
        link = line.get("salesorderid")
        order = self._rows.get(self._header, link[1]) if link else None
        if order is None:
            raise Refusal(400, LINE_WITHOUT_ORDER_CODE, "The parent sales order of the line is missing.")
        return order

    def _lines(self, order_id: str) -> list[Row]:
        found = (
            self._rows.get(self._line, i) for i in self._rows.pointing(self._line, "salesorderid", order_id)
        )
        return [line for line in found if line is not None]

    def _reprice_lines(self, order: Row) -> None:
        for line in self._lines(order["salesorderid"]):
            self._rows.put(self._line, line["salesorderdetailid"], price_line(self._rows, order, line))

    def _priced(self, order: Row, line: dict[str, Any]) -> dict[str, Any]:
        if not line.get("isproductoverridden"):
            self._check_product(line)
        line["salesorderstatecode"] = order["statecode"]
        if currency := order.get("transactioncurrencyid"):
            line["transactioncurrencyid"] = currency
        return price_line(self._rows, order, line)

    def _check_product(self, line: Row) -> None:
        if not (link := line.get("productid")):
            return  # told by pricing error 6
        product = self._rows.get(self._product, link[1]) or {}
        if product.get("statecode") != ACTIVE:
            raise Refusal(400, PRODUCT_NOT_ACTIVE_CODE, "You can only add active products.")
        unit_link = line.get("uomid")
        if not unit_link:
            raise Refusal(400, UNIT_MISSING_CODE, "The unit id is missing.")
        unit = self._rows.get(self._unit, unit_link[1]) or {}
        if unit.get("uomscheduleid") != product.get("defaultuomscheduleid"):
            raise Refusal(400, UNIT_WRONG_CODE, "The unit is not part of the product's unit group.")

    def _described(self, line: dict[str, Any]) -> dict[str, Any]:
        if link := line.get("productid"):
            product = self._rows.get(self._product, link[1]) or {}
            line |= {"productnumber": product.get("productnumber"), "productname": product.get("name")}
        name = line.get("productdescription") if line.get("isproductoverridden") else line.get("productname")
        line["salesorderdetailname"] = name
        return {key: value for key, value in line.items() if value is not None}

    def _refuse_second_price(self, row: Row) -> None:
        if not row.get("productid"):
            return
        for item_id in self._rows.pointing(self._item, "productid", row["productid"][1]):
            item = self._rows.get(self._item, item_id) or {}
            if all(item.get(name) == row.get(name) for name in ("pricelevelid", "uomid")):
                raise row_exists()
