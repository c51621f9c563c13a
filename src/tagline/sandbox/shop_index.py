"""Keys in the order of a field, so that a poll for what changed lately does not look at years of orders."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import Any


class FieldIndex:
    """The records of a table by one of their fields: a number, or a time, which is text that sorts as time does."""

    def __init__(self) -> None:
        self._entries: list[tuple[Any, int]] = []

    def move(self, key: int, before: Any, after: Any) -> None:
        """A record has another value than before; None when it had none."""
        if before is not None:
            at = bisect_left(self._entries, (before, key))
            if self._entries[at : at + 1] == [(before, key)]:
                del self._entries[at]
        insort(self._entries, (after, key))

    def between(self, least: Any, most: Any) -> list[int]:
        """The keys of both values and between, ascending."""
        first = bisect_left(self._entries, (least,))
        last = bisect_right(self._entries, most, key=lambda entry: entry[0])
        return sorted(key for _, key in self._entries[first:last])
