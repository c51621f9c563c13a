"""What an agent says: reports for the environment's branch, and lines for people, each change of state once."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from typing import Literal

from tagline.clock import Clock
from tagline.domain.lifecycle import Deployment, Report
from tagline.errors import TaglineError

State = Literal["activated", "verified", "failed", "drained"]


class Reporter:
    """
    Keeps reports until they are sent, in order.

    Args:
        send: Puts one report on the branch; raises a `TaglineError` when it cannot now.
        agent: How reports are signed.
    """

    def __init__(
        self, send: Callable[[Report], None], *, agent: str, clock: Clock, log: Callable[[str], None]
    ) -> None:
        self._send = send
        self._agent = agent
        self._clock = clock
        self._log = log
        self._unsent: deque[Report] = deque()
        self._troubles: dict[str, str] = {}

    def report(self, deployment: Deployment, state: State, message: str = "", *, code: str = "") -> None:
        self._log(f"{deployment.id}: {state}" + (f": {message} ({code})" if code else ""))
        self._unsent.append(
            Report(
                deployment=deployment.id,
                integration=deployment.integration,
                version=deployment.version,
                closure=deployment.closure,
                state=state,
                at=self._clock.now(),
                agent=self._agent,
                message=message,
                code=code,
            )
        )

    def send(self) -> None:
        """Send what waits; a report that cannot be sent now waits on, with those behind it."""
        while self._unsent:
            try:
                self._send(self._unsent[0])
            except TaglineError as error:
                self.trouble("reports", f"wait: {reason(error)}")
                return
            self._unsent.popleft()
        self.trouble("reports", "")

    def trouble(self, topic: str, line: str) -> None:
        """Say what is wrong with a topic, or with an empty line that it works again; the same is not said twice."""
        if line != self._troubles.get(topic, ""):
            self._log(f"{topic}: {line or 'works again'}")
        self._troubles[topic] = line


def as_ours(error: Exception) -> TaglineError:
    """The error itself, or for one that is not ours (a full disk, a bug) an error that tells what may be told of it."""
    if isinstance(error, TaglineError):
        return error
    return TaglineError(reason(error), code="stage-failed", hint="look at this machine, then deploy again")


def reason(error: Exception) -> str:
    """An error for people; of one that is not ours only type and place, since its text may hold a record's values."""
    if isinstance(error, TaglineError):
        return f"{error.message} ({error.code})"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {last.filename}:{last.lineno}"
