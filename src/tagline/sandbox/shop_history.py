"""
The orders of years, by seed: who came back, what was shipped, cancelled, refunded, sold on a marketplace.

The mix follows the one recorded store and adds what it lacked. Source: 3dcart notes, sections 5.1 to 5.6.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any, Final

from tagline.sandbox.shop_fields import TRANSACTION, ZERO, Record, amount_of, fresh
from tagline.sandbox.shop_orders import Numbers, item_count, to_order
from tagline.sandbox.shop_seed import customer
from tagline.sandbox.shop_shapes import RMAS
from tagline.sandbox.shop_store import Store
from tagline.sandbox.shoppers import REGISTERED, Draft, Shopper, draw, registered

YEARS = 4
"""That a history reaches back."""
ORDERS_A_CUSTOMER = 6
SETTLED = timedelta(days=6)
"""After which an order is shipped, or never will be."""
STATUSES_OF_OLD: Final = ((4, 0.85), (8, 0.945), (7, 0.978), (5, 0.992), (6, 1.0))
"""Statuses with the share of old orders up to and including each."""
STATUSES_OF_NEW: Final = ((1, 0.55), (2, 0.8), (3, 0.85), (11, 0.95), (7, 1.0))
SHIPPED, NOT_COMPLETED = 4, 7
MARKETPLACE_SHARE, SEVERAL_ADDRESSES_SHARE, REFUND_SHARE, RETURN_SHARE = 0.06, 0.02, 0.02, 0.5
COMMENTED_SHARE = 0.03
NO_CARD: Final[Mapping[str, str]] = dict.fromkeys(
    (
        "CardType",
        "CardNumber",
        "CardName",
        "CardExpirationMonth",
        "CardExpirationYear",
        "CardAddress",
        "CardVerification",
    ),
    "",
)


@dataclass(frozen=True)
class Past:
    """An order's times, all local to the store."""

    placed: datetime
    changed: datetime
    """Its last change: shipping, or the admin's."""


def write_history(store: Store, count: int, seed: int, now: datetime) -> list[int]:
    """
    Fill a store with orders of the years before now, and the customers and returns that belong to them.

    They leave stock and webhooks alone: what the shelf holds today is what they left.

    Args:
        now: The store's local time.

    Returns:
        Their numbers, ascending.
    """
    random = Random(f"history {seed}")  # noqa: S311 - shoppers need a seed, not secrecy
    pool = [registered(i) for i in range(max(REGISTERED, count // ORDERS_A_CUSTOMER))]
    stamp = (now - timedelta(days=365 * YEARS)).isoformat(timespec="seconds")
    known = store.tables["customers"]
    for shopper in pool:
        if shopper.customer_id not in known:
            store.put("customers", shopper.customer_id, {**customer(shopper), "LastUpdate": stamp})
    store.tables["customers"] = dict(sorted(known.items()))
    numbers = []
    with without_collection():
        for past in _times(random, count, now):
            order = _order(store, random, pool, past, now)
            store.put("orders", order["OrderID"], order)
            numbers.append(order["OrderID"])
    return numbers


@contextmanager
def without_collection() -> Iterator[None]:
    """All of a history stays, so that looking through it for garbage again and again is a third of the work for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _times(random: Random, count: int, now: datetime) -> Iterator[Past]:
    """Spread over the years, more of them lately; an order completed late is dated after ones with a higher number."""
    span = timedelta(days=365 * YEARS)
    for index in range(count):
        part = (index / count) ** 0.8
        late = random.random() * 9 if random.random() < 0.02 else random.random()
        placed = min(now - span + span * part + timedelta(hours=8 * late), now)
        changed = placed + timedelta(hours=4 + 90 * random.random())
        yield Past(placed.replace(microsecond=0), min(changed, now).replace(microsecond=0))


def _order(store: Store, random: Random, pool: list[Shopper], past: Past, now: datetime) -> Record:
    draft = draw(random)
    if draft.shopper.customer_id:
        # The square makes few customers order often and many once.
        draft = replace(draft, shopper=pool[int(len(pool) * random.random() ** 2)])
    status = _status(random, is_old=now - past.placed > SETTLED)
    tracking = f"1Z999AA1{random.randrange(10**10):010}" if status == SHIPPED else ""
    draft = replace(draft, status=status, tracking=tracking)
    order = to_order(draft, _numbers(store, draft, past))
    if tracking:
        _shipped(random, order, past.changed)
    if status == NOT_COMPLETED:
        order |= {"TransactionList": [], "BillingPaymentMethod": "", **NO_CARD}
        return order
    if random.random() < MARKETPLACE_SHARE:
        _sold_on_a_marketplace(store, random, order)
    if len(order["OrderItemList"]) > 1 and random.random() < SEVERAL_ADDRESSES_SHARE:
        _to_two_addresses(store, order, random.choice(pool))
    if status == SHIPPED and random.random() < REFUND_SHARE:
        _refunded(store, random, order, past.changed)
    if random.random() < COMMENTED_SHARE:
        order |= {
            "InternalComments": f"admin - {_spoken(past.changed)}\r\nComment: packed twice",
            "UserID": "admin",
        }
    return order


def _status(random: Random, *, is_old: bool) -> int:
    chance = random.random()
    table = STATUSES_OF_OLD if is_old else STATUSES_OF_NEW
    return next(status for status, up_to in table if chance < up_to)


def _numbers(store: Store, draft: Draft, past: Past) -> Numbers:
    order_id = store.number("OrderID")
    return Numbers(
        order_id=order_id,
        invoice_number=order_id + 40_000,
        item_ids=store.numbers("ItemIndexID", item_count(draft)),
        transaction_ids=store.numbers("TransactionIndexID", 2),
        placed=past.placed.isoformat(),
        now=past.changed.isoformat(),
        store_url=store.store_url,
    )


def _shipped(random: Random, order: Record, when: datetime) -> None:
    """The day of shipping is free text, in the form of whoever wrote it."""
    forms = (f"{when:%m/%d/%Y}", f"{when.month}/{when.day}/{when.year}", _spoken(when))
    order["ShipmentList"][0]["ShipmentShippedDate"] = random.choice(forms)


def _spoken(when: datetime) -> str:
    """`7/4/2025 3:05:09 PM`."""
    return f"{when.month}/{when.day}/{when.year} {when.hour % 12 or 12}{when::%M:%S %p}"


def _sold_on_a_marketplace(store: Store, random: Random, order: Record) -> None:
    """Two full-amount rows, no payment label, the marketplace's own number."""
    own = f"114-{random.randrange(10**7):07}-{random.randrange(10**7):07}"
    row: dict[str, Any] = {
        "OrderID": order["OrderID"],
        "TransactionID": own,
        "TransactionDateTime": order["OrderDate"],
        "TransactionType": "CBA",
        "TransactionAmount": order["OrderAmount"],
        "TransactionGatewayID": 9,
    }
    order |= {
        "CustomerID": 0,
        "AlternateOrderID": own,
        "OrderType": "Amazon",
        "BillingPaymentMethod": "",
        "BillingPaymentMethodID": "",
        "TransactionList": [
            fresh(TRANSACTION) | row | {"TransactionIndexID": index, "TransactionMethod": method}
            for index, method in zip(
                store.numbers("TransactionIndexID", 2), ("New Order", "Ready to Ship"), strict=True
            )
        ],
        **NO_CARD,
    }


def _to_two_addresses(store: Store, order: Record, other: Shopper) -> None:
    """Shipments with numbers of their own, which the items name; the total stays."""
    first, second = dict(order["ShipmentList"][0]), dict(order["ShipmentList"][0])
    first["ShipmentID"], second["ShipmentID"] = store.numbers("ShipmentID", 2)
    second |= {
        "ShipmentNumber": 2,
        "ShipmentCost": ZERO,
        "ShipmentTax": ZERO,
        "ShipmentFirstName": other.first,
        "ShipmentLastName": other.last,
        "ShipmentCompany": other.company,
        "ShipmentAddress": other.street,
        "ShipmentCity": other.city,
        "ShipmentState": other.state,
        "ShipmentZipCode": other.zip,
        "ShipmentPhone": other.phone,
        "ShipmentEmail": other.email,
    }
    order["ShipmentList"] = [first, second]
    for index, item in enumerate(order["OrderItemList"]):
        item["ItemShipmentID"] = (first, second)[index % 2]["ShipmentID"]


def _refunded(store: Store, random: Random, order: Record, when: datetime) -> None:
    """Some money went back; half of those orders came back too."""
    share = random.choice((Decimal("0.25"), Decimal("0.5"), Decimal(1)))
    back = (amount_of(order) * share).quantize(Decimal("0.01"), ROUND_HALF_UP)
    order["TransactionList"] = [*order["TransactionList"], refund(store, order, back, when.isoformat())]
    if random.random() < RETURN_SHARE:
        item = order["OrderItemList"][0]
        number = store.number("RMAID")
        row = RMAS.fresh() | {
            "RMAID": number,
            "RmaDate": when.isoformat(),
            "OrderID": order["OrderID"],
            "RMAReasonID": random.randrange(1, 5),
            "RMAMethodID": random.randrange(1, 3),
            "RMAStatusID": random.randrange(1, 5),
            "RMAItemList": [
                {
                    "CatalogID": item["CatalogID"],
                    "SKU": item["ItemID"],
                    "ItemName": item["ItemDescription"].partition("<")[0],
                    "ReturnQuantity": 1,
                    "ReceivedQuantity": 1,
                    "RestockQuantity": random.randrange(2),
                }
            ],
        }
        store.put("rma", number, row)


def refund(store: Store, order: Record, amount: Decimal, now: str) -> Record:
    """The transaction of money given back."""
    quirks = store.quirks
    return fresh(TRANSACTION) | {
        "TransactionIndexID": store.number("TransactionIndexID"),
        "OrderID": order["OrderID"],
        "TransactionDateTime": now,
        "TransactionType": quirks.refund_type,
        "TransactionMethod": "Authorize.Net",
        "TransactionAmount": -amount if quirks.refund_is_negative else amount,
        "TransactionGatewayID": 3,
    }
