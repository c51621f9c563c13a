"""How often something may happen: a bucket that fills with time, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True)
class Rate:
    """What is allowed: `burst` at once, and `per_s` a second in the long run."""

    per_s: float
    burst: float


@dataclass(frozen=True)
class Bucket:
    """What of a rate is left."""

    rate: Rate
    left: float
    at: datetime

    @classmethod
    def full(cls, rate: Rate, now: datetime) -> Bucket:
        return cls(rate, rate.burst, now)

    def take(self, now: datetime) -> tuple[Bucket, float]:
        """Take one; the bucket after it, and the seconds until there is one where there is none. A clock set back fills nothing."""
        since = max(0.0, (now - self.at).total_seconds())
        left = min(self.rate.burst, self.left + since * self.rate.per_s)
        if left >= 1:
            return replace(self, left=left - 1, at=now), 0.0
        return replace(self, left=left, at=now), (1 - left) / self.rate.per_s
