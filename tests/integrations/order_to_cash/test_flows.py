"""The flow under the shadow driver: what it would do to a customer's systems, order by order."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from order_to_cash.settings import OrderToCashSettings
from order_to_cash.transforms import guest_key, order_key
from shop_orders import SETTINGS, make_item, make_order, orders
from tenant import Run, Tenant, total

from tagline import ref
from tagline.connectors.dataverse import Account, Contact, Product, SalesOrder, SalesOrderDetail
from tagline.connectors.shift4shop import Order
from tagline.errors import Disposition, RecordError

PRICE = Decimal("10.00")


def settings(**fields: Any) -> OrderToCashSettings:
    return OrderToCashSettings(price_level=SETTINGS.price_level, **fields)


def make_tenant() -> Tenant:
    return Tenant.with_products("SKU-1", "SKU-2", "SKU-3")


def refused(run: Run) -> RecordError:
    """The dead letter a run ended as; nothing may have been written before it."""
    assert isinstance(run.error, RecordError)
    assert run.error.disposition is Disposition.DEAD_LETTER
    assert run.writes == []
    return run.error


# -- the way of an order


def test_an_order_is_written_customer_first_then_header_lines_check_and_reference():
    tenant = make_tenant()
    run = tenant.run(make_order(make_item(1), make_item(2)))
    assert run.error is None
    assert run.steps == [
        "create contact",
        "create salesorder",
        "create salesorderdetail",
        "create salesorderdetail",
        "expect salesorder",
        "update Order",
    ]
    (order,) = tenant.of(SalesOrder)
    assert order["customerid"] == ref(Contact, contactid="new:shop-customer-77")
    assert Decimal("25.00") == total(tenant)


def test_the_total_is_read_back_before_any_state_changes():
    run = make_tenant().run(make_order(OrderStatusID=4))
    assert run.steps[-3:] == ["expect salesorder", "FulfillSalesOrder", "update Order"]
    check = next(i for i in run.intentions if i.kind is None)
    assert check.changes == {"totalamount": (None, Decimal("15.00")), "pricingerrorcode": (None, 0)}


@given(orders())
def test_writing_any_order_again_writes_nothing(order: Order):
    """And its total stands in Dataverse to the cent."""
    tenant = Tenant.with_products(*(item.ItemID for item in order.OrderItemList if item.ItemID))
    first = tenant.run(order)
    assert first.error is None
    assert order.OrderAmount == total(tenant)
    again = tenant.run(order)
    assert again.error is None
    assert again.writes == []


def test_a_row_removed_in_the_shop_is_removed_and_a_changed_one_changed():
    tenant = make_tenant()
    tenant.run(make_order(make_item(1), make_item(2)))
    run = tenant.run(make_order(make_item(2, ItemQuantity=Decimal(3))))
    assert run.steps == ["delete salesorderdetail", "update salesorderdetail", "expect salesorder"]
    assert run.written("salesorderdetail")[1] == {"quantity": Decimal(3)}


def test_a_line_that_a_person_added_stays():
    tenant = make_tenant()
    tenant.run(make_order())
    (order,) = tenant.of(SalesOrder)
    tenant.stand(
        SalesOrderDetail,
        "by-hand",
        salesorderid=ref(SalesOrder, salesorderid=order["salesorderid"]),
        quantity=Decimal(1),
        priceperunit=Decimal(0),
    )
    assert tenant.run(make_order()).writes == []


# -- what is left alone


def test_an_abandoned_checkout_is_not_written():
    run = make_tenant().run(make_order(OrderStatusID=7))
    assert (run.error, run.intentions) == (None, [])


@pytest.mark.parametrize(("day", "written"), [(1, False), (2, True), (3, True)])
def test_an_order_placed_before_the_start_is_not_written(day: int, written: bool):
    start = settings(start_at=datetime(2026, 11, 2, tzinfo=UTC))
    run = make_tenant().run(make_order(OrderDate=datetime(2026, 11, day, tzinfo=UTC)), start)
    assert run.error is None
    assert bool(run.writes) is written


# -- customers


def test_a_guest_stands_under_a_digest_of_the_e_mail_and_meets_it_again():
    tenant = make_tenant()
    tenant.run(make_order(CustomerID=0))
    run = tenant.run(make_order(CustomerID=0, OrderID=2, BillingEmail="ADA+SHOP@example.com"))
    assert run.error is None
    assert "contact" not in " ".join(run.steps)
    (contact,) = tenant.of(Contact)
    assert re.fullmatch("shop-email-[0-9a-f]{24}", contact["tl_customerkey"])
    assert contact["emailaddress1"] == "Ada+shop@example.com"


def test_a_guest_who_registers_is_linked_again_not_made_twice():
    tenant = make_tenant()
    tenant.run(make_order(CustomerID=0))
    run = tenant.run(make_order(OrderID=2, CustomerID=77))
    assert run.error is None
    assert run.written("contact") == [{"tl_customerkey": "shop-customer-77"}]
    (contact,) = tenant.of(Contact)
    assert {o["customerid"].key[0][1] for o in tenant.of(SalesOrder)} == {contact["contactid"]}


def test_a_guests_order_keeps_its_customer_after_the_guest_registered():
    tenant = make_tenant()
    guest = make_order(CustomerID=0)
    tenant.run(guest)
    tenant.run(make_order(OrderID=2, CustomerID=77))
    assert tenant.run(guest).writes == []
    assert len(tenant.of(Contact)) == 1


@pytest.mark.parametrize("email", ["", "info@acme.example", "Sales@acme.example"])
def test_a_guest_nobody_could_tell_from_another_goes_to_review(email: str):
    error = refused(make_tenant().run(make_order(CustomerID=0, BillingEmail=email)))
    assert error.code == "customer-needs-review"
    assert [d["field"] for d in error.details] == ["BillingEmail"]
    assert "acme" not in error.message + error.hint


def test_a_registered_buyer_may_use_a_shared_mailbox_and_takes_over_no_guest():
    tenant = make_tenant()
    order = make_order(BillingEmail="info@acme.example")
    tenant.stand(Contact, "guest", tl_customerkey=guest_key(order, SETTINGS), lastname="Somebody")
    run = tenant.run(order)
    assert run.error is None
    assert run.steps[0] == "create contact"


def test_a_company_is_an_account_with_a_contact():
    tenant = make_tenant()
    run = tenant.run(make_order(BillingCompany="Acme"))
    assert run.steps[:2] == ["create account", "create contact"]
    (account,), (contact,), (order,) = tenant.of(Account), tenant.of(Contact), tenant.of(SalesOrder)
    assert account["name"] == "Acme"
    assert contact["parentcustomerid"] == ref(Account, accountid=account["accountid"])
    assert order["customerid"] == ref(Account, accountid=account["accountid"])


def test_a_person_can_be_an_account_by_setting():
    tenant = make_tenant()
    run = tenant.run(make_order(), settings(person_as="account"))
    assert run.error is None
    (account,) = tenant.of(Account)
    assert account["name"] == "Ada Byron"
    assert tenant.of(Contact) == []


def test_an_order_fills_blanks_of_a_customer_and_overwrites_nothing():
    tenant = make_tenant()
    tenant.stand(
        Contact, "c-1", tl_customerkey="shop-customer-77", lastname="King", telephone1="1", address1_city=" "
    )
    run = tenant.run(make_order())
    (written,) = run.written("contact")
    assert written["firstname"] == "Ada"
    assert written["address1_city"] == "Boston"
    assert not written.keys() & {"lastname", "telephone1", "tl_customerkey"}


# -- rows


@pytest.mark.parametrize("statecode", [None, 1, 2, 3])
def test_an_unknown_or_inactive_product_sets_the_order_aside_before_anything_is_written(
    statecode: int | None,
):
    tenant = make_tenant()
    if statecode is not None:
        tenant.stand(Product, "p", productnumber="GONE", statecode=statecode)
    error = refused(tenant.run(make_order(make_item(1), make_item(2, ItemID="GONE"))))
    assert error.code == "unknown-sku"
    assert "GONE" in error.message
    assert "SKU-1" not in error.message
    assert [d["field"] for d in error.details] == ["OrderItemList.1.ItemID"]


def test_a_row_without_a_sku_is_unknown_too():
    assert refused(make_tenant().run(make_order(make_item(1, ItemID="")))).code == "unknown-sku"


def test_an_unknown_sku_becomes_text_by_setting_and_a_product_line_once_it_is_known():
    tenant = make_tenant()
    order = make_order(make_item(1), make_item(2, ItemID="GONE"))
    assert tenant.run(order, settings(unknown_sku="write_in")).error is None
    text = next(line for line in tenant.of(SalesOrderDetail) if line["isproductoverridden"])
    assert (text["productdescription"], text["priceperunit"]) == ("Thing 2", PRICE)

    tenant.stand(Product, "p", productnumber="GONE", statecode=0)
    run = tenant.run(order, settings(unknown_sku="write_in"))
    assert run.steps == ["delete salesorderdetail", "create salesorderdetail", "expect salesorder"]
    assert Decimal("25.00") == total(tenant)


def test_bundle_parts_and_discount_rows_have_lines_of_their_own():
    tenant = make_tenant()
    run = tenant.run(
        make_order(
            make_item(1, ItemUnitPrice=Decimal("40.00")),
            make_item(2, ItemUnitPrice=Decimal(0), ItemAdditionalField3="1"),
            make_item(3, ItemID="", ItemUnitPrice=Decimal(0), ItemOptionPrice=Decimal("-4.00")),
            SalesTax=Decimal("2.10"),
        )
    )
    assert run.error is None
    lines = run.written("salesorderdetail")
    assert [line["priceperunit"] for line in lines] == [Decimal("40.00"), Decimal(0), Decimal("-4.00")]
    assert [line["tax"] for line in lines] == [Decimal("2.10"), Decimal(0), Decimal(0)]
    assert [bool(line.get("isproductoverridden")) for line in lines] == [False, False, True]


@pytest.mark.parametrize(
    ("order", "code", "field"),
    [
        (make_order(OrderAmount=Decimal("15.01")), "order-total-differs", "OrderAmount"),
        (make_order(OrderStatusID=9), "status-unmapped", "OrderStatusID"),
        (make_order(make_item(1), make_item(1)), "order-rows-repeated", "OrderItemList[].ItemIndexID"),
        (make_order().model_copy(update={"OrderItemList": ()}), "order-without-rows", "OrderItemList"),
    ],
    ids=["total", "status", "rows repeated", "no rows"],
)
def test_an_order_no_target_could_hold_is_set_aside_by_name(order: Order, code: str, field: str):
    error = refused(make_tenant().run(order))
    assert error.code == code
    assert [d["field"] for d in error.details] == [field]
    assert error.hint


# -- states


@pytest.mark.parametrize(
    ("status", "action", "parameters"),
    [(4, "FulfillSalesOrder", {"Status": 100001}), (5, "CancelSalesOrder", {"Status": 4})],
    ids=["shipped", "cancelled"],
)
def test_a_closed_order_is_written_whole_then_closed_and_its_repeat_does_nothing(
    status: int, action: str, parameters: dict[str, int]
):
    tenant = make_tenant()
    order = make_order(OrderStatusID=status)
    run = tenant.run(order)
    assert run.error is None
    closing = next(i for i in run.intentions if i.action)
    assert closing.action == action
    assert {n: after for n, (_, after) in closing.changes.items()} == parameters
    again = tenant.run(order)
    assert (again.error, again.writes) == (None, [])


@pytest.mark.parametrize("status", [1, 2, 3, 6, 11, 13])
def test_an_open_order_stays_new(status: int):
    tenant = make_tenant()
    run = tenant.run(make_order(OrderStatusID=status))
    assert run.error is None
    assert [order["statecode"] for order in tenant.of(SalesOrder)] == [0]


def test_an_open_order_is_fulfilled_when_the_shop_ships_it():
    tenant = make_tenant()
    tenant.run(make_order())
    assert tenant.run(make_order(OrderStatusID=4)).steps == ["expect salesorder", "FulfillSalesOrder"]


def locked(tenant: Tenant, statecode: int) -> None:
    tenant.run(make_order())
    (order,) = tenant.of(SalesOrder)
    order["statecode"] = statecode


def test_an_order_submitted_in_dataverse_is_not_edited_but_can_be_closed():
    tenant = make_tenant()
    locked(tenant, 1)
    assert tenant.run(make_order()).writes == []
    assert tenant.run(make_order(OrderStatusID=4)).steps == ["FulfillSalesOrder"]


EDITED = make_order(make_item(1, ItemQuantity=Decimal(2)), OrderStatusID=4)


@pytest.mark.parametrize(
    "order", [EDITED, make_order(), make_order(OrderStatusID=5)], ids=["edited", "opened again", "cancelled"]
)
def test_an_order_that_differs_from_its_locked_counterpart_goes_to_review_or_is_left(order: Order):
    tenant = make_tenant()
    locked(tenant, 3)
    assert refused(tenant.run(order)).code == "order-locked"
    left = tenant.run(order, settings(edit_after_submit="ignore"))
    assert (left.error, left.intentions) == (None, [])


# -- what the shop learns


def test_the_shop_learns_the_id_in_the_configured_field():
    for name in ("ExternalComments", "AlternateOrderID"):
        run = make_tenant().run(make_order(), settings(write_back_field=name))
        assert run.written("Order") == [{name: f"new:{order_key(make_order(), SETTINGS)}"}]


def test_a_foreign_value_in_the_shop_is_never_overwritten():
    run = make_tenant().run(make_order(ExternalComments="gift, no invoice please"))
    assert run.error is None
    assert run.written("Order") == []


def test_a_lost_reference_is_written_to_a_closed_order_too():
    tenant = make_tenant()
    shipped = make_order(OrderStatusID=4)
    tenant.run(shipped)
    tenant.rows[Order, shipped.OrderID]["ExternalComments"] = ""  # type: ignore[index] # the shop's ids are numbers
    assert tenant.run(shipped).steps == ["update Order"]
