"""What dead letters of one cause have in common: a message without its variable parts, and a short name of the cause."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

HOLE: Final = "*"
"""Stands where a message holds a number, an id, a quoted value or an address."""

LONGEST: Final = 2_000
"""Characters of a message that are looked at; a remote may answer with as much as it likes."""

_QUOTED: Final = re.compile(r"""(?<!\w)(['"`])(?:\\.|(?!\1)[^\\]|(?<=\w)\1(?=\w))*\1(?!\w)""")
_WORD: Final = re.compile(r"[^\s\[\](){}<>=,;:]+")
_VARIES: Final = re.compile(r"[\d@]")
_LISTED: Final = re.compile(r"\*(?:[\s,;.:]*(?:and|or|und|,|;)?[\s,;.:]*\*)+")
_INDEX: Final = re.compile(r"\[\d+\]|\.\d+(?=\.|$)")


def pattern(message: str, key: str = "") -> str:
    """
    A message with `*` in place of what varies from record to record; several in a row become one.

    Args:
        key: Of the record, which may be a word like any other.
    """
    text = _QUOTED.sub(HOLE, message[:LONGEST])
    if key:
        text = re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", HOLE, text)
    text = _WORD.sub(lambda word: HOLE if _VARIES.search(word[0]) else word[0], text)
    return " ".join(_LISTED.sub(HOLE, text).split())


def fingerprint(
    integration: str,
    flow: str,
    cause: str,
    message: str,
    details: Iterable[Mapping[str, str]] = (),
    *,
    key: str = "",
) -> str:
    """
    Twelve hex digits that letters of one cause share, whichever record, release or position in a list they are about.

    Args:
        cause: The error's code.
        details: One mapping (field, rule, ...) a wrong field; their reasons may hold values and do not count.
        key: Of the record, taken out of the message.
    """
    places = sorted({f"{_INDEX.sub('[]', d.get('field', ''))}\0{d.get('rule', '')}" for d in details})
    whole = "\0\0".join((integration, flow, cause, pattern(message, key), *places))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]
