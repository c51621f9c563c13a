"""
Business events of Finance: those that people activated, the queue of what they tell, and its repeats.

Source: Finance notes, section 17, which names them and no more; how one looks is assumed.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tagline.clock import Clock
from tagline.sandbox.assumptions import FINANCE_EVENT_REPEATS_S, FINANCE_EVENTS
from tagline.sandbox.mishaps import Mishaps
from tagline.sandbox.values import Request
from tagline.sandbox.wire import encode, in_bytes

Send = Callable[[Request], int | None]


@dataclass(frozen=True)
class Telling:
    """One event on its way to one endpoint."""

    url: str
    body: bytes
    due: datetime
    attempts: int = 0
    was_put_off: bool = False
    """By a mishap."""

    @property
    def is_first(self) -> bool:
        """See `OnItsWay`."""
        return self.attempts == 0 and not self.was_put_off

    def put_off(self, until: datetime) -> Telling:
        """See `OnItsWay`."""
        return replace(self, due=until, was_put_off=True)


class BusinessEvents:
    """
    Safe for threads: the site queues while its sender delivers.

    Args:
        repeats_s: Seconds until each repeat of what was not taken.
    """

    def __init__(
        self, clock: Clock, repeats_s: Callable[[], Sequence[float]] = lambda: FINANCE_EVENT_REPEATS_S
    ) -> None:
        self.mishaps = Mishaps()
        self.given_up: list[Telling] = []
        """Told in vain as often as it is tried."""
        self.on_queued: Callable[[], None] = lambda: None
        """Called when something was queued; the served sandbox wakes its sender."""
        self._clock = clock
        self._repeats_s = repeats_s
        self._active: list[tuple[str, str]] = []
        self._queue: list[Telling] = []
        self._count = 0
        self._lock = threading.Lock()

    def activate(self, event: str, url: str) -> None:
        """
        Have an event told to an endpoint from now on.

        Raises:
            LookupError: There is no such event.
        """
        if event not in FINANCE_EVENTS:
            raise LookupError(f"there is no business event {event}; there are {', '.join(FINANCE_EVENTS)}")
        with self._lock:
            if (event, url) not in self._active:
                self._active.append((event, url))

    def happened(self, event: str, company: str, number: str) -> None:
        """Tell of it wherever it is active."""
        with self._lock:
            urls = [url for active, url in self._active if active == event]
            for url in urls:
                self._count += 1
                body = self._body(event, company, number)
                self._queue.append(Telling(url, body, self._clock.now()))
        if urls:
            self.on_queued()

    def waiting(self) -> int:
        with self._lock:
            return len(self._queue)

    def next_due(self) -> datetime | None:
        """When something is to be sent next; None when nothing waits."""
        with self._lock:
            return min((telling.due for telling in self._queue), default=None)

    def deliver(self, send: Send) -> int:
        """Send what is due, in order; how much of it was answered with success."""
        with self._lock:
            now = self._clock.now()
            fate = self.mishaps.befall([telling for telling in self._queue if telling.due <= now], now)
            self._queue = [
                telling for telling in self._queue if telling.due > now or telling in fate.going
            ] + fate.later
        delivered = 0
        for telling in fate.going:
            headers = {"content-type": "application/json", "content-length": str(len(telling.body))}
            status = send(Request("POST", telling.url, headers, telling.body))
            delivered += self._settle(telling, status)
        return delivered

    def facts(self) -> Mapping[str, Any]:
        """All that is known, for a state file."""
        with self._lock:
            return {
                "active": list(self._active),
                "waiting": [astuple(telling) for telling in self._queue],
                "given_up": [astuple(telling) for telling in self.given_up],
                "count": self._count,
            }

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Know exactly this; a file of an earlier release knows nothing."""
        with self._lock:
            self._active = [(event, url) for event, url in facts.get("active", ())]
            self._queue = [Telling(*given) for given in facts.get("waiting", ())]
            self.given_up = [Telling(*given) for given in facts.get("given_up", ())]
            self._count = facts.get("count", 0)

    def _settle(self, telling: Telling, status: int | None) -> bool:
        is_told, repeats_s = status is not None and 200 <= status < 300, self._repeats_s()
        with self._lock:
            if telling not in self._queue:
                return is_told  # a double, of which the first decided
            self._queue.remove(telling)
            if is_told:
                return True
            if telling.attempts >= len(repeats_s):
                self.given_up.append(telling)
            else:
                due = self._clock.now() + timedelta(seconds=repeats_s[telling.attempts])
                self._queue.append(replace(telling, due=due, attempts=telling.attempts + 1))
        return False

    def _body(self, event: str, company: str, number: str) -> bytes:
        moment = int(self._clock.now().timestamp() * 1000)
        told = {
            "BusinessEventId": event,
            "ControlNumber": 5637144576 + self._count,
            "EventId": str(
                uuid.uuid5(uuid.NAMESPACE_URL, f"{event} {company} {number} {self._count}")
            ).upper(),
            "EventTime": f"/Date({moment})/",
            "LegalEntity": company,
            "MajorVersion": 0,
            "MinorVersion": 0,
            FINANCE_EVENTS[event]: number,
        }
        return in_bytes(encode(told))
