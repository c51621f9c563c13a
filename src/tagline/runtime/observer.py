"""What a worker's work looks like from outside: counted for the metrics, and told as spans where traces are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from tagline.clock import Clock
from tagline.connectors.budget_limits import Told
from tagline.domain.exchange import Row
from tagline.errors import Disposition
from tagline.runtime.counts import BATCH_S, EFFECTS, RECORDS, REQUESTS, Counts
from tagline.runtime.inbox import Dead, Done, Finished, InboxRow
from tagline.runtime.journal import Doubt, Intent, Journal, Settled
from tagline.runtime.telemetry import (
    Span,
    SpanId,
    Traces,
    batch_id,
    effect_id,
    event_id,
    request_id,
    run_id,
)

Listener = Callable[[Told], None]
Open = tuple[Intent, datetime, int]
"""An effect that was begun, when, and how many requests the batch had made by then."""


@dataclass
class _Batch:
    """The batch in hand; a worker has one at a time."""

    id: SpanId
    start: datetime
    runs: Mapping[tuple[str, str], SpanId]
    """By flow and record: the run that is under way."""
    requests: list[SpanId]
    numbers: Iterator[int]
    """Of its requests, which threads send side by side."""


class Observer:
    """
    Watches one worker.

    Args:
        traces: None where nobody wants any.
    """

    def __init__(self, environment: str, counts: Counts, traces: Traces | None, clock: Clock) -> None:
        self.counts = counts
        self._environment = environment
        self._traces = traces
        self._clock = clock
        self._batch: _Batch | None = None
        self.open: dict[int, Open] = {}
        """Effects of the batch in hand whose end is not known, by entry of the journal."""

    def begin(self, batch: str, rows: Sequence[InboxRow]) -> None:
        """A batch is about to be run, with these rows in hand."""
        self.open.clear()
        if self._traces:
            runs = {(row.flow, row.key): run_id(self._event(row), row.runs) for row in rows}
            self._batch = _Batch(batch_id(self._environment, batch), self._clock.now(), runs, [], count())

    def ended(self, finished: Sequence[Finished], read_at: datetime) -> None:
        """Rows of the batch in hand have ended, all of one flow."""
        now = self._clock.now()
        for each in finished:
            self.counts.add(RECORDS, each.row.flow, outcome_of(each))
        if finished:
            self.counts.note(BATCH_S, finished[0].row.flow, value=max(0.0, (now - read_at).total_seconds()))
        if self._traces and self._batch:
            self._traces.tell(
                span for each in finished for span in self._spans(each, self._batch, read_at, now)
            )

    def close_batch(self) -> None:
        """The batch in hand is over."""
        if self._traces and self._batch:
            batch, self._batch = self._batch, None
            attributes = {"tagline.records": len(batch.runs), "tagline.requests": len(batch.requests)}
            self._traces.tell([Span("batch", batch.id, None, batch.start, self._clock.now(), attributes)])

    def listener(self, connection: str) -> Listener:
        """What a connection's governor tells of each answer."""

        def heard(told: Told) -> None:
            self.counts.add(REQUESTS, connection, status_class(told.status))
            batch = self._batch
            if self._traces and batch:
                mine = request_id(batch.id, next(batch.numbers))
                batch.requests.append(mine)
                left = datetime.fromtimestamp(told.left_at, UTC) if told.left_at else self._clock.now()
                failed = (
                    "" if 200 <= told.status < 400 else f"http-{told.status}" if told.status else "no-answer"
                )
                attributes: dict[str, str | int | float] = {
                    "tagline.connection": connection,
                    "http.response.status_code": told.status,
                    "tagline.weight": told.weight,
                }
                self._traces.tell(
                    [Span("request", mine, batch.id, left, self._clock.now(), attributes, error=failed)]
                )

        return heard

    def journal(self, inner: Journal) -> Journal:
        """The journal, with each effect counted and told when it is settled."""
        return _Watched(inner, self)

    def settled(
        self, intent: Intent, entry: int, outcome: str, code: str, start: datetime, first: int
    ) -> None:
        """An effect's end is known."""
        self.counts.add(EFFECTS, intent.system, intent.entity, intent.kind.value, outcome)
        batch = self._batch
        run = batch.runs.get((intent.flow, intent.record)) if batch else None
        if self._traces and batch and run:
            attributes = {
                "tagline.system": intent.system,
                "tagline.entity": intent.entity,
                "tagline.kind": intent.kind.value,
                "tagline.outcome": outcome,
            }
            # Of the requests meanwhile, the last ones made the write; those before them read.
            links = tuple(batch.requests[first:][-4:])
            self._traces.tell(
                [
                    Span(
                        "effect",
                        effect_id(run, entry),
                        run,
                        start,
                        self._clock.now(),
                        attributes,
                        links,
                        "" if outcome in ("done", "happened") else code or outcome,
                    )
                ]
            )

    @property
    def requests(self) -> int:
        """Requests of the batch in hand so far."""
        return len(self._batch.requests) if self._batch else 0

    def now(self) -> datetime:
        return self._clock.now()

    def _event(self, row: InboxRow) -> SpanId:
        return event_id(self._environment, row.id, row.received_at)

    def _spans(self, each: Finished, batch: _Batch, start: datetime, now: datetime) -> Sequence[Span]:
        row = each.row
        event = self._event(row)
        outcome = outcome_of(each)
        code = each.error.code if isinstance(each, Dead) else each.code
        names = {"tagline.integration": row.integration, "tagline.flow": row.flow}
        run = Span(
            "run",
            run_id(event, row.runs),
            event,
            start,
            now,
            {**names, "tagline.outcome": outcome, "tagline.code": code, "tagline.runs": row.runs},
            (batch.id,),
            code if outcome != "done" else "",
        )
        if outcome == "retried":
            return [run]
        attributes = {**names, "tagline.source": row.source, "tagline.lane": row.lane.value}
        return [run, Span("event", event, None, row.received_at, now, attributes)]


class _Watched:
    """A journal with somebody who looks on; implements `runtime.journal.Journal`."""

    def __init__(self, inner: Journal, observer: Observer) -> None:
        self._inner = inner
        self._observer = observer

    def intend(self, intents: Sequence[Intent]) -> Sequence[int]:
        entries = self._inner.intend(intents)
        began = self._observer.now()
        self._observer.open.update(
            (entry, (intent, began, self._observer.requests))
            for entry, intent in zip(entries, intents, strict=True)
        )
        return entries

    def settle(self, settled: Sequence[Settled]) -> None:
        self._inner.settle(settled)
        for each in settled:
            known = self._observer.open.pop(each.entry, None)
            if known:
                intent, began, first = known
                outcome = "done" if each.disposition is Disposition.DONE else "failed"
                self._observer.settled(intent, each.entry, outcome, each.code, began, first)

    def in_doubt(self, records: Sequence[str]) -> Sequence[Doubt]:
        doubts = self._inner.in_doubt(records)
        now = self._observer.now()
        self._observer.open.update(
            (doubt.entry, (doubt.intent, now, self._observer.requests)) for doubt in doubts
        )
        return doubts

    def resolve(self, entry: int, happened: bool, row: Row | None = None) -> None:
        self._inner.resolve(entry, happened, row)
        known = self._observer.open.pop(entry, None)
        if known:
            intent, began, first = known
            outcome = "happened" if happened else "not-happened"
            self._observer.settled(intent, entry, outcome, "", began, first)


def outcome_of(each: Finished) -> str:
    if isinstance(each, Done):
        return "done"
    return "dead" if isinstance(each, Dead) else "retried"


def status_class(status: int) -> str:
    """`2xx`, and by itself what asks for another action: `401`, `429`; `none` where no answer came."""
    if status in (401, 403, 429):
        return str(status)
    return f"{status // 100}xx" if status else "none"
