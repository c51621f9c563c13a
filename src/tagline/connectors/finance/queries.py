"""
Queries in Finance's words, which are fewer than OData's: no functions, no `in`, patterns by `*`, and no null.

Source: reference/dataverse-api.md section 17.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from tagline.connectors.finance.entities import Entity, entity_of
from tagline.connectors.finance.reader import MAX_NEWEST, get_part, keyed_row
from tagline.connectors.finance.session import Session
from tagline.connectors.finance.wire import CROSS, NO_DATE, ROOT, Kind, fields_of, filtered, literal, select
from tagline.connectors.odata import queries as odata
from tagline.domain.exchange import Matches, Row
from tagline.domain.query import AnyOf, Comparison, Condition, Query, Term, conditions_of, unanswerable

_PATTERN: Final = "*"
_FIRST_DAY: Final = f"{NO_DATE + timedelta(days=1)}T00:00:00Z"
"""The first instant that is no empty one."""
_TIMES: Final = (Kind.DATE, Kind.INSTANT)


def ask(session: Session, company: str, queries: Sequence[Query]) -> list[Matches]:
    """The rows of the company that meet each query, a hundred queries in one request."""

    def to_question(query: Query) -> odata.Question:
        return question(query, company)

    return odata.ask(session, queries, to_question, get_part, _row)


def question(query: Query, company: str) -> odata.Question:
    """
    The query as Finance is asked.

    Raises:
        UsageError: It has no words for it (code `query-not-answerable`).
        RecordError: A reference in it can be none (code `key-not-addressable`).
    """
    entity = entity_of(query.model)
    fields = fields_of(query.model)
    if query.expand:
        raise unanswerable(query.model, "an expansion", "read the rows that it refers to by `find_all`")
    for name in {*(c.column for c in conditions_of(query.where)), *(s.column for s in query.order_by)}:
        if fields[name].is_local:
            raise unanswerable(query.model, name, f"it is made of {', '.join(entity.key)}; ask by those")
    order = [f"{sort.column} desc" if sort.descending else sort.column for sort in query.order_by]
    ties = [name for name in entity.key if name not in {sort.column for sort in query.order_by}]
    options = [
        CROSS,
        filtered(entity, company, [_term(entity, term) for term in query.where]),
        # Without columns that differ from row to row, pages overlap.
        f"$orderby={','.join((*order, *ties))}".replace(" ", "%20"),
        select(entity, (*query.used, *query.model.remote.keys[0])),
    ]
    is_exact = not any(map(_is_pattern, conditions_of(query.where)))
    path = f"{ROOT}/{query.model.remote.collection}"
    return odata.Question(query, path, tuple(filter(None, options)), is_exact, MAX_NEWEST)


def _term(entity: Entity, term: Term) -> str:
    if not isinstance(term, AnyOf):
        return _condition(entity, term)
    able = [each for each in term.conditions if each.comparison is not Comparison.IN or each.value]
    return f"({' or '.join(_condition(entity, each) for each in able)})"


def _condition(entity: Entity, condition: Condition) -> str:
    name, comparison, value = condition.column, condition.comparison, condition.value
    kind = fields_of(entity.model)[name].kind
    if comparison is Comparison.IN:
        tests = (_condition(entity, Condition(name, Comparison.EQ, each)) for each in value)
        return f"({' or '.join(tests)})"
    if comparison is Comparison.IS_BLANK:
        return _blank(entity, name, kind, is_blank=value)
    if comparison in (Comparison.STARTS, Comparison.CONTAINS):
        if kind is not Kind.TEXT:
            raise unanswerable(
                entity.model, f"`{comparison}` of {name}", "it is an enumeration: compare it by `eq` or `in`"
            )
        before = _PATTERN if comparison is Comparison.CONTAINS else ""
        return f"{name} eq {literal(entity.model, name, f'{before}{value}{_PATTERN}')}"
    if comparison is Comparison.NE and isinstance(value, str) and _PATTERN in value:
        raise unanswerable(
            entity.model, f"{name} by `ne` to a text with a *", "Finance takes a * for any text"
        )
    if kind in _TIMES:
        return _in_time(entity, name, kind, comparison, value)
    return f"{name} {comparison} {literal(entity.model, name, value)}"


def _blank(entity: Entity, name: str, kind: Kind, *, is_blank: bool) -> str:
    if kind in _TIMES:
        return f"{name} {'lt' if is_blank else 'ge'} {_FIRST_DAY}"
    if kind is not Kind.TEXT:
        raise unanswerable(
            entity.model,
            f"`{Comparison.IS_BLANK}` of {name}",
            "Finance has 0 or a member there: compare it with that",
        )
    return f"{name} {'eq' if is_blank else 'ne'} ''"


def _in_time(entity: Entity, name: str, kind: Kind, comparison: Comparison, value: Any) -> str:
    """A test of a time, which no empty one passes but for `ne`; a day is one at whatever hour it travels."""
    first = last = literal(entity.model, name, value)
    if kind is Kind.DATE:
        first, last = f"{value}T00:00:00Z", f"{value}T23:59:59Z"
    match comparison:
        case Comparison.EQ:
            return f"({name} ge {first} and {name} le {last})"
        case Comparison.NE:
            return f"({name} lt {first} or {name} gt {last})"
        case Comparison.LT | Comparison.LE:
            end = first if comparison is Comparison.LT else last
            return f"({name} {comparison} {end} and {name} ge {_FIRST_DAY})"
    start = last if comparison is Comparison.GT else first
    return f"({name} {comparison} {start} and {name} ge {_FIRST_DAY})"


def _is_pattern(condition: Condition) -> bool:
    """Whether its value holds what Finance takes for any text, and so lets more through."""
    values = condition.value if condition.comparison is Comparison.IN else (condition.value,)
    return any(isinstance(value, str) and _PATTERN in value for value in values)


def _row(query: Query, raw: Mapping[str, Any]) -> Row:
    return keyed_row(entity_of(query.model), raw, query.used)
