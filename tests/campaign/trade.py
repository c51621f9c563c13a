"""A trade over bad lines: events doubled, overtaken and late, answers lost, torn and refused; all of it by seed, in one process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final
from urllib.parse import urlsplit

from tagline.domain.exchange import Request
from tagline.harness.world import World
from tagline.integration import Integration, routes
from tagline.runtime.store import Hint
from tagline.sandbox import values
from tagline.sandbox.door import Door
from tagline.sandbox.faults import Fault, Faults
from tagline.sandbox.mishaps import Mishap

PER_MILLE: Final[Mapping[Fault, int]] = {
    Fault.TIMEOUT_AFTER: 50,
    Fault.THROTTLED: 50,
    Fault.SERVER_ERROR: 10,
    Fault.UNAVAILABLE: 10,
    Fault.TORN_BODY: 10,
}
"""Of the calls at either remote, a batch being one call."""
DOUBLED, REORDERED = 0.20, 0.15
"""Of the events; no event is both."""
ROUND: Final = 25
"""Events between two looks of the worker."""
ROUND_S: Final = 20.0
MOST_ROUNDS: Final = 500
"""From the last event until nothing waits."""
PLACED: Final = 0.4
"""Share of the events that are new orders; the others change one that is there."""
OPEN, SHIPPED = (1, 2, 3), 4


@dataclass
class Drawn(Faults):
    """Faults that are counted."""

    drawn: Counter[Fault] = field(default_factory=Counter)

    def draw(self) -> Fault | None:
        fault = super().draw()
        if fault is not None:
            self.drawn[fault] += 1
        return fault


@dataclass
class BadTrade:
    """Orders and changes until so many events were raised, over lines that fail by seed."""

    world: World
    integration: Integration
    seed: int
    ships: bool = False
    """Whether orders are shipped, after which the merchant leaves them alone; and whether rows of others are removed."""
    placed: list[int] = field(default_factory=list)
    events: int = 0
    mishaps: Counter[Mishap] = field(default_factory=Counter)
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        for number, door in enumerate(self._doors):
            door.faults = Drawn()
            self._spoil(door, self.seed + number)

    def run(self, events: int) -> None:
        """Raise the events, a round at a time, and then work until nothing waits."""
        self._plan(events)
        while self.events < events:
            for _ in range(min(ROUND, events - self.events)):
                self._event()
            self.step()
        self.settle()

    def step(self, wait_s: float = ROUND_S) -> None:
        """Some time goes by, and what is due is delivered and worked."""
        self.world.clock.advance(wait_s)
        self.deliver()
        self.world.worker.work()

    def deliver(self) -> None:
        """Take in what is due as the intake does: in one commit, and however often it is told."""
        hints: list[Hint] = []

        def take(request: values.Request) -> int:
            if request.method == "POST":
                hints.extend(self._understood(request))
            return 200

        self.world.shop.webhooks.deliver(take)
        self.world.store.receive(hints)

    def settle(self) -> None:
        """Work off what waits, over lines that are as bad as before."""
        for _ in range(MOST_ROUNDS):
            due = (self.world.shop.webhooks.next_due(), self.world.store.next_due(self.integration.name))
            waiting = [time for time in due if time is not None]
            if not waiting:
                return
            # A worker that rests after an error of everybody's does nothing, however much is due.
            wait = (min(waiting) - self.world.clock.now()).total_seconds()
            self.step(max(wait, ROUND_S))
        raise AssertionError(f"still busy after {MOST_ROUNDS} rounds")

    def mend(self) -> None:
        """From now on every call is answered."""
        for door in self._doors:
            door.faults.seeded(0, 0.0)

    @property
    def faults(self) -> Counter[Fault]:
        """What the calls met so far."""
        return sum((door.faults.drawn for door in self._doors), Counter())

    def _understood(self, request: values.Request) -> Sequence[Hint]:
        connection, event, _token = urlsplit(request.url).path.split("/")[-3:]
        told = Request("POST", "/hooks", {}, dict(request.headers), request.body)
        return [
            Hint(self.integration.name, flow, change.key, "webhook", connection, change.version)
            for change in self.world.connectors[connection].hint(told)
            for flow in routes(self.integration)[connection, event]
        ]

    def _event(self) -> None:
        self.events += 1
        shop, random = self.world.shop, self._random
        open_ = self._open()
        if not open_ or random.random() < PLACED:
            self.placed += shop.place_orders(1, self.seed + self.events)
            return
        order = random.choice(open_)
        if self.ships and len(shop.orders[order]["OrderItemList"]) > 1 and random.random() < 0.3:
            shop.remove_line(order, 0)
            return
        others = [status for status in OPEN if status != shop.orders[order]["OrderStatusID"]]
        shop.change_status(order, SHIPPED if self.ships and random.random() < 0.2 else random.choice(others))

    def _open(self) -> Sequence[int]:
        """Orders that the merchant may still change: the last hundred, so that changes meet each other."""
        recent = self.placed[-100:]
        return [order for order in recent if self.world.shop.orders[order]["OrderStatusID"] != SHIPPED]

    def _plan(self, events: int) -> None:
        drawn = self._random.choices(
            (Mishap.DOUBLED, Mishap.REORDERED, None), (DOUBLED, REORDERED, 1 - DOUBLED - REORDERED), k=events
        )
        self.world.shop.webhooks.mishaps.next_deliveries(*drawn)
        self.mishaps.update(each for each in drawn if each is not None)

    @property
    def _doors(self) -> tuple[Door, Door]:
        return self.world.shop.door, self.world.remotes.organisation.door

    def _spoil(self, door: Door, seed: int) -> None:
        kinds = [fault for fault, weight in PER_MILLE.items() for _ in range(weight)]
        door.faults.seeded(seed, len(kinds) / 1000, kinds)
