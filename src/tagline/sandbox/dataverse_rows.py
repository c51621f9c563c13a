"""The rows of one organisation: versions, alternate keys, lookups found without scanning, and taking a change back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tagline.sandbox.dataverse_errors import key_violated
from tagline.sandbox.dataverse_schema import Table, tables

Row = Mapping[str, Any]
"""
Column -> value, without the empty ones; never changed in place.

Text `str`, whole numbers and choices `int`, other numbers `Decimal` with the decimals they print, times as printed,
lookups as `Link`.
"""
Link = tuple[str, str]
"""Table and id of the row a lookup points to."""


def comparable(value: Any) -> Any:
    """A value as the database compares it: text without regard to case or trailing spaces."""
    return value.casefold().rstrip(" ") if isinstance(value, str) else value


@dataclass
class _Stored:
    rows: dict[str, Row] = field(default_factory=dict)
    keys: dict[str, dict[tuple[Any, ...], str]] = field(default_factory=lambda: defaultdict(dict))
    links: dict[str, dict[str, dict[str, None]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    """Lookup column -> target id -> ids of the rows that point to it, oldest first."""


class Rows:
    """Every row of an organisation. Not safe for threads by itself: the site's door has the lock."""

    def __init__(self) -> None:
        self._stored = {name: _Stored() for name in tables()}
        self._version = 1_000_000
        self._undo: list[list[tuple[Table, str, Row | None]]] = []
        self.changes = 0
        """Rows put or removed and not taken back."""

    def get(self, table: Table, row_id: str) -> Row | None:
        return self._stored[table.name].rows.get(row_id)

    def ids(self, table: Table) -> Sequence[str]:
        """Every id, in the order of the primary key."""
        return sorted(self._stored[table.name].rows)

    def all(self, table: Table) -> Sequence[Row]:
        """Every row, oldest first."""
        return list(self._stored[table.name].rows.values())

    def by_key(self, table: Table, columns: tuple[str, ...], values: Sequence[Any]) -> str | None:
        """The id of the row with that alternate key; the columns in the order the key declares."""
        name = next(key for key, names in table.keys.items() if names == columns)
        return self._stored[table.name].keys[name].get(tuple(comparable(_flat(v)) for v in values))

    def pointing(self, table: Table, column: str, target_id: str) -> Sequence[str]:
        """Ids of the rows whose lookup points to that id, oldest first."""
        return list(self._stored[table.name].links[column].get(target_id, ()))

    def put(self, table: Table, row_id: str, row: Row) -> Row:
        """
        Store a row in place of what stood there, under a new version.

        Raises:
            Refusal: Another row has the same alternate key.
        """
        stored = self._stored[table.name]
        for name, columns in table.keys.items():
            key = _key_of(row, columns)
            if key is not None and (other := stored.keys[name].get(key)) not in (None, row_id):
                raise key_violated(name, columns, str(other))
        self._version += 1
        fresh = {**row, "versionnumber": self._version}
        self._swap(table, row_id, fresh)
        return fresh

    def remove(self, table: Table, row_id: str) -> None:
        self._version += 1
        self._swap(table, row_id, None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take every change back if the block raises; blocks nest."""
        self._undo.append([])
        try:
            yield
        except BaseException:
            undo = self._undo.pop()
            for table, row_id, before in reversed(undo):
                self._exchange(table, row_id, before)
            self.changes -= len(undo)
            raise
        undo = self._undo.pop()
        if self._undo:
            self._undo[-1].extend(undo)

    def _swap(self, table: Table, row_id: str, row: Row | None) -> None:
        before = self._exchange(table, row_id, row)
        self.changes += 1
        if self._undo:
            self._undo[-1].append((table, row_id, before))

    def _exchange(self, table: Table, row_id: str, row: Row | None) -> Row | None:
        stored = self._stored[table.name]
        before = stored.rows.get(row_id)
        for name, columns in table.keys.items():
            old = _key_of(before, columns) if before else None
            new = _key_of(row, columns) if row else None
            if old != new:
                if old is not None:
                    stored.keys[name].pop(old, None)
                if new is not None:
                    stored.keys[name][new] = row_id
        for column in table.lookups:
            was = before.get(column) if before else None
            now = row.get(column) if row else None
            if was != now:
                if was:
                    stored.links[column][was[1]].pop(row_id, None)
                if now:
                    stored.links[column][now[1]][row_id] = None
        if row is None:
            stored.rows.pop(row_id, None)
        else:
            stored.rows[row_id] = row
        return before


def _flat(value: Any) -> Any:
    return value[1] if isinstance(value, tuple) else value


def _key_of(row: Row, columns: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The key as compared, None where a part is empty: such rows are not checked."""
    values = tuple(comparable(_flat(row.get(name))) for name in columns)
    return None if None in values else values
