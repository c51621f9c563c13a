"""Agents of two machines on one PostgreSQL database: one leaves or dies, and the other goes on with its work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.e2e.ground import (
    clone,
    ground,
    release,
    rows,
    select,
    start_agent,
    wait_until,
)
from tests.runtime import postgres

from tagline.clock import SystemClock
from tagline.harness.scratch import Scratch
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.places import URL_VARIABLE, state_place
from tagline.runtime.store import Store
from tagline.runtime.tables import leases


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Scratch]:
    """A scratch copy whose agents find their state in PostgreSQL."""
    found = postgres.programs()
    if found is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql")
    with postgres.server(found) as url, ground(tmp_path) as made:
        yield Scratch(made.folder, made.served, {**made.environ, URL_VARIABLE: url}, made.agents)


def open_store(made: Scratch) -> Store:
    place = state_place(made.state("dev"), "dev", made.environ)
    return Store.open(place, ring=KeyRing.of(made.environ["TAGLINE_DEV_STATE_KEY"]), clock=SystemClock())


def holders(store: Store) -> set[str]:
    return {row["holder"] for row in select(store, sa.select(leases.c.holder))}


def written(made: Scratch, ids: list[int]) -> bool:
    shop = made.sandbox.shops["dev"]
    with shop.door.lock:
        return all(shop.orders[i]["ExternalComments"] for i in ids)


def together(made: Scratch) -> Scratch:
    """Deploy with one agent, let a second one join it; returns the second one's copy."""
    release(made)
    start_agent(made)
    made.tagline("deploy", "order_to_cash/v1.0.0", "--env", "dev")
    second = clone(made, "second")
    second.start_agent("dev", "--listen", "127.0.0.1:0", "--name", "second")
    with closing(open_store(made)) as store:
        wait_until(lambda: len(holders(store)) == 2, "two workers have leases", 60)
    return second


def sales_orders(made: Scratch) -> list[str]:
    return sorted(str(row["tl_orderkey"]) for row in rows(made, "salesorder"))


def test_an_agent_that_leaves_hands_its_records_over_at_once(shared: Scratch):
    second = together(shared)
    shop = shared.sandbox.shops["dev"]
    ids = shop.place_orders(20, 1)
    wait_until(lambda: written(shared, ids), "orders of two agents")
    second.stop_agents()
    with closing(open_store(shared)) as store:
        wait_until(lambda: len(holders(store)) == 1, "one worker has all leases")
    more = shop.place_orders(20, 2)
    wait_until(lambda: written(shared, more), "orders of the agent that is left")
    orders = sales_orders(shared)
    assert len(orders) == len(set(orders)) == 40


@pytest.mark.campaign
def test_the_work_of_a_killed_agent_is_taken_over(shared: Scratch):
    second = together(shared)
    shop = shared.sandbox.shops["dev"]
    ids = shop.place_orders(60, 1)
    wait_until(lambda: any(written(shared, [i]) for i in ids), "the first order")
    second.kill_agent("dev")
    wait_until(lambda: written(shared, ids), "orders of both", 240)
    orders = sales_orders(shared)
    assert len(orders) == len(set(orders)) == 60
