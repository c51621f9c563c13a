"""Webhooks of the shop: registrations, the queue of deliveries, probes and retries. Source: 3dcart notes, section 8."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from tagline.clock import Clock
from tagline.sandbox.assumptions import PROBE_ANSWER_IS_IGNORED, WEBHOOK_RETRY_AFTER
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.values import Request

ORDER_NEW = 1
ORDER_CHANGED = 2
Send = Callable[[Request], "int | None"]
"""Sends a request; the answer's status, or None when no answer came."""


@dataclass(frozen=True)
class Delivery:
    """One POST that is due, or was due and failed."""

    webhook_id: int
    url: str
    order_id: int
    body: bytes
    """An array holding the one order as it was when the event happened."""
    due: datetime
    attempts: int = 0


@dataclass
class Mishaps:
    """What can go wrong on the way to a receiver, by seed; chances from 0 to 1."""

    lost: float = 0.0
    doubled: float = 0.0
    reordered: bool = False
    seed: int = 0


@dataclass
class Webhooks:
    """The registrations of a shop and what is on its way. Thread-safe."""

    clock: Clock
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
    _draws: int = 0
    _last_id: int = 0

    def new_id(self) -> int:
        """The next registration's id; never one that was given before."""
        self._last_id += 1
        return self._last_id

    def queue(self, event: int, order_id: int, body: Callable[[], bytes]) -> None:
        """Queue one delivery for every enabled registration of the event."""
        wanted = [w for w in self.registered.values() if w["EventType"] == event and w["Enabled"]]
        if not wanted:
            return
        text, now = body(), self.clock.now()
        with self._lock:
            self._queue += [Delivery(w["Id"], w["Url"], order_id, text, now) for w in wanted]
        self.on_queued()

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
            due = [d for d in self._queue if d.due <= now]
            self._queue = [d for d in self._queue if d.due > now]
            due = self._mishandled(due)
            arranged = list(order(due) if order else due)
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

    def _mishandled(self, due: list[Delivery]) -> list[Delivery]:
        self._draws += 1
        random = Random(f"{self.mishaps.seed} {self._draws}")  # noqa: S311 - mishaps need a seed, not secrecy
        kept = [d for d in due if random.random() >= self.mishaps.lost]
        kept += [d for d in kept if random.random() < self.mishaps.doubled]
        if self.mishaps.reordered:
            random.shuffle(kept)
        return kept

    def _sent(self, send: Send, delivery: Delivery) -> bool:
        if delivery.webhook_id not in self._probed:
            status = send(Request("GET", delivery.url))
            self._probed.add(delivery.webhook_id)
            if not PROBE_ANSWER_IS_IGNORED and status != 200:
                return False
        headers = {
            "content-type": "application/json; charset=utf-8",
            "content-length": str(len(delivery.body)),
        }
        status = send(Request("POST", delivery.url, headers, delivery.body))
        return status is not None and status < 500

    def _again(self, delivery: Delivery) -> None:
        if delivery.attempts >= len(WEBHOOK_RETRY_AFTER):
            self.given_up.append(delivery)
            return
        due = self.clock.now() + WEBHOOK_RETRY_AFTER[delivery.attempts]
        with self._lock:
            self._queue.append(replace(delivery, due=due, attempts=delivery.attempts + 1))
