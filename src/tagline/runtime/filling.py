"""Listing the records of a back-fill: what was asked for, where that is read, and the pages on their way into the inbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tagline.clock import Clock
from tagline.domain.exchange import Connector, Days, Listed
from tagline.domain.model import Model
from tagline.errors import RefusedError, TryAgainError
from tagline.runtime import locks
from tagline.runtime.back_fills import BackFill, BackFills
from tagline.runtime.endings import THROTTLED

ASKED: Final = 50
"""Named keys that the source is asked for at once, to see whether it has them."""
KEYS: Final = 500
"""Named keys that are put into the inbox in one commit."""


@dataclass(frozen=True)
class Selection:
    """Which records: named ones, or all that were made on some days."""

    keys: tuple[str, ...] = ()
    days: Days = field(default_factory=Days)

    def __str__(self) -> str:
        if self.keys:
            return f"keys {','.join(self.keys)}"
        since, until = self.days.since, self.days.until
        told = [f"since {since}" if since else "", f"until {until}" if until else ""]
        return " ".join(filter(None, told)) or "all"


@dataclass(frozen=True)
class Origin:
    """Where a flow's records are."""

    integration: str
    flow: str
    connection: str
    """The integration's own name of it."""
    model: type[Model]
    connector: Connector


def count(origin: Origin, selection: Selection) -> int | None:
    """How many records that is; None where the source does not say."""
    return len(selection.keys) or origin.connector.count(origin.model, selection.days)


def absent(origin: Origin, keys: Sequence[str]) -> tuple[str, ...]:
    """Which of some named records the source does not have; none where it cannot be asked now, since their runs will tell."""
    missing: list[str] = []
    for start in range(0, len(keys), ASKED):
        part = keys[start : start + ASKED]
        try:
            fetched = origin.connector.fetch(origin.model, part)
        except TryAgainError:
            continue
        missing += [key for key in part if key not in fetched.records and key not in fetched.malformed]
    return tuple(missing)


def fill(back_fills: BackFills, origin: Origin, selection: Selection, clock: Clock) -> Iterator[BackFill]:
    """
    Put the records into the inbox page by page, from where an earlier call of the same selection was interrupted.

    Gives how far it has come: at the start and after each page. Whoever stops asking loses nothing.

    Raises:
        TaglineError: The source cannot be read. A budget that is used up is waited for.
    """
    at = back_fills.begin(origin.integration, origin.flow, str(selection))
    yield at
    while at.ended_at is None:
        try:
            page = _page(origin, selection, at.position)
        except TryAgainError as error:
            if error.code != THROTTLED or not error.retry_after_s:
                raise
            clock.sleep(error.retry_after_s)
            continue
        at = back_fills.take_in(
            at,
            origin.connection,
            page.keys,
            position=page.position,
            unread=page.unread,
            is_last=not page.more,
        )
        yield at


@contextmanager
def alone(state: Path, integration: str, flow: str) -> Iterator[None]:
    """
    Be the only process that lists this flow's records.

    Raises:
        RefusedError: Another one does (code `backfill-running`).
    """
    folder = state / "back-fills"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{integration}.{flow}.lock"
    held = locks.take(path)
    if held is None:
        raise RefusedError(
            f"another process ({locks.holder(path) or 'unknown'}) lists records of {flow} for a back-fill",
            code="backfill-running",
            where={"integration": integration, "flow": flow},
            hint="let it end, or end it and run this again: it goes on where the other was",
        )
    with held:
        yield


def _page(origin: Origin, selection: Selection, position: str) -> Listed:
    if not selection.keys:
        return origin.connector.keys(origin.model, selection.days, position or None)
    start = int(position or 0)
    end = start + KEYS
    return Listed(selection.keys[start:end], str(end), more=end < len(selection.keys))
