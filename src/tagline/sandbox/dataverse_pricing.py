"""What an order or an invoice costs: the arithmetic of system pricing and its error codes. Source: Web API notes, 15.3."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tagline.sandbox.dataverse_body import money
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table, tables

NO_ERROR, DETAIL_ERROR, MISSING_PRICE_LIST, INACTIVE_PRICE_LIST = 0, 1, 2, 3
MISSING_QUANTITY, MISSING_UNIT_PRICE, MISSING_PRODUCT, MISSING_UNIT = 4, 5, 6, 10
NOT_IN_PRICE_LIST, WRONG_CURRENCY = 11, 34
ZERO = Decimal(0)
CENT = Decimal("0.01")


def _cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, quirks().rounding)


def price_list_error(rows: Rows, header: Row) -> int:
    """What is wrong with the document's price list, 0 for nothing."""
    link = header.get("pricelevelid")
    price_list = rows.get(tables()["pricelevel"], link[1]) if link else None
    if price_list is None:
        return MISSING_PRICE_LIST
    if price_list.get("statecode") != 0:
        return INACTIVE_PRICE_LIST
    if price_list.get("transactioncurrencyid") != header.get("transactioncurrencyid"):
        return WRONG_CURRENCY
    return NO_ERROR


def price_line(rows: Rows, table: Table, header: Row, line: Row) -> dict[str, Any]:
    """The line with its price, amounts and error code computed; `table` is that of the lines."""
    error, price = _unit_price(rows, header, line)
    quantity = line.get("quantity")
    if error == NO_ERROR and quantity is None:
        error = MISSING_QUANTITY
    base = _cents((price - line.get("volumediscountamount", ZERO)) * (quantity or ZERO))
    extended = base - line.get("manualdiscountamount", ZERO) + line.get("tax", ZERO)
    priced = {
        **line,
        "priceperunit": money(price),
        "baseamount": money(base),
        "extendedamount": money(extended),
        "pricingerrorcode": error,
    }
    return with_base_amounts(rows, table, priced)


def _unit_price(rows: Rows, header: Row, line: Row) -> tuple[int, Decimal]:
    given = line.get("priceperunit")
    if line.get("isproductoverridden"):
        return (MISSING_UNIT_PRICE, ZERO) if given is None else (NO_ERROR, given)
    if header.get("ispricelocked") and given is not None:
        return NO_ERROR, given
    list_error = price_list_error(rows, header)
    overridden = bool(line.get("ispriceoverridden"))
    if list_error and (quirks().missing_price_list_zeroes_overrides or not overridden):
        return list_error, ZERO
    if not line.get("productid"):
        return MISSING_PRODUCT, ZERO
    if not line.get("uomid"):
        return MISSING_UNIT, ZERO
    if overridden:
        return (MISSING_UNIT_PRICE, ZERO) if given is None else (NO_ERROR, given)
    listed = _listed_price(rows, header, line)
    return (NOT_IN_PRICE_LIST, ZERO) if listed is None else (NO_ERROR, listed)


def _listed_price(rows: Rows, header: Row, line: Row) -> Decimal | None:
    items = tables()["productpricelevel"]
    for item_id in rows.pointing(items, "productid", line["productid"][1]):
        item = rows.get(items, item_id) or {}
        if item.get("pricelevelid") == header.get("pricelevelid") and item.get("uomid") == line.get("uomid"):
            amount = item.get("amount")
            return amount if isinstance(amount, Decimal) else None
    return None


def price_header(rows: Rows, table: Table, header: Row, lines: list[Row]) -> dict[str, Any]:
    """The header with its totals and error code computed from priced lines."""

    def total(column: str) -> Decimal:
        return sum((line.get(column, ZERO) for line in lines), ZERO)

    line_discounts = total("manualdiscountamount")
    items = total("baseamount") - line_discounts
    percentage = header.get("discountpercentage", ZERO)
    header_discount = header.get("discountamount", ZERO) + _cents(items * percentage / 100)
    less_freight = items - header_discount
    tax = total("tax")
    detail = DETAIL_ERROR if any(line.get("pricingerrorcode") for line in lines) else NO_ERROR
    priced = {
        **header,
        "totallineitemdiscountamount": money(line_discounts),
        "totallineitemamount": money(items),
        "totaltax": money(tax),
        "totaldiscountamount": money(header_discount + line_discounts),
        "totalamountlessfreight": money(less_freight),
        "totalamount": money(less_freight + header.get("freightamount", ZERO) + tax),
        "pricingerrorcode": price_list_error(rows, header) or detail,
    }
    return with_base_amounts(rows, table, priced)


def with_base_amounts(rows: Rows, table: Table, row: Row) -> dict[str, Any]:
    """The row with the twin of every money column in the organisation's currency."""
    done = dict(row)
    link = row.get("transactioncurrencyid")
    if not link:
        return done
    currency = rows.get(tables()["transactioncurrency"], link[1]) or {}
    rate = currency.get("exchangerate", Decimal(1))
    done["exchangerate"] = rate
    for name in table.money:
        done.pop(f"{name}_base", None)
        if name in row:
            done[f"{name}_base"] = money(row[name] / rate)
    return done
