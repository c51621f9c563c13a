"""
The governors as they are shipped against the sandbox's own limiters, on a virtual clock.

Two workers share one budget, live work beside a back-fill; which of their threads goes first is drawn. Where the limits are
known nobody is throttled; where they must be learned, few are, and none asks during a silence that the remote asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.connectors.turns import Turns

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.budgets import fresh_pace, governor_for
from tagline.connectors.dataverse import Account, TransactionCurrency
from tagline.connectors.governor import Governor, MemoryKeeper
from tagline.connectors.pace import Lane
from tagline.domain.environment import (
    Connection,
    DataverseConnection,
    FinanceConnection,
    Shift4ShopConnection,
)
from tagline.errors import TryAgainError
from tagline.sandbox.dataverse_protection import Limits, ServiceProtection, ThrottledError
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.shop import LeakyBucket

START = datetime(2026, 11, 2, 15, tzinfo=UTC)
WORKERS = 2
SHOP = Shift4ShopConnection(
    system="shift4shop",
    store_url="https://a.test",
    access_token="env:A",
    time_zone="UTC",
    currency="USD",
    webhook_token="env:B",
)
CRM = DataverseConnection(
    system="dataverse", url="https://a.test", tenant="t", client_id="c", client_secret="env:A"
)
FINANCE = FinanceConnection(
    system="finance", url="https://a.test", tenant="t", client_id="c", client_secret="env:A", company="usmf"
)
orders = st.lists(st.integers(0, 9), min_size=1, max_size=30)
moments = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@dataclass
class Told:
    """What the remote said, and when the request came and its answer went."""

    status: int
    came: float
    went: float
    retry_after_s: float = 0.0


@dataclass
class Remote:
    """A limiter of the sandbox, and the governors of all workers that ask it."""

    config: Connection
    order: Sequence[int]
    lanes: Sequence[Lane] = (Lane.LIVE, Lane.BACK_FILL)
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Turns(START, self.order)
        keeper = MemoryKeeper(fresh_pace(self.config))
        self.governors = [
            governor_for(self.config, self.clock, keep=lambda name, fresh: keeper, lane=lane)
            for _ in range(WORKERS)
            for lane in self.lanes
        ]

    def seconds(self) -> float:
        return (self.clock.now() - START).total_seconds()

    def statuses(self) -> list[int]:
        return [each.status for each in self.told]

    def run(self, ask: Callable[[Governor], None], *, threads: int, goes_on: Callable[[int], bool]) -> None:
        """Let so many threads of each governor ask as long as that is true of the number of their next request."""

        def task(governor: Governor) -> None:
            for number in itertools.takewhile(goes_on, itertools.count()):
                del number
                while True:
                    try:
                        ask(governor)
                    except TryAgainError as error:
                        self.clock.sleep(error.retry_after_s or 1.0)
                    else:
                        break

        self.clock.run([lambda g=g: task(g) for g in self.governors for _ in range(threads)])


@given(orders, moments)
@settings(max_examples=8, deadline=None)
def test_two_workers_never_overfill_the_shops_bucket(order, travels):
    """Requests overtake each other on their way: the reserve is also for that."""
    remote = Remote(SHOP, order)
    bucket, travel = LeakyBucket(remote.clock), itertools.cycle(travels)

    def ask(governor: Governor) -> None:
        with governor.admit() as turn:
            remote.clock.sleep(next(travel))
            came = remote.seconds()
            assert bucket.take()
            remote.clock.sleep(0.1)
            remote.told.append(Told(200, came, remote.seconds()))
            turn.told(200, 0.1)

    remote.run(ask, threads=3, goes_on=lambda number: number < 20)
    assert remote.statuses() == [200] * (20 * 3 * 4)
    # 240 requests: what the bucket holds at once, and the rest at its leak.
    assert remote.seconds() <= (240 - (50 - SHOP.reserve)) / 2 + 10


def ask_organisation(
    remote: Remote, protection: ServiceProtection, governor: Governor, weight: int, cost_s: float
) -> None:
    """One request as the client sends and reads it; raises where the organisation throttles."""
    with governor.admit(weight) as turn, protection.under_way("us"):
        came = remote.seconds()
        protection.admit("us")
        remote.clock.sleep(cost_s)
        protection.settle("us", cost_s, weight)
        left = {name: float(value.replace(",", "")) for name, value in protection.headers("us")}
        remote.told.append(Told(200, came, remote.seconds()))
        turn.told(
            200,
            remote.seconds() - came,
            requests_left=left["x-ms-ratelimit-burst-remaining-xrm-requests"],
            time_left_s=left["x-ms-ratelimit-time-remaining-xrm-requests"],
            parallel_hint=int(left["x-ms-dop-hint"]),
        )


@given(orders, moments, st.floats(0.02, 0.1))
@settings(max_examples=4, deadline=None)
def test_two_workers_never_outspend_the_organisations_execution_time(order, differs, unit_s):
    """About twice what a window has: batches of sixty that take two to ten seconds."""
    remote = Remote(CRM, order)
    protection, differ = ServiceProtection(remote.clock, enforced=True), itertools.cycle(differs)
    each_s = 0.3 + 60 * unit_s
    count = int(2 * 1200 / each_s / 8)

    def ask(governor: Governor) -> None:
        cost_s = each_s * (0.8 + 0.4 * next(differ))
        ask_organisation(remote, protection, governor, 60, cost_s)

    remote.run(ask, threads=2, goes_on=lambda number: number < count)
    assert remote.statuses() == [200] * (count * 2 * 4)


@given(orders, moments)
@settings(max_examples=4, deadline=None)
def test_two_workers_never_send_more_requests_than_the_organisation_takes(order, pauses):
    """Most of the window was spent by the same user elsewhere, which the first answer tells."""
    remote = Remote(CRM, order)
    protection, pause = ServiceProtection(remote.clock, enforced=True), itertools.cycle(pauses)
    for _ in range(5_800):
        protection.admit("us")

    def ask(governor: Governor) -> None:
        ask_organisation(remote, protection, governor, 1, 0.05)
        remote.clock.sleep(next(pause))

    remote.run(ask, threads=2, goes_on=lambda number: number < 40)
    assert remote.statuses() == [200] * (40 * 2 * 4)
    assert remote.seconds() >= 300.0, "the window was never met"


@given(orders)
@settings(max_examples=3, deadline=None)
def test_two_workers_together_never_have_more_under_way_than_the_organisation_takes(order):
    """Sixteen threads of each lane of each worker: sixty-four at once would be twelve too many."""
    remote = Remote(CRM, order)
    protection = ServiceProtection(remote.clock, enforced=True)
    most = []

    def ask(governor: Governor) -> None:
        with governor.admit() as turn, protection.under_way("us"):
            most.append(protection.used()["us"]["under_way"])
            protection.admit("us")
            remote.clock.sleep(1.0)
            protection.settle("us", 1.0, 1)
            turn.told(200, 1.0)

    remote.run(ask, threads=16, goes_on=lambda number: number < 1)
    assert 40 <= max(most) <= 52


def storms(told: Sequence[Told]) -> list[Told]:
    """Requests that were sent although an answer before them had asked for silence."""
    silences = [(each.went, each.went + each.retry_after_s) for each in told if each.retry_after_s]
    return [each for each in told if any(begins < each.came < ends - 0.01 for begins, ends in silences)]


# Ten minutes of two workers are too long to be shrunk.
@given(orders, st.integers(3, 5))
@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_two_workers_find_an_unpublished_rate_and_follow_it_when_it_halves(order, rate):
    remote = Remote(FINANCE, order)
    protection = ServiceProtection(
        remote.clock, enforced=True, limits=Limits(requests=rate * 10, execution_s=1e9, window_s=10.0)
    )
    half, until = 300.0, 600.0

    def ask(governor: Governor) -> None:
        if remote.seconds() >= half:
            protection.limits = Limits(requests=rate * 5, execution_s=1e9, window_s=10.0)
        with governor.admit() as turn:
            came, status, after = remote.seconds(), 200, None
            try:
                protection.admit("us")
            except ThrottledError as error:
                status, after = 429, float(error.retry_after_s)
            remote.clock.sleep(0.1)
            remote.told.append(Told(status, came, remote.seconds(), after or 0.0))
            turn.told(status, 0.1, retry_after_s=after)

    remote.run(ask, threads=1, goes_on=lambda _: remote.seconds() < until)
    assert storms(remote.told) == []
    assert remote.statuses().count(429) <= 0.02 * len(remote.told)
    for since, before, granted in ((150.0, half, rate), (half + 150.0, until, rate / 2)):
        settled = [each.status for each in remote.told if since <= each.came < before]
        assert settled.count(200) >= 0.8 * granted * (before - since)
        assert settled.count(429) <= 0.01 * len(settled)


def sandboxed(system: str) -> tuple[VirtualClock, Sandbox, Callable[..., Any]]:
    """A sandbox that enforces its limits, and a client of it as it is shipped."""
    clock = VirtualClock(START)
    sandbox = Sandbox(clock, rate_limits=True)
    given = sandbox.connection_configs("dev")
    kind = Shift4ShopConnection if system == "shop" else DataverseConnection
    client = connect(
        system,
        kind.model_validate(given[system]),
        clock=clock,
        secrets=lambda reference: str(given["secrets"][reference.removeprefix("env:")]),
        transport=sandbox.transport(),
    )
    return clock, sandbox, client


def test_a_client_as_it_is_shipped_is_never_throttled_by_the_shop():
    clock, sandbox, client = sandboxed("shop")
    with closing(client):
        for wait in (0.0, 7.5):
            clock.advance(wait)
            for _ in range(60):
                client.probe()
    assert [entry.status for entry in sandbox.shops["dev"].door.log] == [200] * 120


def test_a_client_as_it_is_shipped_believes_what_the_organisation_says_is_left():
    clock, sandbox, client = sandboxed("crm")
    organisation = sandbox.organisations["dev"]
    organisation.latency = True
    keys = [(("isocurrencycode", f"X{n}"),) for n in range(20)]
    with closing(client):
        client.probe()
        (user,) = organisation.protection.used()
        for _ in range(5_990):
            organisation.protection.admit(user)
        for _ in range(10):
            clock.sleep(0.5)
            try:
                client.read(TransactionCurrency, keys, ["currencyname"])
                client.recent(Account, 5)
            except TryAgainError as error:
                clock.sleep(error.retry_after_s or 1.0)
    assert [entry.status for entry in organisation.door.log if entry.status == 429] == []
