"""
Decided deployments that could not be brought to work on this machine, and when each is tried again.

A fault of the release shows itself again, so that only another decision helps; what this machine lacks, and a remote that was
away, may come back without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tagline.domain.lifecycle import Deployment
from tagline.errors import TaglineError, TryAgainError
from tagline.runtime.health import FailedDeployment

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(minutes=15)
_OF_THE_MACHINE: Final = frozenset(
    {"ca-file-unreadable", "certificate-unreadable", "secret-missing", "stage-failed", "state-key-invalid"}
)
"""Codes of what somebody puts right on the machine without deciding anything."""
_OF_THE_WORKER: Final = frozenset({"worker-died", "worker-silent"})
"""Codes of a worker that ended or hung before it was given any work, as it would again."""


@dataclass(frozen=True)
class _Failure:
    error: TaglineError
    since: datetime
    tries: int
    again_at: datetime | None


class Failures:
    """The deployments that failed in this life of the agent, by id."""

    def __init__(self) -> None:
        self._failures: dict[str, _Failure] = {}

    def __contains__(self, deployment: str) -> bool:
        return deployment in self._failures

    def add(self, deployment: str, error: TaglineError, now: datetime, *, may_pass: bool) -> bool:
        """
        Note a failure; returns whether it is news, and not the one before over again.

        Args:
            may_pass: Whether nothing was changed by it, so that it may be tried again where its cause may pass.
        """
        before = self._failures.get(deployment)
        tries = before.tries + 1 if before else 1
        again_at = now + _wait(tries) if may_pass and passes(error) else None
        self._failures[deployment] = _Failure(error, before.since if before else now, tries, again_at)
        return before is None or before.error.code != error.code

    def forget(self, deployment: str) -> None:
        """It could be brought to work after all."""
        self._failures.pop(deployment, None)

    def is_given_up(self, deployment: str, now: datetime) -> bool:
        """Whether a deployment failed and is not to be tried now."""
        failure = self._failures.get(deployment)
        return failure is not None and (failure.again_at is None or now < failure.again_at)

    def of(self, decided: Iterable[Deployment]) -> tuple[FailedDeployment, ...]:
        """Those of what is decided now."""
        return tuple(
            FailedDeployment(
                each.integration,
                each.id,
                each.version,
                failure.error.code,
                failure.error.message,
                failure.error.hint,
                failure.since,
                failure.again_at,
            )
            for each in decided
            if (failure := self._failures.get(each.id))
        )


def passes(error: TaglineError) -> bool:
    """Whether what kept a deployment from being prepared may pass without another decision."""
    if error.code in _OF_THE_WORKER:
        return False
    return isinstance(error, TryAgainError) or error.code in _OF_THE_MACHINE


def _wait(tries: int) -> timedelta:
    longest: timedelta = min(LONGEST_WAIT, FIRST_WAIT * int(2 ** min(tries - 1, 10)))
    return longest
