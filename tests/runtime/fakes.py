"""Two small remotes and an integration between them: orders of a shop become invoices in a ledger."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from tests.runtime.making import START, make_deployment, make_store

from tagline.clock import VirtualClock
from tagline.domain.exchange import (
    ROW_CHANGED,
    ROW_EXISTS,
    Change,
    Changes,
    Fetched,
    Key,
    Outcome,
    Row,
    Write,
    WriteKind,
)
from tagline.domain.model import Model, Remote, column
from tagline.domain.settings import Settings
from tagline.domain.system import System, Trigger, connection, every
from tagline.errors import Disposition, TaglineError
from tagline.flow.declare import flow
from tagline.flow.effects import require, upsert
from tagline.integration import Integration, routes
from tagline.runtime.engine import Engine, MemoryEngine
from tagline.runtime.store import Hint, Store
from tagline.runtime.worker import Worker


class Order(Model):
    remote: ClassVar[Remote] = Remote("shop", "Order", "Orders", "number")

    number: str = column(required=True)
    total: Decimal = column(default=Decimal(0))

    def key(self) -> str:
        return self.number


class Invoice(Model):
    remote: ClassVar[Remote] = Remote("ledger", "invoice", "invoices", "invoiceid", (("number",),))

    invoiceid: str | None = column()
    number: str | None = column(max_length=20)
    total: Decimal | None = column(precision=2)


class Shop(System):
    kind = "shop"

    @property
    def order_placed(self) -> Trigger:
        return Trigger(self, "order-placed", Order)


class Ledger(System):
    kind = "ledger"


class NoSettings(Settings):
    pass


shop = connection(Shop)
ledger = connection(Ledger)


@flow(on=[shop.order_placed], sweep=every(minutes=5), key=Order.key)
async def sync(order: Order, settings: NoSettings) -> None:
    """An order becomes an invoice."""
    require(order.total >= 0, cause="total-negative", field="total", hint="correct the order")
    await upsert(Invoice(number=order.number, total=order.total))


INTEGRATION = Integration(
    name="orders",
    version="1.0.0",
    requires_tagline="",
    directory=Path(),
    connections={"shop": shop, "ledger": ledger},
    settings=NoSettings,
    flows={"sync": sync},
    mappings={},
)


class FakeShop:
    """Orders with versions; `before_fetch` runs first and may raise."""

    def __init__(self) -> None:
        self.orders: dict[str, Decimal] = {}
        self.malformed: set[str] = set()
        self.log: list[tuple[str, str]] = []
        self.begins: int | None = None
        """Where a first cursor stands in the log; at its end when None."""
        self.fetches: list[tuple[str, ...]] = []
        self.page_size = 100
        self.before_fetch: Callable[[Sequence[str]], None] = lambda keys: None
        self.before_changes: Callable[[], None] = lambda: None

    def place(self, number: str, total: str | Decimal = "1.00") -> None:
        self.orders[number] = Decimal(total)
        self.log.append((number, f"v{len(self.log)}"))

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        self.fetches.append(tuple(keys))
        self.before_fetch(keys)
        found = [key for key in keys if key in self.orders]
        return Fetched(
            {key: Order(number=key, total=self.orders[key]) for key in found if key not in self.malformed},
            {key: ({"field": "total", "reason": "not a number"},) for key in found if key in self.malformed},
        )

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        self.before_changes()
        if cursor is None:
            begins = len(self.log) if self.begins is None else self.begins
            return Changes([], str(begins), more=False)
        start, end = int(cursor), int(cursor) + self.page_size
        items = [Change(Order, number, version) for number, version in self.log[start:end]]
        return Changes(items, str(min(end, len(self.log))), more=end < len(self.log))


class FakeLedger:
    """Invoices with ETags; `refuse` may answer a write in its place, `after` may raise once it was made."""

    def __init__(self) -> None:
        self.rows: dict[Key, dict[str, Any]] = {}
        self.created: list[Key] = []
        self.writes: list[Write] = []
        self.refuse: Callable[[Write], Outcome | None] = lambda write: None
        self.after: Callable[[Write], None] = lambda write: None

    def totals(self) -> dict[str, Decimal]:
        return {row["number"]: row["total"] for row in self.rows.values()}

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        return {key: self._row(key, names) for key in keys if key in self.rows}

    def children(self, *_: Any) -> Mapping[str, Sequence[Row]]:
        return {}

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return [self._perform(write) for write in writes]

    def _row(self, key: Key, names: Sequence[str]) -> Row:
        row = self.rows[key]
        return Row(key, row["id"], row["etag"], {name: row.get(name) for name in names})

    def _perform(self, write: Write) -> Outcome:
        refused = self.refuse(write)
        if refused is not None:
            return refused
        row = self.rows.get(write.key)
        if write.kind is WriteKind.CREATE:
            if row is not None:
                return Outcome(Disposition.RETRY, code=ROW_EXISTS)
            row = self.rows[write.key] = {"id": f"id-{len(self.created)}", "etag": "0", **dict(write.key)}
            self.created.append(write.key)
        elif row is None or (write.etag is not None and write.etag != row["etag"]):
            return Outcome(Disposition.RETRY, code=ROW_CHANGED)
        row.update(write.fields)
        row["etag"] = str(int(row["etag"]) + 1)
        self.writes.append(write)
        self.after(write)
        return Outcome(Disposition.DONE, row["id"], row["etag"])


@dataclass
class Plant:
    """Everything a worker stands on, on one virtual clock; `restart` is a new life of it."""

    store: Store
    clock: VirtualClock
    engine: Engine
    shop: FakeShop = field(default_factory=FakeShop)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    random: Random = field(default_factory=lambda: Random(7))
    integration: Integration = INTEGRATION
    number: int = 1
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.deploy(self.number)

    def deploy(self, number: int) -> None:
        self.number = number
        self.store.activate(make_deployment(number), routes(self.integration))
        self.worker = self.make_worker()
        self.worker.recover()

    def make_worker(self) -> Worker:
        return Worker(
            self.integration,
            NoSettings(),
            {"shop": self.shop, "ledger": self.ledger},
            self.store,
            self.engine,
            self.clock,
            make_deployment(self.number),
            random=self.random,
        )

    def restart(self) -> None:
        self.engine.stop()
        self.worker = self.make_worker()
        self.worker.recover()

    def hint(self, *keys: str) -> None:
        self.store.receive([Hint("orders", "sync", key, "webhook", "shop") for key in keys])

    def place(self, number: str, total: str = "1.00") -> None:
        self.shop.place(number, total)
        self.hint(number)

    def run_until(self, end: datetime) -> None:
        """Work and sweep whenever something is due, as a worker's process does."""
        while self.clock.now() < end:
            self.worker.sweep()
            self.worker.work()
            due = min(self.worker.next_due() or end, end)
            self.clock.advance((due - self.clock.now()).total_seconds())


@contextmanager
def plant(folder: Path, engine: Engine | None = None, **changed: Any) -> Iterator[Plant]:
    clock = VirtualClock(START)
    store = make_store(folder, clock)
    chosen = engine or MemoryEngine()
    try:
        yield Plant(store, clock, chosen, **changed)
    finally:
        chosen.stop()
        store.close()


def failing(error: TaglineError) -> Callable[..., Any]:
    """A hook that raises."""

    def fail(*_: Any) -> None:
        raise error

    return fail
