"""JSON of remotes and back: numbers as exact decimals, no member named twice, nesting and magnitude bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 40
"""Nested arrays and objects; an order of the shop needs six, metadata of Dataverse about fifteen."""

MAX_EXPONENT: Final = 100
"""Powers of ten a number may reach either way; beyond it, plain arithmetic would eat the memory."""

MAX_VALUES: Final = 2_000_000
"""Values in one text, counted by its commas; a full page of orders has some hundred thousand. Each takes memory many times its text."""


def parse(text: str | bytes, max_depth: int = MAX_DEPTH) -> Any:
    """
    Parse JSON: whole numbers as `int`, others as `Decimal`.

    Raises:
        ValueError: No JSON, a member named twice, a number out of bounds, half a character, too many values, or nested
            too deeply; the message names the reason and no value.
    """
    try:
        # The standard parser would let halves of characters pass here.
        told = text if isinstance(text, str) else text.decode(json.detect_encoding(text))
        if told.count(",") > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES} values")
        value = json.loads(
            told,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_constant,
            object_pairs_hook=_members,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON at character {error.pos}") from None
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None
    except RecursionError:
        raise ValueError(f"it is nested deeper than {max_depth}") from None
    if _is_deeper(value, max_depth):
        raise ValueError(f"it is nested deeper than {max_depth}")
    if _HALF.search(told) and not _is_text(value):
        raise ValueError("a text holds half a character")
    return value


def glance(text: bytes) -> Any:
    """
    What `parse` refuses, read all the same, to find out whose it is: numbers as their text, of a member named twice the last.

    Raises:
        ValueError: It is not even that.
    """
    try:
        return json.loads(text.decode(errors="replace"), parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def dump(value: Any) -> str:
    """
    The JSON text of a value, compact; a `Decimal` becomes a plain number with every one of its digits.

    Raises:
        ValueError: A number is not finite, or a value is of no JSON type; the message names the type only.
    """
    match value:
        case None | bool() | int() | str():
            return json.dumps(value)
        case Decimal():
            if not value.is_finite():
                raise ValueError("a number that is not finite has no JSON form")
            return format(value, "f")
        case Mapping():
            return "{" + ",".join(f"{json.dumps(str(k))}:{dump(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(dump(v) for v in value) + "]"
    raise ValueError(f"{type(value).__name__} has no JSON form")


_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that alone is half a character; two that belong together are one."""


def _is_text(value: Any) -> bool:
    """Whether every text in it can be written in UTF-8, as whatever is stored, hashed or printed has to be."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(text: str) -> int:
    if len(text) > MAX_EXPONENT + 1:
        raise ValueError("a number is out of bounds")
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("a number is out of bounds") from None
    if abs(number.adjusted()) > MAX_EXPONENT and number:
        raise ValueError("a number is out of bounds")
    return number


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members


_HOLDERS: Final = frozenset({dict, list})
"""The parser makes no others."""


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value] if type(value) in _HOLDERS else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if type(inner) in _HOLDERS
        ]
        if not level:
            return False
    return bool(level)
