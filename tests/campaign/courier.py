"""Carries the webhooks of a shop to the intake: each until it is acknowledged, and not once more."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Self

import httpx

from tagline.sandbox.shop_webhooks import Delivery, Webhooks

CARRIERS = 4
AGAIN_S = 0.05
"""Between two tries at an intake that is away."""


class Courier:
    """
    In place of the sandbox's own sender, which gives an event up after a while and sends no faster than the shop does.

    What was acknowledged is never told again, so that an event which the intake loses afterwards stays lost.
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._waiting: deque[Delivery] = deque()
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._carriers = [
            threading.Thread(target=self._carry, name=f"carrier-{each}") for each in range(CARRIERS)
        ]
        self.acknowledged = 0
        self.refused = 0
        """Answers that were no acknowledgement, and connections that broke: the event was told again."""
        self.under_way = 0

    def __enter__(self) -> Self:
        self._webhooks.on_queued = self._take
        for carrier in self._carriers:
            carrier.start()
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for carrier in self._carriers:
            carrier.join()

    def await_acknowledged(self, count: int, timeout_s: float) -> bool:
        """Wait until so many events were acknowledged in all, or the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self.acknowledged >= count, timeout_s)

    @property
    def waiting(self) -> int:
        """Events not acknowledged yet."""
        return len(self._waiting) + self.under_way

    def _take(self) -> None:
        def keep(due: Sequence[Delivery]) -> Sequence[Delivery]:
            with self._changed:
                self._waiting.extend(due)
                self._changed.notify_all()
            return ()

        self._webhooks.deliver(lambda _: None, order=keep)

    def _carry(self) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            while (delivery := self._next()) is not None:
                is_told = _tell(client, delivery)
                with self._changed:
                    self.under_way -= 1
                    self.acknowledged += is_told
                    self.refused += not is_told
                    if not is_told:
                        self._waiting.appendleft(delivery)
                    self._changed.notify_all()
                if not is_told:
                    self._stop.wait(AGAIN_S)

    def _next(self) -> Delivery | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stop.is_set())
            if self._stop.is_set():
                return None
            self.under_way += 1
            return self._waiting.popleft()


def _tell(client: httpx.Client, delivery: Delivery) -> bool:
    try:
        answer = client.post(
            delivery.url, content=delivery.body, headers={"content-type": "application/json"}
        )
    except httpx.HTTPError:
        return False
    return answer.is_success
