"""
Webhook to effect, beside the peers: `python tests/bench/runtime.py [orders] [--peers FOLDER]`, part of `make bench`.

One effect a record, at a remote that costs next to nothing and has no limits, for all alike; ratios of one run count, on a
machine whose load is told beside them. tagline reads each order from the shop again and compares before it writes, over TLS;
the peers post what the webhook held, in the clear. Then what only tagline does: what a crash of the target costs, how long a
start takes, and the whole flow of an order against remotes that enforce their limits.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import load
import peers
import tomlkit
from peers import Peer
from sink import FIRST_ORDER

from tagline.domain.lifecycle import Deployment

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INTEGRATION = "order_to_contact"
PATIENCE_S = 600.0
PACED_S = 10.0
KEPT_S = 150.0
"""How long an acknowledged order may take to arrive once its target is back: retries have waited for it."""
DOWN = 40
AIMS = {"Node-RED": 2.0, "n8n": 100.0}


@dataclass(frozen=True)
class Sink:
    """The remote of all of them."""

    plain: str
    configs: Mapping[str, Any]
    order: str
    process: int

    def body(self, order: int) -> bytes:
        """A webhook's body: the one order, whole."""
        return f"[{self.order.replace(str(FIRST_ORDER), str(order))}]".encode()

    def reset(self, orders: int) -> range:
        """Forget everything; the shop has so many new orders now, whose numbers come back."""
        first = int(load.get(f"{self.plain}/reset/{orders}", b"")["first"])
        return range(first, first + orders)

    def count(self) -> int:
        return int(load.get(f"{self.plain}/count")["count"])

    def arrived(self) -> Mapping[int, float]:
        told = load.get(f"{self.plain}/arrived")["arrived"]
        return {int(order): at for order, at in told.items() if order != "0"}

    def await_orders(self, orders: int, patience_s: float = PATIENCE_S) -> None:
        until = time.monotonic() + patience_s
        while self.count() < orders and time.monotonic() < until:
            time.sleep(load.LOOK_S)


@dataclass(frozen=True)
class Figures:
    """What one of them made of a burst, and of webhooks at a steady rate."""

    name: str
    orders: int
    acknowledged_per_s: float
    records_per_s: float
    cpu_ms: float
    """Of all its processes, for each record."""
    most_mb: float
    p99_ms: float
    per_s: float
    """The steady rate at which the latency was taken."""

    def __str__(self) -> str:
        return (
            f"{self.name:<26} {self.orders:6d} {self.acknowledged_per_s:9.0f}/s {self.records_per_s:8.1f}/s"
            f" {self.cpu_ms:8.2f} ms {self.most_mb:7.0f} MB {self.p99_ms:8.0f} ms at {self.per_s:.0f}/s"
        )


@contextmanager
def sink(folder: Path) -> Iterator[Sink]:
    command = [sys.executable, str(HERE / "sink.py"), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        told = json.loads(process.stdout.readline())
        yield Sink(told["plain"], told["configs"], told["order"], process.pid)
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def tagline(folder: Path, remote: Sink) -> Iterator[Peer]:
    """The agent with its worker; a stray webhook has been through when it is given."""
    place = folder / "tagline"
    place.mkdir()
    shutil.copytree(
        HERE / INTEGRATION, place / "integration", ignore=shutil.ignore_patterns("__pycache__", "README.md")
    )
    listen = f"127.0.0.1:{peers.free_port()}"
    agent = {"listen": listen, "public_url": f"http://{listen}", "state": "state"}
    config = {
        "environment": "dev",
        "agent": {**agent, "state_key": "env:TAGLINE_DEV_STATE_KEY"},
        "connections": {name: remote.configs[name] for name in ("shop", "crm")},
    }
    (place / "config.toml").write_text(tomlkit.dumps(config))
    decided = Deployment(
        id=f"{INTEGRATION}-000001",
        integration=INTEGRATION,
        version="1.0.0",
        closure="sha256:bench",
        tag_object="",
        commit="",
        config_digest="",
        config_commit="",
        decided_at=datetime.now(UTC),
        decided_by="bench",
    )
    (place / "deployment.json").write_text(decided.model_dump_json())
    secrets = remote.configs["secrets"]
    command = [sys.executable, str(HERE / "unbound.py"), "agent", str(place)]
    with (place / "agent.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **secrets}, stdout=log, stderr=log)
    hook = (
        f"http://{listen}/hooks/{INTEGRATION}/shop/order-placed/{secrets['TAGLINE_DEV_SHOP_WEBHOOK_TOKEN']}"
    )
    try:
        _await_hook(hook, process, place / "agent.log")
        yield Peer("tagline", hook, process.pid)
    finally:
        process.terminate()
        process.wait()


def _await_hook(hook: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + peers.START_S
    while True:
        try:
            load.get(hook, b'[{"OrderID": 1}]')
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(f"tagline takes no webhooks: {log.read_text()[-2000:]}") from None
            time.sleep(load.LOOK_S)
        else:
            return


def measured(peer: Peer, remote: Sink, orders: int, per_s: float) -> Figures:
    """A burst as fast as it is taken, then a steady trickle."""
    load.post(peer.url, remote.reset(min(200, orders)), remote.body)  # what is done once is done now
    remote.await_orders(min(200, orders))

    numbers = remote.reset(orders)
    processes = load.tree(peer.process)
    before = load.cpu_s(processes)
    told = load.post(peer.url, numbers, remote.body)
    remote.await_orders(orders)
    arrived = remote.arrived()
    spent = load.cpu_s(processes) - before
    missing = len(told.at.keys() - arrived.keys())
    assert not missing, f"{peer.name}: {missing} acknowledged orders did not arrive"

    trickle = remote.reset(int(PACED_S * per_s))
    sent = load.post(peer.url, trickle, remote.body, connections=64, per_s=per_s).sent_at
    remote.await_orders(len(trickle))
    late = remote.arrived()
    waited = [late[order] - at for order, at in sent.items()]
    return Figures(
        peer.name,
        orders,
        orders / (max(told.at.values()) - told.began),
        orders / (max(arrived.values()) - told.began),
        spent / orders * 1000,
        load.memory_mb(processes, "VmHWM"),
        load.percentile(waited, 0.99) * 1000,
        per_s,
    )


def kept(peer: Peer, remote: Sink) -> int:
    """Of forty orders that were acknowledged while the target was down, how many arrived once it was back."""
    orders = remote.reset(DOWN)
    load.get(f"{remote.plain}/down/1", b"")
    told = load.post(peer.url, orders, remote.body)
    time.sleep(5)
    load.get(f"{remote.plain}/down/0", b"")
    remote.await_orders(len(told.at), KEPT_S)
    return len(remote.arrived())


Start = Callable[[], Any]


def _contenders(
    folder: Path, installed: Path | None, remote: Sink
) -> Iterator[tuple[str, Start | str, float, float]]:
    """Name, how to start it or why it cannot be, its share of the orders, and its steady rate."""
    yield "tagline", partial(tagline, folder, remote), 1.0, 50.0
    for name, shown, start, share, per_s in (
        ("node-red", "Node-RED", peers.node_red, 0.5, 50.0),
        ("n8n", "n8n", peers.n8n, 0.01, 2.0),
    ):
        found = peers.program(installed, name)
        if found is None:
            yield (
                shown,
                "not installed: `make bench-peers PEERS=folder`, then `make bench PEERS=folder`",
                0,
                0,
            )
        else:
            yield shown, partial(start, found, folder, remote.plain), share, per_s
    yield "DBOS, a workflow an event", partial(peers.dbos_per_event, folder, remote.plain), 0.05, 20.0


def side_by_side(orders: int, installed: Path | None) -> None:
    """One effect a record, one contender after the other."""
    head = f"{'webhook to one effect':<26} {'orders':>6} {'taken':>11} {'arrived':>10} {'CPU each':>11} {'most':>10} {'p99':>11}"
    print(f"\n{head}")
    found: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as place, sink(Path(place)) as remote:
        folder = Path(place)
        for name, start, share, per_s in _contenders(folder, installed, remote):
            if isinstance(start, str):
                print(f"{name:<26} {start}")
                continue
            try:
                with start() as peer:
                    found[name] = measured(peer, remote, max(50, int(orders * share)), per_s)
                    is_asked = name in ("tagline", "Node-RED")
                    durable = f"  {kept(peer, remote)} of {DOWN} kept" if is_asked else ""
            except peers.CannotStartError as error:
                print(f"{name:<26} does not start here: {error}")
                continue
            print(f"{found[name]}{durable}  load {os.getloadavg()[0]:.1f}", flush=True)
    ours = found["tagline"]
    for name, theirs in found.items():
        if theirs is not ours:
            aim = f", the aim is x {AIMS[name]:.0f}" if name in AIMS else ""
            print(
                f"  tagline | {name}: x {ours.records_per_s / theirs.records_per_s:.1f} records a second{aim}; "
                f"x {theirs.cpu_ms / ours.cpu_ms:.1f} less CPU a record"
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("orders", type=int, nargs="?", default=10_000)
    parser.add_argument("--peers", type=Path, default=None, help="where peers.py installed them")
    given = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    side_by_side(given.orders, given.peers)


if __name__ == "__main__":
    main()
