"""However events and answers go astray, what stands at the end is what the mapping says of each order's last version."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from tests.campaign.trade import PER_MILLE, BadTrade
from tests.e2e.oracle import assert_equal_to_shop

from tagline.connectors.shift4shop import Order
from tagline.harness.world import World
from tagline.integration import load
from tagline.runtime.tables import effects
from tagline.sandbox.mishaps import Mishap
from tagline.sandbox.seed import PRICE_LIST

ROOT = Path(__file__).parents[2]
ONE_EFFECT = ROOT / "tests" / "bench" / "order_to_contact"
WHOLE_FLOW = ROOT / "integrations" / "order_to_cash"


@contextmanager
def bad_trade(directory: Path, **settings: Any) -> Iterator[BadTrade]:
    integration = load(directory)
    with (
        TemporaryDirectory(prefix="tagline-oracle-") as folder,
        World(integration, integration.settings.model_validate(settings), Path(folder)) as world,
    ):
        yield BadTrade(world, integration, seed=5, ships=directory == WHOLE_FLOW)


def said_by_the_mapping(trade: BadTrade) -> Mapping[str, Mapping[str, Any]]:
    """Each order's row by its key, worked out from the shop's orders as they are now, over lines that nothing spoils."""
    to_contact = sys.modules["order_to_contact.mappings.contact"].to_contact
    keys = [str(number) for number in trade.placed]
    trade.mend()
    with closing(trade.world.remotes.connect()["shop"]) as shop:
        orders = [
            order
            for start in range(0, len(keys), 100)
            for order in shop.fetch(Order, keys[start : start + 100]).records.values()
        ]
    assert len(orders) == len(keys)
    rows = [to_contact(order).given() for order in orders]
    return {row["tl_customerkey"]: {name: value or None for name, value in row.items()} for row in rows}


def assert_nothing_is_left(trade: BadTrade) -> None:
    """No row waits, no record is set aside, no write is in doubt."""
    store = trade.world.store
    assert store.counts(trade.integration.name)["received"] == 0
    assert store.dead_letters.list(state=None) == []
    with store.database.read() as conn:
        states = dict(
            conn.execute(sa.select(effects.c.state, sa.func.count()).group_by(effects.c.state)).all()
        )
    assert set(states) <= {"done", "failed", "happened", "not-happened"}
    # Answers of writes were lost: some had been made, and were not made again.
    assert states["happened"] > 0


def assert_lines_were_bad(trade: BadTrade, events: int) -> None:
    told = trade.mishaps
    assert told[Mishap.DOUBLED] == pytest.approx(0.2 * events, rel=0.25)
    assert told[Mishap.REORDERED] == pytest.approx(0.15 * events, rel=0.25)
    assert min(trade.faults[fault] for fault in PER_MILLE) > 0, trade.faults


@pytest.mark.parametrize(
    "events", [1_200, pytest.param(50_000, marks=pytest.mark.campaign)], ids=["1200", "50000"]
)
def test_each_order_stands_once_as_the_mapping_says(events: int):
    with bad_trade(ONE_EFFECT) as trade:
        strangers = len(trade.world.rows("contact"))
        trade.run(events)
        assert_lines_were_bad(trade, events)
        assert_nothing_is_left(trade)
        wanted = said_by_the_mapping(trade)
        ours = [row for row in trade.world.rows("contact") if row.get("tl_customerkey")]
        standing = {
            row["tl_customerkey"]: {name: row[name] for name in wanted[row["tl_customerkey"]]} for row in ours
        }
        assert wanted == standing
        assert len(ours) == len(standing) == len(trade.placed)
        assert len(trade.world.rows("contact")) == strangers + len(ours)


@pytest.mark.parametrize("events", [60, pytest.param(1_200, marks=pytest.mark.campaign)], ids=["60", "1200"])
def test_each_order_of_the_whole_flow_stands_once_with_lines_customer_and_state(events: int):
    with bad_trade(WHOLE_FLOW, price_level=PRICE_LIST) as trade:
        trade.run(events)
        assert_nothing_is_left(trade)
        assert_equal_to_shop(trade.world.remotes, trade.placed)
