"""`$filter` as a test on rows, and the ids that can pass where an index knows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tagline.sandbox.dataverse_errors import bad_uri, no_property
from tagline.sandbox.dataverse_literals import Tokens
from tagline.sandbox.dataverse_rows import Row, Rows, comparable
from tagline.sandbox.dataverse_schema import Column, Table, tables

Test = Callable[[Row], bool]
Candidates = Callable[[Rows], "set[str] | None"]


@dataclass(frozen=True)
class Filter:
    """A compiled `$filter`."""

    test: Test
    candidates: Candidates
    """The only ids that can pass; None where no index tells."""


EVERYTHING = Filter(lambda _row: True, lambda _rows: None)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: bool(a > b),
    "ge": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "le": lambda a, b: bool(a <= b),
}
_TEXT: dict[str, str] = {"contains": "{}", "startswith": "^{}", "endswith": "{}$"}


def column_of(table: Table, name: str) -> Column:
    """The column called so in answers; lookups only as `_x_value`."""
    column = table.by_wire.get(name)
    if column is None:
        raise no_property(table, name)
    return column


def value_of(row: Row, column: Column) -> Any:
    """What the row shows for the column: the id for a lookup."""
    value = row.get(column.name)
    return value[1] if isinstance(value, tuple) else value


def parse_filter(table: Table, text: str) -> Filter:
    """
    Compile a `$filter`.

    Raises:
        Refusal: It cannot be read or names an unknown property.
    """
    return _compiled(table.name, text)


@lru_cache(maxsize=2048)
def _compiled(name: str, text: str) -> Filter:
    tokens = Tokens(text)
    found = _either(tables()[name], tokens)
    if tokens.peek():
        raise bad_uri(f"Syntax error near '{tokens.peek()}' in '{text}'.")
    return found


def _either(table: Table, tokens: Tokens) -> Filter:
    left = _both(table, tokens)
    while tokens.peek() == "or":
        tokens.take()
        left = _or(left, _both(table, tokens))
    return left


def _both(table: Table, tokens: Tokens) -> Filter:
    left = _term(table, tokens)
    while tokens.peek() == "and":
        tokens.take()
        left = _and(left, _term(table, tokens))
    return left


def _or(left: Filter, right: Filter) -> Filter:
    def candidates(rows: Rows) -> set[str] | None:
        a, b = left.candidates(rows), right.candidates(rows)
        return None if a is None or b is None else a | b

    return Filter(lambda row: left.test(row) or right.test(row), candidates)


def _and(left: Filter, right: Filter) -> Filter:
    def candidates(rows: Rows) -> set[str] | None:
        a, b = left.candidates(rows), right.candidates(rows)
        if a is None or b is None:
            return b if a is None else a
        return a & b

    return Filter(lambda row: left.test(row) and right.test(row), candidates)


def _term(table: Table, tokens: Tokens) -> Filter:
    if tokens.peek() == "(":
        tokens.take()
        inside = _either(table, tokens)
        tokens.take(")")
        return inside
    name = tokens.take_name()
    if name == "not":
        inner = _term(table, tokens)
        return Filter(lambda row: not inner.test(row), lambda _rows: None)
    if name in _TEXT:
        return _text(table, tokens, name)
    if name == "Microsoft.Dynamics.CRM.In":
        return _in(table, tokens)
    column = column_of(table, name)
    operator = tokens.take_name()
    if operator not in ("eq", "ne", *_COMPARE):
        raise bad_uri(f"The operator '{operator}' is not supported.")
    if (other := table.by_wire.get(tokens.peek())) is not None:
        tokens.take()
        return _columns(column, operator, other)
    return _compare(table, column, operator, tokens.take_literal())


def _compare(table: Table, column: Column, operator: str, wanted: Any) -> Filter:
    sought = comparable(wanted)
    if operator in ("eq", "ne"):
        equal: Test = lambda row: comparable(value_of(row, column)) == sought  # noqa: E731 - one expression, named
        if operator == "ne":
            return Filter(lambda row: not equal(row), lambda _rows: None)
        return Filter(equal, lambda rows: _indexed(rows, table, column, wanted))
    test = _COMPARE[operator]

    def passes(row: Row) -> bool:
        value = comparable(value_of(row, column))
        try:
            return value is not None and sought is not None and test(value, sought)
        except TypeError:
            raise bad_uri(f"'{column.wire}' cannot be compared with that value.") from None

    return Filter(passes, lambda _rows: None)


def _columns(column: Column, operator: str, other: Column) -> Filter:
    test = {"eq": lambda a, b: a == b, "ne": lambda a, b: a != b, **_COMPARE}[operator]

    def passes(row: Row) -> bool:
        a, b = comparable(value_of(row, column)), comparable(value_of(row, other))
        return a is not None and b is not None and bool(test(a, b))

    return Filter(passes, lambda _rows: None)


def _indexed(rows: Rows, table: Table, column: Column, wanted: Any) -> set[str] | None:
    if column.name == table.primary_id:
        return {wanted} if isinstance(wanted, str) else set()
    if column.name in table.lookups and isinstance(wanted, str):
        return set(rows.pointing(table, column.name, wanted))
    if wanted is not None and (column.name,) in table.keys.values():
        row_id = rows.by_key(table, (column.name,), (wanted,))
        return set() if row_id is None else {row_id}
    return None


def _text(table: Table, tokens: Tokens, function: str) -> Filter:
    tokens.take("(")
    column = column_of(table, tokens.take_name())
    tokens.take(",")
    sought = tokens.take_literal()
    tokens.take(")")
    pattern = re.compile(_TEXT[function].format(_like(str(sought))), re.IGNORECASE | re.DOTALL)
    return Filter(
        lambda row: pattern.search(str(value_of(row, column) or "")) is not None,
        lambda _rows: None,
    )


def _like(text: str) -> str:
    """The LIKE pattern that the database makes of the text: `%`, `_` and `[…]` are wildcards."""
    parts = re.split(r"(%|_|\[\^?[^\]]+\])", text)
    known = {"%": ".*", "_": "."}
    return "".join(known.get(p, p if p.startswith("[") and p.endswith("]") else re.escape(p)) for p in parts)


def _in(table: Table, tokens: Tokens) -> Filter:
    tokens.take("(")
    tokens.take("PropertyName")
    tokens.take("=")
    column = column_of(table, str(tokens.take_literal()))
    tokens.take(",")
    tokens.take("PropertyValues")
    tokens.take("=")
    tokens.take("[")
    values = [tokens.take_literal()]
    while tokens.peek() == ",":
        tokens.take()
        values.append(tokens.take_literal())
    tokens.take("]")
    tokens.take(")")
    found = _compare(table, column, "eq", values[0])
    for value in values[1:]:
        found = _or(found, _compare(table, column, "eq", value))
    return found
