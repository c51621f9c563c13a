"""The three service protection limits of each user, over a sliding window. Source: Web API notes, section 12."""

from __future__ import annotations

import math
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from tagline.clock import Clock
from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_quirks import quirks

BURST = 6000
EXECUTION_S = 1200.0
CONCURRENT = 52
WINDOW_S = 300.0
_CRUMB_S = 0.001
"""By which two ways of adding the same times may differ."""


@dataclass(frozen=True)
class Limits:
    """What one user may do within `window_s` seconds."""

    requests: int = BURST
    execution_s: float = EXECUTION_S
    concurrent: int = CONCURRENT
    window_s: float = WINDOW_S


class ThrottledError(Refusal):
    """One of the limits is reached; `retry_after_s` is what the answer says."""

    def __init__(self, code: str, message: str, retry_after_s: int) -> None:
        super().__init__(429, code, message)
        self.retry_after_s = retry_after_s


@dataclass
class _Use:
    """What one user did of late."""

    begun: deque[float] = field(default_factory=deque)
    """When each request of the window came."""
    ended: deque[tuple[float, float]] = field(default_factory=deque)
    """When each request of the window ended, and the execution time it took."""
    spent_s: float = 0.0
    """Sum over `ended`."""
    under_way: int = 0
    closed_until: float = 0.0
    """Nothing is let through before, for the reason in `closed_with`."""
    closed_with: tuple[str, str] = ("", "")
    today: tuple[date | None, int] = (None, 0)
    """Requests that count for the entitlement of that day."""

    def forget(self, before: float) -> None:
        while self.begun and self.begun[0] <= before:
            self.begun.popleft()
        while self.ended and self.ended[0][0] <= before:
            self.spent_s -= self.ended.popleft()[1]
        if not self.ended:
            self.spent_s = 0.0  # sums of fractions leave crumbs


class ServiceProtection:
    """
    Counts what each user does, and refuses what is too much.

    A request holds a place from `under_way` on; `admit` counts it, `settle` charges its execution time. Safe for threads.

    Args:
        enforced: Whether anything is refused; counted is it always.
    """

    def __init__(self, clock: Clock, *, enforced: bool, limits: Limits = Limits()) -> None:
        self.limits = limits
        self.enforced = enforced
        self._clock = clock
        self._lock = threading.Lock()
        self._uses: defaultdict[str, _Use] = defaultdict(_Use)

    @contextmanager
    def under_way(self, user: str) -> Iterator[None]:
        """Hold one of the user's places within the block."""
        with self._lock:
            self._uses[user].under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._uses[user].under_way -= 1

    def admit(self, user: str) -> None:
        """
        Count a request, one of those under way.

        Raises:
            ThrottledError: It is one too many; it does not count, and whoever goes on sending waits longer.
        """
        now = self._clock.now().timestamp()
        with self._lock:
            use = self._uses[user]
            use.forget(now - self.limits.window_s)
            refused = self._refused(use, now) if self.enforced else None
            if refused is None:
                use.begun.append(now)
        if refused is not None:
            raise refused

    def settle(self, user: str, spent_s: float, requests: int) -> None:
        """Charge the execution time of a request that has ended, and the requests it held for the day's entitlement."""
        now = self._clock.now()
        with self._lock:
            use = self._uses[user]
            use.ended.append((now.timestamp(), spent_s))
            use.spent_s += spent_s
            day, count = use.today
            use.today = (now.date(), requests + (count if day == now.date() else 0))

    def headers(self, user: str) -> tuple[tuple[str, str], ...]:
        """What every answer tells of the user's budget."""
        with self._lock:
            use = self._uses[user]
            use.forget(self._clock.now().timestamp() - self.limits.window_s)
            requests = max(self.limits.requests - len(use.begun), 0)
            seconds = max(self.limits.execution_s - use.spent_s, 0.0)
        return (
            ("x-ms-ratelimit-burst-remaining-xrm-requests", str(requests)),
            ("x-ms-ratelimit-time-remaining-xrm-requests", f"{seconds:,.2f}"),
            ("x-ms-dop-hint", str(quirks().dop_hint)),
        )

    def used(self) -> Mapping[str, Mapping[str, float]]:
        """By user: requests and execution seconds of the window, requests of the day, requests under way."""
        now = self._clock.now()
        with self._lock:
            for use in self._uses.values():
                use.forget(now.timestamp() - self.limits.window_s)
            return {
                user: {
                    "requests": len(use.begun),
                    "execution_s": round(use.spent_s, 3),
                    "under_way": use.under_way,
                    "today": use.today[1] if use.today[0] == now.date() else 0,
                }
                for user, use in self._uses.items()
            }

    def _refused(self, use: _Use, now: float) -> ThrottledError | None:
        limits, window = self.limits, f"over time window of {self.limits.window_s:.0f} seconds."
        wait = max(self._until_fewer(use, now), self._until_affordable(use, now))
        if len(use.begun) >= limits.requests:
            said = ("0x80072322", f"Number of requests exceeded the limit of {limits.requests} {window}")
        elif use.spent_s >= limits.execution_s:
            text = (
                "Combined execution time of incoming requests exceeded limit of "
                f"{limits.execution_s * 1000:,.0f} milliseconds {window} Decrease number of concurrent requests or "
                "reduce the duration of requests and try again later."
            )
            said = ("0x80072321", text)
        elif now < use.closed_until:
            said = use.closed_with
        elif use.under_way > limits.concurrent:
            return ThrottledError(
                "0x80072326",
                f"Number of concurrent requests exceeded the limit of {limits.concurrent}.",
                math.ceil(quirks().concurrent_retry_after_s),
            )
        else:
            return None
        longer = use.closed_until + quirks().throttled_call_adds_s - now if now < use.closed_until else 0.0
        told = math.floor(min(max(wait, longer), limits.window_s)) + 1
        use.closed_until, use.closed_with = now + told - _CRUMB_S, said
        return ThrottledError(*said, told)

    def _until_fewer(self, use: _Use, now: float) -> float:
        """Seconds until one more request fits into the window, 0 where it does."""
        over = len(use.begun) - self.limits.requests
        return 0.0 if over < 0 else use.begun[over] + self.limits.window_s - now

    def _until_affordable(self, use: _Use, now: float) -> float:
        """Seconds until so much of the window has passed that the sum is below its limit, 0 where it is."""
        left = use.spent_s
        if left < self.limits.execution_s:
            return 0.0
        for at, spent_s in use.ended:
            left -= spent_s
            if left < self.limits.execution_s:
                return at + self.limits.window_s - now
        return self.limits.window_s


def execution_s(work: Mapping[str, int]) -> float:
    """
    The execution time that a request is charged for.

    Args:
        work: How many of each kind of `EXECUTION_COST_S` it did.
    """
    return sum(quirks().execution_cost_s[kind] * count for kind, count in work.items())
