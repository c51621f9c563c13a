"""
How long a flow is usually without a record, learned from the weeks before: a pure decision on instants.

Shops sleep at night and at weekends, so that what is usual depends on the hour of the week. It is the longest time without
a record that one of the weeks before saw in this hour or the ones beside it (daylight saving moves them), without the worst
of the weeks: a holiday or a breakdown teaches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(weeks=1)
WEEKS: Final = 6
"""Weeks that are remembered."""
LEAST_WEEKS: Final = 2
"""Weeks without which nothing is called usual."""
SHORTEST: Final = timedelta(minutes=5)
"""A flow of many records a minute is not alarmed about by the pause of a deployment."""


@dataclass(frozen=True)
class Arrivals:
    """One hour in which records of a flow came."""

    hour: datetime
    """Its beginning."""
    longest: timedelta
    """Of the waits for a record that ended in it; one may have begun hours before."""
    last: datetime
    """Its last record."""


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def summed(records: Iterable[datetime], before: datetime | None) -> tuple[Arrivals, ...]:
    """
    The hours of these records.

    Args:
        records: Instants in order.
        before: The last record before them, if any is known.
    """
    hours: dict[datetime, Arrivals] = {}
    for at in records:
        hour = hour_of(at)
        wait = at - before if before else timedelta(0)
        known = hours.get(hour)
        hours[hour] = Arrivals(hour, max(wait, known.longest) if known else wait, at)
        before = at
    return tuple(hours.values())


def usual_gap(history: Mapping[datetime, Arrivals], now: datetime) -> timedelta | None:
    """
    How long the flow may usually be without a record at `now`; None while too little is known.

    Args:
        history: By the beginning of the hour; hours without records are absent.
    """
    if not history:
        return None
    first = min(history)
    lasts = sorted(each.last for each in history.values())
    weeks = []
    for number in range(1, WEEKS + 1):
        hour = hour_of(now) - number * WEEK
        if hour - HOUR < first:
            break
        beside = (_longest(history, lasts, hour + step * HOUR) for step in (-1, 0, 1))
        weeks.append(max(beside))
    if len(weeks) < LEAST_WEEKS:
        return None
    weeks.sort()
    return max(SHORTEST, weeks[-2] if len(weeks) > LEAST_WEEKS else weeks[-1])


def _longest(history: Mapping[datetime, Arrivals], lasts: list[datetime], hour: datetime) -> timedelta:
    """The longest wait that was under way in an hour, whether a record ended it or the hour did."""
    end = hour + HOUR
    before = [last for last in lasts if last < end]
    under_way = end - before[-1] if before else timedelta(0)
    known = history.get(hour)
    return max(under_way, known.longest) if known else under_way
