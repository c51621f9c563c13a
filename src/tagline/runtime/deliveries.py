"""The store as the intake sees it, with what came in counted, and told as spans where traces are wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.errors import TaglineError
from tagline.runtime.counts import RECEIVED, Counts
from tagline.runtime.inbox import Hint
from tagline.runtime.intake import Inbox
from tagline.runtime.store import Store
from tagline.runtime.tables import inbox
from tagline.runtime.telemetry import Span, SpanId, Traces, delivery_id, event_id


class Deliveries:
    """
    Implements `runtime.intake.Inbox` over another one.

    Args:
        traces: None where nobody wants any.
    """

    def __init__(
        self,
        inner: Inbox,
        store: Store,
        environment: str,
        counts: Counts,
        traces: Traces | None,
        clock: Clock,
    ) -> None:
        self._inner = inner
        self._store = store
        self._environment = environment
        self._counts = counts
        self._traces = traces
        self._clock = clock
        self.reject: Callable[[str, str, str, TaglineError], None] = inner.reject
        self.check: Callable[[], None] = inner.check

    def receive(self, hints: Sequence[Hint]) -> int:
        began = self._clock.now()
        added = self._inner.receive(hints)
        for hint in hints:
            self._counts.add(RECEIVED, hint.integration, hint.flow, hint.source)
        if self._traces:
            ended = self._clock.now()
            self._traces.tell(
                Span(
                    "delivery",
                    delivery_id(event),
                    event,
                    began,
                    ended,
                    {
                        "tagline.integration": hint.integration,
                        "tagline.flow": hint.flow,
                        "tagline.source": hint.source,
                    },
                )
                for hint, event in self._events(hints)
            )
        return added

    def _events(self, hints: Sequence[Hint]) -> list[tuple[Hint, SpanId]]:
        """The events that the hints became; one that is over already, or that cannot be read now, is told without its delivery."""
        by_place = {(hint.integration, hint.flow, hint.key): hint for hint in hints}
        found = []
        query = sa.select(
            inbox.c.integration, inbox.c.flow, inbox.c.key, inbox.c.id, inbox.c.received_at
        ).where(inbox.c.state == "received", inbox.c.key.in_(sorted({hint.key for hint in hints})[:500]))
        try:
            with self._store.database.read() as conn:
                for row in conn.execute(query):
                    hint = by_place.get((row.integration, row.flow, row.key))
                    if hint:
                        found.append((hint, event_id(self._environment, row.id, row.received_at)))
        except TaglineError:
            return []
        return found
