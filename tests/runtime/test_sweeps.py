"""What flows do by the clock: sweeps and compares whose due time follows from rows of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.runtime.fakes import INTEGRATION, Invoice, NoSettings, Order, Plant, failing, sync
from tests.runtime.making import make_store
from tests.runtime.test_back_fill import ListedShop

from tagline.clock import VirtualClock
from tagline.connectors.pace import Lane
from tagline.errors import TryAgainError, UsageError
from tagline.flow.declare import Flow, flow
from tagline.flow.effects import upsert
from tagline.flow.schedules import cron
from tagline.runtime.engine import MemoryEngine
from tagline.runtime.store import Hint
from tagline.runtime.worker import WorkDone

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)
"""A Friday."""
MORNINGS = cron("0 6 * * MON-FRI", zone="Europe/Amsterdam")
NIGHTLY = cron("0 3 * * *", zone="Europe/Amsterdam")
MONDAY = datetime(2026, 3, 9, 5, tzinfo=UTC)
NIGHT = datetime(2026, 3, 7, 2, tzinfo=UTC)


@flow(compare=NIGHTLY, key=Order.key)
async def compare(order: Order, settings: NoSettings) -> None:
    """A flow that nothing but the clock starts."""
    await upsert(Invoice(number=order.number, total=order.total))


@dataclass
class Clocked(Plant):
    shop: ListedShop = field(default_factory=ListedShop)


@contextmanager
def clocked(folder: Path, only: Flow) -> Iterator[Clocked]:
    clock = VirtualClock(NOON)
    store = make_store(folder, clock)
    # A flow's name is where its rows, cursors and compares are found.
    integration = replace(INTEGRATION, flows={only.name: only})
    try:
        yield Clocked(store, clock, MemoryEngine(), integration=integration)
    finally:
        store.close()


@pytest.fixture
def mornings(tmp_path: Path) -> Iterator[Clocked]:
    with clocked(tmp_path, replace(sync, sweep=MORNINGS)) as made:
        yield made


@pytest.fixture
def nightly(tmp_path: Path) -> Iterator[Clocked]:
    with clocked(tmp_path, compare) as made:
        made.shop.page_size = 2
        for number in "12345":
            made.shop.orders[number] = Decimal(number)
        yield made


def sweeps(work: Clocked) -> list[datetime]:
    """When changes were read, from now on."""
    found: list[datetime] = []
    work.shop.before_changes = lambda: found.append(work.clock.now())
    return found


def test_a_sweep_at_times_of_the_clock_reads_what_came_since_the_last(mornings: Clocked) -> None:
    read = sweeps(mornings)
    mornings.run_until(MONDAY - timedelta(hours=1))
    assert set(read) == {NOON}
    mornings.shop.place("1")
    mornings.run_until(MONDAY + timedelta(days=1))
    assert [each for each in read if each > NOON] == [MONDAY]
    assert mornings.ledger.totals() == {"1": Decimal("1.00")}


def test_what_was_missed_while_the_agent_was_down_is_done_once(mornings: Clocked) -> None:
    mornings.run_until(NOON + timedelta(minutes=1))
    mornings.shop.place("1")
    mornings.clock.advance(timedelta(days=11).total_seconds())
    mornings.engine = MemoryEngine()  # its history is lost, too
    mornings.worker = mornings.make_worker()
    mornings.worker.recover()
    read, back = sweeps(mornings), mornings.clock.now()
    assert mornings.worker.next_due() <= back
    mornings.run_until(back + timedelta(hours=12))
    assert read == [back]
    assert mornings.ledger.totals() == {"1": Decimal("1.00")}


def test_a_sweep_that_breaks_off_is_not_put_off_to_the_next_morning(mornings: Clocked) -> None:
    mornings.run_until(NOON + timedelta(minutes=1))
    mornings.shop.page_size = 1
    for number in "123":
        mornings.shop.place(number)
    calls = iter([None, TryAgainError("no", code="cursor-refused")])

    def fail_second() -> None:
        if error := next(calls, None):
            raise error

    mornings.shop.before_changes = fail_second
    mornings.run_until(MONDAY + timedelta(seconds=1))
    mornings.restart()
    mornings.run_until(MONDAY + timedelta(minutes=5))
    assert len(mornings.ledger.totals()) == 3


def test_a_compare_runs_every_record_of_the_source_and_nothing_else_starts_it(nightly: Clocked) -> None:
    nightly.run_until(NIGHT)
    assert nightly.ledger.totals() == {}
    assert nightly.worker.next_due() == NIGHT
    nightly.run_until(NIGHT + timedelta(minutes=1))
    assert nightly.ledger.totals() == nightly.shop.orders
    writes = len(nightly.ledger.writes)
    nightly.run_until(NIGHT + timedelta(days=1, minutes=1))
    assert nightly.shop.pages == [None, "2", "4"] * 2
    assert len(nightly.ledger.writes) == writes


def test_a_compare_puts_right_what_a_person_changed_at_the_target(nightly: Clocked) -> None:
    nightly.run_until(NIGHT + timedelta(minutes=1))
    next(iter(nightly.ledger.rows.values()))["total"] = Decimal(99)
    nightly.run_until(NIGHT + timedelta(days=1, minutes=1))
    assert nightly.ledger.totals() == nightly.shop.orders


def test_a_compare_goes_on_where_a_dead_worker_left_it_and_live_work_comes_between(nightly: Clocked) -> None:
    nightly.run_until(NIGHT)
    assert nightly.worker.sweep() == 2
    nightly.restart()
    nightly.store.receive([Hint("orders", "compare", "9", "webhook", "shop")])
    assert nightly.worker.work() == WorkDone(done=1)
    assert nightly.worker.next_due() <= NIGHT
    nightly.run_until(NIGHT + timedelta(minutes=1))
    assert nightly.shop.pages == [None, "2", "4"]
    assert nightly.ledger.totals() == nightly.shop.orders


def test_records_of_a_compare_wait_behind_live_ones_and_keep_to_the_start(nightly: Clocked) -> None:
    nightly.run_until(NIGHT)
    nightly.worker.sweep()
    rows = nightly.store.ready("orders", nightly.clock.now(), 10, Lane.BACK_FILL)
    assert [(row.key, row.asked) for row in rows] == [("1", False), ("2", False)]


def test_a_source_that_cannot_be_listed_is_told(nightly: Clocked) -> None:
    nightly.shop.before_page = failing(UsageError("no list", code="not-supported"))
    nightly.run_until(NIGHT + timedelta(minutes=10))
    assert {topic: error.code for topic, error in nightly.worker.troubles.items()} == {
        "compare of compare": "not-supported"
    }
