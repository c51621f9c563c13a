"""
A remote that costs next to nothing, as a process: `python tests/bench/sink.py FOLDER`; prints where it is as one line of JSON.

To tagline it is a shop and an organisation over TLS, whose sign-in, probes and webhooks the sandbox answers; orders are
copies of one order of the sandbox, rows are remembered by key alone. To the others it takes one plain POST an effect. Both
write down when the effect of an order arrived, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tagline.clock import SystemClock
from tagline.connectors.odata.batch import Part, requests_of
from tagline.sandbox.faults import BrokenConnection, Fault
from tagline.sandbox.page import Site
from tagline.sandbox.sandbox import Endpoints, Sandbox
from tagline.sandbox.serve import serve
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import encode_doubles

FIRST_ORDER = 100_001
JSON = (("Content-Type", "application/json"),)
KEYED = re.compile(r"order-(\d+)")
CRLF = b"\r\n"


@dataclass
class Sink:
    """What the remote holds."""

    template: tuple[bytes, ...] = ()
    """An order's JSON, cut where its number belongs."""
    first: int = FIRST_ORDER
    """Number of the shop's oldest order; the others follow it."""
    orders: int = 0
    """How many the shop has."""
    rows: dict[int, str] = field(default_factory=dict)
    """Ids of contacts by order."""
    arrived: dict[int, float] = field(default_factory=dict)
    """When the first effect of an order came; monotonic seconds."""
    is_down: bool = False

    def reset(self, orders: int) -> None:
        """Have so many new orders and nothing else, none of which had these numbers before."""
        self.first, self.orders = self.first + self.orders, orders
        self.rows.clear()
        self.arrived.clear()

    def note(self, order: int) -> None:
        self.arrived.setdefault(order, time.monotonic())

    def order(self, number: int) -> bytes:
        return str(number).encode().join(self.template)


@dataclass
class Shop:
    """The list of orders, and whatever else a shop has as the sandbox answers it."""

    sink: Sink
    inner: Site

    def handle(self, request: Request) -> Response:
        _, found, rest = request.path.partition("/Orders")
        if not found or request.method != "GET":
            return self.inner.handle(request)
        first, last = self.sink.first, self.sink.first + self.sink.orders - 1
        if rest:
            number = int(rest.strip("/"))
            rows = [number] if first <= number <= last else []
        elif "countonly" in request.query:
            return Response(200, JSON, b'{"TotalCount":%d}' % self.sink.orders)
        else:
            start = first + int(request.query["offset"]) - 1
            rows = list(range(start, min(last + 1, start + int(request.query["limit"]))))
        if not rows:
            return Response(404, JSON, b"[]")
        return Response(200, JSON, b"[%s]" % b",".join(map(self.sink.order, rows)))


@dataclass
class Organisation:
    """Reads and writes of contacts in batches, and whatever else an organisation has as the sandbox answers it."""

    sink: Sink
    inner: Site

    def handle(self, request: Request) -> Response:
        if self.sink.is_down:
            raise BrokenConnection(Fault.RESET_BEFORE)
        if not request.path.endswith("/$batch"):
            told = self.inner.handle(request)
            # The sandbox tells what is left of limits that this remote does not have.
            headers = tuple(h for h in told.headers if not h[0].lower().startswith("x-ms-ratelimit"))
            return Response(told.status, headers, told.body)
        pieces = []
        for part in requests_of(request.headers["content-type"], request.body):
            pieces += [
                b"--b",
                b"Content-Type: application/http",
                b"Content-Transfer-Encoding: binary",
                b"",
                self._answer(part),
            ]
        content = CRLF.join([*pieces, b"--b--", b""])
        return Response(200, (("Content-Type", "multipart/mixed; boundary=b"),), content)

    def _answer(self, part: Part) -> bytes:
        keyed = KEYED.search(part.url)
        assert keyed is not None, part.url
        order = int(keyed[1])
        if part.method == "GET" and order not in self.sink.rows:
            return _message("404 Not Found", b'{"error":{"code":"0x80060891","message":"there is none"}}')
        if part.method != "GET":
            self.sink.note(order)
        row = self.sink.rows.setdefault(order, str(uuid.uuid4()))
        return _message("200 OK", b'{"@odata.etag":"W/\\"1\\"","contactid":"%s"}' % row.encode())


def _message(status: str, body: bytes) -> bytes:
    return CRLF.join([f"HTTP/1.1 {status}".encode(), b"Content-Type: application/json", b"", body])


class Trivial(Sandbox):
    """The sandbox behind the sink's own answers."""

    sink = Sink()

    def sites(self, endpoints: Endpoints | None = None) -> Mapping[str, Site]:
        at = endpoints or self.endpoints
        found = dict(super().sites(endpoints))
        for name in self.environments:
            found[at.shops[name]] = Shop(self.sink, found[at.shops[name]])
            found[at.organisations[name]] = Organisation(self.sink, found[at.organisations[name]])
        return found


class Plain(asyncio.Protocol):
    """`POST /effect/<order>` is an effect; `POST /reset/<orders>`, `POST /down/<0 or 1>` and `GET /arrived` are the bench's."""

    sink = Trivial.sink

    def __init__(self) -> None:
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[:end]).decode("latin-1")
            length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._read) < whole:
                return
            del self._read[:whole]
            path = head.split(" ", 2)[1]
            if self.sink.is_down and path.startswith("/effect"):
                self._transport.abort()
                return
            body = self._answer(path)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )

    def _answer(self, path: str) -> bytes:
        match path.split("/"):
            case ["", "effect", order]:
                self.sink.note(int(order))
            case ["", "reset", orders]:
                self.sink.reset(int(orders))
                return b'{"first":%d}' % self.sink.first
            case ["", "down", now]:
                self.sink.is_down = now == "1"
            case ["", "arrived"]:
                return json.dumps({"arrived": self.sink.arrived}).encode()
            case ["", "count"]:
                return b'{"count":%d}' % len(self.sink.arrived.keys() - {0})
        return b'{"ok":true}'


def _template(sandbox: Sandbox) -> tuple[bytes, ...]:
    shop = sandbox.shops["dev"]
    (number,) = shop.place_orders(1, 1)
    text = encode_doubles({**shop.orders[number], "OrderID": FIRST_ORDER}).encode()
    return tuple(text.split(str(FIRST_ORDER).encode()))


def main(folder: Path) -> None:
    """Serve until the input ends."""
    sandbox = Trivial(SystemClock(), 1, ("dev",))
    sandbox.sink.template = _template(sandbox)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Plain, "127.0.0.1", 0))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    with serve(sandbox, folder / "sink-ca.pem") as served:
        told = {
            "plain": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            "configs": served.connection_configs("dev"),
            "order": sandbox.sink.order(FIRST_ORDER).decode(),
        }
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
