"""Text: trimming, joining, cutting, and HTML made plain."""

from __future__ import annotations

import html
import re
from typing import Final, TypeVar

V = TypeVar("V")

MAX_HTML: Final = 100_000
"""Characters of HTML that are looked at; more than any column takes."""

_UNSEEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_BREAK: Final = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|table|h[1-6]|hr)\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)


def trim(text: str | None) -> str:
    """The text without blanks around it; empty for none."""
    return (text or "").strip()


def blank_to_none(text: str | None) -> str | None:
    """The trimmed text, or None where nothing is left: an empty source field clears the target instead of filling it with blanks."""
    return trim(text) or None


def first_given(*values: V | None) -> V | None:
    """The first value that is neither None nor blank text; None where there is none. Zero counts as given."""
    for value in values:
        if value is not None and not (isinstance(value, str) and not value.strip()):
            return value
    return None


def concat(*parts: str | None, separator: str = " ") -> str:
    """The trimmed parts with the separator between them; blank ones are skipped."""
    return separator.join(text for part in parts if (text := trim(part)))


def cut(text: str | None, limit: int) -> str:
    """
    The beginning of a text that fits a column, without blanks at its end: the declared way to lose the rest.

    Length counts as the remote counts it, in UTF-16 units: an emoji takes two.
    """
    given = text or ""
    if _width(given) <= limit:
        return given
    kept = given[:limit]
    while _width(kept) > limit:
        kept = kept[:-1]
    return kept.rstrip()


def strip_html(text: str | None, separator: str = ", ") -> str:
    """
    HTML as one line of plain text: breaks and blocks become the separator, other tags vanish, entities become characters.

    `Mug<br><b>Size:</b>&nbsp;L` gives `Mug, Size: L`. Scripts, styles and comments vanish with what is in them; of a longer
    text only the first 100000 characters are looked at.
    """
    source = _UNSEEN.sub(" ", (text or "")[:MAX_HTML])
    pieces = (html.unescape(_TAG.sub("", piece)) for piece in _BREAK.split(source))
    return separator.join(line for piece in pieces if (line := " ".join(piece.split())))


def _width(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
