"""What must stand in Dataverse for the orders of a shop, worked out from the shop's raw orders alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from tests.e2e.ground import rows

from tagline.harness.scratch import Scratch

SHIPPED = 4
FULFILLED = (3, 100001)
ACTIVE = (0, 1)


TITLE = "3dcart order"


def number(order: Mapping[str, Any]) -> str:
    """What the shop prints on the invoice; it ends the title of the sales order."""
    return f"{order['InvoiceNumberPrefix']}{order['InvoiceNumber']}"


def buyer(order: Mapping[str, Any]) -> tuple[str, object]:
    """Kind of the customer's row, and what tells this buyer from others."""
    kind = "account" if order["BillingCompany"] else "contact"
    return kind, order["CustomerID"] or order["BillingEmail"].lower()


def assert_equal_to_shop(
    ground: Scratch,
    ids: Collection[int],
    environment: str = "dev",
    *,
    titles: Collection[str] = (TITLE,),
) -> None:
    """Every order stands once with its lines, amounts, customer and state, nothing else does, and the shop knows its id."""
    shop = ground.sandbox.shops[environment]
    with shop.door.lock:
        orders = [shop.orders[i] for i in ids]
    standing = rows(ground, "salesorder", environment)
    named = [row["name"].rsplit(" ", 1) for row in standing]
    assert Counter(number(order) for order in orders) == Counter(last for _, last in named)
    assert {first for first, _ in named} <= set(titles)

    by_number = {last: row for (_, last), row in zip(named, standing, strict=True)}
    lines: dict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    found = rows(ground, "salesorderdetail", environment)
    for line in found:
        lines[line["salesorderid"][1]][line["lineitemnumber"]] = line
    assert len(found) == sum(len(order["OrderItemList"]) for order in orders)
    skus = {row["productid"]: row["productnumber"] for row in rows(ground, "product", environment)}
    for order in orders:
        row = by_number[number(order)]
        _assert_header(order, row)
        _assert_lines(order, lines[row["salesorderid"]], skus)

    shipped = sum(order["OrderStatusID"] == SHIPPED for order in orders)
    assert len(rows(ground, "orderclose", environment)) == shipped
    _assert_customers(ground, orders, by_number, environment)


def _assert_header(order: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    assert order["ExternalComments"] == row["salesorderid"]
    assert order["OrderAmount"] == row["totalamount"]
    assert sum(s["ShipmentCost"] for s in order["ShipmentList"]) == row["freightamount"]
    assert order["SalesTax"] + order["SalesTax2"] + order["SalesTax3"] == row["totaltax"]
    assert order["OrderDiscount"] == row["discountamount"]
    assert (FULFILLED if order["OrderStatusID"] == SHIPPED else ACTIVE) == (
        row["statecode"],
        row["statuscode"],
    )


def _assert_lines(
    order: Mapping[str, Any], lines: Mapping[int, Mapping[str, Any]], skus: Mapping[str, str]
) -> None:
    assert {
        item["ItemIndexID"]: (
            item["ItemID"],
            item["ItemQuantity"],
            item["ItemUnitPrice"] + item["ItemOptionPrice"],
        )
        for item in order["OrderItemList"]
    } == {
        number: (skus[line["productid"][1]], line["quantity"], line["priceperunit"])
        for number, line in lines.items()
    }
    taxes = sum((line["tax"] for line in lines.values()), Decimal(0))
    assert order["SalesTax"] + order["SalesTax2"] + order["SalesTax3"] == taxes


def _assert_customers(
    ground: Scratch,
    orders: Collection[Mapping[str, Any]],
    by_number: Mapping[str, Mapping[str, Any]],
    environment: str,
) -> None:
    """A buyer is one row, however many orders; two buyers are two; the row is of the right kind and has the right e-mail."""
    customers: dict[tuple[str, object], set[tuple[str, str]]] = defaultdict(set)
    emails: dict[tuple[str, object], set[str]] = defaultdict(set)
    for order in orders:
        customers[buyer(order)].add(by_number[number(order)]["customerid"])
        emails[buyer(order)].add(order["BillingEmail"])
    standing = {
        (table, row[f"{table}id"]): row
        for table in ("account", "contact")
        for row in rows(ground, table, environment)
    }
    assert len({link for links in customers.values() for link in links}) == len(customers)
    for who, links in customers.items():
        (link,) = links
        assert who[0] == link[0]
        assert standing[link]["emailaddress1"] in emails[who]
    ours = Counter(row["tl_customerkey"] for row in standing.values() if row.get("tl_customerkey"))
    companies = sum(who[0] == "account" for who in customers)
    # Every company has a contact as well, which a private order of the same buyer shares.
    people = {who[1] for who in customers}
    assert len(people) + companies == sum(ours.values())
