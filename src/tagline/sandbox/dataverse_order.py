"""`$orderby`: several columns, lookups by the name shown and choices by their label. Source: Web API notes, section 5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from tagline.sandbox.dataverse_errors import bad_uri
from tagline.sandbox.dataverse_filter import TableSubject
from tagline.sandbox.dataverse_navigation import single_of
from tagline.sandbox.dataverse_render import formatted
from tagline.sandbox.dataverse_rows import Row, comparable
from tagline.sandbox.dataverse_schema import CHOICES, LOOKUPS, Column, Table
from tagline.sandbox.dataverse_scope import Scope, value_of


@dataclass(frozen=True)
class Term:
    """One column to order by."""

    get: Callable[[Scope, Row], Any]
    column: Column
    descending: bool
    is_own: bool
    """Whether the column is of the ordered table itself."""


@dataclass(frozen=True)
class Order:
    """An order of rows; those that are equal in it keep the order they come in."""

    terms: tuple[Term, ...]

    def sort(self, scope: Scope, rows: Sequence[Row]) -> list[Row]:
        """The rows in order; empty values come first, last when descending."""
        found = list(rows)
        for term in reversed(self.terms):
            found.sort(key=lambda row, term=term: sortable(term.get(scope, row)), reverse=term.descending)  # type: ignore[misc]
        return found

    def cookie(self, first: Row, last: Row) -> str:
        """The part of a paging cookie that tells the values of the order columns."""
        return "".join(
            f"<{t.column.name} last={_attribute(last, t)} first={_attribute(first, t)} />"
            for t in self.terms
            if t.is_own
        )


def _attribute(row: Row, term: Term) -> str:
    value = value_of(row, term.column)
    return quoteattr("" if value is None else str(value))


def sortable(value: Any) -> tuple[bool, Any]:
    """A key by which values of one column sort, the empty ones first."""
    return (value is not None, comparable(value))


def parse_order(table: Table, text: str) -> Order:
    """
    Read `$orderby`.

    Raises:
        Refusal: It cannot be read or names an unknown property.
    """
    terms = []
    for term in text.split(","):
        name, _, direction = term.strip().partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise bad_uri(f"Syntax error in $orderby near '{direction}'.")
        terms.append(order_term(table, name, descending=direction.strip() == "desc"))
    return Order(tuple(terms))


def order_term(table: Table, path: str, *, descending: bool) -> Term:
    """One term of an order; the path may lead through a lookup."""
    head, _, rest = path.partition("/")
    if rest:
        target, lookup = single_of(table, head)
        inner = order_term(target, rest, descending=descending)

        def through(scope: Scope, row: Row) -> Any:
            found = scope.linked(row, lookup, target)
            return None if found is None else inner.get(scope, found)

        return Term(through, inner.column, descending, is_own=False)
    operand = TableSubject(table).operand(path)
    column = operand.column
    if column is None:
        raise bad_uri(f"'{path}' cannot be ordered by.")
    if column.type in LOOKUPS or column.type in CHOICES:
        return Term(
            lambda scope, row: formatted(scope.rows, column, row) or None, column, descending, is_own=True
        )
    return Term(operand.get, column, descending, is_own=True)
