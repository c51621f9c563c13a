"""Where alarms are told: mail, chat and webhooks through Apprise, each beside the work and each with its own patience."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from tagline.domain.alerting import Alert, Message, Occasion
from tagline.errors import TaglineError, TryAgainError, UsageError
from tagline.runtime.aside import Aside

FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)
SEND_S: Final = 30.0
"""Seconds that a service may take for one message."""

Send = Callable[[Message], None]
"""Tells a message; raises a `TaglineError` when it could not."""
Ticket = tuple[str, str, str, datetime]
"""Kind, subject, occasion and beginning of what is told: the same is told once."""


def ticket(alert: Alert, said: Occasion, now: datetime) -> Ticket:
    """A reminder is another one each day."""
    return alert.kind.value, alert.subject, said, now if said == "reminder" else alert.since


class Channel:
    """
    One channel: keeps what it has to tell until it was told, in order, and tells one message at a time.

    Args:
        name: The reference of its address, never the address.
    """

    def __init__(self, name: str, send: Send) -> None:
        self.name = name
        self.failing_since: datetime | None = None
        self._send = send
        self._aside = Aside(f"alerts {name}")
        self._waiting: dict[Ticket, Message] = {}
        self._in_hand: Ticket | None = None
        self._told: set[Ticket] = set()
        self._failures = 0
        self._again_at: datetime | None = None

    def offer(self, told: Ticket, message: Message) -> None:
        """Have a message told, unless it was; what waits about the same alarm is overtaken by it."""
        if told in self._told or told in self._waiting:
            return
        for other in [each for each in self._waiting if each[:2] == told[:2] and each != self._in_hand]:
            del self._waiting[other]
        self._told = {each for each in self._told if each[:2] != told[:2]}
        self._waiting[told] = message

    @property
    def is_busy(self) -> bool:
        """Whether a message is being told."""
        return self._aside.is_busy

    @property
    def left(self) -> int:
        """Messages that were not told yet."""
        return len(self._waiting)

    def has_told(self, told: Ticket) -> bool:
        return told in self._told

    def look(self, now: datetime, timeout_s: float = 0.0) -> TaglineError | None:
        """Note how the last message fared, and give out the next one; returns what went wrong."""
        wrong = self._note(now, timeout_s) if self._aside.is_busy else None
        if not self._aside.is_busy and self._waiting and (self._again_at is None or self._again_at <= now):
            self._in_hand = next(iter(self._waiting))
            message = self._waiting[self._in_hand]
            self._aside.call(lambda: self._send(message))
        return wrong

    def _note(self, now: datetime, timeout_s: float) -> TaglineError | None:
        ended, error = self._aside.ended(timeout_s)
        if not ended or self._in_hand is None:
            return None
        in_hand, self._in_hand = self._in_hand, None
        if error is None:
            self._waiting.pop(in_hand, None)
            self._told.add(in_hand)
            self._failures, self._again_at, self.failing_since = 0, None, None
            return None
        self._failures += 1
        self._again_at = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._failures - 1, 10))
        self.failing_since = self.failing_since or now
        return error


def apprise_sender(reference: str, url: str) -> Send:
    """
    A sender to an Apprise URL.

    Args:
        reference: Where the URL stands, for people; the URL itself holds secrets and is never told.

    Raises:
        UsageError: Apprise does not know such an address (code `channel-unusable`).
    """
    import apprise

    asset = apprise.AppriseAsset(
        app_id="tagline",
        plugin_paths=(),
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        service_timeout=SEND_S,
        secure_logging=True,
        http_redirects=False,
    )
    target = apprise.Apprise(asset=asset)
    if not target.add(url) or len(target) != 1:
        raise UsageError(
            f"the address at {reference} is none that alerts can go to",
            code="channel-unusable",
            where={"secret": reference},
            hint="write one Apprise URL, for example mailtos://user:password@host?to=ops@example.com or slack://token/#ops",
        )
    tones = {
        "firing": apprise.NotifyType.FAILURE,
        "reminder": apprise.NotifyType.WARNING,
        "resolved": apprise.NotifyType.SUCCESS,
        "test": apprise.NotifyType.INFO,
    }

    def send(message: Message) -> None:
        if not target.notify(title=message.title, body=message.body, notify_type=tones[message.occasion]):
            raise TryAgainError(
                f"the alert channel at {reference} did not take a message",
                code="channel-failed",
                where={"secret": reference},
                hint="check the address that stands there, and that this machine can reach it",
            )

    return send
