"""The body of a request: read within limits, and judged before anything parses it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_LENGTH: Final = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class BodyLimits:
    """What one body may cost before anything trusts it."""

    max_bytes: int = 1 << 20
    read_s: float = 10.0
    """Seconds in which the whole body must have arrived."""
    max_depth: int = 32
    """Nested JSON arrays and objects; an order needs six."""


class Fault(Enum):
    """Why a body is refused."""

    TOO_LARGE = auto()
    TOO_SLOW = auto()
    TOO_DEEP = auto()
    BROKEN_OFF = auto()
    LENGTH = auto()
    """`Content-Length` is no number."""


async def read(headers: Mapping[str, str], receive: Receive, limits: BodyLimits) -> bytes | Fault:
    """
    The whole body, or why not.

    Args:
        headers: Names in lower case.
    """
    told = headers.get("content-length")
    if told is not None and not _LENGTH.fullmatch(told):
        return Fault.LENGTH
    if told is not None and int(told) > limits.max_bytes:
        return Fault.TOO_LARGE
    body = bytearray()
    try:
        async with asyncio.timeout(limits.read_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return Fault.BROKEN_OFF
                body += message.get("body", b"")
                if len(body) > limits.max_bytes:
                    return Fault.TOO_LARGE
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        return Fault.TOO_SLOW
    return Fault.TOO_DEEP if json_depth(body) > limits.max_depth else bytes(body)


_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""Strings (also one cut off by the end) and brackets; possessive, so that no body makes it run back."""


def json_depth(body: bytes | bytearray) -> int:
    """How deep arrays and objects nest in a JSON text, told without parsing it; any bytes have an answer."""
    depth = deepest = 0
    for match in _TOKENS.finditer(body):
        first = match[0][0]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest
