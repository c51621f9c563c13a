"""Nothing is lost or doubled between a remote and our rows: whatever answer is lost, and before whichever commit the worker dies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from tests.runtime.fakes import Order, Plant, plant
from tests.runtime.making import START, make_deployment, make_store

from tagline.clock import VirtualClock
from tagline.domain.exchange import Change, Changes, WriteKind
from tagline.errors import Disposition
from tagline.flow.effects import Reversibility, Verb
from tagline.harness.world import World
from tagline.integration import Integration, load
from tagline.runtime.journal import Intent, Settled
from tagline.runtime.places import Place
from tagline.runtime.sql_journal import SqlJournal
from tagline.runtime.store import Store
from tagline.sandbox.seed import PRICE_LIST

INTEGRATION = Path(__file__).parents[2] / "integrations" / "order_to_cash"
FULFILLED = 4
MARKS = {
    WriteKind.CREATE: rb"If-None-Match",
    WriteKind.UPDATE: rb"If-Match: W/",
    WriteKind.DELETE: rb"DELETE /api",
    WriteKind.ACT: rb"FulfillSalesOrder",
}
"""In the body of a batch that holds such a write."""


class Killed(BaseException):
    """Stands for the death of the process."""


@dataclass
class Lossy(httpx.BaseTransport):
    """Loses the answer to the first request that bears a mark, after it was committed."""

    inner: httpx.BaseTransport
    clock: VirtualClock
    mark: bytes = b""
    lost: list[str] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        response = self.inner.handle_request(request)
        if self.mark and re.search(self.mark, body, re.IGNORECASE):
            self.mark = b""
            self.lost.append(request.method)
            self.clock.advance(120)
            raise httpx.ReadTimeout("no answer", request=request)
        return response


@pytest.fixture(scope="module")
def integration() -> Integration:
    return load(INTEGRATION)


@pytest.fixture
def lossy(integration: Integration, tmp_path: Path) -> Iterator[tuple[World, Lossy]]:
    settings = integration.settings.model_validate({"price_level": PRICE_LIST})
    with World(integration, settings, tmp_path) as world:
        transport = Lossy(world._transport.inner, world.clock)
        world._transport.inner = transport
        yield world, transport


def entries(store: Store) -> list[Any]:
    with store.database.read() as conn:
        return list(conn.execute(sa.text("SELECT * FROM effects ORDER BY id")))


@pytest.mark.parametrize("kind", MARKS, ids=lambda kind: kind.value)
def test_an_answer_lost_after_the_commit_is_settled_by_what_stands_there(
    lossy: tuple[World, Lossy], kind: WriteKind
) -> None:
    world, transport = lossy
    removed, shipped = (world.place_awkward()[case] for case in ("line_removed_later", "guest"))
    if kind is not WriteKind.CREATE:
        world.run()
        world.shop.remove_line(removed, 1)
        world.shop.change_status(shipped, FULFILLED)
    before = len(entries(world.store))
    transport.mark = MARKS[kind]
    world.run()
    assert len(transport.lost) == 1
    found = entries(world.store)[before:]
    # Each write of the lost answer stands as happened and was not made again; nothing is in doubt any more.
    happened = [each for each in found if each.state == "happened"]
    assert kind.value in {each.kind for each in happened}
    assert {each.state for each in found} <= {"done", "happened"}
    made = [
        (each.entity, each.key, each.kind, each.action)
        for each in found
        if each.kind in ("create", "delete", "act")
    ]
    assert len(made) == len(set(made))
    with world.store.database.read() as conn:
        referred = set(
            map(tuple, conn.execute(sa.text("SELECT system, entity, target_id FROM cross_references")))
        )
    for each in happened:
        assert ((each.system, each.entity, each.target_id) in referred) is (each.kind != "delete")


@contextmanager
def dying(database: Any, words: str, after: int = 0) -> Iterator[None]:
    """The process dies before the statement that begins with these words is made, once `after` of them were."""
    left = [after]

    def die(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(words):
            left[0] -= 1
            if left[0] < 0:
                raise Killed

    engine = database._engine
    sa.event.listen(engine, "before_cursor_execute", die)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", die)


def intent() -> Intent:
    return Intent(
        deployment="orders-000001",
        integration="orders",
        flow="sync",
        record="1",
        system="ledger",
        entity="invoice",
        verb=Verb.UPSERT,
        kind=WriteKind.CREATE,
        key=(("number", "1"),),
        target_id=None,
        etag=None,
        before=None,
        after={"total": 1},
        action="",
        reversibility=Reversibility.R2,
    )


def test_an_outcome_and_its_cross_reference_stand_or_fall_together(place: Place) -> None:
    with closing(make_store(place)) as store:
        fence = store.activate(make_deployment(), {})
        journal = SqlJournal(store, "orders-000001", fence)
        (entry,) = journal.intend([intent()])
        told = Settled(entry, Disposition.DONE, "id-1", None, "")
        with dying(store.database, "INSERT INTO cross_references"), pytest.raises(Killed):
            journal.settle([told])
        assert [each.entry for each in journal.in_doubt(["1"])] == [entry]
        journal.settle([told])
        with store.database.read() as conn:
            assert conn.execute(sa.text("SELECT target_id FROM cross_references")).scalars().all() == ["id-1"]


def test_hints_and_the_cursor_behind_them_stand_or_fall_together(place: Place) -> None:
    with closing(make_store(place)) as store:
        page = Changes([Change(Order, "1", "a")], "c1", more=False)
        with dying(store.database, "INSERT INTO cursors"), pytest.raises(Killed):
            store.sweep("orders", "sync", "shop", page, begun_at=START)
        assert store.cursor("orders", "sync") is None
        assert store.ready("orders", START, 10) == []


def live_on(work: Plant, minutes: int) -> None:
    """Sweeps and batches for that long, a new life after each death."""
    for _ in range(minutes):
        try:
            work.worker.sweep()
            work.worker.work()
        except Killed:
            work.restart()
        work.clock.advance(60)


@pytest.mark.parametrize(
    "words",
    ["INSERT INTO inbox", "INSERT INTO cursors", "UPDATE inbox", "INSERT INTO effects", "UPDATE effects"],
)
@pytest.mark.parametrize("after", [0, 1])
def test_a_cursor_that_moves_when_hints_are_stored_loses_no_record(
    tmp_path: Path, words: str, after: int
) -> None:
    """The hint outlives the worker, so that the cursor need not wait for the write: what is behind it is in the inbox."""
    with plant(tmp_path) as work:
        work.worker.sweep()
        work.shop.page_size = 2
        for number in range(5):
            work.shop.place(str(number), str(number))
        work.clock.advance(300)
        with dying(work.store.database, words, after):
            try:
                work.worker.sweep()
                work.worker.work()
            except Killed:
                pass
        work.restart()
        live_on(work, 12)
        assert work.ledger.totals() == work.shop.orders
        assert len(work.ledger.created) == 5
        assert {each.state for each in entries(work.store)} <= {"done", "happened", "not-happened"}
