"""PUTs of orders and shipments: a merge of what is sent, with one result each. Source: 3dcart notes, sections 2, 4 and 5."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from tagline.sandbox.assumptions import ALL_FAILED_STATUS, NULL_ON_PUT_KEEPS, OVERLONG_TEXT_IS_REFUSED
from tagline.sandbox.shop_fields import ITEM, LENGTHS, ORDER, SHIPMENT, STATUSES, TRANSACTION, Record
from tagline.sandbox.shop_lists import result, shop_json
from tagline.sandbox.values import Response

TRACKING_WIDTH = 50
"""Stored tracking codes come back padded with spaces to this length."""
READ_ONLY = frozenset(
    {
        "OrderID",
        "LastUpdate",
        "OrderDiscount",
        "ContinueURL",
        "UserID",
        "ShipmentLastUpdate",
        "TransactionIndexID",
    }
)
CHILDREN: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "ShipmentList": (SHIPMENT, "ShipmentID"),
    "OrderItemList": (ITEM, "ItemIndexID"),
    "TransactionList": (TRANSACTION, "TransactionIndexID"),
}
_METHOD_NAME = re.compile(r"[A-Za-z0-9 .()\-]*")


class UnfitError(ValueError):
    """An item of a PUT that cannot be taken; the text is its result's message."""


def merged_order(order: Record, sent: Mapping[str, Any], now: str) -> Record:
    """
    The order with the sent fields; the one given is left as it is.

    The order row and its shipment 0 are one thing to the shop: they share status and LastUpdate.

    Raises:
        UnfitError: A value does not fit its field.
    """
    shipments = _by_name(sent).get("shipmentlist", [])
    after = _merged(ORDER, order, sent)
    for shipment in shipments if isinstance(shipments, list) else ():
        if (status := _by_name(shipment).get("shipmentorderstatus")) and _number(shipment, "shipmentid") == 0:
            after["OrderStatusID"] = int(status)
    return stamped(after, now)


def merged_shipment(order: Record, shipment_id: int, sent: Mapping[str, Any], now: str) -> Record:
    """
    The order with the sent fields in one of its shipments; a status on shipment 0 is the order's.

    Raises:
        UnfitError: A value does not fit its field.
        KeyError: The order has no such shipment.
    """
    found = [s for s in order["ShipmentList"] if s["ShipmentID"] == shipment_id]
    if not found:
        raise KeyError(shipment_id)
    after = _merged(SHIPMENT, found[0], {**sent, "ShipmentID": shipment_id})
    after["ShipmentLastUpdate"] = now
    shipments = [after if s is found[0] else s for s in order["ShipmentList"]]
    changed = {**order, "ShipmentList": shipments}
    if shipment_id == 0:
        changed["OrderStatusID"] = after["ShipmentOrderStatus"]
    return stamped(changed, now)


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


def written(results: Sequence[Record]) -> Response:
    """The answer to a bulk PUT: 200 when all went well, 206 when some did."""
    failed = [r for r in results if r["Status"] not in ("200", "201")]
    if not failed:
        return shop_json(results)
    return shop_json(results, ALL_FAILED_STATUS if len(failed) == len(results) else 206)


def updated(key: str, value: object) -> Record:
    return result(key, value, 200, "updated successfully")


def _by_name(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Names are matched without regard to case."""
    return {name.lower(): value for name, value in sent.items()}


def _number(sent: Mapping[str, Any], name: str) -> int:
    try:
        return int(_by_name(sent).get(name, 0) or 0)
    except (TypeError, ValueError):
        raise UnfitError(f"{name} is not a number") from None


def _merged(template: Mapping[str, Any], record: Record, sent: Mapping[str, Any]) -> Record:
    after = dict(record)
    given = _by_name(sent)
    for name, blank in template.items():
        if name in READ_ONLY or name.lower() not in given:
            continue
        value = given[name.lower()]
        if value is None and NULL_ON_PUT_KEEPS:
            continue
        if name in CHILDREN:
            after[name] = _merged_children(name, record[name], value)
        elif blank != ():
            after[name] = _fitted(name, blank, value)
    return after


def _merged_children(name: str, standing: list[Record], sent: Any) -> list[Record]:
    if not isinstance(sent, list):
        raise UnfitError(f"{name} is not a list")
    template, key = CHILDREN[name]
    given = {_number(child, key.lower()): child for child in sent}
    return [_merged(template, c, given[c[key]]) if c[key] in given else c for c in standing]


def _fitted(name: str, blank: Any, value: Any) -> Any:
    """The value in its field's type; numbers may come as text, booleans as numbers."""
    try:
        if isinstance(blank, bool):
            return value in (True, 1, "1", "true", "True")
        if isinstance(blank, int):
            number = int(value)
        elif isinstance(blank, Decimal):
            return Decimal(str(value))
        elif not isinstance(value, str | int | Decimal):
            raise UnfitError(f"{name} is not text")
        else:
            return _text(name, str(value))
    except (TypeError, ValueError, InvalidOperation) as error:
        raise error if isinstance(error, UnfitError) else UnfitError(f"{name} is not a number") from None
    if name in ("OrderStatusID", "ShipmentOrderStatus") and number not in STATUSES:
        raise UnfitError(f"{name} is not a status")
    return number


def _text(name: str, value: str) -> str:
    if OVERLONG_TEXT_IS_REFUSED and len(value) > LENGTHS.get(name, len(value)):
        raise UnfitError(f"{name} is longer than {LENGTHS[name]}")
    if name == "ShipmentMethodName" and _METHOD_NAME.fullmatch(value) is None:
        raise UnfitError("ShipmentMethodName holds characters that are not allowed")
    if name == "ShipmentTrackingCode" and value.strip():
        return value.strip().ljust(TRACKING_WIDTH)
    return value
