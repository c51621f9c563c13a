"""The control pages of a Finance environment; see `control.py`."""

from __future__ import annotations

import json
from typing import Protocol

from tagline.sandbox.catalogue import LIMITED, PRODUCTS
from tagline.sandbox.control import Page, answered
from tagline.sandbox.control_given import Given, MisuseError
from tagline.sandbox.door import Door
from tagline.sandbox.finance_records import FinanceRecords
from tagline.sandbox.finance_schema import entities
from tagline.sandbox.finance_seed import DEFAULT_COMPANY, add_released_product
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import plain_json


class ControlledFinance(Protocol):
    """What the control pages do with a Finance environment."""

    door: Door
    records: FinanceRecords

    def strain(self, seconds: int) -> None: ...


def control_finance(finance: ControlledFinance, request: Request) -> Response:
    """Pages of a Finance environment: add-product, invoice, post-journal, strain, rows, log, faults."""
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

    def strain(_request: Request, given: Given) -> Response:
        finance.strain(given.whole("seconds", among=range(3601)))
        return plain_json({})

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
        ("POST", "strain"): Page(strain, '{"seconds": 30}'),
        ("GET", "rows"): Page(rows),
    }
    return answered(finance.door, request, pages)
