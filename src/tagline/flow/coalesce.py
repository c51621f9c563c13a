"""Queries that differ in one value alone, put as one for all of these values, and its rows told apart again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tagline.domain.exchange import Matches, Row
from tagline.domain.matching import matches
from tagline.domain.query import Comparison, Condition, Query

MOST_VALUES: Final = 50
"""In one query; its words would get long, and remotes bound the number of conditions."""

Ask = Callable[[Sequence[Query]], Sequence[Matches]]


@dataclass(frozen=True)
class _Joint:
    """Queries of which the rows are read by one."""

    query: Query
    members: tuple[Query, ...]
    place: int = 0
    """Of the condition in which the members differ."""


def ask(queries: Sequence[Query], send: Ask) -> Mapping[Query, Sequence[Row]]:
    """
    What each query finds.

    A remote may take two texts for equal that we tell apart, by their accents for example. Where a row of a joint query would be
    nobody's, its members are asked one by one.
    """
    joints = list(_joints(queries))
    answers = send([joint.query for joint in joints])
    found: dict[Query, Sequence[Row]] = {}
    for joint, answer in zip(joints, answers, strict=True):
        found.update(_told_apart(joint, answer.rows))
    left = [query for query in queries if query not in found]
    if left:
        found.update((query, answer.rows) for query, answer in zip(left, send(left), strict=True))
    return found


def _joints(queries: Iterable[Query]) -> Iterable[_Joint]:
    alike: dict[Any, list[Query]] = {}
    for query in queries:
        alike.setdefault(_shape(query), []).append(query)
    for members in alike.values():
        place = _difference(members)
        if place is None:
            yield from (_Joint(query, (query,)) for query in members)
            continue
        for start in range(0, len(members), MOST_VALUES):
            yield _joint(tuple(members[start : start + MOST_VALUES]), place)


def _joint(members: tuple[Query, ...], place: int) -> _Joint:
    first, *others = members
    if not others:
        return _Joint(first, members)
    terms = list(first.where)
    name = _equal(first, place).column
    terms[place] = Condition(name, Comparison.IN, tuple(_equal(query, place).value for query in members))
    columns = tuple(dict.fromkeys((*first.columns, name)))
    return _Joint(replace(first, columns=columns, where=tuple(terms)), members, place)


def _shape(query: Query) -> Any:
    """Equal for queries that differ in no more than what they compare equal with; its own for one that is cut."""
    if query.limit is not None:
        return query
    terms = tuple(
        (term.column, Comparison.EQ)
        if isinstance(term, Condition) and term.comparison is Comparison.EQ
        else term
        for term in query.where
    )
    return query.model, query.columns, terms, query.order_by, query.expand


def _difference(members: Sequence[Query]) -> int | None:
    """The place of the one condition in which the members differ; None where there is none, or several."""
    places = [
        place
        for place, terms in enumerate(zip(*(q.where for q in members), strict=True))
        if len(set(terms)) > 1
    ]
    return places[0] if len(places) == 1 else None


def _equal(query: Query, place: int) -> Condition:
    term = query.where[place]
    assert isinstance(term, Condition)
    return term


def _told_apart(joint: _Joint, rows: Sequence[Row]) -> Mapping[Query, Sequence[Row]]:
    """The rows of each member; nothing where a row is nobody's."""
    if len(joint.members) == 1:
        return {joint.query: rows}
    found = {
        query: [row for row in rows if matches((query.where[joint.place],), row.values)]
        for query in joint.members
    }
    return found if {id(row) for mine in found.values() for row in mine} == {id(row) for row in rows} else {}
