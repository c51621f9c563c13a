"""
What was bought and sold in the years before the shop had the order numbers of today, by seed.

The people of the trade typed it into Dataverse and Finance: sales carry numbers below the shop's first and no key of
tagline's, so that nothing which an integration writes meets them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import count
from random import Random
from typing import Final

from tagline.clock import VirtualClock
from tagline.sandbox.catalogue import PRODUCTS
from tagline.sandbox.shoppers import Draft, draw

LEAST, MOST, SHARE = 30, 500, 10
"""Sales before a shop that has fewer orders, before one with a hundred thousand, and the orders of the shop for each between."""
YEARS: Final = timedelta(days=2 * 365)
LATELY: Final = timedelta(days=5)
"""The last tenth of all sales fell into these days and is open."""
DELIVERY: Final = timedelta(days=12)
"""How long before the first sale of its goods a purchase arrives."""
VENDORS: Final[Mapping[str, frozenset[str]]] = {
    "Highland Tea Gardens": frozenset({"TEA", "COF"}),
    "Potteries United": frozenset({"CUP", "TIN"}),
}
"""With the kinds of goods that each delivers."""
VENDOR_NUMBERS: Final[Mapping[str, str]] = {name: f"V{1001 + i:06}" for i, name in enumerate(VENDORS)}
"""As Finance draws them."""
SALES_A_PURCHASE: Final = 25
AWAITED: Final = 24
"""Pieces of each article of a purchase that is on its way."""


class End(StrEnum):
    """How far a sale went."""

    OPEN = "open"
    SUBMITTED = "submitted"
    FULFILLED = "fulfilled"
    INVOICED = "invoiced"
    CANCELED = "canceled"


ENDS: Final = ((End.INVOICED, 0.72), (End.FULFILLED, 0.9), (End.CANCELED, 1.0))
"""Of old sales, each with the share up to and including it."""


@dataclass(frozen=True)
class Sale:
    """One order of a registered customer."""

    number: int
    """From 1."""
    placed: datetime
    settled: datetime
    """When it was delivered or given up."""
    end: End
    draft: Draft

    @property
    def name(self) -> str:
        return f"Web order {self.number:04}"


@dataclass(frozen=True)
class Purchase:
    """Goods ordered of one vendor."""

    number: int
    """From 1."""
    vendor: str
    placed: datetime
    arrived: datetime | None
    """None while they are on their way."""
    pieces: Mapping[str, int]
    """By SKU."""

    @property
    def name(self) -> str:
        """Its number on both sides, which no number sequence gives out for long."""
        return f"PO-9{self.number:05}"

    @property
    def cost(self) -> Decimal:
        return sum((purchase_price(sku) * pieces for sku, pieces in self.pieces.items()), Decimal(0))


@dataclass(frozen=True)
class Stock:
    """What lies of an article in a warehouse."""

    sku: str
    warehouse: str
    on_hand: Decimal
    reserved: Decimal
    ordered: Decimal


@dataclass(frozen=True)
class Event:
    """Something that people did at a time."""

    at: datetime
    do: Callable[[], None]


def relive(clock: VirtualClock, events: Iterable[Event]) -> None:
    """Let everything happen again in its order, each at its time."""
    for event in sorted(events, key=lambda one: one.at):
        clock.advance((event.at - clock.now()).total_seconds())
        event.do()


def began(purchases: Iterable[Purchase]) -> VirtualClock:
    """A clock that stands before everything that was bought or sold."""
    return VirtualClock(min(one.placed for one in purchases) - DELIVERY)


def size_before(orders: int) -> int:
    """How many sales come before a shop that starts with so many orders."""
    return max(LEAST, min(MOST, orders // SHARE))


def sold_before(total: int, seed: int, now: datetime) -> Sequence[Sale]:
    """Sales of the years before now, oldest first."""
    random = Random(f"trade {seed}")  # noqa: S311 - sample data, repeatable by seed
    late = max(2, total // 10)
    sales = []
    for index in range(total):
        draft = draw(random)
        while not draft.shopper.customer_id:
            draft = draw(random)
        old = index < total - late
        if old:
            placed = now - YEARS + (YEARS - 2 * LATELY) * ((index + random.random()) / total)
            chance = random.random()
            end = next(one for one, up_to in ENDS if chance < up_to)
        else:
            placed = now - LATELY * ((total - index) / (late + 1))
            end = (End.OPEN, End.SUBMITTED)[index % 2]
        settled = min(placed + timedelta(hours=6 + 60 * random.random()), now)
        sales.append(Sale(index + 1, placed, settled, end, draft))
    return sales


def bought_for(sales: Sequence[Sale]) -> Iterator[Purchase]:
    """Purchases that bring in what was delivered, so that the shelf holds what it held; and one of each vendor on its way."""
    numbers = count(1)
    for start in range(0, len(sales), SALES_A_PURCHASE):
        part = sales[start : start + SALES_A_PURCHASE]
        for vendor, kinds in VENDORS.items():
            pieces: Counter[str] = Counter()
            for sale in part:
                if sale.end in (End.INVOICED, End.FULFILLED):
                    for line in sale.draft.lines:
                        if line.product.sku[:3] in kinds:
                            pieces[line.product.sku] += line.quantity
            if pieces:
                placed = part[0].placed - 2 * DELIVERY
                yield Purchase(
                    next(numbers), vendor, placed, part[0].placed - DELIVERY, dict(sorted(pieces.items()))
                )
    for vendor, kinds in VENDORS.items():
        skus = [product.sku for product in PRODUCTS if product.sku[:3] in kinds]
        yield Purchase(next(numbers), vendor, sales[-1].placed, None, dict.fromkeys(skus[:4], AWAITED))


def purchase_price(sku: str) -> Decimal:
    """Half of what it is sold for."""
    price = next(product.price for product in PRODUCTS if product.sku == sku)
    return (price / 2).quantize(Decimal("0.01"), ROUND_HALF_UP)
