"""The dead man's switch: an address outside that is asked each minute while all is well, and raises the alarm when it is not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from tagline.clock import Clock
from tagline.connectors.governor import Governor
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.learned_rate import LearnedRate
from tagline.connectors.messages import Call, Limits
from tagline.connectors.pace import Pace
from tagline.domain.alerting import HEARTBEAT
from tagline.errors import TaglineError, TryAgainError, UsageError
from tagline.runtime.aside import Aside

EVERY: Final = timedelta(seconds=60)
LIMITS: Final = Limits(read_s=10.0, answer_s=10.0, attempts=1)
IN_CLEAR: Final = (
    "it is asked over http: whoever sees the request learns the address, and could keep the service quiet"
)


class Heartbeat:
    """
    Asks an address for as long as it is told that all is well.

    Nothing but the address itself travels, so http will do, for a service on this machine or in its network.

    Args:
        url: It may hold the secret that names the check, and is never told.

    Raises:
        UsageError: It is no address that can be asked (code `heartbeat-invalid`).
    """

    def __init__(self, url: str, clock: Clock, transport: Transport | None = None) -> None:
        self._url = url
        pace = Pace((LearnedRate(1.0),))
        policy = Policy(urls=(url,), governor=Governor(clock, pace, 1), limits=LIMITS, in_clear=True)
        try:
            self._http = Http(policy, clock, transport)
        except UsageError as error:
            if error.code != "url-not-https":
                raise
            raise UsageError(
                f"what stands at `{HEARTBEAT}` is no http or https address",
                code="heartbeat-invalid",
                where={"setting": HEARTBEAT},
                hint="store one such as https://hc-ping.com/..., whole and in plain letters",
            ) from None
        self._aside = Aside("heartbeat")
        self._asked_at: datetime | None = None

    @property
    def is_in_clear(self) -> bool:
        return urlsplit(self._url).scheme == "http"

    def look(
        self, now: datetime, *, is_well: bool, timeout_s: float = 0.0
    ) -> tuple[bool, TaglineError | None]:
        """Beat if it is time and all is well; returns whether an earlier beat ended by now, and with what."""
        ended = self._aside.ended(timeout_s) if self._aside.is_busy else (False, None)
        is_due = self._asked_at is None or now - self._asked_at >= EVERY
        if is_well and is_due and not self._aside.is_busy:
            self._asked_at = now
            self._aside.call(self.ask)
        return ended

    def ask(self) -> None:
        """
        Beat once, and wait for the answer.

        Raises:
            TaglineError: It was not answered as it should be; never tells the path of the address.
        """
        answer = self._http.send(Call("GET", self._url))
        if answer.status >= 400:
            raise TryAgainError(
                f"the heartbeat's address answered {answer.status}",
                code="heartbeat-refused",
                where={"setting": HEARTBEAT},
                hint=f"check the address at `{HEARTBEAT}`",
            )

    def close(self) -> None:
        self._http.close()


def ask_once(
    reference: str, secret: Callable[[str], str], clock: Clock, transport: Transport | None = None
) -> str:
    """
    Try the address that stands at a reference; returns what there is to say though it works, mostly nothing.

    Raises:
        TaglineError: There is none, or it is not answered as it should be.
    """
    with closing(Heartbeat(secret(reference), clock, transport)) as heart:
        heart.ask()
        return IN_CLEAR if heart.is_in_clear else ""
