"""
The control pages of the sandbox, under `/_sandbox/` on every site. No remote has them.

They let a script play shopper, merchant and saboteur over the wire: JSON in, JSON out, no credentials, and
served on loopback only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from tagline.sandbox.catalogue import LIMITED, PRODUCTS
from tagline.sandbox.control_given import Given, MisuseError, read
from tagline.sandbox.dataverse_delta import Tracking
from tagline.sandbox.dataverse_protection import ServiceProtection
from tagline.sandbox.dataverse_quirks import OrganisationQuirks
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_render import parse_preferences, render
from tagline.sandbox.dataverse_schema import Schema, tables
from tagline.sandbox.dataverse_webhooks import Webhooks as Steps
from tagline.sandbox.door import CONTROL, Door
from tagline.sandbox.faults import Fault
from tagline.sandbox.login_quirks import LoginQuirks
from tagline.sandbox.mishaps import Mishaps
from tagline.sandbox.seed import add_product
from tagline.sandbox.shop_answers import shop_json
from tagline.sandbox.shop_fields import STATUSES, Record
from tagline.sandbox.shop_quirks import ShopQuirks
from tagline.sandbox.shop_webhooks import Webhooks
from tagline.sandbox.switches import Quirks, shown, turned
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import plain_json

MOST_ORDERS, MOST_HISTORY = 10_000, 100_000
"""That one call may place; a typing error is not to fill the memory."""

FAULTS_EXAMPLE = (
    '{"next": ["throttled", null, "timeout-after"]} or {"seed": 1, "rate": 0.05, "kinds": ["throttled"]}'
)


MISHAPS_EXAMPLE = (
    '{"next": ["lost", null, "late"]} or '
    '{"lost": 0.1, "doubled": 0.1, "late": 0.1, "reordered": true, "seed": 1}'
)


@dataclass(frozen=True)
class Page:
    """One control page: what it does, and a body that it takes."""

    answer: Callable[[Request, Given], Response]
    example: str = "{}"


class ControlledShop(Protocol):
    """What the control pages do with a shop."""

    door: Door
    orders: dict[int, Record]
    webhooks: Webhooks
    quirks: ShopQuirks

    def place_orders(self, count: int, seed: int) -> list[int]: ...
    def place_history(self, count: int, seed: int) -> list[int]: ...
    def place_awkward(self) -> dict[str, int]: ...
    def remove_line(self, order_id: int, item_index: int) -> None: ...
    def change_status(self, order_id: int, status: int) -> None: ...


class ControlledOrganisation(Protocol):
    """What the control pages do with an organisation."""

    door: Door
    records: Records
    tracking: Tracking
    protection: ServiceProtection
    schema: Schema
    webhooks: Steps
    quirks: OrganisationQuirks
    latency: bool


def control_shop(shop: ControlledShop, request: Request) -> Response:
    """Pages of a shop: place, history, awkward, remove-line, status, orders, webhooks, mishaps, quirks, log, faults."""

    def place(_request: Request, given: Given) -> Response:
        count = given.whole("count", among=range(1, MOST_ORDERS + 1))
        return plain_json({"orders": shop.place_orders(count, given.whole("seed"))})

    def history(_request: Request, given: Given) -> Response:
        count = given.whole("count", among=range(1, MOST_HISTORY + 1))
        placed = shop.place_history(count, given.whole("seed"))
        return plain_json({"first": placed[0], "last": placed[-1]})

    def awkward(_request: Request, _given: Given) -> Response:
        return plain_json(shop.place_awkward())

    def remove_line(_request: Request, given: Given) -> Response:
        with shop.door.lock:
            order = given.whole("order", among=shop.orders)
            shop.remove_line(
                order, given.whole("item", among=range(len(shop.orders[order]["OrderItemList"])))
            )
        return plain_json({})

    def status(_request: Request, given: Given) -> Response:
        with shop.door.lock:
            shop.change_status(given.whole("order", among=shop.orders), given.whole("status", among=STATUSES))
        return plain_json({})

    def orders(_request: Request, _given: Given) -> Response:
        with shop.door.lock:
            return shop_json(list(shop.orders.values()))

    def webhooks(_request: Request, _given: Given) -> Response:
        waiting, lost = len(shop.webhooks.waiting()), len(shop.webhooks.given_up)
        return plain_json({"waiting": waiting, "given_up": lost})

    pages = {
        ("POST", "place"): Page(place, '{"count": 5, "seed": 1}'),
        ("POST", "history"): Page(history, '{"count": 1000, "seed": 1}'),
        ("POST", "awkward"): Page(awkward),
        ("POST", "remove-line"): Page(remove_line, '{"order": 1001, "item": 0}'),
        ("POST", "status"): Page(status, '{"order": 1001, "status": 4}'),
        ("GET", "orders"): Page(orders),
        ("GET", "webhooks"): Page(webhooks),
        **quirk_pages(shop, '{"offset_zero_is_one": false, "throttle_status": 503}'),
        ("POST", "mishaps"): mishaps_page(shop.door, shop.webhooks.mishaps),
    }
    return answered(shop.door, request, pages)


def control_organisation(organisation: ControlledOrganisation, request: Request) -> Response:
    """Pages of an organisation: add-product, expire-changes, change-schema, rows, limits, latency, webhooks, quirks, mishaps, log, faults."""
    records = organisation.records

    def add(_request: Request, given: Given) -> Response:
        sku = given.text("sku")
        product = next((p for p in (*PRODUCTS, LIMITED) if p.sku == sku), None)
        if product is None:
            raise given.misuse(f"the shop sells no {json.dumps(sku)}")
        with organisation.door.lock, records.rows.transaction():
            if any(row.get("productnumber") == sku for row in records.rows.all(tables()["product"])):
                raise given.misuse(
                    f"the organisation has {sku} already; at first it lacks {LIMITED.sku} alone"
                )
            return plain_json({"productid": add_product(records, product)})

    def expire(_request: Request, given: Given) -> Response:
        name = given.text("table")
        if name not in tables():
            raise given.misuse(f"there is no table {name}")
        with organisation.door.lock:
            organisation.tracking.expire(records.rows, tables()[name])
        return plain_json({})

    def latency(_request: Request, given: Given) -> Response:
        organisation.latency = given.flag("on")
        return plain_json({})

    def change(_request: Request, given: Given) -> Response:
        name, column = given.text("table"), given.text("column")
        with organisation.door.lock:
            table = organisation.schema.tables.get(name)
            if table is None or column not in table.columns:
                raise given.misuse(f"there is no column {column} in a table {name}")
            if column in {
                table.primary_id,
                table.primary_name,
                *(c for key in table.keys.values() for c in key),
            }:
                raise given.misuse(f"{column} is a key of {name} or its name, which stay")
            if "max_length" in given.fields:
                shorter = replace(
                    table.columns[column], max_length=given.whole("max_length", among=range(1, 4001))
                )
                organisation.schema.change(name, columns=[shorter])
            else:
                organisation.schema.without(name, column)
        return plain_json({})

    def rows(request: Request, _given: Given) -> Response:
        name, everything = request.query.get("table", ""), parse_preferences("")
        table = tables().get(name)
        if table is None:
            wrong = f"there is no table {name}" if name else "which table is missing"
            raise MisuseError(f"{wrong}. Ask for ?table=salesorder; tables are {', '.join(tables())}")
        with organisation.door.lock:
            found = [render(records.rows, table, row, None, everything) for row in records.rows.all(table)]
        return plain_json([{k: v for k, v in row.items() if v is not None} for row in found])

    pages = {
        ("POST", "add-product"): Page(add, f'{{"sku": "{LIMITED.sku}"}}'),
        ("POST", "expire-changes"): Page(expire, '{"table": "account"}'),
        ("POST", "change-schema"): Page(
            change,
            '{"table": "account", "column": "fax"} or {"table": "account", "column": "fax", "max_length": 10}',
        ),
        ("GET", "rows"): Page(rows),
        ("POST", "latency"): Page(latency, '{"on": true}'),
        ("GET", "limits"): Page(lambda _request, _given: plain_json(_limits(organisation.protection))),
        ("GET", "webhooks"): Page(
            lambda _request, _given: plain_json({"waiting": organisation.webhooks.waiting()})
        ),
        **quirk_pages(organisation, '{"count_has_bom": false, "delta_expired_status": 400}'),
        ("POST", "mishaps"): mishaps_page(organisation.door, organisation.webhooks.mishaps),
    }
    return answered(organisation.door, request, pages)


def _limits(protection: ServiceProtection) -> dict[str, Any]:
    """By application, what it used of the service protection limits, and of the day's requests, which are not limited."""
    return {
        client or "none": {**used, "execution_s": Decimal(str(used["execution_s"]))}
        for client, used in protection.used().items()
    }


class ControlledLogin(Protocol):
    """What the control pages do with the token endpoint."""

    door: Door
    quirks: LoginQuirks

    def expire_tokens(self) -> int: ...


def control_login(login: ControlledLogin, request: Request) -> Response:
    """Pages of the token endpoint: expire-tokens, quirks, log, faults."""

    def expire(_request: Request, _given: Given) -> Response:
        return plain_json({"tokens": login.expire_tokens()})

    pages = {("POST", "expire-tokens"): Page(expire), **quirk_pages(login, '{"token_version": 2}')}
    return answered(login.door, request, pages)


class Quirky(Protocol[Quirks]):
    """A site with quirks."""

    door: Door
    quirks: Quirks


def quirk_pages(site: Quirky[Quirks], example: str) -> Mapping[tuple[str, str], Page]:
    """The pages that show and turn a site's quirks."""

    def turn(_request: Request, given: Given) -> Response:
        with site.door.lock:
            site.quirks = turned(site.quirks, given)
            return plain_json(shown(site.quirks))

    return {
        ("GET", "quirks"): Page(lambda _request, _given: plain_json(shown(site.quirks))),
        ("POST", "quirks"): Page(turn, example),
    }


def mishaps_page(door: Door, mishaps: Mishaps) -> Page:
    """The page that lets a site's webhooks go astray, the next ones by name or each with a chance."""

    def let(_request: Request, given: Given) -> Response:
        known = ("lost", "doubled", "late")
        if not {"next", *known, "reordered"} & set(given.fields):
            raise given.misuse(f"none of next, {', '.join(known)} and reordered is given")
        planned = given.mishaps("next")
        shares: dict[str, float | int] = {name: given.share(name) for name in known if name in given.fields}
        if "reordered" in given.fields:
            shares["reordered"] = given.flag("reordered")
        if "seed" in given.fields:
            shares["seed"] = given.whole("seed")
        with door.lock:
            mishaps.next_deliveries(*planned)
            for name, share in shares.items():
                setattr(mishaps, name, share)
        return plain_json({})

    return Page(let, MISHAPS_EXAMPLE)


def answered(door: Door, request: Request, own: Mapping[tuple[str, str], Page]) -> Response:
    """Answer a call of a site's own pages, or of those that every site has."""
    name = request.path.removeprefix(CONTROL)
    pages = {
        **own,
        ("GET", "log"): Page(lambda _request, _given: _log(door)),
        ("POST", "faults"): Page(lambda _request, given: _faults(door, given), FAULTS_EXAMPLE),
    }
    page = pages.get((request.method, name))
    if page is None:
        known = ", ".join(f"{method} {page}" for method, page in pages)
        return _said(f"no control page {request.method} {name} on this site; it has {known}", 404)
    try:
        return page.answer(request, read(request.body, page.example))
    except MisuseError as misuse:
        return _said(str(misuse), 400)


def _said(sentence: str, status: int) -> Response:
    return plain_json({"error": sentence}, status)


def _log(door: Door) -> Response:
    with door.lock:
        counted = Counter((e.method, e.path, e.status, e.inner) for e in door.log)
    entries = [
        {"method": method, "path": path, "status": status, "inner": inner, "count": count}
        for (method, path, status, inner), count in sorted(counted.items())
    ]
    return plain_json({"calls": sum(counted.values()), "entries": entries})


def _faults(door: Door, given: Given) -> Response:
    """`{"next": [fault or null, …]}` or `{"seed": …, "rate": …, "kinds": […]}`; rate 0 ends it."""
    if not {"next", "rate"} & set(given.fields):
        raise given.misuse("next or rate is missing")
    planned = given.faults("next")
    kinds = [kind for kind in given.faults("kinds") if kind is not None] or list(Fault)
    seed = given.whole("seed") if "seed" in given.fields else 0
    rate = given.share("rate") if "rate" in given.fields else None
    with door.lock:
        door.faults.next_calls(*planned)
        if rate is not None:
            door.faults.seeded(seed, rate, kinds)
    return plain_json({})
