"""Webhooks beside those of orders: their numbers are the shop's own list, and what they tell is known by event or id."""

import json

import httpx
import pytest
from tests.connectors.shift4shop.tables import ROOT, result

from tagline.connectors.shift4shop import Customer, Order, Product
from tagline.domain.exchange import Request
from tagline.errors import NotAuthorisedError, RecordError, UsageError

URL = "https://in.test/hooks/sync/shop"


class Hooks:
    """A shop's webhooks, and the events it offers."""

    def __init__(self, *hooks, events=()):
        self.hooks = {n: dict(hook, Id=n) for n, hook in enumerate(hooks, 1)}
        self.events = [{"EventType": number, "EventName": name} for number, name in events]
        self.asked = []

    def __call__(self, request):
        path = request.url.path.removeprefix(f"{ROOT}/Webhooks")
        self.asked.append((request.method, path))
        if request.method == "GET":
            rows = self.events if path == "/Events" else list(self.hooks.values())
            return httpx.Response(200, json=rows) if rows else httpx.Response(404)
        if request.method == "DELETE":
            gone = self.hooks.pop(int(path[1:]), None)
            return httpx.Response(200, json=[result("Id", path[1:])]) if gone else httpx.Response(404)
        [hook] = json.loads(request.content)
        number = len(self.hooks) + 1
        self.hooks[number] = {**hook, "Id": number}
        return httpx.Response(201, json=[result("Id", number, "201")])


def hook(event, token="canary-hook-0123456", base=URL):
    return {"Url": f"{base}/{event}/{token}", "EventType": 1, "Enabled": True}


def test_the_number_of_an_event_is_looked_up_by_what_the_shop_calls_it(make_shop):
    shop = Hooks(events=[(1, "Order New"), (5, "Customer New "), (9, "PRODUCT UPDATE")])
    added = make_shop(shop).subscribe(["order-placed", "product-changed", "customer-placed"], URL)
    assert added == ["order-placed", "product-changed", "customer-placed"]
    assert [(h["EventType"], h["Url"].split("/")[-2]) for h in shop.hooks.values()] == [
        (1, "order-placed"),
        (9, "product-changed"),
        (5, "customer-placed"),
    ]


def test_events_of_orders_are_registered_without_looking_up(make_shop):
    shop = Hooks()
    make_shop(shop).subscribe(["order-placed", "order-changed"], URL)
    assert ("GET", "/Events") not in shop.asked


def test_an_event_that_the_shop_does_not_offer_is_told_and_nothing_registered(make_shop):
    shop = Hooks(events=[(1, "Order New")])
    with pytest.raises(UsageError) as caught:
        make_shop(shop).subscribe(["order-placed", "product-changed"], URL)
    assert (caught.value.code, shop.hooks) == ("event-unknown", {})
    assert "product-changed" in caught.value.message


def test_what_stands_beneath_an_address_is_removed_and_told_without_its_token(make_shop):
    others = [
        hook("order-placed", base=f"{URL}2"),
        hook("order-placed", base="https://other.test"),
        {"Url": None},
    ]
    shop = Hooks(hook("order-placed"), hook("order-changed", token="older-token"), *others)
    client = make_shop(shop)
    removed = client.unsubscribe(f"{URL}/")
    assert removed == ["order-placed", "order-changed"]
    assert [h["Url"] for h in shop.hooks.values()] == [h["Url"] for h in others]
    assert client.unsubscribe(URL) == []


def test_webhooks_that_are_still_used_stay(make_shop):
    older = hook("order-placed", token="older-token")
    shop = Hooks(hook("order-placed"), hook("order-changed"), older)
    client = make_shop(shop)
    assert client.unsubscribe(URL, ["order-placed"]) == ["order-changed", "order-placed"]
    assert [h["Url"] for h in shop.hooks.values()] == [hook("order-placed")["Url"]]
    assert client.unsubscribe(URL, ["order-placed"]) == []


def test_what_stands_beneath_an_integrations_address_is_told_with_its_connection(make_shop):
    assert make_shop(Hooks(hook("order-placed"))).unsubscribe("https://in.test/hooks/sync") == [
        "shop/order-placed"
    ]


def test_a_webhook_that_somebody_removed_meanwhile_is_removed(make_shop):
    shop = Hooks(hook("order-placed"))

    def racing(request):
        if request.method == "DELETE":
            shop.hooks.clear()
        return shop(request)

    assert make_shop(racing).unsubscribe(URL) == ["order-placed"]


def test_a_removal_that_the_shop_refuses_is_an_error(make_shop):
    shop = Hooks(hook("order-placed"))
    with pytest.raises(NotAuthorisedError):
        make_shop(lambda r: httpx.Response(401) if r.method == "DELETE" else shop(r)).unsubscribe(URL)


def test_what_is_subscribed_can_be_unsubscribed(make_shop):
    shop = Hooks(events=[(9, "Product Update")])
    client = make_shop(shop)
    events = ["order-placed", "order-changed", "product-changed"]
    assert (client.subscribe(events, URL), client.subscribe(events, URL)) == (events, [])
    assert (client.unsubscribe(URL), shop.hooks) == (events, {})


ORDER = {"OrderID": 9, "CustomerID": 5, "OrderItemList": [{"CatalogID": 7}]}
PRODUCT = {"SKUInfo": {"CatalogID": 7, "SKU": "A"}, "ManufacturerID": 2}
CUSTOMER = {"CustomerID": 5, "Email": "jo@shop.test"}


@pytest.mark.parametrize(
    ("path", "body", "model", "key"),
    [
        ("/hooks/sync/shop/order-placed", ORDER, Order, "9"),
        ("/hooks/sync/shop/product-changed", PRODUCT, Product, "7"),
        ("/hooks/sync/shop/product-changed", {"CatalogID": "7"}, Product, "7"),
        ("/hooks/sync/shop/customer-changed", CUSTOMER, Customer, "5"),
        ("/hooks/sync/shop/customer-placed", CUSTOMER, Customer, "5"),
        ("/hooks", ORDER, Order, "9"),
        ("/hooks", PRODUCT, Product, "7"),
        ("/hooks", CUSTOMER, Customer, "5"),
    ],
)
def test_a_body_is_known_by_its_event_or_else_by_its_id(make_shop, path, body, model, key):
    [change] = make_shop(Hooks()).hint(Request("POST", path, {}, {}, json.dumps([body]).encode()))
    assert (change.model, change.key, change.version) == (model, key, "")


@pytest.mark.parametrize("body", [CUSTOMER, PRODUCT, {"OrderID": None, "CustomerID": 5}])
def test_a_body_of_another_kind_than_its_event_is_malformed(make_shop, body):
    """Else a customer's number would be taken for an order's."""
    request = Request("POST", "/hooks/sync/shop/order-placed", {}, {}, json.dumps(body).encode())
    with pytest.raises(RecordError) as caught:
        make_shop(Hooks()).hint(request)
    assert caught.value.code == "webhook-malformed"
