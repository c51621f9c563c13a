"""Workers of several agents on one PostgreSQL database: every record once, whoever dies, stands still, comes or goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from tests.runtime.fakes import INTEGRATION, FakeLedger, FakeShop, NoSettings
from tests.runtime.making import START, make_deployment, make_hint, make_store

from tagline.clock import VirtualClock
from tagline.integration import routes
from tagline.runtime.engine import MemoryEngine
from tagline.runtime.leases import BEAT, DEAD_AFTER
from tagline.runtime.places import PostgresSchema
from tagline.runtime.store import Store
from tagline.runtime.worker import Worker


class Killed(BaseException):
    """Stands for the death of a process: nothing after it happens."""


@dataclass
class Machines:
    """Some machines, each with a worker and connections of its own, on one clock; a dead worker does nothing more."""

    schema: PostgresSchema
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    shop: FakeShop = field(default_factory=FakeShop)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    stores: dict[str, Store] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)

    def join(self, name: str) -> Worker:
        store = self.stores.get(name) or make_store(self.schema, self.clock)
        self.stores[name] = store
        store.activate(make_deployment(1), routes(INTEGRATION))
        worker = Worker(
            INTEGRATION,
            NoSettings(),
            {"shop": self.shop, "ledger": self.ledger},
            store,
            MemoryEngine(),
            self.clock,
            make_deployment(1),
            holder=name,
            random=Random(name),
        )
        worker.recover()
        self.workers[name] = worker
        return worker

    @property
    def store(self) -> Store:
        return next(iter(self.stores.values()))

    def place(self, *numbers: str) -> None:
        for number in numbers:
            self.shop.place(number)
        self.store.receive([make_hint(number) for number in numbers])

    def turn(self, name: str) -> None:
        """One worker beats and does what is due; a death in it is its end."""
        worker = self.workers[name]
        worker.leases.beat()
        try:
            worker.sweep()
            worker.work()
        except Killed:
            del self.workers[name]

    def run(self, seconds: float, between: Callable[[], None] = lambda: None) -> None:
        for _ in range(int(seconds / BEAT.total_seconds())):
            for name in list(self.workers):
                self.turn(name)
            between()
            self.clock.advance(BEAT.total_seconds())

    def close(self) -> None:
        for store in self.stores.values():
            store.close()


@pytest.fixture
def machines(postgres_schema: PostgresSchema):
    with closing(Machines(postgres_schema)) as made:
        yield made


def keys(count: int, start: int = 0) -> list[str]:
    return [str(n) for n in range(start, start + count)]


def test_two_workers_share_the_records_and_each_is_written_once(machines):
    machines.join("a")
    machines.join("b")
    machines.run(10)
    machines.place(*keys(120))
    done = []
    for name in ("a", "b"):
        machines.turn(name)
        done.append(len(machines.ledger.created))
    assert 0 < done[0] < done[1] == 120
    assert machines.ledger.totals() == machines.shop.orders
    assert len(machines.ledger.created) == 120


def test_the_work_of_a_killed_worker_is_taken_over_and_its_doubts_are_settled(machines):
    machines.join("a")
    machines.join("b")
    machines.run(10)
    machines.place(*keys(40))

    def die(_):
        raise Killed

    machines.ledger.after = die
    machines.turn("b")
    machines.ledger.after = lambda _: None
    assert "b" not in machines.workers
    machines.run(DEAD_AFTER.total_seconds() - BEAT.total_seconds())
    assert machines.ledger.totals() != machines.shop.orders
    machines.run(60)
    assert machines.ledger.totals() == machines.shop.orders
    assert len(machines.ledger.created) == 40


def test_a_worker_that_stood_still_in_its_batch_writes_nothing_after_it_was_given_up(machines):
    """The other one has its records; it may not write over what that one writes."""
    machines.join("a")
    slow = machines.join("b")
    machines.run(10)
    machines.place(*keys(40))

    def stand_still(_):
        machines.shop.before_fetch = lambda _: None
        del machines.workers["b"]
        machines.run(3 * DEAD_AFTER.total_seconds())
        assert machines.ledger.totals() == machines.shop.orders

    machines.shop.before_fetch = stand_still
    writes = machines.ledger.writes
    slow.work()
    assert len(writes) == 40
    assert machines.ledger.totals() == machines.shop.orders
    assert machines.store.counts("orders")["received"] == 0
    machines.workers["b"] = slow
    machines.run(30)
    machines.place(*keys(40, start=100))
    machines.turn("b")
    machines.run(10)
    assert len(writes) == 80


def test_a_rolling_restart_loses_and_doubles_nothing(machines):
    names = ("a", "b", "c")
    for name in names:
        machines.join(name)
    placed = 0
    for name in names:
        machines.place(*keys(30, start=placed))
        placed += 30
        machines.run(5)
        machines.workers.pop(name).leave()
        machines.run(5)
        machines.join(name)
    machines.run(30)
    assert machines.ledger.totals() == machines.shop.orders
    assert len(machines.ledger.created) == placed


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(1, 10))]
)
def test_whoever_dies_stands_still_comes_or_goes_each_order_is_written_once(machines, seed):
    random = Random(seed)
    machines.join("a")
    machines.run(5)
    everybody = ("a", "b", "c")
    standing: dict[str, tuple[Worker, int]] = {}

    def die(_):
        if random.random() < 0.01:
            raise Killed

    machines.ledger.after = die
    placed = 0
    for turn in range(60):
        if random.random() < 0.4:
            numbers = keys(random.randrange(1, 12), start=placed)
            placed += len(numbers)
            for number in numbers:
                machines.shop.place(number)
            heard = [number for number in numbers for _ in range(random.choice([0, 1, 2]))]
            machines.store.receive([make_hint(number) for number in heard])
        name = random.choice(everybody)
        match random.randrange(8):
            case 0 if name in machines.workers:
                standing[name] = (machines.workers.pop(name), turn + random.randrange(1, 15))
            case 1 if name in machines.workers:
                machines.workers.pop(name).leave()
            case _ if name not in machines.workers and name not in standing:
                machines.join(name)
            case _:
                pass
        for each, (worker, until) in list(standing.items()):
            if until <= turn:
                machines.workers[each] = worker
                del standing[each]
        machines.run(BEAT.total_seconds())
    machines.ledger.after = lambda _: None
    for name in everybody:
        if name not in machines.workers:
            machines.join(name)
    machines.run(timedelta(minutes=8).total_seconds())
    letters = machines.store.dead_letters.list()
    assert all(letter.cause == "worker-died" for letter in letters)
    machines.store.dead_letters.redrive()
    machines.run(120)
    assert machines.ledger.totals() == machines.shop.orders
    assert len(machines.ledger.created) == len(machines.shop.orders)
