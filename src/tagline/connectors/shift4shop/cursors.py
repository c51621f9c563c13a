"""Where a sweep stands, by how a model's changes are found: a day, a time, or what the rows were like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from tagline.connectors.shift4shop.parse import to_local
from tagline.errors import UsageError

PATIENCE: Final = timedelta(days=1)
"""How long a round that met trouble is read again from its beginning; what still fails then is passed over."""
RESTARTS: Final = 3
"""Of one round, when rows moved between its pages; after them it ends, as one that met trouble."""


@dataclass(frozen=True)
class Place:
    """Where a round stands in its list, and how it went so far."""

    offset: int = 1
    """Position of the next row to ask for, from 1."""
    last: str = ""
    """Key of the row that stood there when it was read, the last one that is known; empty where none is."""
    restarts: int = 0
    has_trouble: bool = False
    """Whether something in this round may not have been read."""
    until: datetime | None = None
    """When patience ends, from the first of several rounds with trouble on."""

    def __post_init__(self) -> None:
        if self.offset < 1 or (self.until and self.until.tzinfo is None):
            raise ValueError("offsets start at 1, and instants are aware")

    @property
    def is_start(self) -> bool:
        return self.offset == 1 and not self.last

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Place:
        until = told.get("until")
        return cls(
            int(told["offset"]),
            str(told.get("last", "")),
            int(told.get("restarts", 0)),
            bool(told.get("trouble", False)),
            datetime.fromisoformat(until).astimezone(UTC) if until else None,
        )

    def told(self) -> Mapping[str, object]:
        """As members of a cursor; what is as at the start of a round is left out."""
        members = {
            "last": self.last,
            "restarts": self.restarts,
            "trouble": self.has_trouble,
            "until": self.until and self.until.isoformat(),
        }
        return {"offset": self.offset, **{name: value for name, value in members.items() if value}}

    def held(self, now: datetime) -> Place | None:
        """The start of the same round once more, where it met trouble and patience lasts; else None."""
        until = self.until or now.astimezone(UTC) + PATIENCE
        return Place(until=until) if self.has_trouble and now < until else None


@dataclass(frozen=True)
class DayCursor:
    """One round reads everything changed since `day`; the next one starts at `next_day`, fixed when the round began."""

    day: date
    next_day: date
    place: Place = Place()

    @classmethod
    def of(cls, text: str, today: date) -> DayCursor:
        """
        Read a cursor; at the start of a round its next day becomes `today`, unless that lies behind it.

        Raises:
            UsageError: The text is no cursor of ours (code `cursor-unreadable`).
        """
        try:
            told = json.loads(text)
            found = cls(date.fromisoformat(told["day"]), date.fromisoformat(told["next"]), Place.of(told))
        except (ValueError, TypeError, KeyError, OverflowError):
            raise _unreadable() from None
        return replace(found, next_day=max(found.day, today)) if found.place.is_start else found

    def text(self) -> str:
        return json.dumps({"day": str(self.day), "next": str(self.next_day), **self.place.told()})

    def at(self, place: Place) -> DayCursor:
        """The same round, elsewhere."""
        return replace(self, place=place)

    def ended(self, now: datetime) -> DayCursor:
        """The start of the next round; of the same one where it has to be read again."""
        if held := self.place.held(now):
            return DayCursor(self.day, self.day, held)
        return DayCursor(max(self.day, self.next_day), max(self.day, self.next_day))


@dataclass(frozen=True)
class TimeCursor:
    """One round reads everything changed since `since`; the next one starts at `following`, fixed when the round began."""

    since: datetime
    following: datetime
    place: Place = Place()

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.following.tzinfo is None:
            raise ValueError("instants are aware")

    @classmethod
    def of(cls, text: str, now: datetime) -> TimeCursor:
        """
        Read a cursor; at the start of a round the next one's start becomes `now`, unless that lies behind it.

        Raises:
            UsageError: The text is no cursor of ours (code `cursor-unreadable`).
        """
        try:
            told = json.loads(text)
            since, following = (datetime.fromisoformat(told[n]).astimezone(UTC) for n in ("since", "next"))
            found = cls(since, following, Place.of(told))
        except (ValueError, TypeError, KeyError, OverflowError):
            raise _unreadable() from None
        return replace(found, following=max(since, now)) if found.place.is_start else found

    def text(self) -> str:
        return json.dumps(
            {"since": self.since.isoformat(), "next": self.following.isoformat(), **self.place.told()}
        )

    def at(self, place: Place) -> TimeCursor:
        """The same round, elsewhere."""
        return replace(self, place=place)

    def ended(self, now: datetime) -> TimeCursor:
        """The start of the next round; of the same one where it has to be read again."""
        if held := self.place.held(now):
            return TimeCursor(self.since, self.since, held)
        return TimeCursor(max(self.since, self.following), max(self.since, self.following))


@dataclass(frozen=True)
class DigestCursor:
    """What each row of a table was like, as a digest by id."""

    digests: Mapping[str, str]

    @classmethod
    def of(cls, text: str) -> DigestCursor:
        """
        Read a cursor.

        Raises:
            UsageError: The text is no cursor of ours (code `cursor-unreadable`).
        """
        try:
            told = json.loads(text)["digests"]
            return cls({str(key): str(value) for key, value in told.items()})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise _unreadable() from None

    def text(self) -> str:
        return json.dumps({"digests": dict(self.digests)}, separators=(",", ":"))


def filter_from(instant: datetime, zone: ZoneInfo) -> str:
    """
    The store-local text from which on every change at or after an instant is found.

    Where clocks go back, a later change has an earlier text. What the hour before and the hour after that hold is then
    read from its start: too much, never too little.
    """
    ahead = instant + _CLOCK_CHANGE
    offsets = [at.astimezone(zone).utcoffset() or timedelta() for at in (instant, ahead)]
    return to_local(instant - max(timedelta(), offsets[0] - offsets[1]), zone)


_CLOCK_CHANGE = timedelta(hours=2)
"""Longer than any zone puts its clocks back at once."""


def _unreadable() -> UsageError:
    return UsageError(
        "the cursor of the shop cannot be read",
        code="cursor-unreadable",
        hint="it was written by another connector or release; reset the flow's cursor",
    )
