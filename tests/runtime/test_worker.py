from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from tests.runtime.fakes import INTEGRATION, Plant, failing, plant
from tests.runtime.making import START, make_deployment

from tagline.domain.exchange import Outcome, Write, WriteKind
from tagline.errors import Disposition, NotAuthorisedError, RecordError, RefusedError, TryAgainError
from tagline.runtime import endings
from tagline.runtime.engine import MemoryEngine
from tagline.runtime.engine_dbos import DbosEngine
from tagline.runtime.worker import WorkDone


class Killed(BaseException):
    """Stands for the death of the process."""


@pytest.fixture(params=["memory", "dbos"])
def works(request, tmp_path: Path) -> Iterator[Plant]:
    engine = (
        MemoryEngine() if request.param == "memory" else DbosEngine(tmp_path / "engine.sqlite", "worker-1")
    )
    with plant(tmp_path, engine) as made:
        yield made


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path) as made:
        yield made


def throttled(after_s: float | None = None) -> Outcome:
    return Outcome(Disposition.RETRY, code="throttled", message="slow down", retry_after_s=after_s)


def number(write: Write) -> str:
    return dict(write.key)["number"]


def live_through_deaths(work: Plant, end: datetime) -> None:
    alive = True
    while work.clock.now() < end:
        try:
            if not alive:
                work.restart()
                alive = True
            work.run_until(end)
        except Killed:
            alive = False


def test_a_hinted_record_is_written_once_however_often_it_is_hinted(works):
    works.place("1", "9.90")
    works.hint("1", "1")
    assert works.worker.work() == WorkDone(done=1)
    works.hint("1")
    assert works.worker.work() == WorkDone(done=1)
    assert works.ledger.totals() == {"1": Decimal("9.90")}
    assert len(works.ledger.writes) == 1


def test_records_that_failed_in_three_ways_stop_no_other(work):
    work.place("1")
    work.place("2", "-1")
    work.place("3")
    work.shop.malformed.add("3")
    work.hint("4")
    work.place("5")
    work.ledger.refuse = lambda write: throttled() if number(write) == "5" else None
    assert work.worker.work() == WorkDone(done=2, dead=2, retried=1)
    assert work.ledger.totals() == {"1": Decimal("1.00")}
    letters = {letter.key: letter for letter in work.store.dead_letters.list()}
    assert {key: letter.cause for key, letter in letters.items()} == {
        "2": "total-negative",
        "3": "record-malformed",
    }
    assert letters["3"].details == ({"field": "total", "reason": "not a number"},)
    assert letters["2"].details[0]["field"] == "total"


def test_a_record_that_is_gone_is_done_without_a_write(work):
    work.hint("404")
    assert work.worker.work() == WorkDone(done=1)
    assert work.ledger.writes == []


def test_a_retry_waits_as_long_as_the_remote_asked(work):
    work.place("1")
    work.ledger.refuse = lambda write: throttled(after_s=300)
    assert work.worker.work().retried == 1
    due = work.store.next_due("orders")
    assert due >= START + timedelta(seconds=300)
    work.hint("1")
    work.ledger.refuse = lambda write: None
    assert work.worker.work() == WorkDone()
    work.clock.advance((due - work.clock.now()).total_seconds())
    assert work.worker.work() == WorkDone(done=1)


def test_a_poisoned_record_ends_in_a_dead_letter_while_others_flow(work):
    work.place("poison")
    work.ledger.refuse = lambda write: throttled() if number(write) == "poison" else None
    for n in range(40):
        work.place(str(n))
        work.run_until(work.clock.now() + timedelta(minutes=5))
    assert len(work.ledger.totals()) == 40
    (letter,) = work.store.dead_letters.list()
    assert (letter.key, letter.cause) == ("poison", "retries-exhausted")
    assert "throttled" in letter.message


def test_a_letter_is_resolved_when_its_record_ends_well_after_a_redrive(work):
    work.place("1", "-1")
    work.worker.work()
    work.shop.orders["1"] = Decimal(5)
    assert work.store.dead_letters.redrive() == 1
    assert work.worker.work() == WorkDone(done=1)
    assert [x.state for x in work.store.dead_letters.list(state=None)] == ["resolved"]
    assert work.ledger.totals() == {"1": Decimal(5)}


def test_an_error_that_stops_pauses_the_worker_and_keeps_every_row(work):
    for n in range(150):
        work.place(str(n))
    work.shop.before_fetch = failing(NotAuthorisedError("who are you", code="not-authorised"))
    assert work.worker.work() == WorkDone(retried=100, stopped="not-authorised")
    assert work.worker.work() == WorkDone(stopped="not-authorised")
    assert str(work.worker.stopped) == "who are you"
    assert len(work.shop.fetches) == 1
    work.shop.before_fetch = lambda keys: None
    assert work.worker.next_due() <= START + endings.PAUSE
    work.run_until(START + timedelta(minutes=3))
    assert work.worker.stopped is None
    assert len(work.ledger.totals()) == 150
    assert work.store.dead_letters.list() == []


def test_a_pause_begins_at_once_also_between_batches(work):
    for n in range(3):
        work.place(str(n))
    for _ in range(endings.CRASHES_ALONE):  # makes each record a batch of its own
        work.store.claim([row.id for row in work.store.ready("orders", START, 9)], "worker")
        work.worker.leases.begin()
    work.shop.before_fetch = failing(NotAuthorisedError("who are you", code="not-authorised"))
    assert work.worker.work().stopped == "not-authorised"
    assert len(work.shop.fetches) == 1


def test_a_write_that_is_not_authorised_pauses_the_worker_too(work):
    work.place("1")
    work.ledger.refuse = lambda write: Outcome(Disposition.STOP, code="not-authorised")
    assert work.worker.work().stopped == "not-authorised"
    assert work.store.counts("orders")["received"] == 1


def test_an_outage_of_the_source_counts_against_no_record(work):
    work.place("1")
    away = TryAgainError("away", code="remote-unavailable", disposition=Disposition.RETRY, retry_after_s=900)
    work.shop.before_fetch = failing(away)
    work.run_until(START + timedelta(hours=5))
    assert len(work.shop.fetches) == 20
    work.shop.before_fetch = lambda keys: None
    work.run_until(START + timedelta(hours=6))
    assert work.ledger.totals() == {"1": Decimal("1.00")}
    assert work.store.dead_letters.list(state=None) == []


def test_a_read_that_fails_for_one_record_is_traced_to_it(work):
    for n in range(5):
        work.place(str(n))

    def fail(keys):
        if "3" in keys:
            raise RecordError("unreadable", code="answer-too-large")

    work.shop.before_fetch = fail
    assert work.worker.work() == WorkDone(done=4, dead=1)
    assert [x.key for x in work.store.dead_letters.list()] == ["3"]


def test_a_hint_during_the_run_runs_the_record_again(work):
    """The order changed after it was read; the webhook came before the run ended."""
    work.place("1", "1.00")

    def change(write):
        work.ledger.after = lambda write: None
        work.shop.orders["1"] = Decimal("2.00")
        work.hint("1")

    work.ledger.after = change
    assert work.worker.work() == WorkDone(done=1)
    assert work.ledger.totals() == {"1": Decimal("1.00")}
    assert work.worker.work() == WorkDone(done=1)
    assert work.ledger.totals() == {"1": Decimal("2.00")}


@pytest.mark.parametrize("when", ["before-the-read", "after-a-write"])
def test_a_worker_that_died_in_mid_batch_loses_and_doubles_nothing(works, when):
    for n in range(30):
        works.place(str(n))

    def die(about):
        if when == "before-the-read" or number(about) == "17":
            works.ledger.after = works.shop.before_fetch = lambda _: None
            raise Killed

    if when == "before-the-read":
        works.shop.before_fetch = die
    else:
        works.ledger.after = die
    with pytest.raises(Killed):
        works.worker.work()
    works.restart()
    assert works.engine.recover() == 0
    works.run_until(START + timedelta(minutes=1))
    assert works.store.counts("orders") == {"received": 0, "done": 30, "dead": 0}
    assert len(works.ledger.created) == len(works.ledger.totals()) == 30


def test_what_was_in_doubt_is_settled_after_the_crash(work):
    work.place("1")

    def die(write):
        work.ledger.after = lambda write: None
        raise Killed

    work.ledger.after = die
    with pytest.raises(Killed):
        work.worker.work()
    work.restart()
    work.worker.work()
    with work.store.database.read() as conn:
        states = conn.exec_driver_sql("SELECT state FROM effects").scalars().all()
    assert "intended" not in states


def test_a_record_that_kills_the_worker_is_set_aside_and_the_others_pass(work):
    for n in range(10):
        work.place(str(n))

    def die(keys):
        if "5" in keys:
            raise Killed

    work.shop.before_fetch = die
    live_through_deaths(work, START + timedelta(minutes=1))
    assert [(x.key, x.cause) for x in work.store.dead_letters.list()] == [("5", "worker-died")]
    assert len(work.ledger.totals()) == 9


def test_a_replaced_deployment_lets_its_records_go_and_the_next_writes_them(tmp_path):
    with plant(tmp_path) as work:
        work.place("1")
        old = work.worker

        def replace_deployment(keys):
            work.shop.before_fetch = lambda keys: None
            work.store.activate(make_deployment(2), {})

        work.shop.before_fetch = replace_deployment
        assert old.work() == WorkDone(retried=1, stopped="fenced")
        assert old.work() == WorkDone(stopped="fenced")
        assert work.ledger.writes == []
        work.engine = MemoryEngine()
        work.deploy(2)
        assert work.worker.work() == WorkDone(done=1)
        with work.store.database.read() as conn:
            assert conn.exec_driver_sql("SELECT DISTINCT deployment FROM effects").scalars().all() == [
                "orders-000002"
            ]


def test_a_worker_of_a_deployment_that_does_not_run_refuses_to_begin(work):
    work.number = 9
    with pytest.raises(RefusedError) as refused:
        work.make_worker().recover()
    assert refused.value.code == "fenced"


def test_rows_of_a_flow_the_release_no_longer_has_become_dead_letters(tmp_path):
    with plant(tmp_path, integration=replace(INTEGRATION, flows={})) as work:
        work.place("1")
        assert work.worker.work() == WorkDone(dead=1)
        assert [x.cause for x in work.store.dead_letters.list()] == ["flow-unknown"]


def test_a_backlog_is_worked_in_batches_of_a_hundred(work):
    for n in range(250):
        work.place(f"{n:03}")
    assert [work.worker.work().records for _ in range(4)] == [100, 100, 50, 0]
    assert [len(keys) for keys in work.shop.fetches] == [100, 100, 50]


class TestSweep:
    def test_the_first_sweep_starts_now_and_brings_no_history(self, work):
        work.shop.place("old")
        assert work.worker.sweep() == 0
        assert work.worker.next_due() == START + timedelta(minutes=5)

    def test_the_first_sweep_reads_what_came_while_the_flow_was_being_deployed(self, work):
        """A shop tells changes by the day, so the first cursor stands before orders that no webhook announced."""
        work.shop.begins = 0
        work.shop.place("1")
        work.shop.place("2")
        assert work.worker.sweep() == 2

    def test_what_no_webhook_told_is_found_by_the_next_sweep(self, work):
        work.worker.sweep()
        work.shop.page_size = 2
        for n in range(5):
            work.shop.place(str(n))
        assert work.worker.sweep() == 0
        work.clock.advance(300)
        assert work.worker.sweep() == 5
        assert work.worker.work() == WorkDone(done=5)

    def test_a_sweep_that_fails_half_way_goes_on_where_it_was(self, work):
        work.worker.sweep()
        work.shop.page_size = 2
        for n in range(6):
            work.shop.place(str(n))
        work.clock.advance(300)
        calls = iter([None, TryAgainError("no", code="cursor-refused")])

        def fail_second():
            error = next(calls, None)
            if error:
                raise error

        work.shop.before_changes = fail_second
        assert work.worker.sweep() == 2
        assert work.worker.troubles["sweep of sync"].code == "cursor-refused"
        assert work.worker.sweep() == 0
        work.run_until(work.clock.now() + timedelta(minutes=7))
        assert len(work.ledger.totals()) == 6
        assert work.worker.troubles == {}

    def test_next_due_is_the_earlier_of_row_and_sweep(self, work):
        assert work.worker.next_due() == START
        work.worker.sweep()
        work.place("1")
        assert work.worker.next_due() == START


@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_orders_through_doubled_hints_failures_deaths_and_redrives(tmp_path, seed):
    """Whatever fails on the way: in the end each order stands in the ledger once, as the shop has it."""
    random = Random(seed)
    with plant(tmp_path, random=random) as work:
        work.worker.sweep()
        bad = {str(n) for n in range(200) if n % 40 == 3}
        for n in range(200):
            key = str(n)
            total = "-1" if key in bad else f"{random.randrange(1, 10_000)}.{random.randrange(100):02}"
            work.shop.place(key, total)
            heard = random.choice([0, 1, 3])  # lost, told once, told three times
            work.hint(*[key] * heard)

        def stumble(write):
            return throttled(random.choice([None, 5, 60])) if random.random() < 0.3 else None

        def die(_):
            if random.random() < 0.01:
                raise Killed

        work.ledger.refuse, work.ledger.after = stumble, die
        end = START + timedelta(hours=4)
        live_through_deaths(work, end)
        letters = work.store.dead_letters.list()
        assert {x.key for x in letters if x.cause == "total-negative"} == bad
        assert all(x.cause in {"total-negative", "retries-exhausted", "worker-died"} for x in letters)

        work.ledger.refuse = work.ledger.after = lambda _: None
        for key in bad:
            work.shop.orders[key] = Decimal("1.00")
        assert work.store.dead_letters.redrive() == len(letters)
        work.run_until(end + timedelta(hours=1))
        assert work.ledger.totals() == work.shop.orders
        assert len(work.ledger.created) == 200
        assert work.store.counts("orders")["received"] == 0
        assert work.store.dead_letters.list() == []
        creates = [w for w in work.ledger.writes if w.kind is WriteKind.CREATE]
        assert len(creates) == 200
