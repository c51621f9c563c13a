"""The rows of one organisation: versions, alternate keys, lookups found without scanning, and taking a change back."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
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
    log: list[tuple[int, str]] = field(default_factory=list)
    """Version and id of every put and remove that stands, oldest first."""
    order: list[str] | None = None
    """Every id in the order of the primary key; None while it has to be sorted again."""


class Rows:
    """Every row of an organisation. Not safe for threads by itself: the site's door has the lock."""

    def __init__(self) -> None:
        self._stored = {name: _Stored() for name in tables()}
        self._version = 0
        self._undo: list[list[tuple[Table, str, Row | None]]] = []
        self._afterwards: list[list[Callable[[], None]]] = []
        self._backwards: list[list[Callable[[], None]]] = []
        self.on_change: Callable[[str, Any], None] = lambda _table, _row_id: None
        """Told of every row that was put or removed, also by taking a change back."""
        self.changes = 0
        """Rows put or removed and not taken back."""

    @property
    def whole(self) -> Rows:
        """Every row, where only some are in sight."""
        return self

    def admit(self, table: Table) -> None:
        """Let somebody read a table; raises `Refusal` where nothing of it is in sight."""

    def get(self, table: Table, row_id: str) -> Row | None:
        return self._stored[table.name].rows.get(row_id)

    def ids(self, table: Table) -> Sequence[str]:
        """Every id, in the order of the primary key."""
        stored = self._stored[table.name]
        if stored.order is None:
            stored.order = sorted(stored.rows)
        return stored.order

    def count(self, table: Table) -> int:
        return len(self._stored[table.name].rows)

    @property
    def version(self) -> int:
        """The newest version of the organisation."""
        return self._version

    def continue_from(self, version: int) -> None:
        """Let the next version come after that one, which must be the newest yet."""
        if version < self._version:
            raise ValueError(f"version {version} has passed; the newest is {self._version}")
        self._version = version

    def touch(self) -> int:
        """Let a version pass without a change; the new one."""
        self._version += 1
        return self._version

    def changed_since(self, table: Table, version: int) -> Sequence[tuple[int, str]]:
        """Version of the last put or remove, and id, of every row that has one after that version; oldest first."""
        log = self._stored[table.name].log
        newest = {row_id: at for at, row_id in log[bisect_right(log, version, key=itemgetter(0)) :]}
        return sorted((at, row_id) for row_id, at in newest.items())

    def newest(self, table: Table) -> int:
        """The version of the last put or remove in a table."""
        log = self._stored[table.name].log
        return log[-1][0] if log else 0

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
        self._afterwards.append([])
        self._backwards.append([])
        try:
            yield
        except BaseException:
            undo = self._undo.pop()
            self._afterwards.pop()
            for do in reversed(self._backwards.pop()):
                do()
            for table, row_id, before in reversed(undo):
                self._exchange(table, row_id, before)
                self._stored[table.name].log.pop()
            self.changes -= len(undo)
            raise
        undo, afterwards, backwards = self._undo.pop(), self._afterwards.pop(), self._backwards.pop()
        if self._undo:
            self._undo[-1].extend(undo)
            self._afterwards[-1].extend(afterwards)
            self._backwards[-1].extend(backwards)
            return
        for do in afterwards:
            do()

    def replace(self, rows: Iterable[tuple[Table, str, Row]], version: int) -> None:
        """Hold exactly these rows, as they stand, `version` being the newest; what was before is forgotten."""
        self._stored = {name: _Stored() for name in self._stored}
        for table, row_id, row in sorted(rows, key=lambda one: int(one[2]["versionnumber"])):
            self._exchange(table, row_id, row)
            self._stored[table.name].log.append((row["versionnumber"], row_id))
        self._version = version

    def after_commit(self, do: Callable[[], None]) -> None:
        """Do something once what is changed now stands for good; at once outside a transaction."""
        if self._afterwards:
            self._afterwards[-1].append(do)
        else:
            do()

    def on_undo(self, do: Callable[[], None]) -> None:
        """Do something if what is changed now is taken back; nothing outside a transaction."""
        if self._backwards:
            self._backwards[-1].append(do)

    def index(self, table: Table, name: str, columns: tuple[str, ...]) -> str | None:
        """
        Let rows be found by another alternate key, which the schema is to have from now on.

        Returns:
            The id of a row that has the same values as one before it; then nothing is indexed.
        """
        stored = self._stored[table.name]
        found: dict[tuple[Any, ...], str] = {}
        for row_id, row in stored.rows.items():
            key = _key_of(row, columns)
            if key is not None and found.setdefault(key, row_id) != row_id:
                return row_id
        stored.keys[name] = found
        return None

    def _swap(self, table: Table, row_id: str, row: Row | None) -> None:
        before = self._exchange(table, row_id, row)
        self._stored[table.name].log.append((self._version, row_id))
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
        if (row is None) != (before is None):
            stored.order = None
        if row is None:
            stored.rows.pop(row_id, None)
        else:
            stored.rows[row_id] = row
        self.on_change(table.name, row_id)
        return before


class RowsInSight(Rows):
    """
    The rows of an organisation as somebody sees them who may read only some of them; nothing is written through it.

    Args:
        seen: Which rows of a table are in sight, None for all of them; raises `Refusal` where none may be read.
    """

    def __init__(self, whole: Rows, seen: Callable[[Table], Callable[[Row], bool] | None]) -> None:
        self._whole = whole
        self._seen = seen
        self._passes: dict[str, Callable[[Row], bool] | None] = {}

    @property
    def whole(self) -> Rows:
        return self._whole

    @property
    def version(self) -> int:
        return self._whole.version

    def admit(self, table: Table) -> None:
        self._test(table)

    def changed_since(self, table: Table, version: int) -> Sequence[tuple[int, str]]:
        return self._whole.changed_since(table, version)

    def by_key(self, table: Table, columns: tuple[str, ...], values: Sequence[Any]) -> str | None:
        return self._whole.by_key(table, columns, values)

    def get(self, table: Table, row_id: str) -> Row | None:
        passes, row = self._test(table), self._whole.get(table, row_id)
        return row if row is None or passes is None or passes(row) else None

    def ids(self, table: Table) -> Sequence[str]:
        return self._among(table, self._whole.ids(table))

    def count(self, table: Table) -> int:
        return len(self.ids(table))

    def all(self, table: Table) -> Sequence[Row]:
        passes, rows = self._test(table), self._whole.all(table)
        return rows if passes is None else [row for row in rows if passes(row)]

    def pointing(self, table: Table, column: str, target_id: str) -> Sequence[str]:
        return self._among(table, self._whole.pointing(table, column, target_id))

    def _among(self, table: Table, ids: Sequence[str]) -> Sequence[str]:
        if self._test(table) is None:
            return ids
        return [row_id for row_id in ids if self.get(table, row_id) is not None]

    def _test(self, table: Table) -> Callable[[Row], bool] | None:
        if table.name not in self._passes:
            self._passes[table.name] = self._seen(table)
        return self._passes[table.name]


def _flat(value: Any) -> Any:
    return value[1] if isinstance(value, tuple) else value


def _key_of(row: Row, columns: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The key as compared, None where a part is empty: such rows are not checked."""
    values = tuple(comparable(_flat(row.get(name))) for name in columns)
    return None if None in values else values
