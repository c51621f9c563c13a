"""JSON as the remotes print it: compact, not escaped, numbers with the digits they carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

from tagline.sandbox.values import Response

MAX_NESTING: Final = 100
"""Objects and lists within each other, as OData's own reader has it."""


def encode_doubles(value: Any) -> str:
    """
    JSON of the shop: a `Decimal` is a double and always printed with a decimal point (`145.0`, `19.99`).

    Doubles are exact for the 15 digits that any amount of a shop has.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def encode(value: Any) -> str:
    """JSON of Dataverse: a `Decimal` is printed with exactly the decimals it carries (`5000000.0000000000`)."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{encode_basestring(n)}:{encode(v)}" for n, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(encode(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def in_bytes(text: str) -> bytes:
    """UTF-8; half a character, which a request can spell in JSON and have told back, becomes a question mark."""
    return text.encode("utf-8", "replace")


def decode(body: bytes) -> Any:
    """
    Parse JSON with exact numbers.

    Raises:
        ValueError: It is none, or is nested too deep.
    """
    try:
        value = json.loads(body, parse_float=_number)
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None
    if body.count(b"{") + body.count(b"[") > MAX_NESTING:
        _check_nesting(value)
    return value


def _check_nesting(value: Any) -> None:
    level = [value]
    for _ in range(MAX_NESTING):
        inside = (one.values() if isinstance(one, dict) else one for one in level)
        level = [child for children in inside for child in children if isinstance(child, dict | list)]
        if not level:
            return
    raise ValueError("the JSON is nested too deep")


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError("a number is too large") from None


def plain_json(value: Any, status: int = 200) -> Response:
    """An answer of the login site and of the control pages."""
    body = in_bytes(encode(value))
    return Response(status, (("Content-Type", "application/json; charset=utf-8"),), body)
