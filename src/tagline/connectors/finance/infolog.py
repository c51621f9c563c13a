"""
What Finance says when it refuses, read out of the texts of its Infolog.

Such a text is written for whoever sits at the screen: in the language of the application's user, quoting what was entered, customers'
names among it. So nothing of it is handed on. What is taken from it is a reason out of a closed list, and which of the columns that were
written it speaks of.

Source: reference/dataverse-api.md section 17.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dispositions import finance_clue
from tagline.connectors.messages import Answer
from tagline.connectors.odata.batch import PartAnswer

REASONS: Final = (
    ("a column is unknown", re.compile(r"could not find a property named|does not exist on type", re.IGNORECASE)),
    ("a value is of the wrong type", re.compile(r"cannot convert|not a valid|incompatible types", re.IGNORECASE)),
    ("it must be filled in", re.compile(r"must be (?:filled in|specified|entered)|required|cannot be (?:blank|empty)", re.IGNORECASE)),
    ("it names no row that exists", re.compile(r"related table|does not exist|not found", re.IGNORECASE)),
    ("it may not be changed any more", re.compile(r"cannot be (?:changed|modified|edited|deleted)|not allowed", re.IGNORECASE)),
)  # fmt: skip
"""The first that fits is told. An assumption: English texts as people have quoted them; others are a refusal without a reason."""

MAX_TEXT: Final = 20_000
"""Characters of a text that are looked at."""


def error_of(answer: Answer | PartAnswer) -> tuple[str, str]:
    """The clue that the table of dispositions knows, and the text of an error body; both empty when there is none."""
    try:
        body = json_values.parse(answer.body)
    except ValueError:
        return "", ""
    error = _object(_object(body).get("error"))
    message = str(error.get("message", ""))[:MAX_TEXT]
    inner = str(_object(error.get("innererror")).get("message", ""))[:MAX_TEXT]
    return finance_clue(message, inner), f"{message} {inner}".strip()


def reason_in(text: str, names: Iterable[str]) -> str:
    """Which of these columns a text speaks of and why it was refused, as the end of a sentence; empty where it does not say."""
    about = ", ".join(name for name in names if re.search(rf"\b{_pattern(name)}\b", text, re.IGNORECASE))
    why = next((reason for reason, pattern in REASONS if pattern.search(text)), "")
    return (f" about {about}" if about else "") + (f": {why}" if why else "")


def _pattern(name: str) -> str:
    """`CustomerGroupId` also stands as `Customer group`."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    label = words[:-1] if len(words) > 1 and words[-1] in ("Id", "Code") else words
    return rf"(?:{re.escape(name)}|{' '.join(map(re.escape, label))})"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
