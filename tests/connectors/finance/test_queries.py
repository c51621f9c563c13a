"""Queries against the sandbox: what Finance finds, with its few words, is what filtering all rows finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.finance import Customer, SalesInvoiceHeader, SalesOrderHeader, WarehouseOnHand
from tagline.domain.environment import FinanceConnection
from tagline.domain.exchange import Connector, Matches, Row, Write, WriteKind
from tagline.domain.matching import in_order, matches
from tagline.domain.model import Ref, ref
from tagline.domain.query import AnyOf, Comparison, Condition, Expand, Query, Sort, Term
from tagline.errors import Disposition, UsageError
from tagline.sandbox.sandbox import Sandbox

C = Comparison
NASTY = (
    "O'Brien",
    "50% off",
    "a+b & c=d",
    "a*b",
    "**",
    "x_y",
    "[abc]",
    "#?/\\",
    "é日😀",
    "null",
    "''",
    'say "hi"',
    "Acme",
)
COLUMNS = (
    "CustomersOrderReference",
    "OrderingCustomerAccountNumber",
    "RequestedShippingDate",
    "ConfirmedShippingDate",
    "OrderCreationDateTime",
    "SalesOrderStatus",
    "SalesOrderNumber",
)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC)), environments=("dev",))


@pytest.fixture(scope="module")
def erp(sandbox: Sandbox) -> Iterator[Connector]:
    client = connect(
        "erp",
        FinanceConnection.model_validate(sandbox.connection_configs("dev")["finance"]),
        clock=sandbox.clock,
        secrets=sandbox.secret,
        transport=sandbox.transport(),
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def orders(erp: Connector, sandbox: Sandbox) -> list[Row]:
    customers = [row.id for row in erp.query([Query(Customer, (), limit=3)])[0].rows]
    assert isinstance(sandbox.clock, VirtualClock)
    for n, reference in enumerate(NASTY):
        sandbox.clock.advance(3600)
        day = date(2026, 4, 1 + n % 4)
        fields: dict[str, Any] = {
            "CustomersOrderReference": reference,
            "OrderingCustomerAccountNumber": ref(Customer, CustomerAccount=customers[n % 3]),
            "CurrencyCode": "USD",
            "RequestedShippingDate": day,
            "ConfirmedShippingDate": None if n % 3 else day,
        }
        key = (("CustomersOrderReference", reference),)
        [outcome] = erp.perform([Write(WriteKind.CREATE, SalesOrderHeader, key, fields)])
        assert outcome.disposition is Disposition.DONE, outcome
    return list(erp.query([Query(SalesOrderHeader, COLUMNS)])[0].rows)


EQUAL = (C.EQ, C.NE)
ORDERED = (*EQUAL, C.LT, C.LE, C.GT, C.GE)
TEXTS = st.sampled_from(NASTY) | st.text("aA'%_*[]+&=#é日😀\\/ b", min_size=1, max_size=4).filter(str.strip)
DAYS = st.integers(1, 5).map(lambda day: date(2026, 4, day))
TIMES = st.integers(12, 23).map(lambda hour: datetime(2026, 3, 10, hour, tzinfo=UTC))
STATES = st.sampled_from(("Backorder", "Delivered", "Invoiced", "Canceled"))


def conditions(orders: list[Row]) -> st.SearchStrategy[Condition]:
    customers: list[Ref[Any]] = [row.values["OrderingCustomerAccountNumber"] for row in orders]
    numbers = [row.values["SalesOrderNumber"] for row in orders]
    of_type = {
        "CustomersOrderReference": (EQUAL, TEXTS),
        "SalesOrderNumber": (EQUAL, st.sampled_from(numbers)),
        "OrderingCustomerAccountNumber": (EQUAL, st.sampled_from(customers)),
        "RequestedShippingDate": (ORDERED, DAYS),
        "ConfirmedShippingDate": (ORDERED, DAYS),
        "OrderCreationDateTime": (ORDERED, TIMES),
        "SalesOrderStatus": (EQUAL, STATES),
    }

    def of(name: str) -> st.SearchStrategy[Condition]:
        comparisons, values = of_type[name]
        found = [
            st.builds(Condition, st.just(name), st.sampled_from(comparisons), values),
            st.builds(Condition, st.just(name), st.just(C.IN), st.lists(values, max_size=3).map(tuple)),
        ]
        if values is not STATES:
            found.append(st.builds(Condition, st.just(name), st.just(C.IS_BLANK), st.booleans()))
        if values is TEXTS:
            found.append(st.builds(Condition, st.just(name), st.sampled_from((C.STARTS, C.CONTAINS)), values))
        return st.one_of(found)

    return st.sampled_from(sorted(of_type)).flatmap(of).filter(is_answerable)


def is_answerable(condition: Condition) -> bool:
    """Finance takes a star for any text, so that it cannot be asked for all others."""
    return condition.comparison is not C.NE or "*" not in str(condition.value)


def queries(orders: list[Row]) -> st.SearchStrategy[Query]:
    one = conditions(orders)
    term: st.SearchStrategy[Term] = one | st.lists(one, max_size=3).map(lambda c: AnyOf(tuple(c)))
    sort = st.builds(Sort, st.sampled_from(("ConfirmedShippingDate", "OrderCreationDateTime")), st.booleans())
    return st.builds(
        Query,
        st.just(SalesOrderHeader),
        st.just(("CustomersOrderReference",)),
        st.lists(term, max_size=3).map(tuple),
        st.lists(sort, max_size=2, unique_by=lambda each: each.column).map(tuple),
        st.none() | st.integers(1, 5),
        total=st.just(True),
    )


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_query_finds_the_rows_that_filtering_all_rows_finds(
    erp: Connector, orders: list[Row], data: st.DataObject
) -> None:
    asked = data.draw(st.lists(queries(orders), min_size=1, max_size=6))
    for query, found in zip(asked, erp.query(asked), strict=True):
        meeting = sorted((o for o in orders if matches(query.where, o.values)), key=lambda row: row.id)
        expected = in_order(query.order_by, meeting, lambda row: row.values)
        assert [row.id for row in expected[: query.limit]] == [row.id for row in found.rows]
        assert found.total == len(expected)


def test_a_row_that_is_found_is_known_by_its_own_key(erp: Connector, orders: list[Row]) -> None:
    where = (Condition("CustomersOrderReference", C.EQ, "acme"),)
    [found] = erp.query([Query(SalesOrderHeader, ("SalesOrderStatus",), where)])
    [row] = found.rows
    assert row.key == (("CustomersOrderReference", "Acme"),)
    assert row.values == {"SalesOrderStatus": "Backorder"}


def test_other_companies_have_no_part_in_it(erp: Connector) -> None:
    [found] = erp.query([Query(Customer, ("CustomerAccount",), total=True)])
    assert found.total == len(found.rows)
    assert len({row.id for row in found.rows}) == len(found.rows)


@pytest.mark.parametrize(
    "query",
    [
        Query(SalesOrderHeader, (), (Condition("CustomersOrderReference", C.NE, "a*b"),)),
        Query(SalesInvoiceHeader, (), (Condition("TotalInvoiceAmount", C.IS_BLANK, True),)),
        Query(WarehouseOnHand, (), (Condition(WarehouseOnHand.remote.primary_id, C.EQ, "x"),)),
        Query(SalesOrderHeader, (), expand=(Expand("OrderingCustomerAccountNumber", Customer, ()),)),
    ],
    ids=["not a pattern", "a blank number", "an id that is ours alone", "an expansion"],
)
def test_what_finance_has_no_words_for_is_refused_by_name(erp: Connector, query: Query) -> None:
    with pytest.raises(UsageError) as caught:
        erp.query([query])
    assert caught.value.code == "query-not-answerable"
    assert caught.value.hint


def test_what_nothing_can_meet_is_not_asked(erp: Connector) -> None:
    assert erp.query([Query(Customer, (), (Condition("CustomerAccount", C.IN, ()),), total=True)]) == [
        Matches((), 0)
    ]
