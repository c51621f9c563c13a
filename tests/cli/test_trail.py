"""A trail as text and as JSON: complete, in order, and without a value that nobody asked for."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tagline.cli.trace import target_keys
from tagline.cli.trail import WIDEST, render, to_json
from tagline.connectors.dataverse import Account, SalesOrder
from tagline.domain.model import Ref
from tagline.runtime.trails import Change, Step, Trail

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = ("orders", "sync", "7")


def trail(*changes: Change, kind: str = "effect") -> Trail:
    steps = (
        Step(AT, "deployment", None, "release 1.0.0 took over", deployment="d-1", version="1.0.0"),
        Step(AT + timedelta(seconds=1), kind, RECORD, "create row", "done", "d-1", "1.0.0", fields=changes),
        Step(AT + timedelta(seconds=2), "note", RECORD, "letter 1: hello", author="Ann <a@b.example>"),
    )
    return Trail((RECORD,), (("crm", "row", "id-1", '[["tl_key","s-7"]]'),), steps)


def test_a_step_is_one_line_with_its_fields_below() -> None:
    lines = render(trail(Change("name"), Change("total"))).splitlines()
    assert lines == [
        "record orders/sync 7",
        "",
        "stands in",
        "  crm  row  id-1  tl_key s-7",
        "",
        "2026-03-01 12:00:00Z  deployment  release 1.0.0 took over (d-1)",
        "2026-03-01 12:00:01Z  effect      create row: done · 1.0.0 (d-1)",
        "                       name, total",
        "2026-03-01 12:00:02Z  note        letter 1: hello, by Ann <a@b.example>",
    ]


def test_asked_for_values_stand_beside_their_field() -> None:
    account = Ref(Account, (("accountid", "a-1"),))
    changes = (Change("name", None, "x" * 100), Change("customerid", account, ""))
    shown = render(trail(*changes), values=True)
    assert f"name: nothing -> {'x' * (WIDEST - 3)}..." in shown
    assert "customerid: account a-1 -> nothing" in shown
    (effect,) = [s for s in to_json(trail(*changes), values=True)["steps"] if s["kind"] == "effect"]
    assert effect["fields"][1] == {"field": "customerid", "before": "account a-1", "after": ""}


def test_a_letter_names_its_wrong_fields_and_has_no_values() -> None:
    shown = render(trail(Change("rows[].sku"), kind="letter"), values=True)
    assert "rows[].sku" in shown
    assert "nothing" not in shown


@given(st.text("ABCDEFG", min_size=8, max_size=20))
def test_a_value_is_never_told_where_it_was_not_asked_for(value: str) -> None:
    found = trail(Change("name", value, value), Change("total", value, value))
    assert value not in render(found)
    assert value not in json.dumps(to_json(found))


def test_a_typed_key_is_each_alternate_key_it_may_be() -> None:
    assert '[["tl_orderkey","shop-7"]]' in list(target_keys(SalesOrder, "shop-7"))
    assert {'[["tl_orderkey","7"]]', '[["tl_orderkey",7]]'} <= set(target_keys(SalesOrder, "7"))
