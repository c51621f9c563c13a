"""A whole world in one process: both remotes in a sandbox on a clock that is turned by hand, a real store and a real worker.

For tests: nothing waits, and the same seeds give the same run. Only the network, the process and the engine's disk are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.budgets import governor_for
from tagline.domain.environment import Connection
from tagline.domain.exchange import Connector, Request
from tagline.domain.lifecycle import Deployment
from tagline.domain.settings import Settings
from tagline.errors import InconclusiveError
from tagline.integration import Integration, routes
from tagline.runtime.engine import MemoryEngine
from tagline.runtime.key_ring import KeyRing, make_key
from tagline.runtime.store import Hint, Store
from tagline.runtime.worker import Worker
from tagline.sandbox import values as wire
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.door import LogEntry
from tagline.sandbox.organisation import Organisation
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.shop import Shop
from tagline.sandbox.shop_webhooks import Delivery

START: Final = datetime(2031, 3, 3, 15, 0, tzinfo=UTC)
"""Late enough that no setting such as a first day of business makes every order too old."""
HOOKS: Final = "https://hooks.sandbox.test/hooks"
ENVIRONMENT: Final = "dev"
MOST_ROUNDS: Final = 200
PAUSE: Final = timedelta(seconds=60)
WRITING: Final = ("POST", "PUT", "PATCH", "DELETE")

CONNECTION: TypeAdapter[Connection] = TypeAdapter(Connection)


class Remotes:
    """The remotes an integration names, in a sandbox, with a connector to each."""

    def __init__(self, integration: Integration, seed: int) -> None:
        self.clock = VirtualClock(START)
        self.sandbox = Sandbox(self.clock, seed, (ENVIRONMENT,))
        self.shop: Shop = self.sandbox.shops[ENVIRONMENT]
        self.organisation: Organisation = self.sandbox.organisations[ENVIRONMENT]
        self._integration = integration
        self._configs = self._described()

    def connect(self, transport: httpx.BaseTransport | None = None) -> dict[str, Connector]:
        """A connector to each remote, by connection name; whoever asks closes them."""
        secrets = self.sandbox.connection_configs(ENVIRONMENT)["secrets"]
        boundaries = Random(0)  # noqa: S311 - boundaries of batches, repeatable
        return {
            name: connect(
                name,
                config,
                clock=self.clock,
                secrets=lambda reference: str(secrets[reference.removeprefix("env:")]),
                transport=transport or self.sandbox.transport(),
                governor=governor_for(config, self.clock, one_by_one=True),
                new_id=lambda: f"{boundaries.getrandbits(128):032x}",
            )
            for name, config in self._configs.items()
        }

    def rows(self, table: str) -> Sequence[Mapping[str, Any]]:
        """The organisation's rows as they stand, read past every connector."""
        return self.organisation.rows.all(tables()[table])

    def _described(self) -> dict[str, Connection]:
        configs = self.sandbox.connection_configs(ENVIRONMENT)
        by_system = {configs[name]["system"]: configs[name] for name in ("shop", "crm")}
        systems = self._integration.connections
        strange = sorted({system.kind for system in systems.values()} - set(by_system))
        if strange:
            raise InconclusiveError(
                f"the sandbox has no {', '.join(strange)}",
                code="rehearsal-not-possible",
                where={"integration": self._integration.name},
                hint=f"it has {', '.join(sorted(by_system))}; prove this integration by cassettes",
            )
        return {name: CONNECTION.validate_python(by_system[s.kind]) for name, s in systems.items()}


class Killed(BaseException):
    """Stands for the death of the worker's process; no `Exception`, since nothing may outlive it."""


class _Deadly(httpx.BaseTransport):
    """Lets the process die right after a remote has answered a call, before anybody hears of it."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.calls_left: int | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                self.calls_left = None
                raise Killed
        return response


@dataclass(frozen=True)
class Runs:
    """What `World.run` took until nothing was left to do."""

    done: int = 0
    dead: int = 0
    retried: int = 0

    @property
    def records(self) -> int:
        return self.done + self.dead + self.retried


class World:
    """
    Remotes, store and worker of one deployment; a context manager.

    Args:
        folder: Where the state database stands.
        seed: Decides ids, sample data and the spread of retries.
    """

    def __init__(self, integration: Integration, settings: Settings, folder: Path, *, seed: int = 1) -> None:
        self.remotes = Remotes(integration, seed)
        self.clock, self.shop = self.remotes.clock, self.remotes.shop
        self.delivered: list[Delivery] = []
        """Every webhook the shop has sent, once each."""
        self._integration = integration
        self._settings = settings
        self._routes = routes(integration)
        self._random = Random(f"world {seed}")  # noqa: S311 - a test needs a seed, not secrecy
        self._transport = _Deadly(self.remotes.sandbox.transport())
        self._engine = MemoryEngine()
        self._life = ExitStack()
        self.store = Store.open(folder / "state.sqlite", ring=KeyRing.of(make_key().text), clock=self.clock)
        self.deployment = _deployment(integration)
        self.store.activate(self.deployment, self._routes)
        self.worker = self._begin()
        self._subscribe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._life.close()
        self.store.close()

    def place(self, count: int, seed: int = 1) -> list[int]:
        """Orders of the usual mix; their OrderIDs."""
        return self.shop.place_orders(count, seed)

    def place_awkward(self) -> dict[str, int]:
        """One order of every case that integrations get wrong."""
        return self.shop.place_awkward()

    def deliver(self, *, times: int = 1, seed: int | None = None) -> int:
        """
        Send the webhooks that are due; returns how many deliveries were taken.

        Args:
            times: How often each is sent.
            seed: Shuffles them; None keeps the order of events.
        """

        def arranged(due: Sequence[Delivery]) -> Sequence[Delivery]:
            self.delivered.extend(due)
            return _shuffled([*due] * times, seed)

        return self.shop.webhooks.deliver(self._receive, order=arranged)

    def deliver_again(self, *, times: int = 1, seed: int | None = None) -> None:
        """Send every webhook of the past once more, late and in any order."""
        for delivery in _shuffled([*self.delivered] * times, seed):
            self._receive(wire.Request("POST", delivery.url, {}, delivery.body))

    def run(self, *, times: int = 1, seed: int | None = None) -> Runs:
        """
        Deliver webhooks and work until nothing waits, turning the clock to whatever is due next.

        Raises:
            RuntimeError: It does not come to rest; writes of ours that come back as changes may go round for ever.
        """
        runs = Runs()
        for _ in range(MOST_ROUNDS):
            self.deliver(times=times, seed=seed)
            work = self.worker.work()
            runs = Runs(runs.done + work.done, runs.dead + work.dead, runs.retried + work.retried)
            due = [self.shop.webhooks.next_due(), self.store.next_due(self._integration.name)]
            waiting = [time for time in due if time is not None]
            if not waiting:
                return runs
            # A worker that rests after an error of everybody's does nothing, however much is due.
            rest = PAUSE if work.stopped else min(waiting) - self.clock.now()
            self.clock.advance(rest.total_seconds())
        raise RuntimeError(f"still busy after {MOST_ROUNDS} rounds and {runs.records} runs")

    def die_after(self, calls: int) -> None:
        """Let the worker die (`Killed`) once that many more calls were answered and one more was made."""
        self._transport.calls_left = calls

    def restart(self) -> None:
        """The worker's next life: what the last one held in memory is gone, and it begins with recovery."""
        self._transport.calls_left = None
        self._life.close()
        self.worker = self._begin()

    def rows(self, table: str) -> Sequence[Mapping[str, Any]]:
        """The organisation's rows as they stand."""
        return self.remotes.rows(table)

    def writes(self) -> list[LogEntry]:
        """Every call with which either remote was written to, as their own logs have it; a batch counts by its parts."""
        return [
            entry
            for site in (self.remotes.organisation, self.shop)
            for entry in site.door.log
            if entry.method in WRITING and not entry.path.endswith(("/$batch", "/Webhooks"))
        ]

    def _begin(self) -> Worker:
        self._life = ExitStack()
        self.connectors = self.remotes.connect(self._transport)
        for connector in self.connectors.values():
            self._life.enter_context(closing(connector))
        worker = Worker(
            self._integration,
            self._settings,
            self.connectors,
            self.store,
            self._engine,
            self.clock,
            self.deployment,
            random=self._random,
        )
        worker.recover()
        self._life.callback(worker.stop)
        return worker

    def _subscribe(self) -> None:
        for connection, connector in self.connectors.items():
            events = [event for name, event in self._routes if name == connection]
            if events:
                connector.subscribe(events, f"{HOOKS}/{self._integration.name}/{connection}")

    def _receive(self, request: wire.Request) -> int:
        """What the intake does with a delivery, less its checks: understood, stored, then answered."""
        if request.method != "POST":
            return 200
        connection, event, _token = urlsplit(request.url).path.split("/")[-3:]
        told = Request("POST", "/hooks", {}, dict(request.headers), request.body)
        hints = [
            Hint(self._integration.name, flow, change.key, "webhook", connection, change.version)
            for change in self.connectors[connection].hint(told)
            for flow in self._routes[connection, event]
        ]
        self.store.receive(hints)
        return 200


def _shuffled(deliveries: list[Delivery], seed: int | None) -> list[Delivery]:
    if seed is not None:
        Random(seed).shuffle(deliveries)  # noqa: S311 - a test needs a seed, not secrecy
    return deliveries


def _deployment(integration: Integration) -> Deployment:
    return Deployment(
        id=f"{integration.name}-000001",
        integration=integration.name,
        version=integration.version,
        closure="sha256:world",
        tag_object="",
        commit="",
        config_digest="",
        config_commit="",
        decided_at=START,
        decided_by="world",
    )
