"""A remote that is away for hours is a queue and one line of trouble, and afterwards a drain within its budget."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
import sqlalchemy as sa

from tagline.clock import VirtualClock
from tagline.harness.world import World
from tagline.integration import Integration, load
from tagline.runtime.breaker import FAILURES
from tagline.sandbox.seed import PRICE_LIST
from tagline.sandbox.shop import LeakyBucket

INTEGRATION = Path(__file__).parents[2] / "integrations" / "order_to_cash"
CRM, SHOP = "org-dev", "shop-dev"
HOURS = 6
WINDOW_S, IN_A_WINDOW = 300, 6000
BUCKET, LEAK_PER_S = 50, 2.0


@dataclass
class Line(httpx.BaseTransport):
    """The way to both remotes: counts what reaches them, and lets one of them be away."""

    inner: httpx.BaseTransport
    clock: VirtualClock
    outage: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
    asked: list[tuple[str, datetime, int]] = field(default_factory=list)
    """Remote, instant and status of each request; 0 where no answer came."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        remote = request.url.host.partition(".")[0]
        at = self.clock.now()
        try:
            answer = self.outage(request) or self.inner.handle_request(request)
        except httpx.TransportError:
            self.asked.append((remote, at, 0))
            raise
        self.asked.append((remote, at, answer.status_code))
        return answer

    def times(self, remote: str, since: datetime, until: datetime) -> list[datetime]:
        return [at for name, at, _ in self.asked if name == remote and since <= at < until]


@pytest.fixture(scope="module")
def integration() -> Integration:
    return load(INTEGRATION)


@contextmanager
def trade(integration: Integration) -> Iterator[tuple[World, Line]]:
    """A shop and an organisation that enforce their limits, and the worker between them."""
    settings = integration.settings.model_validate({"price_level": PRICE_LIST})
    with (
        TemporaryDirectory(prefix="tagline-outage-") as folder,
        World(integration, settings, Path(folder)) as world,
    ):
        world.remotes.organisation.protection.enforced = True
        world.shop._bucket = LeakyBucket(world.clock)
        line = Line(world._transport.inner, world.clock)
        world._transport.inner = line
        yield world, line


def away(line: Line, host: str, begin: datetime) -> Callable[[httpx.Request], httpx.Response | None]:
    """Two hours of 503, two of silence, two in which nobody is there."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        if host not in request.url.host:
            return None
        gone = line.clock.now() - begin
        if gone < timedelta(hours=2):
            return httpx.Response(503, request=request)
        if gone < timedelta(hours=4):
            line.clock.advance(120)
            raise httpx.ReadTimeout("no answer", request=request)
        if gone < timedelta(hours=HOURS):
            raise httpx.ConnectError("refused", request=request)
        return None

    return answer


@dataclass
class Told:
    """What the worker said on its way."""

    lines: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    def look(self, world: World) -> None:
        now = {topic: str(error) for topic, error in world.worker.troubles.items()}
        self.lines += [f"{topic}: {line}" for topic, line in now.items() if self.known.get(topic) != line]
        self.lines += [f"{topic}: works again" for topic in self.known if topic not in now]
        self.known = now


def live(
    world: World,
    until: datetime,
    told: Told,
    arrivals: Sequence[tuple[datetime, Callable[[], object]]] = (),
    *,
    webhooks: bool = True,
) -> None:
    """Work as a worker's process does, while orders arrive, until an instant."""
    coming = list(arrivals)
    while world.clock.now() < until:
        while coming and coming[0][0] <= world.clock.now():
            coming.pop(0)[1]()
        if webhooks:
            world.deliver()
        else:
            world.shop.webhooks.deliver(lambda _request: 200, order=lambda _due: ())
        world.worker.sweep()
        done = world.worker.work()
        assert done.dead == 0
        told.look(world)
        due = [
            world.worker.next_due(),
            world.shop.webhooks.next_due(),
            coming[0][0] if coming else None,
            until,
        ]
        wait = min(time for time in due if time is not None) - world.clock.now()
        world.clock.advance(max(wait.total_seconds(), 0.001))


def assert_each_stands_once(world: World, ids: Sequence[int]) -> None:
    ours = {str(world.shop.orders[number]["InvoiceNumber"]): world.shop.orders[number] for number in ids}
    names = Counter(row["name"].split("-")[-1] for row in world.rows("salesorder"))
    assert len(names) == len(ours)
    assert set(names.values()) == {1}
    totals = {row["name"].split("-")[-1]: row["totalamount"] for row in world.rows("salesorder")}
    assert totals == {number: order["OrderAmount"] for number, order in ours.items()}
    with world.store.database.read() as conn:
        kinds = conn.execute(
            sa.text("SELECT record, kind FROM effects WHERE entity = 'salesorder' ORDER BY id")
        ).all()
        waiting = conn.execute(sa.text("SELECT count(*) FROM effects WHERE state = 'intended'")).scalar_one()
    assert waiting == 0
    ways = {
        record: [kind for _, kind in of]
        for record, of in itertools.groupby(sorted(kinds, key=lambda k: k[0]), key=lambda k: k[0])
    }
    assert all(way[0] == "create" and "create" not in way[1:] for way in ways.values())


def assert_within_budget(line: Line) -> None:
    assert [each for each in line.asked if each[2] == 429] == []
    crm = [at for remote, at, _ in line.asked if remote == CRM]
    for first, beyond in zip(crm, crm[IN_A_WINDOW:], strict=False):
        assert beyond - first > timedelta(seconds=WINDOW_S)
    level, last = 0.0, None
    for at in (at for remote, at, _ in line.asked if remote == SHOP):
        level = max(0.0, level - LEAK_PER_S * (at - last).total_seconds()) + 1 if last else 1.0
        last = at
        assert level <= BUCKET


SIZES = [pytest.param(36, id="36"), pytest.param(2000, id="2000", marks=pytest.mark.campaign)]


PARTS = 36


def spread(
    world: World, count: int, begin: datetime, ids: list[int]
) -> list[tuple[datetime, Callable[[], object]]]:
    """Orders that arrive evenly over the outage."""

    def place(part: int) -> Callable[[], object]:
        return lambda: ids.extend(world.place(count // PARTS, seed=part))

    return [(begin + timedelta(hours=HOURS) * part / PARTS, place(part)) for part in range(PARTS)]


@pytest.mark.parametrize("count", SIZES)
def test_dataverse_is_away_for_six_hours_while_orders_come_in(integration, count):
    with trade(integration) as (world, line):
        told = Told()
        live(world, world.clock.now() + timedelta(minutes=10), told)
        begin = world.clock.now()
        end = begin + timedelta(hours=HOURS)
        ids: list[int] = []
        line.outage = away(line, CRM, begin)
        live(world, end, told, spread(world, count, begin, ids))
        assert world.rows("salesorder") == []
        assert len(line.times(CRM, begin, end)) < 500
        # What the shop is asked meanwhile: sweeps, and the few records that are tried now and then.
        assert len(line.times(SHOP, begin, end)) < 500
        with world.store.database.read() as conn:
            attempts = conn.execute(sa.text("SELECT attempts FROM inbox WHERE attempts > 0")).scalars().all()
        assert len(attempts) <= max(2, 2 * count // PARTS)
        assert max(attempts, default=0) < FAILURES
        (away_since,) = told.lines
        assert away_since.startswith(
            "connection crm: crm is away since 2031-03-03 15:10Z (remote-unavailable)"
        )

        live(world, end + timedelta(hours=1 + count / 1000), told)
        assert_each_stands_once(world, ids)
        assert_within_budget(line)
        assert world.store.dead_letters.list(state=None) == []
        assert world.store.counts("order_to_cash")["received"] == 0
        assert told.lines[1:] == ["connection crm: works again"]


@pytest.mark.parametrize("count", SIZES)
def test_the_shop_is_away_for_six_hours_and_its_webhooks_with_it(integration, count):
    with trade(integration) as (world, line):
        told = Told()
        live(world, world.clock.now() + timedelta(minutes=10), told)
        begin = world.clock.now()
        end = begin + timedelta(hours=HOURS)
        ids: list[int] = []
        line.outage = away(line, SHOP, begin)
        live(world, end, told, spread(world, count, begin, ids), webhooks=False)
        assert len(line.times(SHOP, begin, end)) < 500
        assert len(line.times(CRM, begin, end)) == 0
        (away_since,) = told.lines
        assert away_since.startswith("connection shop: shop is away since 2031-03-03 15:1")

        live(world, end + timedelta(hours=1 + count / 1000), told)
        assert_each_stands_once(world, ids)
        assert_within_budget(line)
        assert world.store.dead_letters.list(state=None) == []
        assert told.lines[1:] == ["connection shop: works again"]
