"""Where a sweep of the shop stands: a day of the store and a place in its list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from tagline.connectors.shift4shop.models import Order
from tagline.connectors.shift4shop.parse import order_id, to_instant
from tagline.domain.exchange import Change
from tagline.errors import UsageError


@dataclass(frozen=True)
class SweepCursor:
    """One round reads everything changed since `day`; the next one starts at `next_day`, fixed when the round began."""

    day: date
    next_day: date
    offset: int = 1
    """Position of the next row, from 1."""

    def __post_init__(self) -> None:
        if self.offset < 1:
            raise ValueError("offsets start at 1")

    @classmethod
    def of(cls, text: str, today: date) -> SweepCursor:
        """
        Read a cursor; at the start of a round its next day becomes `today`, unless that lies behind it.

        Raises:
            UsageError: The text is no cursor of ours (code `cursor-unreadable`).
        """
        try:
            told = json.loads(text)
            day, offset = date.fromisoformat(told["day"]), int(told["offset"])
            found = cls(day, date.fromisoformat(told["next"]), offset)
        except (ValueError, TypeError, KeyError):
            raise UsageError(
                "the cursor of the orders cannot be read",
                code="cursor-unreadable",
                hint="it was written by another connector or release; reset the flow's cursor",
            ) from None
        return replace(found, next_day=max(day, today)) if offset == 1 else found

    def text(self) -> str:
        return json.dumps({"day": str(self.day), "next": str(self.next_day), "offset": self.offset})

    def after(self, rows: int) -> SweepCursor:
        """The same round, behind that many further rows."""
        return replace(self, offset=self.offset + rows)

    def ended(self) -> SweepCursor:
        """The start of the next round."""
        return SweepCursor(max(self.day, self.next_day), max(self.day, self.next_day))


def to_change(row: Any, zone: ZoneInfo) -> Change | None:
    """A changed order, by its list row; None when the row names no order and so cannot be asked for."""
    if not isinstance(row, Mapping) or (key := order_id(row.get("OrderID"))) is None:
        return None
    version = row.get("LastUpdate")
    try:
        at = to_instant(version, zone)
    except ValueError:
        at = None
    return Change(Order, key, version if isinstance(version, str) else "", at)
