"""The control pages of a Finance environment; see `control.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

from tagline.sandbox.catalogue import LIMITED, PRODUCTS
from tagline.sandbox.control import Page, answered, mishaps_page, quirk_pages
from tagline.sandbox.control_given import Given, MisuseError
from tagline.sandbox.door import Door
from tagline.sandbox.finance_events import BusinessEvents
from tagline.sandbox.finance_quirks import FinanceQuirks
from tagline.sandbox.finance_records import FinanceRecords
from tagline.sandbox.finance_schema import entities
from tagline.sandbox.finance_screens import (
    confirm_purchase_order,
    confirm_sales_order,
    receive_purchase_order,
)
from tagline.sandbox.finance_seed import DEFAULT_COMPANY, add_released_product
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import plain_json


class ControlledFinance(Protocol):
    """What the control pages do with a Finance environment."""

    door: Door
    records: FinanceRecords
    events: BusinessEvents
    withheld: set[str]
    quirks: FinanceQuirks

    def strain(self, seconds: int) -> None: ...


def control_finance(finance: ControlledFinance, request: Request) -> Response:
    """Pages of a Finance environment: what people do at their screens, strain, schema, withhold, activate, webhooks, quirks, mishaps, rows, log, faults."""
    records = finance.records

    def add(_request: Request, given: Given) -> Response:
        sku = given.text("sku")
        product = next((p for p in (*PRODUCTS, LIMITED) if p.sku == sku), None)
        if product is None:
            raise given.misuse(f"the shop sells no {json.dumps(sku)}")
        with finance.door.lock, records.rows.transaction():
            if records.rows.find("ReleasedProductsV2", DEFAULT_COMPANY, sku):
                raise given.misuse(
                    f"{DEFAULT_COMPANY} has {sku} already; at first it lacks {LIMITED.sku} alone"
                )
            add_released_product(records, product, DEFAULT_COMPANY)
        return plain_json({})

    def invoice(_request: Request, given: Given) -> Response:
        number = given.text("order")
        try:
            with finance.door.lock, records.rows.transaction():
                return plain_json({"invoice": records.invoice(DEFAULT_COMPANY, number)})
        except LookupError as missing:
            raise given.misuse(str(missing)) from missing

    def post(_request: Request, given: Given) -> Response:
        number = given.text("journal")
        try:
            with finance.door.lock, records.rows.transaction():
                records.post_journal(DEFAULT_COMPANY, number)
        except LookupError as missing:
            raise given.misuse(str(missing)) from missing
        return plain_json({})

    def done(deed: Callable[[FinanceRecords, str, str], None], named: str) -> Page:
        def page(_request: Request, given: Given) -> Response:
            number = given.text("order")
            try:
                with finance.door.lock, records.rows.transaction():
                    deed(records, DEFAULT_COMPANY, number)
            except LookupError as missing:
                raise given.misuse(str(missing)) from missing
            return plain_json({})

        return Page(page, f'{{"order": "{named}"}}')

    def activate(_request: Request, given: Given) -> Response:
        try:
            finance.events.activate(given.text("event"), given.text("url"))
        except LookupError as wrong:
            raise given.misuse(str(wrong)) from wrong
        return plain_json({})

    def strain(_request: Request, given: Given) -> Response:
        finance.strain(given.whole("seconds", among=range(3601)))
        return plain_json({})

    def schema(_request: Request, given: Given) -> Response:
        place, name, is_there = given.text("in"), given.text("name"), given.flag("there")
        try:
            with finance.door.lock:
                records.rows.schema.change(place, name, is_there=is_there)
        except LookupError as wrong:
            raise given.misuse(str(wrong)) from wrong
        return plain_json({})

    def withhold(_request: Request, given: Given) -> Response:
        name, is_withheld = given.text("entity"), given.flag("withheld")
        if name not in entities():
            raise given.misuse(f"there is no entity {name}")
        with finance.door.lock:
            (finance.withheld.add if is_withheld else finance.withheld.discard)(entities()[name].table)
        return plain_json({})

    def webhooks(_request: Request, _given: Given) -> Response:
        waiting, lost = finance.events.waiting(), len(finance.events.given_up)
        return plain_json({"waiting": waiting, "given_up": lost})

    def rows(request: Request, _given: Given) -> Response:
        name = request.query.get("table", "")
        entity = entities().get(name)
        if entity is None:
            wrong = f"there is no entity {name}" if name else "which entity is missing"
            raise MisuseError(
                f"{wrong}. Ask for ?table=SalesOrderHeadersV2; entities are {', '.join(entities())}"
            )
        with finance.door.lock:
            found = [{k: v for k, v in row.items() if k in entity.fields} for row in records.rows.all(entity)]
        return plain_json(found)

    pages = {
        ("POST", "add-product"): Page(add, f'{{"sku": "{LIMITED.sku}"}}'),
        ("POST", "invoice"): Page(invoice, '{"order": "SO-001001"}'),
        ("POST", "post-journal"): Page(post, '{"journal": "JN-000001"}'),
        ("POST", "confirm"): done(confirm_sales_order, "SO-001001"),
        ("POST", "confirm-purchase"): done(confirm_purchase_order, "PO-000001"),
        ("POST", "receive"): done(receive_purchase_order, "PO-000001"),
        ("POST", "activate"): Page(
            activate,
            '{"event": "SalesOrderConfirmedBusinessEvent", "url": "https://agent.example.com/hooks/…"}',
        ),
        ("POST", "strain"): Page(strain, '{"seconds": 30}'),
        ("POST", "schema"): Page(schema, '{"in": "CustomersV3", "name": "ModifiedDateTime", "there": true}'),
        ("POST", "withhold"): Page(withhold, '{"entity": "MainAccounts", "withheld": true}'),
        ("GET", "rows"): Page(rows),
        ("GET", "webhooks"): Page(webhooks),
        **quirk_pages(finance, '{"patch_creates": true, "stale_status": 409}'),
        ("POST", "mishaps"): mishaps_page(finance.door, finance.events.mishaps),
    }
    return answered(finance.door, request, pages)
