"""What a budget in a file does for the processes of one machine, a row does for the agents of many."""

from __future__ import annotations

import multiprocessing

import pytest
import sqlalchemy as sa
from tests.runtime.making import START

from tagline.clock import VirtualClock
from tagline.connectors.budget_limits import LeakyBucket
from tagline.connectors.governor import Governor
from tagline.connectors.pace import Pace
from tagline.runtime.budget_rows import RowKeeper
from tagline.runtime.database import Database
from tagline.runtime.tables import budgets

BUCKET = Pace((LeakyBucket(4, 1.0),))
WIDE = Pace((LeakyBucket(1e6, 1.0),))


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def database(place):
    opened = Database.open(place)
    yield opened
    opened.close()


def test_two_agents_of_an_environment_spend_one_budget(database, clock):
    first, second = (Governor(clock, RowKeeper(database, "shop", BUCKET, clock), 4) for _ in range(2))
    for _ in range(2):
        with first.admit(), second.admit():
            pass
    assert clock.now() == START
    with second.admit():
        pass
    assert (clock.now() - START).total_seconds() == pytest.approx(1, abs=0.01)


def test_budgets_of_two_remotes_keep_apart(database, clock):
    spent = RowKeeper(database, "shop", BUCKET, clock)
    spent.change(lambda pace: pace.full(START.timestamp()))
    assert RowKeeper(database, "crm", BUCKET, clock).look() == BUCKET


def test_a_row_that_cannot_be_understood_counts_as_a_spent_budget(database, clock):
    keeper = RowKeeper(database, "shop", BUCKET, clock)
    keeper.change(lambda pace: pace)
    with database.write() as conn:
        conn.execute(sa.update(budgets).values(pace='{"limits": 7}'))
    assert keeper.look().used(START.timestamp()) == 1


def _take(place, count: int) -> None:
    clock = VirtualClock(START)
    database = Database.open(place)
    keeper = RowKeeper(database, "shop", WIDE, clock)
    for _ in range(count):
        keeper.change(lambda pace: pace.reserve(clock.now().timestamp())[0])
    database.close()


def test_no_request_is_lost_between_processes(place, clock):
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_take, args=(place, 30)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    database = Database.open(place)
    assert RowKeeper(database, "shop", WIDE, clock).look().limits[0].level == 90
    database.close()
