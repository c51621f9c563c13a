"""A 3dcart / Shift4Shop store: its REST API, its shoppers, its merchant's hand edits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from tagline.clock import Clock
from tagline.sandbox.catalogue import LIMITED, PRODUCTS, Product
from tagline.sandbox.control import control_shop
from tagline.sandbox.door import Door
from tagline.sandbox.shop_access import Access, App, Permit, ShopKeys
from tagline.sandbox.shop_answers import (
    HEADERS,
    Answer,
    BadParameterError,
    error,
    form_of,
    rendered,
    shop_json,
)
from tagline.sandbox.shop_api import ShopApi
from tagline.sandbox.shop_fields import Record, amount_of
from tagline.sandbox.shop_history import refund, write_history
from tagline.sandbox.shop_merge import stamped
from tagline.sandbox.shop_orders import Numbers, item_count, to_order
from tagline.sandbox.shop_quirks import ShopQuirks
from tagline.sandbox.shop_shape import UnfitError
from tagline.sandbox.shop_state import ShopState
from tagline.sandbox.shop_store import Store
from tagline.sandbox.shoppers import Draft, awkward, draw
from tagline.sandbox.values import Request, Response

ROOT = re.compile(r"/3dcartwebapi/v[12]/", re.IGNORECASE)
BUCKET_SIZE = 50
LEAK_PER_S = 2.0


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
        quirks: How it does what nobody is sure of.
        apps: What can ask for a bearer token; without any there is one, `Shop.app`.
    """

    def __init__(
        self,
        clock: Clock,
        keys: ShopKeys,
        *,
        time_zone: str,
        currency: str,
        seed: int,
        rate_limits: bool,
        quirks: ShopQuirks | None = None,
        apps: Sequence[App] = (),
    ) -> None:
        self.keys = keys
        self.time_zone = time_zone
        self.currency = currency
        random = Random(f"app {seed}")  # noqa: S311 - throw-away credentials of a sandbox
        self.app = apps[0] if apps else App(f"{random.getrandbits(128):032x}", keys.private_key, "https://")
        self.access = Access(keys, tuple(apps) or (self.app,), seed)
        self.products: tuple[Product, ...] = (*PRODUCTS, LIMITED)
        """What shoppers order; `GET /Products` has more."""
        self._clock = clock
        self._zone = ZoneInfo(time_zone)
        self._store = Store(
            clock,
            store_url=keys.secure_url,
            time_zone=time_zone,
            currency=currency,
            seed=seed,
            quirks=quirks or ShopQuirks(),
        )
        self.orders = self._store.orders
        """By OrderID, ascending."""
        self.webhooks = self._store.webhooks
        self._bucket = LeakyBucket(clock) if rate_limits else None
        self.state = ShopState(self._store, self.access)
        """What it holds, for whoever keeps that over a restart."""
        self._api = ShopApi(self._store)
        self.door = Door(clock, self._answer, failure=self._failure, control=lambda r: control_shop(self, r))

    @property
    def quirks(self) -> ShopQuirks:
        """How it does what nobody is sure of; a test may give it others at any time."""
        return self._store.quirks

    @quirks.setter
    def quirks(self, quirks: ShopQuirks) -> None:
        self._store.quirks = quirks
        self._store.webhooks.quirks = quirks

    def handle(self, request: Request) -> Response:
        """Answer one request; see `Door.handle`."""
        return self.door.handle(request)

    def counts(self) -> Mapping[str, int]:
        """Records by resource."""
        with self.door.lock:
            return {name: len(table) for name, table in self._store.tables.items()}

    def grant(self, scopes: Permit = None) -> str:
        """A bearer token as an app would get it; None permits everything."""
        with self.door.lock:
            return self.access.grant(scopes)

    def now(self) -> str:
        """Now as the store writes it: local, no zone, whole seconds."""
        return self._store.now()

    def place_order(self, draft: Draft) -> int:
        """A shopper completes a checkout; the new OrderID."""
        with self.door.lock:
            placed = (self._clock.now() - draft.age).astimezone(self._zone)
            store, order_id = self._store, self._store.number("OrderID")
            numbers = Numbers(
                order_id=order_id,
                invoice_number=order_id + 40_000,
                item_ids=store.numbers("ItemIndexID", item_count(draft)),
                transaction_ids=store.numbers("TransactionIndexID", 2),
                placed=placed.strftime("%Y-%m-%dT%H:%M:%S"),
                now=store.now(),
                store_url=self.keys.secure_url,
            )
            store.take_in(to_order(draft, numbers))
        return order_id

    def place_orders(self, count: int, seed: int) -> list[int]:
        """Shoppers place that many orders of the usual mix, the same ones for the same seed; one of them shipped long ago."""
        random = Random(f"shoppers {seed}")  # noqa: S311 - shoppers need a seed, not secrecy
        drafts = [draw(random) for _ in range(count)]
        if count > 1:
            drafts[-1] = replace(awkward()["old_shipped"], shopper=drafts[-1].shopper)
        return [self.place_order(draft) for draft in drafts]

    def place_history(self, count: int, seed: int) -> list[int]:
        """Years of orders, the same ones for the same seed and time; no webhook is raised. Meant for a shop without orders."""
        with self.door.lock:
            local = self._clock.now().astimezone(self._zone).replace(tzinfo=None)
            return write_history(self._store, count, seed, local)

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

    def give_back(self, order_id: int, amount: Decimal) -> None:
        """The merchant refunds that much; it shows as a transaction, the total stays."""
        with self.door.lock:
            order = self.orders[order_id]
            row = refund(self._store, order, amount, self.now())
            self._change({**order, "TransactionList": [*order["TransactionList"], row], "UserID": "admin"})

    def _change(self, order: Record) -> None:
        self._store.keep("orders", stamped(order, self.now()))

    def _answer(self, request: Request) -> Response:
        if len(request.body) > self.quirks.largest_body:
            return _page(413, "Request Entity Too Large")
        if (signed_in := self.access.answer(request)) is not None:
            return signed_in
        root = ROOT.match(request.path)
        if root is None:
            return _page(404, "Not found")
        path = request.path[root.end() :].strip("/")
        if not self.access.permits(request.headers, path.partition("/")[0].lower(), request.method):
            body = self.quirks.unauthorised_body
            return Response(401, HEADERS) if body is None else shop_json(body, 401)
        if self._bucket is not None and not self._bucket.take():
            return self._throttled()
        if _media_type_is_wrong(request):
            return shop_json(error(415, "The media type is not supported").value, 415)
        try:
            return self._told(self._api.route(request, path), request)
        except (BadParameterError, UnfitError) as refusal:
            return self._told(error(400, str(refusal)), request)

    def _told(self, answer: Answer, request: Request) -> Response:
        if answer.is_error and not self.quirks.error_bodies:
            return Response(answer.status, HEADERS)
        return rendered(answer, request)

    def _failure(self, status: int) -> Response:
        if status == 429:
            return self._throttled()
        return _page(503, "Service Unavailable") if status == 503 else Response(status)

    def _throttled(self) -> Response:
        status, headers = self.quirks.throttle_status, self.quirks.throttle_headers
        told = shop_json(error(status, "Too many requests").value, status)
        return replace(told, headers=(*told.headers, *headers))


def _media_type_is_wrong(request: Request) -> bool:
    """The Content-Type of a GET is ignored, as the shop does."""
    if not form_of(request.headers.get("accept", "")):
        return True
    return request.method in ("POST", "PUT") and not form_of(request.headers.get("content-type", ""))


def _page(status: int, text: str) -> Response:
    """What IIS or a proxy says, which is no JSON."""
    return Response(status, (("Content-Type", "text/html"),), f"<html><body>{text}</body></html>".encode())
