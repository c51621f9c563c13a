"""Cron expressions on the clocks of a zone: each time on the wall is due once, and none is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flow.runs import Shop

from tagline import cron, every, flow
from tagline.connectors.shift4shop.models import Order
from tagline.domain.system import Cron
from tagline.errors import UsageError
from tagline.flow import schedules

AMSTERDAM = "Europe/Amsterdam"
ZONES = [AMSTERDAM, "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata", "UTC"]


def times(made: Cron, start: datetime, end: datetime) -> list[datetime]:
    found = []
    while (start := schedules.due_after(made, start)) <= end:
        found.append(start)
    return found


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("0 6 * * MON-FRI", "2026-03-06T05:00Z", ["2026-03-09T05:00Z", "2026-03-10T05:00Z"]),
        ("30 2 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("*/20 2 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]),
        ("30 2 * * *", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        ("0 * * * *", "2026-10-25T00:30Z", ["2026-10-25T02:00Z", "2026-10-25T03:00Z"]),
        ("0 0 L * *", "2026-02-01T00:00Z", ["2026-02-27T23:00Z", "2026-03-30T22:00Z"]),
    ],
    ids=["weekdays", "left-out", "left-out-together", "shown-twice", "hour-shown-twice", "last-of-month"],
)
def test_the_clock_on_the_wall_is_what_counts(expression: str, start: str, expected: list[str]) -> None:
    made, last, found = cron(expression, zone=AMSTERDAM), datetime.fromisoformat(start), []
    for _ in expected:
        last = schedules.due_after(made, last)
        found.append(last)
    assert [datetime.fromisoformat(each) for each in expected] == found


def jumps(zone: str) -> list[datetime]:
    """Midnights before a jump of the zone's clocks; any where they never do."""
    place = ZoneInfo(zone)
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365)]
    found = [
        day
        for day in days
        if day.astimezone(place).utcoffset() != (day + timedelta(days=1)).astimezone(place).utcoffset()
    ]
    return found or days[:1]


STRETCHES = [(zone, day) for zone in ZONES for day in jumps(zone)]


@settings(max_examples=30)
@given(
    st.sampled_from(STRETCHES),
    st.integers(-12, 23),
    st.sampled_from(["*/15 * * * *", "7 */3 * * *", "30 1,2 * * *", "0 0 * * *", "59 23 1 * MON"]),
)
def test_each_time_on_the_wall_is_due_once_and_none_is_lost(
    stretch: tuple[str, datetime], hours: int, expression: str
) -> None:
    """The oracle walks over the minutes of a day and a half, as they pass and as they stand on the wall."""
    zone, begin = stretch[0], stretch[1] + timedelta(hours=hours)
    made, place = cron(expression, zone=zone), ZoneInfo(zone)
    end = begin + timedelta(hours=36)
    minutes = [begin + timedelta(minutes=n) for n in range(1, 36 * 60 + 1)]
    first = begin.astimezone(place).replace(tzinfo=None)
    # Walls that were shown before are due no more; walls that a jump passes are due when it has.
    due, highest = [], first
    for instant in minutes:
        wall = instant.astimezone(place).replace(tzinfo=None)
        passed = []
        while highest < wall:
            highest += timedelta(minutes=1)
            passed.append(highest)
        if any(_is_meant(expression, each) for each in passed):
            due.append(instant)
    if begin.astimezone(place).fold:
        # It begins in an hour that is shown again: the oracle does not know what was due when it was shown first.
        due = [each for each in due if not each.astimezone(place).fold]
    assert due == times(made, begin, end)


def _is_meant(expression: str, wall: datetime) -> bool:
    minute, hour, day, _month, weekday = expression.split()

    def fits(field: str, value: int) -> bool:
        if field.startswith("*"):
            return value % int(field.partition("/")[2] or 1) == 0
        return value in map(int, field.split(","))

    days = fits(day, wall.day) if weekday == "*" else wall.day == int(day) or wall.weekday() == 0
    return fits(minute, wall.minute) and fits(hour, wall.hour) and days


def test_what_was_missed_is_due_once() -> None:
    made, last = cron("0 6 * * *", zone=AMSTERDAM), datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert schedules.due_after(made, last) == datetime(2026, 1, 2, 5, tzinfo=UTC)
    # The agent comes back in March and does it then; the next is tomorrow.
    assert schedules.due_after(made, datetime(2026, 3, 1, 12, tzinfo=UTC)) == datetime(
        2026, 3, 2, 5, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("expression", "zone", "found"),
    [
        ("61 6 * * *", "UTC", "'61' is no minute (field 1"),
        ("0 25 * * *", "UTC", "'25' is no hour (field 2"),
        ("0 6 32 * *", "UTC", "'32' is no day of month (field 3"),
        ("0 6 * THU *", "UTC", "'THU' is no month (field 4"),
        ("0 6 * * FOO", "UTC", "'FOO' is no day of week (field 5"),
        ("R 6 * * *", "UTC", "'R' is no minute"),
        ("0 6 * *", "UTC", "has 4 fields, not five"),
        ("@daily", "UTC", "has 1 fields, not five"),
        ("0 0 30 2 *", "UTC", "never comes"),
        ("0 6 * * *", "Europe/Amstrdam", "no time zone 'Europe/Amstrdam'"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(expression: str, zone: str, found: str) -> None:
    with pytest.raises(UsageError) as refused:
        cron(expression, zone=zone)
    assert refused.value.code == "schedule-invalid"
    assert found in refused.value.message
    assert refused.value.hint


def test_a_flow_may_be_started_by_the_clock_alone() -> None:
    nightly = cron("0 3 * * *", zone=AMSTERDAM)

    @flow(compare=nightly, key=Order.key)
    async def compared(order: Order, settings: Shop) -> None: ...

    @flow(sweep=every(minutes=5), key=Order.key)
    async def swept(order: Order, settings: Shop) -> None: ...

    assert compared.schedules == {"compare": nightly}
    assert schedules.told([compared, swept], datetime(2026, 3, 28, tzinfo=UTC)) == (
        "compared: compare at 0 3 * * * in Europe/Amsterdam, next Sat 2026-03-28 03:00, Sun 2026-03-29 03:00, "
        "Mon 2026-03-30 03:00"
    )


@pytest.mark.parametrize(
    "given", [{"sweep": "0 6 * * *"}, {"compare": every(minutes=5)}], ids=["text", "interval"]
)
def test_what_is_no_schedule_is_refused_with_its_line(given: dict[str, object]) -> None:
    async def wrong(order: Order, settings: Shop) -> None: ...

    with pytest.raises(UsageError, match="no schedule") as refused:
        flow(key=Order.key, **given)(wrong)  # type: ignore[arg-type]
    assert refused.value.code == "flow-shape"
