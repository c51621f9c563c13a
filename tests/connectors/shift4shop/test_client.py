import json
import logging
from datetime import UTC, datetime

import httpx
import pytest

from tagline.connectors.shift4shop import Order, OrderItem
from tagline.domain.exchange import Request, Write, WriteKind
from tagline.errors import (
    Disposition,
    NotAuthorisedError,
    RecordError,
    RefusedError,
    TryAgainError,
    UsageError,
)

ROOT = "/3dCartWebAPI/v2"


def row(number, **changes):
    return {"OrderID": number, "LastUpdate": "2026-03-10T07:00:00", "OrderStatusID": 1, **changes}


def result(key, status, message="updated successfully"):
    return {"Key": "OrderID", "Value": key, "Status": status, "Message": message}


def update(number, **fields):
    return Write(WriteKind.UPDATE, Order, (("OrderID", number),), fields)


def hook(body):
    return Request("POST", "/", {}, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_every_call_carries_the_three_keys(make_shop):
    seen = []

    def shop(request):
        seen.append(request)
        return httpx.Response(200, json={"TotalCount": 306})

    assert "306" in make_shop(shop).probe()
    headers = seen[0].headers
    assert (
        headers["SecureUrl"],
        headers["PrivateKey"],
        headers["Token"],
    ) == ("https://store.example", "canary-private-key", "canary-token")
    assert seen[0].url.path == f"{ROOT}/Orders"
    assert seen[0].url.query == b"countonly=1"


def test_orders_are_fetched_and_absent_and_malformed_ones_told_apart(make_shop):
    answers = {
        f"{ROOT}/Orders": httpx.Response(404),
        f"{ROOT}/Orders/1": httpx.Response(200, json=[row(1)]),
        f"{ROOT}/Orders/2": httpx.Response(404),
        f"{ROOT}/Orders/3": httpx.Response(200, json=[row(3, OrderAmount="canary")]),
        f"{ROOT}/Orders/4": httpx.Response(200, json=[]),
        f"{ROOT}/Orders/5": httpx.Response(200, json=[row(6)]),
        f"{ROOT}/Orders/7": httpx.Response(400, json=[{"Key": "Error", "Message": "canary"}]),
    }
    fetched = make_shop(lambda r: answers[r.url.path]).fetch(Order, ["1", "2", "3", "4", "5", "7", "x/../1"])
    assert list(fetched.records) == ["1"]
    assert list(fetched.malformed) == ["3", "5", "7", "x/../1"]
    assert fetched.malformed["3"][0]["field"] == "OrderAmount"
    assert "canary" not in str(fetched.malformed)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, NotAuthorisedError, "not-signed-in"),
        (500, TryAgainError, "remote-failed"),
        (429, TryAgainError, "remote-throttled"),
    ],
)
def test_a_failing_shop_fails_the_fetch(make_shop, status, kind, code):
    with pytest.raises(kind) as caught:
        make_shop(lambda r: httpx.Response(status, content=b"canary")).fetch(Order, ["1"])
    error = caught.value
    assert (code, "shop", "1") == (error.code, error.where["connection"], error.where["record"])
    assert "canary" not in f"{error} {error.where} {error.hint}"


def test_named_fields_of_a_target_order_are_read(make_shop):
    shop = make_shop(
        lambda r: httpx.Response(200, json=[row(1, AlternateOrderID=" A ", OrderAmount="broken")])
    )
    key = (("OrderID", 1),)
    read = shop.read(Order, [key], ["AlternateOrderID", "OrderStatusID"])
    assert (
        read[key].id,
        read[key].etag,
        read[key].values,
    ) == ("1", None, {"AlternateOrderID": "A", "OrderStatusID": 1})


def test_one_update_is_one_put_of_the_named_fields(make_shop):
    seen = []

    def shop(request):
        seen.append(request)
        return httpx.Response(200, json=[result("7", "200")])

    outcomes = make_shop(shop).perform([update(7, AlternateOrderID="x", InternalComments=None)])
    assert [(o.disposition, o.id) for o in outcomes] == [(Disposition.DONE, "7")]
    assert ("PUT", f"{ROOT}/Orders/7") == (seen[0].method, seen[0].url.path)
    assert json.loads(seen[0].content) == {"OrderID": 7, "AlternateOrderID": "x", "InternalComments": ""}


def test_several_updates_share_a_put_and_each_has_its_result(make_shop):
    def shop(request):
        assert ("PUT", f"{ROOT}/Orders") == (request.method, request.url.path)
        told = [
            result("1", "200"),
            {"Key": "Error", "Value": "", "Status": "", "Message": "canary"},
            result("3", "404"),
        ]
        return httpx.Response(206, json=told)

    writes = [update(n, AlternateOrderID="x") for n in (1, 2, 3)]
    outcomes = make_shop(shop).perform(writes)
    assert [(o.disposition, o.code) for o in outcomes] == [
        (Disposition.DONE, ""),
        (Disposition.DEAD_LETTER, "remote-refused"),
        (Disposition.DEAD_LETTER, "row-absent"),
    ]
    assert "canary" not in str(outcomes)
    assert "AlternateOrderID" in outcomes[1].message


def test_results_are_matched_by_id_whatever_their_order(make_shop):
    told = [result("2", "404"), result("1", "200")]
    shop = make_shop(lambda r: httpx.Response(206, json=told))
    outcomes = shop.perform([update(n, AlternateOrderID="x") for n in (1, 2)])
    assert [o.disposition for o in outcomes] == [Disposition.DONE, Disposition.DEAD_LETTER]


def test_an_item_that_a_bulk_answer_does_not_mention_is_tried_again(make_shop):
    shop = make_shop(lambda r: httpx.Response(206, json=[result("1", "200")]))
    outcomes = shop.perform([update(n, AlternateOrderID="x") for n in (1, 2)])
    assert [o.disposition for o in outcomes] == [Disposition.DONE, Disposition.RETRY]


def test_a_bulk_put_refused_as_a_whole_is_sent_one_by_one(make_shop):
    def shop(request):
        if request.url.path.endswith("/Orders"):
            return httpx.Response(400)
        number = request.url.path.rpartition("/")[2]
        return httpx.Response(404) if number == "2" else httpx.Response(200, json=[result(number, "200")])

    outcomes = make_shop(shop).perform([update(n, AlternateOrderID="x") for n in (1, 2, 3)])
    assert [o.code for o in outcomes] == ["", "row-absent", ""]


def test_an_order_is_not_sent_twice_in_one_put(make_shop):
    sizes = []

    def shop(request):
        body = json.loads(request.content)
        items = body if isinstance(body, list) else [body]
        sizes.append(len(items))
        return httpx.Response(200, json=[result(str(i["OrderID"]), "200") for i in items])

    writes = [update(n, AlternateOrderID="x") for n in [*range(1, 151), 1]]
    outcomes = make_shop(shop).perform(writes)
    assert (sizes, len(outcomes)) == ([100, 51], 151)
    sizes.clear()
    make_shop(shop).perform([update(1, AlternateOrderID="x"), update(1, AlternateOrderID="y")])
    assert sizes == [1, 1]


def test_a_put_of_unknown_outcome_raises(make_shop):
    def shop(request):
        raise httpx.ReadTimeout("x")

    with pytest.raises(TryAgainError) as caught:
        make_shop(shop).perform([update(1, AlternateOrderID="x")])
    assert caught.value.code == "remote-outcome-unknown"


@pytest.mark.parametrize(
    "write",
    [
        Write(WriteKind.CREATE, Order, (("OrderID", 1),), {"AlternateOrderID": "x"}),
        Write(WriteKind.DELETE, Order, (("OrderID", 1),)),
        Write(WriteKind.ACT, Order, (("OrderID", 1),), action="Ship"),
        Write(WriteKind.UPDATE, OrderItem, (("ItemIndexID", 1),), {}),
        Write(WriteKind.UPDATE, Order, (("OrderID", 1),), {"OrderAmount": 1}),
        Write(WriteKind.UPDATE, Order, (("AlternateOrderID", "x"),), {"AlternateOrderID": "x"}),
    ],
    ids=lambda w: f"{w.kind}-{w.model.__name__}-{'-'.join(w.fields)}",
)
def test_what_the_shop_cannot_do_is_a_dead_letter_and_nothing_is_sent(make_shop, write):
    [outcome] = make_shop(lambda r: pytest.fail("sent")).perform([write])
    assert (outcome.disposition, outcome.code) == (Disposition.DEAD_LETTER, "not-supported")


def test_a_read_only_shop_refuses_to_write(make_shop):
    shop = make_shop(lambda r: pytest.fail("sent"), read_only=True)
    with pytest.raises(RefusedError) as caught:
        shop.perform([update(1, AlternateOrderID="x")])
    assert caught.value.code == "read-only"


class Unknown(Order):
    """A model that the shop has no resource for."""


def test_what_the_shop_has_no_way_to_read_is_refused(make_shop):
    shop = make_shop(lambda r: pytest.fail("sent"))
    for call in (
        lambda: shop.children(OrderItem, "CatalogID", ["1"], []),
        lambda: shop.children(Order, "CustomerID", ["1"], []),
        lambda: shop.fetch(Unknown, ["1"]),
        lambda: shop.changes(OrderItem, None),
        lambda: shop.recent(OrderItem, 1),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.code == "not-supported"


# --- changes


def serving(orders, seen=None):
    """A shop that pages as the real one does."""

    def shop(request):
        query = dict(request.url.params)
        if seen is not None:
            seen.append(query)
        offset, limit = int(query.get("offset", 1)), int(query.get("limit", 10))
        if not orders:
            return httpx.Response(404)
        if offset > len(orders):
            told = [{"Key": "Error", "Message": "Offset amount exceeds the total number of records"}]
            return httpx.Response(400, json=told)
        return httpx.Response(200, json=orders[offset - 1 : offset - 1 + limit])

    return shop


def sweep(client, cursor):
    """One round: all its pages."""
    keys = []
    while True:
        page = client.changes(Order, cursor)
        keys += [c.key for c in page.items]
        cursor = page.cursor
        if not page.more:
            return keys, cursor


def test_the_first_sweep_starts_now_and_asks_nothing(make_shop):
    page = make_shop(lambda r: pytest.fail("sent")).changes(Order, None)
    assert (list(page.items), page.more) == ([], False)
    assert "2026-03-10" in page.cursor


@pytest.mark.parametrize("count", [0, 1, 299, 300, 301, 600, 750])
def test_a_round_reads_every_page_once(make_shop, count):
    client = make_shop(serving([row(n) for n in range(1, count + 1)]))
    keys, _ = sweep(client, client.changes(Order, None).cursor)
    assert [str(n) for n in range(1, count + 1)] == keys


def test_a_page_is_asked_for_by_store_local_day_and_position(make_shop):
    seen = []
    client = make_shop(serving([row(n) for n in range(1, 302)], seen))
    sweep(client, client.changes(Order, None).cursor)
    assert seen == [
        {"lastupdatestart": "03/10/2026", "limit": "300", "offset": "1"},
        {"lastupdatestart": "03/10/2026", "limit": "300", "offset": "300"},
    ]


def test_a_change_tells_version_and_instant(make_shop):
    client = make_shop(serving([row(5), row(6, LastUpdate="?")]))
    first, second = client.changes(Order, client.changes(Order, None).cursor).items
    assert ("5", "2026-03-10T07:00:00", datetime(2026, 3, 10, 11, tzinfo=UTC)) == (
        first.key,
        first.version,
        first.at,
    )
    assert (second.key, second.at) == ("6", None)


def test_the_day_is_read_again_until_it_is_safely_over(make_shop, clock):
    seen = []
    client = make_shop(serving([row(1)], seen))
    cursor = client.changes(Order, None).cursor
    for _ in range(14):
        _, cursor = sweep(client, cursor)
        clock.advance(3600)
    # 16 hours of New York's 10 March are left; it is read until an hour past midnight, and the cursor then moves on.
    days = [q["lastupdatestart"] for q in seen]
    assert {"03/10/2026"} == set(days)
    clock.advance(5 * 3600)
    _, cursor = sweep(client, cursor)
    sweep(client, cursor)
    assert [q["lastupdatestart"] for q in seen][-2:] == ["03/10/2026", "03/11/2026"]


def test_the_cursor_never_goes_back(make_shop, clock):
    client = make_shop(serving([]))
    cursor = json.dumps({"day": "2030-01-01", "next": "2030-01-01", "offset": 1})
    assert json.loads(client.changes(Order, cursor).cursor)["day"] == "2030-01-01"


def test_the_next_day_is_fixed_when_the_round_begins(make_shop, clock):
    client = make_shop(serving([row(n) for n in range(1, 302)]))
    first = client.changes(Order, client.changes(Order, None).cursor)
    clock.advance(3 * 24 * 3600)
    second = client.changes(Order, first.cursor)
    assert json.loads(second.cursor)["day"] == "2026-03-10"


def test_a_row_that_names_no_order_is_passed_over(make_shop):
    client = make_shop(serving([{"x": 1}, row(2)]))
    assert sweep(client, client.changes(Order, None).cursor)[0] == ["2"]


@pytest.mark.parametrize("cursor", ["", "{}", "[]", '{"day": "x", "next": "x", "offset": 1}', "null"])
def test_a_foreign_cursor_is_refused(make_shop, cursor):
    with pytest.raises(UsageError) as caught:
        make_shop(serving([])).changes(Order, cursor)
    assert caught.value.code == "cursor-unreadable"


def test_a_bad_request_on_the_first_page_is_an_error_and_not_the_end(make_shop):
    client = make_shop(lambda r: httpx.Response(400))
    with pytest.raises(RecordError) as caught:
        client.changes(Order, client.changes(Order, None).cursor)
    assert caught.value.code == "remote-refused"


# --- webhooks


@pytest.mark.parametrize("body", [[row(9)], row(9), [{"OrderID": "9"}]], ids=["list", "object", "quoted"])
def test_a_webhook_tells_which_order_changed(make_shop, body):
    [change] = make_shop(serving([])).hint(hook(body))
    assert (Order, "9", "") == (change.model, change.key, change.version)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"canary",
        [],
        [row(1), row(2)],
        {"x": "canary"},
        [{"OrderID": 0}],
        [{"OrderID": "0"}],
        "canary",
        b"[" * 10_000,
        b" " * (2 << 20),
    ],
    ids=["empty", "text", "none", "two", "no-id", "zero", "quoted-zero", "string", "deep", "large"],
)
def test_a_malformed_webhook_is_refused_without_its_content(make_shop, body):
    with pytest.raises(RecordError) as caught:
        make_shop(serving([])).hint(hook(body))
    assert caught.value.code == "webhook-malformed"
    assert "canary" not in f"{caught.value} {caught.value.where}"


def test_missing_webhooks_are_registered_and_standing_ones_left(make_shop):
    posted = []

    def shop(request):
        if request.method == "GET":
            url = "https://in.test/hooks/i/shop/order-placed/canary-hook-0123456"
            standing = {"Id": 1, "Name": "x", "Url": url, "EventType": 1, "Enabled": True, "Format": "JSON"}
            return httpx.Response(200, json=[standing])
        posted.extend(json.loads(request.content))
        told = [{"Key": "Id", "Value": "2", "Status": "201", "Message": "Created successfully"}]
        return httpx.Response(201, json=told)

    added = make_shop(shop).subscribe(["order-placed", "order-changed"], "https://in.test/hooks/i/shop")
    assert added == ["order-changed"]
    assert [(h["Url"], h["EventType"], h["Enabled"]) for h in posted] == [
        ("https://in.test/hooks/i/shop/order-changed/canary-hook-0123456", 2, True)
    ]


def test_a_shop_without_webhooks_answers_404_and_gets_all_of_them(make_shop):
    shop = make_shop(
        lambda r: httpx.Response(404) if r.method == "GET" else httpx.Response(201, json=[result("1", "201")])
    )
    assert shop.subscribe(["order-placed", "order-changed"], "https://in.test/h") == [
        "order-placed",
        "order-changed",
    ]


def test_a_refused_registration_is_an_error(make_shop):
    def shop(request):
        refused = [{"Key": "Error", "Value": "", "Status": "400", "Message": "canary"}]
        return httpx.Response(404) if request.method == "GET" else httpx.Response(400, json=refused)

    with pytest.raises(RecordError) as caught:
        make_shop(shop).subscribe(["order-placed"], "https://in.test/h")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("removal", [200, 500])
def test_a_registration_that_fails_half_way_leaves_nothing_it_added(make_shop, removal):
    seen = []

    def shop(request):
        seen.append((request.method, request.url.path.removeprefix(ROOT)))
        if request.method == "DELETE":
            return httpx.Response(removal)
        if request.method == "GET" or '"EventType":2' in request.content.decode():
            return httpx.Response(404 if request.method == "GET" else 503)
        return httpx.Response(201, json=[{"Key": "Id", "Value": "31", "Status": "201", "Message": "Created"}])

    with pytest.raises(TryAgainError) as caught:
        make_shop(shop).subscribe(["order-placed", "order-changed"], "https://in.test/h")
    assert caught.value.code == "remote-unavailable"
    assert seen == [
        ("GET", "/Webhooks"),
        ("POST", "/Webhooks"),
        ("POST", "/Webhooks"),
        ("DELETE", "/Webhooks/31"),
    ]


def test_an_unknown_event_is_refused(make_shop):
    with pytest.raises(UsageError) as caught:
        make_shop(serving([])).subscribe(["order-eaten"], "https://in.test/h")
    assert ("event-unknown", "order-placed" in caught.value.hint) == (caught.value.code, True)


def test_an_unknown_zone_is_refused(make_shop):
    with pytest.raises(UsageError) as caught:
        make_shop(serving([]), time_zone="Mars/Base")
    assert caught.value.code == "time-zone-unknown"


def test_no_secret_is_logged_or_shown(make_shop, caplog):
    caplog.set_level(logging.DEBUG)
    shop = make_shop(lambda r: httpx.Response(401, json={"Message": "canary-token canary-private-key"}))
    for call in (shop.probe, lambda: shop.subscribe(["order-placed"], "https://in.test/h")):
        with pytest.raises(NotAuthorisedError) as caught:
            call()
        assert "canary" not in f"{caught.value} {caught.value.where} {caught.value.hint}"
    assert "canary" not in caplog.text
