"""A bucket that fills with time never lets more through than its rate, and lets all of it through."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tagline.runtime.rate import Bucket, Rate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PAUSES = st.lists(st.floats(0, 5), min_size=1, max_size=60)
RATES = st.builds(Rate, per_s=st.floats(0.1, 50), burst=st.integers(1, 30).map(float))


@given(RATES, PAUSES)
def test_no_window_lets_through_more_than_the_burst_and_what_flows_in(
    rate: Rate, pauses: list[float]
) -> None:
    bucket, now, taken = Bucket.full(rate, NOW), NOW, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        bucket, wait_s = bucket.take(now)
        if not wait_s:
            taken.append(now)
    for n, first in enumerate(taken):
        for m, last in enumerate(taken[n:], 1):
            assert m <= rate.burst + (last - first).total_seconds() * rate.per_s + 1e-6


@given(RATES, PAUSES)
def test_who_waits_as_long_as_told_is_let_through(rate: Rate, pauses: list[float]) -> None:
    bucket, now = Bucket.full(rate, NOW), NOW
    for pause in pauses:
        now += timedelta(seconds=pause / 100)
        bucket, wait_s = bucket.take(now)
        if wait_s:
            now += timedelta(seconds=wait_s) + timedelta(microseconds=2)
            bucket, wait_s = bucket.take(now)
            assert wait_s == 0 or wait_s < 1e-5


@given(RATES, st.floats(0.001, 1e6))
def test_a_clock_that_is_set_back_fills_nothing(rate: Rate, back_s: float) -> None:
    bucket = Bucket(rate, 0.0, NOW)
    after, wait_s = bucket.take(NOW - timedelta(seconds=back_s))
    assert (after.left, wait_s > 0) == (0.0, True)
