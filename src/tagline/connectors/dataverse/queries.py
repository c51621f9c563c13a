"""
Queries in Dataverse's words.

Source: reference/dataverse-api.md section 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from tagline.connectors.dataverse.reader import MAX_NEWEST, get_part, keyed_row, row_id
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import (
    ROOT,
    WILDCARDS,
    fields_of,
    from_wire,
    is_guid,
    navigation,
    select,
    to_text,
)
from tagline.connectors.odata import queries as odata
from tagline.connectors.odata.refusals import not_addressable
from tagline.connectors.odata.versions import etag_of
from tagline.domain.exchange import Matches, Row
from tagline.domain.model import Model, Ref
from tagline.domain.query import (
    AnyOf,
    Comparison,
    Condition,
    Expand,
    Query,
    Term,
    conditions_of,
    unanswerable,
)

MAX_COUNT: Final = 5000
"""Rows that `$count` counts."""
MAX_EXPANDS: Final = 15

_PATTERN: Final = re.compile(r"[%_\[]")
_PLAIN: Final = "(),'=:$"


def ask(session: Session, queries: Sequence[Query]) -> list[Matches]:
    """The rows that meet each query, a hundred queries in one request."""

    def to_row(query: Query, raw: Mapping[str, Any]) -> Row:
        return _row(session, query, raw)

    return odata.ask(session, queries, to_question, get_part, to_row)


def to_question(query: Query) -> odata.Question:
    """
    The query as the organisation is asked.

    Raises:
        UsageError: It has no words for it (code `query-not-answerable`).
        RecordError: A reference or an id in it can be none (code `key-not-addressable`).
    """
    remote = query.model.remote
    options = [f"$select={select(query.model, (*query.used, *_own_key(query.model)))}"]
    if query.where:
        options.append(f"$filter={quote(_words(query.model, query.where), safe=_PLAIN)}")
    if query.order_by:
        order = [f"{sort.column} desc" if sort.descending else sort.column for sort in query.order_by]
        # Without a column that differs from row to row, pages overlap.
        order += [] if any(s.column == remote.primary_id for s in query.order_by) else [remote.primary_id]
        options.append(f"$orderby={quote(','.join(order), safe=_PLAIN)}")
    if query.expand:
        options.append(f"$expand={quote(_expansions(query), safe=_PLAIN)}")
    is_exact = not any(map(_is_doubtful, conditions_of(query.where)))
    return odata.Question(
        query, f"{ROOT}/{remote.collection}", tuple(options), is_exact, MAX_NEWEST, MAX_COUNT
    )


def _words(model: type[Model], terms: Sequence[Term]) -> str:
    return " and ".join(_term(model, term) for term in terms)


def _term(model: type[Model], term: Term) -> str:
    if not isinstance(term, AnyOf):
        return _condition(model, term)
    able = [each for each in term.conditions if each.comparison is not Comparison.IN or each.value]
    return f"({' or '.join(_condition(model, each) for each in able)})"


def _condition(model: type[Model], condition: Condition) -> str:
    name, comparison, value = condition.column, condition.comparison, condition.value
    column = fields_of(model)[name].select
    match comparison:
        case Comparison.IS_BLANK:
            return f"{column} {'eq' if value else 'ne'} null"
        case Comparison.IN:
            return f"({' or '.join(f'{column} eq {_literal(model, name, each)}' for each in value)})"
        case Comparison.STARTS | Comparison.CONTAINS if name != model.remote.primary_id:
            function = "startswith" if comparison is Comparison.STARTS else "contains"
            return f"{function}({column},{_quoted(_literally(value))})"
        case Comparison.STARTS | Comparison.CONTAINS:
            raise unanswerable(model, f"`{comparison}` of its id", "compare an id by `eq` or `in`")
    return f"{column} {comparison} {_literal(model, name, value)}"


def _literal(model: type[Model], name: str, value: object) -> str:
    if isinstance(value, Ref) or name == model.remote.primary_id:
        found = value.key[0][1] if isinstance(value, Ref) and len(value.key) == 1 else value
        if not is_guid(found):
            raise not_addressable(model, name, "is compared with what is no id")
        return str(found)
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return to_text(value)
        case date():
            return value.isoformat()
    return _quoted(str(value))


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _literally(text: str) -> str:
    """A text of which `startswith` and `contains` take no character for a pattern: each one alone in brackets stands for itself."""
    return _PATTERN.sub(lambda found: f"[{found.group()}]", text)


def _is_doubtful(condition: Condition) -> bool:
    """Whether its value may be taken for a pattern, and so let more through; see `WILDCARDS`."""
    values = condition.value if condition.comparison is Comparison.IN else (condition.value,)
    return condition.comparison in (Comparison.EQ, Comparison.IN) and any(
        isinstance(value, str) and WILDCARDS & set(value) for value in values
    )


def _expansions(query: Query) -> str:
    if len(query.expand) > MAX_EXPANDS:
        raise unanswerable(
            query.model, f"{len(query.expand)} expansions", f"expand at most {MAX_EXPANDS} lookups"
        )
    return ",".join(
        f"{_navigation(query, each)}($select={select(each.model, each.columns)})" for each in query.expand
    )


def _navigation(query: Query, expand: Expand) -> str:
    return navigation(query.model, expand.column, expand.model)


def _own_key(model: type[Model]) -> tuple[str, ...]:
    return model.remote.keys[0] if model.remote.keys else ()


def _row(session: Session, query: Query, raw: Mapping[str, Any]) -> Row:
    row = keyed_row(session, query.model, raw, query.used)
    expanded: dict[str, Row] = {}
    for each in query.expand:
        inner = raw.get(_navigation(query, each))
        if isinstance(inner, Mapping):
            own = ((each.model.remote.primary_id, row_id(session, each.model, inner)),)
            expanded[each.column] = Row(
                own, own[0][1], etag_of(inner), from_wire(each.model, inner, each.columns)
            )
    return replace(row, expanded=expanded)
