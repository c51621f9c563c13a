"""Where a sweep of one table stands, as text that nobody else reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from tagline.errors import UsageError

VERSION: Final = 1


class Round(StrEnum):
    """What the pages of a round are."""

    DELTA = "delta"
    """What changed since the delta link was given."""
    REREAD = "reread"
    """Rows by their time of change, since shortly before `good_at`."""


@dataclass(frozen=True)
class Cursor:
    """A position between two pages; a round begins without a `page` and ends with the instant it began at as `good_at`."""

    entity: str
    good_at: datetime
    """Whatever was committed before it has been told; moves at the end of a round."""
    delta: str = ""
    """Link that tells what changed since; empty for a table that does not track its changes."""
    round: Round = Round.REREAD
    page: str = ""
    """Link of the next page of the round under way; empty between rounds and at the start of a reread."""
    begun_at: datetime | None = None
    """When the round under way began, None between rounds."""
    pages: int = 0
    """Pages of the round that were read."""

    @classmethod
    def of(cls, text: str, entity: str) -> Self:
        """
        Read a cursor of this table.

        Raises:
            UsageError: It is none (code `cursor-unreadable`).
        """
        try:
            return cls._read(json.loads(text), entity)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise UsageError(
                f"the cursor of {entity} cannot be read",
                code="cursor-unreadable",
                hint="it was written by another connector or release; reset the flow's cursor",
            ) from None

    @classmethod
    def _read(cls, told: Any, entity: str) -> Self:
        if (told["v"], told["entity"]) != (VERSION, entity):
            raise ValueError("another version or table")
        return cls(
            entity,
            _instant(told["good"]),
            _text(told["delta"]),
            Round(told["round"]),
            _text(told["page"]),
            None if told["begun"] is None else _instant(told["begun"]),
            int(told.get("pages", 0)),
        )

    def text(self) -> str:
        told: Mapping[str, Any] = {
            "v": VERSION,
            "entity": self.entity,
            "good": self.good_at.isoformat(),
            "delta": self.delta,
            "round": self.round,
            "page": self.page,
            "begun": self.begun_at and self.begun_at.isoformat(),
            "pages": self.pages,
        }
        return json.dumps(told)

    def begun(self, now: datetime) -> Self:
        """The same position with a round under way; the first page of one starts it."""
        return self if self.begun_at else replace(self, begun_at=max(now, self.good_at))

    def at_page(self, link: str) -> Self:
        """Behind a page that another one follows."""
        return replace(self, page=link, pages=self.pages + 1)

    def ended(self, delta: str) -> Self:
        """Behind the last page of the round; `delta` tells what comes after it."""
        of = Round.DELTA if delta else Round.REREAD
        return replace(
            self,
            good_at=self.begun_at or self.good_at,
            delta=delta,
            round=of,
            page="",
            begun_at=None,
            pages=0,
        )

    def rereading(self, delta: str, now: datetime) -> Self:
        """At the start of a reread, with a new delta link for afterwards; what was good stays as old as it was."""
        return replace(
            self,
            delta=delta,
            round=Round.REREAD,
            page="",
            begun_at=max(now, self.good_at),
            pages=0,
        )


def _instant(value: object) -> datetime:
    instant = datetime.fromisoformat(_text(value))
    if instant.tzinfo is None:
        raise ValueError("no zone")
    return instant.astimezone(UTC)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
