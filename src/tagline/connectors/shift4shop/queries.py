"""Queries as lists of the shop: filtered by what its parameters can tell, read whole, then compared, sorted and cut here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any, Final

from tagline.connectors.shift4shop.paging import all_rows
from tagline.connectors.shift4shop.parse import whole_id
from tagline.connectors.shift4shop.reading import sound_rows
from tagline.connectors.shift4shop.resources import Resource
from tagline.connectors.shift4shop.searches import SEARCHES, Search
from tagline.connectors.shift4shop.store import Address, Store
from tagline.domain.exchange import Matches, Row
from tagline.domain.matching import in_order, matches
from tagline.domain.query import Comparison, Condition, Query, Term, too_large, unanswerable
from tagline.errors import UsageError

MOST_LISTS: Final = 100
"""Lists that one query reads: of several values each takes one of its own."""
MARGIN: Final = timedelta(days=2)
"""
How much farther than asked a list is read either way: parameters are days of the store, and some of them end at the midnight that a
day begins with.
"""


@dataclass(frozen=True)
class _List:
    """A list to read, or a part of what makes one."""

    path: str = ""
    owner: str = ""
    """Id of the record that it stands beneath."""
    parameters: Mapping[str, object] = field(default_factory=dict)


def answer(store: Store, resource: Resource, query: Query) -> Matches:
    """
    What a query finds.

    Raises:
        UsageError: No parameter answers one of its conditions (code `query-not-answerable`, with what can be asked for).
        RecordError: A row cannot be understood (code `source-malformed`), or a list has too many rows (code `query-too-large`).
    """
    if query.expand:
        raise unanswerable(
            query.model,
            "an expansion",
            "what belongs to a record is listed with it, or read by its own query",
        )
    found: dict[str, Row] = {}
    for each in [] if query.is_void else _lists(store, resource, query):
        rows = sound_rows(store, resource, _listed(store, resource, each, query), query.used, each.owner)
        found.update((row.id, row) for row in rows if matches(query.where, row.values))
    ordered = in_order(query.order_by, found.values(), lambda row: row.values)
    kept = [replace(row, values={n: row.values[n] for n in query.columns}) for row in ordered[: query.limit]]
    return Matches(kept, len(found) if query.total else None)


def _listed(store: Store, resource: Resource, each: _List, query: Query) -> list[tuple[Address | None, Any]]:
    try:
        return all_rows(store, resource, each.path, each.parameters, owner=each.owner)
    except UsageError as error:
        if error.code == "table-too-large":
            raise too_large(query.model) from error
        raise


def _lists(store: Store, resource: Resource, query: Query) -> list[_List]:
    choices = [_choices(store, resource, term) for term in query.where]
    lists = [_joined(resource, parts) for parts in product(*choices)]
    if len(lists) > MOST_LISTS:
        raise unanswerable(
            query.model, f"{len(lists)} lists", f"ask for fewer values at a time, at most {MOST_LISTS}"
        )
    if any(not each.path for each in lists):
        raise unanswerable(
            query.model,
            "nothing of its owner",
            f"{resource.name} are listed by {resource.owner} alone: compare that by `eq`",
        )
    return lists


def _joined(resource: Resource, parts: Sequence[_List]) -> _List:
    path = "" if resource.owner else resource.path
    return _List(
        next((part.path for part in parts if part.path), path),
        next((part.owner for part in parts if part.owner), ""),
        {name: value for part in parts for name, value in part.parameters.items()},
    )


def _choices(store: Store, resource: Resource, term: Term) -> list[_List]:
    """The lists of which one holds a row that meets the term; more rows may stand there."""
    if not isinstance(term, Condition):
        raise _refused(resource, "one of several conditions")
    name, comparison = term.column, term.comparison
    if comparison in (Comparison.EQ, Comparison.IN):
        values = term.value if comparison is Comparison.IN else (term.value,)
        return [_of_value(store, resource, name, value) for value in values]
    search = SEARCHES.get(resource.model, {}).get(name, Search())
    ends = {
        Comparison.GE: search.least,
        Comparison.GT: search.least,
        Comparison.LE: search.most,
        Comparison.LT: search.most,
    }
    parameter = ends.get(comparison, "")
    if not parameter or not term.value:
        raise _refused(resource, f"{name} by `{comparison}`")
    return [_List(parameters={parameter: _end(store, term.value, is_least=parameter == search.least)})]


def _of_value(store: Store, resource: Resource, name: str, value: Any) -> _List:
    path = resource.path if name == resource.owner else resource.beneath.get(name)
    if path:
        owner = whole_id(value)
        if owner is None:
            raise _refused(resource, f"{name} by what is no id")
        return _List(path.format(owner), owner)
    search = SEARCHES.get(resource.model, {}).get(name, Search())
    if not value or not (search.same or search.least):
        raise _refused(
            resource, f"{name} by `eq`" + ("" if value else " to what the shop takes for not given")
        )
    if search.same:
        return _List(parameters={search.same: 1 if value is True else value})
    return _List(
        parameters={
            search.least: _end(store, value, is_least=True),
            search.most: _end(store, value, is_least=False),
        }
    )


def _end(store: Store, value: Any, *, is_least: bool) -> object:
    if not isinstance(value, datetime):
        return f"{value:f}" if isinstance(value, Decimal) else value
    try:
        day = (value - MARGIN if is_least else value + MARGIN).astimezone(store.zone)
    except OverflowError:
        day = value
    return f"{day:%m/%d/%Y}"


def _refused(resource: Resource, what: str) -> UsageError:
    return unanswerable(
        resource.model, what, f"the shop can be asked for {', '.join(_able(resource)) or 'the whole list'}"
    )


def _able(resource: Resource) -> Iterator[str]:
    yield from (f"{name} (eq, in)" for name in filter(None, (resource.owner, *resource.beneath)))
    for name, search in SEARCHES.get(resource.model, {}).items():
        able = [
            *(("eq", "in") if search.same or search.least else ()),
            *(("lt", "le", "gt", "ge") if search.least else ()),
        ]
        yield f"{name} ({', '.join(able)})"
