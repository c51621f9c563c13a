"""Words of an OData address: literals, and instants as the organisation prints them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tagline.sandbox.dataverse_errors import bad_uri

GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<guid>{GUID.pattern})
    | (?P<time>\d{{4}}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<name>[A-Za-z_][\w.]*)
    | (?P<mark>[()\[\],=])
    )""",
    re.VERBOSE,
)


class Tokens:
    """The words of a query option, one after the other."""

    def __init__(self, text: str) -> None:
        self._words: list[tuple[str, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise bad_uri(f"Syntax error at position {at} in '{text}'.")
            self._words.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()
        self._text = text
        self._next = 0

    def peek(self) -> str:
        """The next word, empty at the end."""
        return self._words[self._next][1] if self._next < len(self._words) else ""

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

    def take_name(self) -> str:
        if self._next >= len(self._words) or self._words[self._next][0] != "name":
            raise bad_uri(f"Syntax error: a property name expected in '{self._text}'.")
        return self.take()


def literal(kind: str, word: str) -> Any:
    """A word of the address as a value."""
    if kind == "text":
        return word[1:-1].replace("''", "'")
    if kind == "guid":
        return word.lower()
    if kind == "time":
        return word if len(word) == len("2026-11-25") else to_instant(word)
    if kind == "number":
        return Decimal(word) if "." in word else int(word)
    constants = {"null": None, "true": True, "false": False}
    if kind != "name" or word not in constants:
        raise bad_uri(f"'{word}' is not a value.")
    return constants[word]


def to_instant(text: str) -> str:
    """ISO 8601 with any offset as UTC in whole seconds, `Z` at the end; raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
