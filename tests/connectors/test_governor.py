from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors.governor import Governor, LeakyBucket, Pace, SlidingWindow
from tagline.errors import TryAgainError

gaps = st.lists(st.floats(0, 5), min_size=1, max_size=80)
EPSILON = 1e-6


def departures(pace, pauses):
    """When requests leave that arrive with these pauses between them, without waiting for one another."""
    now, left = 0.0, []
    for pause in pauses:
        now += pause
        pace, wait = pace.reserve(now)
        left.append(now + wait)
    return left


@given(gaps, st.integers(1, 8), st.floats(0.5, 4))
def test_a_leaky_bucket_never_lets_more_out_than_capacity_and_leak(pauses, capacity, leak):
    left = departures(Pace(LeakyBucket(capacity, leak)), pauses)
    for i, start in enumerate(left):
        for j in range(i, len(left)):
            assert j - i + 1 <= capacity + leak * (left[j] - start) + 1 + EPSILON
    # And as the remote sees it: the level after each request never exceeds the capacity.
    level, at = 0.0, 0.0
    for instant in left:
        level = max(0.0, level - leak * (instant - at)) + 1
        at = instant
        assert level <= capacity + EPSILON


@given(gaps, st.integers(1, 8), st.floats(1, 20))
def test_a_sliding_window_never_holds_more_than_its_limit(pauses, limit, window):
    left = departures(Pace(SlidingWindow(limit, window)), pauses)
    for i in range(len(left) - limit):
        assert left[i + limit] - left[i] >= window - EPSILON


@given(gaps, st.integers(1, 8), st.floats(1, 30))
def test_nothing_leaves_during_a_silence_nor_all_at_once_after_it(pauses, capacity, silence):
    left = departures(Pace(LeakyBucket(capacity, 1.0)).stop(0.0, silence), pauses)
    assert all(instant >= silence - EPSILON for instant in left)
    assert sum(1 for instant in left if instant <= silence + EPSILON) <= capacity


def test_an_idle_budget_makes_nobody_wait():
    assert departures(Pace(LeakyBucket(3, 1.0)), [0, 0, 0]) == [0, 0, 0]
    assert departures(Pace(SlidingWindow(3, 10)), [0, 0, 0]) == [0, 0, 0]


def test_a_shorter_silence_does_not_end_a_longer_one():
    assert Pace(LeakyBucket(1, 1)).stop(0, 30).stop(1, 2).silent_until == 30


def make_governor(**changes):
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    return clock, Governor(clock, Pace(LeakyBucket(2, 1.0)), **{"max_in_flight": 2, **changes})


def test_the_governor_waits_on_the_clock():
    clock, governor = make_governor()
    started = clock.now()
    for _ in range(5):
        with governor.admit():
            pass
    assert (clock.now() - started).total_seconds() == pytest.approx(3)


def test_a_wait_beyond_patience_is_told_instead_and_costs_nothing():
    clock, governor = make_governor(patience_s=10)
    governor.stop(300)
    with pytest.raises(TryAgainError) as caught, governor.admit():
        pass
    assert caught.value.code == "remote-throttled"
    assert caught.value.retry_after_s == pytest.approx(300)
    clock.advance(300)
    with governor.admit(), governor.admit():
        assert (clock.now() - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds() == pytest.approx(300)
