"""What counts as an unusual silence: learned from the weeks before, blind to the worst of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.domain.arrivals import LEAST_WEEKS, SHORTEST, WEEK, Arrivals, summed, usual_gap

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
MINUTES = 7 * 24 * 60
minutes_of_week = st.lists(st.integers(0, MINUTES - 1), min_size=1, max_size=60, unique=True).map(sorted)


def history(week: list[int], weeks: int) -> dict[datetime, Arrivals]:
    """Weeks in which records come at the same minutes."""
    records = [
        MONDAY + number * WEEK + timedelta(minutes=minute) for number in range(weeks) for minute in week
    ]
    return {each.hour: each for each in summed(records, None)}


@given(minutes_of_week, st.integers(0, MINUTES - 1), st.integers(4, 6))
def test_a_week_like_those_before_is_never_silent(week: list[int], minute: int, weeks: int):
    known = history(week, weeks)
    now = MONDAY + weeks * WEEK + timedelta(minutes=minute)
    last = max(
        each
        for number in (weeks - 1, weeks)
        for each in (MONDAY + number * WEEK + timedelta(minutes=m) for m in week)
        if each <= now
    )
    usual = usual_gap(known, now)
    assert usual is None or now - last <= usual


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(0, 1439), min_size=1, max_size=8, unique=True), min_size=7, max_size=7),
    st.integers(0, MINUTES - 1),
    st.integers(7, 34),
)
def test_a_day_without_records_teaches_nothing(days: list[list[int]], minute: int, lost: int):
    week = sorted(day * 1440 + each for day, minutes in enumerate(days) for each in minutes)
    records = [MONDAY + n * WEEK + timedelta(minutes=each) for n in range(6) for each in week]
    kept = [each for each in records if (each - MONDAY).days != lost]
    now = MONDAY + 6 * WEEK + timedelta(minutes=minute)
    whole, torn = (usual_gap({a.hour: a for a in summed(of, None)}, now) for of in (records, kept))
    assert whole is not None
    assert torn is not None
    assert torn <= whole


def test_a_busy_hour_alarms_soon_and_a_night_does_not():
    week = [
        day * 1440 + hour * 60 + minute
        for day in range(7)
        for hour in range(8, 20)
        for minute in range(0, 60, 10)
    ]
    known = history(week, 5)
    noon, night = MONDAY + 5 * WEEK + timedelta(hours=12), MONDAY + 5 * WEEK + timedelta(hours=4)
    assert usual_gap(known, noon) == timedelta(minutes=10)
    assert usual_gap(known, night) == timedelta(hours=10, minutes=10)


@pytest.mark.parametrize("weeks", range(LEAST_WEEKS))
def test_nothing_is_usual_before_two_weeks_are_known(weeks: int):
    assert usual_gap(history([0, 600], weeks), MONDAY + weeks * WEEK + timedelta(hours=30)) is None


def test_no_pause_of_a_few_minutes_is_ever_unusual():
    known = history(list(range(0, MINUTES, 1)), 3)
    assert usual_gap(known, MONDAY + 3 * WEEK) == SHORTEST
