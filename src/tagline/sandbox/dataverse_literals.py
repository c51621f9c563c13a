"""Words of an OData address: literals, and instants as the organisation prints them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tagline.sandbox.dataverse_errors import bad_uri

MAX_DIGITS = 60
GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<json>"(?:[^"\\]|\\.)*")
    | (?P<guid>{GUID.pattern}(?!\w))
    | (?P<time>\d{{4}}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)[mMdDfFlL]?(?!\w)
    | (?P<enum>[A-Za-z_][\w.]*'(?:[^']|'')*')
    | (?P<name>\$?[A-Za-z_][\w.]*(?:/\$?[A-Za-z_][\w.]*)*)
    | (?P<alias>@\w+)
    | (?P<mark>[()\[\],=:/])
    )""",
    re.VERBOSE,
)
_CONSTANTS: Mapping[str, Any] = {"null": None, "true": True, "false": False}


class Tokens:
    """
    The words of a query option, one after the other.

    Args:
        text: The option, decoded.
        aliases: Parameter alias with its `@` -> the text that stands in its place.
    """

    def __init__(self, text: str, aliases: Mapping[str, str] | None = None) -> None:
        self._words: list[tuple[str, str]] = []
        self._aliases = aliases or {}
        self._add(text)
        self._text = text
        self._next = 0

    def _add(self, text: str, *, nested: bool = False) -> None:
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise bad_uri(f"Syntax error at position {at} in '{text}'.")
            kind, word = match.lastgroup, match.group(match.lastgroup)
            at = match.end()
            if kind == "alias" and word in self._aliases and not nested:
                self._add(self._aliases[word], nested=True)
            else:
                self._words.append((kind, word))

    def peek(self) -> str:
        """The next word, empty at the end."""
        return self._words[self._next][1] if self._next < len(self._words) else ""

    def is_name(self) -> bool:
        """Whether the next word names something rather than being a value or a mark."""
        if self._next >= len(self._words):
            return False
        kind, word = self._words[self._next]
        return kind == "name" and word not in _CONSTANTS

    def take(self, expected: str = "") -> str:
        """The next word, which must be `expected` if that is given."""
        word = self.peek()
        if not word or (expected and word != expected):
            raise bad_uri(f"Syntax error: '{expected or 'a term'}' expected in '{self._text}'.")
        self._next += 1
        return word

    def take_literal(self) -> Any:
        """The next word as a value: text, GUID and time as `str`, number, boolean or None."""
        if self._next >= len(self._words):
            raise bad_uri(f"Syntax error: a value expected in '{self._text}'.")
        kind, word = self._words[self._next]
        self._next += 1
        return literal(kind, word)

    def take_literals(self) -> list[Any]:
        """A list of values in brackets."""
        self.take("[")
        values: list[Any] = []
        while self.peek() != "]":
            if values:
                self.take(",")
            values.append(self.take_literal())
        self.take("]")
        return values

    def take_name(self) -> str:
        if self._next >= len(self._words) or self._words[self._next][0] != "name":
            raise bad_uri(f"Syntax error: a property name expected in '{self._text}'.")
        return self.take()


def literal(kind: str, word: str) -> Any:
    """A word of the address as a value."""
    if kind == "text":
        return word[1:-1].replace("''", "'")
    if kind == "json":
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    if kind == "enum":
        return word[word.index("'") + 1 : -1]
    if kind == "guid":
        return word.lower()
    if kind == "time":
        try:
            return word if len(word) == len("2026-11-25") else to_instant(word)
        except ValueError:
            raise bad_uri(f"'{word}' is not a date and time.") from None
    if kind == "number":
        if len(word) > MAX_DIGITS:
            raise bad_uri("A number has too many digits.")
        try:
            return int(word) if word.lstrip("-").isdigit() else Decimal(word)
        except ArithmeticError:
            raise bad_uri(f"The number '{word}' is too large.") from None
    if kind != "name" or word not in _CONSTANTS:
        raise bad_uri(f"'{word}' is not a value.")
    return _CONSTANTS[word]


def to_instant(text: str) -> str:
    """ISO 8601 with any offset as UTC in whole seconds, `Z` at the end; raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("no calendar has this day in UTC") from None
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z"


def is_whole(text: str) -> bool:
    """Whether a text is a whole number without sign, of at most nine digits."""
    return text.isascii() and text.isdigit() and len(text) <= 9


def split_outside(text: str, mark: str) -> list[str]:
    """Cut at the marks that stand outside parentheses and quotes; empty pieces included."""
    pieces, depth, quoted, start = [], 0, False, 0
    for at, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
        elif letter == mark and depth == 0:
            pieces.append(text[start:at])
            start = at + 1
    return [*pieces, text[start:]]
