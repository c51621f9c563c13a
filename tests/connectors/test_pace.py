"""What may leave when, as pure values, held against limiters that judge as the remotes do."""

from __future__ import annotations

import heapq
import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors.budget_limits import (
    Allotment,
    ExecutionTime,
    InFlight,
    LeakyBucket,
    Told,
    Window,
)
from tagline.connectors.learned_rate import LearnedRate
from tagline.connectors.pace import BACK_FILL_PATIENCE_S, Lane, Pace, from_plain, to_plain
from tagline.sandbox.dataverse_protection import Limits, ServiceProtection

EPSILON = 1e-6
gaps = st.lists(st.floats(0, 5), min_size=1, max_size=80)
arrivals = st.lists(st.tuples(st.floats(0, 3), st.sampled_from(list(Lane))), min_size=1, max_size=80)


def departures(pace, arrivals):
    """When requests leave that arrive with these pauses between them, without waiting for one another; in their order."""
    now, left = 0.0, []
    for pause, lane in arrivals:
        now += pause
        pace, wait = pace.reserve(now, lane=lane)
        left.append(now + wait)
    return left


FULL_AND_AHEAD = [*[(0.0, Lane.LIVE)] * 5, (0.0, Lane.BACK_FILL), (0.0, Lane.LIVE)]
"""A back-fill takes a turn far ahead, while the bucket is full."""


@given(arrivals, st.integers(2, 8), st.floats(0.5, 4))
@example(FULL_AND_AHEAD, 5, 1.0)
def test_a_leaky_bucket_is_never_overfilled_whoever_asks(arrivals, capacity, leak):
    level, at = 0.0, 0.0
    for instant in sorted(departures(Pace((LeakyBucket(capacity, leak),)), arrivals)):
        level = max(0.0, level - leak * (instant - at)) + 1
        at = instant
        assert level <= capacity + EPSILON


@given(arrivals, st.integers(2, 8), st.floats(2, 20))
def test_a_window_never_holds_more_than_its_limit_whoever_asks(arrivals, limit, window):
    left = sorted(departures(Pace((Window(limit, window),)), arrivals))
    for i in range(len(left) - limit):
        assert left[i + limit] - left[i] >= window - EPSILON


@given(gaps, st.integers(2, 6), st.floats(2, 20), st.integers(2, 8), st.floats(0.5, 4))
def test_two_limits_are_kept_together(pauses, limit, window, capacity, leak):
    pace = Pace((Window(limit, window), LeakyBucket(capacity, leak)))
    left = sorted(departures(pace, [(p, Lane.LIVE) for p in pauses]))
    level, at = 0.0, 0.0
    for i, instant in enumerate(left):
        level = max(0.0, level - leak * (instant - at)) + 1
        at = instant
        assert level <= capacity + EPSILON
        assert i < limit or instant - left[i - limit] >= window - EPSILON


@given(st.lists(st.floats(0.01, 3), min_size=1, max_size=120), st.integers(1, 4))
def test_execution_time_is_never_overspent_though_a_request_tells_its_cost_only_at_its_end(costs, parallel):
    limit, window = 20.0, 60.0
    pace = Pace((ExecutionTime(limit, window),))
    under_way: list[tuple[float, float, float, float]] = []
    finished: list[tuple[float, float]] = []
    now = 0.0
    for cost in costs:
        if len(under_way) == parallel:
            now, spent, expected, left_at = heapq.heappop(under_way)
            finished.append((now, spent))
            pace = pace.learn(now, Told(200, spent, 1, expected, left_at))
        while True:
            after, wait = pace.reserve(now)
            if wait == 0:
                break
            now += wait
            while under_way and under_way[0][0] <= now:
                end, spent, expected, left_at = heapq.heappop(under_way)
                finished.append((end, spent))
                pace = pace.learn(end, Told(200, spent, 1, expected, left_at))
        expected, pace = pace.expected_s(1), after
        # The remote looks at what has ended in the window when a request comes.
        assert sum(spent for end, spent in finished if end > now - window) < limit
        heapq.heappush(under_way, (now + cost, cost, expected, now))


@dataclass
class Load:
    """Requests of several processes that share a pace, at the sandbox's own limits, on a clock that only events move."""

    limits: Limits
    pace: Pace

    def __post_init__(self):
        self.clock = VirtualClock(datetime(2026, 11, 2, tzinfo=UTC))
        self.protection = ServiceProtection(self.clock, enforced=True, limits=self.limits)
        self.under_way = []
        self.spent_s = 0.0

    @property
    def now(self):
        return self.clock.now().timestamp()

    def send(self, pause, weight, cost_s, lane):
        """Wait for the turn of one request and begin it; raises what the sandbox throttles with."""
        self._until(self.now + pause)
        waited = 0.0
        while True:
            after, wait = self.pace.reserve(self.now, weight, lane, waited)
            if wait == 0:
                break
            waited += wait
            self._until(self.now + max(wait, 0.001))
        expected_s, left_at, self.pace = self.pace.expected_s(weight), self.now, after
        place = ExitStack()
        place.enter_context(self.protection.under_way("us"))
        self.protection.admit("us")
        heapq.heappush(
            self.under_way, (self.now + cost_s, weight, cost_s, expected_s, left_at, id(place), place)
        )

    def _until(self, instant):
        while self.under_way and self.under_way[0][0] <= instant:
            end, weight, cost_s, expected_s, left_at, _, place = heapq.heappop(self.under_way)
            self.clock.advance(end - self.now)
            place.close()
            self.protection.settle("us", cost_s, weight)
            self.spent_s += cost_s
            self.pace = self.pace.learn(self.now, Told(200, cost_s, weight, expected_s, left_at))
        self.clock.advance(instant - self.now)


def _load(limits):
    window = limits.window_s
    return Load(
        limits,
        Pace(
            (
                Window(limits.requests, window),
                ExecutionTime(limits.execution_s, window),
                InFlight(limits.concurrent),
            )
        ),
    )


requests = st.tuples(st.floats(0, 3), st.integers(1, 60), st.floats(0.001, 6), st.sampled_from(list(Lane)))


@given(st.lists(requests, min_size=1, max_size=60), st.integers(2, 12), st.floats(4, 20), st.integers(1, 6))
def test_known_limits_are_never_met_whatever_requests_cost(asked, count, execution_s, concurrent):
    load = _load(Limits(count, execution_s, concurrent, 30.0))
    for each in asked:
        load.send(*each)


@pytest.mark.parametrize(
    ("weight", "cost_s"), [(1, 0.04), (1, 0.6), (100, 5.0)], ids=["requests-bind", "time-binds", "batches"]
)
def test_steady_work_uses_nine_tenths_of_what_binds_and_is_never_throttled(weight, cost_s):
    load = _load(Limits(600, 120.0, 50, 300.0))
    began, sent = load.now, 0
    while load.now - began < 3000.0:
        load.send(0.0, weight, cost_s, Lane.LIVE)
        sent += 1
    # Less what left in the window that has only begun.
    windows = (load.now - began) // 300.0
    assert max(sent / 600, load.spent_s / 120.0) >= 0.9 * windows


def test_steady_work_uses_nearly_the_whole_of_a_window():
    pace, now, sent = Pace((Window(600, 30.0),)), 0.0, 0
    while now < 300.0:
        pace, wait = pace.reserve(now)
        now += wait
        sent += 1
    assert sent >= 0.9 * 600 * 10


def test_steady_work_uses_nearly_the_whole_of_the_execution_time():
    pace, now, spent = Pace((ExecutionTime(120.0, 30.0),)), 0.0, 0.0
    under_way: list[tuple[float, float]] = []
    while now < 300.0:
        now += 0.05  # many at a time: the budget binds, not the one who asks
        while under_way and under_way[0][0] <= now:
            end, expected = under_way.pop(0)
            pace = pace.learn(end, Told(200, 1.0, 10, expected, end - 1.0))
            spent += 1.0
        after, wait = pace.reserve(now, weight=10)
        if wait == 0:
            under_way.append((now + 1.0, pace.expected_s(10)))
            pace = after
    assert spent >= 0.9 * 120 * 10


def test_the_cost_of_a_record_is_learned_from_requests_of_many():
    limit = ExecutionTime(1200.0, 300.0)
    for n in range(60):
        limit = limit.learn(float(n), Told(200, 2.0, weight=50))
    assert limit.per_unit_s == pytest.approx(0.04, rel=0.05)


def test_what_the_remote_says_is_left_is_believed_when_it_is_less():
    window = Window(6000, 300.0).take(0.0, 1, 0.0).learn(0.0, Told(200, 0.1, requests_left=1000))
    assert window.used(0.0) == pytest.approx(5000 / 6000)
    time = ExecutionTime(1200.0, 300.0).take(0.0, 1, 0.0).learn(0.0, Told(200, 0.1, time_left_s=300.0))
    assert time.used(0.0) == pytest.approx(0.75)


@given(gaps, st.integers(1, 8), st.floats(1, 30))
def test_nothing_leaves_during_a_silence_nor_all_at_once_after_it(pauses, capacity, silence):
    pace = Pace((LeakyBucket(capacity, 1.0),)).stop(0.0, silence)
    left = departures(pace, [(p, Lane.LIVE) for p in pauses])
    assert all(instant >= silence - EPSILON for instant in left)
    assert sum(1 for instant in left if instant <= silence + EPSILON) <= capacity


def test_a_request_larger_than_the_whole_budget_leaves_when_nothing_else_is_under_way():
    limit = ExecutionTime(3.0, 30.0)
    assert limit.delay(1000.5, 1000, 1.0) == 0
    assert limit.take(1000.5, 1, 1000.5).delay(1001.0, 1000, 1.0) == pytest.approx(30.0, abs=0.01)


def test_an_idle_budget_makes_nobody_wait():
    for limit in (LeakyBucket(3, 1.0), Window(3, 10.0), ExecutionTime(3.0, 10.0)):
        assert departures(Pace((limit,)), [(0.0, Lane.LIVE)] * 3) == [0.0, 0.0, 0.0]


def test_a_shorter_silence_does_not_end_a_longer_one():
    assert Pace((LeakyBucket(1, 1),)).stop(0, 30).stop(1, 2).silent_until == 30


def test_live_work_finds_room_that_a_back_fill_leaves():
    pace = Pace((LeakyBucket(40, 2.0),))
    for _ in range(200):
        pace, _ = pace.reserve(0.0, lane=Lane.BACK_FILL)
        if pace.limits[0].level >= 32:
            break
    waits = []
    for _ in range(8):
        pace, wait = pace.reserve(0.0)
        waits.append(wait)
    assert waits == [0.0] * 8


@given(st.integers(1, 60))
def test_a_back_fill_waits_only_so_much_longer_than_live_work_would(before):
    pace = Pace((LeakyBucket(10, 0.5),))
    for _ in range(before):
        pace, _ = pace.reserve(0.0)
    _, live = pace.reserve(0.0)
    _, back_fill = pace.reserve(0.0, lane=Lane.BACK_FILL)
    assert live - EPSILON <= back_fill <= live + BACK_FILL_PATIENCE_S + EPSILON


class Unknown:
    """A remote that lets through so many a second on average, over a small bucket, and says nothing beforehand."""

    def __init__(self, rate: float, retry_after_s: float | None) -> None:
        self.rate, self.retry_after_s = rate, retry_after_s
        self.level, self.at = 0.0, 0.0

    def answer(self, now: float) -> Told:
        self.level = max(0.0, self.level - self.rate * (now - self.at))
        self.at = now
        if self.level >= 2 * self.rate:
            return Told(429, 0.1, retry_after_s=self.retry_after_s)
        self.level += 1
        return Told(200, 0.1)


@pytest.mark.parametrize("retry_after_s", [None, 5.0])
@pytest.mark.parametrize("rate", [1.5, 8.0, 25.0])
def test_an_unpublished_rate_is_found_with_few_throttled_answers(rate, retry_after_s):
    remote, pace, now = Unknown(rate, retry_after_s), Pace((LearnedRate(4.0),)), 0.0
    answers, until = [], 3600.0 if rate < 10 else 1200.0
    while now < until:
        pace, wait = pace.reserve(now)
        now += wait
        told = remote.answer(now)
        answers.append(told.status)
        pace = pace.learn(now, told)
    throttled = answers.count(429)
    assert throttled <= 0.01 * len(answers)
    assert len(answers) - throttled >= 0.9 * rate * until


def test_a_remote_that_lets_less_through_than_it_did_is_followed_without_a_storm():
    remote, pace, now = Unknown(20.0, 5.0), Pace((LearnedRate(4.0),)), 0.0
    answers = []
    while now < 2400.0:
        if now >= 1200.0:
            remote.rate = 5.0
        pace, wait = pace.reserve(now)
        now += wait
        told = remote.answer(now)
        answers.append((now, told.status))
        pace = pace.learn(now, told)
    after = [status for at, status in answers if 1200.0 <= at < 1260.0]
    assert after.count(429) <= 8
    late = [status for at, status in answers if at >= 1800.0]
    assert late.count(200) >= 0.9 * 5.0 * 600


def test_many_throttled_answers_of_one_incident_slow_down_once():
    limit = LearnedRate(10.0)
    for n in range(20):
        limit = limit.learn(100.0 + n * 0.01, Told(429, 0.1, retry_after_s=3.0))
    assert limit.rate == pytest.approx(7.0)


@pytest.mark.parametrize(
    "limit",
    [LeakyBucket(40, 2.0), Window(120, 60.0), LearnedRate(2.0)],
    ids=lambda limit: type(limit).__name__,
)
def test_a_back_fill_beside_unending_live_work_gets_on_and_hardly_slows_it(limit):
    """Two live workers and a back-fill, each asking again as soon as it was let pass."""
    pace, now = Pace((limit,)), 0.0
    waiting = {"a": 0.0, "b": 0.0, "fill": 0.0}
    passed = dict.fromkeys(waiting, 0)
    while now < 1200.0:
        for who, since in waiting.items():
            if since > now:
                continue
            lane = Lane.BACK_FILL if who == "fill" else Lane.LIVE
            after, wait = pace.reserve(now, lane=lane, waited=now - since)
            if pace.is_taken(wait, lane, now - since):
                pace, waiting[who] = after, now + wait
                passed[who] += 1
        now += 0.1
    live = passed["a"] + passed["b"]
    assert 1200 / (BACK_FILL_PATIENCE_S + 5) <= passed["fill"] <= 0.25 * live


def test_a_back_fill_stops_at_its_share_of_the_day_and_live_work_goes_on():
    midnight = 20_000 * 86_400.0
    pace = Pace((Allotment(100),), back_fill_share=0.5)
    pace, wait = pace.reserve(midnight - 3600, 50, Lane.BACK_FILL)
    assert wait == 0
    _, wait = pace.reserve(midnight - 3600, 1, Lane.BACK_FILL, 1000.0)
    assert wait == 3600
    for _ in range(2):
        pace, wait = pace.reserve(midnight - 3600, 50)
        assert wait == 0
    assert (pace.used_today(midnight - 1), pace.used_today(midnight)) == (1.5, 0.0)
    assert pace.used(midnight - 1) == 0


def test_what_a_process_had_under_way_when_it_died_is_free_after_a_while():
    pace = Pace((InFlight(2),))
    for _ in range(2):
        pace, _ = pace.reserve(0.0)
    assert pace.reserve(100.0)[1] > 0
    assert pace.reserve(131.0)[1] == 0


def test_a_single_long_request_is_no_measure_for_the_others():
    limit = ExecutionTime(1200.0, 300.0).learn(0.0, Told(200, 90.0))
    assert limit.used(0.0) == pytest.approx(90 / 1200)
    assert limit.cost(1) < 3


def test_a_lost_answer_costs_its_time_and_teaches_nothing():
    fresh = Pace((ExecutionTime(1200.0, 300.0), InFlight(5), LearnedRate(4.0)))
    pace, _ = fresh.reserve(1000.0)
    after = pace.learn(1100.0, Told(0, 100.0, 1, pace.expected_s(1), 1000.0))
    time, flight, rate = after.limits
    assert time.used(1100.0) == pytest.approx(100 / 1200)
    assert (after.expected_s(1), flight.used(1100.0)) == (fresh.expected_s(1), 0.0)
    assert rate.rate == 4.0


@given(st.floats(1e8, 2e9), st.floats(10, 1e6))
def test_a_clock_that_was_set_back_stops_nobody(now, back):
    pace = Pace((LeakyBucket(3, 1.0), Window(3, 10.0), LearnedRate(5.0), InFlight(9)))
    for _ in range(3):
        pace, _ = pace.reserve(now)
    _, wait = pace.reserve(now - back)
    assert wait <= 12.0


@given(arrivals)
def test_a_pace_survives_being_written_down(arrivals):
    fresh = Pace((LeakyBucket(5, 1.0), Window(9, 30.0), ExecutionTime(7.0, 30.0), InFlight(4)))
    fresh = Pace((*fresh.limits, Allotment(70), LearnedRate(3.0)))
    pace, now = fresh, 1000.0
    for pause, lane in arrivals:
        now += pause
        pace, _ = pace.reserve(now, lane=lane)
        pace = pace.learn(now, Told(200, 0.2))
    read = from_plain(json.loads(json.dumps(to_plain(pace))), fresh)
    assert read == pace


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    )
)
def test_nonsense_is_no_pace(raw):
    with pytest.raises(ValueError):
        from_plain(raw, Pace((LeakyBucket(5, 1.0),)))
