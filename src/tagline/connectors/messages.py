"""Requests and answers as values, and what can be told of them without sending anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from tagline.clock import Clock
from tagline.connectors import json_values
from tagline.errors import Disposition, TryAgainError

MAX_SILENCE_S: Final = 86_400.0
"""Seconds that a remote may ask us to keep silent; a longer time is a mistake, and after a day we look whether it still says so."""


@dataclass(frozen=True)
class Call:
    """A request as a value."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """A response as a value, its body read whole and decoded."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self, where: Mapping[str, str] | None = None) -> Any:
        """
        The body as JSON.

        Raises:
            TryAgainError: The body is no JSON within bounds, for example a proxy's page (code `answer-malformed`).
        """
        try:
            return json_values.parse(self.body)
        except ValueError as error:
            raise TryAgainError(
                f"the remote's answer cannot be read: {error}",
                code="answer-malformed",
                where=where,
                hint="check that the connection's url is the API's; a proxy may answer in its place",
                disposition=Disposition.RETRY,
            ) from None


@dataclass(frozen=True)
class Limits:
    """What one answer may cost, and how often a transient one is asked for again."""

    max_bytes: int = 64 << 20
    """Of a body, decoded."""
    connect_s: float = 10.0
    read_s: float = 120.0
    """Silence while waiting for the answer; Dataverse gives a call two minutes."""
    answer_s: float = 300.0
    """For a whole body."""
    attempts: int = 4
    """Sendings of one request, the first included."""
    backoff_s: float = 0.5
    """Before the first repetition; doubled before each further one."""
    wait_s: float = 30.0
    """All waiting for repetitions together; a longer `Retry-After` is handed to the caller."""


def is_plain_read(call: Call) -> bool:
    """Whether a call changes nothing by its method alone."""
    return call.method in ("GET", "HEAD")


def is_worth_repeating(status: int, retry_after: float | None, repeatable: bool) -> bool:
    """
    Whether the same request may be sent again after this answer.

    A remote that throttles (429), or that is away and says until when (503 with `Retry-After`), did nothing. Without
    that word, and behind a gateway that gave up (502, 504), a write may have been performed.
    """
    if status == 429:
        return True
    if status == 503:
        return repeatable or retry_after is not None
    return status in (502, 504) and repeatable


def retry_after_s(value: str | None, clock: Clock) -> float | None:
    """Seconds of a `Retry-After` header, given as seconds or as a date, a day at most; None when it says nothing we understand."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return min(float(text), MAX_SILENCE_S)
    try:
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return min(max(0.0, (until - clock.now()).total_seconds()), MAX_SILENCE_S)
    except (ValueError, OverflowError):
        return None


def number_of(value: str | None) -> float | None:
    """A header's number, which may have separators of thousands (`1,200.00`); None when it is none."""
    text = (value or "").strip().replace(",", "")
    return float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text) else None
