"""
What a webhook costs until it is durable: servers x storages, each in a process of its own, one after the other in this one run.

    python tests/bench/intake.py [SECONDS [ROUNDS]]

Every delivery is an order of 2 kB with a key of its own, parsed by the shop's connector. Two senders with raw sockets keep
64 connections busy; their CPU is shown too, so that it can be seen that they are not what is measured. Servers that are not
installed are left out. Of each combination the best round by requests a second counts; rows are counted in all.
"""

import asyncio
import importlib.util
import json
import logging
import os
import resource
import select
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from tagline.clock import SystemClock
from tagline.connectors.shift4shop.webhooks import to_change
from tagline.domain.exchange import Change, Request
from tagline.errors import TaglineError
from tagline.runtime.intake import Door, Hook, Intake, Limits
from tagline.runtime.key_ring import KeyRing, make_key
from tagline.runtime.rate import Rate
from tagline.runtime.store import Hint, Store

TOKEN = "t0ken-of-the-bench-1234"
PATH = f"/hooks/bench/shop/order-placed/{TOKEN}"
CONNECTIONS = 64
SENDERS = 2
STORAGES = ("none", "a commit each", "group commit")
AIM_TIMES, AIM_P99_MS = 5.0, 100.0
ORDER = {
    "OrderID": 0,
    "InvoiceNumberPrefix": "AB-",
    "OrderStatusID": 1,
    "CustomerComments": "x" * 700,
    "OrderItemList": [
        {"ItemID": f"SKU-{n}", "ItemQuantity": 1.0, "ItemUnitPrice": 9.5, "ItemDescription": "y" * 150}
        for n in range(5)
    ],
}


# The server, in a process of its own


class Shop:
    """The part of the shop's connector that an intake calls."""

    def hint(self, request: Request) -> Sequence[Change]:
        return [to_change(request, "shop")]


class Nothing:
    """No storage."""

    def receive(self, hints: Sequence[Hint]) -> int:
        return len(hints)

    def reject(self, integration: str, flow: str, key: str, error: TaglineError) -> None:
        del integration, flow, key, error

    def check(self) -> None:
        pass


class Alone:
    """The same store, one commit a delivery."""

    def __init__(self, store: Store) -> None:
        self.reject, self.check, self._store = store.reject, store.check, store

    def receive(self, hints: Sequence[Hint]) -> int:
        return sum(self._store.receive([hint]) for hint in hints)


def listening() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(2048)
    return made


def uvicorn_with(http: str, loop: str) -> Callable[[Intake], None]:
    def run(intake: Intake) -> None:
        config = uvicorn.Config(
            intake,
            http=http,  # type: ignore[arg-type]
            loop=loop,  # type: ignore[arg-type]
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            proxy_headers=False,
        )
        sock = listening()
        tell({"port": sock.getsockname()[1]})
        server = uvicorn.Server(config)
        _on_end(lambda: setattr(server, "should_exit", True))
        server.run([sock])

    return run


def granian_with(interface: str) -> Callable[[Intake], None]:
    def run(intake: Intake) -> None:
        from granian.constants import Interfaces
        from granian.server.embed import Server

        with listening() as free:
            port = free.getsockname()[1]

        async def rsgi(scope: Any, protocol: Any) -> None:
            status, headers, body = 0, [], b""

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": await protocol()}

            async def send(message: Any) -> None:
                nonlocal status, headers, body
                if message["type"] == "http.response.start":
                    status = message["status"]
                    headers = [(n.decode(), v.decode()) for n, v in message["headers"]]
                else:
                    body = message["body"]

            pairs = [(name.encode(), value.encode()) for name, value in scope.headers.items()]
            asked = {"type": "http", "method": scope.method, "path": scope.path, "headers": pairs}
            asked["query_string"] = scope.query_string.encode()
            await intake(asked, receive, send)
            protocol.response_bytes(status, headers, body)

        async def serve() -> None:
            server = Server(
                rsgi if interface == "rsgi" else intake,
                address="127.0.0.1",
                port=port,
                interface=Interfaces(interface if interface == "rsgi" else "asginl"),
                log_enabled=False,
                backlog=2048,
                backpressure=2048,
                websockets=False,
            )
            loop = asyncio.get_running_loop()
            _on_end(lambda: loop.call_soon_threadsafe(server.stop))
            loop.call_later(0.5, tell, {"port": port})
            await server.serve()

        asyncio.run(serve())

    return run


def _on_end(stop: Callable[[], Any]) -> None:
    """Stop when the parent closes our standard input."""
    import threading

    def wait() -> None:
        sys.stdin.read()
        stop()

    threading.Thread(target=wait, daemon=True).start()


SERVERS: Mapping[str, tuple[Sequence[str], Callable[[Intake], None]]] = {
    "uvicorn": ((), uvicorn_with("h11", "asyncio")),
    "uvicorn httptools": (("httptools",), uvicorn_with("httptools", "asyncio")),
    "uvicorn httptools uvloop": (("httptools", "uvloop"), uvicorn_with("httptools", "uvloop")),
    "granian ASGI": (("granian",), granian_with("asgi")),
    "granian RSGI": (("granian",), granian_with("rsgi")),
}


def tell(said: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def run_server(name: str, storage: str, folder: Path) -> None:
    logging.disable(logging.CRITICAL)
    store = Store.open(folder / "state.sqlite", ring=KeyRing.of(make_key().text), clock=SystemClock())
    inbox = {"none": Nothing(), "a commit each": Alone(store), "group commit": store}[storage]
    intake = Intake(
        inbox,
        lambda name: None,
        lambda line: None,
        clock=SystemClock(),
        limits=Limits(rate=Rate(per_s=1e9, burst=1e9)),
    )
    hook = Hook.opened_by((TOKEN,), Shop())  # type: ignore[arg-type]
    intake.open("bench", Door({"shop": (hook,)}, {("shop", "order-placed"): ("orders",)}))
    SERVERS[name][1](intake)
    intake.stop()
    store.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    tell({"cpu_s": used.ru_utime + used.ru_stime, "memory_kb": used.ru_maxrss})


# The senders, each in a process of its own


@dataclass
class Sending:
    """One connection: what it waits for since when."""

    sock: socket.socket
    since: float = 0.0
    answer: bytes = b""


def run_sender(port: int, seconds: float, connections: int, first: int, step: int) -> None:
    head, tail = json.dumps([ORDER]).split('"OrderID": 0,')
    length = len(head) + len(tail) + len('"OrderID": 1000000000,')
    start = (
        f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        f'{head}"OrderID": '
    ).encode()
    end = f",{tail}".encode()
    poll = select.epoll()
    sending = {}
    number = 1_000_000_000 + first
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(sock, select.EPOLLIN)
        sending[sock.fileno()] = Sending(sock)
    latencies, acked, refused = array("d"), 0, 0
    now, until = time.perf_counter(), time.perf_counter() + seconds
    began = now
    for each in sending.values():
        each.since = now
        each.sock.sendall(b"%b%d%b" % (start, number, end))
        number += step
    open_ = len(sending)
    while open_:
        for fd, _ in poll.poll(5):
            each = sending[fd]
            got = each.sock.recv(4096)
            each.answer += got
            # All our answers are one JSON object; a server may send head and body apart.
            if got and not each.answer.endswith(b"}"):
                continue
            answer, each.answer = each.answer, b""
            now = time.perf_counter()
            if answer[9:12] == b"202":
                acked += 1
                latencies.append(now - each.since)
            else:
                refused += 1
            if now < until and answer:
                each.since = now
                each.sock.sendall(b"%b%d%b" % (start, number, end))
                number += step
            else:
                poll.unregister(fd)
                each.sock.close()
                open_ -= 1
    took = time.perf_counter() - began
    used = time.process_time()
    tell({"acked": acked, "refused": refused, "took_s": took, "cpu_s": used, "latencies": latencies.tolist()})


# Side by side


@dataclass(frozen=True)
class Figures:
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Of the server, a request."""
    sender_us: float
    """Of the senders, a request."""
    acked: int
    stored: int | None
    refused: int

    @property
    def is_honest(self) -> bool:
        return self.stored is None or self.acked <= self.stored


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, __file__, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def measure(server: str, storage: str, seconds: float) -> Figures:
    with tempfile.TemporaryDirectory() as folder, child("serve", server, storage, folder) as process:
        assert process.stdin is not None
        port = said(process)["port"]
        senders = [
            subprocess.Popen(
                [
                    sys.executable,
                    __file__,
                    "send",
                    str(port),
                    str(seconds),
                    str(CONNECTIONS // SENDERS),
                    str(n),
                ],
                stdout=subprocess.PIPE,
                text=True,
            )
            for n in range(SENDERS)
        ]
        told = [json.loads(sender.communicate()[0]) for sender in senders]
        process.stdin.close()
        cpu_s = said(process)["cpu_s"]
        process.wait()
        stored = None
        if storage != "none":
            with sqlite3.connect(Path(folder) / "state.sqlite") as db:
                stored = db.execute("SELECT count(*) FROM inbox").fetchone()[0]
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            db.close()
    acked = sum(t["acked"] for t in told)
    latencies = sorted(x for t in told for x in t["latencies"])
    return Figures(
        acked / max(t["took_s"] for t in told),
        latencies[len(latencies) // 2] * 1e3,
        latencies[int(len(latencies) * 0.99)] * 1e3,
        cpu_s / acked * 1e6,
        sum(t["cpu_s"] for t in told) / acked * 1e6,
        acked,
        stored,
        sum(t["refused"] for t in told),
    )


def main(seconds: float = 4.0, rounds: int = 2) -> None:
    names = [name for name, (needs, _) in SERVERS.items() if all(importlib.util.find_spec(n) for n in needs)]
    print(
        f"{CONNECTIONS} connections, {seconds:g} s, best of {rounds} interleaved rounds, load {os.getloadavg()[0]:.1f}"
    )
    print(f"left out, not installed: {', '.join(SERVERS.keys() - set(names)) or 'none'}")
    best: dict[tuple[str, str], Figures] = {}
    honest = True
    for _ in range(rounds):
        for name in names:
            for storage in STORAGES:
                found = measure(name, storage, seconds)
                honest = honest and found.is_honest
                before = best.get((name, storage))
                if before is None or found.per_s > before.per_s:
                    best[name, storage] = found
    print(
        f"{'server':26}{'storage':16}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'cpu us':>8}{'sender':>8}{'acked':>9}{'stored':>9}"
    )
    for (name, storage), f in best.items():
        stored = "" if f.stored is None else f.stored
        print(
            f"{name:26}{storage:16}{f.per_s:8.0f}{f.p50_ms:9.1f}{f.p99_ms:9.1f}{f.cpu_us:8.0f}{f.sender_us:8.0f}"
            f"{f.acked:9}{stored:>9}" + (f"  {f.refused} refused" if f.refused else "")
        )
    for name in names:
        each, group = best[name, "a commit each"], best[name, "group commit"]
        times = group.per_s / each.per_s
        kept = times >= AIM_TIMES and group.p99_ms <= AIM_P99_MS
        print(
            f"{name}: group commit {times:.1f} x a commit each, p99 {group.p99_ms:.0f} ms: {'aim' if kept else 'below the aim'}"
        )
    print("acknowledged <= stored in every round" if honest else "LOST: acknowledged and not stored")
    if not honest:
        sys.exit(1)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", name, storage, folder]:
            run_server(name, storage, Path(folder))
        case ["send", port, seconds, connections, first]:
            run_sender(int(port), float(seconds), int(connections), int(first), SENDERS)
        case [*given]:
            main(*(float(g) if n == 0 else int(g) for n, g in enumerate(given)))  # type: ignore[arg-type]
