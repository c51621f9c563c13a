"""Generated records reach the lengths, amounts and coincidences at which mappings break, and shrink to little."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tagline.connectors.shift4shop import Order, OrderItem
from tagline.domain.model import Model, Ref, Remote, column
from tagline.domain.settings import Settings
from tagline.errors import UsageError
from tagline.flow import Found, Written
from tagline.harness.disturb import Kept, disturbed
from tagline.harness.needs import needs_of
from tagline.harness.search import drawn, made, smallest
from tagline.harness.strategies import Needs, arguments, records
from tagline.integration import load
from tagline.mapping.table import value_at

INTEGRATION = load(Path(__file__).parents[2] / "integrations" / "order_to_cash")


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Team(Model):
    remote: ClassVar[Remote] = Remote("crm", "team", "teams", "teamid")
    teamid: str | None = column()
    title: str | None = column(required=True, max_length=10)


class Thing(Model):
    title: str = column(default="", max_length=10)
    unbound: str = column(default="")
    size: Size = column(default=Size.SMALL)
    kind: Literal["x", "y"] = column(default="x")
    state: int | None = column(options=(3, 4))
    price: Decimal = column(default=Decimal(0), precision=2)
    at: datetime | None = column()
    flag: bool = column(default=False)
    team: Ref[Team] | None = column()
    tags: tuple[str, ...] = column(default=())


class Ours(Settings):
    store: str = "shop"


PARAMETERS = {"thing": Thing, "team": Ref[Team] | None, "row": Written, "found": Found | None, "ours": Ours}
NEEDS = Needs(
    target=Team, limits={"unbound": frozenset({80})}, found={"title": Team}, settings=Ours(store="a")
)


def many(parameters: Mapping[str, Any], needs: Needs, count: int = 400) -> list[dict[str, Any]]:
    make, random = arguments(parameters, needs), Random(1)
    return [drawn(make, random)[0] for _ in range(count)]


def test_every_edge_of_a_text_is_reached_and_none_is_wider_than_its_remote_allows():
    things = [a["thing"] for a in many(PARAMETERS, NEEDS)]
    widths = {len(t.title.encode("utf-16-le")) // 2 for t in things}
    assert {0, 1, 9, 10} <= widths
    assert max(widths) == 10
    assert {79, 80, 81} <= {len(t.unbound) for t in things}
    assert any(len(t.unbound) == 40 and "\U0001f6d2" in t.unbound for t in things)


def test_choices_absences_ties_and_coincidences_all_occur():
    made_ = many(PARAMETERS, NEEDS)
    things = [a["thing"] for a in made_]
    assert {None, 3, 4} == {t.state for t in things}
    assert set(Size) == {t.size for t in things}
    assert {"x", "y"} == {t.kind for t in things}
    assert {0, 1, 2, 3} == {len(t.tags) for t in things}
    assert all(t.price == round(t.price, 2) for t in things)
    assert any(t.price != round(t.price, 1) for t in things)
    assert {True, False} == {a["team"] is None for a in made_}
    assert any(a["found"] and a["found"].id == a["row"].id for a in made_)
    assert {"a"} == {a["ours"].store for a in made_}
    assert {True, False} == {a["found"].values["title"] is None for a in made_ if a["found"]}


def test_an_item_is_one_of_its_orders_own_unless_the_order_has_none():
    made_ = many({"item": OrderItem, "order": Order}, Needs())
    assert all(a["item"] in a["order"].OrderItemList for a in made_ if a["order"].OrderItemList)
    assert any(not a["order"].OrderItemList for a in made_)


@hypothesis_settings(max_examples=20)
@given(records(Order))
def test_authors_get_a_strategy_of_whole_valid_records(order: Order):
    assert order == Order.model_validate(order.model_dump())


def test_a_type_without_values_is_refused_by_name():
    with pytest.raises(UsageError) as caught:
        arguments({"odd": complex}, Needs())
    assert caught.value.code == "strategy-unknown"
    assert "odd" in caught.value.message


def test_a_mappings_needs_are_its_limits_what_it_never_reads_and_the_columns_it_looks_at():
    needs = needs_of(INTEGRATION.mappings["to_product_line"], None)
    assert {2000} == needs.limits["ItemDescription"]
    assert "order.BillingCity" in needs.unread
    assert "order.SalesTax" not in needs.unread
    assert "defaultuomid" in needs.found
    assert Ref in {type(a["product"].values["defaultuomid"]) for a in many({"product": Found}, needs, 20)}


def test_the_smallest_record_keeps_only_what_breaks():
    make, random = arguments({"order": Order}, Needs()), Random(3)

    def breaks(record: Mapping[str, Any]) -> bool:
        return any(len(s.ShipmentCity) > 40 for s in record["order"].ShipmentList)

    choices = next(c for r, c in (drawn(make, random) for _ in range(500)) if breaks(r))
    least = smallest(make, choices, breaks)["order"]
    (shipment,) = least.ShipmentList
    plain = made(make, {"order.ShipmentList#": 1})[0]["order"]
    assert shipment.ShipmentCity == "a" * 49
    assert least == plain.model_copy(
        update={
            "ShipmentList": (
                plain.ShipmentList[0].model_copy(update={"ShipmentCity": shipment.ShipmentCity}),
            )
        }
    )


PATHS = (
    "order.BillingCity",
    "order.OrderItemList[].ItemUnitPrice",
    "order.ShipmentList[].ShipmentNumber",
    "order.OrderDate",
    "thing.tags",
    "thing.size",
    "row.id",
    "found.values[]",
)
BOTH = {"order": Order, **PARAMETERS}


@given(seed=st.integers(0, 10_000), paths=st.sets(st.sampled_from(PATHS)), blank=st.booleans())
@hypothesis_settings(deadline=None, max_examples=60)
def test_a_disturbance_changes_everything_but_what_is_kept(seed: int, paths: set[str], blank: bool):
    record = drawn(arguments(BOTH, replace(NEEDS, unread=())), Random(seed))[0]
    other = disturbed(record, BOTH, Kept.at(paths), blank=blank)
    for path in paths:
        assert value_at(path, record) == value_at(path, other)
    assert record["ours"] == other["ours"]
    changing = {"order.BillingCity", "thing.size", "row.id"} - paths
    for path in changing:
        empty = blank and value_at(path, record) in ("", None)
        assert empty or value_at(path, record) != value_at(path, other)
    assert record["order"].OrderID != other["order"].OrderID
