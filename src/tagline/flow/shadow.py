"""The shadow driver: what a flow would do to the remotes, touching nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tagline.domain.exchange import Key, Matches, Outcome, Row, WriteKind
from tagline.domain.matching import covers, in_order, map_references, matches
from tagline.domain.model import Model, Ref
from tagline.domain.query import MOST_ROWS, Query
from tagline.errors import Disposition, InconclusiveError
from tagline.flow import refusals
from tagline.flow.decide import id_key, is_ours, ref_to, same
from tagline.flow.drive import Ask
from tagline.flow.effects import Reversibility, Verb
from tagline.flow.rounds import Rounds
from tagline.flow.world import Move


class Reader(Protocol):
    """The reading half of a `Connector`; every connector is one."""

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """Read the named columns of rows by key; absent rows are absent."""
        ...

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        """Read the rows whose lookup column `parent` is one of `parent_ids`, by parent id."""
        ...

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        """Read the rows that meet conditions, for each query."""
        ...


@dataclass(frozen=True)
class Intention:
    """One write a record would make, or one expectation it would check."""

    record: str
    """Of several records that share a write, the one whose fields were given last."""
    verb: Verb
    system: str
    entity: str
    key: Key
    kind: WriteKind | None
    """None for an expectation."""
    changes: Mapping[str, tuple[Any, Any]]
    """Column -> what stands there and what would be written or is expected; a row to be created has a before of None."""
    action: str
    reversibility: Reversibility
    within: Key | None
    """Key of the parent, for a child."""


class ShadowDriver:
    """
    Collects what would be written, in `intentions`, in the order it would happen.

    Rows that would be created, changed or removed are seen so by every later effect. A row that does not exist yet has the id
    `new:<key>` and no columns but those it would be given; its state is unknown, and a transition of it counts as due.
    """

    def __init__(self, readers: Mapping[str, Reader]) -> None:
        """`readers` are by system kind."""
        self.intentions: list[Intention] = []
        self._rounds = Rounds(_Imagined(readers, self.intentions))

    def answer(self, asks: Sequence[Ask]) -> Sequence[Any]:
        """One answer an ask, in order; expectations are shown, since what the remote would compute is unknown."""
        checks = {i for i, ask in enumerate(asks) if ask.effect.verb is Verb.EXPECT}
        self.intentions.extend(_expectation(asks[i]) for i in sorted(checks))
        others = iter(self._rounds.answer([ask for i, ask in enumerate(asks) if i not in checks]))
        return [None if i in checks else next(others) for i in range(len(asks))]


def _expectation(ask: Ask) -> Intention:
    effect, remote = ask.effect, ask.effect.model.remote
    expected = {name: (None, value) for name, value in effect.parameters.items()}
    return Intention(
        ask.record,
        effect.verb,
        remote.system,
        remote.entity,
        effect.key,
        None,
        expected,
        "",
        effect.reversibility,
        None,
    )


class _Imagined:
    """The remotes with the moves of this run laid over them."""

    def __init__(self, readers: Mapping[str, Reader], intentions: list[Intention]) -> None:
        self._readers = readers
        self._intentions = intentions
        self._created: dict[tuple[type[Model], Key], str] = {}
        """Ids of rows that would be created, by every key they could be read by."""
        self._values: dict[tuple[type[Model], str], dict[str, Any]] = {}
        """Columns that would be written, by id."""
        self._removed: set[tuple[type[Model], str]] = set()
        self._touched: dict[tuple[type[Model], str], Key] = {}
        """Keys of the rows that would be written, by id."""

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        rows = {
            key: Row(key, self._created[model, key], None, {})
            for key in keys
            if (model, key) in self._created
        }
        real = [key for key in keys if key not in rows]
        if real:
            rows.update(self._reader(model).read(model, real, names))
        return {key: self._over(model, row, names) for key, row in rows.items() if self._is_there(model, row)}

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        created = set(self._created.values())
        real = [parent_id for parent_id in parent_ids if parent_id not in created]
        stand = self._reader(model).children(model, parent, real, names) if real else {}
        found = {parent_id: list(stand.get(parent_id, ())) for parent_id in parent_ids}
        for (of, key), row_id in self._created.items():
            above = self._values[of, row_id].get(parent)
            if of is model and isinstance(above, Ref) and key != id_key(model, row_id):
                for _, parent_id in above.key:
                    if parent_id in found:
                        found[parent_id].append(Row(key, row_id, None, {}))
        return {
            parent_id: [self._over(model, row, names) for row in rows if self._is_there(model, row)]
            for parent_id, rows in found.items()
        }

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        return [Matches(self._expanded(query, self._meeting(query))) for query in asked]

    def _meeting(self, query: Query) -> Sequence[Row]:
        """The rows that would meet a query: with this run's moves made others may, and some no more."""
        model, imagined = query.model, set(self._created.values())
        columns = tuple(dict.fromkeys((*query.columns, *(each.column for each in query.expand))))
        plain = replace(query, columns=columns, expand=())
        real = map_references(plain, lambda r: None if r.key[0][1] in imagined else r)
        touched = {row_id: key for (of, row_id), key in self._touched.items() if of is model}
        if not touched:
            return self._reader(model).query([real])[0].rows
        limit = None if query.limit is None else min(query.limit + len(touched), MOST_ROWS)
        stand = self._reader(model).query([replace(real, columns=plain.used, limit=limit)])[0].rows
        rows = {row.id: self._over(model, row, plain.used) for row in stand if self._is_there(model, row)}
        others = [key for row_id, key in touched.items() if row_id not in {row.id for row in stand}]
        rows.update((row.id, row) for row in self.read(model, others, plain.used).values())
        met = (row for row in rows.values() if matches(plain.where, row.values))
        return in_order(query.order_by, met, lambda row: row.values)[: query.limit]

    def _expanded(self, query: Query, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with those that their lookups point to, read by id, so that these are as they would be, too."""
        for each in query.expand:
            found = {row.id: row.values.get(each.column) for row in rows}
            keys = {
                row_id: ref.key
                for row_id, ref in found.items()
                if isinstance(ref, Ref) and ref.model is each.model
            }
            inner = self.read(each.model, tuple(dict.fromkeys(keys.values())), each.columns)
            rows = [
                replace(row, expanded={**row.expanded, each.column: inner[keys[row.id]]})
                if keys.get(row.id) in inner
                else row
                for row in rows
            ]
        return rows

    def perform(self, moves: Sequence[Move]) -> Sequence[Outcome]:
        return [self._imagine(move) for move in moves]

    def _imagine(self, move: Move) -> Outcome:
        write, remote = move.write, move.write.model.remote
        before = move.before or {}
        names = write.fields if write.kind is not WriteKind.DELETE else before
        changes = {name: (before.get(name), write.fields.get(name)) for name in names}
        self._intentions.append(
            Intention(
                move.record,
                move.verb,
                remote.system,
                remote.entity,
                write.key,
                write.kind,
                changes,
                write.action,
                move.reversibility,
                move.within,
            )
        )
        found = write.id or "new:" + ",".join(str(value) for _, value in write.key)
        row = (write.model, found)
        self._touched[row] = write.key or id_key(write.model, found)
        match write.kind:
            case WriteKind.CREATE:
                self._created[write.model, write.key] = found
                self._created[write.model, id_key(write.model, found)] = found
                self._removed.discard(row)
                self._values[row] = dict(write.fields)
            case WriteKind.UPDATE:
                self._values.setdefault(row, {}).update(write.fields)
            case WriteKind.DELETE:
                self._removed.add(row)
            case WriteKind.ACT:
                pass
        return Outcome(Disposition.DONE, found)

    def _over(self, model: type[Model], row: Row, names: Sequence[str]) -> Row:
        written = self._values.get((model, row.id), {})
        values = {model.remote.primary_id: row.id, **row.values, **written}
        return Row(row.key, row.id, row.etag, {n: values[n] for n in names if n in values})

    def _is_there(self, model: type[Model], row: Row) -> bool:
        return (model, row.id) not in self._removed

    def _reader(self, model: type[Model]) -> Reader:
        system = model.remote.system
        if system not in self._readers:
            raise refusals.connection_missing(model)
        return self._readers[system]


class RecordedReader:
    """
    Answers from rows that were recorded; what nobody recorded is inconclusive, never guessed.

    Args:
        rows: By model and key; None stands for a row that was recorded as absent. Rows found as children of a parent are recorded
            under their own key with their lookup column; a parent whose row is recorded has no other children.
        queries: Keys of the rows that a query found, which are among `rows`.
    """

    def __init__(
        self,
        rows: Mapping[tuple[type[Model], Key], Row | None],
        queries: Mapping[Query, Sequence[Key]] | None = None,
    ) -> None:
        self._rows = rows
        self._queries = queries or {}
        self._ids = {row.id for row in rows.values() if row}

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        found: dict[Key, Row] = {}
        for key in keys:
            if (model, key) not in self._rows:
                raise _unrecorded(model, key, f"no {model.__name__} was recorded under this key")
            row = self._rows[model, key]
            if row is not None:
                found[key] = _narrowed(model, row, names)
        return found

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        found: dict[str, Sequence[Row]] = {}
        for parent_id in parent_ids:
            if parent_id not in self._ids:
                raise _unrecorded(
                    model, (), f"the parent whose {model.__name__} rows are asked for was not recorded"
                )
            mine: dict[str, Row] = {}
            for (of, _), row in self._rows.items():
                if of is not model or row is None or not _points_to(row.values.get(parent), parent_id):
                    continue
                # A row may have been read by its id as well as by our key; as a child it goes by our key.
                if row.id not in mine or is_ours(model, row):
                    mine[row.id] = row
            found[parent_id] = [_narrowed(model, row, names) for row in mine.values()]
        return found

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        return [Matches(self._meeting(query)) for query in asked]

    def _meeting(self, query: Query) -> Sequence[Row]:
        if query.is_void:
            return ()
        wide = next((each for each in self._queries if covers(each, query)), None)
        if wide is None:
            raise _unrecorded(
                query.model, (), f"nobody recorded which {query.model.__name__} rows meet this query"
            )
        rows = [self._rows[query.model, key] for key in self._queries[wide]]
        found = [
            row
            for row in rows
            if row is not None and (wide.where == query.where or matches(query.where, row.values))
        ]
        if wide.order_by != query.order_by:
            found = in_order(query.order_by, found, lambda row: row.values)
        return [_narrowed(query.model, row, query.columns) for row in found[: query.limit]]


def _points_to(value: Any, id: str) -> bool:  # noqa: A002 - as the column is called
    return isinstance(value, Ref) and same(value, ref_to(value.model, id))


def _narrowed(model: type[Model], row: Row, names: Sequence[str]) -> Row:
    values = {model.remote.primary_id: row.id, **row.values}
    unknown = [name for name in names if name not in values]
    if unknown:
        raise _unrecorded(model, row.key, f"{model.__name__} was recorded without {', '.join(unknown)}")
    return Row(row.key, row.id, row.etag, {name: values[name] for name in names})


def _unrecorded(model: type[Model], key: Key, message: str) -> InconclusiveError:
    return InconclusiveError(
        message,
        code="shadow-unrecorded",
        where={"model": model.__name__, "key": "+".join(name for name, _ in key)},
        hint="record these rows from the environment, or run the shadow against the remote with read-only credentials",
        disposition=Disposition.DEAD_LETTER,
    )
