"""How an environment fares, as `/readyz`, `tagline status` and the heartbeat tell it: one value, judged by one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tagline.domain.alerting import Trouble
from tagline.runtime.endings import THROTTLED

SWEEP_SLACK: Final = timedelta(minutes=5)
"""What a sweep may be late besides its own period: a page of a backlog takes as long."""


@dataclass(frozen=True)
class PostHealth:
    """One integration at its post."""

    integration: str
    deployment: str
    version: str
    has_worker: bool
    is_verified: bool
    since: datetime
    """When it was decided."""
    deaths: int = 0
    """Of its worker, in a row."""
    unregistered: tuple[str, ...] = ()
    """Connections whose webhooks could not be registered."""


@dataclass(frozen=True)
class SweepHealth:
    """One flow's sweep."""

    integration: str
    flow: str
    every: timedelta
    lag: timedelta
    """Since it last moved on."""

    @property
    def is_late(self) -> bool:
        return self.lag > 2 * self.every + SWEEP_SLACK


@dataclass(frozen=True)
class FailedDeployment:
    """A deployment that is decided and could not be brought to work here."""

    integration: str
    deployment: str
    version: str
    code: str
    message: str
    hint: str
    since: datetime
    again_at: datetime | None
    """When it is tried again by itself; None where only another decision helps."""

    def __str__(self) -> str:
        return f"{self.deployment} ({self.version})"


@dataclass(frozen=True)
class Health:
    """What one agent knows; `at` tells how old that is."""

    environment: str
    agent: str
    at: datetime
    posts: Sequence[PostHealth] = ()
    sweeps: Sequence[SweepHealth] = ()
    troubles: Sequence[Trouble] = ()
    """What keeps integrations from their work now."""
    failed: Sequence[FailedDeployment] = ()
    waiting: Mapping[str, int] | None = None
    """By lane; None while the state database cannot be read."""
    oldest_s: float = 0.0
    dead_letters: int = 0
    alerts: Sequence[str] = ()
    """Those that are on: kind and subject."""

    @property
    def stops(self) -> tuple[Trouble, ...]:
        """Workers that live and do nothing; one whose remote's budget is used up goes on by itself, and `budget` tells it."""
        return tuple(each for each in self.troubles if not each.about and each.code != THROTTLED)

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the agent is not well; an alarm about its remotes alone is none."""
        return (
            *(["the state database cannot be read"] if self.waiting is None else []),
            *(f"{post.integration} has no worker" for post in self.posts if not post.has_worker),
            *(f"the worker of {each.integration} has stopped ({each.code})" for each in self.stops),
            *(f"{each} is decided and does not work here ({each.code})" for each in self.failed),
            *(f"the sweep of {each.integration}/{each.flow} is late" for each in self.sweeps if each.is_late),
        )

    @property
    def is_well(self) -> bool:
        return not self.faults

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "environment": self.environment,
            "agent": self.agent,
            "at": self.at.isoformat(timespec="seconds"),
            "well": self.is_well,
            "faults": list(self.faults),
            "deployments": [
                {
                    "integration": post.integration,
                    "deployment": post.deployment,
                    "version": post.version,
                    "worker": post.has_worker,
                    "verified": post.is_verified,
                    "deaths": post.deaths,
                }
                for post in self.posts
            ],
            "sweep_lag_s": {
                f"{each.integration}/{each.flow}": round(each.lag.total_seconds(), 1) for each in self.sweeps
            },
            "troubles": [
                {
                    "integration": each.integration,
                    "code": each.code,
                    "since": each.since.isoformat(timespec="seconds"),
                }
                for each in self.troubles
            ],
            "stopped": [
                {
                    "integration": each.integration,
                    "code": each.code,
                    "message": each.message,
                    "hint": each.hint,
                    "since": each.since.isoformat(timespec="seconds"),
                }
                for each in self.stops
            ],
            "failed": [
                {
                    "integration": each.integration,
                    "deployment": each.deployment,
                    "version": each.version,
                    "code": each.code,
                    "message": each.message,
                    "hint": each.hint,
                    "since": each.since.isoformat(timespec="seconds"),
                    "again_at": each.again_at.isoformat(timespec="seconds") if each.again_at else None,
                }
                for each in self.failed
            ],
            "waiting": None if self.waiting is None else dict(self.waiting),
            "oldest_s": round(self.oldest_s, 1),
            "dead_letters": self.dead_letters,
            "alerts": list(self.alerts),
        }
