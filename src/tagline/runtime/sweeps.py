"""
What a deployment's flows do by the clock: sweeps of what changed since a cursor, and compares of all there is.

When something is due follows from our own rows alone, never from a timer: whoever was down finds one run due, however many
times it missed, and losing the engine's history loses no schedule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from tagline.clock import Clock
from tagline.connectors.pace import Lane
from tagline.domain.exchange import Days
from tagline.errors import TaglineError
from tagline.flow import schedules
from tagline.flow.declare import Flow
from tagline.integration import Integration
from tagline.runtime import breaker, endings
from tagline.runtime.breaker import Asking, Line
from tagline.runtime.breakers import Breakers
from tagline.runtime.compares import Compares
from tagline.runtime.guarded import Working
from tagline.runtime.store import Store

ALL: Final = Days()


class Sweeps:
    """
    The sweeps and compares of one deployment.

    Args:
        connectors: By lane and the integration's own name.
        names: The environment's names of the connections, by the integration's own.
    """

    def __init__(
        self,
        integration: Integration,
        connectors: Mapping[Lane, Mapping[str, Working]],
        names: Mapping[str, str],
        store: Store,
        breakers: Breakers,
        clock: Clock,
    ) -> None:
        self._integration = integration
        self._connectors = connectors
        self._names = names
        self._store = store
        self._compares = Compares(store.database, clock)
        self._breakers = breakers
        self._clock = clock
        self._errors: dict[str, TaglineError] = {}
        self._again: dict[tuple[str, str], datetime] = {}
        """When what failed is tried again, by flow and what it does."""

    @property
    def troubles(self) -> Mapping[str, TaglineError]:
        """Why the last one failed, by what it was; but for a remote that is away, of which the breakers tell."""
        return dict(self._errors)

    def next_due(self) -> datetime | None:
        """When the next one is due; it may be past."""
        return min(
            (self._due(flow, what) for flow in self._integration.flows.values() for what in flow.schedules),
            default=None,
        )

    def run(self) -> int:
        """
        Do what is due, of a compare one page; returns the hints received.

        A flow whose remote fails is tried again after a pause and keeps none of the others.
        """
        received = 0
        for flow in self._integration.flows.values():
            for what in flow.schedules:
                if self._due(flow, what) <= self._clock.now():
                    received += self._run(flow, what)
        return received

    def _due(self, flow: Flow, what: str) -> datetime:
        """When it is due by the clock, or later: after a pause where it failed, after a rest where its remote is away."""
        now = self._clock.now()
        if what == "sweep":
            cursor = self._store.cursor(self._integration.name, flow.name)
            due = now if cursor is None else schedules.due_after(flow.schedules[what], cursor.updated)
        else:
            last = self._compares.last(self._integration.name, flow.name)
            under_way = last.position is not None
            due = last.begun_at if under_way else schedules.due_after(flow.schedules[what], last.begun_at)
        again = self._again.get((flow.name, what), due)
        return max(due, again, self._breakers.again_at(frozenset((self._line(flow),))) or due)

    def _run(self, flow: Flow, what: str) -> int:
        needs = frozenset((self._line(flow),))
        received = 0
        try:
            with self._breakers.passing(needs) as may_pass:
                for page in self._pages(flow, what) if may_pass else ():
                    received += page
        except TaglineError as error:
            self._again[flow.name, what] = self._clock.now() + max(endings.pause(error), endings.PAUSE)
            if not breaker.is_away(error):
                self._errors[f"{what} of {flow.name}"] = error
            return received
        self._errors.pop(f"{what} of {flow.name}", None)
        self._again.pop((flow.name, what), None)
        return received

    def _pages(self, flow: Flow, what: str) -> Iterator[int]:
        """How many hints each page gave."""
        return self._sweep(flow) if what == "sweep" else self._compare(flow)

    def _sweep(self, flow: Flow) -> Iterator[int]:
        connection = self._integration.source_of(flow)
        begun_at = self._clock.now()
        last = self._store.cursor(self._integration.name, flow.name)
        cursor = None if last is None else last.value
        more = True
        while more:
            page = self._connectors[Lane.LIVE][connection].changes(flow.source, cursor)
            # A cursor that stands still would never end. A flow's very first cursor is only where to begin: what changed
            # since, such as orders placed while it was being deployed, is read at once.
            more = (page.more or cursor is None) and page.cursor != cursor
            yield self._store.sweep(
                self._integration.name, flow.name, connection, page, begun_at=None if more else begun_at
            )
            cursor = page.cursor

    def _compare(self, flow: Flow) -> Iterator[int]:
        """One page: a long listing is on the way of live work no longer than that."""
        connection, name = self._integration.source_of(flow), self._integration.name
        last = self._compares.last(name, flow.name)
        at = self._compares.begin(name, flow.name) if last.position is None else last
        page = self._connectors[Lane.BACK_FILL][connection].keys(flow.source, ALL, at.position or None)
        yield self._compares.take_in(name, flow.name, connection, at, page).found - at.found

    def _line(self, flow: Flow) -> Line:
        own = self._integration.source_of(flow)
        return Line(self._names.get(own, own), Asking.LIST)
