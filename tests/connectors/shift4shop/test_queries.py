"""Queries against the sandbox's shop: lists filtered by what its parameters can tell, and what they cannot refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.shift4shop import (
    Category,
    Customer,
    CustomerGroup,
    Order,
    OrderItem,
    Product,
    SkuInfo,
)
from tagline.connectors.shift4shop.models import Manufacturer
from tagline.connectors.shift4shop.searches import SEARCHES
from tagline.domain.environment import Shift4ShopConnection
from tagline.domain.exchange import Connector, Row
from tagline.domain.matching import matches
from tagline.domain.model import Model
from tagline.domain.query import AnyOf, Comparison, Condition, Kind, Query, Sort, kinds_of
from tagline.errors import Disposition, UsageError
from tagline.sandbox.sandbox import Sandbox

C = Comparison
ORDERED = (C.LT, C.LE, C.GT, C.GE)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    made = Sandbox(VirtualClock(datetime(2026, 11, 25, 12, tzinfo=UTC)))
    made.shops["dev"].place_orders(12, 1)
    return made


@pytest.fixture(scope="module")
def shop(sandbox: Sandbox) -> Iterator[Connector]:
    client = connect(
        "shop",
        Shift4ShopConnection.model_validate(sandbox.connection_configs("dev")["shop"]),
        clock=sandbox.clock,
        secrets=sandbox.secret,
        transport=sandbox.transport(),
    )
    yield client
    client.close()


def rows(shop: Connector, model: type[Model], *where: Any, names: tuple[str, ...] = ()) -> list[Row]:
    return list(shop.query([Query(model, names, where)])[0].rows)


CASES = [
    (model, column)
    for model in (Order, Product, SkuInfo, Customer, Category, Manufacturer)
    for column in SEARCHES[model]
]


@pytest.mark.parametrize(("model", "column"), CASES, ids=[f"{m.__name__}-{c}" for m, c in CASES])
def test_every_column_that_can_be_asked_for_finds_what_filtering_all_records_finds(
    shop: Connector, model: type[Model], column: str
) -> None:
    everything = rows(shop, model, names=(column,))
    search = SEARCHES[model][column]
    values = [v for v in dict.fromkeys(row.values[column] for row in everything) if v][:2]
    if kinds_of(model)[column] is Kind.FLAG:
        values = [True]
    if kinds_of(model)[column] is Kind.INSTANT:
        values = [value.replace(microsecond=0) for value in values]
    asked = [Condition(column, C.EQ, value) for value in values] if search.same or search.least else []
    asked += [Condition(column, C.IN, tuple(values))] if values else []
    asked += [Condition(column, each, value) for value in values for each in ORDERED if search.least]
    for condition in asked:
        expected = {row.id for row in everything if matches((condition,), row.values)}
        assert expected == {row.id for row in rows(shop, model, condition)}, condition


def test_several_conditions_are_one_list(shop: Connector, sandbox: Sandbox) -> None:
    log = sandbox.shops["dev"].door.log
    before = len(log)
    where = (
        Condition("OrderStatusID", C.EQ, 1),
        Condition("OrderDate", C.LT, datetime(2030, 1, 1, tzinfo=UTC)),
    )
    [found] = shop.query(
        [Query(Order, ("OrderID",), where, (Sort("OrderDate", descending=True),), 2, total=True)]
    )
    assert len(log) == before + 1
    dates = {row.id: row.values["OrderDate"] for row in rows(shop, Order, *where, names=("OrderDate",))}
    assert [dates[row.id] for row in found.rows] == sorted(dates.values(), reverse=True)[:2]
    assert found.total == len(dates)
    assert all(set(row.values) == {"OrderID"} for row in found.rows)


def test_what_stands_beneath_a_record_is_asked_for_by_it(shop: Connector) -> None:
    numbers = [int(number) for number in shop.recent(Order, 2)]
    both = rows(shop, OrderItem, Condition("OrderID", C.IN, tuple(numbers)), names=("ItemID", "OrderID"))
    assert {row.values["OrderID"] for row in both} == set(numbers)
    children = shop.children(OrderItem, "OrderID", [str(numbers[0])], ["ItemID"])[str(numbers[0])]
    assert [r.id for r in both if r.values["OrderID"] == numbers[0]] == [r.id for r in children]
    products = rows(shop, Product, names=("ManufacturerID",))
    maker = max(row.values["ManufacturerID"] for row in products)
    found = rows(shop, Product, Condition("ManufacturerID", C.EQ, maker))
    assert {r.id for r in found} == {r.id for r in products if r.values["ManufacturerID"] == maker} != set()


def test_a_table_is_read_whole_where_nothing_is_asked(shop: Connector) -> None:
    assert [row.id for row in rows(shop, CustomerGroup)] == list(shop.recent(CustomerGroup, 100))


@pytest.mark.parametrize(
    "query",
    [
        Query(Order, (), (Condition("OrderAmount", C.GT, 5),)),
        Query(Order, (), (Condition("OrderStatusID", C.NE, 1),)),
        Query(Order, (), (Condition("OrderStatusID", C.EQ, 0),)),
        Query(Order, (), (Condition("BillingEmail", C.CONTAINS, "jane"),)),
        Query(Order, (), (AnyOf((Condition("OrderStatusID", C.EQ, 1),)),)),
        Query(Product, (), (Condition("Hide", C.EQ, False),)),
        Query(OrderItem, (), (Condition("ItemID", C.EQ, "A"),)),
        Query(OrderItem, ()),
    ],
    ids=[
        "a column without a parameter",
        "all but one",
        "what counts as not given",
        "a part of a text",
        "alternatives",
        "a flag that is not set",
        "a row without its owner",
        "all rows of all owners",
    ],
)
def test_what_no_parameter_answers_is_refused_with_what_can_be_asked(shop: Connector, query: Query) -> None:
    with pytest.raises(UsageError) as caught:
        shop.query([query])
    assert (caught.value.code, caught.value.disposition) == ("query-not-answerable", Disposition.DEAD_LETTER)
    assert "OrderStatusID (eq, in)" in caught.value.hint or query.model is not Order
    assert "jane" not in caught.value.message + caught.value.hint


def test_more_values_than_lists_may_be_read_for_are_refused(shop: Connector) -> None:
    with pytest.raises(UsageError) as caught:
        rows(shop, Product, Condition("SKU", C.IN, tuple(f"S{n}" for n in range(101))))
    assert caught.value.code == "query-not-answerable"
