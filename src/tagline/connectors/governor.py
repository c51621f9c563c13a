"""The governor: spends a remote's request budget close to full, and stops for everybody when the remote says so.

The decisions are pure: a `Pace` and an instant give the next `Pace` and how long to wait. `Governor` is the thin shell
that waits. Instants are seconds since the epoch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from tagline.clock import Clock
from tagline.errors import Disposition, TryAgainError


class Limit(Protocol):
    """A request budget as a value."""

    def reserve(self, now: float) -> tuple[Self, float]:
        """Take one request; returns the budget after it and the seconds to wait before sending."""
        ...


@dataclass(frozen=True)
class LeakyBucket:
    """
    A bucket that every request fills by one and that drains steadily; a full one makes wait.

    Source: reference/shift4shop-api.md section 9 (bucket of 50, 2 a second).
    """

    capacity: float
    leak_per_s: float
    level: float = 0.0
    """Filling at `at`, requests that still wait included."""
    at: float = 0.0

    def reserve(self, now: float) -> tuple[Self, float]:
        # A wall clock may be set back: nothing drains then, and draining starts anew from there.
        drained = max(0.0, now - self.at) * self.leak_per_s
        level = max(0.0, self.level - drained) + 1
        return replace(self, level=level, at=now), max(0.0, level - self.capacity) / self.leak_per_s


@dataclass(frozen=True)
class SlidingWindow:
    """
    At most `limit` requests in any `window_s` seconds.

    Source: reference/dataverse-api.md section 12 (6000 in 300 s).
    """

    limit: int
    window_s: float
    sent: tuple[float, ...] = ()
    """When the requests of the window leave, oldest first; at most `limit` of them."""

    def reserve(self, now: float) -> tuple[Self, float]:
        start = now if len(self.sent) < self.limit else max(now, self.sent[0] + self.window_s)
        # A queue leaves in order, also when the wall clock was set back.
        start = max(start, self.sent[-1]) if self.sent else start
        return replace(self, sent=(*self.sent, start)[-self.limit :]), start - now


@dataclass(frozen=True)
class Pace:
    """A budget together with the instant until which the remote wants silence."""

    limit: Limit
    silent_until: float = 0.0

    def reserve(self, now: float) -> tuple[Pace, float]:
        """Take one request; returns the pace after it and the seconds to wait before sending."""
        # Reserved at the end of the silence: else everybody who waited would leave at once with an empty bucket.
        start = max(now, self.silent_until)
        limit, wait = self.limit.reserve(start)
        return replace(self, limit=limit), start - now + wait

    def stop(self, now: float, seconds: float) -> Pace:
        """Be silent for that long; a longer silence that stands already stays."""
        return replace(self, silent_until=max(self.silent_until, now + max(0.0, seconds)))


@dataclass
class Governor:
    """
    Lets requests pass at a pace, few at a time; shared by the threads of one connection.

    Args:
        patience_s: A longer wait is not waited for: the caller is told to come back.
    """

    clock: Clock
    pace: Pace
    max_in_flight: int
    patience_s: float = 60.0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._places = threading.BoundedSemaphore(self.max_in_flight)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """
        Wait for a place and a turn, and hold the place.

        Raises:
            TryAgainError: The turn is further away than `patience_s` (code `remote-throttled`).
        """
        with self._places:
            self.clock.sleep(self._turn())
            yield

    def stop(self, seconds: float) -> None:
        """Let nothing pass for that long: what `Retry-After` asks of a client as a whole."""
        with self._lock:
            self.pace = self.pace.stop(self.clock.now().timestamp(), seconds)

    def _turn(self) -> float:
        with self._lock:
            pace, wait = self.pace.reserve(self.clock.now().timestamp())
            if wait > self.patience_s:
                raise TryAgainError(
                    f"the remote's request budget is used up for {wait:.0f} s",
                    code="remote-throttled",
                    hint="nothing to do; the work goes on by itself when the budget has recovered",
                    disposition=Disposition.RETRY,
                    retry_after_s=wait,
                )
            self.pace = pace
            return wait
