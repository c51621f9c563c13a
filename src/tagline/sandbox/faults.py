"""Faults a site can be told to show: by index of the call, or by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """What goes wrong with one call."""

    THROTTLED = "throttled"
    """429 before anything happened."""
    SERVER_ERROR = "server-error"
    """500 before anything happened."""
    UNAVAILABLE = "unavailable"
    """503 before anything happened."""
    RESET_BEFORE = "reset-before"
    """The connection breaks; nothing happened."""
    RESET_AFTER = "reset-after"
    """The connection breaks after the work was committed."""
    TIMEOUT_BEFORE = "timeout-before"
    """No answer comes; nothing happened."""
    TIMEOUT_AFTER = "timeout-after"
    """No answer comes, though the work was committed."""
    TORN_BODY = "torn-body"
    """The work was committed; the answer breaks off in its body."""
    SLOW = "slow"
    """The right answer, late."""
    HTML_PAGE = "html-page"
    """502 with a page of HTML, as a proxy on the way gives; nothing happened."""
    TOKEN_EXPIRED = "token-expired"  # noqa: S105 - the name of a fault
    """A bearer token counts as expired in this one call; a call without one is left alone."""


STATUS: Mapping[Fault, int] = {Fault.THROTTLED: 429, Fault.SERVER_ERROR: 500, Fault.UNAVAILABLE: 503}
HTML_BODY = (
    b"<!DOCTYPE html>\r\n<html><head><title>502 - Web server received an invalid response</title></head>\r\n"
    b"<body><h1>Server Error</h1><p>502 - Web server received an invalid response while acting as a gateway or proxy "
    b"server.</p></body></html>\r\n"
)
BEFORE = frozenset({Fault.RESET_BEFORE, Fault.TIMEOUT_BEFORE})
AFTER = frozenset({Fault.RESET_AFTER, Fault.TIMEOUT_AFTER, Fault.TORN_BODY})
SLOW_S = 2.0
"""Seconds that a slow answer takes."""


class BrokenConnection(Exception):  # noqa: N818 - it is an event on the wire, not an error of ours
    """The call ends without a whole answer; whoever carries the bytes shows it in its own way."""

    def __init__(
        self, fault: Fault, *, partial: tuple[int, tuple[tuple[str, str], ...], bytes] | None = None
    ) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.partial = partial
        """Status, headers and the whole body of an answer of which only a part is delivered."""


@dataclass
class Faults:
    """Which calls of a site go wrong; indices count the site's calls from 0 since the plan was made."""

    planned: dict[int, Fault] = field(default_factory=dict)
    rate: float = 0.0
    kinds: tuple[Fault, ...] = ()
    calls: int = 0
    _random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - faults need a seed, not secrecy

    def next_calls(self, *faults: Fault | None) -> None:
        """Let the next calls fail in this order; None leaves a call alone."""
        for offset, fault in enumerate(faults):
            if fault is not None:
                self.planned[self.calls + offset] = fault

    def seeded(self, seed: int, rate: float, kinds: Sequence[Fault] = tuple(Fault)) -> None:
        """Let every call fail with probability `rate`, drawn from a seed; rate 0 ends it."""
        self._random = Random(seed)  # noqa: S311 - faults need a seed, not secrecy
        self.rate, self.kinds = rate, tuple(kinds)

    def draw(self) -> Fault | None:
        """The fault of this call, if any; counts the call."""
        index, self.calls = self.calls, self.calls + 1
        if (planned := self.planned.pop(index, None)) is not None:
            return planned
        if self.rate and self._random.random() < self.rate:
            return self._random.choice(self.kinds)
        return None
