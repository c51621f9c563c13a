"""
A remote's request budget as a value: pure decisions when a request may leave, whoever asks, and what its answer teaches.

Instants are seconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from tagline.connectors.budget_limits import Allotment, ExecutionTime, Limit, Told


class Lane(StrEnum):
    """Who asks: what people wait for goes first."""

    LIVE = "live"
    BACK_FILL = "back-fill"


BACK_FILL_PATIENCE_S: Final = 30.0
"""A back-fill waits at most this much longer than live work would, so that it never starves."""
STARVING_S: Final = 10.0
"""Live work that has waited so long stands in line."""
SET_BACK_S: Final = 5.0
"""A clock that reads so much earlier than before was set back; less is two processes reading it at once."""


@dataclass(frozen=True)
class Pace:
    """All limits of one remote, and the instant until which it wants silence."""

    limits: tuple[Limit, ...]
    silent_until: float = 0.0
    seen: float = 0.0
    """The latest instant it was asked at."""
    back_fill_share: float = 0.8
    """Of each limit that a back-fill may fill; the rest is there at once for live work."""

    def reserve(
        self, now: float, weight: int = 1, lane: Lane = Lane.LIVE, waited: float = 0.0
    ) -> tuple[Pace, float]:
        """
        Take one request; returns the pace after it and the seconds to wait before sending.

        Args:
            waited: Seconds that a back-fill has waited already.
        """
        pace = self._at(now)
        start = pace.earliest(now, weight, 1.0)
        if lane is Lane.BACK_FILL:
            patience = max(0.0, BACK_FILL_PATIENCE_S - waited)
            start = min(pace.earliest(now, weight, pace.back_fill_share), start + patience)
            # What the day grants is not waited for by patience.
            start = max([start, *(now + a.delay(now, weight, pace.back_fill_share) for a in pace.allotments)])
        limits = tuple(limit.take(start, weight, now) for limit in pace.limits)
        return replace(pace, limits=limits), start - now

    def is_taken(self, wait: float, lane: Lane, waited: float) -> bool:
        """
        Whether a request takes the turn that is `wait` seconds away; else it asks again then.

        A turn is not taken ahead of time, because what is under way may by then have cost more than was thought; but
        who has waited long takes it, else others might be there first each time.
        """
        return wait == 0 or waited >= (BACK_FILL_PATIENCE_S if lane is Lane.BACK_FILL else STARVING_S)

    def stop(self, now: float, seconds: float) -> Pace:
        """Be silent for that long; a longer silence that stands already stays."""
        return replace(self, silent_until=max(self.silent_until, now + max(0.0, seconds)))

    def learn(self, now: float, told: Told) -> Pace:
        """The pace after an answer; a remote that throttles is left alone as long as it says."""
        pace = self._at(now)
        pace = replace(pace, limits=tuple(limit.learn(now, told) for limit in pace.limits))
        if told.status in (429, 503) and told.retry_after_s:
            pace = pace.stop(now, told.retry_after_s)
        return pace

    def expected_s(self, weight: int) -> float:
        """What a request of that weight is thought to cost of the remote's time, if that is limited."""
        times = [limit.cost(weight) for limit in self.limits if isinstance(limit, ExecutionTime)]
        return sum(times)

    @property
    def allotments(self) -> tuple[Allotment, ...]:
        return tuple(limit for limit in self.limits if isinstance(limit, Allotment))

    def used(self, now: float) -> float:
        """Share in use of the limit that binds."""
        binding = (limit.used(now) for limit in self.limits if not isinstance(limit, Allotment))
        return max(binding, default=0.0)

    def used_today(self, now: float) -> float:
        """Share in use of what the remote grants for the day; 0 where it grants nothing by the day."""
        return max((allotment.used(now) for allotment in self.allotments), default=0.0)

    def drain(self, now: float, requests: float, units: float, lane: Lane = Lane.LIVE) -> float:
        """Seconds until so many requests of a lane, with so many records in all, would have left."""
        if not requests:
            return 0.0
        share = self.back_fill_share if lane is Lane.BACK_FILL else 1.0
        silence = max(0.0, self.silent_until - now)
        return silence + max((limit.drain(now, requests, units, share) for limit in self.limits), default=0.0)

    def full(self, now: float) -> Pace:
        """The pace as if everything had just been spent."""
        return replace(self, limits=tuple(limit.full(now) for limit in self.limits), seen=now)

    def earliest(self, now: float, weight: int, share: float) -> float:
        """When one more request may leave."""
        # From the end of the silence on: else everybody who waited would leave at once with an empty bucket.
        start = max(now, self.silent_until)
        for _ in range(8):  # a later start only shortens the other limits' delays
            delay = max((limit.delay(start, weight, share) for limit in self.limits), default=0.0)
            if delay <= 1e-9:
                break
            start += delay
        return start

    def _at(self, now: float) -> Pace:
        if now >= self.seen - SET_BACK_S:
            return replace(self, seen=max(now, self.seen))
        by = now - self.seen
        limits = tuple(limit.moved(by) for limit in self.limits)
        silent_until = self.silent_until + by if self.silent_until else 0.0
        return replace(self, limits=limits, silent_until=silent_until, seen=now)


def to_plain(pace: Pace) -> dict[str, Any]:
    """The pace as JSON values; the limits' own numbers stay with the program."""
    limits = []
    for limit in pace.limits:
        state = {name: getattr(limit, name) for name in _STATE[type(limit).__name__]}
        limits.append({"kind": type(limit).__name__, **state})
    return {"silent_until": pace.silent_until, "seen": pace.seen, "limits": limits}


def from_plain(raw: Mapping[str, Any], fresh: Pace) -> Pace:
    """
    The pace that was written, with the limits as the program knows them today.

    Raises:
        ValueError: It was written for other kinds of limits, or is none.
    """
    try:
        limits = []
        for limit, state in zip(fresh.limits, raw["limits"], strict=True):
            names = _STATE[type(limit).__name__]
            if state["kind"] != type(limit).__name__:
                raise ValueError("another kind of limit")
            told = {name: _plain(state[name], getattr(limit, name), name) for name in names}
            limits.append(replace(limit, **told))  # type: ignore[type-var]
        silent_until, seen = _number(raw["silent_until"]), _number(raw["seen"])
        return replace(fresh, limits=tuple(limits), silent_until=silent_until, seen=seen)
    except (KeyError, TypeError, IndexError, OverflowError) as error:
        raise ValueError("no pace") from error


_STATE: Final[Mapping[str, tuple[str, ...]]] = {
    "LeakyBucket": ("level", "at"),
    "Window": ("slots",),
    "ExecutionTime": ("slots", "per_request_s", "per_unit_s", "deviation_s"),
    "InFlight": ("left",),
    "Allotment": ("day", "units"),
    "LearnedRate": ("rate", "next_at", "calm_from", "met_at", "grown_at"),
}
"""What of a limit changes as requests leave."""


def _plain(value: Any, like: Any, name: str) -> Any:
    """A limit's number, or list of numbers or of pairs, of the shape that it has in the program."""
    if not isinstance(like, tuple):
        return _number(value)
    if not isinstance(value, list):
        raise TypeError("no list")
    if name == "slots":
        return tuple((int(_number(slot)), _number(units)) for slot, units in value)
    return tuple(_number(each) for each in value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("no number")
    return value
