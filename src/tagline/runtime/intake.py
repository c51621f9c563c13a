"""Webhook intake: a plain ASGI application that turns a delivery into durable hints, and only then says so."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from tagline.clock import Clock
from tagline.connectors.hooks import TOKEN_HEADER
from tagline.domain.exchange import Connector, Request
from tagline.errors import RecordError, TaglineError
from tagline.runtime import bodies
from tagline.runtime.bodies import BodyLimits, Fault, Receive
from tagline.runtime.group_commit import GroupCommit
from tagline.runtime.rate import Bucket, Rate
from tagline.runtime.store import Hint

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Routes = Mapping[tuple[str, str], Sequence[str]]
"""(connection, event) -> flows."""

KEY_LIMIT: Final = 200
"""Characters of a record key; a longer one is no key of a system we know."""
READY_S: Final = 2.0
"""Seconds that a look at the store may take: who monitors does not wait long either."""
READY_FOR: Final = timedelta(seconds=1)
"""How long a store that took a write counts as ready, so that nobody can make the disk busy by asking."""


class Inbox(Protocol):
    """What the intake needs of the store."""

    def receive(self, hints: Sequence[Hint]) -> int: ...

    def reject(self, integration: str, flow: str, key: str, error: TaglineError) -> None: ...

    def check(self) -> None: ...


@dataclass(frozen=True)
class Limits:
    """What senders may cost."""

    body: BodyLimits = field(default_factory=BodyLimits)
    rate: Rate = field(default_factory=lambda: Rate(per_s=2_000, burst=20_000))
    """
    Deliveries of one connection. Far above what a shop or an organisation sends in a burst (a status change of 10,000 orders
    at once), and below what would keep the deliveries of others waiting.
    """
    waiting: int = 10_000
    """Deliveries that may wait for their commit."""
    store_s: float = 10.0
    """Seconds a delivery may wait for its commit, well below what senders wait. Source: reference/dataverse-api.md section 18.2."""


@dataclass(frozen=True)
class Hook:
    """One connection that may deliver: what opens it, and the client that understands its bodies."""

    digests: tuple[bytes, ...] = field(repr=False)
    """SHA-256 of its tokens: what is to be recognised need not be kept in clear."""
    connector: Connector

    @classmethod
    def opened_by(cls, tokens: Iterable[str], connector: Connector) -> Hook:
        return cls(tuple(_digest(token) for token in tokens), connector)

    def is_opened_by(self, offered: bytes) -> bool:
        """Whether this is the digest of one of its tokens; each is compared in full, whichever fits."""
        return sum(hmac.compare_digest(digest, offered) for digest in self.digests) > 0


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


@dataclass(frozen=True)
class Door:
    """What the intake accepts for one integration."""

    hooks: Mapping[str, tuple[Hook, ...]]
    """By connection; two while one deployment hands over to another with another token."""
    routes: Routes | None = None
    """None until a deployment is active: probes are answered, deliveries are told to come back."""


CLOSED: Final = Door({})
"""Of an integration that works here and has not started yet: whoever knocks is told to come back."""


@dataclass(frozen=True)
class Source:
    """Which of a system's events a delivery came for."""

    integration: str
    connection: str
    event: str

    def __str__(self) -> str:
        return f"{self.integration}/{self.connection}/{self.event}"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, Any]
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True)
class Delivery:
    """What one accepted request asks the store to keep."""

    hints: tuple[Hint, ...] = ()
    rejected: tuple[tuple[str, str, str, TaglineError], ...] = ()
    """Arguments of `Inbox.reject`, one per flow, for a body nobody could read."""


ACCEPTED: Final = Answer(202, {"accepted": True})
LIVE: Final = Answer(200, {"live": True})
UNKNOWN: Final = Answer(404, {"error": "not-found"})
REFUSED: Final = {
    Fault.TOO_LARGE: Answer(413, {"error": "body-too-large"}),
    Fault.TOO_SLOW: Answer(408, {"error": "body-too-slow"}),
    Fault.TOO_DEEP: Answer(400, {"error": "body-too-deep"}),
    Fault.BROKEN_OFF: Answer(400, {"error": "body-broken-off"}),
    Fault.LENGTH: Answer(400, {"error": "body-length-wrong"}),
}
WRONG_METHOD: Final = Answer(405, {"error": "method-not-allowed"}, ((b"allow", b"GET, HEAD, POST"),))
FAILED: Final = Answer(500, {"error": "unexpected"})


def _come_back(code: str, seconds: float = 30, status: int = 503) -> Answer:
    """What a sender hears that is to deliver again later."""
    return Answer(status, {"error": code}, ((b"retry-after", str(math.ceil(seconds)).encode()),))


async def send_answer(answer: Answer, send: Send) -> None:
    body = json.dumps(answer.body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Intake:
    """
    The ASGI application: `/hooks/<integration>/<connection>/<event>/<token>`, `/livez`, `/readyz`.

    The token stands in the path, or in the header of `TOKEN_HEADER` where a sender can set one. A wrong token and an
    unknown hook get the same answer in the same time. Nothing of a body is kept but the keys in it.

    Args:
        store: Takes hints in one group commit; no 2xx leaves before it returned.
        wake: Called with an integration's name once its hints are durable; must not block.
        log: Takes one line about a change of state; never gets a body, a token or a key.
        tells: How the environment fares, for `/readyz`.
    """

    def __init__(
        self,
        store: Inbox,
        wake: Callable[[str], None],
        log: Callable[[str], None],
        *,
        clock: Clock,
        tells: Callable[[], Mapping[str, Any]] = dict,
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._wake = wake
        self._log = log
        self._clock = clock
        self._tells = tells
        self._limits = limits or Limits()
        self._doors: dict[str, Door] = {}
        self._buckets: dict[tuple[str, str], Bucket] = {}
        """By integration and connection, of hooks that were opened at least once."""
        # Compared with when there is no such hook, so that its absence takes as long as a wrong token.
        self._nobody = _digest(secrets.token_urlsafe(32))
        self._trouble = ""
        """Why the store takes nothing, as a code; empty while it works."""
        self._worked_at: datetime | None = None
        self._writer: GroupCommit[Delivery] = GroupCommit(self._commit, self._limits.waiting)

    def open(self, integration: str, door: Door) -> None:
        """Accept deliveries as `door` says, instead of as before."""
        self._doors = {**self._doors, integration: door}

    def shut(self, integration: str) -> None:
        """Know nothing of the integration any more."""
        self._doors = {name: door for name, door in self._doors.items() if name != integration}

    def door(self, integration: str) -> Door | None:
        return self._doors.get(integration)

    def stop(self) -> None:
        """Commit what was received and end the writer."""
        self._writer.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except Exception as error:  # noqa: BLE001 - a server would log a traceback, which could carry what was sent
            self._log(f"intake: a request failed on a {type(error).__name__}")
            answer = FAILED
        await send_answer(answer, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        match scope["path"].split("/"):
            case ["", "hooks", integration, connection, event, *proof] if len(proof) <= 1:
                return await self._hooked(scope, receive, Source(integration, connection, event), proof)
            case ["", "livez"]:
                return LIVE
            case ["", "readyz"]:
                return await self._readiness()
            case _:
                return UNKNOWN

    async def _hooked(self, scope: Scope, receive: Receive, source: Source, proof: Sequence[str]) -> Answer:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        # Taken out: nothing behind this line needs it, and what is not passed on cannot leak.
        hook = self._hook(source, headers.pop(TOKEN_HEADER, proof[0] if proof else ""))
        if hook is None:
            return _come_back("starting") if self._doors.get(source.integration) == CLOSED else UNKNOWN
        if scope["method"] in ("GET", "HEAD"):
            # The shop looks at an address before it posts there. Source: reference/shift4shop-api.md section 8.
            return Answer(200, {"hook": source.event})
        if scope["method"] != "POST":
            return WRONG_METHOD
        wait_s = self._wait_s(source)
        if wait_s > 0:
            return _come_back("too-many-deliveries", wait_s, 429)
        body = await bodies.read(headers, receive, self._limits.body)
        if isinstance(body, Fault):
            return REFUSED[body]
        return await self._delivery(hook, source, headers, body)

    def _hook(self, source: Source, token: str) -> Hook | None:
        offered = _digest(token)
        door = self._doors.get(source.integration)
        hooks = door.hooks.get(source.connection, ()) if door else ()
        if not hooks:
            hmac.compare_digest(self._nobody, offered)
        return next((hook for hook in hooks if hook.is_opened_by(offered)), None)

    def _wait_s(self, source: Source) -> float:
        """Seconds until the connection may deliver; 0 now, and one delivery of its rate is spent."""
        now, place = self._clock.now(), (source.integration, source.connection)
        bucket = self._buckets.get(place) or Bucket.full(self._limits.rate, now)
        self._buckets[place], wait_s = bucket.take(now)
        return wait_s

    async def _delivery(self, hook: Hook, source: Source, headers: Mapping[str, str], body: bytes) -> Answer:
        door = self._doors.get(source.integration)
        if door is None or door.routes is None:
            return _come_back("no-active-deployment")
        flows = door.routes.get((source.connection, source.event))
        if not flows:
            return UNKNOWN
        request = Request("POST", f"/hooks/{source}", {}, headers, body)
        try:
            delivery = _understood(hook.connector, request, source, flows)
        except Exception as error:  # noqa: BLE001 - a traceback could carry the body; the type alone is safe to tell
            self._log(f"intake: {source} failed on a {type(error).__name__}")
            return FAILED
        if delivery.hints or delivery.rejected:
            return await self._stored(delivery, self._limits.store_s) or ACCEPTED
        return ACCEPTED

    async def _stored(self, delivery: Delivery, patience_s: float) -> Answer | None:
        """None once a delivery is durable, else what its sender hears: that it is not, as far as we know."""
        try:
            async with asyncio.timeout(patience_s):
                await self._writer.submit(delivery)
        except TimeoutError:
            slow = _come_back("store-slow")
            self._note(str(slow.body["error"]))
            return slow
        except TaglineError as error:
            return _come_back(error.code)
        except Exception:  # noqa: BLE001 - the writer has noted it; the sender must keep its event
            return _come_back("store-failed")
        return None

    async def _readiness(self) -> Answer:
        worked = self._worked_at is not None and abs(self._clock.now() - self._worked_at) < READY_FOR
        if self._trouble or not worked:
            # An empty delivery makes the writer try the store, so that neither red nor green waits for traffic.
            trouble = await self._stored(Delivery(), min(READY_S, self._limits.store_s))
            if trouble:
                return Answer(503, {"ready": False, "reason": trouble.body["error"], **self._tells()})
        return Answer(200, {"ready": True, "integrations": sorted(self._doors), **self._tells()})

    def _commit(self, group: Sequence[Delivery]) -> None:
        hints = [hint for delivery in group for hint in delivery.hints]
        rejected = [rejection for delivery in group for rejection in delivery.rejected]
        try:
            if hints:
                self._store.receive(hints)
            for rejection in rejected:
                self._store.reject(*rejection)
            if not hints and not rejected:
                self._store.check()
        except Exception as error:
            self._note(
                error.code if isinstance(error, TaglineError) else "store-failed", type(error).__name__
            )
            raise
        self._worked_at = self._clock.now()
        self._note("")
        for integration in {hint.integration for hint in hints}:
            self._wake(integration)

    def _note(self, trouble: str, kind: str = "") -> None:
        """Remember whether the store works; told when that changes. Called from the loop and from the writer."""
        before, self._trouble = self._trouble, trouble
        if trouble and not before:
            of = f"{trouble}, a {kind}" if kind else trouble
            self._log(f"intake: the store takes nothing ({of}); deliveries are told to come back")
        elif before and not trouble:
            self._log("intake: the store works again")


def away(reason: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An intake that cannot have its store yet: alive, not ready for the reason of that code, and every sender is to come back."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["type"] != "http":
            return
        match scope["path"]:
            case "/livez":
                answer = LIVE
            case "/readyz":
                answer = Answer(503, {"ready": False, "reason": reason})
            case _:
                answer = _come_back(reason)
        await send_answer(answer, send)

    return app


def _understood(connector: Connector, request: Request, source: Source, flows: Sequence[str]) -> Delivery:
    try:
        changes = connector.hint(request)
        for change in changes:
            _check_key(change.key)
    except TaglineError as error:
        # Accepted and set aside: a sender that repeats an unreadable body for ever helps nobody.
        key = f"unread-{hashlib.sha256(request.body).hexdigest()[:16]}"
        return Delivery(rejected=tuple((source.integration, flow, key, error) for flow in flows))
    return Delivery(
        hints=tuple(
            Hint(source.integration, flow, change.key, "webhook", source.connection, change.version)
            for change in changes
            for flow in flows
        )
    )


_CARD: Final = re.compile("[0-9]{13,19}")


def _check_key(key: str) -> None:
    """One key that the database cannot hold would fail the commit of everybody in its group; a card number may not be held."""
    if not key or len(key) > KEY_LIMIT or not key.isprintable() or _is_card(key):
        raise RecordError(
            f"the delivery names a record key of {len(key)} characters that cannot be one",
            code="hook-key-unusable",
            hint="look at the sender: a key is 1 to 200 printable characters, and no card number",
        )


def _is_card(key: str) -> bool:
    """Whether a key could be a card number by its length and check digit (ISO/IEC 7812-1); no record we know counts that far."""
    if not _CARD.fullmatch(key):
        return False
    doubled = [2 * int(digit) for digit in key[-2::-2]]
    return (sum(int(digit) for digit in key[::-2]) + sum(n // 10 + n % 10 for n in doubled)) % 10 == 0
