"""Orders after a write: a merge of what is sent, totals anew, the order row and its shipment 0 as one. Source: 3dcart notes, sections 4 and 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tagline.sandbox.shop_fields import ZERO, Record, amount_of
from tagline.sandbox.shop_quirks import ShopQuirks
from tagline.sandbox.shop_shape import Number, UnfitError, by_name, created, merged, whole
from tagline.sandbox.shop_shapes import ORDERS, SHIPMENTS

NEEDED = ("CustomerID", "BillingPaymentMethodID")
"""Of a POSTed order, besides the CatalogID of its items."""


def merged_order(order: Record, sent: Mapping[str, Any], quirks: ShopQuirks, now: str) -> Record:
    """
    The order with the sent fields; the one given is left as it is.

    Raises:
        UnfitError: A value does not fit its field.
    """
    after = merged(ORDERS, order, sent, quirks)
    told = {
        whole(shipment, "ShipmentID")
        for shipment in by_name(sent).get("shipmentlist") or ()
        if by_name(shipment).get("shipmentorderstatus") is not None
    }
    own = next((s for s in after["ShipmentList"] if s["ShipmentID"] == 0), None)
    if own is not None and 0 in told:
        after["OrderStatusID"] = own["ShipmentOrderStatus"]
    return stamped(summed(order, after), now)


def merged_part(
    order: Record, field: str, key: int, sent: Mapping[str, Any], quirks: ShopQuirks, now: str
) -> Record:
    """
    The order with the sent fields in one row of one of its lists; a status on shipment 0 is the order's.

    Raises:
        UnfitError: A value does not fit its field.
        KeyError: The order has no such row.
    """
    part = ORDERS.parts[field]
    index = next((i for i, row in enumerate(order[field]) if row[part.key] == key), None)
    if index is None:
        raise KeyError(key)
    row = merged(part, order[field][index], sent, quirks)
    after = {**order, field: [row if i == index else each for i, each in enumerate(order[field])]}
    if part is SHIPMENTS:
        row["ShipmentLastUpdate"] = now
        if key == 0:
            after["OrderStatusID"] = row["ShipmentOrderStatus"]
    return stamped(summed(order, after), now)


def with_part(order: Record, field: str, row: Record, now: str) -> Record:
    """The order with one more row in one of its lists."""
    if "OrderID" in row:
        row["OrderID"] = order["OrderID"]
    if field == "ShipmentList":
        row |= {"ShipmentNumber": len(order[field]) + 1, "ShipmentLastUpdate": now}
    return stamped(summed(order, {**order, field: [*order[field], row]}), now)


def created_order(
    sent: Mapping[str, Any], quirks: ShopQuirks, number: Number, complete: Callable[[Record, Any], Record]
) -> Record:
    """
    A new order as it was sent, its rows numbered; a lone shipment is the order row's own and has the id 0.

    Args:
        complete: Fills in what an item leaves out, from the product.

    Raises:
        UnfitError: A value does not fit its field, or one is missing that an order needs.
    """
    given = by_name(sent)
    if missing := [name for name in NEEDED if given.get(name.lower()) in (None, "")]:
        raise UnfitError(f"{missing[0]} is required")
    items = given.get("orderitemlist") or []
    if not items:
        raise UnfitError("OrderItemList is required")
    order = created(ORDERS, sent, quirks, number)
    order["OrderItemList"] = [complete(r, s) for r, s in zip(order["OrderItemList"], items, strict=True)]
    shipments = order["ShipmentList"]
    if not shipments:
        shipments = [_to_billing_address(order)]
    if len(shipments) == 1:
        shipments[0]["ShipmentID"] = 0
    told = given.get("shipmentlist") or [{}]
    for index, (shipment, said) in enumerate(zip(shipments, told, strict=True), 1):
        shipment["ShipmentNumber"] = index
        if by_name(said).get("shipmentorderstatus") is None:
            shipment["ShipmentOrderStatus"] = order["OrderStatusID"]
    order["ShipmentList"] = shipments
    for field in ("TransactionList", "QuestionList"):
        for row in order[field]:
            row["OrderID"] = order["OrderID"]
    order["OrderDiscount"] = order["OrderDiscountCoupon"] + order["OrderDiscountPromotion"]
    order["OrderAmount"] = amount_of(order)
    return order


def stamped(order: Record, now: str) -> Record:
    """The order after a change: LastUpdate set, shipment 0 mirroring status, tax and LastUpdate."""
    shipments = [
        {
            **s,
            "ShipmentOrderStatus": order["OrderStatusID"],
            "ShipmentTax": order["SalesTax"],
            "ShipmentLastUpdate": now,
        }
        if s["ShipmentID"] == 0
        else s
        for s in order["ShipmentList"]
    ]
    return {**order, "LastUpdate": now, "ShipmentList": shipments}


def summed(before: Record, after: Record) -> Record:
    """The order with its discount and total anew, where a part of them changed; an odd total stays odd otherwise."""
    parts = ("OrderDiscountCoupon", "OrderDiscountPromotion")
    if any(before[name] != after[name] for name in parts):
        after = {**after, "OrderDiscount": sum((after[name] for name in parts), start=ZERO)}
    if amount_of(after) != amount_of(before):
        after = {**after, "OrderAmount": amount_of(after)}
    return after


def _to_billing_address(order: Record) -> Record:
    pairs = {"FirstName": "FirstName", "LastName": "LastName", "Company": "Company", "Address": "Address"}
    pairs |= {"Address2": "Address2", "City": "City", "State": "State", "ZipCode": "ZipCode"}
    pairs |= {"Country": "Country", "Phone": "PhoneNumber", "Email": "Email"}
    return SHIPMENTS.fresh() | {f"Shipment{to}": order[f"Billing{of}"] for to, of in pairs.items()}
