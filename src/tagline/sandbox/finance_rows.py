"""The rows of one Finance environment: by composite key, with record ids and versions, and taking a change back."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tagline.sandbox.finance_schema import MODIFIED, NO_DATE, Entity, Schema, entities

Row = Mapping[str, Any]
"""
Field -> value, without the empty ones; never changed in place.

Text, enumeration members and dates `str`, whole numbers `int`, others `Decimal`. `_id`, `_version` and whatever else begins
with an underscore are the platform's own and no fields.
"""
Key = tuple[Any, ...]
FIRST_ID = 5637144576
"""Record ids of a fresh partition begin here."""


def comparable(value: Any) -> Any:
    """A value as the database compares it: text without regard to case or trailing spaces."""
    return value.casefold().rstrip(" ") if isinstance(value, str) else value


def key_of(entity: Entity, values: Mapping[str, Any]) -> Key:
    """A row's key as compared."""
    return tuple(comparable(values.get(name, entity.empty[name])) for name in entity.key)


def etag(row: Row) -> str:
    """Weak, and Base64 of version and record id."""
    plain = f"'{row['_version']},{row['_id']}'"
    return f'W/"{base64.b64encode(plain.encode()).decode()}"'


class FinanceRows:
    """Every row of an environment. Not safe for threads by itself: the site's door has the lock."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[Key, Row]] = {e.table: {} for e in entities().values()}
        self._indexes: dict[tuple[str, tuple[str, ...]], dict[Key, dict[Key, None]]] = {
            (way.target, tuple(way.match.values())): {}
            for e in entities().values()
            for way in e.navigation.values()
            if way.many
        }
        self._order: dict[str, list[Key]] = {}
        """Every key of a table in order; missing while it has to be sorted again."""
        self._numbers: dict[str, int] = {}
        self._undo: list[list[Callable[[], None]]] = []
        self.schema = Schema()
        self.now: Callable[[], str] = lambda: NO_DATE
        """When a row that is put is changed, as it travels."""
        self.on_change: Callable[[str, Any], None] = lambda _table, _key: None
        """Told of every row that was put or removed, also by taking a change back."""

    def get(self, entity: Entity, key: Key) -> Row | None:
        return self._tables[entity.table].get(key)

    def find(self, entity_set: str, *key: Any) -> Row | None:
        """The row with that key, its parts in the order of the declaration."""
        entity = entities()[entity_set]
        return self.get(entity, key_of(entity, dict(zip(entity.key, key, strict=True))))

    def all(self, entity: Entity) -> Sequence[Row]:
        """Every row, ordered by key."""
        table = self._tables[entity.table]
        order = self._order.get(entity.table)
        if order is None:
            order = self._order[entity.table] = sorted(table)
        return [table[key] for key in order]

    def count(self, entity: Entity) -> int:
        return len(self._tables[entity.table])

    def counts(self) -> Mapping[str, int]:
        """Rows by entity set."""
        return {name: len(table) for name, table in self._tables.items()}

    def matching(self, entity: Entity, fields: tuple[str, ...], values: Sequence[Any]) -> Sequence[Row]:
        """Rows with those values in those fields, oldest first; quick where a navigation goes that way."""
        wanted = tuple(comparable(value) for value in values)
        table = self._tables[entity.table]
        index = self._indexes.get((entity.table, fields))
        if index is not None:
            return [table[key] for key in index.get(wanted, ())]
        return [
            row
            for row in table.values()
            if tuple(comparable(row.get(f, entity.empty[f])) for f in fields) == wanted
        ]

    def put(self, entity: Entity, row: Row) -> Row:
        """Store a row in place of what stood under its key, as a new version."""
        key = key_of(entity, row)
        before = self.get(entity, key)
        fresh = {
            **row,
            MODIFIED: self.now(),
            "_id": before["_id"] if before else self.number("_id", FIRST_ID),
            "_version": before["_version"] + 1 if before else 1,
        }
        self._swap(entity.table, key, fresh)
        return fresh

    def remove(self, entity: Entity, row: Row) -> None:
        self._swap(entity.table, key_of(entity, row), None)

    def number(self, sequence: str, first: int = 1) -> int:
        """The next number of a sequence; a number that was drawn is not given back, as in a real one that is not continuous."""
        given = self._numbers.get(sequence, first)
        self._numbers[sequence] = given + 1
        return given

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take every change back if the block raises; blocks nest."""
        self._undo.append([])
        try:
            yield
        except BaseException:
            for back in reversed(self._undo.pop()):
                back()
            raise
        undo = self._undo.pop()
        if self._undo:
            self._undo[-1].extend(undo)

    def kept(self) -> Iterator[tuple[str, Key, Row]]:
        """Every row with its table and key; see `state_file.Store`."""
        for table, rows in self._tables.items():
            for key, row in rows.items():
                yield table, key, row

    def kept_row(self, name: str, key: Key) -> Row | None:
        return self._tables[name].get(key)

    def facts(self) -> Mapping[str, Any]:
        return {"numbers": dict(self._numbers), "schema": [list(change) for change in self.schema.changes]}

    def restore(self, rows: Iterable[tuple[str, Key, Row]], facts: Mapping[str, Any]) -> None:
        """Hold exactly this and nothing else."""
        for table in self._tables:
            for key in list(self._tables[table]):
                self._exchange(table, key, None)
        for table, key, row in sorted(rows, key=lambda one: int(one[2]["_id"])):
            self._exchange(table, key, row)
        self._numbers = dict(facts["numbers"])
        self.schema = Schema()
        for place, name, is_there in facts.get("schema", ()):
            self.schema.change(place, name, is_there=is_there)

    def _swap(self, table: str, key: Key, row: Row | None) -> None:
        before = self._exchange(table, key, row)
        if self._undo:
            self._undo[-1].append(lambda: self._back(table, key, before))

    def _back(self, table: str, key: Key, before: Row | None) -> None:
        self._exchange(table, key, before)

    def _exchange(self, table: str, key: Key, row: Row | None) -> Row | None:
        rows, entity = self._tables[table], entities()[table]
        before = rows.get(key)
        for (indexed, fields), index in self._indexes.items():
            if indexed != table:
                continue
            was, now = (
                tuple(comparable(r.get(f, entity.empty[f])) for f in fields) if r else None
                for r in (before, row)
            )
            if was != now:
                if was is not None:
                    index[was].pop(key, None)
                if now is not None:
                    index.setdefault(now, {})[key] = None
        if (row is None) != (before is None):
            self._order.pop(table, None)
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row
        self.on_change(table, key)
        return before
