"""Who waits, and where the budget is kept."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tagline.clock import VirtualClock
from tagline.connectors.budget_file import FileKeeper
from tagline.connectors.budget_limits import ExecutionTime, InFlight, LeakyBucket, Told
from tagline.connectors.budgets import governor_for, in_files
from tagline.connectors.governor import Governor, MemoryKeeper
from tagline.connectors.pace import Pace
from tagline.domain.environment import Shift4ShopConnection
from tagline.errors import TryAgainError

START = datetime(2026, 1, 1, tzinfo=UTC)
BUCKET = Pace((LeakyBucket(2, 1.0),))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def test_the_governor_waits_on_the_clock(clock):
    governor = Governor(clock, BUCKET, 2)
    for _ in range(5):
        with governor.admit():
            pass
    assert (clock.now() - START).total_seconds() == pytest.approx(3, abs=0.01)


def test_a_wait_beyond_patience_is_told_instead_and_costs_nothing(clock):
    governor = Governor(clock, BUCKET, 2, patience_s=10)
    governor.stop(300)
    with pytest.raises(TryAgainError) as caught, governor.admit():
        pass
    assert caught.value.code == "remote-throttled"
    assert caught.value.retry_after_s == pytest.approx(300)
    clock.advance(300)
    with governor.admit(), governor.admit():
        assert (clock.now() - START).total_seconds() == pytest.approx(300)


def test_what_the_remote_asks_for_holds_for_everybody(clock):
    governor = Governor(clock, BUCKET, 2)
    with governor.admit() as turn:
        turn.told(429, 0.1, retry_after_s=7.0)
    with governor.admit():
        assert clock.now() - START >= timedelta(seconds=7)


def test_an_answer_that_never_came_is_told_by_itself(clock):
    governor = Governor(clock, Pace((ExecutionTime(100.0, 300.0), InFlight(1))), 2)
    with suppress(ZeroDivisionError), governor.admit():
        clock.advance(40)
        raise ZeroDivisionError
    assert governor.used() == pytest.approx(0.4)


def test_throttling_leaves_fewer_places_once_for_each_incident_and_they_come_back(clock):
    governor = Governor(clock, Pace((LeakyBucket(1e6, 1e6),)), 8)
    for _ in range(5):
        governor.learn(Told(429, 0.1))
    assert governor.parallelism == 4
    clock.advance(60)
    governor.learn(Told(429, 0.1))
    assert governor.parallelism == 2
    for _ in range(100):
        governor.learn(Told(200, 0.1))
    assert governor.parallelism == 8


def test_the_remotes_hint_bounds_the_places(clock):
    governor = Governor(clock, Pace((LeakyBucket(1e6, 1e6),)), 16)
    governor.learn(Told(200, 0.1), parallel_hint=4)
    assert governor.parallelism == 4


def test_no_more_than_the_places_are_under_way(clock):
    governor = Governor(clock, Pace((LeakyBucket(1e6, 1e6),)), 3)
    most, under_way, lock = [0], [0], threading.Lock()
    gate = threading.Barrier(3)

    def ask() -> None:
        with governor.admit():
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            gate.wait()
            with lock:
                under_way[0] -= 1

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [3]


def test_two_processes_of_an_environment_spend_one_budget(tmp_path, clock):
    fresh = Pace((LeakyBucket(4, 1.0),))
    first, second = (Governor(clock, FileKeeper(tmp_path / "shop.json", fresh, clock), 4) for _ in range(2))
    for _ in range(2):
        with first.admit(), second.admit():
            pass
    assert clock.now() == START
    with second.admit():
        pass
    assert (clock.now() - START).total_seconds() == pytest.approx(1, abs=0.01)


def test_a_worker_that_starts_anew_knows_what_the_one_before_it_spent(tmp_path, clock):
    config = Shift4ShopConnection.model_validate(
        {
            "system": "shift4shop",
            "store_url": "https://a.test",
            "private_key": "env:A",
            "token": "env:B",
            "time_zone": "UTC",
            "currency": "USD",
            "webhook_token": "env:C",
        }
    )
    before = governor_for(config, clock, keep=in_files(tmp_path, clock))
    for _ in range(40):
        with before.admit():
            pass
    assert clock.now() == START
    after = governor_for(config, clock, keep=in_files(tmp_path, clock))
    assert after.used() == pytest.approx(1.0)
    with after.admit():
        assert clock.now() > START


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"limits": [], "seen": 0, "silent_until": 0}',
        '{"limits": [{"kind": "LeakyBucket", "level": null, "at": 0}], "seen": 0, "silent_until": 0}',
        '{"limits": [{"kind": "LeakyBucket", "level": [1], "at": 0}], "seen": 0, "silent_until": 0}',
        '{"limits": [{"kind": "LeakyBucket", "level": NaN, "at": 0}], "seen": 0, "silent_until": 0}',
        '{"limits": [{"kind": "LeakyBucket", "level": 0, "at": 0}], "seen": 0, "silent_until": Infinity}',
        "[" * 100_000,
    ],
    ids=["empty", "half", "list", "no-limits", "null", "list-for-number", "nan", "endless-silence", "deep"],
)
def test_a_file_that_cannot_be_read_counts_as_a_spent_budget(tmp_path, clock, text):
    path = tmp_path / "shop.json"
    path.write_text(text)
    governor = Governor(clock, FileKeeper(path, BUCKET, clock), 2)
    with governor.admit():
        pass
    assert (clock.now() - START).total_seconds() == pytest.approx(1, abs=0.01)


@pytest.fixture
def full_disk(tmp_path):
    """A place in which nothing can be written: a file stands where its folder should be."""
    (tmp_path / "state").write_text("")
    return tmp_path / "state" / "budgets" / "shop.json"


def test_an_answer_is_not_lost_because_the_budget_cannot_be_written_down(full_disk, clock, caplog):
    """A write that the remote has performed would else be told of as failed."""
    governor = Governor(clock, FileKeeper(full_disk, BUCKET, clock), 2)
    for _ in range(5):
        with governor.admit() as turn:
            turn.told(200, 0.1)
    # What cannot be read either counts as spent.
    assert (clock.now() - START).total_seconds() == pytest.approx(5, abs=0.01)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_budget_is_shared_again_as_soon_as_it_can_be_written_down(tmp_path, full_disk, clock):
    keeper = FileKeeper(full_disk, BUCKET, clock)
    governor = Governor(clock, keeper, 2)
    with governor.admit():
        pass
    (tmp_path / "state").unlink()
    full_disk.parent.mkdir(parents=True)
    with governor.admit():
        pass
    assert FileKeeper(full_disk, BUCKET, clock).look() == keeper.look()
    assert governor.used() == pytest.approx(1, abs=0.01)


def test_a_budget_is_shown_from_a_folder_that_cannot_be_written(tmp_path, clock):
    path = tmp_path / "shop.json"
    FileKeeper(path, BUCKET, clock).change(lambda pace: pace.full(START.timestamp()))
    path.with_name("shop.json.lock").unlink()
    path.with_name("shop.json.lock").mkdir()  # also for root, who may write anywhere
    assert FileKeeper(path, BUCKET, clock).look().used(START.timestamp()) == 1


def _take(path, count: int) -> None:
    clock = VirtualClock(START)
    keeper = FileKeeper(path, Pace((LeakyBucket(1e6, 1.0),)), clock)
    for _ in range(count):
        keeper.change(lambda pace: pace.reserve(clock.now().timestamp())[0])


def test_no_request_is_lost_between_processes(tmp_path, clock):
    path = tmp_path / "shop.json"
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_take, args=(path, 50)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    pace = FileKeeper(path, Pace((LeakyBucket(1e6, 1.0),)), clock).look()
    assert pace.limits[0].level == 150


def _batches(count, parallel, per_unit_s=0.05):
    pace = Pace((ExecutionTime(1200.0, 300.0, per_unit_s=per_unit_s, deviation_s=0.0),))
    size = Governor(VirtualClock(START), pace, parallel).batch_size(count, 100)
    return [min(size, count - first) for first in range(0, count, size)]


@pytest.mark.parametrize(
    ("count", "parallel", "per_unit_s", "sizes"),
    [
        pytest.param(1000, 4, 0.05, [84] * 11 + [76], id="spread-evenly-over-rounds"),
        pytest.param(200, 4, 0.05, [50] * 4, id="all-side-by-side"),
        pytest.param(30, 16, 0.05, [25, 5], id="few-are-not-scattered"),
        pytest.param(230, 1, 0.05, [100, 100, 30], id="one-after-the-other"),
        pytest.param(100, 1, 0.2, [25] * 4, id="slow-rows-in-smaller-batches"),
        pytest.param(30, 1, 9.0, [10] * 3, id="never-less-than-ten"),
        pytest.param(250, 1, 0.0, [100, 100, 50], id="nothing-is-known-of-their-cost"),
    ],
)
def test_batches_are_as_large_as_the_budget_advises(count, parallel, per_unit_s, sizes):
    assert _batches(count, parallel, per_unit_s) == sizes


def test_a_turn_given_up_in_a_silence_leaves_its_place(clock):
    """It was never sent, so that it counts for nothing under way."""

    class Throttled(MemoryKeeper):
        """Somebody else is throttled just after the turn was taken."""

        def look(self):
            self.change(lambda pace: pace.stop(START.timestamp(), 300))
            return super().look()

    governor = Governor(clock, Throttled(Pace((InFlight(1),))), 2)
    with pytest.raises(TryAgainError) as caught, governor.admit():
        pytest.fail("sent")
    assert caught.value.code == "remote-throttled"
    assert governor.used() == 0


def test_a_turn_taken_ahead_is_none_once_the_remote_wants_silence(clock):
    """Who has waited long takes its turn ahead; meanwhile another request is throttled."""

    class Interrupted(VirtualClock):
        def sleep(self, seconds):
            super().sleep(seconds)
            if self.now() > START and not told:
                told.append(True)
                governor.stop(30)

    told = []
    governor = Governor(Interrupted(START), Pace((LeakyBucket(1, 0.05),)), 1)
    for _ in range(2):
        with governor.admit():
            left = governor.clock.now()
    assert (left - START).total_seconds() >= 50
