"""What nobody is sure of can be turned, shop by shop."""

import json
from dataclasses import fields, replace
from datetime import timedelta

import httpx
import pytest

from tagline.sandbox import assumptions
from tagline.sandbox.conformance import SHOP as SYSTEM
from tagline.sandbox.conformance import TABLE
from tagline.sandbox.mishaps import Mishaps
from tagline.sandbox.sandbox import SandboxTransport
from tagline.sandbox.shop_quirks import ShopQuirks

API = "https://shop-dev.sandbox.test/3dCartWebAPI/v2"


@pytest.fixture
def turn(shop):
    """Turns quirks of the shop."""

    def turn(**changes):
        shop.quirks = replace(shop.quirks, **changes)

    return turn


def test_every_quirk_stands_as_assumed_and_in_the_table():
    told = {row.constant for row in TABLE if row.system == SYSTEM}
    for quirk in fields(ShopQuirks):
        assert quirk.name.upper() in told
        assert getattr(ShopQuirks(), quirk.name) == getattr(assumptions, quirk.name.upper())


def test_quirks_given_to_the_constructor_count_from_the_first_call(make_shop):
    shop = make_shop(quirks=ShopQuirks(unauthorised_body=None), rate_limits=True)
    with httpx.Client(transport=SandboxTransport({"https://shop-dev.sandbox.test": shop})) as client:
        answer = client.get(f"{API}/Orders")
    assert (answer.status_code, answer.content) == (401, b"")


def test_throttling_can_have_another_status_and_tell_when_to_come_back(make_shop):
    quirks = ShopQuirks(throttle_status=503, throttle_headers=(("Retry-After", "3"),))
    shop = make_shop(quirks=quirks, rate_limits=True)
    headers = {"Authorization": f"Bearer {shop.grant()}"}
    with httpx.Client(transport=SandboxTransport({"https://shop-dev.sandbox.test": shop})) as client:
        answers = [client.get(f"{API}/OrderStatus", headers=headers) for _ in range(51)]
    assert {a.status_code for a in answers[:50]} == {200}
    assert (answers[50].status_code, answers[50].headers["retry-after"]) == (503, "3")


def test_a_limit_above_the_cap_can_be_refused(http, turn):
    assert len(http.get(f"{API}/Products?limit=201").json()) == 43
    turn(limit_above_cap_is_clamped=False)
    assert http.get(f"{API}/Products?limit=201").status_code == 400
    assert http.get(f"{API}/Products?limit=200").status_code == 200


def test_offset_zero_can_be_refused(http, turn):
    first = http.get(f"{API}/Products?offset=1&limit=2").json()
    assert http.get(f"{API}/Products?offset=0&limit=2").json() == first
    turn(offset_zero_is_one=False)
    assert http.get(f"{API}/Products?offset=0&limit=2").status_code == 400
    assert http.get(f"{API}/Products?limit=2").json() == first


def test_the_last_day_of_a_filter_can_be_taken_in_whole(http, shop, turn):
    shop.place_orders(1, 1)
    assert http.get(f"{API}/Orders?lastupdateend=07/01/2026").status_code == 404
    turn(lastupdate_end_is_midnight=False)
    assert len(http.get(f"{API}/Orders?lastupdateend=07/01/2026").json()) == 1


def test_null_in_a_put_can_blank_the_field(http, turn):
    address = f"{API}/Products/100"
    assert http.put(address, json={"MFGID": None, "Weight": None}).is_success
    assert http.get(address).json()[0]["MFGID"] == "M100"
    turn(null_on_put_keeps=False)
    assert http.put(address, json={"MFGID": None, "Weight": None}).is_success
    (product,) = http.get(address).json()
    assert (product["MFGID"], product["Weight"]) == ("", 0.0)


def test_text_that_is_too_long_can_be_cut(http, turn):
    address = f"{API}/Products/100"
    assert http.put(address, json={"MFGID": "x" * 51}).json()[0]["Message"] == "MFGID is longer than 50"
    turn(overlong_text_is_refused=False)
    assert http.put(address, json={"MFGID": "x" * 51}).is_success
    assert http.get(address).json()[0]["MFGID"] == "x" * 50


def test_a_bulk_put_of_failures_can_have_another_status(http, turn):
    body = [{"OrderID": 1}, {"OrderID": 2}]
    assert http.put(f"{API}/Orders", json=body).status_code == 400
    turn(all_failed_status=206)
    assert http.put(f"{API}/Orders", json=body).status_code == 206


def test_variants_inside_the_put_of_a_product_can_be_written(http, turn):
    code = http.get(f"{API}/Products/150/AdvancedOptions").json()[0]["AdvancedOptionCode"]
    body = {"AdvancedOptionList": [{"AdvancedOptionCode": code, "AdvancedOptionStock": 99}]}

    def stock():
        assert http.put(f"{API}/Products/150", json=body).is_success
        return http.get(f"{API}/Products/150").json()[0]["AdvancedOptionList"][0]["AdvancedOptionStock"]

    assert stock() != 99
    turn(nested_options_are_written=True)
    assert stock() == 99


def test_names_can_have_to_be_equal(http, turn):
    assert http.get(f"{API}/Manufacturers?manufacturer=harbor").is_success
    turn(name_filters_contain=False)
    assert http.get(f"{API}/Manufacturers?manufacturer=harbor").status_code == 404
    assert http.get(f"{API}/Manufacturers?manufacturer=harbor roasters").is_success


def test_unknown_customers_and_second_addresses_can_be_let_in(http, turn):
    order = {"CustomerID": 9, "BillingPaymentMethodID": "1", "OrderItemList": [{"CatalogID": 100}]}
    customer = {"Email": "customer501@example.com"}
    assert http.post(f"{API}/Orders", json=order).status_code == 400
    assert http.post(f"{API}/Customers", json=customer).status_code == 400
    turn(unknown_customer_is_refused=False, customer_email_is_unique=False)
    assert http.post(f"{API}/Orders", json=order).status_code == 201
    assert http.post(f"{API}/Customers", json=customer).status_code == 201


def test_a_cancel_can_leave_the_stock(http, shop, turn):
    turn(cancelled_orders_return_stock=False)
    (number,) = shop.place_orders(1, 2)
    before = [http.get(f"{API}/Products/skuinfo?limit=200").json()]
    shop.change_status(number, 5)
    assert [http.get(f"{API}/Products/skuinfo?limit=200").json()] == before


@pytest.mark.parametrize(("is_negative", "amount"), [(True, -5.0), (False, 5.0)])
def test_a_refund_shows_as_a_transaction_of_either_sign(http, shop, turn, is_negative, amount):
    turn(refund_is_negative=is_negative, refund_type="Refund")
    (number,) = shop.place_orders(1, 1)
    total = http.get(f"{API}/Orders/{number}").json()[0]["OrderAmount"]
    shop.give_back(number, shop.orders[number]["OrderAmount"] * 0 + 5)
    (order,) = http.get(f"{API}/Orders/{number}").json()
    row = order["TransactionList"][-1]
    assert (row["TransactionType"], row["TransactionAmount"], order["OrderAmount"]) == (
        "Refund",
        amount,
        total,
    )


def test_events_can_have_other_ids_and_deliveries_another_rhythm(http, shop, turn, clock):
    turn(webhook_events={4: "Order New"}, webhook_retry_after=(timedelta(seconds=1),))
    hook = {"Name": "n", "Url": "https://x.test/", "EventType": 4, "Enabled": True}
    assert http.get(f"{API}/Webhooks/Events").json() == [{"EventType": 4, "EventName": "Order New"}]
    assert http.post(f"{API}/Webhooks", json={**hook, "EventType": 1}).status_code == 400
    assert http.post(f"{API}/Webhooks", json=hook).status_code == 201
    shop.place_orders(1, 1)
    for _ in range(3):
        shop.webhooks.deliver(lambda _: 500)
        clock.advance(1)
    assert len(shop.webhooks.given_up) == 1


def test_a_probe_can_have_to_be_answered(http, shop, turn):
    turn(probe_answer_is_ignored=False)
    hook = {"Name": "n", "Url": "https://x.test/", "EventType": 1, "Enabled": True}
    http.post(f"{API}/Webhooks", json=hook)
    shop.place_orders(1, 1)
    seen = []
    shop.webhooks.deliver(lambda request: seen.append(request.method) or 404)
    assert seen == ["GET"]


def test_late_deliveries_come_after_later_ones(http, shop, clock):
    hook = {"Name": "n", "Url": "https://x.test/", "EventType": 1, "Enabled": True}
    http.post(f"{API}/Webhooks", json=hook)
    seen = []

    def receive(request):
        if request.method == "POST":
            seen.append(json.loads(request.body)[0]["OrderID"])
        return 200

    shop.webhooks.mishaps.late = 1.0
    (first,) = shop.place_orders(1, 1)
    shop.webhooks.deliver(receive)
    shop.webhooks.mishaps.late = 0.0
    (second,) = shop.place_orders(1, 2)
    shop.webhooks.deliver(receive)
    assert seen == [second]
    clock.advance(shop.webhooks.mishaps.late_by.total_seconds())
    shop.webhooks.deliver(receive)
    assert seen == [second, first]


def test_of_two_equal_deliveries_one_may_be_late_and_the_other_is_not_lost(http, shop, clock):
    hook = {"Name": "n", "Url": "https://x.test/", "EventType": 2, "Enabled": True}
    http.post(f"{API}/Webhooks", json=hook)
    (order,) = shop.place_orders(1, 1)
    for seed in range(8):
        for _ in range(2):
            http.put(f"{API}/Orders/{order}", json={"SalesPerson": "x"})
        shop.webhooks.mishaps = Mishaps(late=0.5, seed=seed)
        seen = []
        shop.webhooks.deliver(lambda request, seen=seen: seen.append(request) or 200)
        late = len(shop.webhooks.waiting())
        assert sum(r.method == "POST" for r in seen) + late == 2
        clock.advance(600)
        shop.webhooks.deliver(lambda _request: 200)


def test_products_stock_and_customers_raise_events_of_their_own(http, shop):
    kinds = {3: "customer new", 4: "customer", 5: "product new", 6: "product", 7: "stock"}
    for event, path in kinds.items():
        hook = {"Name": path, "Url": f"https://x.test/{event}", "EventType": event, "Enabled": True}
        http.post(f"{API}/Webhooks", json={**hook, "Format": "XML" if event == 3 else "JSON"})

    def raised():
        seen = []
        shop.webhooks.deliver(lambda r: seen.append((r.method, r.url[-1], r.body)) or 200)
        return [(path, body) for method, path, body in seen if method == "POST"]

    http.post(f"{API}/Customers", json={"Email": "a@example.com"})
    [(path, body)] = raised()
    assert (path, b"<Email>a@example.com</Email>" in body) == ("3", True)
    http.put(f"{API}/Customers/501", json={"BillingCity": "Bath"})
    [(path, body)] = raised()
    assert (path, json.loads(body)[0]["CustomerID"]) == ("4", 501)
    http.post(f"{API}/Products", json={"SKUInfo": {"SKU": "N", "Name": "new"}})
    assert [path for path, _ in raised()] == ["5"]
    http.put(f"{API}/Products/100", json={"Title": "x"})
    assert [path for path, _ in raised()] == ["6"]
    http.put(f"{API}/Products/100", json={"SKUInfo": {"Stock": 1}})
    assert [path for path, _ in raised()] == ["7"]
    shop.place_orders(1, 1)
    assert {path for path, _ in raised()} == {"7"}


def test_errors_can_be_empty_as_the_vendors_pages_say(http, turn):
    turn(error_bodies=False)
    for path, status in (("Orders", 404), ("OrderStatus?offset=99", 400), ("Orders?limit=x", 400)):
        answer = http.get(f"{API}/{path}")
        assert (answer.status_code, answer.content) == (status, b"")


def test_a_body_above_the_limit_is_refused(http, turn):
    turn(largest_body=100)
    answer = http.post(f"{API}/Customers", json={"Email": "a@example.com", "Comments": "x" * 100})
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "text/html")


def test_a_client_error_can_count_as_a_failed_delivery_and_each_post_be_probed(http, shop, turn, clock):
    turn(webhook_failed_from=400, probe_once=False)
    http.post(
        f"{API}/Webhooks", json={"Name": "n", "Url": "https://x.test/", "EventType": 1, "Enabled": True}
    )
    shop.place_orders(1, 1)
    seen = []
    shop.webhooks.deliver(lambda request: seen.append(request.method) or 404)
    clock.advance(5)
    shop.webhooks.deliver(lambda request: seen.append(request.method) or 200)
    assert seen == ["GET", "POST", "GET", "POST"]
    assert shop.webhooks.waiting() == ()


def test_unknown_products_can_be_let_in(http, turn):
    order = {"CustomerID": 0, "BillingPaymentMethodID": "1", "OrderItemList": [{"CatalogID": 9}]}
    assert http.post(f"{API}/Orders", json=order).json()[0]["Message"] == "CatalogID 9 does not exist"
    turn(unknown_product_is_refused=False)
    assert http.post(f"{API}/Orders", json=order).status_code == 201
