"""
The control pages of the sandbox, under `/_sandbox/` on every site. No remote has them.

They let a script play shopper, merchant and saboteur over the wire: JSON in, JSON out, no credentials, and
served on loopback only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tagline.sandbox.catalogue import LIMITED, PRODUCTS
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_render import parse_preferences, render
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.door import CONTROL, Door
from tagline.sandbox.faults import Fault
from tagline.sandbox.seed import add_product
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.shop_lists import shop_json
from tagline.sandbox.shop_webhooks import Webhooks
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import decode, plain_json

Page = Callable[[Request, Mapping[str, Any]], Response]


class ControlledShop(Protocol):
    """What the control pages do with a shop."""

    door: Door
    orders: dict[int, Record]
    webhooks: Webhooks

    def place_orders(self, count: int, seed: int) -> list[int]: ...
    def place_awkward(self) -> dict[str, int]: ...
    def remove_line(self, order_id: int, item_index: int) -> None: ...
    def change_status(self, order_id: int, status: int) -> None: ...


class ControlledOrganisation(Protocol):
    """What the control pages do with an organisation."""

    door: Door
    records: Records


def control_shop(shop: ControlledShop, request: Request) -> Response:
    """Pages of a shop: place, awkward, remove-line, status, orders, webhooks, log, faults."""

    def place(_request: Request, given: Mapping[str, Any]) -> Response:
        return plain_json({"orders": shop.place_orders(int(given["count"]), int(given["seed"]))})

    def awkward(_request: Request, _given: Mapping[str, Any]) -> Response:
        return plain_json(shop.place_awkward())

    def remove_line(_request: Request, given: Mapping[str, Any]) -> Response:
        shop.remove_line(int(given["order"]), int(given["item"]))
        return plain_json({})

    def status(_request: Request, given: Mapping[str, Any]) -> Response:
        shop.change_status(int(given["order"]), int(given["status"]))
        return plain_json({})

    def orders(_request: Request, _given: Mapping[str, Any]) -> Response:
        with shop.door.lock:
            return shop_json(list(shop.orders.values()))

    def webhooks(_request: Request, _given: Mapping[str, Any]) -> Response:
        waiting, lost = len(shop.webhooks.waiting()), len(shop.webhooks.given_up)
        return plain_json({"waiting": waiting, "given_up": lost})

    pages: dict[tuple[str, str], Page] = {
        ("POST", "place"): place,
        ("POST", "awkward"): awkward,
        ("POST", "remove-line"): remove_line,
        ("POST", "status"): status,
        ("GET", "orders"): orders,
        ("GET", "webhooks"): webhooks,
    }
    return _answer(shop.door, request, pages)


def control_organisation(organisation: ControlledOrganisation, request: Request) -> Response:
    """Pages of an organisation: add-product, rows, log, faults."""
    records = organisation.records

    def add(_request: Request, given: Mapping[str, Any]) -> Response:
        product = next(p for p in (*PRODUCTS, LIMITED) if p.sku == given["sku"])
        with organisation.door.lock, records.rows.transaction():
            return plain_json({"productid": add_product(records, product)})

    def rows(request: Request, _given: Mapping[str, Any]) -> Response:
        table, everything = tables()[request.query["table"]], parse_preferences("")
        with organisation.door.lock:
            found = [render(records.rows, table, row, None, everything) for row in records.rows.all(table)]
        return plain_json([{k: v for k, v in row.items() if v is not None} for row in found])

    pages: dict[tuple[str, str], Page] = {("POST", "add-product"): add, ("GET", "rows"): rows}
    return _answer(organisation.door, request, pages)


def control_login(door: Door, request: Request) -> Response:
    """Pages of the token endpoint: log, faults."""
    return _answer(door, request, {})


def _answer(door: Door, request: Request, pages: Mapping[tuple[str, str], Page]) -> Response:
    name = request.path.removeprefix(CONTROL)
    shared: dict[tuple[str, str], Page] = {
        ("GET", "log"): lambda _request, _given: _log(door),
        ("POST", "faults"): lambda _request, given: _faults(door, given),
    }
    page = {**shared, **pages}.get((request.method, name))
    if page is None:
        return plain_json({"error": f"no control page {request.method} {name}"}, 404)
    try:
        return page(request, decode(request.body) if request.body else {})
    except (LookupError, ValueError, TypeError, StopIteration) as error:
        return plain_json({"error": f"{type(error).__name__}: {error}"}, 400)


def _log(door: Door) -> Response:
    with door.lock:
        counted = Counter((e.method, e.path, e.status, e.inner) for e in door.log)
    entries = [
        {"method": method, "path": path, "status": status, "inner": inner, "count": count}
        for (method, path, status, inner), count in sorted(counted.items())
    ]
    return plain_json({"calls": sum(counted.values()), "entries": entries})


def _faults(door: Door, given: Mapping[str, Any]) -> Response:
    """`{"next": [fault or null, …]}` or `{"seed": …, "rate": …, "kinds": […]}`; rate 0 ends it."""
    with door.lock:
        names: Sequence[str | None] = given.get("next", ())
        door.faults.next_calls(*(None if name is None else Fault(name) for name in names))
        if "rate" in given:
            kinds = [Fault(kind) for kind in given.get("kinds", tuple(Fault))]
            door.faults.seeded(int(given.get("seed", 0)), float(given["rate"]), kinds)
    return plain_json({})
