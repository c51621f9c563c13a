"""The dead man's switch: an address outside that is asked each minute while all is well, and raises the alarm when it is not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from tagline.clock import Clock
from tagline.connectors.governor import Governor
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.learned_rate import LearnedRate
from tagline.connectors.messages import Call, Limits
from tagline.connectors.pace import Pace
from tagline.errors import TaglineError, TryAgainError
from tagline.runtime.aside import Aside

EVERY: Final = timedelta(seconds=60)
LIMITS: Final = Limits(read_s=10.0, answer_s=10.0, attempts=1)


class Heartbeat:
    """
    Asks an address for as long as it is told that all is well.

    Args:
        url: https; it may hold the secret that names the check, and is never told.
    """

    def __init__(self, url: str, clock: Clock, transport: Transport | None = None) -> None:
        self._url = url
        pace = Pace((LearnedRate(1.0),))
        self._http = Http(
            Policy(urls=(url,), governor=Governor(clock, pace, 1), limits=LIMITS), clock, transport
        )
        self._aside = Aside("heartbeat")
        self._asked_at: datetime | None = None

    def look(
        self, now: datetime, *, is_well: bool, timeout_s: float = 0.0
    ) -> tuple[bool, TaglineError | None]:
        """Beat if it is time and all is well; returns whether an earlier beat ended by now, and with what."""
        ended = self._aside.ended(timeout_s) if self._aside.is_busy else (False, None)
        is_due = self._asked_at is None or now - self._asked_at >= EVERY
        if is_well and is_due and not self._aside.is_busy:
            self._asked_at = now
            self._aside.call(self._ask)
        return ended

    def close(self) -> None:
        self._http.close()

    def _ask(self) -> None:
        answer = self._http.send(Call("GET", self._url))
        if answer.status >= 400:
            raise TryAgainError(
                f"the heartbeat's address answered {answer.status}",
                code="heartbeat-refused",
                hint="check the address at `alerts.heartbeat_url`",
            )
