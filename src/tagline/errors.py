"""Every public exception of tagline, its code and its hint.

The tree follows what the caller does next; the topic is in `code`.

    TaglineError                 exit 1   it failed; the message says what, the hint what to do
    ├── UsageError               exit 2   the command, configuration or package is written wrong
    ├── RefusedError             exit 3   a gate, policy, hold or safety rule said no
    ├── NotAuthorisedError       exit 5   a remote or a policy does not know or allow this identity
    ├── TryAgainError            exit 6   a remote is away, a race was lost, a plan is stale
    ├── PartlyDoneError          exit 7   some of it is done; the message says which part is not
    ├── InconclusiveError        exit 8   we could not tell
    └── RecordError              exit 1   one record cannot go on (disposition: dead letter)

`docs/errors.md` lists every code; a test holds the list to the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Disposition(StrEnum):
    """What an answer or an error means for the run of one record."""

    DONE = "done"
    RETRY = "retry"
    DEAD_LETTER = "dead-letter"
    STOP = "stop"


class TaglineError(Exception):
    """
    Something tagline was asked to do did not happen.

    Args:
        message: What was wrong, with the value; never a payload, a token or personal data.
        code: Stable kebab-case name, documented in `docs/errors.md`.
        where: Integration, flow, field, record key, release, environment: whatever locates it.
        hint: The next action, one sentence.
        disposition: What it means for the run of the record it stopped.
        retry_after_s: Seconds the remote asked us to wait, where it did.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        code: str,
        where: Mapping[str, str] | None = None,
        hint: str = "",
        disposition: Disposition = Disposition.STOP,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.where = dict(where or {})
        self.hint = hint
        self.disposition = disposition
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.message


class UsageError(TaglineError):
    """The command, a configuration or an integration package is written wrong."""

    exit_code = 2


class RefusedError(TaglineError):
    """A gate, policy, hold or safety rule said no."""

    exit_code = 3


class NotAuthorisedError(TaglineError):
    """A remote or a policy does not know or does not allow this identity."""

    exit_code = 5


class TryAgainError(TaglineError):
    """A remote is away, a race was lost or a plan is stale; the same call may succeed later."""

    exit_code = 6


class PartlyDoneError(TaglineError):
    """Some of it is done; the message says which part is not."""

    exit_code = 7


class InconclusiveError(TaglineError):
    """We could not tell."""

    exit_code = 8


class RecordError(TaglineError):
    """
    One record cannot go on; the others do.

    `details` holds one mapping a wrong field (field, rule, sources, reason, and `code` where a named cause refused it), so that a dead
    letter lists all of them at once.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        where: Mapping[str, str] | None = None,
        hint: str = "",
        disposition: Disposition = Disposition.DEAD_LETTER,
        retry_after_s: float | None = None,
        details: tuple[Mapping[str, str], ...] = (),
    ) -> None:
        super().__init__(
            message,
            code=code,
            where=where,
            hint=hint,
            disposition=disposition,
            retry_after_s=retry_after_s,
        )
        self.details = details
