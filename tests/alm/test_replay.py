"""Shadow replay: which fields of how many recorded records a new release writes otherwise."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.alm import corpus, replay
from tagline.alm.corpus import Recorded
from tagline.connectors.dataverse import Account, SalesOrder
from tagline.domain.exchange import Row
from tagline.domain.lifecycle import FieldChange
from tagline.domain.model import ref
from tagline.errors import InconclusiveError, UsageError

from .conftest import PACKAGE, World

MAPPING = "integrations/orders/orders/mappings/account.py"
FLOWS = "integrations/orders/orders/flows.py"


@pytest.fixture
def world(released_world: World) -> World:
    return released_world


def _order(number: int, name: str, city: str = "Springfield") -> Recorded:
    raw = {"OrderID": number, "CustomerID": number, "BillingFirstName": name, "BillingCity": city}
    return Recorded("orders", str(number), "Order", raw, {"time_zone": "America/New_York", "currency": "USD"})


@pytest.fixture
def directory(world: World) -> Path:
    """Three customers: one new, one known, one whose row nobody recorded."""
    records = [_order(1, "Ann"), _order(2, "Bob", city="Rio"), _order(3, "Cleo")]
    rows: dict[Any, Any] = {
        (Account, (("tl_customerkey", "shop-1"),)): None,
        (Account, (("tl_customerkey", "shop-2"),)): Row(
            (("tl_customerkey", "shop-2"),),
            "id-2",
            None,
            {"accountid": "id-2", "tl_customerkey": "shop-2", "name": "Bob", "address1_city": "Oslo"},
        ),
    }
    folder = world.root / "ann" / "fixtures" / "orders" / "corpus"
    folder.mkdir(parents=True)
    (folder / "orders.json").write_text(corpus.to_json(records, rows))
    return folder


def test_a_plan_tells_which_fields_of_how_many_records_change(world: World, directory: Path) -> None:
    world.deploy(world.released())
    changed = PACKAGE["orders/mappings/account.py"].replace(
        "name=order.BillingFirstName", "name=order.BillingFirstName.upper()"
    )
    made = world.release("1.1.0", files={MAPPING: changed})
    world.prove(made)
    plan = replay.add_changes(world.ann, world.plan(made))
    assert plan.field_changes == (FieldChange(model="account", field="name", records=2, example="2"),)
    assert (plan.records_compared, plan.records_changed, plan.failures_new) == (2, 2, 0)
    assert plan.warnings == ("1 recorded records could not be compared: rows they read were not recorded",)


def test_the_same_code_with_another_setting_is_compared_too(world: World, directory: Path) -> None:
    made = world.released()
    world.deploy(made)
    base = (world.root / "ann" / "environments" / "base.toml").read_text()
    world.commit({"environments/base.toml": base.replace('prefix = "shop"', 'prefix = "other"')})
    plan = replay.add_changes(world.ann, world.plan(made))
    # No row is recorded under the new keys.
    assert (plan.records_compared, plan.field_changes) == (0, ())
    assert plan.warnings == ("3 recorded records could not be compared: rows they read were not recorded",)


def test_what_becomes_a_dead_letter_is_counted_and_not_shown_as_changed_fields(
    world: World, directory: Path
) -> None:
    world.deploy(world.released())
    rejecting = (
        PACKAGE["orders/flows.py"]
        .replace(
            "    await upsert",
            '    require(order.BillingCity != "Rio", cause="city")\n    await upsert',
        )
        .replace("import flow,", "import flow, require,")
    )
    made = world.release("1.1.0", files={FLOWS: rejecting})
    world.prove(made)
    plan = replay.add_changes(world.ann, world.plan(made))
    assert (plan.failures_new, plan.records_changed, plan.field_changes) == (1, 1, ())


def test_code_under_replay_reaches_no_network(world: World, directory: Path) -> None:
    world.deploy(world.released())
    calling = "import socket\n\nsocket.create_connection(('127.0.0.1', 9))\n"
    made = world.release("1.1.0")
    world.prove(made)
    plan = world.plan(made)
    side = replay.Side(world.root / "ann" / "integrations" / "orders", (), {"prefix": "shop"})
    flows = side.code / "orders" / "flows.py"
    flows.write_text(calling + flows.read_text())
    with pytest.raises(InconclusiveError, match="a replay reaches no network") as error:
        replay.compare(side, side, directory)
    assert error.value.code == "replay-failed"
    assert plan.records_compared == 0


def test_without_a_corpus_the_plan_says_that_it_does_not_know(world: World) -> None:
    world.deploy(world.released())
    plan = replay.add_changes(world.ann, world.plan(world.released("1.1.0")))
    assert "not known" in plan.warnings[0]


def test_equal_sides_differ_in_nothing() -> None:
    side = {"f/1": {"code": "", "inconclusive": False, "fields": {"account|k|name": "1"}}}
    found = replay.judge(side, side, {"f/1": 10})
    assert (found.records_compared, found.records_changed, found.field_changes) == (1, 0, ())


def test_the_smallest_record_is_the_example() -> None:
    def side(value: str) -> dict[str, Any]:
        return {
            f"f/{n}": {"code": "", "inconclusive": False, "fields": {f"account|{n}|name": value}}
            for n in "abc"
        }

    found = replay.judge(side("1"), side("2"), {"f/a": 30, "f/b": 10, "f/c": 20})
    assert found.field_changes == (FieldChange(model="account", field="name", records=3, example="b"),)


@given(
    st.none()
    | st.fixed_dictionaries(
        {
            "name": st.text(max_size=10) | st.none(),
            "totalamount": st.none() | st.decimals(-(10**6), 10**6, places=2),
            "tl_orderkey": st.just("k"),
            "customerid": st.none() | st.just(ref(Account, accountid="a-1")),
        }
    )
)
def test_recorded_rows_survive_their_file(tmp_path_factory: pytest.TempPathFactory, values: Any) -> None:
    key = (("tl_orderkey", "k"),)
    row = None if values is None else Row(key, "id-1", None, {**values, "salesorderid": "id-1"})
    rows: dict[Any, Any] = {(SalesOrder, key): row}
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "x.json").write_text(corpus.to_json([_order(1, "A")], rows))
    found = corpus.read(folder)
    assert (found.records, found.rows) == ((_order(1, "A"),), rows)


def test_values_are_spelled_so_that_nothing_is_lost() -> None:
    spelled = [
        corpus.spelled(v)
        for v in (Decimal("1.10"), datetime(2026, 1, 2, tzinfo=UTC), ref(Account, accountid="a"))
    ]
    assert spelled == ["1.10", "2026-01-02T00:00:00+00:00", {"ref": "Account", "key": {"accountid": "a"}}]


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        json.dumps({"schema": 2}),
        json.dumps({"schema": 1, "records": [{"flow": "f"}], "rows": []}),
        json.dumps({"schema": 1, "records": [], "rows": [{"system": "dataverse", "model": "Nothing", "key": {}, "values": None}]}),
        json.dumps({"schema": 1, "records": [], "rows": [{"system": "dataverse", "model": "Account", "key": {"odd": 1}, "values": None}]}),
    ],
    ids=["no json", "newer", "record incomplete", "unknown model", "unknown column"],
)  # fmt: skip
def test_a_file_that_is_no_corpus_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UsageError) as error:
        corpus.read(tmp_path)
    assert (error.value.code, error.value.where) == ("corpus-invalid", {"file": str(tmp_path / "x.json")})
