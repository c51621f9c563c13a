"""The integration's own computations: money to the cent, keys that address, buyers told apart."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_to_cash import transforms as t
from order_to_cash.settings import OrderToCashSettings, Stage
from shop_orders import SETTINGS, dataverse_total, make_item, make_order, orders, product

from tagline import Found, ref
from tagline.connectors.dataverse import Account, Contact, SalesOrder, SalesOrderDetail
from tagline.connectors.shift4shop import Order, OrderItem, Shipment
from tagline.errors import RecordError

SAFE = re.compile(r"[A-Za-z0-9._~-]{1,100}")


def as_lines(order: Order) -> list[SalesOrderDetail]:
    return [
        SalesOrderDetail(
            quantity=item.ItemQuantity,
            priceperunit=t.unit_price(item, t.row_amount(item, order)),
            manualdiscountamount=t.line_discount(item, t.row_amount(item, order)),
            tax=t.row_tax(item, order),
        )
        for item in order.OrderItemList
    ]


# -- money


@given(orders())
def test_both_documents_come_to_the_same_total(order: Order):
    """To the cent, with percentages, fractions of a unit and ties among the rows."""
    assert t.total_adds_up(order)
    header = SalesOrder(freightamount=t.freight(order), discountamount=t.discount(order))
    assert order.OrderAmount == dataverse_total(header, as_lines(order))


@given(orders())
def test_a_row_stays_within_a_cent_of_what_it_says(order: Order):
    for item, amount in zip(order.OrderItemList, t.row_amounts(order), strict=True):
        assert abs(t.stated_amount(item) - amount) < t.CENT
        assert amount == amount.quantize(t.CENT)


@given(orders(awkward=False))
def test_a_price_of_whole_cents_is_the_one_the_shopper_saw(order: Order):
    for item, line in zip(order.OrderItemList, as_lines(order), strict=True):
        assert item.ItemUnitPrice + item.ItemOptionPrice == line.priceperunit
        assert line.manualdiscountamount == 0


@given(orders())
def test_dataverse_is_never_given_a_negative_line_discount(order: Order):
    assert all((line.manualdiscountamount or 0) >= 0 for line in as_lines(order))


@given(orders())
def test_shares_of_tax_sum_to_the_tax_and_a_discount_bears_none(order: Order):
    shares = [t.row_tax(item, order) for item in order.OrderItemList]
    assert order.SalesTax + order.SalesTax2 + order.SalesTax3 == sum(shares)
    if any(amount > 0 for amount in t.row_amounts(order)):
        assert all(
            share == 0 for share, amount in zip(shares, t.row_amounts(order), strict=True) if amount <= 0
        )


def test_tax_of_a_shipment_is_never_added():
    order = make_order(SalesTax=Decimal("0.70"))
    assert order.ShipmentList[0].ShipmentTax == Decimal("0.70")
    assert Decimal("5.00") == t.freight(order)
    assert Decimal("0.70") == t.taxes(order)


@pytest.mark.parametrize("off", [Decimal("0.01"), Decimal("-0.01"), Decimal(100)])
def test_a_total_that_is_off_by_a_cent_does_not_add_up(off: Decimal):
    order = make_order()
    assert not t.total_adds_up(order.model_copy(update={"OrderAmount": order.OrderAmount + off}))


def test_a_third_of_a_cent_is_made_good_by_a_line_discount():
    """Three at 0.333 are 1.00: the next whole cent is 0.34, and 0.02 is taken back."""
    item = make_item(ItemUnitPrice=Decimal("0.3333"), ItemQuantity=Decimal(3))
    amount = t.row_amount(item, make_order(item))
    assert Decimal("1.00") == amount
    assert Decimal("0.34") == t.unit_price(item, amount)
    assert Decimal("0.02") == t.line_discount(item, amount)


def test_a_row_of_quantity_zero_keeps_its_price():
    assert Decimal("10.00") == t.unit_price(make_item(ItemQuantity=Decimal(0)), Decimal(0))


def test_a_row_that_is_none_of_the_orders_stands_for_itself():
    stranger = make_item(99, ItemUnitPrice=Decimal("3.005"))
    assert Decimal("3.01") == t.row_amount(stranger, make_order())
    assert t.row_tax(stranger, make_order(SalesTax=Decimal(1))) == 0


# -- keys


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_keys_of_orders_and_lines_can_be_addressed_and_differ(order_id: int, row: int, other_row: int):
    order = make_order(OrderID=order_id)
    first, second = make_item(row), make_item(other_row)
    keys = [t.order_key(order, SETTINGS), t.line_key(first, order, SETTINGS)]
    keys.append(t.text_line_key(first, order, SETTINGS))
    if row != other_row:
        keys.append(t.line_key(second, order, SETTINGS))
    assert all(SAFE.fullmatch(key) for key in keys)
    assert len({key.lower() for key in keys}) == len(keys)


def test_two_stores_in_one_organisation_do_not_share_keys():
    order = make_order()
    other = SETTINGS.model_copy(update={"store": "outlet"})
    assert t.order_key(order, SETTINGS) != t.order_key(order, other)
    assert t.customer_key(order, SETTINGS) != t.customer_key(order, other)


emails = st.text("ab+/&:%.' é", min_size=1, max_size=40).map(lambda s: f"{s.strip() or 'a'}@example.com")


@given(emails, emails)
def test_guests_are_keyed_by_e_mail_whatever_stands_in_it(one: str, other: str):
    keys = [t.customer_key(make_order(CustomerID=0, BillingEmail=e), SETTINGS) for e in (one, other)]
    assert all(SAFE.fullmatch(key) for key in keys)
    assert (keys[0] == keys[1]) == (one.lower() == other.lower())


@given(emails)
def test_no_part_of_an_e_mail_stands_in_a_guests_key(email: str):
    """Keys stand unencrypted in the journal and travel in addresses."""
    key = t.guest_key(make_order(CustomerID=0, BillingEmail=email), SETTINGS)
    assert re.fullmatch("shop-email-[0-9a-f]{24}", key)


def test_a_guest_is_the_same_in_any_case_of_the_e_mail():
    keys = {
        t.customer_key(make_order(CustomerID=0, BillingEmail=email), SETTINGS)
        for email in ("Ada@Example.com", "ada@example.com")
    }
    assert len(keys) == 1


def test_a_registered_customer_is_keyed_by_the_shops_id_whatever_the_e_mail():
    keys = {t.customer_key(make_order(BillingEmail=email), SETTINGS) for email in ("a@example.com", "")}
    assert len(keys) == 1


# -- buyers


@pytest.mark.parametrize(
    ("email", "personal"),
    [
        ("ada@example.com", True),
        ("ada+info@example.com", True),
        ("", False),
        ("ada", False),
        ("@example.com", False),
        ("info@example.com", False),
        ("INFO@example.com", False),
        ("desk@shared.example", False),
    ],
)
def test_a_mailbox_that_several_people_read_names_nobody(email: str, personal: bool):
    settings = OrderToCashSettings(price_level="x", shared_mailboxes=("info", "Desk@shared.example"))
    guest = make_order(CustomerID=0, BillingEmail=email)
    assert t.is_personal_email(guest, settings) is personal
    assert t.is_known_buyer(guest, settings) is personal
    assert t.is_known_buyer(make_order(CustomerID=5, BillingEmail=email), settings)


@pytest.mark.parametrize(
    ("fields", "name", "last_name"),
    [
        ({"BillingCompany": "Acme"}, "Acme", "Byron"),
        ({}, "Ada Byron", "Byron"),
        ({"BillingLastName": ""}, "Ada", "Ada"),
        ({"BillingFirstName": "", "BillingLastName": ""}, "Ada+shop@example.com", "Ada+shop@example.com"),
        (
            {"BillingFirstName": "", "BillingLastName": "", "BillingEmail": ""},
            "Unnamed customer",
            "Unnamed customer",
        ),
    ],
    ids=["company", "person", "no last name", "no name", "nothing"],
)
def test_every_buyer_has_a_name(fields: dict[str, str], name: str, last_name: str):
    order = make_order(**fields)
    assert name == t.account_name(order)
    assert last_name == t.contact_last_name(order)


def test_the_customer_a_sales_order_has_is_kept():
    customer = ref(Contact, contactid="c-1")
    assert t.customer_of(None) is None
    assert customer == t.customer_of(Found(SalesOrder, (), "o-1", values={"customerid": customer}))


def test_a_row_is_referred_to_by_its_id():
    assert ref(Account, accountid="a-1") == t.row_ref(
        Account, Found(Account, (("tl_customerkey", "k"),), "a-1")
    )


# -- states


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        (1, "open"),
        (2, "open"),
        (3, "open"),
        (4, "fulfilled"),
        (5, "cancelled"),
        (6, "open"),
        (11, "open"),
        (13, "open"),
    ],
)
def test_each_fixed_status_has_a_stage(status: int, stage: str):
    assert Stage(stage) == t.stage_of(make_order(OrderStatusID=status), SETTINGS)


def test_a_custom_status_has_the_stage_the_setting_gives_it():
    settings = OrderToCashSettings.model_validate({"price_level": "x", "custom_statuses": {"8": "fulfilled"}})
    assert t.stage_of(make_order(OrderStatusID=8), settings) is Stage.FULFILLED


@pytest.mark.parametrize("status", [0, 8, 12, 20, 21])
def test_a_status_without_a_meaning_is_set_aside_by_name(status: int):
    with pytest.raises(RecordError) as raised:
        t.stage_of(make_order(OrderStatusID=status), SETTINGS)
    assert raised.value.code == "status-unmapped"
    assert str(status) in raised.value.message
    assert [d["field"] for d in raised.value.details] == ["OrderStatusID"]
    assert "custom_statuses" in raised.value.hint


@pytest.mark.parametrize(
    ("statecode", "stage", "agreed"),
    [
        (1, Stage.OPEN, True),
        (2, Stage.OPEN, False),
        (3, Stage.OPEN, False),
        (1, Stage.FULFILLED, True),
        (2, Stage.FULFILLED, False),
        (3, Stage.FULFILLED, True),
        (4, Stage.FULFILLED, True),
        (1, Stage.CANCELLED, True),
        (2, Stage.CANCELLED, True),
        (3, Stage.CANCELLED, False),
    ],
)
def test_a_locked_order_agrees_by_state_and_total(statecode: int, stage: Stage, agreed: bool):
    order = make_order()
    locked = Found(SalesOrder, (), "o", values={"statecode": statecode, "totalamount": Decimal("15.0000")})
    assert t.is_locked(locked)
    assert t.agrees(order, locked, stage) is agreed
    assert not t.agrees(order.model_copy(update={"OrderAmount": Decimal("15.01")}), locked, stage)


def test_only_an_order_beyond_its_first_state_is_locked():
    assert not t.is_locked(None)
    assert not t.is_locked(Found(SalesOrder, (), "o", values={"statecode": 0}))


# -- rows and addresses


@pytest.mark.parametrize(
    ("item", "is_discount"),
    [
        (make_item(ItemUnitPrice=Decimal(0), ItemOptionPrice=Decimal("-1.25")), True),
        (make_item(ItemUnitPrice=Decimal(0)), False),
        (make_item(ItemUnitPrice=Decimal(5), ItemOptionPrice=Decimal(-1)), False),
    ],
    ids=["discount", "bundle part", "cheaper option"],
)
def test_a_discount_row_is_told_from_a_bundle_part_and_a_cheaper_option(item: OrderItem, is_discount: bool):
    assert t.is_discount_row(item) is is_discount


def test_skus_are_those_sold_each_once():
    order = make_order(
        make_item(1, ItemID="A"),
        make_item(2, ItemID="B/1"),
        make_item(3, ItemID="A"),
        make_item(4, ItemID="DISC", ItemUnitPrice=Decimal(0), ItemOptionPrice=Decimal(-1)),
        make_item(5, ItemID=""),
    )
    assert t.skus(order) == ("A", "B/1")


def test_a_row_sells_the_active_product_of_its_sku():
    mug, item = product("SKU-1"), make_item(1)
    assert t.product_of(item, {"SKU-1": mug}) is mug
    assert t.product_of(item, {"SKU-1": product("SKU-1", statecode=1)}) is None
    assert t.product_of(item, {}) is None


def test_a_discount_row_sells_nothing_even_under_a_known_sku():
    item = make_item(1, ItemUnitPrice=Decimal(0), ItemOptionPrice=Decimal(-1))
    assert t.product_of(item, {"SKU-1": product("SKU-1")}) is None


def test_repeated_row_keys_are_noticed():
    assert t.rows_are_distinct(make_order(make_item(1), make_item(2)))
    assert not t.rows_are_distinct(make_order(make_item(1), make_item(1)))


def test_the_text_of_a_row_is_its_description_without_markup():
    item = make_item(ItemDescription="Mug<br><b>Colour:</b>&nbsp;Blue &amp; white")
    assert "<" not in t.row_text(item)
    assert "Mug" in t.row_text(item)
    assert "Blue & white" in t.row_text(item)
    assert t.row_text(make_item(ItemDescription="")) == "SKU-1"
    assert t.row_text(make_item(ItemDescription="", ItemID="")) == "Item without a name"


def test_the_order_carries_the_address_of_its_first_shipment():
    second = Shipment(ShipmentNumber=2, ShipmentCity="Two")
    first = Shipment(ShipmentNumber=1, ShipmentCity="One")
    assert t.first_shipment(make_order(ShipmentList=(second, first))) == first
    assert t.first_shipment(make_order(ShipmentList=())) == Shipment()


def test_a_recipient_is_the_person_and_the_company():
    shipment = Shipment(ShipmentFirstName="Ada", ShipmentLastName="Byron", ShipmentCompany="Acme")
    assert t.recipient(shipment) == "Ada Byron, Acme"
    assert t.recipient(Shipment(ShipmentCompany="Acme")) == "Acme"
    assert t.bill_recipient(make_order(BillingCompany="Acme")) == "Ada Byron, Acme"
