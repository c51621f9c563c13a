"""What lines do to stock on hand: sales reserve it, purchases announce it. Source: Finance notes, section 17.1."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tagline.sandbox.finance_rows import FinanceRows, Row, key_of
from tagline.sandbox.finance_schema import COMPANY, Entity, entities

ON_HAND = "WarehousesOnHandV2"
_DIMENSIONS = (
    "ProductColorId",
    "ProductConfigurationId",
    "ProductSizeId",
    "ProductStyleId",
    "ProductVersionId",
)
_NONE = Decimal(0)


def on_hand_key(line: Row, site: str, warehouse: str) -> dict[str, Any]:
    """Key fields of the stock that a line moves."""
    return {
        COMPANY: line[COMPANY],
        "ItemNumber": line["ItemNumber"],
        **{name: line.get(name, "") for name in _DIMENSIONS},
        "InventorySiteId": line.get(site, ""),
        "InventoryWarehouseId": line.get(warehouse, ""),
    }


def totalled(row: Row) -> Row:
    """The row with the quantities that follow from others."""
    physical = row.get("OnHandQuantity", _NONE) - row.get("ReservedOnHandQuantity", _NONE)
    ordered = row.get("OrderedQuantity", _NONE) - row.get("ReservedOrderedQuantity", _NONE)
    return {
        **row,
        "AvailableOnHandQuantity": physical,
        "AvailableOrderedQuantity": ordered,
        "TotalAvailableQuantity": physical + ordered,
    }


def release(rows: FinanceRows, line: Row) -> None:
    """A sales line lets go of what it holds."""
    held: Decimal = line.get("_reserved", _NONE)
    wanted = line.get("OrderedSalesQuantity", _NONE)
    if line.get("ShippingWarehouseId") and line.get("_counted"):
        _move(rows, line, ReservedOnHandQuantity=-held, OnOrderQuantity=held - wanted)


def reserve(rows: FinanceRows, line: Row) -> Row:
    """
    A sales line takes what is on hand, as far as it goes, and the rest is on order.

    Returns:
        The line, which remembers what it holds.
    """
    wanted = line.get("OrderedSalesQuantity", _NONE)
    counts = bool(line.get("ShippingWarehouseId")) and line.get("SalesOrderLineStatus") == "Backorder"
    held = _NONE
    if counts:
        if line.get("InventoryReservationMethod") == "Automatic":
            held = max(_NONE, min(wanted, _available(rows, line)))
        _move(rows, line, ReservedOnHandQuantity=held, OnOrderQuantity=wanted - held)
    return {**line, "_reserved": held, "_counted": counts}


def ship(rows: FinanceRows, line: Row) -> None:
    """The goods of a line that was released leave the warehouse."""
    if line.get("ShippingWarehouseId"):
        _move(rows, line, OnHandQuantity=-line.get("OrderedSalesQuantity", _NONE))


def announce(rows: FinanceRows, line: Row, sign: int) -> None:
    """A purchase line is expected (1), or no longer (-1)."""
    if line.get("ReceivingWarehouseId"):
        key = on_hand_key(line, "ReceivingSiteId", "ReceivingWarehouseId")
        _add(rows, key, {"OrderedQuantity": sign * line.get("OrderedPurchaseQuantity", _NONE)})


def arrive(rows: FinanceRows, line: Row) -> None:
    """The goods of a purchase line are there."""
    if line.get("ReceivingWarehouseId"):
        key = on_hand_key(line, "ReceivingSiteId", "ReceivingWarehouseId")
        _add(rows, key, {"OnHandQuantity": line.get("OrderedPurchaseQuantity", _NONE)})


def _entity() -> Entity:
    return entities()[ON_HAND]


def _available(rows: FinanceRows, line: Row) -> Decimal:
    key = on_hand_key(line, "ShippingSiteId", "ShippingWarehouseId")
    row = rows.get(_entity(), key_of(_entity(), key)) or {}
    return Decimal(row.get("AvailableOnHandQuantity", _NONE))


def _move(rows: FinanceRows, line: Row, **moved: Decimal) -> None:
    _add(rows, on_hand_key(line, "ShippingSiteId", "ShippingWarehouseId"), moved)


def _add(rows: FinanceRows, key: dict[str, Any], moved: dict[str, Decimal]) -> None:
    before = rows.get(_entity(), key_of(_entity(), key)) or key
    after = {**before, **{name: before.get(name, _NONE) + by for name, by in moved.items()}}
    rows.put(_entity(), totalled(after))
