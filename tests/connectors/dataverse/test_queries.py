"""Queries against the sandbox: what the organisation finds is what filtering all rows finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.dataverse import Account, Contact, PriceLevel, SalesOrder, TransactionCurrency
from tagline.domain.environment import DataverseConnection
from tagline.domain.exchange import Connector, Matches, Row, Write, WriteKind
from tagline.domain.matching import in_order, matches
from tagline.domain.model import ref
from tagline.domain.query import MOST_ROWS, AnyOf, Comparison, Condition, Expand, Query, Sort, Term
from tagline.errors import Disposition, RecordError, UsageError
from tagline.flow.decide import ref_to
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.seed import PRICE_LIST

C = Comparison
NASTY = (
    "O'Brien",
    "50% off",
    "a+b & c=d",
    "x_y",
    "[abc]",
    "[%]",
    "^a]",
    "#?/\\",
    "é日😀",
    "null",
    "''",
    "a\nb",
    'say "hi"',
    "Acme",
)
DAY = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC)), environments=("dev",))


def client(sandbox: Sandbox, transport: httpx.BaseTransport) -> Iterator[Connector]:
    made = connect(
        "crm",
        DataverseConnection.model_validate(sandbox.connection_configs("dev")["crm"]),
        clock=sandbox.clock,
        secrets=sandbox.secret,
        transport=transport,
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def crm(sandbox: Sandbox) -> Iterator[Connector]:
    yield from client(sandbox, sandbox.transport())


def created(crm: Connector, model: Any, key: str, **fields: Any) -> str:
    column = model.remote.keys[0][0]
    given = {column: key, **fields}
    [outcome] = crm.perform([Write(WriteKind.CREATE, model, ((column, key),), given)])
    assert outcome.disposition is Disposition.DONE, outcome
    row = crm.read(model, [((column, key),)], ())
    return row[((column, key),)].id


@pytest.fixture(scope="module")
def buyers(crm: Connector) -> list[str]:
    """Accounts with awkward names, some without one that the others have."""
    return [
        created(crm, Account, f"k{n}", name=name, description=None if n % 3 else f"{name} again ")
        for n, name in enumerate(NASTY)
    ]


@pytest.fixture(scope="module")
def orders(crm: Connector, buyers: list[str]) -> list[Row]:
    """Orders of theirs, and all columns that are compared below."""
    price_list = crm.query([Query(PriceLevel, (), (Condition("name", C.EQ, PRICE_LIST),))])[0].rows[0].id
    currency = (
        crm.query([Query(TransactionCurrency, (), (Condition("isocurrencycode", C.EQ, "usd"),))])[0]
        .rows[0]
        .id
    )
    for n in range(20):
        created(
            crm,
            SalesOrder,
            f"o{n}",
            name=NASTY[n % len(NASTY)],
            customerid=ref_to(Account, buyers[n % 5]),
            pricelevelid=ref_to(PriceLevel, price_list),
            transactioncurrencyid=ref_to(TransactionCurrency, currency),
            freightamount=Decimal(n % 4) + Decimal("0.25"),
            tl_orderedon=None if n % 6 == 0 else DAY + timedelta(hours=n),
            datefulfilled=None if n % 5 == 0 else date(2026, 2, 1 + n % 4),
            description=None if n % 4 else NASTY[-n % len(NASTY)],
        )
    return list(crm.query([Query(SalesOrder, COLUMNS)])[0].rows)


COLUMNS = (
    "tl_orderkey",
    "name",
    "description",
    "customerid",
    "freightamount",
    "tl_orderedon",
    "datefulfilled",
    "statecode",
)
EQUAL = (C.EQ, C.NE)
ORDERED = (*EQUAL, C.LT, C.LE, C.GT, C.GE)
TEXTS = st.sampled_from(NASTY) | st.text("aA'%_[]^+&=#é日😀\\/ \n*b", min_size=1, max_size=4).filter(
    str.strip
)
NUMBERS = st.sampled_from([Decimal("0.25"), Decimal("1.25"), Decimal("2.5"), Decimal(-1), 3])
TIMES = st.integers(-1, 21).map(lambda hours: DAY + timedelta(hours=hours))
DAYS = st.integers(1, 5).map(lambda day: date(2026, 2, day))


def conditions(buyers: list[str]) -> st.SearchStrategy[Condition]:
    references = st.sampled_from(buyers[:6]).map(lambda i: ref_to(Account, i))
    of_type = {
        "name": (EQUAL, TEXTS),
        "description": (EQUAL, TEXTS),
        "customerid": (EQUAL, references),
        "freightamount": (ORDERED, NUMBERS),
        "tl_orderedon": (ORDERED, TIMES),
        "datefulfilled": (ORDERED, DAYS),
        "statecode": (ORDERED, st.integers(0, 4)),
    }

    def of(name: str) -> st.SearchStrategy[Condition]:
        comparisons, values = of_type[name]
        several = st.lists(values, max_size=3).map(tuple)
        found = [
            st.builds(Condition, st.just(name), st.sampled_from(comparisons), values),
            st.builds(Condition, st.just(name), st.just(C.IN), several),
            st.builds(Condition, st.just(name), st.just(C.IS_BLANK), st.booleans()),
        ]
        if values is TEXTS:
            found.append(st.builds(Condition, st.just(name), st.sampled_from((C.STARTS, C.CONTAINS)), values))
        return st.one_of(found)

    return st.sampled_from(sorted(of_type)).flatmap(of)


def queries(buyers: list[str]) -> st.SearchStrategy[Query]:
    one = conditions(buyers)
    term: st.SearchStrategy[Term] = one | st.lists(one, max_size=3).map(lambda c: AnyOf(tuple(c)))
    sort = st.builds(Sort, st.sampled_from(("freightamount", "tl_orderedon", "datefulfilled")), st.booleans())
    return st.builds(
        Query,
        st.just(SalesOrder),
        st.just(("tl_orderkey",)),
        st.lists(term, max_size=3).map(tuple),
        st.lists(sort, max_size=2, unique_by=lambda each: each.column).map(tuple),
        st.none() | st.integers(1, 5),
        total=st.just(True),
    )


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_query_finds_the_rows_that_filtering_all_rows_finds(
    crm: Connector, buyers: list[str], orders: list[Row], data: st.DataObject
) -> None:
    asked = data.draw(st.lists(queries(buyers), min_size=1, max_size=6))
    for query, found in zip(asked, crm.query(asked), strict=True):
        # The organisation breaks ties by id.
        meeting = sorted((o for o in orders if matches(query.where, o.values)), key=lambda row: row.id)
        expected = in_order(query.order_by, meeting, lambda row: row.values)
        assert [row.id for row in expected[: query.limit]] == [row.id for row in found.rows]
        assert found.total == len(expected)


def test_a_row_that_is_found_is_known_by_its_own_key(crm: Connector, orders: list[Row]) -> None:
    [found] = crm.query([Query(SalesOrder, ("name",), (Condition("tl_orderkey", C.EQ, "O3"),))])
    [row] = found.rows
    assert (row.key, row.values) == ((("tl_orderkey", "o3"),), {"name": NASTY[3]})
    assert row.etag
    assert found.total is None


def test_a_lookup_brings_its_row_along_where_it_points_to_that_table(
    crm: Connector, buyers: list[str], orders: list[Row]
) -> None:
    where = (Condition("tl_orderkey", C.EQ, "o0"),)
    as_account = Query(
        SalesOrder, (), where, expand=(Expand("customerid", Account, ("name", "description")),)
    )
    as_contact = Query(SalesOrder, (), where, expand=(Expand("customerid", Contact, ("lastname",)),))
    found, other = crm.query([as_account, as_contact])
    inner = found.rows[0].expanded["customerid"]
    assert (inner.id, inner.key) == (buyers[0], (("accountid", buyers[0]),))
    assert inner.values == {"name": NASTY[0], "description": f"{NASTY[0]} again "}
    assert other.rows[0].expanded == {}


class SmallPages(httpx.BaseTransport):
    """Asks for pages of three rows in place of the client, and notes how each was asked for."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = {k: self._small(v) for k, v in request.headers.items() if k != "content-length"}
        body = request.read().decode()
        self.asked.append(f"{request.method} {request.url.path.rpartition('/')[2]}")
        return self.inner.handle_request(
            httpx.Request(request.method, request.url, headers=headers, content=self._small(body).encode())
        )

    def _small(self, text: str) -> str:
        return text.replace("odata.include-annotations", "odata.maxpagesize=3,odata.include-annotations")


@pytest.fixture(scope="module")
def pages(sandbox: Sandbox) -> SmallPages:
    return SmallPages(sandbox.transport())


@pytest.fixture(scope="module")
def paged(sandbox: Sandbox, pages: SmallPages) -> Iterator[Connector]:
    yield from client(sandbox, pages)


def test_pages_are_followed_until_there_are_enough_rows(
    paged: Connector, pages: SmallPages, orders: list[Row]
) -> None:
    by_name = Query(SalesOrder, ("name",), order_by=(Sort("freightamount"),))
    assert {row.id for row in paged.query([by_name])[0].rows} == {row.id for row in orders}
    pages.asked.clear()
    [found] = paged.query([replace(by_name, limit=4, total=True)])
    assert ([row.id for row in found.rows], found.total) == (
        [row.id for row in paged.query([by_name])[0].rows][:4],
        len(orders),
    )
    assert pages.asked[:2] == ["POST $batch", "GET salesorders"]
    assert pages.asked.count("GET salesorders") == 1 + (len(orders) - 1) // 3


def test_the_link_of_a_page_that_is_longer_than_an_address_goes_by_batch(
    paged: Connector, pages: SmallPages, orders: list[Row]
) -> None:
    pages.asked.clear()
    [found] = paged.query([Query(SalesOrder, (), (Condition("name", C.IN, (*LONG, *NASTY)),))])
    assert {row.id for row in found.rows} == {row.id for row in orders}
    assert set(pages.asked) == {"POST $batch"}


def test_many_queries_cost_one_request(sandbox: Sandbox, crm: Connector, orders: list[Row]) -> None:
    log = sandbox.organisations["dev"].door.log
    before = len(log)
    names = [Query(SalesOrder, (), (Condition("name", C.EQ, name),)) for name in NASTY]
    found = crm.query([*names, Query(SalesOrder, (), (Condition("name", C.IN, ()),))])
    assert [e.path.rpartition("/")[2] for e in list(log)[before:]].count("$batch") == 1
    assert sum(len(each.rows) for each in found) == len(orders)
    assert found[-1] == Matches(())


LONG = tuple(f"{n:01000}" for n in range(40))
"""Values that make a filter longer than the 32 KB of an address, and shorter than the 64 KB of one in a batch."""


def test_a_filter_longer_than_an_address_may_be_is_asked_by_batch(crm: Connector, orders: list[Row]) -> None:
    [found] = crm.query([Query(SalesOrder, (), (Condition("name", C.IN, (*LONG, "Acme")),))])
    assert len(found.rows) == 1


def test_a_filter_longer_than_a_batch_takes_ends_its_record(crm: Connector) -> None:
    with pytest.raises(RecordError) as caught:
        crm.query([Query(SalesOrder, (), (Condition("name", C.IN, tuple(f"{v}{v}" for v in LONG)),))])
    assert caught.value.code == "query-too-long"


def test_more_rows_than_a_query_may_find_end_its_record(
    make_dataverse: Callable[..., Connector], multipart: Callable[..., httpx.Response]
) -> None:
    """An organisation whose pages go on, as those of a table that has grown do."""
    asked: list[int] = []

    def organisation(request: httpx.Request) -> httpx.Response:
        page = len(asked)
        asked.append(page)
        rows = [
            {"accountid": f"00000000-0000-0000-0000-{page * 5000 + n:012}", "tl_customerkey": None}
            for n in range(5000)
        ]
        body = {"value": rows, "@odata.nextLink": f"https://org.test/api/data/v9.2/accounts?page={page}"}
        if request.url.path.endswith("$batch"):
            return multipart((200, {}, body))
        return httpx.Response(200, json=body)

    crm = make_dataverse(organisation)
    with pytest.raises(RecordError) as caught:
        crm.query([Query(Account, ())])
    assert (caught.value.code, len(asked)) == ("query-too-large", MOST_ROWS // 5000 + 1)
    asked.clear()
    assert len(crm.query([Query(Account, (), limit=6000)])[0].rows) == 6000
    assert len(asked) == 2


def test_what_an_id_cannot_be_asked_is_refused(crm: Connector) -> None:
    with pytest.raises(UsageError) as caught:
        crm.query([Query(Account, (), (Condition("accountid", C.CONTAINS, "a"),))])
    assert (caught.value.code, caught.value.disposition) == ("query-not-answerable", Disposition.DEAD_LETTER)
    with pytest.raises(RecordError) as malformed:
        crm.query([Query(Account, (), (Condition("accountid", C.EQ, "no id' or true"),))])
    assert malformed.value.code == "key-not-addressable"
    with pytest.raises(RecordError):
        crm.query(
            [Query(SalesOrder, (), (Condition("customerid", C.EQ, ref(Account, tl_customerkey="k1")),))]
        )
