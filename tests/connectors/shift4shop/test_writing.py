"""What is sent for a write of every model, and what its answer means."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.connectors.shift4shop.tables import Tables, result, sku_info

from tagline.connectors.shift4shop import (
    AdvancedOption,
    Category,
    Customer,
    CustomerGroup,
    Distributor,
    Manufacturer,
    Order,
    OrderItem,
    OrderStatus,
    Product,
    ProductDistributor,
    Question,
    Rma,
    Shipment,
    SkuInfo,
    Transaction,
)
from tagline.domain.exchange import Write, WriteKind
from tagline.errors import Disposition, NotAuthorisedError, TryAgainError

BY_SKU = {"sku": lambda row: row["SKUInfo"]["SKU"]}


def update(model, row_id, **fields):
    return Write(WriteKind.UPDATE, model, (), fields, id=row_id)


def create(model, key=(), **fields):
    return Write(WriteKind.CREATE, model, tuple(sorted(dict(key).items())), fields)


def delete(model, row_id):
    return Write(WriteKind.DELETE, model, (), id=row_id)


@pytest.mark.parametrize(
    ("write", "path", "body"),
    [
        (
            update(SkuInfo, "7", Stock=Decimal("12.5")),
            "/Products/7",
            {"SKUInfo": {"CatalogID": 7, "Stock": 12.5}},
        ),
        (
            update(Product, "7", Price=Decimal(3), Weight=Decimal(1), Hide=True),
            "/Products/7",
            {"SKUInfo": {"CatalogID": 7, "Price": 3}, "Weight": 1, "Hide": True},
        ),
        (
            update(AdvancedOption, "7/12-34", AdvancedOptionStock=4),
            "/Products/7/AdvancedOptions/12-34",
            {"AdvancedOptionCode": "12-34", "AdvancedOptionStock": 4},
        ),
        (
            update(Shipment, "10/0", ShipmentTrackingCode="1Z"),
            "/Orders/10/Shipments/0",
            {"ShipmentID": 0, "ShipmentTrackingCode": "1Z"},
        ),
        (
            update(OrderItem, "10/3", ItemShipmentID=2),
            "/Orders/10/Items/3",
            {"ItemIndexID": 3, "ItemShipmentID": 2},
        ),
        (
            update(Transaction, "10/4", TransactionDateTime=datetime(2026, 7, 1, 16, 5, 9, tzinfo=UTC)),
            "/Orders/10/Transactions/4",
            {"TransactionIndexID": 4, "TransactionDateTime": "07/01/2026 12:05:09"},
        ),
        (
            update(Question, "10/5", QuestionAnswer=None),
            "/Orders/10/Questions/5",
            {"QuestionAnswerIndexID": 5, "QuestionAnswer": ""},
        ),
        (
            update(Customer, "5", BillingCity="Boston", CustomerGroupID=None, Enabled=None),
            "/Customers/5",
            {"CustomerID": 5, "BillingCity": "Boston", "CustomerGroupID": 0, "Enabled": False},
        ),
        (update(CustomerGroup, "2", Name="x"), "/CustomerGroups/2", {"CustomerGroupID": 2, "Name": "x"}),
        (update(Category, "2", Hide=False), "/Categories/2", {"CategoryID": 2, "Hide": False}),
        (update(Distributor, "2", Phone="1"), "/Distributors/2", {"DistributorID": 2, "Phone": "1"}),
        (update(Manufacturer, "2", Sorting=3), "/Manufacturers/2", {"ManufacturerID": 2, "Sorting": 3}),
    ],
    ids=lambda v: v.model.__name__ if isinstance(v, Write) else "",
)
def test_an_update_is_one_put_of_the_changed_fields(make_shop, write, path, body):
    shop = Tables()
    [outcome] = make_shop(shop).perform([write])
    assert shop.asked == [("PUT", path, body)]
    assert (outcome.disposition, outcome.id) == (Disposition.DONE, write.id)


def test_an_update_may_name_its_row_by_the_key_of_both(make_shop):
    shop = Tables()
    key = (("OrderID", 10), ("ShipmentID", 0))
    [outcome] = make_shop(shop).perform([Write(WriteKind.UPDATE, Shipment, key, {"ShipmentBoxes": 2})])
    assert (shop.asked[0][1], outcome.id) == ("/Orders/10/Shipments/0", "10/0")


def test_stock_of_many_products_is_one_put(make_shop):
    shop = Tables()
    outcomes = make_shop(shop).perform([update(SkuInfo, str(n), Stock=Decimal(n)) for n in range(1, 101)])
    [(method, path, body)] = shop.asked
    assert (method, path, len(body), body[4]) == (
        "PUT",
        "/Products",
        100,
        {"SKUInfo": {"CatalogID": 5, "Stock": 5}},
    )
    assert {o.disposition for o in outcomes} == {Disposition.DONE}


def test_rows_beneath_one_owner_share_a_put_and_others_do_not(make_shop):
    shop = Tables()
    writes = [update(AdvancedOption, each, AdvancedOptionStock=1) for each in ("7/1-2", "7/1-3", "8/1-2")]
    outcomes = make_shop(shop).perform(writes)
    assert [path for _, path, _ in shop.asked] == [
        "/Products/7/AdvancedOptions",
        "/Products/8/AdvancedOptions/1-2",
    ]
    assert [o.id for o in outcomes] == ["7/1-2", "7/1-3", "8/1-2"]


def test_an_item_that_a_bulk_put_refuses_is_told_apart(make_shop):
    told = [result("CatalogID", 1), result("CatalogID", 2, "404"), {"Key": "Error", "Message": "canary"}]
    shop = Tables(answer=lambda request, body: httpx.Response(206, json=told))
    outcomes = make_shop(shop).perform([update(SkuInfo, str(n), Stock=Decimal(1)) for n in (1, 2, 3)])
    assert [o.code for o in outcomes] == ["", "row-absent", "remote-refused"]
    assert "canary" not in str(outcomes)


def test_a_list_that_takes_no_bulk_put_gets_one_put_a_row(make_shop):
    def shop(request, body):
        return httpx.Response(404 if isinstance(body, list) else 200, json=[])

    tables = Tables(answer=shop)
    outcomes = make_shop(tables).perform([update(Category, str(n), Sorting=n) for n in (1, 2)])
    assert [path for _, path, _ in tables.asked] == ["/Categories", "/Categories/1", "/Categories/2"]
    assert [o.disposition for o in outcomes] == [Disposition.DONE, Disposition.DONE]


# --- creates


def test_a_create_looks_its_key_up_and_is_then_one_post(make_shop):
    shop = Tables()
    new = [
        create(Product, {"SKU": f"N-{n}"}, SKU=f"N-{n}", Name="Tea", Weight=Decimal(1), GTIN=None)
        for n in (1, 2)
    ]
    outcomes = make_shop(shop).perform(new)
    assert [call[:2] for call in shop.asked] == [
        ("GET", "/Products?sku=N-1&limit=200&offset=1"),
        ("GET", "/Products?sku=N-2&limit=200&offset=1"),
        ("POST", "/Products"),
    ]
    assert shop.asked[2][2][0] == {"SKUInfo": {"SKU": "N-1", "Name": "Tea"}, "Weight": 1}
    assert [(o.disposition, o.id) for o in outcomes] == [(Disposition.DONE, "900"), (Disposition.DONE, "901")]


def test_a_create_of_what_stands_already_is_not_sent(make_shop):
    shop = Tables({"/Products": [sku_info(7, SKU="N-1")]}, BY_SKU)
    [outcome] = make_shop(shop).perform([create(Product, {"SKU": "N-1"}, SKU="N-1")])
    assert (outcome.disposition, outcome.code, outcome.id) == (Disposition.RETRY, "row-exists", "7")
    assert shop.made("POST") == []


def test_two_creates_of_one_key_do_not_make_two(make_shop):
    """The second is looked up after the first was sent, so that it finds it."""
    shop = Tables({"/Products": []}, BY_SKU)

    def post(request, body):
        shop.lists["/Products"] += [
            {"SKUInfo": {"CatalogID": 50 + n, **b["SKUInfo"]}} for n, b in enumerate(body)
        ]
        return httpx.Response(201, json=[result("CatalogID", 50 + n, "201") for n in range(len(body))])

    shop.answer = post
    outcomes = make_shop(shop).perform([create(Product, {"SKU": "N"}, SKU="N")] * 2)
    assert [o.code for o in outcomes] == ["", "row-exists"]
    assert len(shop.lists["/Products"]) == 1


def test_a_payment_is_created_once_beneath_its_order(make_shop):
    shop = Tables({"/Orders/10/Transactions": [{"TransactionIndexID": 4, "TransactionID": "T-1"}]})
    key = {"OrderID": 10, "TransactionID": "T-2"}
    [outcome] = make_shop(shop).perform([create(Transaction, key, **key, TransactionAmount=Decimal("5.50"))])
    assert shop.asked[1] == (
        "POST",
        "/Orders/10/Transactions",
        [{"TransactionID": "T-2", "TransactionAmount": 5.5}],
    )
    assert (outcome.disposition, outcome.id) == (Disposition.DONE, "10/900")
    known = {"OrderID": 10, "TransactionID": "T-1"}
    [outcome] = make_shop(shop).perform([create(Transaction, known, **known)])
    assert (outcome.code, outcome.id) == ("row-exists", "10/4")


def test_a_copied_order_mails_nobody_and_moves_no_stock(make_shop):
    shop = Tables()
    items = (OrderItem(CatalogID=7, ItemQuantity=Decimal(2)),)
    [outcome] = make_shop(shop).perform(
        [create(Order, CustomerID=5, BillingPaymentMethodID="3", OrderItemList=items)]
    )
    [(method, path, body)] = shop.asked
    assert (method, path) == ("POST", "/Orders?bypassorderprocessing=1&bypassorderemail=1")
    assert body == [
        {
            "CustomerID": 5,
            "BillingPaymentMethodID": "3",
            "OrderItemList": [{"CatalogID": 7, "ItemQuantity": 2}],
        }
    ]
    assert outcome.id == "900"


def test_lists_in_a_new_product_are_sent_as_given(make_shop):
    shop = Tables()
    bought = (ProductDistributor(DistributorID=4, DistributorItemCost=Decimal("1.5")),)
    make_shop(shop).perform([create(Product, Name="x", DistributorList=bought)])
    assert shop.asked[0][2] == [
        {"SKUInfo": {"Name": "x"}, "DistributorList": [{"DistributorID": 4, "DistributorItemCost": 1.5}]}
    ]


def test_a_bulk_post_refused_as_a_whole_is_sent_one_by_one(make_shop):
    def shop(request, body):
        if len(body) > 1 or body[0]["Name"] == "bad":
            return httpx.Response(400)
        return httpx.Response(201, json=[result("CustomerGroupID", 8, "201")])

    outcomes = make_shop(Tables(answer=shop)).perform(
        [create(CustomerGroup, Name=n) for n in ("a", "bad", "c")]
    )
    assert [(o.code, o.id) for o in outcomes] == [("", "8"), ("remote-refused", None), ("", "8")]


def test_creates_of_which_the_answer_does_not_tell_are_not_taken_for_done(make_shop):
    shop = Tables(answer=lambda request, body: httpx.Response(201, json=[result("Id", 1, "201")]))
    outcomes = make_shop(shop).perform([create(CustomerGroup, Name=n) for n in ("a", "b")])
    assert [(o.disposition, o.code) for o in outcomes] == [(Disposition.RETRY, "remote-outcome-unknown")] * 2


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotAuthorisedError), (500, TryAgainError), (503, TryAgainError)]
)
@pytest.mark.parametrize(
    "write",
    [create(CustomerGroup, Name="a"), update(Category, "1", Sorting=1), delete(Category, "1")],
    ids=lambda w: w.kind,
)
def test_a_shop_in_trouble_fails_the_call(make_shop, write, status, kind):
    with pytest.raises(kind):
        make_shop(Tables(answer=lambda request, body: httpx.Response(status))).perform([write])


def test_what_was_created_before_the_shop_went_away_is_told(make_shop):
    """Else it would be created again."""

    def shop(request, body):
        if "/Orders/11/" in str(request.url):
            return httpx.Response(503)
        return httpx.Response(201, json=[result("TransactionIndexID", 8, "201")])

    tables = Tables(answer=shop)
    outcomes = make_shop(tables).perform([create(Transaction, OrderID=n) for n in (10, 11, 12)])
    assert [(o.disposition, o.id, o.code) for o in outcomes] == [
        (Disposition.DONE, "10/8", ""),
        (Disposition.RETRY, None, "remote-unavailable"),
        (Disposition.RETRY, None, "remote-unavailable"),
    ]
    assert len({path for _, path, _ in tables.made("POST")}) == 2


@pytest.mark.parametrize("status", [401, 429, 500])
def test_an_error_body_does_not_make_a_shop_in_trouble_a_refusal(make_shop, status):
    """It looks like the result of one item; the status of the answer says whose trouble it is."""
    shop = Tables(
        answer=lambda request, body: httpx.Response(status, json=[{"Key": "Error", "Message": "no"}])
    )
    for write in (create(CustomerGroup, Name="a"), update(Category, "1", Sorting=1), delete(Category, "1")):
        with pytest.raises((NotAuthorisedError, TryAgainError)):
            make_shop(shop).perform([write])


# --- deletes and refusals


def test_a_delete_is_one_call_and_what_is_gone_already_is_deleted(make_shop):
    shop = Tables()
    [outcome] = make_shop(shop).perform([delete(Product, "7")])
    assert (shop.asked, outcome.disposition) == ([("DELETE", "/Products/7", None)], Disposition.DONE)
    gone = Tables(answer=lambda request, body: httpx.Response(404))
    assert make_shop(gone).perform([delete(Customer, "7")])[0].disposition is Disposition.DONE
    refused = Tables(answer=lambda request, body: httpx.Response(400))
    assert make_shop(refused).perform([delete(Category, "7")])[0].code == "remote-refused"


@pytest.mark.parametrize(
    "write",
    [
        create(SkuInfo, SKU="x"),
        create(AdvancedOption, {"CatalogID": 7}, AdvancedOptionSufix="x"),
        create(Transaction, TransactionID="x"),
        create(Shipment, {"OrderID": 10, "ShipmentID": 0}, ShipmentTrackingCode="x"),
        create(Customer, CustomerID=5, Email="x@y.test"),
        create(Product, LastUpdate=None),
        update(OrderStatus, "1", StatusText="x"),
        update(Rma, "1", Comments="x"),
        update(Product, "1", AdvancedOptionList=()),
        update(Shipment, "0", ShipmentBoxes=1),
        update(Shipment, "10/x", ShipmentBoxes=1),
        delete(Order, "1"),
        delete(OrderItem, "10/1"),
        delete(AdvancedOption, "7/1"),
    ],
    ids=lambda w: f"{w.kind}-{w.model.__name__}-{'-'.join(w.fields)}",
)
def test_what_the_shop_has_no_way_for_is_a_dead_letter_and_not_sent(make_shop, write):
    [outcome] = make_shop(lambda r: pytest.fail("sent")).perform([write])
    assert (outcome.disposition, outcome.code) == (Disposition.DEAD_LETTER, "not-supported")


@pytest.mark.parametrize("name", ["UPS® Ground", "FedEx: 2 Day", "A&B", "Post/DHL", "a\nb"])
def test_a_shipping_method_that_the_shop_would_refuse_is_told_before_it_is_sent(make_shop, name):
    [outcome] = make_shop(lambda r: pytest.fail("sent")).perform(
        [update(Shipment, "10/0", ShipmentMethodName=name)]
    )
    assert (outcome.disposition, outcome.code) == (Disposition.DEAD_LETTER, "characters-refused")
    assert name not in outcome.message


def test_an_ordinary_shipping_method_is_sent(make_shop):
    shop = Tables()
    make_shop(shop).perform([update(Shipment, "10/0", ShipmentMethodName="USPS - Priority (2 days)")])
    assert shop.asked[0][2]["ShipmentMethodName"] == "USPS - Priority (2 days)"


KINDS = {
    "order": lambda n: update(Order, str(n), AlternateOrderID="x"),
    "stock": lambda n: update(SkuInfo, str(n), Stock=Decimal(1)),
    "variant": lambda n: update(AdvancedOption, f"{n % 3 + 1}/{n}", AdvancedOptionStock=1),
    "group": lambda n: create(CustomerGroup, Name=str(n)),
    "gone": lambda n: delete(Category, str(n)),
    "wrong": lambda n: delete(Order, str(n)),
}


@given(st.lists(st.tuples(st.sampled_from(list(KINDS)), st.integers(1, 6)), max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_every_write_has_one_outcome_in_its_place_and_is_sent_in_order(make_shop, drawn):
    shop = Tables()
    writes = [KINDS[kind](n) for kind, n in drawn]
    outcomes = make_shop(shop).perform(writes)
    assert [o.disposition for o in outcomes] == [
        Disposition.DEAD_LETTER if kind == "wrong" else Disposition.DONE for kind, _ in drawn
    ]
    known = [(o, w) for o, w in zip(outcomes, writes, strict=True) if o.code == "" and w.id]
    assert [o.id for o, _ in known] == [w.id for _, w in known]
    sent = [item for _, _, body in shop.asked for item in (body if isinstance(body, list) else [body])]
    assert len(sent) == sum(kind != "wrong" for kind, _ in drawn)
    assert "null" not in json.dumps([item for item in sent if item is not None])
