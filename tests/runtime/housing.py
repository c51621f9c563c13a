"""An intake behind a real server, and doubles of what stands on both sides of it."""

import json
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tagline.clock import VirtualClock
from tagline.domain.exchange import Change, Request
from tagline.domain.model import Model, Remote
from tagline.errors import RecordError, TaglineError, TryAgainError
from tagline.runtime.intake import Door, Hook, Intake, Limits
from tagline.runtime.key_ring import KeyRing, make_key
from tagline.runtime.places import Place
from tagline.runtime.serve import ConnectionLimits, Server, serve
from tagline.runtime.store import Hint, Store

TOKEN = "t0ken-of-the-shop-1234"
URL = f"/hooks/order_to_cash/shop/order-placed/{TOKEN}"
ROUTES = {("shop", "order-placed"): ("orders", "audit")}


class Order(Model):
    remote = Remote("shop", "order", "Orders", "OrderID")


class Shop:
    """A connector as far as the intake needs one: bodies are `[{"OrderID": n}]`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.heard = threading.Semaphore(0)

    def hint(self, request: Request) -> Sequence[Change]:
        self.requests.append(request)
        self.heard.release()
        try:
            return [Change(Order, str(item["OrderID"]), version="v1") for item in json.loads(request.body)]
        except (ValueError, KeyError, TypeError):
            raise RecordError(
                "the delivery is no order", code="hook-malformed", hint="look at the sender"
            ) from None


class Held:
    """A store whose commits wait for a gate, and fail when told to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.fails = False
        self.commits: list[int] = []

    def receive(self, hints: Sequence[Hint]) -> int:
        self.entered.release()
        assert self.gate.wait(5)
        if self.fails:
            raise TryAgainError("the disk is full", code="state-unavailable")
        self.commits.append(len(hints))
        return self.store.receive(hints)

    def reject(self, integration: str, flow: str, key: str, error: TaglineError) -> None:
        self.store.reject(integration, flow, key, error)

    def check(self) -> None:
        if self.fails:
            raise TryAgainError("the disk is full", code="state-unavailable")
        self.store.check()


class House:
    """An intake behind a real server, and the store it fills."""

    def __init__(
        self,
        place: Path | Place,
        limits: Limits | None = None,
        connections: ConnectionLimits | None = None,
    ) -> None:
        self.shop = Shop()
        self.clock = clock = VirtualClock(datetime(2026, 3, 1, tzinfo=UTC))
        where = place / "state.sqlite" if isinstance(place, Path) else place
        self.store = Store.open(where, ring=KeyRing.of(make_key().text), clock=clock)
        self.held = Held(self.store)
        self.woken: list[str] = []
        self.lines: list[str] = []
        self.intake = Intake(self.held, self.woken.append, self.lines.append, clock=clock, limits=limits)
        self.intake.open("order_to_cash", Door({"shop": (Hook.opened_by((TOKEN,), self.shop),)}, ROUTES))
        self.server: Server = serve(self.intake, "127.0.0.1:0", limits=connections or ConnectionLimits())
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.server.port}", trust_env=False)

    def stored(self) -> list[tuple[str, str]]:
        rows = self.store.ready("order_to_cash", datetime(2030, 1, 1, tzinfo=UTC), 1000)
        return sorted((row.flow, row.key) for row in rows)

    def post(self, number: int = 7) -> httpx.Response:
        return self.client.post(URL, json=[{"OrderID": number}])

    def ready(self) -> tuple[int, str]:
        """Of `/readyz`: status and reason."""
        answer = self.client.get("/readyz")
        return answer.status_code, answer.json().get("reason", "")

    def say(self, *parts: bytes, until: bytes = b"") -> bytes:
        """What is answered to these bytes on one connection, until it is closed or `until` was heard."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as sender:
            for part in parts:
                sender.sendall(part)
            answer = b""
            with suppress(ConnectionResetError):
                while not (until and until in answer) and (got := sender.recv(65_536)):
                    answer += got
            return answer

    def close(self) -> None:
        self.held.gate.set()
        self.client.close()
        self.server.stop()
        self.intake.stop()
        self.store.close()
