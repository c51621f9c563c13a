"""The words of a SELECT statement."""

from __future__ import annotations

import re
from typing import Final

from tagline.sandbox.dataverse_errors import Refusal, bad_uri
from tagline.sandbox.dataverse_expand import MAX_PAGE
from tagline.sandbox.dataverse_literals import is_whole

_WORD = re.compile(
    r"\s*(?:(?P<text>N?'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>\[?[A-Za-z_]\w*\]?)|(?P<mark><>|!=|<=|>=|[(),.*=<>]))"
)
_CLAUSES: Final = frozenset(
    {"from", "where", "group", "order", "offset", "inner", "left", "join", "on", "and", "or", "as"}
)


class Words:
    """The words of a statement, one after the other; a word is compared in lower case."""

    def __init__(self, text: str) -> None:
        self._words: list[tuple[str, str]] = []
        at, text = 0, text.strip().removesuffix(";").rstrip()
        while at < len(text):
            match = _WORD.match(text, at)
            if match is None or match.lastgroup is None:
                raise syntax(text[at : at + 20])
            self._words.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self._words[at][1].lower() if at < len(self._words) else ""

    def take(self, *expected: str) -> str:
        word = self.peek()
        if not word or (expected and word not in expected):
            raise syntax(word)
        self.at += 1
        return word

    def takes(self, *words: str) -> bool:
        """Take these words if they are the next ones."""
        if tuple(self.peek(n) for n in range(len(words))) != words:
            return False
        self.at += len(words)
        return True

    def is_name(self) -> bool:
        """Whether the next word names something, rather than beginning a clause or being a value."""
        kind, word = self._words[self.at] if self.at < len(self._words) else ("", "")
        return kind == "name" and word.lower() not in _CLAUSES

    def name(self) -> str:
        """A name of the schema, in lower case."""
        return self.label().lower()

    def label(self) -> str:
        """A name as it is written."""
        if not self.is_name():
            raise syntax(self.peek())
        self.at += 1
        return self._words[self.at - 1][1].strip("[]")

    def literal(self) -> str:
        kind, word = self._words[self.at] if self.at < len(self._words) else ("", "")
        if kind not in ("text", "number"):
            raise syntax(word)
        self.at += 1
        return word.removeprefix("N")[1:-1].replace("''", "'") if kind == "text" else word

    def whole(self) -> int:
        text = self.literal()
        if not is_whole(text) or int(text) > MAX_PAGE:
            raise bad_uri(f"'{text}' is no number of rows from 0 to {MAX_PAGE}.")
        return int(text)


def syntax(near: str) -> Refusal:
    return bad_uri(f"Incorrect syntax near '{near}' in SQL.")
