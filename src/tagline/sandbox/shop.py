"""A 3dcart / Shift4Shop store: its REST API, its shoppers, its merchant's hand edits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from zoneinfo import ZoneInfo

from tagline.clock import Clock
from tagline.sandbox.assumptions import PUT_TRIGGERS_ORDER_CHANGED, THROTTLE_STATUS, UNAUTHORISED_BODY
from tagline.sandbox.catalogue import LIMITED, PRODUCTS, Product
from tagline.sandbox.control import control_shop
from tagline.sandbox.door import Door
from tagline.sandbox.shop_api import ShopApi
from tagline.sandbox.shop_fields import Record, amount_of
from tagline.sandbox.shop_lists import BadParameterError, error, shop_json
from tagline.sandbox.shop_orders import Numbers, item_count, to_order
from tagline.sandbox.shop_webhooks import ORDER_CHANGED, ORDER_NEW, Webhooks
from tagline.sandbox.shop_writes import UnfitError, stamped
from tagline.sandbox.shoppers import Draft, awkward, draw
from tagline.sandbox.values import Request, Response

ROOT = re.compile(r"/3dcartwebapi/v[12]/", re.IGNORECASE)
BUCKET_SIZE = 50
LEAK_PER_S = 2.0


@dataclass(frozen=True)
class ShopKeys:
    """The header trio that opens a store."""

    secure_url: str
    private_key: str = field(repr=False)
    token: str = field(repr=False)


class LeakyBucket:
    """50 requests, draining 2 a second. Source: 3dcart notes, section 9."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._level = 0.0
        self._at = clock.now()

    def take(self) -> bool:
        """Let one request in; False when the bucket is full."""
        now = self._clock.now()
        drained = (now - self._at).total_seconds() * LEAK_PER_S
        self._level, self._at = max(0.0, self._level - drained), now
        if self._level + 1 > BUCKET_SIZE:
            return False
        self._level += 1
        return True


class Shop:
    """
    One store.

    Args:
        seed: Decides the ids it gives out.
        rate_limits: Whether the leaky bucket is enforced.
    """

    def __init__(
        self, clock: Clock, keys: ShopKeys, *, time_zone: str, currency: str, seed: int, rate_limits: bool
    ) -> None:
        self.keys = keys
        self.time_zone = time_zone
        self.currency = currency
        self.orders: dict[int, Record] = {}
        """By OrderID, ascending."""
        self.webhooks = Webhooks(clock)
        self.put_triggers_order_changed = PUT_TRIGGERS_ORDER_CHANGED
        self.products: tuple[Product, ...] = (*PRODUCTS, LIMITED)
        self._clock = clock
        self._zone = ZoneInfo(time_zone)
        self._bucket = LeakyBucket(clock) if rate_limits else None
        self._random = Random(f"shop {seed}")  # noqa: S311 - ids of a sandbox, repeatable by seed
        self._next_order, self._next_item, self._next_transaction = 1001, 5001, 301
        self._api = ShopApi(self)
        self.door = Door(clock, self._answer, failure=_failure, control=lambda r: control_shop(self, r))

    def handle(self, request: Request) -> Response:
        """Answer one request; see `Door.handle`."""
        return self.door.handle(request)

    def now(self) -> str:
        """Now as the store writes it: local, no zone, whole seconds."""
        return self._clock.now().astimezone(self._zone).strftime("%Y-%m-%dT%H:%M:%S")

    def place_order(self, draft: Draft) -> int:
        """A shopper completes a checkout; the new OrderID."""
        with self.door.lock:
            placed = (self._clock.now() - draft.age).astimezone(self._zone)
            items, order_id = item_count(draft), self._next_order
            numbers = Numbers(
                order_id=order_id,
                invoice_number=order_id + 40_000,
                item_ids=range(self._next_item, self._next_item + items),
                transaction_ids=range(self._next_transaction, self._next_transaction + 2),
                placed=placed.strftime("%Y-%m-%dT%H:%M:%S"),
                now=self.now(),
                store_url=self.keys.secure_url,
            )
            self._next_order += self._random.choice((1, 1, 1, 2, 3))
            self._next_item += items
            self._next_transaction += 2
            self.orders[order_id] = to_order(draft, numbers)
            self._announce(ORDER_NEW, order_id)
        return order_id

    def place_orders(self, count: int, seed: int) -> list[int]:
        """Shoppers place that many orders of the usual mix, the same ones for the same seed; one of them shipped long ago."""
        random = Random(f"shoppers {seed}")  # noqa: S311 - shoppers need a seed, not secrecy
        drafts = [draw(random) for _ in range(count)]
        if count > 1:
            drafts[-1] = replace(awkward()["old_shipped"], shopper=drafts[-1].shopper)
        return [self.place_order(draft) for draft in drafts]

    def place_awkward(self) -> dict[str, int]:
        """One order of every case that integrations get wrong; OrderIDs by case."""
        return {name: self.place_order(draft) for name, draft in awkward().items()}

    def remove_line(self, order_id: int, item_index: int) -> None:
        """The merchant removes a row (0 is the first) in the admin; the total follows, payments do not."""
        with self.door.lock:
            order = self.orders[order_id]
            items = [item for i, item in enumerate(order["OrderItemList"]) if i != item_index]
            changed = {**order, "OrderItemList": items, "UserID": "admin"}
            changed["OrderAmount"] = amount_of(changed)
            self._change(changed)

    def change_status(self, order_id: int, status: int) -> None:
        """The merchant sets the order's status in the admin."""
        with self.door.lock:
            self._change({**self.orders[order_id], "OrderStatusID": status, "UserID": "admin"})

    def replace_by_put(self, order: Record) -> None:
        """A REST PUT has produced this order; it is already stamped."""
        self.orders[order["OrderID"]] = order
        if self.put_triggers_order_changed:
            self._announce(ORDER_CHANGED, order["OrderID"])

    def _change(self, order: Record) -> None:
        self.orders[order["OrderID"]] = stamped(order, self.now())
        self._announce(ORDER_CHANGED, order["OrderID"])

    def _announce(self, event: int, order_id: int) -> None:
        self.webhooks.queue(event, order_id, lambda: shop_json([self.orders[order_id]]).body)

    def _answer(self, request: Request) -> Response:
        root = ROOT.match(request.path)
        if root is None:
            return Response(404, (("Content-Type", "text/html"),), b"<html><body>Not found</body></html>")
        if not self._opens(request.headers):
            return shop_json(UNAUTHORISED_BODY, 401)
        if self._bucket is not None and not self._bucket.take():
            return _failure(THROTTLE_STATUS)
        if _media_type_is_wrong(request):
            return error(415, "The media type is not supported")
        try:
            return self._api.route(request, request.path[root.end() :].strip("/"))
        except (BadParameterError, UnfitError) as refusal:
            return error(400, str(refusal))

    def _opens(self, headers: Mapping[str, str]) -> bool:
        def bare(url: str) -> str:
            return url.lower().split("://")[-1].removeprefix("www.").rstrip("/")

        return (
            bare(headers.get("secureurl", "")) == bare(self.keys.secure_url)
            and headers.get("privatekey") == self.keys.private_key
            and headers.get("token") == self.keys.token
        )


def _media_type_is_wrong(request: Request) -> bool:
    """The sandbox speaks JSON alone; the Content-Type of a GET is ignored, as the shop does."""
    accept = request.headers.get("accept", "*/*")
    if not any(kind in accept for kind in ("json", "*/*", "application/*")):
        return True
    sent = request.headers.get("content-type", "application/json")
    return request.method in ("POST", "PUT") and "json" not in sent


def _failure(status: int) -> Response:
    if status == 429:
        return error(429, "Too many requests")
    if status == 503:
        return Response(
            503, (("Content-Type", "text/html"),), b"<html><body>Service Unavailable</body></html>"
        )
    return Response(status)
