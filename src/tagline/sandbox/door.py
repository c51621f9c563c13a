"""The door of a site: one lock, one log, its faults and its control pages around the site's own answers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from tagline.clock import Clock
from tagline.sandbox.faults import AFTER, BEFORE, HTML_BODY, SLOW_S, STATUS, BrokenConnection, Fault, Faults
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
        self.on_done: Callable[[Request], None] = lambda _request: None
        """Called under the lock when a request did what it does, before its answer leaves."""
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
            with self.lock:
                response = self._control(request)
                self.on_done(request)
            return response
        with self.lock:
            fault = self.faults.draw()
            if fault is not None and fault in STATUS:
                return self._note(request, self._failure(STATUS[fault]))
            if fault in BEFORE:
                raise BrokenConnection(fault)
            if fault is Fault.HTML_PAGE:
                return self._note(request, Response(502, (("Content-Type", "text/html"),), HTML_BODY))
            if fault is Fault.TOKEN_EXPIRED:
                request = _without_token(request)
            response = self._note(request, self._answer(request))
            self.on_done(request)
        if fault in AFTER:
            raise BrokenConnection(fault, partial=(response.status, response.headers, response.body))
        if fault is Fault.SLOW:
            self._clock.sleep(SLOW_S)
        return response

    def _note(self, request: Request, response: Response) -> Response:
        self.log.append(LogEntry(request.method, request.path, response.status))
        return response


def _without_token(request: Request) -> Request:
    headers = {name: value for name, value in request.headers.items() if name != "authorization"}
    return replace(request, headers=headers)
