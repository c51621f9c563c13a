"""A remote in memory that keeps to the `Connector` protocol: alternate keys, ETags, column flags, create-only-if-absent."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS, Key, Matches, Outcome, Row, Write, WriteKind
from tagline.domain.matching import in_order, matches
from tagline.domain.model import Model, Ref, columns
from tagline.domain.query import Query, conditions_of
from tagline.errors import Disposition, TaglineError

DONE = Disposition.DONE


@dataclass
class Stored:
    values: dict[str, Any]
    version: int = 1


@dataclass
class FakeRemote:
    """One remote system; what is public about it is what a test turns."""

    transitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Columns an action sets."""
    has_etags: bool = True
    tells_ids: bool = True
    """Whether a create is answered with the id of the new row."""
    refusals: dict[Key, Outcome] = field(default_factory=dict)
    """Outcomes of writes to these keys, instead of making them."""
    broken: dict[str, TaglineError] = field(default_factory=dict)
    """Errors raised by a verb of this name."""
    unreadable: dict[Key, TaglineError] = field(default_factory=dict)
    """Raised by a read that asks for one of these keys, whatever else it asks for."""
    answer_lost: TaglineError | None = None
    """Raised after the writes were made."""
    meanwhile: Callable[[], None] | None = None
    """What somebody else does between our read and our write, once."""
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    """Verb, entity and how many rows were asked for, for each call."""
    asked: list[Query] = field(default_factory=list)
    performed: list[Write] = field(default_factory=list)
    tables: dict[type[Model], dict[str, Stored]] = field(default_factory=dict)

    def __deepcopy__(self, memo: dict[int, Any]) -> FakeRemote:
        return FakeRemote(
            dict(self.transitions), self.has_etags, self.tells_ids, tables=copy.deepcopy(self.tables, memo)
        )

    def put(self, row: Model, **more: Any) -> str:
        """Let a row stand there, as if a person had made it."""
        return self._insert(type(row), {**row.given(), **more})

    def edit(self, model: type[Model], row_id: str, **values: Any) -> None:
        stored = self.tables[model][row_id]
        stored.values.update(values)
        stored.version += 1

    def rows(self, model: type[Model]) -> list[dict[str, Any]]:
        """All columns of all rows, by id."""
        return [stored.values for _, stored in sorted(self.tables.get(model, {}).items())]

    def one(self, model: type[Model], **key: Any) -> dict[str, Any]:
        (values,) = (v for v in self.rows(model) if all(v.get(n) == k for n, k in key.items()))
        return values

    # The protocol

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        self._called("read", model, len(keys))
        for key in keys:
            if key in self.unreadable:
                raise self.unreadable[key]
        found = ((key, self._find(model, key)) for key in keys)
        return {key: self._row(model, row_id, names, key) for key, row_id in found if row_id}

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        self._called("children", model, len(parent_ids))
        return {
            parent_id: [
                self._row(model, row_id, names)
                for row_id, stored in self.tables.get(model, {}).items()
                if isinstance(ref := stored.values.get(parent), Ref) and ref.key[0][1] == parent_id
            ]
            for parent_id in parent_ids
        }

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        self._called("query", asked[0].model, len(asked))
        self.asked.extend(asked)
        return [Matches(self._meeting(query)) for query in asked]

    def _meeting(self, query: Query) -> list[Row]:
        references = [c.value for c in conditions_of(query.where) if isinstance(c.value, Ref)]
        assert all(self._is_bound(v) for v in references), "references are asked for by primary id"
        table = self.tables.get(query.model, {})
        blank = dict.fromkeys(query.model.model_fields)
        met = (i for i, stored in table.items() if matches(query.where, {**blank, **stored.values}))
        found = in_order(query.order_by, met, lambda row_id: table[row_id].values)
        rows = [self._row(query.model, row_id, query.columns) for row_id in found[: query.limit]]
        return [replace(row, expanded=self._expanded(query, table[row.id].values)) for row in rows]

    def _expanded(self, query: Query, values: Mapping[str, Any]) -> dict[str, Row]:
        points = {each: values.get(each.column) for each in query.expand}
        return {
            each.column: self._row(each.model, ref.key[0][1], each.columns, ref.key)
            for each, ref in points.items()
            if isinstance(ref, Ref) and ref.model is each.model
        }

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        if self.meanwhile:
            happening, self.meanwhile = self.meanwhile, None
            happening()
        self._called("perform", writes[0].model, len(writes))
        outcomes = [self.refusals.get(write.key) or self._make(write) for write in writes]
        if self.answer_lost:
            raise self.answer_lost
        return outcomes

    def _make(self, write: Write) -> Outcome:
        self.performed.append(write)
        row_id = write.id or self._find(write.model, write.key)
        table = self.tables.setdefault(write.model, {})
        facts = columns(write.model)
        assert all(self._is_bound(v) for v in write.fields.values()), "references are sent by primary id"
        if write.kind is WriteKind.CREATE:
            wrong = [n for n in write.fields if not facts[n].create and n not in dict(write.key)]
            if row_id:
                return Outcome(Disposition.RETRY, code=ROW_EXISTS)
            if wrong:
                return Outcome(Disposition.DEAD_LETTER, code="column-fixed", message=f"{wrong} on create")
            row_id = self._insert(write.model, dict(write.fields))
            return Outcome(DONE, row_id if self.tells_ids else None, self._etag(write.model, row_id))
        if row_id is None or row_id not in table:
            return Outcome(Disposition.DEAD_LETTER, code="row-missing", message="no such row")
        if write.etag is not None and write.etag != self._etag(write.model, row_id):
            return Outcome(Disposition.RETRY, code=ROW_CHANGED)
        if write.kind is WriteKind.DELETE:
            del table[row_id]
            return Outcome(DONE)
        if write.kind is WriteKind.UPDATE and (wrong := [n for n in write.fields if not facts[n].update]):
            return Outcome(Disposition.DEAD_LETTER, code="column-fixed", message=f"{wrong} on update")
        self.edit(
            write.model,
            row_id,
            **(self.transitions[write.action] if write.kind is WriteKind.ACT else write.fields),
        )
        return Outcome(DONE, row_id, self._etag(write.model, row_id))

    def _called(self, verb: str, model: type[Model], count: int) -> None:
        self.calls.append((verb, model.remote.entity, count))
        if verb in self.broken:
            raise self.broken[verb]

    def _insert(self, model: type[Model], values: dict[str, Any]) -> str:
        table = self.tables.setdefault(model, {})
        row_id = values.get(model.remote.primary_id) or f"{model.remote.entity}-{self._serial():06d}"
        defaults = {"statecode": 0} if "statecode" in model.model_fields else {}
        table[row_id] = Stored({**defaults, **values, model.remote.primary_id: row_id})
        return row_id

    def _serial(self) -> int:
        return 1 + max((int(i[-6:]) for table in self.tables.values() for i in table), default=0)

    def _find(self, model: type[Model], key: Key) -> str | None:
        matching = (
            row_id
            for row_id, stored in self.tables.get(model, {}).items()
            if all(stored.values.get(name) == value for name, value in key)
        )
        return next(matching, None)

    def _row(self, model: type[Model], row_id: str, names: Sequence[str], key: Key | None = None) -> Row:
        values = self.tables[model][row_id].values
        return Row(
            key or next(self._keys(model, values), ((model.remote.primary_id, row_id),)),
            row_id,
            self._etag(model, row_id),
            {name: values.get(name) for name in names},
        )

    def _keys(self, model: type[Model], values: Mapping[str, Any]) -> Iterator[Key]:
        for names in model.remote.keys[:1]:
            if all(values.get(n) is not None for n in names):
                yield tuple((n, values[n]) for n in sorted(names))

    def _etag(self, model: type[Model], row_id: str) -> str | None:
        return f'W/"{self.tables[model][row_id].version}"' if self.has_etags else None

    def _is_bound(self, value: Any) -> bool:
        return not isinstance(value, Ref) or [n for n, _ in value.key] == [value.model.remote.primary_id]

    # What drivers never ask

    def fetch(self, *_: Any) -> Any:
        raise NotImplementedError

    recent = changes = hint = subscribe = probe = describe = close = fetch
