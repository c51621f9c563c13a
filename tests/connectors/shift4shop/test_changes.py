"""How changes of every model are found: by day (orders, in test_client), by time, by comparing."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.connectors.shift4shop.tables import Tables, sku_info

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
    Rma,
    SkuInfo,
)
from tagline.connectors.shift4shop.cursors import filter_from
from tagline.connectors.shift4shop.resources import RESOURCES, Noticing
from tagline.errors import TryAgainError, UsageError

ZONES = [
    ZoneInfo(name) for name in ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata")
]


def sweep(client, model, cursor):
    """One round: keys and versions of all its pages, and the cursor after it."""
    told = {}
    while True:
        page = client.changes(model, cursor)
        told.update({c.key: c.version for c in page.items})
        cursor = page.cursor
        if not page.more:
            return told, cursor


def queries(shop):
    return [path.partition("?")[2].split("&")[0] for _, path, _ in shop.asked]


# --- by time


def test_products_are_swept_from_a_store_local_time_a_little_behind(make_shop):
    shop = Tables({"/Products": [{**sku_info(7), "LastUpdate": "2026-03-10T08:10:00"}]})
    client = make_shop(shop)
    first = client.changes(Product, None)
    assert (list(first.items), first.more, shop.asked) == ([], False, [])
    [change] = client.changes(Product, first.cursor).items
    assert shop.asked[0][1] == "/Products?lastupdatestart=03/10/2026+07:55:00&limit=200&offset=1"
    assert (change.key, change.version, change.at) == (
        "7",
        "2026-03-10T08:10:00",
        datetime(2026, 3, 10, 12, 10, tzinfo=UTC),
    )


def test_the_next_round_starts_where_the_last_one_began(make_shop, clock):
    shop = Tables({"/Products": [sku_info(n) for n in range(1, 302)]})
    client = make_shop(shop)
    cursor = client.changes(Product, None).cursor
    clock.advance(600)
    page = client.changes(Product, cursor)
    clock.advance(600)  # the second page comes later and moves nothing
    assert page.more
    _, cursor = sweep(client, Product, page.cursor)
    client.changes(Product, cursor)
    assert queries(shop) == [
        "lastupdatestart=03/10/2026+07:55:00",
        "lastupdatestart=03/10/2026+07:55:00",
        "lastupdatestart=03/10/2026+08:05:00",
    ]


def test_a_customer_has_no_stamp_and_is_told_apart_by_its_content(make_shop):
    row = {"CustomerID": 5, "Email": "canary@shop.test", "Password": "hash"}
    shop = Tables({"/Customers": [row]})
    client = make_shop(shop)
    cursor = client.changes(Customer, None).cursor
    first, _ = sweep(client, Customer, cursor)
    shop.lists["/Customers"] = [{**row, "Password": "another hash"}]
    again, _ = sweep(client, Customer, cursor)
    shop.lists["/Customers"] = [{**row, "BillingCity": "Boston"}]
    changed, _ = sweep(client, Customer, cursor)
    assert first == again
    assert first["5"] != changed["5"]
    assert "canary" not in str(changed)


@given(
    zone=st.sampled_from(ZONES),
    start=st.integers(1_735_689_600, 1_798_761_600).map(lambda s: datetime.fromtimestamp(s, UTC)),
    later=st.integers(0, 86_400),
)
@settings(max_examples=300)
def test_a_filter_finds_every_later_change_also_where_clocks_go_back(zone, start, later):
    """The shop compares local texts: a change in the hour that comes twice looks earlier than it is."""
    since = datetime.strptime(filter_from(start, zone), "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
    stamp = (start + timedelta(seconds=later)).astimezone(zone).replace(tzinfo=UTC)
    assert since <= stamp
    assert since >= start.astimezone(zone).replace(tzinfo=UTC) - timedelta(hours=1)


def test_the_hour_before_clocks_go_back_is_read_from_its_first_beginning():
    before = datetime(2026, 11, 1, 5, 50, tzinfo=UTC)  # 01:50 in summer time; at 02:00 it is 01:00 again
    assert filter_from(before, ZONES[0]) == "11/01/2026 00:50:00"
    assert filter_from(before + timedelta(hours=1), ZONES[0]) == "11/01/2026 01:50:00"


@pytest.mark.parametrize(
    "cursor",
    ["", "{}", "[]", "null", '{"since": "x", "next": "x", "offset": 1}', '{"digests": 5}'],
)
@pytest.mark.parametrize("model", [Product, Category])
def test_a_foreign_cursor_is_refused(make_shop, model, cursor):
    with pytest.raises(UsageError) as caught:
        make_shop(Tables()).changes(model, cursor)
    assert caught.value.code == "cursor-unreadable"


def test_a_product_that_breaks_its_page_is_told_of_by_its_id(make_shop):
    rows = ['{"SKUInfo": {"CatalogID": 1}}', '{"SKUInfo": {"CatalogID": 2, "Price": 1e200}}']

    def shop(request):
        offset, limit = (int(request.url.params[n]) for n in ("offset", "limit"))
        page = rows[offset - 1 : offset - 1 + limit]
        return httpx.Response(200, content=f"[{','.join(page)}]") if page else httpx.Response(400)

    client = make_shop(shop)
    told, _ = sweep(client, Product, client.changes(Product, None).cursor)
    assert list(told) == ["1", "2"]


# --- rows that move while pages are read


class Moving:
    """A shop of which rows come and go, and which fails, before its answers: one entry of `script` each, then no more."""

    def __init__(self, path, own, numbers, script):
        self.path = path
        self.own = own
        self.numbers = set(numbers)
        self.script = list(script)
        self.gone = set()

    def __call__(self, request):
        if self.script:
            event = self.script.pop(0)
            if event is None:
                return httpx.Response(500)
            leaving, joining = event
            self.gone |= self.numbers & set(leaving)
            self.numbers = (self.numbers - set(leaving)) | set(joining)
        rows = [self.row(n) for n in sorted(self.numbers)]
        return Tables({self.path: rows})(request)

    def row(self, number):
        return sku_info(number) if self.own == "CatalogID" else {self.own: number}


def settled(client, model, clock, cursor):
    """Keys of all rounds up to the first that is complete, so that the cursor moves on."""
    keys = set()
    start = json.loads(cursor)["since"]
    while json.loads(cursor)["since"] == start:
        clock.advance(60)
        with contextlib.suppress(TryAgainError):
            page = client.changes(model, cursor)
            keys |= {int(c.key) for c in page.items}
            cursor = page.cursor
    return keys


@pytest.mark.parametrize("deleted", [[7], [7, 8], [200], range(100, 200), range(1, 301)])
def test_rows_deleted_between_two_pages_make_no_other_one_skipped(make_shop, deleted):
    shop = Moving("/Products", "CatalogID", range(1, 451), [([], []), (deleted, [])])
    client = make_shop(shop)
    keys, cursor = sweep(client, Product, client.changes(Product, None).cursor)
    assert {str(n) for n in range(1, 451) if n not in deleted} <= keys.keys()
    assert json.loads(cursor)["offset"] == 1


NUMBERS = st.lists(st.integers(1, 900), max_size=5)
BLOCKS = st.tuples(st.integers(1, 900), st.integers(1, 250)).map(lambda b: range(b[0], b[0] + b[1]))
MOVES = st.tuples(NUMBERS | BLOCKS, NUMBERS | BLOCKS)


@given(count=st.integers(150, 700), script=st.lists(st.none() | MOVES, max_size=14))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_no_product_that_stands_from_start_to_end_is_missed(make_shop, clock, count, script):
    """Whatever is deleted, added or fails before any answer."""
    shop = Moving("/Products", "CatalogID", range(1, count + 1), script)
    client = make_shop(shop)
    keys = settled(client, Product, clock, client.changes(Product, None).cursor)
    assert set(range(1, count + 1)) - shop.gone <= keys


@given(count=st.integers(400, 1600), script=st.lists(MOVES, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_no_row_that_stands_from_start_to_end_is_taken_for_gone(make_shop, count, script):
    shop = Moving("/Categories", "CategoryID", range(1, count + 1), [])
    client = make_shop(shop)
    cursor = client.changes(Category, None).cursor
    shop.script = list(script)
    with contextlib.suppress(TryAgainError):  # rows were deleted all the time: nothing is told
        told, _ = sweep(client, Category, cursor)
        assert {int(k) for k, version in told.items() if not version} <= shop.gone


@pytest.mark.parametrize(("deletions", "is_read"), [(3, True), (4, False)])
def test_a_list_that_loses_rows_all_the_time_is_read_a_few_times_only(make_shop, deletions, is_read):
    script = [each for n in range(1, deletions + 1) for each in (([], []), ([n], []))]
    client = make_shop(Moving("/Categories", "CategoryID", range(1, 701), script))
    if is_read:
        assert len(client.recent(Category, 1000)) == 700 - deletions
        return
    with pytest.raises(TryAgainError) as caught:
        client.recent(Category, 1000)
    assert caught.value.code == "list-moved"


def test_a_round_that_loses_rows_all_the_time_ends_where_it_began(make_shop, clock):
    script = [each for n in range(1, 5) for each in (([], []), ([n], []))]
    shop = Moving("/Products", "CatalogID", range(1, 451), script)
    client = make_shop(shop)
    first = client.changes(Product, None).cursor
    clock.advance(600)
    _, cursor = sweep(client, Product, first)
    assert json.loads(cursor)["since"] == json.loads(first)["since"]
    keys, cursor = sweep(client, Product, cursor)
    assert (len(keys), json.loads(cursor)["since"] > json.loads(first)["since"]) == (446, True)


def test_a_shop_that_ignores_the_position_is_not_swept_for_ever(make_shop):
    asked = []
    page = [sku_info(n) for n in range(1, 201)]
    client = make_shop(lambda r: asked.append(r) or httpx.Response(200, json=page))
    keys, _ = sweep(client, Product, client.changes(Product, None).cursor)
    assert (len(keys), len(asked)) == (200, 8)


def test_a_cursor_within_a_round_of_an_earlier_release_goes_on(make_shop):
    shop = Tables({"/Products": [sku_info(n) for n in range(1, 302)]})
    since = "2026-03-10T11:55:00+00:00"
    told, _ = sweep(make_shop(shop), Product, json.dumps({"since": since, "next": since, "offset": 201}))
    assert [int(key) for key in told] == list(range(201, 302))


# --- by comparing


def test_the_first_look_at_a_small_table_tells_nothing_and_later_ones_what_differs(make_shop):
    rows = [{"CategoryID": n, "CategoryName": f"c{n}"} for n in (1, 2, 3)]
    shop = Tables({"/Categories": rows})
    client = make_shop(shop)
    first = client.changes(Category, None)
    assert (list(first.items), first.more) == ([], False)
    assert sweep(client, Category, first.cursor)[0] == {}
    shop.lists["/Categories"] = [rows[0], {**rows[1], "Hide": True}, {"CategoryID": 4}]
    told, cursor = sweep(client, Category, first.cursor)
    assert list(told) == ["2", "4", "3"]
    assert sweep(client, Category, cursor)[0] == {}


def test_a_cursor_of_digests_holds_nothing_of_the_rows(make_shop):
    rows = [{"DistributorID": 1, "Email": "canary@shop.test"}]
    assert "canary" not in make_shop(Tables({"/Distributors": rows})).changes(Distributor, None).cursor


def test_returns_are_compared_within_a_window_and_leave_it_unnoticed(make_shop):
    shop = Tables({"/RMA": [{"RMAID": 1, "RMAStatusID": 1}, {"RMAID": 2, "RMAStatusID": 1}]})
    client = make_shop(shop)
    cursor = client.changes(Rma, None).cursor
    shop.lists["/RMA"] = [{"RMAID": 2, "RMAStatusID": 3}]
    assert list(sweep(client, Rma, cursor)[0]) == ["2"]
    assert queries(shop) == ["datestart=09/11/2025"] * 2


ROWS = st.dictionaries(st.integers(1, 30), st.integers(0, 3), max_size=12)


@given(before=ROWS, after=ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_comparing_tells_exactly_the_rows_that_differ(make_shop, before, after):
    def rows(table):
        return [{"ManufacturerID": n, "Sorting": value} for n, value in sorted(table.items())]

    shop = Tables({"/Manufacturers": rows(before)})
    client = make_shop(shop)
    cursor = client.changes(Manufacturer, None).cursor
    shop.lists["/Manufacturers"] = rows(after)
    told, cursor = sweep(client, Manufacturer, cursor)
    assert {int(k) for k in told} == {n for n in before | after if before.get(n) != after.get(n)}
    assert json.loads(cursor)["digests"].keys() == {str(n) for n in after}


# --- which way


def test_each_model_has_one_way_and_what_stands_in_another_has_none(make_shop):
    ways = {
        Order: Noticing.BY_DAY,
        Product: Noticing.BY_TIME,
        Customer: Noticing.BY_TIME,
        CustomerGroup: Noticing.BY_COMPARING,
        OrderStatus: Noticing.BY_COMPARING,
        OrderItem: Noticing.WITH_OWNER,
        SkuInfo: Noticing.WITH_OWNER,
        AdvancedOption: Noticing.WITH_OWNER,
    }
    assert {model: RESOURCES[model].noticing for model in ways} == ways
    client = make_shop(lambda r: pytest.fail("sent"))
    for model, way in ways.items():
        if way is Noticing.WITH_OWNER:
            with pytest.raises(UsageError) as caught:
                client.changes(model, None)
            assert caught.value.code == "not-supported"
