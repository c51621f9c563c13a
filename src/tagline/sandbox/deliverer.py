"""Sends a served shop's webhooks: one thread a shop that wakes when something is queued or due again."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import httpx

from tagline.clock import Clock
from tagline.sandbox.shop import Shop
from tagline.sandbox.values import Request

TIMEOUT_S = 10.0


class Deliverer:
    """Delivers what one shop queues, until it is stopped."""

    def __init__(self, shop: Shop, clock: Clock, ca_file: Path) -> None:
        self._shop = shop
        self._clock = clock
        self._client = httpx.Client(
            verify=ssl.create_default_context(cafile=str(ca_file)), timeout=TIMEOUT_S, trust_env=False
        )
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="sandbox webhooks", daemon=True)
        shop.webhooks.on_queued = self._wake.set

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the delivery at hand."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            self._shop.webhooks.deliver(self._send)
            due = self._shop.webhooks.next_due()
            wait = None if due is None else (due - self._clock.now()).total_seconds()
            if wait is None or wait > 0:
                self._wake.wait(wait)

    def _send(self, request: Request) -> int | None:
        if self._stopping:
            return None
        try:
            answer = self._client.request(
                request.method, request.url, headers=dict(request.headers), content=request.body
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return answer.status_code
