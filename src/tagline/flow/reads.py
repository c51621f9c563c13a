"""Answers to effects that only read: `find`, `find_all`, `find_where`, `expect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tagline.domain.exchange import Key, Row
from tagline.domain.query import Query
from tagline.errors import TaglineError
from tagline.flow import decide, refusals
from tagline.flow.drive import Ask
from tagline.flow.effects import Effect, Found, Verb
from tagline.flow.world import Known


def find(known: Known, asks: Sequence[Ask]) -> Sequence[Any]:
    """One read for all that is sought in one model, by whichever keys."""
    effects = [ask.effect for ask in asks]
    sought = [_sought(effect) for effect in effects]
    rows = known.read(
        effects[0].model,
        (key for keys in sought for key in keys.values()),
        (name for effect in effects for name in effect.names),
    )
    return [_found(effect, keys, rows) for effect, keys in zip(effects, sought, strict=True)]


def _sought(effect: Effect[Any]) -> Mapping[Any, Key]:
    """The keys an effect looks for, by the value its answer is listed under."""
    if effect.verb is Verb.FIND:
        return {None: effect.key}
    return {value: ((effect.parameters["by"], value),) for value in effect.parameters["values"]}


def _found(effect: Effect[Any], keys: Mapping[Any, Key], rows: Mapping[Key, Row]) -> Any:
    found = {
        value: Found(
            effect.model, key, rows[key].id, values={n: rows[key].values.get(n) for n in effect.names}
        )
        for value, key in keys.items()
        if key in rows
    }
    return found.get(None) if effect.verb is Verb.FIND else found


def find_where(known: Known, asks: Sequence[Ask]) -> Sequence[Any]:
    """One query for all that ask the same, or the same of several values."""
    queries = [_query(ask) for ask in asks]
    found = known.query(queries)
    return [[_row_found(query, row) for row in found[query]] for query in queries]


def _query(ask: Ask) -> Query:
    assert ask.effect.query is not None
    return ask.effect.query


def _row_found(query: Query, row: Row) -> Found:
    expanded = {
        each.column: Found(each.model, inner.key, inner.id, values=inner.values)
        for each in query.expand
        if (inner := row.expanded.get(each.column)) is not None
    }
    values = {name: row.values.get(name) for name in query.columns}
    return Found(query.model, row.key, row.id, values=values, expanded=expanded)


def expect(known: Known, asks: Sequence[Ask]) -> Sequence[Any]:
    """One read of all columns that are expected to have a value."""
    effects = [ask.effect for ask in asks]
    rows = known.read(
        effects[0].model,
        (effect.key for effect in effects),
        (name for effect in effects for name in effect.names),
    )
    return [_verdict(effect, rows.get(effect.key)) for effect in effects]


def _verdict(effect: Effect[Any], row: Row | None) -> TaglineError | None:
    if row is None:
        return refusals.target_missing(effect)
    details = decide.deviations(effect.model, effect.parameters, row)
    return refusals.not_as_expected(effect, details) if details else None
