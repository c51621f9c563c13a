"""Reading many orders from few pages: what is asked of the shop, and that nothing is lost by it."""

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tagline.connectors.shift4shop import Order, OrderItem
from tagline.connectors.shift4shop.listing import (
    JUMP_WORTH,
    PAGE,
    WORTH,
    Span,
    last_page,
    newest,
    page_before,
)
from tagline.errors import NotAuthorisedError, RecordError, TryAgainError, UsageError

ROOT = "/3dCartWebAPI/v2"


def row(number, **changes):
    return {"OrderID": number, "LastUpdate": "2026-03-10T07:00:00", "OrderStatusID": 1, **changes}


class PagedShop:
    """A shop that pages as the real one does; `instead` holds other answers, by what is asked."""

    def __init__(self, numbers):
        self.numbers = sorted(numbers)
        self.asked = []
        self.instead = {}
        self.after_count = lambda: None
        self.rows = {}

    def __call__(self, request):
        query = dict(request.url.params)
        number = request.url.path.removeprefix(f"{ROOT}/Orders").strip("/")
        what = number or ("count" if "countonly" in query else f"{query['offset']}+{query['limit']}")
        self.asked.append(what)
        if what in self.instead:
            return self.instead[what]
        if number:
            found = int(number) in self.numbers
            return httpx.Response(200, json=[self.row(int(number))]) if found else httpx.Response(404)
        if what == "count":
            answer = httpx.Response(200, json={"TotalCount": len(self.numbers)})
            self.after_count()
            return answer
        return self.page(int(query["offset"]), min(int(query["limit"]), PAGE))

    def page(self, offset, limit):
        if not self.numbers:
            return httpx.Response(404)
        if offset > len(self.numbers):
            told = [{"Key": "Error", "Message": "Offset amount exceeds the total number of records"}]
            return httpx.Response(400, json=told)
        page = self.numbers[offset - 1 : offset - 1 + limit]
        return httpx.Response(200, json=[self.row(n) for n in page])

    def row(self, number):
        return self.rows.get(number, row(number))


def texts(numbers):
    return [str(n) for n in numbers]


def by_number(number):
    return (("OrderID", number),)


def test_fifty_new_orders_cost_a_count_and_a_page(make_shop):
    shop = PagedShop(range(1, 10_001))
    keys = texts(range(9_951, 10_001))
    fetched = make_shop(shop).fetch(Order, keys)
    assert keys == list(fetched.records)
    assert shop.asked == ["count", "9701+300"]


def test_fifty_new_orders_as_targets_cost_a_count_and_a_page(make_shop):
    shop = PagedShop(range(1, 1_001))
    shop.rows[990] = row(990, OrderAmount="broken")
    keys = [by_number(n) for n in range(951, 1_001)]
    read = make_shop(shop).read(Order, [*keys, by_number("990")], ["OrderStatusID"])
    assert [*keys, by_number("990")] == list(read)
    assert all(r.key == key and r.values == {"OrderStatusID": 1} for key, r in read.items())
    assert shop.asked == ["count", "701+300"]


@pytest.mark.parametrize("keys", [["7"], ["7", "8"], ["7", "8", "7", "x", "0"]])
def test_fewer_than_three_orders_are_read_one_by_one(make_shop, keys):
    shop = PagedShop(range(1, 1_001))
    fetched = make_shop(shop).fetch(Order, keys)
    assert [k for k in dict.fromkeys(keys) if k in "78"] == list(fetched.records) == shop.asked
    assert [k for k in keys if k in "x0"] == list(fetched.malformed)


def test_a_few_old_orders_among_new_ones_are_read_one_by_one(make_shop):
    shop = PagedShop(range(1, 1_001))
    fetched = make_shop(shop).fetch(Order, ["2", "998", "999", "1000", "500"])
    assert list(fetched.records) == ["2", "998", "999", "1000", "500"]
    assert shop.asked == ["count", "701+300", "2", "500"]


def test_enough_orders_just_before_a_page_pay_for_one_more(make_shop):
    shop = PagedShop(range(1, 1_001))
    keys = texts([650, 660, 670, 999])
    assert keys == list(make_shop(shop).fetch(Order, keys).records)
    assert shop.asked == ["count", "701+300", "401+300"]


def test_orders_too_far_back_are_not_paged_for(make_shop):
    shop = PagedShop(range(1, 1_001))
    assert len(make_shop(shop).fetch(Order, texts([10, 20, 30, 40, 1_000])).records) == 5
    assert shop.asked == ["count", "701+300", "10", "20", "30", "40"]


@pytest.mark.parametrize(
    ("numbers", "requests"),
    [
        pytest.param(range(1, 20_001), 3, id="ids without gaps"),
        pytest.param(range(50_001, 70_001), 4, id="ids that start late"),
        pytest.param([n for n in range(1, 40_001) if n < 20_000 or n % 5 == 0], 5, id="ids that thin out"),
    ],
)
def test_old_orders_close_together_are_found_by_jumping_to_them(make_shop, numbers, requests):
    """A back-fill asks for 25 neighbours at a time: one by one they would cost 25 requests."""
    shop = PagedShop(numbers)
    keys = texts(shop.numbers[3_000:3_025])
    assert keys == list(make_shop(shop).fetch(Order, keys).records)
    assert len(shop.asked) <= requests


def test_a_wrong_guess_is_the_last(make_shop):
    """The page before holds none of the three, as they were deleted; those before it are not paged for."""
    gone, old = [410, 420, 430], [110, 120, 130]
    shop = PagedShop(set(range(1, 1_001)) - set(gone))
    fetched = make_shop(shop).fetch(Order, texts([*gone, *old]))
    assert list(fetched.records) == texts(old)
    assert shop.asked == ["count", "698+300", "398+300", *texts([*gone, *old])]


def test_the_first_page_of_a_small_shop_is_not_read_twice(make_shop):
    shop = PagedShop(range(1, 351))
    keys = texts(range(1, 51))
    assert keys == list(make_shop(shop).fetch(Order, keys).records)
    assert shop.asked == ["count", "51+300", "1+50"]


def test_orders_placed_or_deleted_while_paging_are_not_lost(make_shop):
    shop = PagedShop(range(1, 1_001))

    def move():
        shop.numbers = [n for n in shop.numbers if not 100 <= n < 350] + [1_001, 1_002]

    shop.after_count = move
    keys = texts([701, 710, 720, 951, 1_000, 1_001, 1_002])
    fetched = make_shop(shop).fetch(Order, keys)
    assert set(keys) == set(fetched.records)
    assert shop.asked[:2] == ["count", "701+300"]


def test_a_shop_that_shrank_below_its_last_page_is_read_one_by_one(make_shop):
    shop = PagedShop(range(1, 1_001))
    shop.after_count = lambda: setattr(shop, "numbers", [1, 2, 3])
    assert list(make_shop(shop).fetch(Order, ["1", "2", "3"]).records) == ["1", "2", "3"]


def test_a_shop_without_orders_has_none_of_the_asked(make_shop):
    shop = PagedShop([])
    shop.instead["count"] = httpx.Response(404)
    fetched = make_shop(shop).fetch(Order, ["1", "2", "3"])
    assert (fetched.records, fetched.malformed) == ({}, {})
    assert make_shop(PagedShop([])).recent(Order, 5) == []


def test_a_malformed_order_on_a_page_matters_only_when_asked_for(make_shop):
    shop = PagedShop(range(1, 11))
    shop.rows = {4: row(4, OrderAmount="canary"), 5: row(5, OrderAmount="canary"), 6: {"x": 1}, 7: "canary"}
    fetched = make_shop(shop).fetch(Order, ["1", "2", "5"])
    assert (list(fetched.records), list(fetched.malformed)) == (["1", "2"], ["5"])
    assert fetched.malformed["5"][0]["field"] == "OrderAmount"
    assert "canary" not in str(fetched)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(500), httpx.Response(400), httpx.Response(200, content=b"<html>")],
    ids=["500", "400", "html"],
)
def test_a_page_that_the_shop_cannot_hand_out_costs_nothing_but_requests(make_shop, answer):
    """One broken order on a page must not keep the others from being read."""
    shop = PagedShop(range(1, 11))
    shop.instead["1+300"] = answer
    assert list(make_shop(shop).fetch(Order, ["1", "2", "3"]).records) == ["1", "2", "3"]


@pytest.mark.parametrize("what", ["count", "1+300"])
@pytest.mark.parametrize(("status", "kind"), [(401, NotAuthorisedError), (503, TryAgainError)])
def test_a_shop_that_is_away_fails_the_fetch(make_shop, what, status, kind):
    shop = PagedShop(range(1, 11))
    shop.instead[what] = httpx.Response(status)
    with pytest.raises(kind):
        make_shop(shop).fetch(Order, ["1", "2", "3"])


def test_one_order_that_the_shop_fails_to_hand_out_does_not_fail_the_others(make_shop):
    shop = PagedShop([1, 2])
    shop.instead["2"] = httpx.Response(500, content=b"canary")
    fetched = make_shop(shop).fetch(Order, ["2", "1"])
    assert list(fetched.records) == ["1"]
    assert "500" in fetched.malformed["2"][0]["reason"]
    assert "canary" not in str(fetched)
    assert shop.asked == ["2", "1", "2"]


def test_an_order_that_is_handed_out_the_second_time_is_read(make_shop):
    shop = PagedShop([1, 2])
    tries = iter([httpx.Response(500), httpx.Response(200, json=[row(2)])])
    client = make_shop(lambda r: next(tries) if r.url.path.endswith("/2") else shop(r))
    fetched = client.fetch(Order, ["1", "2"])
    assert ({"1", "2"}, {}) == (set(fetched.records), fetched.malformed)


def test_failures_without_any_success_fail_the_fetch(make_shop):
    shop = PagedShop([1, 2])
    shop.instead = {"1": httpx.Response(500), "2": httpx.Response(500)}
    with pytest.raises(TryAgainError) as caught:
        make_shop(shop).fetch(Order, ["1", "2"])
    assert (caught.value.code, shop.asked) == ("remote-failed", ["1", "2"])


@pytest.mark.parametrize("failing", ["unreachable", "throttled"])
def test_a_failing_connection_fails_the_fetch_whatever_was_read(make_shop, failing):
    shop = PagedShop([1, 2])

    def answer(request):
        if not request.url.path.endswith("/2"):
            return shop(request)
        if failing == "unreachable":
            raise httpx.ReadTimeout("x")
        return httpx.Response(429)

    with pytest.raises(TryAgainError):
        make_shop(answer).fetch(Order, ["1", "2"])


def test_a_target_that_cannot_be_read_is_an_error(make_shop):
    shop = PagedShop([1, 2])
    shop.instead["2"] = httpx.Response(500)
    shop.rows[1] = row(1, OrderStatusID="canary")
    with pytest.raises(TryAgainError):
        make_shop(shop).read(Order, [by_number(2)], ["OrderStatusID"])
    with pytest.raises(RecordError) as caught:
        make_shop(shop).read(Order, [by_number(1)], ["OrderStatusID"])
    assert (caught.value.code, caught.value.where["record"]) == ("source-malformed", "1")


@pytest.mark.parametrize(
    ("count", "expected", "asked"),
    [
        (0, [], []),
        (3, [998, 999, 1_000], ["count", "998+3"]),
        (450, range(551, 1_001), ["count", "551+300", "851+150"]),
        (5_000, range(1, 1_001), ["count", "1+300", "301+300", "601+300", "901+100"]),
    ],
)
def test_the_newest_orders_are_listed_oldest_first(make_shop, count, expected, asked):
    shop = PagedShop(range(1, 1_001))
    assert texts(expected) == make_shop(shop).recent(Order, count)
    assert asked == shop.asked


def test_the_newest_of_anything_but_orders_is_refused(make_shop):
    with pytest.raises(UsageError) as caught:
        make_shop(PagedShop([])).recent(OrderItem, 5)
    assert caught.value.code == "not-supported"


# --- properties


@st.composite
def shops(draw):
    """Ids of a shop's orders, thinned out here and there, and keys asked of it: there, gone and yet to come."""
    numbers = set(range(1, draw(st.integers(0, 1_500)) + 1))
    for start, length, step in draw(
        st.lists(st.tuples(st.integers(1, 1_500), st.integers(0, 700), st.integers(1, 4)), max_size=3)
    ):
        numbers -= set(range(start, start + length, step))
    top = max(numbers, default=0)
    near = st.integers(max(1, top - draw(st.integers(0, 1_500))), top + 3)
    keys = draw(st.lists(near | st.integers(1, 1_600), max_size=60, unique=True))
    return numbers, keys


@given(asked=shops(), lost=st.sets(st.integers(1, 1_500), max_size=30), placed=st.integers(0, 5))
@example(asked=(set(range(1, 1_501)), list(range(1, 1_500, 30))), lost=set(), placed=0)
@example(asked=(set(range(1, 1_501)), list(range(700, 1_200, 9))), lost=set(range(700, 1_200)), placed=2)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_every_asked_order_is_delivered_for_at_most_a_request_each_and_three(make_shop, asked, lost, placed):
    """Whatever goes or comes between the count and the pages."""
    numbers, keys = asked
    shop = PagedShop(numbers)
    standing = sorted(numbers - lost) + [2_000 + n for n in range(placed)]
    shop.after_count = lambda: setattr(shop, "numbers", standing)
    if len(keys) < WORTH:
        shop.numbers = standing
    fetched = make_shop(shop).fetch(Order, texts(keys))
    assert {str(n) for n in keys if n in standing} == set(fetched.records)
    more = 0 if len(keys) < WORTH else 3 if len(keys) < JUMP_WORTH else 5
    assert len(shop.asked) <= len(keys) + more


@given(
    total=st.integers(1, 5_000),
    listed=st.sets(st.integers(1, 5_000), min_size=1, max_size=PAGE),
    missing=st.sets(st.integers(1, 5_000)),
    delivered=st.integers(0, PAGE),
    is_guess=st.booleans(),
)
def test_a_page_before_adjoins_the_page_and_is_read_for_enough_older_orders(
    total, listed, missing, delivered, is_guess
):
    last = last_page(total)
    span = Span(last.offset, last.limit, is_guess)
    before = page_before(span, listed, missing, delivered)
    if before is None:
        return
    assert before.is_guess
    assert (before.offset + before.limit, 1 <= before.limit <= PAGE) == (span.offset, True)
    assert sum(n < min(listed) for n in missing) >= WORTH
    assert delivered >= WORTH or not is_guess


@given(total=st.integers(0, 5_000), count=st.integers(1, 2_000))
def test_the_newest_are_covered_once_and_in_order(total, count):
    spans = newest(total, count)
    positions = [p for s in spans for p in range(s.offset, s.offset + s.limit)]
    assert positions == list(range(max(1, total - count + 1), total + 1))
    assert all(s.limit <= PAGE for s in spans)


# --- several batches by one client


def test_the_next_orders_cost_one_page_as_short_as_they_are_many(make_shop):
    shop = PagedShop(range(1, 10_001))
    client = make_shop(shop)
    client.fetch(Order, texts(range(9_991, 10_001)))
    shop.numbers += range(10_001, 10_013)
    keys = texts(range(10_001, 10_013))
    assert keys == list(client.fetch(Order, keys).records)
    assert shop.asked == ["count", "9701+300", "10001+12"]


def test_a_backlog_costs_a_page_a_batch(make_shop):
    """From its oldest on, as a worker takes it up: the list's end is not read again before each batch."""
    shop = PagedShop(range(50_001, 60_001))
    client = make_shop(shop)
    client.fetch(Order, texts(range(52_001, 52_101)))
    before = len(shop.asked)
    for first in range(52_101, 53_101, 100):
        keys = texts(range(first, first + 100))
        assert keys == list(client.fetch(Order, keys).records)
    assert all(asked.endswith("+100") for asked in shop.asked[before + 1 :])
    assert len(shop.asked) - before == 10


def test_where_positions_are_known_two_orders_are_worth_a_page(make_shop):
    shop = PagedShop(range(1, 101))
    client = make_shop(shop)
    client.fetch(Order, texts([98, 99, 100]))
    client.fetch(Order, ["97", "98"])
    client.fetch(Order, ["96"])
    assert shop.asked == ["count", "1+300", "97+2", "96"]


def test_old_orders_among_new_ones_do_not_cost_the_short_page(make_shop):
    shop = PagedShop(range(1, 1_001))
    client = make_shop(shop)
    client.fetch(Order, texts([998, 999, 1_000]))
    shop.numbers += [1_001, 1_002, 1_003]
    keys = texts([5, 105, 205, 1_001, 1_002, 1_003])
    assert keys == list(client.fetch(Order, keys).records)
    assert shop.asked == ["count", "701+300", "1001+3", "5", "105", "205"]


def test_a_list_that_is_not_where_it_was_is_read_from_its_end(make_shop):
    shop = PagedShop(range(1, 1_001))
    client = make_shop(shop)
    client.fetch(Order, texts([998, 999, 1_000]))
    shop.numbers = [*range(900, 1_001), 1_001, 1_002, 1_003]
    keys = texts([1_001, 1_002, 1_003])
    assert keys == list(client.fetch(Order, keys).records)
    assert shop.asked == ["count", "701+300", "1001+3", "count", "1+300"]


@given(
    numbers=st.sets(st.integers(1, 900), max_size=900),
    batches=st.lists(
        st.tuples(
            st.lists(st.integers(1, 1_200), max_size=40, unique=True),
            st.sets(st.integers(1, 1_200), max_size=60),
            st.integers(0, 60),
        ),
        min_size=1,
        max_size=6,
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_every_order_of_every_batch_is_delivered_whatever_came_and_went_between(make_shop, numbers, batches):
    """What is remembered of an earlier batch costs at most one request, and never an order."""
    shop = PagedShop(numbers)
    client = make_shop(shop)
    for keys, gone, placed in batches:
        top = max([*shop.numbers, 0])
        shop.numbers = [n for n in shop.numbers if n not in gone] + [top + 1 + n for n in range(placed)]
        wanted = list(dict.fromkeys([*keys, *shop.numbers[len(shop.numbers) - placed :]]))
        shop.asked.clear()
        fetched = client.fetch(Order, texts(wanted))
        assert {str(n) for n in wanted if n in shop.numbers} == set(fetched.records)
        assert len(shop.asked) <= len(wanted) + 1 + (3 if len(wanted) < JUMP_WORTH else 5) * (
            len(wanted) >= WORTH
        )
