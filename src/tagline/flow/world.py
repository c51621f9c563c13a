"""Where a round reads and writes, and what was learnt there: the one thing in which live and shadow differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tagline.domain.exchange import Key, Matches, Outcome, Row, Write, WriteKind
from tagline.domain.matching import map_references
from tagline.domain.model import Model, Ref
from tagline.domain.query import Query, conditions_of
from tagline.errors import Disposition, TaglineError
from tagline.flow import coalesce, decide, refusals
from tagline.flow.effects import Reversibility, Verb


@dataclass(frozen=True)
class Move:
    """A write that was decided, with what the journal and a shadow report tell about it."""

    record: str
    """The record that asked for it; of several that share it, the one whose fields were given last."""
    verb: Verb
    write: Write
    before: Mapping[str, Any] | None
    """The columns about to change; every column of ours for a delete; None for a create."""
    reversibility: Reversibility
    within: Key | None = None
    """Key of the parent, for a child."""


class World(Protocol):
    """The remotes, or an imagination of them. Errors are `TaglineError`."""

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """As `Connector.read`."""
        ...

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        """As `Connector.children`."""
        ...

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        """As `Connector.query`, all of one model."""
        ...

    def perform(self, moves: Sequence[Move]) -> Sequence[Outcome]:
        """Make the moves, all of one model, in order; one outcome each."""
        ...


class Known:
    """A world with the ids it told so far: no reference is looked up twice in a driver's life."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids: dict[tuple[type[Model], Key], str] = {}

    def read(self, model: type[Model], keys: Iterable[Key], names: Iterable[str]) -> Mapping[Key, Row]:
        """Read rows by key, each key once."""
        asked = tuple(dict.fromkeys(keys))
        rows = self._world.read(model, asked, _in_order(model, names)) if asked else {}
        self._ids.update(((model, key), row.id) for key, row in rows.items())
        return rows

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Iterable[str]
    ) -> Mapping[str, Sequence[Row]]:
        if not parent_ids:
            return {}
        return self._world.children(model, parent, parent_ids, _in_order(model, names))

    def query(self, asked: Iterable[Query]) -> Mapping[Query, Sequence[Row]]:
        """
        What each query finds, equal ones asked once; references may be by any key.

        Queries that differ in one value alone are put as one for all of them.
        """
        queries = tuple(dict.fromkeys(asked))
        self._look_up(
            condition.value if isinstance(condition.value, tuple) else (condition.value,)
            for query in queries
            for condition in conditions_of(query.where)
        )
        bound = {query: map_references(query, self._by_id) for query in queries}
        found = coalesce.ask(tuple(dict.fromkeys(bound.values())), self._world.query)
        self._ids.update(((query.model, row.key), row.id) for query, rows in found.items() for row in rows)
        return {query: found[each] for query, each in bound.items()}

    def bind(
        self, model: type[Model], given: Sequence[Mapping[str, Any]]
    ) -> Sequence[tuple[Mapping[str, Any], refusals.Details]]:
        """
        Bind references to ids: one read a referred model, for the keys nobody told yet.

        Returns:
            For each of `given` its bound fields, and a detail for each reference that leads nowhere.
        """
        self._look_up(fields.values() for fields in given)
        return [decide.bind(model, fields, self._ids) for fields in given]

    def _look_up(self, values: Iterable[Iterable[Any]]) -> None:
        """Learn the ids of all references among the values: one read a referred model, for the keys nobody told yet."""
        unknown: dict[type[Model], list[Key]] = {}
        for value in (each for several in values for each in several if isinstance(each, Ref)):
            if not decide.is_by_id(value) and (value.model, value.key) not in self._ids:
                unknown.setdefault(value.model, []).append(value.key)
        for referred, keys in unknown.items():
            self.read(referred, keys, ())

    def _by_id(self, reference: Ref[Any]) -> Ref[Any] | None:
        if decide.is_by_id(reference):
            return reference
        known = self._ids.get((reference.model, reference.key))
        return None if known is None else decide.ref_to(reference.model, known)

    def perform(self, moves: Sequence[Move]) -> Sequence[Outcome | TaglineError]:
        """Make the moves; an outcome with an id where it is done, else why it is not."""
        if not moves:
            return ()
        try:
            outcomes = self._world.perform(moves)
        except TaglineError as error:
            return [error] * len(moves)
        done = [
            (move, outcome)
            for move, outcome in zip(moves, outcomes, strict=True)
            if outcome.disposition is Disposition.DONE
        ]
        for move, outcome in done:
            write = move.write
            if write.kind is WriteKind.DELETE:
                self._ids.pop((write.model, write.key), None)
            elif outcome.id:
                self._ids[write.model, write.key] = outcome.id
        # Some remotes answer a create by alternate key with that key, not with the id.
        untold = [m.write.key for m, o in done if m.write.kind is WriteKind.CREATE and not o.id]
        self.read(moves[0].write.model, untold, ())
        return [self._told(m.write, o) for m, o in zip(moves, outcomes, strict=True)]

    def _told(self, write: Write, outcome: Outcome) -> Outcome | TaglineError:
        if outcome.disposition is not Disposition.DONE:
            return refusals.from_outcome(write, outcome)
        if write.kind is WriteKind.DELETE:
            return outcome
        found = outcome.id or write.id or self._ids.get((write.model, write.key))
        return Outcome(Disposition.DONE, found, outcome.etag) if found else refusals.id_untold(write)


def _in_order(model: type[Model], names: Iterable[str]) -> tuple[str, ...]:
    """Columns in the order of their model, so that the same question is always asked in the same words."""
    wanted = set(names)
    return tuple(n for n in model.model_fields if n in wanted)
