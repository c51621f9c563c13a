"""Rows found by conditions, under both drivers, and what a recording can answer of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flow.fakes import FakeRemote
from tests.flow.runs import KINDS, Kind, Shop, orders, run

from tagline import AnyOf, Comparison, Condition, Expand, Sort
from tagline.connectors.dataverse.models import Account, Product, SalesOrder, SalesOrderDetail
from tagline.connectors.shift4shop.models import Order
from tagline.domain.exchange import Matches, Row, WriteKind
from tagline.domain.matching import matches
from tagline.domain.model import ref
from tagline.domain.query import Query
from tagline.domain.system import every
from tagline.errors import Disposition, InconclusiveError, RecordError, UsageError
from tagline.flow import Flow, Found, find_where, flow, remove, update, upsert, upsert_all
from tagline.flow.coalesce import MOST_VALUES, ask
from tagline.flow.shadow import RecordedReader

C = Comparison
both = pytest.mark.parametrize("kind", KINDS)


def a_remote() -> FakeRemote:
    remote = FakeRemote()
    acme = remote.put(Account(tl_customerkey="c-1", name="Acme"))
    beta = remote.put(Account(tl_customerkey="c-2", name="Beta"))
    for number, owner, freight in ((1, acme, 5), (2, acme, 3), (3, beta, None)):
        remote.put(
            SalesOrder(
                tl_orderkey=f"o-{number}",
                customerid=ref(Account, accountid=owner),
                freightamount=None if freight is None else Decimal(freight),
            )
        )
    return remote


def buyer(order: Order) -> Condition:
    return Condition("customerid", C.EQ, ref(Account, tl_customerkey=f"c-{order.CustomerID}"))


def a_flow(seen: dict[str, Any], *names: str, before: Any = None, **given: Any) -> Flow:
    """A flow that notes what it finds among its buyer's orders."""

    async def ask_first(order: Order) -> None:
        for effect in before(order) if before else ():
            await effect

    @flow(sweep=every(minutes=5), key=Order.key)
    async def asking(order: Order, settings: Shop) -> None:
        await ask_first(order)
        where = [buyer(order), *given.get("where", ())]
        more = {name: value for name, value in given.items() if name != "where"}
        seen[order.key()] = await find_where(SalesOrder, *names, where=where, **more)

    return asking


def of(*customers: int) -> dict[str, Any]:
    return orders(*(Order(OrderID=n, CustomerID=customer) for n, customer in enumerate(customers, 1)))


def keys(found: list[Found]) -> list[str]:
    return [dict(each.key)["tl_orderkey"] for each in found]


@both
def test_rows_that_meet_all_conditions_are_found_with_the_columns_asked_for(kind: Kind) -> None:
    seen: dict[str, Any] = {}
    asking = a_flow(seen, "name", "freightamount", where=[Condition("freightamount", C.GT, 3)])
    assert run(kind, asking, of(1), a_remote()).errors == {}
    [found] = seen["1"]
    assert (found.model, found.key, found.values) == (
        SalesOrder,
        (("tl_orderkey", "o-1"),),
        {"name": None, "freightamount": Decimal(5)},
    )


@both
def test_rows_come_in_order_and_no_more_than_asked_for(kind: Kind) -> None:
    seen: dict[str, Any] = {}
    asking = a_flow(seen, order_by=[Sort("freightamount")], limit=1)
    run(kind, asking, of(1, 2), a_remote())
    assert (keys(seen["1"]), keys(seen["2"])) == (["o-2"], ["o-3"])


@both
def test_nothing_is_found_of_a_buyer_that_does_not_exist(kind: Kind) -> None:
    seen: dict[str, Any] = {}
    assert run(kind, a_flow(seen), of(9), a_remote()).errors == {}
    assert seen["1"] == []


@both
def test_a_lookup_brings_its_row_along(kind: Kind) -> None:
    seen: dict[str, Any] = {}
    run(kind, a_flow(seen, expand=[Expand("customerid", Account, ("name",))]), of(2), a_remote())
    [found] = seen["1"]
    assert found.values == {}
    assert found.expanded["customerid"].values == {"name": "Beta"}


def test_records_that_ask_the_same_of_other_values_share_one_query() -> None:
    seen: dict[str, Any] = {}
    remote = a_remote()
    run("live", a_flow(seen, "name", order_by=[Sort("freightamount")]), of(1, 2, 1, 9), remote)
    assert [call for call in remote.calls if call[0] == "query"] == [("query", "salesorder", 2)]
    assert [c.comparison for q in remote.asked for c in q.where if isinstance(c, Condition)] == [C.IN, C.IN]
    assert [keys(seen[str(n)]) for n in (1, 2, 3, 4)] == [["o-2", "o-1"], ["o-3"], ["o-2", "o-1"], []]
    assert set(seen["1"][0].values) == {"name"}


@both
def test_a_record_whose_query_cannot_be_answered_ends_alone(kind: Kind) -> None:
    class Choosy(FakeRemote):
        def query(self, asked: Any) -> Any:
            if any(query.limit == 2 for query in asked):
                raise UsageError("no", code="query-not-answerable", disposition=Disposition.DEAD_LETTER)
            return super().query(asked)

    @flow(sweep=every(minutes=5), key=Order.key)
    async def asking(order: Order, settings: Shop) -> None:
        await find_where(SalesOrder, where=[buyer(order)], limit=order.OrderID)

    remote = Choosy(tables=a_remote().tables)
    assert {k: e.code for k, e in run(kind, asking, of(1, 1, 1, 1), remote).errors.items()} == {
        "2": "query-not-answerable"
    }


@both
def test_a_query_that_is_written_wrong_ends_its_record_with_the_nearest_right_name(kind: Kind) -> None:
    asking = a_flow({}, where=[Condition("freightamout", C.GT, 3)])
    [error] = run(kind, asking, of(1), a_remote()).errors.values()
    assert (error.code, error.disposition) == ("query-column-unknown", Disposition.DEAD_LETTER)
    assert "freightamount" in error.hint


# -- what shadow sees is what live would see -------------------------------------------------------


def changed(order: Order) -> Any:
    return [
        update(
            SalesOrder(
                tl_orderkey="o-3", freightamount=Decimal(9), customerid=ref(Account, tl_customerkey="c-1")
            )
        )
    ]


def created(order: Order) -> Any:
    owner = ref(Account, tl_customerkey="c-1")
    return [upsert(SalesOrder(tl_orderkey="o-7", freightamount=Decimal(4), customerid=owner, name="new"))]


def created_for_new(order: Order) -> Any:
    owner = ref(Account, tl_customerkey="c-9")
    return [
        upsert(Account(tl_customerkey="c-9", name="New")),
        upsert(SalesOrder(tl_orderkey="o-7", freightamount=Decimal(4), customerid=owner)),
    ]


@both
@pytest.mark.parametrize(
    ("before", "customer", "expected"),
    [(changed, 1, ["o-2", "o-1", "o-3"]), (created, 1, ["o-2", "o-7", "o-1"]), (created_for_new, 9, ["o-7"])],
    ids=["a changed row", "a new row", "a new row of a new buyer"],
)
def test_rows_are_seen_as_this_run_left_them(
    kind: Kind, before: Any, customer: int, expected: list[str]
) -> None:
    seen: dict[str, Any] = {}
    asking = a_flow(
        seen,
        "freightamount",
        before=before,
        order_by=[Sort("freightamount")],
        expand=[Expand("customerid", Account, ("name",))],
    )
    assert run(kind, asking, of(customer), a_remote()).errors == {}
    assert keys(seen["1"]) == expected
    names = {found.expanded["customerid"].values["name"] for found in seen["1"]}
    assert names == {"New" if customer == 9 else "Acme"}


@both
def test_a_removed_row_is_found_no_more(kind: Kind) -> None:
    seen: list[Any] = []

    @flow(sweep=every(minutes=5), key=Order.key)
    async def removing(order: Order, settings: Shop) -> None:
        first = await upsert(SalesOrder(tl_orderkey="o-1"))
        await remove(first)
        seen.append(await find_where(SalesOrder, where=[buyer(order)], limit=1))
        # What a query finds can be written to as anything else.
        await remove(seen[0][0])
        seen.append(await find_where(SalesOrder, where=[buyer(order)]))

    assert run(kind, removing, of(1), a_remote()).errors == {}
    assert [keys(each) for each in seen] == [["o-2"], []]


# -- coalescing ------------------------------------------------------------------------------------


NAMES = ("a", "A ", "b", "é", "e")


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 2)), max_size=8),
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 1), st.none() | st.just(1)), max_size=8),
    st.booleans(),
)
def test_coalesced_queries_find_what_each_finds_alone(
    stored: list[tuple[str, int]], wanted: list[tuple[str, int, int | None]], strange: bool
) -> None:
    """Also of a remote that takes an accent for nothing, as some do."""

    def text(value: Any) -> Any:
        return value.replace("é", "e") if strange and isinstance(value, str) else value

    rows = [{"name": name, "statecode": state} for name, state in stored]

    def send(asked: Any) -> list[Matches]:
        return [
            Matches([_row(n, query) for n, row in enumerate(rows) if _meets(query, row)]) for query in asked
        ]

    def _meets(query: Query, row: dict[str, Any]) -> bool:
        plain = {"name": text(row["name"]), "statecode": row["statecode"]}
        terms = [_without_accents(term) for term in query.where]
        return matches(terms, plain)

    def _without_accents(term: Any) -> Condition:
        value = tuple(map(text, term.value)) if term.comparison is C.IN else text(term.value)
        return Condition(term.column, term.comparison, value)

    def _row(n: int, query: Query) -> Row:
        return Row((), str(n), None, {name: rows[n][name] for name in query.columns})

    queries = [
        Query(Product, (), (Condition("name", C.EQ, name), Condition("statecode", C.EQ, state)), limit=limit)
        for name, state, limit in dict.fromkeys(wanted)
    ]
    alone = {query: [row.id for row in send([query])[0].rows] for query in queries}
    assert {query: [row.id for row in found] for query, found in ask(queries, send).items()} == alone


def test_so_many_values_are_asked_in_several_queries() -> None:
    sent: list[int] = []

    def send(asked: Any) -> list[Matches]:
        sent.append(len(asked))
        return [Matches(())] * len(asked)

    ask([Query(Product, (), (Condition("name", C.EQ, f"n{n}"),)) for n in range(2 * MOST_VALUES + 1)], send)
    assert sent == [3]


# -- recorded --------------------------------------------------------------------------------------


def recorded() -> RecordedReader:
    a, b = (("productnumber", "a"),), (("productnumber", "b"),)
    rows: dict[Any, Row | None] = {
        (Product, a): Row(a, "1", None, {"productnumber": "a", "name": "x", "price": Decimal(2)}),
        (Product, b): Row(b, "2", None, {"productnumber": "b", "name": "y", "price": Decimal(1)}),
    }
    both_rows = Query(Product, (), (Condition("productnumber", C.IN, ("a", "b")),))
    return RecordedReader(rows, {both_rows: [a, b], Query(Product, (), (Condition("price", C.GT, 9),)): []})


def answer(where: Any, *columns: str, **more: Any) -> list[str]:
    [found] = recorded().query([Query(Product, columns, (where,), **more)])
    return [row.id for row in found.rows]


def test_a_recorded_query_is_answered_also_for_some_of_its_values() -> None:
    assert answer(Condition("productnumber", C.IN, ("a", "b")), "name") == ["1", "2"]
    assert answer(Condition("productnumber", C.EQ, "b"), "name") == ["2"]
    assert answer(Condition("productnumber", C.IN, ("b", "a")), order_by=(Sort("price"),), limit=1) == ["2"]
    assert answer(Condition("price", C.GT, 9)) == []
    assert answer(Condition("price", C.IN, ())) == []


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        (Condition("productnumber", C.EQ, "c"), ()),
        (Condition("price", C.GT, 1), ()),
        (AnyOf((Condition("productnumber", C.EQ, "a"),)), ()),
        (Condition("productnumber", C.EQ, "a"), ("description",)),
    ],
    ids=["another value", "another condition", "another form", "another column"],
)
def test_what_nobody_recorded_is_inconclusive(where: Any, columns: tuple[str, ...]) -> None:
    with pytest.raises(InconclusiveError) as caught:
        answer(where, *columns)
    assert caught.value.code == "shadow-unrecorded"


# -- one bad record ends alone ---------------------------------------------------------------------


class Ambiguous(FakeRemote):
    """A remote in which some keys are those of several rows."""

    def read(self, model: Any, keys: Any, names: Any) -> Any:
        if any(value in ("c-3", "c-5") for key in keys for _, value in key):
            self._called("refused", model, len(keys))
            raise RecordError("several", code="key-ambiguous")
        return super().read(model, keys, names)


@both
def test_a_key_that_a_remote_cannot_answer_ends_its_record_and_no_other(kind: Kind) -> None:
    @flow(sweep=every(minutes=5), key=Order.key)
    async def writing(order: Order, settings: Shop) -> None:
        await upsert(Account(tl_customerkey=f"c-{order.CustomerID}", name="N"))

    remote = Ambiguous()
    made = run(kind, writing, of(*range(1, 17), 5), remote)
    assert {k: e.code for k, e in made.errors.items()} == {
        "3": "key-ambiguous",
        "5": "key-ambiguous",
        "17": "key-ambiguous",
    }
    assert [t.record for t in made.told] == [str(n) for n in range(1, 17) if n not in (3, 5)]
    assert sum(call[0] in ("read", "refused") for call in remote.calls) <= 2 * 16


@both
def test_children_that_several_records_give_one_parent_stay_one_set_when_a_group_is_parted(
    kind: Kind,
) -> None:
    """Apart, each of the two would remove the other's child."""

    @flow(sweep=every(minutes=5), key=Order.key)
    async def into_one(order: Order, settings: Shop) -> None:
        parent = await upsert(SalesOrder(tl_orderkey=f"p-{order.CustomerID}"))
        child = SalesOrderDetail(
            tl_linekey=f"l-{order.OrderID}", productid=ref(Product, productnumber=f"c-{order.CustomerID}")
        )
        await upsert_all([child], within=parent, by="salesorderid")

    remote = Ambiguous()
    for n in (1, 2):
        remote.put(Product(productnumber=f"c-{n}"))
    made = run(kind, into_one, of(1, 3, 2, 1), remote)
    assert list(made.errors) == ["2"]
    children = [t for t in made.told if t.entity == "salesorderdetail"]
    assert [(t.record, t.kind) for t in children] == [(r, WriteKind.CREATE) for r in ("1", "4", "3")]
