"""Read, compare, write: equality by value, what may be sent, whose children they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.dataverse.models import Account, Contact, SalesOrder, SalesOrderDetail
from tagline.domain.exchange import Row, Write, WriteKind
from tagline.domain.model import KEEP, Model, Ref, Remote, column, ref
from tagline.flow.decide import (
    Wish,
    bind,
    decide,
    decide_children,
    deviations,
    is_due,
    merge,
    same,
)
from tagline.flow.effects import Verb

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
KEY = (("tl_orderkey", "o-1"),)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Decimal("2.50"), Decimal("2.5"), True),
        (Decimal(2), 2, True),
        (Decimal("2.5"), 2.5, True),
        (Decimal("2.5"), "2.5", False),
        (Decimal("2.51"), Decimal("2.5"), False),
        (True, True, True),
        (NOON, NOON.astimezone(timezone(timedelta(hours=5))), True),
        (NOON, NOON.replace(tzinfo=None), False),
        (NOON.replace(microsecond=999_999), NOON, True),
        (NOON + timedelta(seconds=1), NOON, False),
        (False, None, False),
        ("Acme", "acme", False),
        ("Acme", "Acme ", False),
        ("", None, True),
        (0, None, False),
        (Decimal(0), "", False),
        (ref(Account, accountid="AB-1"), ref(Account, accountid="ab-1"), True),
        (ref(Account, accountid="1"), ref(Contact, contactid="1"), False),
        (ref(Account, accountid="1"), None, False),
    ],
)
def test_values_are_equal_when_the_remote_would_hold_the_same(one: Any, other: Any, equal: bool) -> None:
    assert (same(one, other), same(other, one)) == (equal, equal)


def test_a_row_is_created_with_what_may_be_sent_on_create_and_its_key() -> None:
    order = SalesOrder(tl_orderkey="o-1", name="n", statecode=3, totalamount=Decimal(9), description=KEEP)
    assert decide(SalesOrder, KEY, order.given(), None) == Write(
        WriteKind.CREATE, SalesOrder, KEY, {"tl_orderkey": "o-1", "name": "n"}
    )


def test_an_update_carries_id_etag_and_only_what_differs() -> None:
    row = Row(KEY, "id-1", 'W/"4"', {"name": "old", "description": "same", "totalamount": None})
    order = SalesOrder(tl_orderkey="o-1", name="new", description="same", totalamount=Decimal(9))
    assert decide(SalesOrder, KEY, order.given(), row) == Write(
        WriteKind.UPDATE, SalesOrder, KEY, {"name": "new"}, "id-1", 'W/"4"'
    )


@pytest.mark.parametrize(("stands", "changes"), [(False, {}), (None, {}), (True, {"creditonhold": None})])
def test_a_cleared_boolean_may_stand_at_its_default(stands: bool | None, changes: dict[str, Any]) -> None:
    """Dataverse keeps no null where a column has a default: to clear it again on every run would never end."""
    key = (("tl_customerkey", "c"),)
    write = decide(Account, key, {"creditonhold": None}, Row(key, "id-1", None, {"creditonhold": stands}))
    assert (write.fields if write else {}) == changes


def test_a_row_addressed_by_id_may_get_another_alternate_key_but_never_another_id() -> None:
    row = Row((("salesorderid", "id-1"),), "id-1", None, {"tl_orderkey": None})
    order = SalesOrder(salesorderid="id-1", tl_orderkey="o-1")
    wanted = decide(SalesOrder, row.key, order.given(), row)
    assert wanted is not None
    assert wanted.fields == {"tl_orderkey": "o-1"}


class Person(Model):
    remote: ClassVar[Remote] = Remote(
        "dataverse", "person", "persons", "personid", (("badge",), ("nickname",))
    )

    personid: str | None = column()
    badge: str | None = column()
    nickname: str | None = column(personal=True)
    boss: Ref[Person] | None = column()


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ({"badge": "B 7/2"}, "badge 'B 7/2'"),
        ({"badge": "jane@example.com"}, "badge (not shown)"),
        ({"badge": "jane_40example_2ecom"}, "badge (not shown)"),
        ({"nickname": "Janie"}, "nickname (not shown)"),
    ],
)
def test_a_key_that_leads_nowhere_is_shown_unless_it_is_something_of_a_person(
    key: dict[str, str], shown: str
) -> None:
    bound, missing = bind(Person, {"badge": "B1", "boss": ref(Person, **key)}, {})
    assert ({"badge": "B1"}, ({"field": "Person.boss", "reason": f"no Person has {shown}"},)) == (
        bound,
        missing,
    )


def test_references_are_bound_to_the_ids_that_are_known() -> None:
    known = ref(Person, badge="B1")
    bound, missing = bind(Person, {"boss": known}, {(Person, known.key): "id-1"})
    assert ({"boss": ref(Person, personid="id-1")}, ()) == (bound, missing)
    assert bind(Person, bound, {}) == (bound, ())


FIELDS = st.dictionaries(
    st.sampled_from(["name", "telephone1", "address1_city"]),
    st.sampled_from(["a", "b", "", None]),
    max_size=3,
)


@given(FIELDS, st.none() | FIELDS)
def test_a_decided_write_leaves_nothing_to_decide(
    given_: dict[str, Any], there: dict[str, Any] | None
) -> None:
    key = (("tl_customerkey", "c"),)
    row = None if there is None else Row(key, "1", None, there)
    wanted = decide(Account, key, given_, row)
    if row is None:
        assert wanted is not None
    after = {**(there or {}), **(wanted.fields if wanted else {})}
    assert decide(Account, key, given_, Row(key, "1", None, after)) is None


WISHES = st.lists(
    st.builds(Wish, st.sampled_from([Verb.UPSERT, Verb.UPDATE, Verb.CREATE_ONCE]), FIELDS), max_size=4
)


@given(WISHES, st.booleans())
def test_merged_wishes_equal_one_after_the_other(wishes: list[Wish], exists: bool) -> None:
    stands: dict[str, Any] | None = {} if exists else None
    met = []
    for wish in wishes:
        met.append(not (stands is None and wish.verb is Verb.UPDATE))
        if met[-1] and (stands is None or wish.verb is not Verb.CREATE_ONCE):
            stands = {**(stands or {}), **wish.given}
    assert (stands or {}, tuple(met)) == merge(wishes, exists=exists)


IDS = st.lists(st.integers(1, 6), unique=True)


@given(IDS, IDS, IDS)
def test_children_converge_on_the_wanted_and_spare_what_is_not_ours(
    wanted: list[int], ours: list[int], others: list[int]
) -> None:
    def key(n: int) -> tuple[tuple[str, Any], ...]:
        return (("tl_linekey", f"k{n}"),)

    rows = [Row(key(n), f"id-{n}", None, {}) for n in ours]
    theirs = [Row((("salesorderdetailid", f"p-{n}"),), f"p-{n}", None, {}) for n in others]
    plan = decide_children(SalesOrderDetail, [key(n) for n in wanted], [*theirs, *rows])
    assert {f"id-{n}" for n in ours if n not in wanted} == {row.id for row in plan.removed}
    assert {key(n): f"id-{n}" for n in wanted if n in ours} == {k: r.id for k, r in plan.standing.items()}


def test_a_transition_is_due_only_where_every_column_calls_for_it() -> None:
    when = {"statecode": (0, 1), "statuscode": (1,)}
    due = [{"statecode": 1, "statuscode": 1}, {"statecode": 0}, {}]
    not_due = [{"statecode": 3, "statuscode": 1}, {"statecode": 0, "statuscode": 2}]
    assert [is_due(when, Row(KEY, "1", None, values)) for values in (*due, *not_due)] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_deviation_names_the_column_and_the_difference_and_no_value() -> None:
    row = Row(KEY, "1", None, {"totalamount": Decimal("10.01"), "name": "Jane", "pricingerrorcode": None})
    expected = {"totalamount": Decimal("10.00"), "name": "John", "pricingerrorcode": 0, "description": ""}
    assert deviations(SalesOrder, expected, row) == (
        {"field": "SalesOrder.totalamount", "reason": "is off by +0.01"},
        {"field": "SalesOrder.name", "reason": "is another"},
        {"field": "SalesOrder.pricingerrorcode", "reason": "is empty"},
    )
