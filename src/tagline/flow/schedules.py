"""
When a flow is due by the clock: intervals, and cron expressions on the clocks of a zone.

A clock on a wall jumps twice a year. A time that it leaves out is due at the jump, and one that it shows twice is due the first
time: so each time on the wall is due once, and none is lost.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]

from tagline.domain.system import Cron, Schedule, Sweep
from tagline.errors import UsageError
from tagline.flow.declare import Flow

FIELDS: Final = ("minute", "hour", "day of month", "month", "day of week")
_RANDOM: Final = re.compile(r"(^|,)[RH](\(|/|,|$)", re.IGNORECASE)
"""Of the library's own invention: another time in every process."""
_SOME_DAY: Final = datetime(2001, 1, 1, tzinfo=UTC)


def cron(expression: str, *, zone: str) -> Cron:
    """
    Times on the clocks of a zone, for example `cron("0 6 * * MON-FRI", zone="Europe/Amsterdam")`.

    Args:
        expression: Minute, hour, day of month, month, day of week. Where both kinds of days are given, either will do.
        zone: IANA name.

    Raises:
        UsageError: A field cannot be read, no such day ever comes, or there is no such zone (code `schedule-invalid`).
    """
    fields = expression.split()
    if len(fields) != len(FIELDS):
        raise _invalid(
            f"{expression!r} has {len(fields)} fields, not five", f"write {', '.join(FIELDS)}; * for any"
        )
    for position, (name, field) in enumerate(zip(FIELDS, fields, strict=True)):
        alone = ["*"] * len(FIELDS)
        alone[position] = field
        if _RANDOM.search(field) or not croniter.is_valid(" ".join(alone)):
            raise _invalid(
                f"{field!r} is no {name} (field {position + 1} of {expression!r})", _REMEDIES[position]
            )
    if zone not in available_timezones():
        near = difflib.get_close_matches(zone, available_timezones(), n=1)
        raise _invalid(
            f"there is no time zone {zone!r}",
            f"use an IANA name, such as {near[0] if near else 'Europe/Berlin'}",
        )
    made = Cron(" ".join(fields), zone)
    try:
        due_after(made, _SOME_DAY)
    except CroniterBadDateError:
        raise _invalid(
            f"{expression!r} never comes", "correct day of month or month: that month has no such day"
        ) from None
    return made


@lru_cache(maxsize=256)
def due_after(schedule: Schedule, last: datetime) -> datetime:
    """
    When it is due next, in UTC, if it was last done at that instant; it may be past, and is then one time, however many were missed.

    Args:
        last: Aware.
    """
    if isinstance(schedule, Sweep):
        return last + schedule.every
    zone = ZoneInfo(schedule.zone)
    wall = last.astimezone(zone).replace(tzinfo=None)
    return next(instant for instant in _instants(schedule.expression, wall, zone) if instant > last)


def coming(schedule: Cron, now: datetime, count: int = 3) -> tuple[datetime, ...]:
    """The next times after an instant, on the clocks of the schedule's zone."""
    times = []
    for _ in range(count):
        now = due_after(schedule, now)
        times.append(now.astimezone(ZoneInfo(schedule.zone)))
    return tuple(times)


def told(flows: Iterable[Flow], now: datetime) -> str:
    """What flows do at times on a wall, and when next, as one sentence for people; empty where none does."""
    return "; ".join(
        f"{flow.name}: {what} at {schedule.expression} in {schedule.zone}, next "
        + ", ".join(f"{time:%a %Y-%m-%d %H:%M}" for time in coming(schedule, now))
        for flow in flows
        for what, schedule in flow.schedules.items()
        if isinstance(schedule, Cron)
    )


def _instants(expression: str, wall: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """
    The instants of the times on the wall after `wall`; never backwards, and twice the same where several are left out together.

    The library is given times without a zone, since it loses and doubles some where clocks jump.
    """
    times = croniter(expression, wall)
    while True:
        yield _instant(times.get_next(datetime), zone)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clocks of the zone show that time, or have passed it by a jump."""
    shown = wall.replace(tzinfo=zone).astimezone(UTC)
    if shown.astimezone(zone).replace(tzinfo=None) == wall:
        return shown
    # Left out: the jump is between what the time would be by the clock after it and by the one before it.
    early, late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), shown
    after = late.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        early, late = (early, middle) if middle.astimezone(zone).utcoffset() == after else (middle, late)
    return late


_REMEDIES: Final = (
    "a minute is 0-59, for example 0, */15 or 0,30",
    "an hour is 0-23, for example 6, */2 or 8-18",
    "a day of month is 1-31, for example 1, */2 or L for the last",
    "a month is 1-12 or JAN-DEC",
    "a day of week is 0-7, 0 and 7 for Sunday, or SUN-SAT, for example MON-FRI",
)


def _invalid(found: str, hint: str) -> UsageError:
    return UsageError(f"a schedule cannot be read: {found}", code="schedule-invalid", hint=hint)
