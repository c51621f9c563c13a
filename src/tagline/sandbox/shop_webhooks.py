"""Webhooks of the shop: registrations, the queue of deliveries, probes and retries. Source: 3dcart notes, section 8."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from typing import Any

from tagline.clock import Clock
from tagline.sandbox.mishaps import Mishaps
from tagline.sandbox.shop_answers import JSON, XML
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.shop_quirks import ShopQuirks
from tagline.sandbox.shop_xml import to_xml
from tagline.sandbox.values import Request
from tagline.sandbox.wire import encode_doubles

Send = Callable[[Request], "int | None"]
"""Sends a request; the answer's status, or None when no answer came."""


@dataclass(frozen=True)
class Delivery:
    """One POST that is due, or was due and failed."""

    webhook_id: int
    url: str
    record_id: int
    body: bytes
    """An array holding the one record as it was when the event happened."""
    due: datetime
    attempts: int = 0
    is_xml: bool = False
    was_put_off: bool = False
    """By a mishap."""

    @property
    def is_first(self) -> bool:
        """See `OnItsWay`."""
        return self.attempts == 0 and not self.was_put_off

    def put_off(self, until: datetime) -> Delivery:
        """See `OnItsWay`."""
        return replace(self, due=until, was_put_off=True)


@dataclass
class Webhooks:
    """The registrations of a shop and what is on its way. Thread-safe."""

    clock: Clock
    quirks: ShopQuirks = field(default_factory=ShopQuirks)
    mishaps: Mishaps = field(default_factory=Mishaps)
    registered: dict[int, Record] = field(default_factory=dict)
    given_up: list[Delivery] = field(default_factory=list)
    """Deliveries that failed after every retry."""
    on_queued: Callable[[], None] = lambda: None
    """Called when something was queued; the served sandbox wakes its sender."""
    _queue: list[Delivery] = field(default_factory=list)
    _in_hand: list[Delivery] = field(default_factory=list)
    """What a call of `deliver` has taken and not sent yet."""
    _probed: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last_id: int = 0

    def new_id(self) -> int:
        """The next registration's id; never one that was given before."""
        self._last_id += 1
        return self._last_id

    def queue(self, event: str, name: str, record_id: int, record: Callable[[], Record]) -> None:
        """
        Queue one delivery for every enabled registration of the event.

        Args:
            event: Its name; without an id in the table of events nobody can have registered for it.
            name: What a record is called in XML.
        """
        number = next((i for i, each in self.quirks.webhook_events.items() if each == event), None)
        wanted = [w for w in self.registered.values() if w["EventType"] == number and w["Enabled"]]
        if not wanted:
            return
        told, now = [record()], self.clock.now()
        with self._lock:
            for hook in wanted:
                is_xml = hook["Format"].upper() == "XML"
                body = (to_xml(told, name) if is_xml else encode_doubles(told)).encode()
                self._queue.append(Delivery(hook["Id"], hook["Url"], record_id, body, now, is_xml=is_xml))
        self.on_queued()

    def facts(self) -> Mapping[str, Any]:
        """What is known beside the registrations: deliveries, probes, the last id."""
        with self._lock:
            return {
                "waiting": [astuple(d) for d in (*self._in_hand, *self._queue)],
                "given_up": [astuple(d) for d in self.given_up],
                "probed": set(self._probed),
                "last_id": self._last_id,
            }

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Know exactly this beside the registrations; what was being sent is sent again."""
        with self._lock:
            self._in_hand, self._queue = [], [Delivery(*given) for given in facts["waiting"]]
            self.given_up = [Delivery(*given) for given in facts["given_up"]]
            self._probed, self._last_id = set(facts["probed"]), facts["last_id"]

    def waiting(self) -> Sequence[Delivery]:
        """What has not been delivered yet: what is just being sent, then the queue."""
        with self._lock:
            return (*self._in_hand, *self._queue)

    def next_due(self) -> datetime | None:
        """When the next delivery is due; None when nothing waits."""
        with self._lock:
            return min((d.due for d in self._queue), default=None)

    def deliver(
        self, send: Send, *, order: Callable[[Sequence[Delivery]], Sequence[Delivery]] | None = None
    ) -> int:
        """
        Send every delivery that is due.

        Args:
            order: Rearranges, drops or repeats what is due; a dropped one is lost.

        Returns:
            How many were answered with success.
        """
        with self._lock:
            now = self.clock.now()
            fate = self.mishaps.befall([d for d in self._queue if d.due <= now], now)
            self._queue = [d for d in self._queue if d.due > now] + fate.later
            arranged = list(order(fate.going) if order else fate.going)
            self._in_hand += arranged
        delivered = 0
        for delivery in arranged:
            if self._sent(send, delivery):
                delivered += 1
            else:
                self._again(delivery)
            with self._lock:
                self._in_hand.remove(delivery)
        return delivered

    def _sent(self, send: Send, delivery: Delivery) -> bool:
        if delivery.webhook_id not in self._probed or not self.quirks.probe_once:
            status = send(Request("GET", delivery.url))
            self._probed.add(delivery.webhook_id)
            if not self.quirks.probe_answer_is_ignored and status != 200:
                return False
        headers = {
            "content-type": XML if delivery.is_xml else JSON,
            "content-length": str(len(delivery.body)),
        }
        status = send(Request("POST", delivery.url, headers, delivery.body))
        return status is not None and status < self.quirks.webhook_failed_from

    def _again(self, delivery: Delivery) -> None:
        spacing = self.quirks.webhook_retry_after
        if delivery.attempts >= len(spacing):
            self.given_up.append(delivery)
            return
        due = self.clock.now() + spacing[delivery.attempts]
        with self._lock:
            self._queue.append(replace(delivery, due=due, attempts=delivery.attempts + 1))
