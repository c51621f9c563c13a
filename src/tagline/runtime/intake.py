"""Webhook intake: a plain ASGI application that turns a delivery into durable hints, and only then says so."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tagline.domain.exchange import Connector, Request
from tagline.errors import RecordError, TaglineError, TryAgainError
from tagline.runtime.group_commit import GroupCommit
from tagline.runtime.store import Hint

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Routes = Mapping[tuple[str, str], Sequence[str]]
"""(connection, event) -> flows."""

KEY_LIMIT: Final = 200
"""Characters of a record key; a longer one is no key of a system we know."""


class Inbox(Protocol):
    """What the intake needs of the store."""

    def receive(self, hints: Sequence[Hint]) -> int: ...

    def reject(self, integration: str, flow: str, key: str, error: TaglineError) -> None: ...

    def check(self) -> None: ...


@dataclass(frozen=True)
class Limits:
    """What one delivery may cost before anything trusts it."""

    max_bytes: int = 1 << 20
    read_s: float = 10.0
    """Seconds in which the whole body must have arrived."""
    max_depth: int = 32
    """Nested JSON arrays and objects; an order needs six."""


@dataclass(frozen=True)
class Hook:
    """One connection that may deliver: its secret and the client that understands its bodies."""

    token: str
    connector: Connector

    def is_opened_by(self, offered: str) -> bool:
        return hmac.compare_digest(self.token.encode(), offered.encode())


@dataclass(frozen=True)
class Door:
    """What the intake accepts for one integration."""

    hooks: Mapping[str, tuple[Hook, ...]]
    """By connection; two while one deployment hands over to another with another token."""
    routes: Routes | None = None
    """None until a deployment is active: probes are answered, deliveries are told to come back."""


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
UNKNOWN: Final = Answer(404, {"error": "not-found"})
TOO_LARGE: Final = Answer(413, {"error": "body-too-large"})
TOO_SLOW: Final = Answer(408, {"error": "body-too-slow"})
TOO_DEEP: Final = Answer(400, {"error": "body-too-deep"})
BROKEN_OFF: Final = Answer(400, {"error": "body-broken-off"})
WRONG_METHOD: Final = Answer(405, {"error": "method-not-allowed"}, ((b"allow", b"GET, HEAD, POST"),))
FAILED: Final = Answer(500, {"error": "unexpected"})


def _come_back(code: str) -> Answer:
    return Answer(503, {"error": code}, ((b"retry-after", b"30"),))


class Intake:
    """
    The ASGI application: `/hooks/<integration>/<connection>/<event>/<token>`, `/livez`, `/readyz`.

    A wrong token and an unknown hook get the same answer in the same time. Nothing of a body is kept but the keys in it.

    Args:
        store: Takes hints in one group commit; no 2xx leaves before it returned.
        wake: Called with an integration's name once its hints are durable; must not block.
        log: Takes one line about a change of state; never gets a body, a token or a key.
    """

    def __init__(
        self,
        store: Inbox,
        wake: Callable[[str], None],
        log: Callable[[str], None],
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._wake = wake
        self._log = log
        self._limits = limits or Limits()
        self._doors: dict[str, Door] = {}
        # Compared with when there is no such hook, so that its absence takes as long as a wrong token.
        self._nobody = secrets.token_urlsafe(32)
        self._store_works = True
        self._writer: GroupCommit[Delivery] = GroupCommit(self._commit)

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
        answer = await self._answer(scope, receive)
        body = json.dumps(answer.body).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        match scope["path"].split("/"):
            case ["", "livez"]:
                return Answer(200, {"live": True})
            case ["", "readyz"]:
                return await self._readiness()
            case ["", "hooks", integration, connection, event, token]:
                source = Source(integration, connection, event)
                hook = self._hook(source, token)
                if hook is None:
                    return UNKNOWN
                if scope["method"] in ("GET", "HEAD"):
                    return Answer(200, {"hook": event})
                if scope["method"] != "POST":
                    return WRONG_METHOD
                return await self._delivery(scope, receive, hook, source)
            case _:
                return UNKNOWN

    def _hook(self, source: Source, token: str) -> Hook | None:
        door = self._doors.get(source.integration)
        hooks = door.hooks.get(source.connection, ()) if door else ()
        if not hooks:
            hmac.compare_digest(self._nobody.encode(), token.encode())
        return next((hook for hook in hooks if hook.is_opened_by(token)), None)

    async def _delivery(self, scope: Scope, receive: Receive, hook: Hook, source: Source) -> Answer:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        body = await self._body(headers, receive)
        if isinstance(body, Answer):
            return body
        if json_depth(body) > self._limits.max_depth:
            return TOO_DEEP
        door = self._doors.get(source.integration)
        if door is None or door.routes is None:
            return _come_back("no-active-deployment")
        flows = door.routes.get((source.connection, source.event))
        if not flows:
            return UNKNOWN
        # The path without its token: nothing behind this line needs it, and what is not passed on cannot leak.
        request = Request("POST", f"/hooks/{source}", {}, headers, body)
        try:
            delivery = _understood(hook.connector, request, source, flows)
        except Exception as error:  # noqa: BLE001 - a traceback could carry the body; the type alone is safe to tell
            self._log(f"intake: {source} failed on a {type(error).__name__}")
            return FAILED
        return await self._stored(delivery)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes | Answer:
        if int(headers.get("content-length", "0")) > self._limits.max_bytes:
            return TOO_LARGE
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.read_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return BROKEN_OFF
                    body += message.get("body", b"")
                    if len(body) > self._limits.max_bytes:
                        return TOO_LARGE
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            return TOO_SLOW

    async def _stored(self, delivery: Delivery) -> Answer:
        if not delivery.hints and not delivery.rejected:
            return ACCEPTED
        try:
            await asyncio.wrap_future(self._writer.submit(delivery))
        except TryAgainError as error:
            return _come_back(error.code)
        except Exception:  # noqa: BLE001 - the writer has logged it; the sender must keep its event
            return _come_back("store-failed")
        return ACCEPTED

    async def _readiness(self) -> Answer:
        if not self._store_works:
            try:
                # An empty delivery makes the writer try the store, so that red ends without waiting for traffic.
                await asyncio.wrap_future(self._writer.submit(Delivery()))
            except Exception:  # noqa: BLE001 - see _stored
                return Answer(503, {"ready": False, "reason": "store-failed"})
        return Answer(200, {"ready": True, "integrations": sorted(self._doors)})

    def _commit(self, group: Sequence[Delivery]) -> None:
        hints = [hint for delivery in group for hint in delivery.hints]
        try:
            if hints:
                self._store.receive(hints)
            for delivery in group:
                for rejection in delivery.rejected:
                    self._store.reject(*rejection)
            if not self._store_works:
                self._store.check()
        except Exception as error:
            if self._store_works:
                self._log(
                    f"intake: the store fails on a {type(error).__name__}; deliveries are told to come back"
                )
            self._store_works = False
            raise
        if not self._store_works:
            self._log("intake: the store works again")
        self._store_works = True
        for integration in {hint.integration for hint in hints}:
            self._wake(integration)


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


def _check_key(key: str) -> None:
    """One key that the database cannot hold would fail the commit of everybody in its group."""
    if not key or len(key) > KEY_LIMIT or not key.isprintable():
        raise RecordError(
            f"the delivery names a record key of {len(key)} characters that cannot be one",
            code="hook-key-unusable",
            hint="look at the sender: a key is 1 to 200 printable characters",
        )


_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""Strings (also one cut off by the end) and brackets; possessive, so that no body makes it run back."""


def json_depth(body: bytes) -> int:
    """How deep arrays and objects nest in a JSON text, told without parsing it; any bytes have an answer."""
    depth = deepest = 0
    for match in _TOKENS.finditer(body):
        first = match[0][0]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest
