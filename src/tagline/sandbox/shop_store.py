"""What a shop holds: its tables, its numbers, its stock; a change of them bumps times and raises events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tagline.clock import Clock
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.shop_index import FieldIndex
from tagline.sandbox.shop_lists import span
from tagline.sandbox.shop_quirks import ShopQuirks
from tagline.sandbox.shop_resources import RESOURCES, STOCK_CHANGED
from tagline.sandbox.shop_seed import Table, tables
from tagline.sandbox.shop_webhooks import Webhooks

FIRST = {
    "OrderID": 1001,
    "ItemIndexID": 5001,
    "TransactionIndexID": 301,
    "ShipmentID": 2001,
    "CustomerID": 100_001,
}
"""First numbers; keys of other records follow what their table holds."""
OTHER_FIRST = 5001
NO_STOCK = frozenset({5, 7})
"""Statuses of orders that hold no goods: cancelled, not completed."""
CANCELLED = 5
INDEXED = ("OrderDate", "LastUpdate", "OrderStatusID")
"""Fields of orders that are found without looking at all of them."""


class Store:
    """
    The state of one shop.

    Args:
        store_url: Where its pages are, in links.
        seed: Decides the gaps between the numbers of orders.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        store_url: str,
        time_zone: str,
        currency: str,
        seed: int,
        quirks: ShopQuirks,
    ) -> None:
        self.store_url = store_url
        self.time_zone = time_zone
        self.currency = currency
        self.quirks = quirks
        self.webhooks = Webhooks(clock, quirks)
        self.orders: Table = {}
        self.on_change: Callable[[str, int], None] = lambda _name, _key: None
        """Told of every record that was put or removed, webhooks among them."""
        self._clock = clock
        self._zone = ZoneInfo(time_zone)
        self._random = Random(f"shop {seed}")  # noqa: S311 - ids of a sandbox, repeatable by seed
        self._indices = {name: FieldIndex() for name in INDEXED}
        self._next = dict(FIRST)
        self._unprocessed: set[int] = set()
        """Orders that were taken in without touching the stock."""
        self.tables: dict[str, Table] = {"orders": self.orders, **tables(store_url, self.now())}
        """Records by resource and key, ascending."""

    def now(self) -> str:
        """Now as the store writes it: local, no zone, whole seconds."""
        return self._clock.now().astimezone(self._zone).strftime("%Y-%m-%dT%H:%M:%S")

    def number(self, key: str) -> int:
        """The next number of a key field."""
        return self.numbers(key, 1)[0]

    def numbers(self, key: str, count: int) -> Sequence[int]:
        """The next numbers of a key field; those of orders have gaps."""
        if key not in self._next:
            resource = next((n for n, r in RESOURCES.items() if r.key == key), None)
            self._next[key] = max(self.tables[resource], default=0) + 1 if resource else OTHER_FIRST
        first = self._next[key]
        self._next[key] += self._random.choice((1, 1, 1, 2, 3)) if key == "OrderID" else count
        return range(first, first + count)

    def rows(self, name: str) -> Iterable[Record]:
        """The records of a resource, ascending by key."""
        return self.tables[name].values()

    def candidates(self, name: str, query: Mapping[str, str]) -> Iterable[Record]:
        """
        The rows among which those that match a query are: fewer than all where a time or the status of orders is asked for.

        Raises:
            BadParameterError: A date or a number cannot be read.
        """
        for field, index in self._indices.items() if name == "orders" else ():
            limits = span(RESOURCES[name].filters, query, field, self.quirks)
            if limits is not None:
                return (self.orders[key] for key in index.between(*limits))
        return self.rows(name)

    def put(self, name: str, key: int, row: Record) -> None:
        """A record in its place and in the indices, and nothing else."""
        if name == "orders":
            before = self.orders.get(key)
            for field, index in self._indices.items():
                index.move(key, None if before is None else before[field], row[field])
        self.tables[name][key] = row
        self.on_change(name, key)

    def remove(self, name: str, key: int) -> None:
        """Take away a record, whose number nobody gets again; orders stay for ever."""
        self._next.setdefault(RESOURCES[name].key, max(self.tables[name]) + 1)
        del self.tables[name][key]
        self.on_change(name, key)

    def facts(self) -> Mapping[str, Any]:
        """What it knows beside its records: the next numbers."""
        return {"next": self._next, "gaps": self._random.getstate(), "unprocessed": self._unprocessed}

    def empty(self) -> None:
        """Hold no record at all."""
        for table in self.tables.values():
            table.clear()
        self._indices = {name: FieldIndex() for name in INDEXED}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Know exactly this beside the records."""
        self._next, self._unprocessed = dict(facts["next"]), set(facts["unprocessed"])
        self._random.setstate(facts["gaps"])

    def shown(self, name: str, row: Record) -> Record:
        """A record as it is told: order items with the stock of this moment, customers without what the shop keeps to itself."""
        if name == "orders":
            return {**row, "OrderItemList": [self._with_stock(item) for item in row["OrderItemList"]]}
        if name == "customers":
            return {field: value for field, value in row.items() if field != "LastUpdate"}
        return row

    def key_of(self, name: str, row: Record) -> int:
        resource = RESOURCES[name]
        return int((row[resource.within] if resource.within else row)[resource.key])

    def keep(self, name: str, row: Record, *, raises_event: bool = True) -> None:
        """Put a record in its place and tell those who listen; an order is stamped already."""
        key = self.key_of(name, row)
        before = self.tables[name].get(key)
        if name != "orders" and (name == "customers" or "LastUpdate" in row):
            row = {**row, "LastUpdate": self.now()}
        self.put(name, key, row)
        if name == "orders" and before is not None:
            self._follow_status(before, row)
        if raises_event:
            self._announce(name, key, before, row)

    def move_stock(self, order: Record, sign: int) -> None:
        """Goods leave the shelf (-1) or come back (1); of a bundle its parts move, not the row with the price."""
        parents = {item["ItemAdditionalField3"] for item in order["OrderItemList"]}
        for item in order["OrderItemList"]:
            product = self.tables["products"].get(item["CatalogID"])
            if product is None or str(item["ItemIndexID"]) in parents:
                continue
            moved = item["ItemQuantity"] * sign
            code = item["ItemOptions"].strip(",").replace(",", "-")
            after = {
                **product,
                "SKUInfo": {**product["SKUInfo"], "Stock": product["SKUInfo"]["Stock"] + moved},
                "AdvancedOptionList": [
                    {**v, "AdvancedOptionStock": v["AdvancedOptionStock"] + int(moved)}
                    if v["AdvancedOptionCode"] == code
                    else v
                    for v in product["AdvancedOptionList"]
                ],
            }
            # A sale is no edit of the product: its LastUpdate stays.
            self.put("products", item["CatalogID"], after)
            self._announce("products", item["CatalogID"], product, after)

    def take_in(self, order: Record, *, processed: bool = True) -> None:
        """A new order; its goods leave the shelf unless it was taken in without processing."""
        self.put("orders", order["OrderID"], order)
        if not processed:
            self._unprocessed.add(order["OrderID"])
        elif order["OrderStatusID"] not in NO_STOCK:
            self.move_stock(order, -1)
        self._announce("orders", order["OrderID"], None, order)

    def _follow_status(self, before: Record, after: Record) -> None:
        old, new = before["OrderStatusID"], after["OrderStatusID"]
        if old == new or after["OrderID"] in self._unprocessed:
            return
        if CANCELLED in (old, new) and not self.quirks.cancelled_orders_return_stock:
            return
        if (old in NO_STOCK) != (new in NO_STOCK):
            self.move_stock(after, 1 if new in NO_STOCK else -1)

    def _with_stock(self, item: Record) -> Record:
        product = self.tables["products"].get(item["CatalogID"])
        return item if product is None else {**item, "ItemUnitStock": int(product["SKUInfo"]["Stock"])}

    def _announce(self, name: str, key: int, before: Record | None, after: Record) -> None:
        shape, (new, changed) = RESOURCES[name].shape, RESOURCES[name].events
        events = [new if before is None else changed]
        if name == "products" and before is not None:
            stock_moved = _levels(before) != _levels(after)
            events = [STOCK_CHANGED] if stock_moved else []
            if _without_stock(before) != _without_stock(after):
                events.append(changed)
        for event in events:
            self.webhooks.queue(event, shape.name, key, lambda: self.shown(name, after))


def _levels(product: Record) -> tuple[Decimal | int, ...]:
    variants = (v["AdvancedOptionStock"] for v in product["AdvancedOptionList"])
    return (product["SKUInfo"]["Stock"], *variants)


def _without_stock(product: Record) -> Record:
    return {
        **product,
        "LastUpdate": "",
        "SKUInfo": {**product["SKUInfo"], "Stock": 0},
        "AdvancedOptionList": [{**v, "AdvancedOptionStock": 0} for v in product["AdvancedOptionList"]],
    }
