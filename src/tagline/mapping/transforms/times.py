"""Instants and dates."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tagline.errors import RecordError, UsageError


def instant(moment: datetime) -> datetime:
    """
    The same moment in UTC.

    Raises:
        RecordError: It carries no zone, so that it names no moment (code `time-without-zone`).
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise RecordError(
            "a time carries no zone",
            code="time-without-zone",
            hint="the connector makes times aware; set the store's zone at its connection",
        )
    return moment.astimezone(UTC)


def date_in(moment: datetime, zone: str) -> date:
    """
    The calendar date of a moment where `zone` (an IANA name, such as `America/New_York`) is the local time.

    Raises:
        RecordError: The moment carries no zone (code `time-without-zone`).
        UsageError: There is no such zone (code `zone-unknown`).
    """
    try:
        local = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"there is no time zone {zone!r}",
            code="zone-unknown",
            hint="use a name of the IANA database, such as Europe/Berlin",
        ) from None
    return instant(moment).astimezone(local).date()
