"""Hostile rows in a swept page: they cost requests, never another order's news."""

import contextlib
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagline.connectors import json_values
from tagline.connectors.shift4shop import Order
from tagline.connectors.shift4shop.salvage import REQUESTS
from tagline.errors import NotAuthorisedError, TryAgainError

LAST_UPDATE = '"LastUpdate": "2026-03-10T07:00:00"'


def good(number):
    return f'{{"OrderID": {number}, {LAST_UPDATE}, "OrderStatusID": 1}}'


def huge(number):
    return f'{{"OrderID": {number}, {LAST_UPDATE}, "OrderAmount": 1e200}}'


def twice(number):
    return f'{{"OrderID": {number}, {LAST_UPDATE}, "OrderAmount": 1, "OrderAmount": 2}}'


def nameless(number):
    return f'{{"OrderID": null, {LAST_UPDATE}, "OrderAmount": 1e200}}'


def torn(number):
    return f'{{"OrderID": {number}, "OrderAmount": '


NAMED = {"huge": huge, "twice": twice}
UNNAMED = {"nameless": nameless, "torn": torn, "failing": None}


class Shop:
    """Rows by number; those without a text make the shop answer 500, alone and on a page."""

    def __init__(self, rows):
        self.rows = rows
        self.asked = []
        self.fails_from = None
        self.fails_for = 0

    def __call__(self, request):
        number = request.url.path.rpartition("/")[2]
        self.asked.append(request)
        if self.fails_for:
            self.fails_for -= 1
            return httpx.Response(500)
        if number.isdigit():
            return self.answer([self.rows[int(number)]])
        query = dict(request.url.params)
        offset, limit = int(query["offset"]), int(query["limit"])
        if self.fails_from is not None and offset + limit > self.fails_from:
            return httpx.Response(500)
        page = list(self.rows.values())[offset - 1 : offset - 1 + limit]
        if not page:
            told = [{"Key": "Error", "Message": "Offset amount exceeds the total number of records"}]
            return httpx.Response(400, json=told)
        return self.answer(page)

    def answer(self, page):
        if None in page:
            return httpx.Response(500)
        return httpx.Response(200, content=f"[{','.join(page)}]".encode())


def shop_of(count, **broken):
    """Orders from 1 on; `r7="huge"` breaks the seventh."""
    kinds = {**NAMED, **UNNAMED}
    rows = {n: good(n) for n in range(1, count + 1)}
    for place, kind in broken.items():
        made = kinds[kind]
        rows[int(place[1:])] = made and made(int(place[1:]))
    return Shop(rows)


def sweep(client, shop):
    """Keys of a whole round, and the most requests that one page of it took."""
    keys, most = [], 0
    cursor = client.changes(Order, None).cursor
    more = True
    while more:
        before = len(shop.asked)
        page = client.changes(Order, cursor)
        most = max(most, len(shop.asked) - before)
        keys += [int(c.key) for c in page.items]
        assert page.cursor != cursor or not page.more
        cursor, more = page.cursor, page.more
    return keys, most


def round_of(client, cursor):
    """Keys of a round, and the cursor behind it."""
    keys = []
    while True:
        page = client.changes(Order, cursor)
        keys += [int(c.key) for c in page.items]
        cursor = page.cursor
        if not page.more:
            return keys, cursor


@pytest.mark.parametrize("place", [1, 2, 150, 300, 301, 450])
@pytest.mark.parametrize("kind", NAMED)
def test_a_row_that_cannot_be_parsed_is_told_of_with_all_others(make_shop, kind, place):
    shop = shop_of(450, **{f"r{place}": kind})
    keys, most = sweep(make_shop(shop), shop)
    assert keys == list(range(1, 451))
    assert most <= REQUESTS


@pytest.mark.parametrize("kind", NAMED)
def test_the_change_of_a_broken_row_tells_its_version_and_its_fetch_makes_it_malformed(make_shop, kind):
    shop = shop_of(1, r1=kind)
    client = make_shop(shop)
    [change] = client.changes(Order, client.changes(Order, None).cursor).items
    assert (change.key, change.version) == ("1", "2026-03-10T07:00:00")
    fetched = client.fetch(Order, ["1"])
    assert (list(fetched.records), list(fetched.malformed)) == ([], ["1"])
    assert "1e200" not in str(fetched.malformed)


@pytest.mark.parametrize("place", [1, 2, 150, 300, 301, 450])
@pytest.mark.parametrize("kind", UNNAMED)
def test_a_row_that_nobody_can_name_keeps_no_other_from_being_read_and_holds_the_cursor(
    make_shop, clock, kind, place
):
    shop = shop_of(450, **{f"r{place}": kind})
    client = make_shop(shop)
    keys, most = sweep(client, shop)
    assert keys == [n for n in range(1, 451) if n != place]
    assert most <= REQUESTS
    _, cursor = round_of(client, client.changes(Order, None).cursor)
    clock.advance(20 * 3600)  # the next day
    shop.rows[place] = good(place)
    keys, cursor = round_of(client, cursor)
    assert keys == list(range(1, 451))
    assert json.loads(cursor) == {"day": "2026-03-11", "next": "2026-03-11", "offset": 1}


def test_a_row_that_is_never_read_holds_the_cursor_for_a_day_and_is_then_passed_over_in_the_log(
    make_shop, clock, caplog
):
    shop = shop_of(5, r3="failing")
    client = make_shop(shop)
    cursor = client.changes(Order, None).cursor
    days = []
    for _ in range(6):
        keys, cursor = round_of(client, cursor)
        assert keys == [1, 2, 4, 5]
        days.append(json.loads(cursor)["day"])
        clock.advance(6 * 3600)
    assert days == ["2026-03-10"] * 4 + ["2026-03-11"] * 2
    told = [(each.levelname, each.getMessage()) for each in caplog.records if "shift4shop" in each.name]
    assert [level for level, _ in told] == ["WARNING"] * 5 + ["ERROR", "WARNING"]
    assert told[0][1].startswith("shop: 1 changed orders cannot be read, the first at position 3 ")


@pytest.mark.parametrize("answers", [1, 2, 8, 9, 16, 24, 36, 39, 40, 41, 90])
def test_seconds_of_trouble_lose_nobody(make_shop, answers):
    """A server error is not repeated by the door to HTTP, so that a few of them hit rows that are sound."""
    shop = shop_of(450)
    client = make_shop(shop)
    cursor = client.changes(Order, None).cursor
    shop.fails_for = answers
    while True:
        with contextlib.suppress(TryAgainError):
            keys, cursor = round_of(client, cursor)
            break
    assert keys == list(range(1, 451))


def test_a_round_that_met_trouble_is_read_once_more(make_shop, clock):
    """Its rows came in several requests, between which some may have moved."""
    shop = shop_of(5)
    client = make_shop(shop)
    shop.fails_for = 2
    keys, cursor = round_of(client, client.changes(Order, None).cursor)
    assert (keys, json.loads(cursor)["day"]) == ([1, 2, 3, 4, 5], "2026-03-10")
    clock.advance(20 * 3600)
    keys, cursor = round_of(client, cursor)
    assert (keys, json.loads(cursor)["day"]) == ([1, 2, 3, 4, 5], "2026-03-11")


@pytest.mark.parametrize("count", [2, 5, 12, 14])
def test_broken_rows_side_by_side_are_got_around(make_shop, count):
    shop = shop_of(450, **{f"r{n}": "failing" for n in range(1, count + 1)})
    keys, most = sweep(make_shop(shop), shop)
    assert keys == list(range(count + 1, 451))
    assert most <= REQUESTS


def test_a_sound_page_costs_one_request(make_shop):
    shop = shop_of(299)
    sweep(make_shop(shop), shop)
    assert len(shop.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (httpx.Response(500), TryAgainError, "remote-failed"),
        (httpx.Response(200, content=b"<html>"), TryAgainError, "answer-malformed"),
        (httpx.Response(401), NotAuthorisedError, "not-signed-in"),
    ],
    ids=["500", "html", "401"],
)
def test_a_shop_in_trouble_fails_the_sweep_after_a_bounded_number_of_requests(make_shop, answer, kind, code):
    asked = []
    client = make_shop(lambda r: asked.append(r) or answer)
    cursor = client.changes(Order, None).cursor
    with pytest.raises(kind) as caught:
        client.changes(Order, cursor)
    assert (caught.value.code, len(asked) <= REQUESTS) == (code, True)


def test_rows_behind_which_the_shop_fails_are_left_for_the_next_round(make_shop):
    """It fails half way through a page: what it read moves the cursor, what it did not is not passed over."""
    shop = shop_of(300, r20="huge")
    shop.fails_from = 101
    client = make_shop(shop)
    first = client.changes(Order, client.changes(Order, None).cursor)
    shop.fails_from = None
    second = client.changes(Order, first.cursor)
    assert [int(c.key) for c in (*first.items, *second.items)] == list(
        range(1, len(first.items) + 301 - len(first.items))
    )
    assert len(first.items) == 100
    assert json.loads(first.cursor).items() >= {"offset": 100, "last": "100"}.items()


@given(
    count=st.integers(1, 700),
    broken=st.dictionaries(st.integers(1, 700), st.sampled_from([*NAMED, *UNNAMED]), max_size=12),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_round_tells_of_every_order_that_has_a_name_once_and_in_order(make_shop, count, broken):
    broken = {n: kind for n, kind in broken.items() if n <= count}
    shop = shop_of(count, **{f"r{n}": kind for n, kind in broken.items()})
    keys, most = sweep(make_shop(shop), shop)
    assert keys == [n for n in range(1, count + 1) if broken.get(n) not in UNNAMED]
    assert most <= REQUESTS


@given(st.binary(max_size=60))
def test_a_glance_at_anything_gives_json_or_a_value_error(content):
    with contextlib.suppress(ValueError):
        json_values.glance(content)


def test_a_glance_takes_numbers_as_text_and_the_last_of_two_members():
    assert json_values.glance(b'{"a": 1e999, "b": 1, "b": 22222222222222222222222}') == {
        "a": "1e999",
        "b": "22222222222222222222222",
    }
    with pytest.raises(ValueError, match="nested"):
        json_values.glance(b"[" * 100_000)
