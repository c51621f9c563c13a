"""Which rows meet a query, told without asking a remote: for what is imagined, recorded, or found by a wider question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from tagline.domain.model import Ref
from tagline.domain.query import AnyOf, Comparison, Condition, Query, Sort, Term

T = TypeVar("T")


def matches(terms: Iterable[Term], values: Mapping[str, Any]) -> bool:
    """Whether a row meets every term; a column that is not among its values is no obstacle."""
    return all(
        any(_meets(each, values) for each in term.conditions)
        if isinstance(term, AnyOf)
        else _meets(term, values)
        for term in terms
    )


def in_order(
    order_by: Sequence[Sort], items: Iterable[T], values_of: Callable[[T], Mapping[str, Any]]
) -> list[T]:
    """The items sorted; those that are equal keep the order they come in."""
    found = list(items)
    for sort in reversed(order_by):
        found.sort(key=partial(_place, values_of, sort.column), reverse=sort.descending)
    return found


def map_references(query: Query, found: Callable[[Ref[Any]], Ref[Any] | None]) -> Query:
    """
    The query with other references in its conditions; None stands for a row that does not exist.

    Nothing equals what does not exist, and everything differs from it.
    """

    def mapped(term: Term) -> Term | None:
        if isinstance(term, AnyOf):
            kept = tuple(mapped(each) for each in term.conditions)
            # An alternative that everything meets leaves nothing to ask.
            return None if None in kept else AnyOf(tuple(c for c in kept if isinstance(c, Condition)))
        if term.comparison is Comparison.IN:
            values = (found(v) if isinstance(v, Ref) else v for v in term.value)
            return replace(term, value=tuple(v for v in values if v is not None))
        if not isinstance(term.value, Ref):
            return term
        value = found(term.value)
        if value is not None:
            return replace(term, value=value)
        return None if term.comparison is Comparison.NE else Condition(term.column, Comparison.IN, ())

    return replace(query, where=tuple(t for t in map(mapped, query.where) if t is not None))


def covers(wide: Query, narrow: Query) -> bool:
    """Whether the rows of `narrow` are all among those of `wide`: the same question, or one value of several."""
    if wide.model is not narrow.model:
        return False
    if (wide.where, wide.order_by, wide.limit) == (narrow.where, narrow.order_by, narrow.limit):
        return True
    return (
        wide.limit is None
        and len(wide.where) == len(narrow.where)
        and all(map(_covers, wide.where, narrow.where))
    )


def _meets(condition: Condition, values: Mapping[str, Any]) -> bool:
    if condition.column not in values:
        return True
    found, sought = _plain(values[condition.column]), condition.value
    match condition.comparison:
        case Comparison.IS_BLANK:
            return (found is None) is bool(sought)
        case Comparison.IN:
            return found is not None and found in [_plain(each) for each in sought]
        case Comparison.NE:
            return bool(found != _plain(sought))
        case Comparison.EQ:
            return bool(found == _plain(sought))
    if found is None:
        return False
    match condition.comparison:
        case Comparison.STARTS:
            return str(values[condition.column]).casefold().startswith(sought.casefold())
        case Comparison.CONTAINS:
            return sought.casefold() in str(values[condition.column]).casefold()
        case Comparison.LT:
            return bool(found < sought)
        case Comparison.LE:
            return bool(found <= sought)
        case Comparison.GT:
            return bool(found > sought)
    return bool(found >= sought)


def _plain(value: Any) -> Any:
    """A value as it compares; None for what is empty."""
    if isinstance(value, str):
        return value.casefold().rstrip(" ") or None
    if isinstance(value, Ref):
        # Ids are GUIDs, numbers or account numbers: their letter case carries nothing.
        remote = value.model.remote
        return remote.system, remote.entity, tuple((n, str(v).lower()) for n, v in value.key)
    return value


def _place(values_of: Callable[[T], Mapping[str, Any]], column: str, item: T) -> tuple[bool, Any]:
    plain = _plain(values_of(item).get(column))
    return plain is not None, 0 if plain is None else plain


def _covers(wide: Term, narrow: Term) -> bool:
    if wide == narrow:
        return True
    if isinstance(wide, AnyOf) or isinstance(narrow, AnyOf) or wide.column != narrow.column:
        return False
    if wide.comparison is not Comparison.IN or narrow.comparison not in (Comparison.EQ, Comparison.IN):
        return False
    values = narrow.value if narrow.comparison is Comparison.IN else (narrow.value,)
    return {_plain(value) for value in values} <= {_plain(value) for value in wide.value}
