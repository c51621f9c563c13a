"""`$filter` and `$orderby` of Finance: a smaller language than OData's. Source: Finance notes, section 17."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from tagline.sandbox.dataverse_literals import Tokens
from tagline.sandbox.finance_errors import no_property, unreadable
from tagline.sandbox.finance_rows import Row, comparable
from tagline.sandbox.finance_schema import NAMESPACE, Entity

Test = Callable[[Row], bool]
MAX_DEPTH = 50
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": eq,
    "ne": ne,
    "gt": gt,
    "ge": ge,
    "lt": lt,
    "le": le,
}


def parse_filter(entity: Entity, text: str) -> Test:
    """
    Read a condition; the operators are eq, ne, gt, ge, lt, le, and, or, not, and `'*x*'` is a pattern.

    Raises:
        FinanceRefusal: It cannot be read, names what is not there, or uses what Finance lacks (functions, `in`, `has`).
        Refusal: A word of it is none.
    """
    reader = _Reader(entity, Tokens(text))
    test = reader.either(0)
    if reader.tokens.peek():
        raise unreadable(f"Syntax error near '{reader.tokens.peek()}' in '{text}'.")
    return test


def parse_order(entity: Entity, text: str) -> list[tuple[str, bool]]:
    """Fields to sort by, the first one first, with whether it is descending."""
    found = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        if name not in entity.fields:
            raise no_property(entity, [name])
        if direction.strip() not in ("", "asc", "desc"):
            raise unreadable(f"Syntax error at '{direction.strip()}' in '{text}'.")
        found.append((name, direction.strip() == "desc"))
    return found


class _Reader:
    """Recursive descent: or, and, not, comparison."""

    def __init__(self, entity: Entity, tokens: Tokens) -> None:
        self.entity, self.tokens = entity, tokens

    def either(self, depth: int) -> Test:
        tests = [self._both(depth)]
        while self.tokens.peek() == "or":
            self.tokens.take()
            tests.append(self._both(depth))
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self.tokens.peek() == "and":
            self.tokens.take()
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise unreadable("The condition is nested too deep.")
        if self.tokens.peek() == "not":
            self.tokens.take()
            inner = self._one(depth + 1)
            return lambda row: not inner(row)
        if self.tokens.peek() == "(":
            self.tokens.take()
            inner = self.either(depth + 1)
            self.tokens.take(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        name = self.tokens.take_name()
        if self.tokens.peek() == "(":
            raise unreadable(f"The function '{name}' is not supported; compare with a pattern such as '*x*'.")
        if name not in self.entity.fields:
            raise no_property(self.entity, [name])
        word = self.tokens.take()
        if word not in _COMPARISONS:
            raise unreadable(f"The operator '{word}' is not supported.")
        literal = self.tokens.peek()
        value = self.tokens.take_literal()
        if self.entity.is_enum(name):
            return self._member(name, word, literal, value)
        return self._plain(name, word, value)

    def _member(self, name: str, word: str, literal: str, value: Any) -> Test:
        kind = self.entity.fields[name]
        if not literal.startswith(f"{NAMESPACE}.{kind}'"):
            raise unreadable(
                f"A binary operator with incompatible types was detected: '{NAMESPACE}.{kind}' and '{literal}'."
            )
        if word not in ("eq", "ne"):
            raise unreadable(f"The operator '{word}' is not defined for the enumeration '{kind}'.")
        members = self.entity.members(name)
        if members and value not in members:
            raise unreadable(f"The string '{value}' is not a valid enumeration type constant.")
        empty = self.entity.empty[name]
        return lambda row: (row.get(name, empty) == value) == (word == "eq")

    def _plain(self, name: str, word: str, value: Any) -> Test:
        kind, empty = self.entity.fields[name], self.entity.empty[name]
        value = empty if value is None else value
        if not _fits(kind, value):
            raise unreadable(
                f"A binary operator with incompatible types was detected. Found operand types 'Edm.{kind}' and the one of "
                f"{value!r} for operator kind '{word}'."
            )
        if kind == "String" and "*" in value and word in ("eq", "ne"):
            pattern = re.compile(
                ".*".join(re.escape(part) for part in comparable(value).split("*")), re.DOTALL
            )
            return lambda row: (
                (pattern.fullmatch(comparable(row.get(name, empty))) is not None) == (word == "eq")
            )
        compare, wanted = _COMPARISONS[word], comparable(value)
        return lambda row: bool(compare(comparable(row.get(name, empty)), wanted))


def _fits(kind: str, value: Any) -> bool:
    if kind in ("Decimal", "Int32", "Int64"):
        return isinstance(value, int | Decimal) and not isinstance(value, bool)
    if kind == "DateTimeOffset":
        return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+Z", value) is not None
    return isinstance(value, str)
