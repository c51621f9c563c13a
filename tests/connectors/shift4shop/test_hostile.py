"""Answers that are none of the shop's, or not as they should be: each ends with a clear cause, and nothing seems to be gone."""

import json

import httpx
import pytest
from tests.connectors.shift4shop.tables import Tables

from tagline.connectors.shift4shop import Category, Manufacturer, Order, OrderItem
from tagline.domain.checkup import Needs
from tagline.domain.exchange import Days
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


NAMELESS = [
    pytest.param({"OrderStatusID": 1}, "OrderID", "it is missing", id="missing"),
    pytest.param({"OrderID": None, "OrderStatusID": 1}, "OrderID", "it is missing", id="null-id"),
    pytest.param({"OrderID": "canary"}, "OrderID", "it is a text that is no id", id="text"),
    pytest.param({"OrderID": -5}, "OrderID", "it is a number that is no id", id="negative"),
    pytest.param({"OrderID": True}, "OrderID", "it is a truth value that is no id", id="truth"),
    pytest.param(None, "", "it is null in place of a record", id="null"),
    pytest.param(5, "", "it is a number in place of a record", id="number"),
]


@pytest.mark.parametrize(("row", "field", "reason"), NAMELESS)
def test_a_changed_row_that_names_no_record_is_told_of_and_the_sweep_goes_on(make_shop, row, field, reason):
    shop = Tables({"/Orders": [{"OrderID": 7}, row, {"OrderID": 8}]})
    client = make_shop(shop)
    cursor = client.changes(Order, None).cursor
    first, again = client.changes(Order, cursor), client.changes(Order, cursor)
    assert [change.key for change in first.items] == ["7", "8"]
    assert [(each.field, each.reason) for each in first.unread] == [(field, reason)]
    assert "canary" not in str(first)
    assert again.unread == first.unread


def test_rows_that_hold_nothing_are_told_apart_by_the_record_before_them(make_shop):
    shop = Tables({"/Orders": [None, {"OrderID": 7}, None, {"OrderID": 8}, None]})
    client = make_shop(shop)
    page = client.changes(Order, client.changes(Order, None).cursor)
    assert len({each.mark for each in page.unread}) == 3


def test_each_nameless_row_of_a_long_list_is_told_of_once(make_shop):
    """The end of a page comes again with the next one."""
    rows = [{"OrderID": n} for n in range(1, 340)]
    rows[299:301] = [{"OrderID": "a"}, {"OrderID": "b"}]
    client = make_shop(Tables({"/Orders": rows}))
    cursor, told, keys, more = client.changes(Order, None).cursor, [], set(), True
    while more:
        page = client.changes(Order, cursor)
        told += page.unread
        keys |= {change.key for change in page.items}
        cursor, more = page.cursor, page.more
    assert len(told) == 2
    assert keys == {str(n) for n in range(1, 340)} - {"300", "301"}


def test_a_nameless_row_of_a_compared_table_is_told_of(make_shop):
    shop = Tables({"/Manufacturers": [{"ManufacturerID": 1}]})
    client = make_shop(shop)
    cursor = client.changes(Manufacturer, None).cursor
    shop.lists["/Manufacturers"] = [{"ManufacturerID": 1}, {"ManufacturerID": "?"}]
    [found] = client.changes(Manufacturer, cursor).unread
    assert (found.field, found.reason) == ("ManufacturerID", "it is a text that is no id")


def test_a_back_fill_counts_rows_that_name_no_record(make_shop):
    client = make_shop(Tables({"/Orders": [{"OrderID": 7}, {"OrderID": "x"}, None]}))
    page = client.keys(Order, Days(), None)
    assert (page.keys, page.unread) == (["7"], 2)


@pytest.mark.parametrize(
    ("model", "path", "column"),
    [
        pytest.param(Order, "/Orders", "OrderID", id="by-page"),
        pytest.param(Manufacturer, "/Manufacturers", "ManufacturerID", id="whole"),
    ],
)
def test_newest_rows_that_name_no_record_are_logged(make_shop, caplog, model, path, column):
    client = make_shop(Tables({path: [{column: 7}, {column: "canary"}, None]}))
    assert client.recent(model, 3) == ["7"]
    assert "2 rows of" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("count", [-5, True, "3", None, 1.5], ids=str)
def test_a_count_that_is_none_is_no_empty_list(make_shop, count):
    client = make_shop(answering(200, json={"TotalCount": count}))
    with pytest.raises(TryAgainError):
        client.recent(Order, 5)
