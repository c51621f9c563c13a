"""Driving a flow: one coroutine a record, advanced together, round by round, until all have ended."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tagline.domain.model import Model
from tagline.domain.settings import Settings
from tagline.errors import Disposition, RecordError, TaglineError, UsageError
from tagline.flow.declare import Flow
from tagline.flow.effects import Effect


@dataclass(frozen=True)
class Ask:
    """One effect a record waits for."""

    record: str
    effect: Effect[Any]


@dataclass(frozen=True)
class Ended:
    """How a record's run ended."""

    record: str
    error: TaglineError | None
    """None when the flow returned; its disposition says whether to retry, set aside or stop."""
    rounds: int
    """How many effects it was answered."""


class Driver(Protocol):
    """Answers what flows await; live, shadow and others differ only here."""

    def answer(self, asks: Sequence[Ask]) -> Sequence[Any]:
        """One answer an ask, in order; a `TaglineError` as an answer ends that record alone."""
        ...


def drive(flow: Flow, records: Mapping[str, Model], settings: Settings, driver: Driver) -> dict[str, Ended]:
    """
    Run a flow for several records, handing what all living ones await to the driver at once.

    No event loop runs: a flow is a coroutine only so that it can hand out an effect and be resumed. What the driver itself raises
    is no record's fault and passes through.

    Returns:
        How each record ended, in the order of `records`.
    """
    ended: dict[str, Ended] = {}
    living: dict[str, Coroutine[Any, Any, None]] = {}
    waiting: list[Ask] = []
    rounds = 0

    def advance(record: str, answer: Any) -> None:
        coroutine = living[record]
        try:
            awaited = coroutine.send(answer)
        except StopIteration:
            end(record, None)
        except Exception as error:  # noqa: BLE001 - the one boundary around an author's code
            end(record, _author_error(flow, record, error))
        else:
            if isinstance(awaited, Effect):
                waiting.append(Ask(record, awaited))
            else:
                end(record, _awaits_other(flow, record, type(awaited).__name__))

    def end(record: str, error: TaglineError | None) -> None:
        ended[record] = Ended(record, error, rounds)
        _close(living.pop(record))

    try:
        for record, source in records.items():
            living[record] = flow(source, settings)
            advance(record, None)
        while waiting:
            asks, waiting = waiting, []
            answers = driver.answer(asks)
            rounds += 1
            for ask, answer in zip(asks, answers, strict=True):
                if isinstance(answer, TaglineError):
                    end(ask.record, answer)
                else:
                    advance(ask.record, answer)
    finally:
        for coroutine in living.values():
            _close(coroutine)
    return {record: ended[record] for record in records}


def _close(coroutine: Coroutine[Any, Any, None]) -> None:
    # An author's helper that awaits while it is being closed has nobody left to answer it.
    with contextlib.suppress(Exception):
        coroutine.close()


def _author_error(flow: Flow, record: str, error: Exception) -> TaglineError:
    if isinstance(error, TaglineError):
        if error.disposition is Disposition.STOP:
            # Raised by this record's own code, for example by a key that is empty: the other records are fine.
            error.disposition = Disposition.DEAD_LETTER
        return error
    if isinstance(error, RuntimeError) and "no running event loop" in str(error):
        return _awaits_other(flow, record, "an event loop")
    kind, places = type(error).__name__, _places(flow, error)
    failed = RecordError(
        f"{flow.name} failed with {kind} at {places}",
        code="flow-failed",
        where={"flow": flow.name, "record": record},
        hint="reproduce it with this record in a test of the flow, then correct the line",
        details=({"field": "", "rule": places, "reason": kind},),
    )
    failed.__cause__ = error
    return failed


def _places(flow: Flow, error: Exception) -> str:
    """The flow's own line and the innermost one; lines only, since texts may hold values."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if (f.filename, f.name) == (flow.file, flow.name)]
    shown = [own[-1]] if own else []
    if frames and frames[-1] not in shown:
        shown.append(frames[-1])
    return ", in ".join(f"{Path(f.filename).name}:{f.lineno}" for f in shown)


def _awaits_other(flow: Flow, record: str, what: str) -> UsageError:
    return UsageError(
        f"{flow.name} awaits {what}, which is no effect",
        code="flow-awaits-other",
        where={"flow": flow.name, "record": record, "file": flow.file},
        hint="await only effects (upsert, find, act, …); a flow never waits, it ends and an event starts it again",
        disposition=Disposition.DEAD_LETTER,
    )
