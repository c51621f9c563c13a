"""How close to full the governor spends each remote's budget: `python tests/bench/budgets.py [orders]`, part of `make bench`.

Dataverse and the shop are sandboxes in this process that enforce their documented limits and take their simulated time on
a clock which moves while everybody waits. Fewer than 10,000 orders meet limits that are smaller by as much, so that each
row stands for 10,000 orders into a budget of which nothing was spent; the first window counts, though it waits for nothing.

In batches an upsert is what the live driver makes of it: keyed reads, then the creates of what is not there. Beside it
stands the least that a client without batches needs: one request an effect, and no read.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from idle_clock import IdleClock

from tagline.connectors import connect
from tagline.connectors.budget_limits import Allotment, ExecutionTime, InFlight, LeakyBucket, Limit, Window
from tagline.connectors.budgets import (
    DATAVERSE_CONCURRENT,
    DATAVERSE_EXECUTION_S,
    DATAVERSE_IN_FLIGHT,
    DATAVERSE_REQUESTS,
    FINANCE_IN_FLIGHT,
    FINANCE_RATE,
    SHOP_BUCKET,
    SHOP_IN_FLIGHT,
    SHOP_LEAK_PER_S,
    SLOT_S,
    WINDOW_S,
)
from tagline.connectors.dataverse import SalesOrder, SalesOrderDetail
from tagline.connectors.governor import Governor
from tagline.connectors.learned_rate import LearnedRate
from tagline.connectors.pace import Pace
from tagline.connectors.shift4shop import Order
from tagline.domain.environment import DataverseConnection, Shift4ShopConnection
from tagline.domain.exchange import Connector, Write, WriteKind
from tagline.domain.model import Ref, ref_targets
from tagline.sandbox.dataverse_protection import Limits
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.sandbox import Sandbox

LINES = 5
PATIENCE_S = 36_000.0
SETTLING_S = 60.0
"""By then a rate that must be learned has been met and returned to."""


@dataclass
class Counted(httpx.BaseTransport):
    """Counts what reaches the remotes, beside the sign-in."""

    inner: httpx.BaseTransport
    clock: IdleClock
    answers: list[tuple[float, int]] = field(default_factory=list)
    """When each came, and its status."""
    cpu_s: float = 0.0
    """What the sandbox itself worked."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        began, cpu = self.clock.now().timestamp(), time.thread_time()
        response = self.inner.handle_request(request)
        with self.lock:
            self.cpu_s += time.thread_time() - cpu
            if "login" not in request.url.host:
                self.answers.append((began, response.status_code))
        return response

    @property
    def throttled(self) -> float:
        """Share of the calls."""
        return sum(status == 429 for _, status in self.answers) / len(self.answers)


@dataclass
class Unpublished(httpx.BaseTransport):
    """Around a remote: lets through so many requests a second over a bucket of two seconds, and tells it to nobody."""

    inner: httpx.BaseTransport
    clock: IdleClock
    rate: float
    level: float = 0.0
    at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            now = self.clock.now().timestamp()
            self.level = max(0.0, self.level - self.rate * (now - self.at))
            self.at = now
            full = self.level + 1 > 2 * self.rate
            self.level += not full
        if full:
            return httpx.Response(429, headers={"retry-after": "5"}, request=request)
        return self.inner.handle_request(request)


@dataclass(frozen=True)
class Ran:
    """One way of doing the work."""

    what: str
    per_s: float
    """Rows in a second of the remote's time, at its limits as they are."""
    share: float
    """Of the binding limit that was used, from the first request on."""
    throttled: float
    """Share of the calls."""
    cpu_ms: float
    """Of the connector for each order, without the sandbox's and the clock's."""
    requests: int
    remark: str = ""


@contextmanager
def _sandbox() -> Iterator[tuple[Sandbox, IdleClock]]:
    with closing(IdleClock()) as clock:
        yield Sandbox(clock, rate_limits=True), clock


def dataverse(orders: int, what: str, *, together: bool) -> Ran:
    """Upsert orders with their lines; the limits shrink with the orders, so that few of them meet them."""
    scale = orders / 10_000
    requests, execution_s = int(DATAVERSE_REQUESTS * scale), DATAVERSE_EXECUTION_S * scale
    limits: tuple[Limit, ...] = (
        Window(requests, WINDOW_S, SLOT_S),
        ExecutionTime(execution_s, WINDOW_S, SLOT_S),
        InFlight(DATAVERSE_CONCURRENT),
        Allotment(500_000),
    )
    with _sandbox() as (sandbox, clock):
        organisation = sandbox.organisations["dev"]
        organisation.latency = True
        organisation.protection.limits = Limits(requests, execution_s)
        spent: list[tuple[float, float]] = []
        settle = organisation.protection.settle

        def settled(user: str, spent_s: float, requests: int) -> None:
            spent.append((clock.now().timestamp(), spent_s))
            settle(user, spent_s, requests)

        organisation.protection.settle = settled  # type: ignore[method-assign]
        counted = Counted(sandbox.transport(), clock)
        governor = Governor(clock, Pace(limits), DATAVERSE_IN_FLIGHT, patience_s=PATIENCE_S)
        began = clock.now().timestamp()
        with closing(_crm(sandbox, counted, governor)) as client:
            elapsed, cpu = _orders(client, clock, sandbox, orders, together)
    # What the last window that only began had no time for is nobody's waste.
    windows = max(1, int(elapsed // WINDOW_S))
    until = began + windows * WINDOW_S
    share = max(
        sum(cost for at, cost in spent if at < until) / (execution_s * windows),
        sum(at < until for at, _ in counted.answers) / (requests * windows),
    )
    remark = f"limits at {scale:.0%}, rate at full limits"
    return _ran(what, orders, orders * (LINES + 1) / elapsed / scale, share, counted, cpu, remark)


def learned(orders: int, what: str, rate: float) -> Ran:
    """The same, one request an effect, at a remote that lets through `rate` requests a second and does not say so."""
    with _sandbox() as (sandbox, clock):
        organisation = sandbox.organisations["dev"]
        organisation.latency = True
        organisation.protection.enforced = False
        counted = Counted(Unpublished(sandbox.transport(), clock, rate), clock)
        pace = Pace((LearnedRate(FINANCE_RATE),))
        governor = Governor(clock, pace, FINANCE_IN_FLIGHT, patience_s=PATIENCE_S)
        began = clock.now().timestamp()
        with closing(_crm(sandbox, counted, governor)) as client:
            elapsed, cpu = _orders(client, clock, sandbox, orders, together=False)
    passed = [at for at, status in counted.answers if status != 429]
    settled = sum(at >= began + SETTLING_S for at in passed) / (rate * (elapsed - SETTLING_S))
    remark = f"{settled:.0%} after the first {SETTLING_S:.0f} s"
    share = len(passed) / (rate * elapsed)
    return _ran(what, orders, orders * (LINES + 1) / elapsed, share, counted, cpu, remark)


def _ran(
    what: str, orders: int, per_s: float, share: float, counted: Counted, cpu_s: float, remark: str
) -> Ran:
    cpu_ms = (cpu_s - counted.cpu_s) / orders * 1000
    return Ran(what, per_s, share, counted.throttled, cpu_ms, len(counted.answers), remark)


def _crm(sandbox: Sandbox, transport: httpx.BaseTransport, governor: Governor) -> Connector:
    given = sandbox.connection_configs("dev")
    return connect(
        "crm",
        DataverseConnection.model_validate(given["crm"]),
        clock=sandbox.clock,
        secrets=lambda reference: str(given["secrets"][reference.removeprefix("env:")]),
        transport=transport,
        governor=governor,
    )


def _orders(
    client: Connector, clock: IdleClock, sandbox: Sandbox, orders: int, together: bool
) -> tuple[float, float]:
    """Seconds of the remote's time and of this process's CPU that it took."""
    rows = sandbox.organisations["dev"].rows
    held = {name: rows.all(tables()[name]) for name in ("pricelevel", "transactioncurrency", "account")}
    header = {
        "pricelevelid": _ref("pricelevelid", next(r for r in held["pricelevel"] if r["name"] == "Web")),
        "transactioncurrencyid": _ref("transactioncurrencyid", held["transactioncurrency"][0]),
        "customerid": _ref("customerid", held["account"][0]),
    }
    client.probe()
    began, cpu = sandbox.clock.now(), time.process_time() - clock.cpu_s
    for first in range(0, orders, 200):
        numbers = range(first, min(orders, first + 200))
        made = _perform(client, [_order(n, header) for n in numbers], together)
        lines = [_line(n, k, made[n - first]) for n in numbers for k in range(LINES)]
        _perform(client, lines, together)
    return (sandbox.clock.now() - began).total_seconds(), time.process_time() - clock.cpu_s - cpu


def _perform(client: Connector, writes: Sequence[Write], together: bool) -> list[str]:
    if together:
        model = writes[0].model
        assert not client.read(model, [w.key for w in writes], [n for n, _ in writes[0].key])
        outcomes = list(client.perform(writes))
    else:
        with ThreadPoolExecutor(16) as pool:
            outcomes = [
                outcome for told in pool.map(lambda w: client.perform([w]), writes) for outcome in told
            ]
    wrong = [o for o in outcomes if o.id is None]
    assert not wrong, wrong[0]
    return [str(o.id) for o in outcomes]


def _ref(column: str, row: Mapping[str, Any]) -> Ref[Any]:
    targets = ref_targets(SalesOrder.model_fields[column].annotation)
    target = next(t for t in targets if t.remote.primary_id in row)
    return Ref(target, ((target.remote.primary_id, row[target.remote.primary_id]),))


def _order(number: int, header: dict[str, Any]) -> Write:
    key = f"bench~{number}"
    return Write(
        WriteKind.CREATE, SalesOrder, (("tl_orderkey", key),), {"tl_orderkey": key, "name": key, **header}
    )


def _line(number: int, place: int, order: str) -> Write:
    key = f"bench~{number}~{place}"
    fields = {
        "tl_linekey": key,
        "salesorderid": Ref(SalesOrder, (("salesorderid", order),)),
        "isproductoverridden": True,
        "productdescription": "bench",
        "quantity": Decimal(1),
        "priceperunit": Decimal("9.50"),
    }
    return Write(WriteKind.CREATE, SalesOrderDetail, (("tl_linekey", key),), fields)


def shop(orders: int, what: str, *, together: bool) -> Ran:
    """
    Write a field of orders back, in bulk or one by one, from a full bucket on.

    What an empty bucket takes at once would be half of the bulk requests and a sixth of the others.
    """
    with _sandbox() as (sandbox, clock):
        given = sandbox.connection_configs("dev")
        counted = Counted(sandbox.transport(), clock)
        pace = Pace((LeakyBucket(SHOP_BUCKET, SHOP_LEAK_PER_S),))
        client = connect(
            "shop",
            Shift4ShopConnection.model_validate(given["shop"]),
            clock=clock,
            secrets=lambda reference: str(given["secrets"][reference.removeprefix("env:")]),
            transport=counted,
            governor=Governor(clock, pace, SHOP_IN_FLIGHT, patience_s=PATIENCE_S),
        )
        keys = sandbox.shops["dev"].place_orders(orders, seed=3)
        writes = [
            Write(
                WriteKind.UPDATE,
                Order,
                (("OrderID", key),),
                {"ExternalComments": f"bench {key}"},
                id=str(key),
            )
            for key in keys
        ]
        with closing(client):
            for _ in range(SHOP_BUCKET):
                client.probe()
            counted.answers.clear()
            counted.cpu_s = 0.0
            began, cpu = clock.now(), time.process_time() - clock.cpu_s
            size = 100 if together else 1
            for first in range(0, len(writes), size):
                outcomes = client.perform(writes[first : first + size])
                assert all(not o.code for o in outcomes), outcomes[0]
            elapsed = (clock.now() - began).total_seconds()
            cpu = time.process_time() - clock.cpu_s - cpu
    share = len(counted.answers) / (SHOP_LEAK_PER_S * elapsed)
    return _ran(what, orders, orders / elapsed, share, counted, cpu, "from a full bucket on")


def show(rows: Sequence[Ran], unit: str) -> None:
    base = rows[-1].per_s
    for ran in rows:
        print(
            f"{ran.what:<50} {ran.per_s:7.1f} {unit}/s x {ran.per_s / base:5.1f}  {ran.requests:6d} requests  "
            f"limit used {ran.share:4.0%}  throttled {ran.throttled:6.2%}  {ran.cpu_ms:5.2f} ms CPU an order"
            f"  ({ran.remark})"
        )


def main(orders: int) -> None:
    """Print what each way of working made of the same budget."""
    many = min(10_000, orders)
    few = min(500, many // 4)
    print(f"\nbudgets: {many} orders with {LINES} lines in batches, {few} with one request an effect")
    show(
        [
            dataverse(many, "Dataverse, upserts in batches", together=True),
            dataverse(few, "Dataverse, one request an effect", together=False),
        ],
        "rows",
    )
    show([learned(2 * few, "unpublished 20 requests a second, one an effect", 20.0)], "rows")
    show(
        [
            shop(10_000, "3dcart, write-backs in bulk PUTs", together=True),
            shop(300, "3dcart, one PUT an order", together=False),
        ],
        "orders",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
