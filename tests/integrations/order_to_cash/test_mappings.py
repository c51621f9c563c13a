"""The mappings on example orders, and on every order the shop can hold."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_to_cash.mappings.account import to_account
from order_to_cash.mappings.contact import to_contact
from order_to_cash.mappings.sales_order import to_sales_order
from order_to_cash.mappings.sales_order_line import to_product_line, to_text_line
from order_to_cash.mappings.shop_reference import to_shop_reference
from order_to_cash.settings import OrderToCashSettings
from shop_orders import SETTINGS, dataverse_total, make_item, make_order, orders, product

from tagline import Found, Model, Written, ref
from tagline.connectors.dataverse import (
    Account,
    Contact,
    PriceLevel,
    Product,
    SalesOrder,
    SalesOrderDetail,
    TransactionCurrency,
    UnitOfMeasure,
)
from tagline.connectors.shift4shop import Order, OrderItem, Shipment
from tagline.domain.model import columns
from tagline.mapping import MappingFunction

CUSTOMER = ref(Contact, contactid="c-1")
MAPPINGS = [to_account, to_contact, to_sales_order, to_product_line, to_text_line, to_shop_reference]


def texts(model: type[Model]) -> st.SearchStrategy[dict[str, str]]:
    """Every text of a model at its longest, blank, or one letter: where lengths go wrong."""
    longest = {n: c.max_length for n, c in columns(model).items() if c.max_length}
    return st.fixed_dictionaries(
        {n: st.sampled_from(["", "x", "é" * limit]) for n, limit in longest.items() if limit < 2_000}
    )


@st.composite
def worded_orders(draw: st.DrawFn) -> Order:
    """Orders whose texts are as long or as short as the shop allows."""
    item = OrderItem(
        **(
            draw(texts(OrderItem))
            | {"ItemIndexID": 1, "ItemQuantity": Decimal(1), "ItemDescription": "<b>name</b>" * 300}
        )
    )
    fields: dict[str, Any] = draw(texts(Order)) | {"ShipmentList": (Shipment(**draw(texts(Shipment))),)}
    return make_order(item, **fields)


@given(worded_orders())
def test_whatever_the_shop_can_hold_fits_its_target(order: Order):
    """A text that could be too long is cut by a rule that says so; nothing fails and nothing required is blank."""
    (item,) = order.OrderItemList
    account = to_account(order, None, SETTINGS)
    contact = to_contact(order, None, ref(Account, accountid="a-1"), SETTINGS)
    assert account.name
    assert contact.lastname
    assert to_sales_order(order, CUSTOMER, SETTINGS).name
    assert to_product_line(item, order, product(), SETTINGS).description
    assert to_text_line(item, order, SETTINGS).productdescription


@given(orders())
def test_header_and_lines_come_to_the_shops_total(order: Order):
    header = to_sales_order(order, CUSTOMER, SETTINGS)
    lines = [
        to_product_line(item, order, product(item.ItemID), SETTINGS)
        if item.ItemID
        else to_text_line(item, order, SETTINGS)
        for item in order.OrderItemList
    ]
    assert order.OrderAmount == dataverse_total(header, lines)
    assert len({line.tl_linekey for line in lines}) == len(lines)


def test_an_order_as_a_sales_order():
    order = make_order(
        OrderDiscount=Decimal("1.50"),
        BillingAddress2="",
        BillingCity="x" * 100,
        OrderDate=datetime(2026, 11, 2, 15, 30, tzinfo=UTC),
    )
    assert to_sales_order(order, CUSTOMER, SETTINGS) == SalesOrder(
        tl_orderkey="shop-1042",
        name="3dcart order AB-9001",
        customerid=CUSTOMER,
        pricelevelid=ref(PriceLevel, name="Web Shop"),
        transactioncurrencyid=ref(TransactionCurrency, isocurrencycode="USD"),
        tl_orderedon=datetime(2026, 11, 2, 15, 30, tzinfo=UTC),
        billto_name="Ada Byron",
        billto_line1="1 Main St",
        billto_line2=None,
        billto_city="x" * 80,
        billto_stateorprovince="MA",
        billto_postalcode="02110",
        billto_country="US",
        billto_telephone="555-0100",
        shipto_name="Ada Byron",
        shipto_line1="2 Side St",
        shipto_line2=None,
        shipto_city="Cambridge",
        shipto_stateorprovince="MA",
        shipto_postalcode="02139",
        shipto_country="US",
        shipto_telephone=None,
        freightamount=Decimal("5.00"),
        discountamount=Decimal("1.50"),
    )


def test_a_row_as_a_line():
    item = make_item(
        7,
        ItemQuantity=Decimal(2),
        ItemUnitPrice=Decimal("19.95"),
        ItemOptionPrice=Decimal("2.50"),
        ItemDescription="Mug<br><b>Size:</b>&nbsp;L - $2.50",
    )
    assert to_product_line(
        item, make_order(item, SalesTax=Decimal("3.14")), product(), SETTINGS
    ) == SalesOrderDetail(
        tl_linekey="shop-1042-7",
        salesorderid=ref(SalesOrder, tl_orderkey="shop-1042"),
        productid=ref(Product, productid="id of SKU-1"),
        uomid=ref(UnitOfMeasure, uomid="unit-1"),
        ispriceoverridden=True,
        quantity=Decimal(2),
        priceperunit=Decimal("22.45"),
        manualdiscountamount=Decimal(0),
        tax=Decimal("3.14"),
        description="Mug, Size: L - $2.50",
        lineitemnumber=7,
    )


def test_a_discount_row_as_text_with_a_negative_price():
    discount = make_item(
        3,
        ItemID="",
        ItemUnitPrice=Decimal(0),
        ItemOptionPrice=Decimal("-1.995"),
        ItemDescription="10% Discount",
    )
    line = to_text_line(
        discount, make_order(make_item(1, ItemUnitPrice=Decimal("19.95")), discount), SETTINGS
    )
    assert line == SalesOrderDetail(
        tl_linekey="shop-1042-3-text",
        salesorderid=ref(SalesOrder, tl_orderkey="shop-1042"),
        isproductoverridden=True,
        productdescription="10% Discount",
        quantity=Decimal(1),
        priceperunit=Decimal(
            "-1.99"
        ),  # 19.95 - 1.995 + 5.00 shipping is 22.955, which the shop charges as 22.96
        manualdiscountamount=Decimal(0),
        tax=Decimal(0),
        lineitemnumber=3,
    )


def test_what_people_wrote_on_a_customer_is_not_named():
    standing = {rule.target: None for rule in to_contact.rules} | {"lastname": "King", "firstname": " "}
    current = Found(Contact, (), "c-1", values=standing)
    contact = to_contact(make_order(), current, None, SETTINGS)
    assert contact.contactid == "c-1"
    assert "lastname" not in contact.given()
    assert contact.firstname == "Ada"


@pytest.mark.parametrize("chosen", ["ExternalComments", "AlternateOrderID"])
@pytest.mark.parametrize(
    ("standing", "named"), [("", True), ("so-1", True), ("AMZ-123", False)], ids=["blank", "ours", "foreign"]
)
def test_only_the_configured_field_of_the_shop_is_named_and_only_if_nobody_uses_it(
    chosen: str, standing: str, named: bool
):
    order = make_order(ExternalComments=standing, AlternateOrderID=standing)
    settings = OrderToCashSettings.model_validate({"price_level": "x", "write_back_field": chosen})
    reference = to_shop_reference(order, Written(SalesOrder, (), "so-1"), settings)
    assert reference.given() == ({"OrderID": 1042, chosen: "so-1"} if named else {"OrderID": 1042})


# -- lineage


def sources(mapping: MappingFunction[..., Any], target: str) -> set[str]:
    return {s for rule in mapping.rules if rule.target == target for s in rule.sources}


def test_tax_comes_from_the_three_taxes_of_the_header_and_never_from_a_shipment():
    for mapping in (to_product_line, to_text_line):
        assert {"order.SalesTax", "order.SalesTax2", "order.SalesTax3"} <= sources(mapping, "tax")
    read = {s for m in MAPPINGS for rule in m.rules for s in rule.sources}
    assert not any("ShipmentTax" in source for source in read)


def test_a_gift_certificate_is_no_part_of_any_amount():
    read = {s for m in MAPPINGS for rule in m.rules for s in rule.sources}
    assert not any("TransactionList" in source for source in read)


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda m: m.name)
def test_no_rule_reads_a_whole_record(mapping: MappingFunction[..., Any]):
    """Each source is a path, so that a mapping table can name it."""
    assert [r.target for r in mapping.rules if any(s.endswith(".*") for s in r.sources)] == []


def test_freight_is_the_sum_over_the_shipments():
    assert sources(to_sales_order, "freightamount") == {"order.ShipmentList[].ShipmentCost"}
