"""What the end of a run means for its inbox row: pure decisions on error, attempts and time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final, TypeGuard

from tagline.errors import Disposition, InconclusiveError, RecordError, TaglineError, UsageError
from tagline.runtime.breaker import UNANSWERED, is_away
from tagline.runtime.inbox import Dead, Done, Finished, InboxRow, Later

BATCH: Final = 100
"""Records driven together: one durable batch, one group of keyed reads and writes."""
BACK_FILL_BATCH: Final = 25
"""
Records of a back-fill driven together: what a live record that comes meanwhile waits for at most, a few seconds of the
remotes' time, or the while that the back-fill itself is made to wait for their budget.
"""
ATTEMPTS: Final = 8
"""Runs a record gets before its retries end in a dead letter; spread over about an hour."""
FIRST_WAIT: Final = timedelta(seconds=5)
FACTOR: Final = 3
LONGEST_WAIT: Final = timedelta(hours=1)
PAUSE: Final = timedelta(seconds=60)
"""How long the worker rests when nothing but a person, or the remote's return, can help."""
CRASHES_ALONE: Final = 2
"""Deaths of the worker after which a record is run in a batch of its own, to find the one to blame."""
CRASHES: Final = 5
"""Deaths of the worker after which the record is set aside unrun."""
FENCED: Final = "fenced"
LOST: Final = "lease-lost"
"""The worker was taken for dead; it gives back what it still has and takes part again."""
THROTTLED: Final = "remote-throttled"
RUN_ALONE: Final = "run-alone"


def wait(attempts: int, retry_after_s: float | None, random: Random) -> timedelta:
    """
    How long a record waits before it is run again: exponential, full jitter, never less than the remote asked.

    Args:
        attempts: Runs that failed before this one.
        retry_after_s: What the remote asked for.
    """
    longest: timedelta = min(LONGEST_WAIT, FIRST_WAIT * int(FACTOR ** min(attempts, 10)))
    return max(timedelta(seconds=retry_after_s or 0), longest * random.random())


def pause(error: TaglineError) -> timedelta:
    """How long the worker rests after an error that stops it; a fenced one lets go at once, another worker runs."""
    if error.code in (FENCED, LOST):
        return timedelta(0)
    return PAUSE if error.retry_after_s is None else timedelta(seconds=error.retry_after_s)


def postponed(row: InboxRow, error: TaglineError, now: datetime) -> Later:
    """The row of a record that never had its chance: it waits as long as the worker rests, and nothing is counted."""
    return Later(row, now + pause(error), error.code, counted=False)


def stops(error: TaglineError | None) -> TypeGuard[TaglineError]:
    """Whether the worker has to stop: the next record would meet the same."""
    return (
        error is not None
        and error.disposition is Disposition.STOP
        and not _is_about_the_record(error)
        and not is_away(error)
    )


def is_throttled(error: TaglineError | None) -> TypeGuard[TaglineError]:
    """Whether a remote's budget is used up, for the lane that asked."""
    return error is not None and error.code == THROTTLED


def ends_the_record(error: TaglineError) -> bool:
    return error.disposition is Disposition.DEAD_LETTER or _is_about_the_record(error)


def ending(
    row: InboxRow,
    error: TaglineError | None,
    now: datetime,
    random: Random,
    away_until: datetime | None = None,
) -> Finished:
    """
    How a row ends whose run ended with this error, or without one.

    Args:
        away_until: When a remote that it needs is asked again, while one does not answer: nothing is counted then.
    """
    if error is not None and is_away(error) and away_until is not None:
        return Later(row, away_until, error.code, counted=False)
    if error is None or error.disposition is Disposition.DONE:
        return Done(row, "" if error is None else error.code)
    if ends_the_record(error):
        return Dead(row, error)
    if stops(error):
        return postponed(row, error, now)
    if row.attempts + 1 >= ATTEMPTS:
        return Dead(row, _exhausted(row, error))
    return Later(row, now + wait(row.attempts, error.retry_after_s, random), error.code)


def sifted(rows: Sequence[InboxRow], now: datetime) -> tuple[list[InboxRow], list[Finished]]:
    """
    What of a batch is run, and how the rest ends unrun.

    A batch whose runs killed the worker comes back whole from the engine; its suspects go back to the inbox, which
    gives them out one by one, and a record that was in hand at too many deaths is set aside.
    """
    run: list[InboxRow] = []
    apart: list[Finished] = []
    for row in rows:
        if row.crashes >= CRASHES:
            apart.append(Dead(row, _to_blame(row)))
        elif row.crashes >= CRASHES_ALONE and len(rows) > 1:
            apart.append(Later(row, now, RUN_ALONE, counted=False))
        else:
            run.append(row)
    return run, apart


def batches(rows: Sequence[InboxRow]) -> list[list[InboxRow]]:
    """
    Group rows by flow, at most `BATCH` together; whom a batch is better off without comes last.

    That is alone who was in hand when the worker died, and in ever smaller company who got no answer: it may be the
    one for whose sake a remote answered nobody.
    """
    alike: dict[tuple[int, str], list[InboxRow]] = {}
    for row in rows:
        alike.setdefault((-_company(row), row.flow), []).append(row)
    return [
        of[start : start - most]
        for (most, _), of in sorted(alike.items(), key=lambda item: item[0][0])
        for start in range(0, len(of), -most)
    ]


def _company(row: InboxRow) -> int:
    """How many rows may be run together with this one, itself included."""
    if row.crashes >= CRASHES_ALONE:
        return 1
    return max(1, BATCH >> 2 * row.attempts) if row.code in UNANSWERED else BATCH


def _is_about_the_record(error: TaglineError) -> bool:
    """Wrong author code and undecidable records stop nobody else, whatever disposition they came with."""
    return isinstance(error, UsageError | InconclusiveError)


def _to_blame(row: InboxRow) -> RecordError:
    return RecordError(
        f"the worker died {row.crashes} times while record {row.key} was in hand",
        code="worker-died",
        where={"integration": row.integration, "flow": row.flow, "record": row.key},
        hint="look for memory or a native crash in the worker's output, then redrive",
    )


def _exhausted(row: InboxRow, error: TaglineError) -> RecordError:
    return RecordError(
        f"record {row.key} was tried {ATTEMPTS} times and ended with {error.code} each time, last: {error.message}",
        code="retries-exhausted",
        where={**error.where, "integration": row.integration, "flow": row.flow, "record": row.key},
        hint=error.hint or "see that the remote works again, then redrive",
        details=({"field": "", "reason": error.code},),
    )
