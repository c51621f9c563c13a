"""Answers that are none of the shop's, or not as they should be: each ends with a clear cause, and nothing seems to be gone."""

import json

import httpx
import pytest
from tests.connectors.shift4shop.tables import Tables

from tagline.connectors.shift4shop import Category, Manufacturer, Order, OrderItem
from tagline.domain.checkup import Needs
from tagline.errors import Disposition, TryAgainError

PAGE = b"\r\n<!DOCTYPE html><html><body>404 - File or directory not found.</body></html>"
ADDRESS = "https://in.test/hooks/sync/shop"


def answering(status, **content):
    return lambda request: httpx.Response(status, **content)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answering(404, content=PAGE), id="not-found-without-a-type"),
        pytest.param(answering(404, html="no such page"), id="not-found"),
        pytest.param(answering(403, html="blocked"), id="blocked"),
        pytest.param(answering(200, html="welcome"), id="welcome"),
        pytest.param(answering(200, json={"Message": "An error has occurred."}), id="message"),
        pytest.param(answering(200, json="text"), id="text"),
        pytest.param(answering(200, json=None), id="null"),
        pytest.param(answering(200, content=b""), id="nothing"),
        pytest.param(answering(200, content=b'[{"OrderID": NaN}]'), id="nan"),
        pytest.param(answering(200, content=b'[{"A": 1, "A": 2}]'), id="member-twice"),
        pytest.param(answering(200, content=b"[" * 500 + b"]" * 500), id="deep"),
        pytest.param(answering(200, content='[{"OrderID": "\xe9"}]'.encode("latin-1")), id="charset"),
    ],
)
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda shop: shop.changes(Order, shop.changes(Order, None).cursor), id="changes"),
        pytest.param(lambda shop: shop.changes(Category, '{"digests": {"1": "a"}}'), id="comparing"),
        pytest.param(lambda shop: shop.recent(Category, 5), id="recent"),
        pytest.param(lambda shop: shop.probe(), id="probe"),
        pytest.param(lambda shop: shop.describe(Category), id="describe"),
        pytest.param(lambda shop: shop.subscribe(["order-placed"], ADDRESS), id="subscribe"),
    ],
)
def test_what_is_no_answer_of_the_shop_is_no_empty_list_either(make_shop, answer, ask):
    """A web server that knows no such path says 404, too; taken for the shop's, every record would seem to be gone."""
    with pytest.raises(TryAgainError) as caught:
        ask(make_shop(answer))
    assert (caught.value.disposition, bool(caught.value.hint)) == (Disposition.RETRY, True)


@pytest.mark.parametrize("status", [403, 404])
def test_the_doctor_does_not_take_a_page_for_a_sign_in(make_shop, status):
    with pytest.raises(TryAgainError) as caught:
        list(make_shop(answering(status, html="x")).check_up(Needs(tables=(Order,))))
    assert caught.value.code == "answer-malformed"


def test_a_row_without_an_id_lets_no_other_seem_to_be_gone(make_shop):
    shop = Tables({"/Manufacturers": [{"ManufacturerID": n, "Sorting": 0} for n in (1, 2, 3)]})
    client = make_shop(shop)
    cursor = client.changes(Manufacturer, None).cursor
    shop.lists["/Manufacturers"] = [{"ManufacturerID": 1, "Sorting": 9}, {"ManufacturerID": "?"}]
    changed = client.changes(Manufacturer, cursor)
    assert [change.key for change in changed.items] == ["1"]
    shop.lists["/Manufacturers"] = [{"ManufacturerID": 1, "Sorting": 9}, {"ManufacturerID": 2, "Sorting": 0}]
    assert [change.key for change in client.changes(Manufacturer, changed.cursor).items] == ["3"]


def test_webhooks_of_odd_types_are_none_of_ours(make_shop):
    odd = [{"Id": 1, "Url": ["x"], "EventType": {"a": 1}, "Enabled": True}, {"Id": 2, "Enabled": True}]
    ours = {"Id": 3, "Url": f"{ADDRESS}/order-placed/canary-hook-0123456", "EventType": "1", "Enabled": True}

    def shop(request):
        assert request.method == "GET"
        return httpx.Response(200, json=[*odd, ours])

    assert make_shop(shop).subscribe(["order-placed"], ADDRESS) == []


def test_a_list_of_webhooks_that_does_not_end_is_left(make_shop):
    asked = []

    def shop(request):
        asked.append(request.method)
        if request.method == "POST":
            return httpx.Response(201, json=[{"Key": "Id", "Value": "9", "Status": "201", "Message": ""}])
        return httpx.Response(200, json=[{"Id": n, "Url": "x"} for n in range(500)])

    assert make_shop(shop).subscribe(["order-placed"], ADDRESS) == ["order-placed"]
    assert asked.count("GET") == 10


def test_a_list_inside_a_record_that_is_none_is_no_sample(make_shop):
    def shop(request):
        told = {"TotalCount": 2} if "countonly" in str(request.url) else _orders()
        return httpx.Response(200, content=json.dumps(told))

    assert set(make_shop(shop).describe(OrderItem).columns) == {"ItemID"}


def _orders():
    return [{"OrderID": 1, "OrderItemList": 5}, {"OrderID": 2, "OrderItemList": [{"ItemID": "a"}, "b"]}]
