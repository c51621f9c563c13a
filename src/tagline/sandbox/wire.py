"""JSON as the remotes print it: compact, not escaped, numbers with the digits they carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from tagline.sandbox.values import Response


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


def decode(body: bytes) -> Any:
    """Parse JSON with exact numbers; raises `ValueError` when it is none."""
    return json.loads(body, parse_float=Decimal)


def plain_json(value: Any, status: int = 200) -> Response:
    """An answer of the login site and of the control pages."""
    body = encode(value).encode()
    return Response(status, (("Content-Type", "application/json; charset=utf-8"),), body)
