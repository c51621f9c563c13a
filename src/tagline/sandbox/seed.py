"""What an organisation holds before tagline comes: catalogue, price list, currency, and accounts typed in by hand."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

from tagline.sandbox.catalogue import PRODUCTS, Product
from tagline.sandbox.dataverse_body import money
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_rows import Link
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.shoppers import COMPANIES, registered

PRICE_LIST = "Web"
UNIT_GROUP = "Default Unit"
UNIT = "Primary Unit"
ACCOUNTS = 30
FIRST_VERSION = 1_000_000
"""After it come the rows that people made; the platform's own are older."""


def fill(records: Records, seed: int) -> None:
    """Type in what a customer's organisation already holds."""
    records.rows.continue_from(FIRST_VERSION)
    with records.rows.transaction():
        _reference_data(records)
        for product in PRODUCTS:
            add_product(records, product)
        _people(records, Random(f"accounts {seed}"))  # noqa: S311 - sample data, repeatable by seed


def _create(records: Records, table: str, values: Mapping[str, Any]) -> Link:
    return table, records.create(tables()[table], values)[0]


def _reference_data(records: Records) -> None:
    for code, name, symbol, rate in (("USD", "US Dollar", "$", "1"), ("CAD", "Canadian Dollar", "$", "1.37")):
        _create(
            records,
            "transactioncurrency",
            {
                "isocurrencycode": code,
                "currencyname": name,
                "currencysymbol": symbol,
                "currencyprecision": 2,
                "exchangerate": Decimal(rate).quantize(Decimal("1.000000000000")),
            },
        )
    group = _create(records, "uomschedule", {"name": UNIT_GROUP})
    for name, quantity in ((UNIT, 1), ("Dozen", 12)):
        unit = {
            "name": name,
            "quantity": Decimal(quantity),
            "uomscheduleid": group,
            "isschedulebaseuom": quantity == 1,
        }
        _create(records, "uom", unit)
    dollars = _standing(records, "transactioncurrency", "isocurrencycode", "USD")
    _create(records, "pricelevel", {"name": PRICE_LIST, "transactioncurrencyid": dollars})
    _create(records, "pricelevel", {"name": "Wholesale", "transactioncurrencyid": dollars})


def _standing(records: Records, table: str, column: str, value: str) -> Link:
    known = tables()[table]
    row = next((row for row in records.rows.all(known) if row.get(column) == value), None)
    if row is None:
        raise LookupError(f"{table} has no row with {column} {value}")
    return table, row[known.primary_id]


def add_product(records: Records, product: Product) -> str:
    """Add a product, active and priced in the price list; its id."""
    known = tables()
    unit = _standing(records, "uom", "name", UNIT)
    group = (records.rows.get(known["uom"], unit[1]) or {})["uomscheduleid"]
    dollars = _standing(records, "transactioncurrency", "isocurrencycode", "USD")
    values = {
        "productnumber": product.sku,
        "name": product.name,
        "defaultuomid": unit,
        "defaultuomscheduleid": group,
        "quantitydecimal": 2,
        "transactioncurrencyid": dollars,
    }
    product_id = _create(records, "product", values)[1]
    records.update(known["product"], product_id, {"statecode": 0})
    item = {
        "productid": ("product", product_id),
        "pricelevelid": _standing(records, "pricelevel", "name", PRICE_LIST),
        "uomid": unit,
        "transactioncurrencyid": dollars,
        "amount": money(product.price),
        "pricingmethodcode": 1,
    }
    _create(records, "productpricelevel", item)
    return product_id


def _people(records: Records, random: Random) -> None:
    """Accounts and contacts without keys of ours: some of them are shoppers under a slightly different name."""
    for index in range(ACCOUNTS):
        shopper = registered(index)
        company = f"{COMPANIES[index % len(COMPANIES)]} {index + 1}"
        name = company if index % 2 else f"{shopper.last}, {shopper.first}"
        account = _create(
            records,
            "account",
            {
                "name": name,
                "telephone1": shopper.phone,
                "emailaddress1": shopper.email if random.random() < 0.5 else None,
                "address1_line1": shopper.street,
                "address1_city": shopper.city.upper() if index % 3 == 0 else shopper.city,
                "address1_stateorprovince": shopper.state,
                "address1_postalcode": shopper.zip,
            },
        )
        if index % 3 == 0:
            person = {"firstname": shopper.first, "lastname": shopper.last, "parentcustomerid": account}
            _create(records, "contact", person)
