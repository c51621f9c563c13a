"""The door of a site: one lock, one log, its faults and its control pages around the site's own answers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tagline.clock import Clock
from tagline.sandbox.faults import AFTER, BEFORE, SLOW_S, STATUS, BrokenConnection, Fault, Faults
from tagline.sandbox.values import Request, Response

CONTROL = "/_sandbox/"
"""Path of the control pages; no remote has them."""
LOG_LENGTH = 100_000


@dataclass(frozen=True)
class LogEntry:
    """A call that was answered; `inner` when it came inside a `$batch`."""

    method: str
    path: str
    status: int
    inner: bool = False


class Door:
    """
    What every site has in front of it.

    Args:
        answer: The site's own behaviour.
        failure: The site's answer for 429, 500 and 503.
        control: Answers the control pages, which take no part in faults, limits and log.
    """

    def __init__(
        self,
        clock: Clock,
        answer: Callable[[Request], Response],
        *,
        failure: Callable[[int], Response],
        control: Callable[[Request], Response],
    ) -> None:
        self.lock = threading.RLock()
        self.faults = Faults()
        self.log: deque[LogEntry] = deque(maxlen=LOG_LENGTH)
        self._clock = clock
        self._answer = answer
        self._failure = failure
        self._control = control

    def handle(self, request: Request) -> Response:
        """
        Answer one request.

        Raises:
            BrokenConnection: A fault says that no whole answer comes.
        """
        if request.path.startswith(CONTROL):
            return self._control(request)
        with self.lock:
            fault = self.faults.draw()
            if fault is not None and fault in STATUS:
                return self._note(request, self._failure(STATUS[fault]))
            if fault in BEFORE:
                raise BrokenConnection(fault)
            response = self._note(request, self._answer(request))
        if fault in AFTER:
            raise BrokenConnection(fault, partial=(response.status, response.headers, response.body))
        if fault is Fault.SLOW:
            self._clock.sleep(SLOW_S)
        return response

    def _note(self, request: Request, response: Response) -> Response:
        self.log.append(LogEntry(request.method, request.path, response.status))
        return response
