"""
The breaker: when a remote counts as away, how long nobody asks it, and how little asks it first. Pure decisions.

What failed in one way of asking (listing changes, reading, writing) is told apart, since a remote in maintenance often
still answers reads, whose successes say nothing about writes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from tagline.errors import Disposition, TaglineError

FAILURES: Final = 3
"""Calls in a row that a remote leaves unanswered before it counts as away; each was sent again a few times already."""
FIRST_REST: Final = timedelta(seconds=30)
LONGEST_REST: Final = timedelta(minutes=5)
TRIAL: Final = 8
"""Records of the first trial; each further one takes half as many, down to one, so that none that fails for itself spoils all."""
UNANSWERED: Final = frozenset(
    {
        "remote-unreachable",
        "remote-unavailable",
        "remote-outcome-unknown",
        "remote-failed",
        "answer-malformed",
    }
)
"""Codes of calls that the remote, or a proxy in its place, did not answer as it should."""
UNTOLD: Final = UNANSWERED | {"remote-throttled"}
"""Codes that say nothing for the remote: our own budget may be what refused."""
ABOUT_A_RECORD: Final = frozenset({"remote-failed", "remote-outcome-unknown"})
"""Of these, those that a single record may bring about at a remote that is well: an answer of 500, a write that takes too long."""
CONNECTION_AWAY: Final = "connection-away"
"""Code of what was not tried."""


class Asking(StrEnum):
    """The ways of asking a remote that fail together."""

    LIST = "list"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class Line:
    """One way of asking one remote: what a breaker is about."""

    connection: str
    """Its name in the environment."""
    asking: Asking


@dataclass(frozen=True)
class Breaker:
    """What is known of one line; a fresh one is closed and lets everything pass."""

    failures: int = 0
    """In a row, until it opened."""
    since: datetime | None = None
    """When the first of them was."""
    code: str = ""
    """Of the first of them."""
    suspect: str | None = None
    """The one record that all of them were about, where it may be to blame."""
    again_at: datetime | None = None
    """Open until then; past, it is half-open. None while it is closed."""
    trials: int = 0
    """That failed since it opened."""

    @property
    def trial_size(self) -> int:
        """How many records to try at once while it is half-open."""
        return max(1, TRIAL >> self.trials)

    def failed(self, now: datetime, error: TaglineError, about: Collection[str], random: Random) -> Breaker:
        """
        The breaker after a call was not answered.

        Args:
            about: Keys of the records or rows that the call was about.
        """
        if self.again_at is not None:
            trials = self.trials + 1
            return replace(self, trials=trials, again_at=now + rest(trials, error.retry_after_s, random))
        alone = next(iter(about)) if error.code in ABOUT_A_RECORD and len(set(about)) == 1 else None
        if self.failures and alone is not None and alone == self.suspect:
            return self
        failed = replace(
            self,
            failures=self.failures + 1,
            since=self.since or now,
            code=self.code or error.code,
            suspect=None if self.failures else alone,
        )
        if failed.failures < FAILURES:
            return failed
        return replace(failed, again_at=now + rest(0, error.retry_after_s, random))


def rest(trials: int, retry_after_s: float | None, random: Random) -> timedelta:
    """
    How long nobody asks after so many trials that failed; half of it by chance, so that agents do not come back together.

    Args:
        retry_after_s: What the remote asked for; never less than that.
    """
    longest: timedelta = min(LONGEST_REST, FIRST_REST * int(2 ** min(trials, 10)))
    return max(timedelta(seconds=retry_after_s or 0), longest * (0.5 + random.random() / 2))


def is_away(error: TaglineError) -> bool:
    """Whether a remote did not answer, or was not asked because it does not."""
    return error.code in UNANSWERED or error.code == CONNECTION_AWAY


def is_unanswered(error: TaglineError) -> bool:
    """Whether the remote, not the record, is to blame as far as one call can tell."""
    return error.code in UNANSWERED


def is_answer(error: TaglineError) -> bool:
    """Whether the remote itself said no to a record, and so is there."""
    return error.disposition is Disposition.DEAD_LETTER and error.code not in UNANSWERED
