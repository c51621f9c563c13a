"""A query is checked when it is made, and says by itself which rows meet it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.dataverse import Account, Contact, PriceLevel, Product, SalesOrder, UnitOfMeasure
from tagline.connectors.finance import Customer, SalesOrderHeader
from tagline.domain.matching import covers, in_order, map_references, matches
from tagline.domain.model import Ref, ref
from tagline.domain.query import MOST_ROWS, AnyOf, Comparison, Condition, Expand, Query, Sort
from tagline.errors import UsageError

C = Comparison
ACME = ref(Account, accountid="00000000-0000-0000-0000-000000000001")


def refused(model: Any, **given: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        Query(model, given.pop("columns", ()), **given)
    return caught.value


@pytest.mark.parametrize(
    "given",
    [
        {"columns": ("nmae",)},
        {"where": (Condition("nmae", C.EQ, "a"),)},
        {"where": (AnyOf((Condition("nmae", C.EQ, "a"),)),)},
        {"order_by": (Sort("nmae"),)},
    ],
    ids=["read", "compared", "among alternatives", "ordered by"],
)
def test_a_column_that_is_none_is_refused_with_the_nearest_right_name(given: dict[str, Any]) -> None:
    error = refused(Product, **given)
    assert (error.code, error.hint) == ("query-column-unknown", "did you mean name?")


@pytest.mark.parametrize(
    ("model", "condition"),
    [
        (Product, Condition("price", C.GT, "5")),
        (Product, Condition("price", C.GT, True)),
        (Product, Condition("price", C.EQ, Decimal("NaN"))),
        (Product, Condition("price", C.EQ, Decimal("1E+999999"))),
        (Product, Condition("price", C.CONTAINS, Decimal(5))),
        (Product, Condition("statecode", C.EQ, Decimal(1))),
        (Product, Condition("statecode", C.EQ, None)),
        (Product, Condition("isstockitem", C.EQ, 1)),
        (Product, Condition("isstockitem", C.LT, True)),
        (Product, Condition("name", C.EQ, "")),
        (Product, Condition("name", C.STARTS, "  ")),
        (Product, Condition("name", C.LT, "m")),
        (Product, Condition("name", C.EQ, "\ud800")),
        (Product, Condition("name", C.IN, "abc")),
        (Product, Condition("name", C.IN, ("a", 1))),
        (Product, Condition("name", C.IS_BLANK, "yes")),
        (Product, Condition("name", "in", ("a",))),  # type: ignore[arg-type] # the fault
        (SalesOrder, Condition("customerid", C.EQ, "1")),
        (SalesOrder, Condition("customerid", C.EQ, ref(PriceLevel, name="Web"))),
        (SalesOrder, Condition("customerid", C.GT, ACME)),
        (SalesOrder, Condition("tl_orderedon", C.GT, datetime(2026, 1, 1))),  # noqa: DTZ001 - the fault
        (SalesOrder, Condition("tl_orderedon", C.GT, datetime(2026, 1, 1, 0, 0, 0, 5, UTC))),
        (SalesOrderHeader, Condition("RequestedShippingDate", C.EQ, datetime(2026, 1, 1, tzinfo=UTC))),
        (SalesOrderHeader, Condition("SalesOrderStatus", C.EQ, "Open")),
        (SalesOrderHeader, Condition("SalesOrderStatus", C.IS_BLANK, True)),
    ],
    ids=lambda given: (
        f"{given.column}-{given.comparison}-{type(given.value).__name__}"
        if isinstance(given, Condition)
        else given.__name__
    ),
)
def test_what_does_not_fit_its_column_is_refused_without_the_value(model: Any, condition: Condition) -> None:
    error = refused(model, where=(condition,))
    assert error.code == "query-invalid"
    assert condition.column in error.message
    assert "abc" not in error.message + error.hint


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": MOST_ROWS + 1}, "limit"),
        ({"limit": 2.5}, "limit"),
        ({"where": ("name eq 'a'",)}, "where"),
        ({"where": (AnyOf(("name",)),)}, "where"),  # type: ignore[arg-type] # the fault
        ({"order_by": (Sort("pricelevelid"),)}, "pricelevelid"),
        ({"order_by": (Sort("statecode"),)}, "statecode"),
        ({"expand": (Expand("pricelevelid", Account, ("name",)),)}, "pricelevelid"),
    ],
    ids=[
        "nothing",
        "too many",
        "half a row",
        "text",
        "a name",
        "order by a lookup",
        "order by a choice",
        "another table",
    ],
)
def test_what_no_remote_could_answer_alike_is_refused(given: dict[str, Any], name: str) -> None:
    error = refused(Product, **given)
    assert error.code == "query-invalid"
    assert name in error.message


@pytest.mark.parametrize(
    ("comparison", "value", "met"),
    [
        (C.EQ, "acme ", ["Acme", "ACME  "]),
        (C.NE, "acme", ["Beta", "", None]),
        (C.IN, ("beta", "none"), ["Beta"]),
        (C.IN, (), []),
        (C.STARTS, "ac", ["Acme", "ACME  "]),
        (C.CONTAINS, "ET", ["Beta"]),
        (C.IS_BLANK, True, ["", None]),
        (C.IS_BLANK, False, ["Acme", "ACME  ", "Beta"]),
    ],
    ids=lambda given: str(given) if isinstance(given, Comparison) else "",
)
def test_text_is_compared_without_case_and_trailing_spaces(
    comparison: Comparison, value: Any, met: list[Any]
) -> None:
    names = ["Acme", "ACME  ", "Beta", "", None]
    assert [n for n in names if matches((Condition("name", comparison, value),), {"name": n})] == met


@given(st.lists(st.none() | st.decimals(-9, 9, places=1)), st.decimals(-9, 9, places=1))
def test_orderings_of_a_number_part_what_is_filled(prices: list[Decimal | None], limit: Decimal) -> None:
    def met(comparison: Comparison) -> list[Decimal | None]:
        return [p for p in prices if matches((Condition("price", comparison, limit),), {"price": p})]

    filled = [p for p in prices if p is not None]
    assert sorted(met(C.LT) + met(C.GE)) == sorted(met(C.LE) + met(C.GT)) == sorted(filled)  # type: ignore[type-var]
    assert len(met(C.EQ)) + len(met(C.NE)) == len(prices)


def test_one_of_several_alternatives_is_enough_and_of_none_no_row_is() -> None:
    either = AnyOf((Condition("name", C.EQ, "a"), Condition("statecode", C.EQ, 0)))
    rows = [{"name": "a", "statecode": 1}, {"name": "b", "statecode": 0}, {"name": "b", "statecode": 1}]
    assert [matches((either,), row) for row in rows] == [True, True, False]
    assert not matches((AnyOf(()),), rows[0])
    assert Query(Product, (), (AnyOf(()),)).is_void


def test_lists_do_as_well_as_tuples_where_conditions_stand_together() -> None:
    """A query is a key of dictionaries, which a list cannot be."""
    either: Any = [Condition("name", C.EQ, "a")]
    names: Any = ["name"]
    assert hash(AnyOf(either)) == hash(AnyOf(tuple(either)))
    assert hash(Expand("defaultuomid", UnitOfMeasure, names))


def test_a_column_whose_value_is_not_known_is_no_obstacle() -> None:
    assert matches((Condition("name", C.EQ, "a"),), {})


def test_what_is_empty_comes_first_and_last_when_descending() -> None:
    def ordered(*, descending: bool) -> list[int | None]:
        return in_order((Sort("n", descending),), [2, None, 1], lambda number: {"n": number})

    assert ordered(descending=False) == [None, 1, 2]
    assert ordered(descending=True) == [2, 1, None]


def test_nothing_equals_a_row_that_does_not_exist_and_everything_differs_from_it() -> None:
    gone = ref(Account, tl_customerkey="gone")

    def found(reference: Ref[Any]) -> Ref[Any] | None:
        return ACME if reference == ref(Account, tl_customerkey="acme") else None

    def mapped(*terms: Any) -> Query:
        return map_references(Query(Contact, (), terms), found)

    name = Condition("lastname", C.EQ, "x")
    equal, differs = Condition("parentcustomerid", C.EQ, gone), Condition("parentcustomerid", C.NE, gone)
    assert mapped(equal).is_void
    assert mapped(differs, name).where == (name,)
    assert mapped(AnyOf((equal, name))).where == (AnyOf((Condition("parentcustomerid", C.IN, ()), name)),)
    assert mapped(AnyOf((differs, name))).where == ()
    both = Condition("parentcustomerid", C.IN, (gone, ref(Account, tl_customerkey="acme")))
    assert mapped(both).where == (Condition("parentcustomerid", C.IN, (ACME,)),)


def test_a_question_for_several_values_covers_the_one_for_some_of_them() -> None:
    def asked(comparison: Comparison, value: Any, **more: Any) -> Query:
        return Query(Customer, (), (Condition("CustomerAccount", comparison, value),), **more)

    wide = asked(C.IN, ("a", "b"))
    assert covers(wide, asked(C.EQ, "A"))
    assert covers(wide, asked(C.IN, ("b",), limit=1))
    assert covers(asked(C.EQ, "a", limit=1), asked(C.EQ, "a", limit=1))
    assert not covers(wide, asked(C.EQ, "c"))
    assert not covers(asked(C.IN, ("a", "b"), limit=5), asked(C.EQ, "a"))
    assert not covers(asked(C.EQ, "a"), wide)


def test_a_day_is_compared_as_a_day() -> None:
    query = Query(SalesOrderHeader, (), (Condition("RequestedShippingDate", C.GE, date(2026, 1, 2)),))
    assert matches(query.where, {"RequestedShippingDate": date(2026, 1, 2)})
    assert not matches(query.where, {"RequestedShippingDate": date(2026, 1, 1)})
