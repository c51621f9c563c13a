"""`$filter` as a test on rows, and the ids that can pass where an index knows them. Source: Web API notes, section 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tagline.sandbox.dataverse_conditions import COMPARISONS, Condition, compared, condition, like, typed
from tagline.sandbox.dataverse_errors import bad_uri, no_property
from tagline.sandbox.dataverse_functions import is_query_function, read_function
from tagline.sandbox.dataverse_literals import Tokens
from tagline.sandbox.dataverse_navigation import collection_of, single_of
from tagline.sandbox.dataverse_rows import Row, Rows, comparable
from tagline.sandbox.dataverse_schema import Column, Table
from tagline.sandbox.dataverse_scope import Scope, value_of

Test = Callable[[Scope, Any], bool]
Candidates = Callable[[Scope], "set[str] | None"]
_TEXT: Mapping[str, str] = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
MAX_DEPTH = 60
"""Of parentheses and `not` in each other."""


@dataclass(frozen=True)
class Filter:
    """A compiled `$filter`."""

    test: Test
    candidates: Candidates
    """The only ids that can pass; None where no index tells."""


EVERYTHING = Filter(lambda _scope, _row: True, lambda _scope: None)


def _unindexed(test: Test) -> Filter:
    return Filter(test, lambda _scope: None)


@dataclass(frozen=True)
class Operand:
    """Something a `$filter` compares: how its value is got, and its column where it has one."""

    get: Callable[[Scope, Any], Any]
    column: Column | None = None
    index: Callable[[Scope, Any], set[str] | None] = lambda _scope, _value: None
    """Ids of the rows whose value equals that one; None where no index tells."""


class Subject(Protocol):
    """What a `$filter` is about: rows of a table, or facts of the metadata."""

    def operand(self, path: str) -> Operand: ...
    def collection(self, path: str) -> tuple[Callable[[Scope, Any], list[Any]], Subject]: ...


@dataclass(frozen=True)
class TableSubject:
    """Rows of one table, with what can be reached from them."""

    table: Table

    def operand(self, path: str) -> Operand:
        head, _, rest = path.partition("/")
        if not rest:
            column = column_of(self.table, path)
            return Operand(
                lambda _scope, row: value_of(row, column),
                column,
                lambda scope, value: _indexed(scope.rows, self.table, column, value),
            )
        target, column = single_of(self.table, head)
        inner = TableSubject(target).operand(rest)

        def get(scope: Scope, row: Row) -> Any:
            found = scope.linked(row, column, target)
            return None if found is None else inner.get(scope, found)

        def index(scope: Scope, value: Any) -> set[str] | None:
            ids = (
                inner.index(scope, value) if column.name in self.table.lookups and value is not None else None
            )
            if ids is None:
                return None
            return {i for one in ids for i in scope.rows.pointing(self.table, column.name, one)}

        return Operand(get, inner.column, index)

    def collection(self, path: str) -> tuple[Callable[[Scope, Row], list[Row]], Subject]:
        head, _, rest = path.partition("/")
        if rest:
            target, column = single_of(self.table, head)
            inner, subject = TableSubject(target).collection(rest)

            def reached(scope: Scope, row: Row) -> list[Row]:
                found = scope.linked(row, column, target)
                return [] if found is None else inner(scope, found)

            return reached, subject
        child, by = collection_of(self.table, head)
        primary = self.table.primary_id
        return lambda scope, row: list(scope.pointing(child, by, row[primary])), TableSubject(child)


def column_of(table: Table, name: str) -> Column:
    """The column called so in answers; lookups only as `_x_value`."""
    column = table.by_wire.get(name)
    if column is None:
        raise no_property(table, name)
    return column


def parse_filter(table: Table, text: str, aliases: Mapping[str, str] | None = None) -> Filter:
    """
    Compile a `$filter` on rows.

    Raises:
        Refusal: It cannot be read or names an unknown property.
    """
    return compile_filter(TableSubject(table), Tokens(text, aliases), text)


def compile_filter(subject: Subject, tokens: Tokens, text: str) -> Filter:
    """Compile what the words say about the subject, to their end."""
    found = _Parser(tokens).either({"": subject}, 0)
    if tokens.peek():
        raise bad_uri(f"Syntax error near '{tokens.peek()}' in '{text}'.")
    return found


Known = Mapping[str, Subject]
"""Subjects by the variable that a lambda calls them; the row itself has the empty name."""


class _Parser:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def either(self, known: Known, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise bad_uri("The recursion limit of the filter has been exceeded.")
        parts = [self._both(known, depth)]
        while self._tokens.peek() == "or":
            self._tokens.take()
            parts.append(self._both(known, depth))
        return either(parts)

    def _both(self, known: Known, depth: int) -> Filter:
        parts = [self._term(known, depth)]
        while self._tokens.peek() == "and":
            self._tokens.take()
            parts.append(self._term(known, depth))
        return both(parts)

    def _term(self, known: Known, depth: int) -> Filter:
        tokens = self._tokens
        if tokens.peek() == "(":
            tokens.take()
            inside = self.either(known, depth + 1)
            tokens.take(")")
            return inside
        if not tokens.is_name():
            return self._reversed(known)
        name = tokens.take_name()
        if name == "not":
            if depth > MAX_DEPTH:
                raise bad_uri("The recursion limit of the filter has been exceeded.")
            inner = self._term(known, depth + 1)
            return _unindexed(lambda scope, row: not inner.test(scope, row))
        if tokens.peek() == "(":
            return self._called(known, name, depth)
        left = _operand(known, name)
        operator = tokens.take_name() if tokens.is_name() else ""
        if operator not in COMPARISONS:
            raise bad_uri(f"The operator '{operator or tokens.peek()}' is not supported.")
        if tokens.is_name() and tokens.peek() not in ("and", "or"):
            return _two(left, operator, _operand(known, tokens.take_name()))
        return _compare(left, operator, tokens.take_literal())

    def _reversed(self, known: Known) -> Filter:
        """`5 lt numberofemployees`."""
        value = self._tokens.take_literal()
        operator = self._tokens.take_name()
        turned = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}.get(operator)
        if turned is None or not self._tokens.is_name():
            raise bad_uri("A condition needs a property.")
        return _compare(_operand(known, self._tokens.take_name()), turned, value)

    def _called(self, known: Known, name: str, depth: int) -> Filter:
        if is_query_function(name):
            operator, path, values = read_function(name, self._tokens)
            return _conditioned(_operand(known, path), operator, values)
        path, _, last = name.rpartition("/")
        if path and last in ("any", "all"):
            return self._over(known, path, last, depth)
        if name not in _TEXT:
            raise bad_uri(f"An unknown function with name '{name}' was found.")
        tokens = self._tokens
        tokens.take("(")
        operand = _operand(known, tokens.take_name())
        tokens.take(",")
        sought = tokens.take_literal()
        tokens.take(")")
        wanted = True
        if tokens.peek() in ("eq", "ne"):  # `contains(name,'x') eq true`
            wanted = (tokens.take() == "eq") is (tokens.take_literal() is True)
        pattern = like(_TEXT[name].format(sought))
        return _unindexed(
            lambda scope, row: (pattern.fullmatch(str(operand.get(scope, row) or "")) is not None) is wanted
        )

    def _over(self, known: Known, path: str, quantifier: str, depth: int) -> Filter:
        """`order_details/any(d:d/quantity gt 5)`."""
        tokens = self._tokens
        owner, rest = _owner(known, path)
        items, subject = owner.collection(rest)
        tokens.take("(")
        if tokens.peek() == ")":
            tokens.take()
            if quantifier == "all":
                raise bad_uri("'all' needs a condition.")
            return _unindexed(lambda scope, row: bool(items(scope, row)))
        variable = tokens.take_name()
        tokens.take(":")
        inside = self.either({variable: subject}, depth + 1)
        tokens.take(")")
        quantify = any if quantifier == "any" else all
        return _unindexed(lambda scope, row: quantify(inside.test(scope, item) for item in items(scope, row)))


def _owner(known: Known, path: str) -> tuple[Subject, str]:
    """The subject a path starts from, and the path without the variable that names it."""
    head, _, rest = path.partition("/")
    if head in known:
        return known[head], rest
    if "" not in known:
        raise bad_uri(f"Could not find a range variable for '{head}'.")
    return known[""], path


def _operand(known: Known, path: str) -> Operand:
    subject, rest = _owner(known, path)
    return subject.operand(rest)


def either(parts: Sequence[Filter]) -> Filter:
    """Any of the parts; flat, since a filter of thousands of them is ordinary."""
    if len(parts) == 1:
        return parts[0]

    def candidates(scope: Scope) -> set[str] | None:
        found: set[str] = set()
        for part in parts:
            ids = part.candidates(scope)
            if ids is None:
                return None
            found |= ids
        return found

    return Filter(lambda scope, row: any(part.test(scope, row) for part in parts), candidates)


def both(parts: Sequence[Filter]) -> Filter:
    """All of the parts."""
    if len(parts) == 1:
        return parts[0]

    def candidates(scope: Scope) -> set[str] | None:
        found: set[str] | None = None
        for part in parts:
            ids = part.candidates(scope)
            if ids is not None:
                found = ids if found is None else found & ids
            if found is not None and len(found) <= 1:
                break  # no second index makes it fewer rows to look at
        return found

    return Filter(lambda scope, row: all(part.test(scope, row) for part in parts), candidates)


def _compare(left: Operand, operator: str, value: Any) -> Filter:
    sought = typed(left.column, value)
    return _tested(left, compared(operator, sought), [sought] if operator == "eq" else None)


def _conditioned(left: Operand, operator: str, values: tuple[Any, ...]) -> Filter:
    if left.column is None:
        raise bad_uri("Query functions need a column.")
    sought = [typed(left.column, value) for value in values] if operator == "in" else None
    return _tested(left, condition(operator, left.column, values), sought)


def _tested(left: Operand, passes: Condition, sought: list[Any] | None) -> Filter:
    """The condition on the operand; `sought` are the only values that pass, where those are known."""

    def candidates(scope: Scope) -> set[str] | None:
        found: set[str] = set()
        for value in sought or ():
            ids = left.index(scope, value)
            if ids is None:
                return None
            found |= ids
        return found if sought is not None else None

    return Filter(lambda scope, row: passes(scope, left.get(scope, row)), candidates)


def _two(left: Operand, operator: str, right: Operand) -> Filter:
    test = COMPARISONS[operator]

    def passes(scope: Scope, row: Row) -> bool:
        a, b = comparable(left.get(scope, row)), comparable(right.get(scope, row))
        try:
            return a is not None and b is not None and bool(test(a, b))
        except TypeError:
            raise bad_uri("A binary operator with incompatible types was detected.") from None

    return _unindexed(passes)


def _indexed(rows: Rows, table: Table, column: Column, wanted: Any) -> set[str] | None:
    if wanted is None:
        return None
    if column.name == table.primary_id:
        return {wanted}
    if column.name in table.lookups:
        return set(rows.pointing(table, column.name, wanted))
    if (column.name,) in table.keys.values():
        row_id = rows.by_key(table, (column.name,), (wanted,))
        return set() if row_id is None else {row_id}
    return None
