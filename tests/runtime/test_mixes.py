"""Hot, waiting, refused and deadly records beside good ones: the good ones are run as if they were alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.fakes import Plant, plant
from tests.runtime.making import START, make_hint

from tagline.domain.exchange import Outcome, Write
from tagline.errors import Disposition, TryAgainError
from tagline.runtime import endings

TICK_S = 30.0
KINDS = ("hot", "waiting", "silent", "refused", "malformed", "deadly")


class Killed(BaseException):
    """Stands for the death of the process."""


@dataclass
class Mix:
    """A plant among whose records some are trouble, by the beginning of their key."""

    work: Plant
    lives: int = 0
    bad: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work.ledger.refuse = self._refuse
        self.work.shop.before_fetch = self._die
        self.work.worker.sweep()

    def trouble(self, kind: str) -> None:
        number = self.bad[kind] = self.bad.get(kind, 0) + 1
        key = f"{kind}-{number if kind in ('refused', 'malformed') else 1}"
        self.work.shop.place(key, "-1" if kind == "refused" else str(number))
        if kind == "malformed":
            self.work.shop.malformed.add(key)
        self.work.hint(*[key] * (200 if kind == "hot" else 1))

    def work_once(self) -> None:
        """One call of `work`, in as many lives as it takes."""
        while True:
            try:
                self.work.worker.work()
            except Killed:
                self._next_life()
            else:
                return

    def _next_life(self) -> None:
        while True:
            self.lives += 1
            try:
                self.work.restart()
            except Killed:
                continue
            return

    def _refuse(self, write: Write) -> Outcome | None:
        key = dict(write.key)["number"]
        if key.startswith("waiting"):
            return Outcome(Disposition.RETRY, code="remote-throttled", retry_after_s=3600)
        if key.startswith("silent"):
            return Outcome(Disposition.RETRY, code="remote-outcome-unknown")
        return None

    def _die(self, keys: Sequence[str]) -> None:
        if any(key.startswith("deadly") for key in keys):
            raise Killed


@contextmanager
def mix() -> Iterator[Mix]:
    with TemporaryDirectory(prefix="tagline-mix-") as folder, plant(Path(folder)) as work:
        yield Mix(work)


ticks = st.lists(
    st.tuples(st.integers(0, 6), st.lists(st.sampled_from(KINDS), max_size=4)), min_size=2, max_size=8
)


def assert_good_ones_come_first(plan: Sequence[tuple[int, Sequence[str]]]) -> None:
    with mix() as mixed:
        work, good = mixed.work, 0
        for count, kinds in plan:
            for kind in kinds:
                mixed.trouble(kind)
            for _ in range(count):
                good += 1
                work.place(f"good-{good}", str(good))
            mixed.work_once()
            mine = {key: total for key, total in work.ledger.totals().items() if key.startswith("good")}
            assert mine == {f"good-{n}": Decimal(n) for n in range(1, good + 1)}
            work.clock.advance(TICK_S)
        assert mixed.lives <= endings.CRASHES * mixed.bad.get("deadly", 0)
        if "hot" in mixed.bad:
            assert work.ledger.totals()["hot-1"] == mixed.bad["hot"]
        assert work.worker.troubles == {}


@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ticks)
def test_good_records_are_run_by_the_first_batch_after_they_came(plan: list[tuple[int, list[str]]]) -> None:
    """That is what their latency is without the others; a death gives it a few lives more, which end."""
    assert_good_ones_come_first([(1, KINDS), *plan])


@pytest.mark.campaign
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ticks)
def test_good_records_are_run_by_the_first_batch_after_they_came_in_many_mixes(
    plan: list[tuple[int, list[str]]],
) -> None:
    assert_good_ones_come_first(plan)


def test_five_hundred_dead_letters_and_three_hundred_that_wait_an_hour_cost_the_others_nothing() -> None:
    with mix() as mixed:
        work = mixed.work
        refused, waiting = (
            [f"{kind}-{n}" for n in range(count)] for kind, count in (("refused", 500), ("waiting", 300))
        )
        work.shop.orders.update(dict.fromkeys(refused, Decimal(-1)) | dict.fromkeys(waiting, Decimal(1)))
        work.store.receive([make_hint(key) for key in (*refused, *waiting)])
        for _ in range(8):
            mixed.work_once()
        assert work.store.counts("orders")["dead"] == 500
        writes, fetches = len(work.ledger.writes), len(work.shop.fetches)
        for n in range(20):
            work.place(f"good-{n}")
            work.clock.advance(1)
            mixed.work_once()
        assert len(work.ledger.writes) == writes + 20
        assert work.shop.fetches[fetches:] == [(f"good-{n}",) for n in range(20)]


def test_a_key_that_is_hinted_two_hundred_times_a_second_is_run_once_a_batch_and_ends_as_it_stands() -> None:
    with mix() as mixed:
        work = mixed.work
        for second in range(1, 11):
            mixed.trouble("hot")
            work.place(f"good-{second}")
            mixed.work_once()
            work.clock.advance(1)
        assert len(work.shop.fetches) == 10
        assert work.ledger.totals()["hot-1"] == 10
        assert work.store.counts("orders")["received"] == 0


def test_a_record_for_whose_sake_the_remote_answers_nobody_is_found_and_set_aside() -> None:
    """A whole request is lost with it: its company shrinks until it is alone, and the others go on."""
    with mix() as mixed:
        work = mixed.work
        perform = work.ledger.perform

        def lost(writes: Sequence[Write]) -> Sequence[Outcome]:
            if any(dict(write.key)["number"] == "poison" for write in writes):
                raise TryAgainError("no answer", code="remote-outcome-unknown", disposition=Disposition.RETRY)
            return perform(writes)

        work.ledger.perform = lost  # type: ignore[method-assign]
        work.place("poison")
        for n in range(60):
            work.place(f"early-{n}")
        late = 0
        while work.clock.now() < START + timedelta(hours=2, minutes=30):
            late += 1
            work.place(f"late-{late}")
            work.run_until(work.clock.now() + timedelta(minutes=6))
            if late == 10:
                assert sum(key.startswith("early") for key in work.ledger.totals()) == 60
            assert late - sum(key.startswith("late") for key in work.ledger.totals()) <= 2
        assert [letter.key for letter in work.store.dead_letters.list()] == ["poison"]
        assert len(work.ledger.totals()) == 60 + late


@pytest.mark.parametrize("code", ["remote-failed", "remote-outcome-unknown"])
def test_a_lone_record_that_always_fails_is_a_dead_letter_and_no_outage(tmp_path: Path, code: str) -> None:
    with plant(tmp_path) as work:
        work.ledger.refuse = lambda write: Outcome(Disposition.RETRY, code=code)
        work.place("1")
        work.run_until(START + timedelta(hours=2, minutes=30))
        assert [letter.cause for letter in work.store.dead_letters.list()] == ["retries-exhausted"]
        assert work.worker.troubles == {}
