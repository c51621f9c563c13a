"""Every model read by key, by alternate key and beneath its owner, with the requests that takes."""

from decimal import Decimal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.connectors.shift4shop.tables import ROOT, Tables, sku_info

from tagline.connectors.shift4shop import (
    AdvancedOption,
    Category,
    Customer,
    CustomerGroup,
    Order,
    OrderItem,
    OrderStatus,
    Product,
    Rma,
    Shipment,
    SkuInfo,
    Transaction,
)
from tagline.domain.exchange import Write, WriteKind
from tagline.errors import RecordError, TryAgainError, UsageError

BY_SKU = {"sku": lambda row: row["SKUInfo"]["SKU"]}
BY_MAIL = {"email": lambda row: row["Email"]}


def paths(shop):
    return [path for _, path, _ in shop.asked]


def key(**columns):
    return tuple(sorted(columns.items()))


def test_a_product_holds_its_sku_info_side_by_side_with_the_rest(make_shop):
    row = {
        **sku_info(7, Price=10.5, OnSale=None),
        "Weight": "2",
        "CategoryList": [{"CategoryID": 3, "CategoryName": "Tea "}],
        "DistributorList": [{"DistributorID": 4, "DistributorItemCost": 1.25}],
        "AdvancedOptionList": [{"AdvancedOptionCode": "12-34", "AdvancedOptionStock": 2}],
        "LoginRequiredOptionID": None,
    }
    product = make_shop(Tables({"/Products": [row]})).fetch(Product, ["7"]).records["7"]
    assert (product.CatalogID, product.SKU, product.Price, product.OnSale) == (
        7,
        "S-7",
        Decimal("10.5"),
        False,
    )
    assert (product.Weight, product.CategoryList[0].CategoryName) == (Decimal(2), "Tea")
    assert product.DistributorList[0].DistributorItemCost == Decimal("1.25")
    assert product.AdvancedOptionList[0].AdvancedOptionStock == 2


def test_stock_is_read_without_the_rest_of_the_product(make_shop):
    shop = Tables({"/Products": [sku_info(7)]})
    read = make_shop(shop).read(SkuInfo, [key(CatalogID=7)], ["Stock"])
    assert read[key(CatalogID=7)].values == {"Stock": Decimal("5.0")}
    assert paths(shop) == ["/Products/7/skuinfo"]


def test_few_records_are_read_one_by_one_and_many_from_the_list(make_shop):
    rows = [sku_info(n) for n in range(1, 401)]
    shop = Tables({"/Products": rows})
    client = make_shop(shop)
    assert list(client.fetch(Product, ["3", "9"]).records) == ["3", "9"]
    assert paths(shop) == ["/Products/3", "/Products/9"]
    shop.asked.clear()
    asked = [str(n) for n in range(1, 401, 40)]
    assert list(client.fetch(Product, asked).records) == asked
    assert paths(shop) == [
        "/Products?countonly=1",
        "/Products?limit=200&offset=1",
        "/Products?limit=200&offset=200",
        "/Products?limit=200&offset=399",
    ]


def test_a_long_list_is_not_read_for_a_few(make_shop):
    shop = Tables({"/Products": [sku_info(n) for n in range(1, 1_200)]})
    make_shop(shop).fetch(Product, ["1", "2", "3"])
    assert paths(shop) == ["/Products?countonly=1", "/Products/1", "/Products/2", "/Products/3"]


def test_a_small_table_is_one_request_whatever_is_asked_of_it(make_shop):
    shop = Tables({"/OrderStatus": [{"OrderStatusID": n, "StatusText": f"s{n}"} for n in range(1, 22)]})
    asked = [str(n) for n in range(1, 22)]
    assert list(make_shop(shop).fetch(OrderStatus, asked).records) == asked
    assert paths(shop) == ["/OrderStatus?limit=500&offset=1"]


def test_a_record_of_a_list_that_is_not_on_it_is_asked_for_once_more(make_shop):
    shop = Tables({"/Categories": [{"CategoryID": 1, "CategoryName": "a"}]})
    fetched = make_shop(shop).fetch(Category, ["1", "2", "3"])
    assert (list(fetched.records), dict(fetched.malformed)) == (["1"], {})
    assert paths(shop) == ["/Categories?limit=500&offset=1", "/Categories/2", "/Categories/3"]


def test_a_product_is_found_by_its_sku_and_a_customer_by_mail(make_shop):
    products = Tables({"/Products/skuinfo": [sku_info(7, SKU="A/1 & b")]}, BY_SKU)
    wanted = key(SKU="A/1 & b")
    assert make_shop(products).read(SkuInfo, [wanted], ["Stock"])[wanted].id == "7"
    assert paths(products) == ["/Products/skuinfo?sku=A/1+&+b&limit=500&offset=1"]
    customers = Tables({"/Customers": [{"CustomerID": 5, "Email": "Jo@shop.test"}]}, BY_MAIL)
    wanted = key(Email="jo@shop.test")
    assert make_shop(customers).read(Customer, [wanted], [])[wanted].id == "5"


def test_many_alternate_keys_are_found_in_one_list(make_shop):
    shop = Tables({"/Products/skuinfo": [sku_info(n) for n in range(1, 301)]}, BY_SKU)
    keys = [key(SKU=f"S-{n}") for n in (1, 50, 299, 900)]
    read = make_shop(shop).read(SkuInfo, keys, ["CatalogID"])
    assert [read[k].values["CatalogID"] for k in keys if k in read] == [1, 50, 299]
    assert paths(shop) == ["/Products/skuinfo?countonly=1", "/Products/skuinfo?limit=500&offset=1"]


def test_a_filter_that_finds_more_than_was_asked_for_is_not_believed(make_shop):
    shop = Tables({"/Products/skuinfo": [sku_info(1, SKU="AB"), sku_info(2, SKU="ABC")]})
    read = make_shop(shop).read(SkuInfo, [key(SKU="AB")], [])
    assert read[key(SKU="AB")].id == "1"


def test_letter_case_tells_apart_only_what_differs_in_nothing_else(make_shop):
    shop = Tables({"/Products/skuinfo": [sku_info(1, SKU="ab"), sku_info(2, SKU="AB ")]})
    client = make_shop(shop)
    assert client.read(SkuInfo, [key(SKU="AB")], [])[key(SKU="AB")].id == "2"
    with pytest.raises(RecordError) as caught:
        client.read(SkuInfo, [key(SKU="Ab")], [])
    assert (caught.value.code, "1, 2" in caught.value.message) == ("key-ambiguous", True)


def test_a_mail_address_that_several_share_is_told_without_it(make_shop):
    rows = [{"CustomerID": n, "Email": "canary@shop.test"} for n in (5, 6)]
    with pytest.raises(RecordError) as caught:
        make_shop(Tables({"/Customers": rows})).read(Customer, [key(Email="canary@shop.test")], [])
    assert "canary" not in f"{caught.value} {caught.value.where} {caught.value.hint}"


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_a_blank_alternate_key_finds_nothing_and_asks_nothing(make_shop, blank):
    shop = make_shop(lambda r: pytest.fail("sent"))
    assert shop.read(SkuInfo, [key(SKU=blank)], []) == {}


def test_an_order_is_found_by_the_number_that_people_use(make_shop):
    rows = [{"OrderID": 9, "InvoiceNumberPrefix": "AB-", "InvoiceNumber": 77}]
    shop = Tables({"/Orders": rows}, {"invoicenumber": lambda r: r["InvoiceNumber"]})
    wanted = key(InvoiceNumberPrefix="AB-", InvoiceNumber=77)
    other = key(InvoiceNumberPrefix="X-", InvoiceNumber=77)
    assert list(make_shop(shop).read(Order, [wanted, other], [])) == [wanted]


def test_the_rows_of_an_order_are_read_in_one_list(make_shop):
    rows = [{"ItemIndexID": 1, "ItemID": "A"}, {"ItemIndexID": 2, "ItemID": "B"}]
    shop = Tables({"/Orders/10/Items": rows})
    client = make_shop(shop)
    read = client.read(OrderItem, [key(OrderID=10, ItemIndexID=n) for n in (1, 2, 3)], ["ItemID"])
    assert [(row.id, row.values) for row in read.values()] == [
        ("10/1", {"ItemID": "A"}),
        ("10/2", {"ItemID": "B"}),
    ]
    assert paths(shop) == ["/Orders/10/Items?limit=500&offset=1"]
    assert client.fetch(OrderItem, ["10/2"]).records["10/2"].OrderID == 10


def test_a_shipment_may_have_the_id_zero(make_shop):
    shop = Tables({"/Orders/10/Shipments": [{"ShipmentID": 0, "ShipmentTrackingCode": "X" + " " * 49}]})
    wanted = key(OrderID=10, ShipmentID=0)
    row = make_shop(shop).read(Shipment, [wanted], ["ShipmentTrackingCode"])[wanted]
    assert (row.id, row.values) == ("10/0", {"ShipmentTrackingCode": "X"})


def test_shipments_that_share_an_id_are_not_told_apart_by_guessing(make_shop):
    shop = Tables({"/Orders/10/Shipments": [{"ShipmentID": 0}, {"ShipmentID": 0}]})
    client = make_shop(shop)
    assert list(client.fetch(Shipment, ["10/0"]).malformed) == ["10/0"]
    with pytest.raises(RecordError) as caught:
        client.read(Shipment, [key(OrderID=10, ShipmentID=0)], [])
    assert caught.value.code == "source-malformed"
    assert len(client.children(Shipment, "OrderID", ["10"], [])["10"]) == 2


def test_a_payment_is_found_in_its_order_by_the_gateways_id(make_shop):
    rows = [{"TransactionIndexID": 4, "TransactionID": "T-1 ", "TransactionAmount": 5.0}]
    shop = Tables({"/Orders/10/Transactions": rows})
    wanted = key(OrderID=10, TransactionID="T-1")
    assert make_shop(shop).read(Transaction, [wanted], [])[wanted].id == "10/4"


def test_the_variants_of_a_product_are_read_by_their_code(make_shop):
    shop = Tables(
        {"/Products/7/AdvancedOptions": [{"AdvancedOptionCode": "12-34", "AdvancedOptionStock": 3}]}
    )
    wanted = key(CatalogID=7, AdvancedOptionCode="12-34")
    row = make_shop(shop).read(AdvancedOption, [wanted], ["AdvancedOptionStock"])[wanted]
    assert (row.id, row.values) == ("7/12-34", {"AdvancedOptionStock": 3})


def test_children_are_listed_by_parent_and_keyed_by_both(make_shop):
    shop = Tables({"/Orders/10/Items": [{"ItemIndexID": n, "ItemID": f"S{n}"} for n in (1, 2)]})
    told = make_shop(shop).children(OrderItem, "OrderID", ["10", "11"], ["ItemID"])
    assert [(r.key, r.id, r.values["ItemID"]) for r in told["10"]] == [
        (key(OrderID=10, ItemIndexID=1), "10/1", "S1"),
        (key(OrderID=10, ItemIndexID=2), "10/2", "S2"),
    ]
    assert list(told["11"]) == []


def test_the_customers_of_a_group_are_keyed_by_mail_where_they_have_one(make_shop):
    rows = [{"CustomerID": 5, "Email": "jo@shop.test"}, {"CustomerID": 6, "Email": " "}]
    shop = Tables({"/CustomerGroups/2/Customers": rows})
    told = make_shop(shop).children(Customer, "CustomerGroupID", ["2"], [])["2"]
    assert [(r.key, r.id) for r in told] == [(key(Email="jo@shop.test"), "5"), (key(CustomerID="6"), "6")]


def test_a_customers_password_hash_and_card_data_are_in_no_model(make_shop):
    row = {"CustomerID": 5, "Email": "jo@shop.test", "Password": "canary" * 5, "BillingTaxID": None}
    customer = make_shop(Tables({"/Customers": [row]})).fetch(Customer, ["5"]).records["5"]
    assert "canary" not in repr(customer)


def test_the_newest_records_are_listed_for_every_table_that_stands_alone(make_shop):
    groups = [{"CustomerGroupID": n, "Name": f"g{n}"} for n in (1, 2, 3)]
    shop = Tables({"/CustomerGroups": groups, "/Products": [sku_info(n) for n in range(1, 21)]})
    client = make_shop(shop)
    assert client.recent(CustomerGroup, 2) == ["2", "3"]
    assert client.recent(CustomerGroup, 0) == []
    assert client.recent(Product, 2) == ["19", "20"]


def test_a_return_is_read_with_its_items(make_shop):
    row = {"RMAID": 3, "RmaDate": "3/9/2026 4:05:06 PM", "RMAItemList": [{"SKU": "A", "ReturnQuantity": 2}]}
    rma = make_shop(Tables({"/RMA": [row]})).fetch(Rma, ["3"]).records["3"]
    assert (rma.RMAItemList[0].ReturnQuantity, rma.RmaDate.isoformat()) == (2, "2026-03-09T20:05:06+00:00")


def test_an_unknown_state_of_an_order_is_a_number_like_any_other(make_shop):
    rows = [{"OrderID": 1, "OrderStatusID": 20}]
    assert make_shop(Tables({"/Orders": rows})).fetch(Order, ["1"]).records["1"].OrderStatusID == 20


@pytest.mark.parametrize("model", [Product, Customer, Category, Rma])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(200, text="<html>sign in</html>"), "answer-malformed"),
        (httpx.Response(500), "remote-failed"),
        (httpx.Response(503), "remote-unavailable"),
    ],
    ids=["html", "500", "503"],
)
def test_a_shop_in_trouble_is_tried_again(make_shop, model, answer, code):
    with pytest.raises(TryAgainError) as caught:
        make_shop(lambda r: answer).fetch(model, ["1"])
    assert caught.value.code == code


@pytest.mark.parametrize(
    "body", [[7], "text", [[]], {"CatalogID": "x"}, [{"SKUInfo": []}], {"x": 1}, 5, True]
)
def test_what_is_no_product_is_malformed(make_shop, body):
    fetched = make_shop(lambda r: httpx.Response(200, json=body)).fetch(Product, ["1"])
    assert (list(fetched.records), list(fetched.malformed)) == ([], ["1"])


@pytest.mark.parametrize("text", ["", "x", "10", "10/", "/1", "10/x", "0/1", "10/1/2", "10/-1"])
def test_a_key_that_addresses_nothing_is_malformed_and_not_sent(make_shop, text):
    fetched = make_shop(lambda r: pytest.fail("sent")).fetch(Shipment, [text])
    assert list(fetched.malformed) == [text]


def test_a_variants_code_cannot_break_out_of_its_address(make_shop):
    sent = []

    def shop(request):
        sent.append(request.url.raw_path)
        return httpx.Response(200, json=[])

    update = Write(WriteKind.UPDATE, AdvancedOption, (), {"AdvancedOptionStock": 1}, id="7/../../Orders?x=1")
    make_shop(shop).perform([update])
    assert sent == [f"{ROOT}/Products/7/AdvancedOptions/..%2F..%2FOrders%3Fx%3D1".encode()]


LISTS = {
    Customer: ("CustomerGroupID", "/CustomerGroups/1/Customers", "CustomerID"),
    Product: ("ManufacturerID", "/Manufacturers/1/Products", "CatalogID"),
}


@given(model=st.sampled_from(list(LISTS)), count=st.integers(0, 1_100), inserted=st.integers(0, 3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_a_list_of_any_length_and_cap_gives_each_row_once_and_in_order(make_shop, model, count, inserted):
    """Also where rows are added at its start between two pages, so that later ones come again."""
    column, path, own = LISTS[model]
    shop = Tables({path: [{own: n} for n in range(10, count + 10)]})

    def moving(request):
        answer = shop(request)
        shop.lists[path] = [*({own: n} for n in range(1, inserted + 1)), *shop.lists[path][:]]
        return answer

    rows = make_shop(moving).children(model, column, ["1"], [])["1"]
    assert [int(row.id) for row in rows if int(row.id) >= 10] == list(range(10, count + 10))


def test_a_shop_that_ignores_the_position_is_not_read_for_ever(make_shop):
    page = [{"CategoryID": n} for n in range(1, 501)]
    assert len(make_shop(lambda r: httpx.Response(200, json=page)).recent(Category, 1_000)) == 500


def test_a_table_without_end_is_refused(make_shop):
    def endless(request):
        offset = int(request.url.params["offset"])
        return httpx.Response(200, json=[{"CategoryID": n} for n in range(offset, offset + 500)])

    with pytest.raises(UsageError) as caught:
        make_shop(endless).recent(Category, 1)
    assert caught.value.code == "table-too-large"
