"""Back-fills: listed page by page, run behind live work, none lost and none done twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime
from tests.runtime.fakes import FakeShop, NoSettings, Order, Plant, failing
from tests.runtime.making import START, make_deployment, make_store

from tagline.clock import VirtualClock
from tagline.connectors.pace import Lane
from tagline.domain.exchange import Days, Fetched, Listed
from tagline.domain.model import Model
from tagline.domain.settings import Settings, without_start
from tagline.errors import Disposition, RefusedError, TryAgainError
from tagline.runtime import endings, filling, locks
from tagline.runtime.back_fills import BackFill
from tagline.runtime.engine import MemoryEngine
from tagline.runtime.filling import Origin, Selection
from tagline.runtime.inbox import InboxRow
from tagline.runtime.store import Store
from tagline.runtime.worker import Worker


class ListedShop(FakeShop):
    """Its orders by pages; `before_page` runs first and may raise."""

    def __init__(self) -> None:
        super().__init__()
        self.before_page: Callable[[], None] = lambda: None
        self.pages: list[str | None] = []

    def keys(self, model: type[Model], days: Days, position: str | None) -> Listed:
        self.before_page()
        self.pages.append(position)
        start = int(position or 0)
        found = sorted(self.orders)[start : start + self.page_size]
        end = start + len(found)
        return Listed(found, str(end), more=end < len(self.orders))

    def count(self, model: type[Model], days: Days) -> int:
        return len(self.orders)


@dataclass
class LaneShop:
    """A shop as one lane sees it: notes what is fetched, and what waits live at that moment."""

    shop: ListedShop
    store: Store
    lane: Lane
    fetched: list[Fetch]

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        due = self.store.ready("orders", self.store.clock.now(), 1000)
        self.fetched.append(Fetch(self.lane, tuple(keys), len(due)))
        return self.shop.fetch(model, keys)

    def changes(self, *args: object) -> object:
        return self.shop.changes(*args)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Fetch:
    lane: Lane
    keys: tuple[str, ...]
    live_waiting: int
    """Due live rows in nobody's hand while this one is read."""


@dataclass
class Lanes(Plant):
    """A plant whose worker tells its lanes apart."""

    shop: ListedShop = field(default_factory=ListedShop)
    fetched: list[Fetch] = field(default_factory=list)
    settings: Settings = field(default_factory=NoSettings)

    def make_worker(self) -> Worker:
        live, filling_shop = (LaneShop(self.shop, self.store, lane, self.fetched) for lane in Lane)
        return Worker(
            self.integration,
            self.settings,
            {"shop": live, "ledger": self.ledger},  # type: ignore[dict-item]
            self.store,
            self.engine,
            self.clock,
            make_deployment(self.number),
            back_fill={"shop": filling_shop, "ledger": self.ledger},  # type: ignore[dict-item]
            random=self.random,
        )

    def orders(self, count: int) -> list[str]:
        numbers = [f"{n:04d}" for n in range(count)]
        for number in numbers:
            self.shop.orders[number] = self.shop.orders.get(number) or 1  # type: ignore[assignment]
        return numbers

    @property
    def origin(self) -> Origin:
        return Origin("orders", "sync", "shop", Order, self.shop)  # type: ignore[arg-type]

    def filling(self, selection: Selection | None = None) -> Iterator[BackFill]:
        return filling.fill(self.store.back_fills, self.origin, selection or Selection(), self.clock)

    def fill(self, selection: Selection | None = None) -> BackFill:
        *_, last = self.filling(selection)
        return last

    def finish(self) -> None:
        for _ in range(1000):
            due = self.store.next_due("orders")
            if due is None:
                return
            self.clock.advance(max(0.0, (due - self.clock.now()).total_seconds()))
            self.worker.work()
        raise AssertionError("the inbox does not get empty")

    def ready(self, lane: Lane) -> list[InboxRow]:
        return list(self.store.ready("orders", self.clock.now(), 1000, lane))


@contextmanager
def lanes(folder: Path, **changed: object) -> Iterator[Lanes]:
    clock = VirtualClock(START)
    store = make_store(folder, clock)
    try:
        yield Lanes(store, clock, MemoryEngine(), **changed)  # type: ignore[arg-type]
    finally:
        store.close()


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Lanes]:
    with lanes(tmp_path) as made:
        yield made


# -- listing ---------------------------------------------------------------------------------------


def test_every_record_of_the_source_is_put_into_the_back_fill_lane(work: Lanes) -> None:
    keys = work.orders(250)
    done = work.fill()
    assert (done.found, done.added, done.ended_at) == (250, 250, START)
    assert keys == [row.key for row in work.ready(Lane.BACK_FILL)]
    assert work.ready(Lane.LIVE) == []


def test_an_interrupted_listing_goes_on_where_it_was(work: Lanes) -> None:
    work.orders(250)
    begun = work.filling()
    assert [next(begun).found for _ in range(2)] == [0, 100]
    done = work.fill()
    assert (done.found, done.added) == (250, 250)
    assert work.shop.pages == [None, "100", "200"]


def test_one_that_ended_begins_anew_and_doubles_nothing_that_waits(work: Lanes) -> None:
    work.orders(150)
    work.fill()
    again = work.fill()
    assert (again.found, again.added) == (150, 0)
    assert len(work.ready(Lane.BACK_FILL)) == 150


def test_another_selection_is_another_listing(work: Lanes) -> None:
    work.orders(150)
    next(work.filling())
    done = work.fill(Selection(("0003", "0005")))
    assert (done.found, done.selection) == (2, "keys 0003,0005")
    assert [each.selection for each in work.store.back_fills.unfinished("orders", "sync")] == ["all"]


def test_many_named_keys_are_resumed_too(work: Lanes) -> None:
    selection = Selection(tuple(str(n) for n in range(1200)))
    begun = work.filling(selection)
    assert [next(begun).found for _ in range(2)] == [0, 500]
    assert work.fill(selection).added == 1200


def test_a_budget_that_is_used_up_is_waited_for(work: Lanes) -> None:
    work.orders(150)
    tries = itertools.count()

    def before_page() -> None:
        if next(tries) == 1:
            raise throttled(90.0)

    work.shop.before_page = before_page
    assert work.fill().found == 150
    assert work.clock.now() == START + timedelta(seconds=90)


def test_a_selection_says_what_it_is() -> None:
    days = Days(date(2026, 1, 1), date(2026, 1, 31))
    told = [
        str(Selection(days=d)) for d in (Days(), replace(days, until=None), replace(days, since=None), days)
    ]
    assert told == ["all", "since 2026-01-01", "until 2026-01-31", "since 2026-01-01 until 2026-01-31"]


def test_two_at_once_are_refused_and_the_file_is_free_afterwards(tmp_path: Path) -> None:
    with filling.alone(tmp_path, "orders", "sync"):
        with pytest.raises(RefusedError) as refused, filling.alone(tmp_path, "orders", "sync"):
            pass
        with filling.alone(tmp_path, "orders", "other"):
            pass
    assert refused.value.code == "backfill-running"
    with filling.alone(tmp_path, "orders", "sync"):
        pass
    assert locks.holder(tmp_path / "back-fills" / "orders.sync.lock") is None


# -- lanes -----------------------------------------------------------------------------------------


def test_live_work_goes_first_and_a_back_fill_comes_in_small_batches(work: Lanes) -> None:
    work.orders(60)
    work.fill()
    work.place("live")
    for _ in range(4):
        work.worker.work()
    assert [(each.lane, len(each.keys)) for each in work.fetched] == [
        (Lane.LIVE, 1),
        (Lane.BACK_FILL, 25),
        (Lane.BACK_FILL, 25),
        (Lane.BACK_FILL, 10),
    ]


def test_a_live_hint_promotes_what_waits_in_a_back_fill(work: Lanes) -> None:
    work.orders(60)
    work.fill()
    work.hint("0042")
    (row,) = work.ready(Lane.LIVE)
    assert (row.key, row.source, row.asked) == ("0042", "webhook", True)
    assert len(work.ready(Lane.BACK_FILL)) == 59


def test_a_back_fill_does_not_demote_what_waits_live(work: Lanes) -> None:
    work.orders(60)
    work.hint("0042")
    assert work.fill().added == 59
    (row,) = work.ready(Lane.LIVE)
    assert (row.key, row.source, row.asked) == ("0042", "webhook", True)


def test_a_live_hint_during_a_back_fills_run_that_has_to_be_repeated_promotes_it(work: Lanes) -> None:
    work.orders(1)
    work.fill()

    def hint_and_fail(_: Sequence[str]) -> None:
        work.hint("0000")
        raise away()

    work.shop.before_fetch = hint_and_fail
    work.worker.work()
    work.clock.advance(3600)
    assert [(row.key, row.asked) for row in work.ready(Lane.LIVE)] == [("0000", True)]
    assert work.ready(Lane.BACK_FILL) == []


def test_a_back_fill_whose_budget_is_used_up_keeps_no_live_record_waiting(work: Lanes) -> None:
    """The daily entitlement may let it wait until midnight."""
    work.orders(30)
    work.fill()
    work.shop.before_fetch = failing(throttled(36_000.0))
    work.worker.work()
    work.shop.before_fetch = lambda keys: None
    work.place("live")
    done = work.worker.work()
    assert (done.done, done.stopped) == (1, "")
    assert work.worker.work().records == 0
    assert work.store.next_due("orders", Lane.BACK_FILL) == START
    work.clock.advance(36_001)
    work.finish()
    assert len(work.ledger.totals()) == 31
    assert work.store.dead_letters.list() == []


class StartSettings(Settings):
    start_at: AwareDatetime | None = None


class OwnStart(Settings):
    start_at: int = 3


def test_start_at_does_not_hold_for_what_a_person_asked_for() -> None:
    assert without_start(StartSettings(start_at=START)) == StartSettings()


@pytest.mark.parametrize("own", [NoSettings(), OwnStart()], ids=["none", "of another type"])
def test_settings_without_such_a_start_stay_as_they_are(own: Settings) -> None:
    assert without_start(own) is own


# -- properties ------------------------------------------------------------------------------------

moments = st.lists(
    st.tuples(st.sampled_from(("hint", "list", "work", "hint during work", "die")), st.integers(0, 119)),
    max_size=30,
)


class Death(BaseException):
    """The process is killed."""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moments)
def test_whatever_comes_when_each_record_is_run_and_live_ones_wait_for_one_batch_at_most(
    story: list[tuple[str, int]],
) -> None:
    with TemporaryDirectory() as folder, lanes(Path(folder)) as work:
        keys = work.orders(120)
        work.shop.page_size = 40
        listing = work.filling()
        for what, number in story:
            if what == "hint":
                work.hint(keys[number])
            elif what == "list":
                # Killed and begun again at every page.
                listing = work.filling()
                next(listing)
                next(listing, None)
            else:
                during = what == "hint during work"
                work.shop.before_fetch = hinting(work, keys[number]) if during else dying(what == "die")
                try:
                    work.worker.work()
                except Death:
                    work.shop.before_fetch = lambda _: None
                    work.restart()
                work.shop.before_fetch = lambda _: None
            work.clock.advance(1)
        work.fill()
        work.finish()
        assert set(keys) == set(work.ledger.totals())
        assert len(work.ledger.created) == len(keys)
        filled = [each for each in work.fetched if each.lane is Lane.BACK_FILL]
        assert all(len(each.keys) <= endings.BACK_FILL_BATCH and not each.live_waiting for each in filled)


def hinting(work: Lanes, key: str) -> Callable[[Sequence[str]], None]:
    return lambda _: work.hint(key)


def dying(dies: bool) -> Callable[[Sequence[str]], None]:
    def die(_: Sequence[str]) -> None:
        if dies:
            raise Death

    return die


def throttled(seconds: float) -> TryAgainError:
    return TryAgainError(
        "used up", code="remote-throttled", disposition=Disposition.RETRY, retry_after_s=seconds
    )


def away() -> TryAgainError:
    return TryAgainError("away", code="remote-failed", disposition=Disposition.RETRY)
