"""The limit of a remote that publishes none, as a value; instants are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from tagline.connectors.budget_limits import Told


@dataclass(frozen=True)
class LearnedRate:
    """
    A rate that nobody published: it grows while answers are good, and falls once for each incident of throttling.

    After an incident it soon comes close to where it was, and then feels its way beyond it: long enough to be throttled
    about once in three minutes, however fast the remote is. Many answers of one incident say the same thing; what was
    under way when the first came is not counted again.
    """

    rate: float
    """Requests a second."""
    ceiling: float = 50.0
    floor: float = 0.2
    next_at: float = 0.0
    """Before this nothing leaves."""
    calm_from: float = 0.0
    """Throttling before this belongs to the incident that is known."""
    met_at: float = 0.0
    """The rate at the last incident; 0 before the first."""
    grown_at: float = 0.0
    """When it last grew; a pause between answers is no reason to grow."""

    DECREASE = 0.7
    FIRST_GROWTH = 0.2
    """Of the rate, a second, before a limit was met."""
    RETURN = 0.03
    """The same on the way back."""
    NEAR = 0.95
    """Of the rate at the last incident; from there on it feels its way."""
    FEEL = 0.0004
    BEYOND = 1.1
    """Of that rate; a remote that lets so much through has more than it had."""
    INCIDENT_S = 5.0
    """For which answers are still of the same incident, where the remote names no time."""
    SILENCE_S = 2.0
    """After an incident, where the remote names no time."""

    def delay(self, start: float, weight: int, share: float) -> float:
        # A back-fill leaves where nobody else does: some requests behind the one before it.
        gap = 0.0 if share >= 1.0 else (1 / share - 1) * 4 / self.rate
        return max(0.0, self.next_at + gap - start)

    def take(self, start: float, weight: int, now: float) -> Self:
        return replace(self, next_at=max(start, self.next_at) + 1 / self.rate)

    def learn(self, now: float, told: Told) -> Self:
        if told.is_lost:
            return self
        if not told.is_throttled:
            passed = min(1.0, max(0.0, now - self.grown_at))
            return replace(
                self, rate=min(self.ceiling, self.rate * (1 + self._growth() * passed)), grown_at=now
            )
        if now < self.calm_from:
            return self
        calm = now + max(self.INCIDENT_S, told.retry_after_s or 0.0)
        slower = max(self.floor, self.rate * self.DECREASE)
        next_at = self.next_at if told.retry_after_s else max(self.next_at, now + self.SILENCE_S)
        return replace(self, rate=slower, next_at=next_at, calm_from=calm, met_at=self.rate, grown_at=calm)

    def used(self, now: float) -> float:
        return min(1.0, max(0.0, (self.next_at - now) * self.rate))

    def drain(self, now: float, requests: float, units: float, share: float = 1.0) -> float:
        return max(0.0, self.next_at - now) + requests / self.rate

    def full(self, now: float) -> Self:
        return replace(self, next_at=max(self.next_at, now + 1 / self.rate))

    def moved(self, seconds: float) -> Self:
        return replace(
            self,
            next_at=self.next_at + seconds,
            calm_from=self.calm_from + seconds,
            grown_at=self.grown_at + seconds,
        )

    def _growth(self) -> float:
        if self.met_at == 0.0:
            return self.FIRST_GROWTH
        return self.FEEL if self.met_at * self.NEAR <= self.rate < self.met_at * self.BEYOND else self.RETURN
