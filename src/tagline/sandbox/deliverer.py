"""Sends the webhooks of a served site: one thread a site that wakes when something is queued or due again."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import httpx

from tagline.clock import Clock
from tagline.sandbox.values import Request


class Queue(Protocol):
    """What a site has to post."""

    def next_due(self) -> datetime | None: ...
    def deliver(self, send: Callable[[Request], int | None]) -> int: ...


class Deliverer:
    """
    Delivers what one site queues, until it is stopped.

    Args:
        timeout_s: How long an answer is waited for.
        on_sent: Called when some of it was sent, so that it can be written down.
    """

    def __init__(
        self,
        queue: Queue,
        clock: Clock,
        ca_file: Path,
        on_sent: Callable[[], None],
        timeout_s: float,
    ) -> None:
        self._queue = queue
        self._on_sent = on_sent
        self._clock = clock
        self._client = httpx.Client(
            verify=ssl.create_default_context(cafile=str(ca_file)), timeout=timeout_s, trust_env=False
        )
        self._wake = threading.Event()
        self.wake = self._wake.set
        """To be called when something was queued."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="sandbox webhooks", daemon=True)

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
            due = self._queue.next_due()
            wait = None if due is None else (due - self._clock.now()).total_seconds()
            if wait is None or wait > 0:
                self._wake.wait(wait)
            else:
                self._queue.deliver(self.send)
                self._on_sent()

    def send(self, request: Request) -> int | None:
        """Send one request; the answer's status, None when no answer came."""
        if self._stopping:
            return None
        try:
            answer = self._client.request(
                request.method, request.url, headers=dict(request.headers), content=request.body
            )
        except Exception:  # noqa: BLE001 - a stranger's address can be anything, and the next delivery must go out
            return None
        return answer.status_code
