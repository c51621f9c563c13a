"""The sandbox over TLS on loopback: every site on a port of its own, same paths as the remotes."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tagline.errors import UsageError
from tagline.sandbox import assumptions
from tagline.sandbox.arrival import GoneError, Receive, RefusedError, Scope, arrived
from tagline.sandbox.ca import Authority
from tagline.sandbox.dataverse_webhooks import TIMEOUT_S as WEBHOOK_TIMEOUT_S
from tagline.sandbox.deliverer import Deliverer
from tagline.sandbox.faults import BrokenConnection, Fault
from tagline.sandbox.page import Site
from tagline.sandbox.sandbox import PLACES, Endpoints, Sandbox, places
from tagline.sandbox.values import Response

HOST = "127.0.0.1"
MOST_AT_ONCE = 128
"""Requests that are answered at a time; more than any limit on concurrency, so that those can be met."""
START_TIMEOUT_S = 30.0
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Served:
    """A sandbox that is being served."""

    sandbox: Sandbox
    endpoints: Endpoints
    authority: Authority
    """Issues further certificates for loopback, for example for the webhook intake."""

    def connection_configs(self, env: str) -> dict[str, dict[str, Any]]:
        """See `Sandbox.connection_configs`, at the served addresses."""
        return self.sandbox.connection_configs(env, self.endpoints)


class _Protocol(H11Protocol):
    """Lets the application break its connection, as a remote in trouble does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["tagline.abort"] = self.transport.abort
            await inner(scope, receive, send)

        self.app = app


class _Application:
    """One site as an ASGI application."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await asyncio.to_thread(self._site.handle, await arrived(scope, receive))
        except GoneError:
            return
        except RefusedError as refused:
            await _respond(refused.response, refused.response.body, send)
        except BrokenConnection as broken:
            await _break(broken, scope, receive, send)
        else:
            await _respond(response, response.body, send)


async def _respond(response: Response, body: bytes, send: Send) -> None:
    """Send the answer; a `body` shorter than the whole one leaves it torn."""
    headers = [
        (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in response.headers
    ]
    if response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": len(body) < len(response.body)})


async def _break(broken: BrokenConnection, scope: Scope, receive: Receive, send: Send) -> None:
    if broken.fault is Fault.TORN_BODY and broken.partial is not None and len(broken.partial[2]) > 1:
        response = Response(*broken.partial)
        await _respond(response, response.body[: len(response.body) // 2], send)
        return  # the server closes what is incomplete
    if broken.fault not in (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER):
        scope["tagline.abort"]()
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def bound(sandbox: Sandbox, base_port: int | None = None) -> Iterator[Sequence[socket.socket]]:
    """
    Take a port for every site, in the order of `Sandbox.sites`; whoever connects waits until they are served.

    Args:
        base_port: The login's; the others follow as `ports_of` says. None lets the system choose.

    Raises:
        UsageError: A port is taken (code `sandbox-port-taken`).
    """
    ports = ports_of(sandbox.environments, base_port)
    sockets = _bind(ports)
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()


@contextmanager
def serve(
    sandbox: Sandbox,
    ca_file: Path,
    base_port: int | None = None,
    *,
    sockets: Sequence[socket.socket] | None = None,
) -> Iterator[Served]:
    """
    Serve every site until the block ends, and deliver the shops' webhooks.

    Args:
        ca_file: Where the certificate to trust is written; the authority that stands beside it already is used on.
        base_port: See `bound`.
        sockets: Ports that `bound` took already, in place of others.

    Raises:
        UsageError: A port is taken (code `sandbox-port-taken`), or the certificate cannot be written (code
            `sandbox-file-unusable`).
    """
    with ExitStack() as stack:
        # Ports first: a sandbox that cannot have them changes nothing for the one that has.
        if sockets is None:
            sockets = stack.enter_context(bound(sandbox, base_port))
        authority = Authority(ca_file)
        endpoints = _endpoints(sandbox, [s.getsockname()[1] for s in sockets], ca_file)
        sandbox.login.resources.update((*endpoints.organisations.values(), *endpoints.finance.values()))
        pem = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagline-sandbox-"))) / "server.pem"
        authority.issue(pem)
        deliverers = []
        for shop in sandbox.shops.values():
            deliverers.append(
                Deliverer(shop.webhooks, sandbox.clock, ca_file, sandbox.save, assumptions.WEBHOOK_TIMEOUT_S)
            )
            shop.webhooks.on_queued = deliverers[-1].wake
        for organisation in sandbox.organisations.values():
            deliverers.append(
                Deliverer(organisation.webhooks, sandbox.clock, ca_file, sandbox.save, WEBHOOK_TIMEOUT_S)
            )
            organisation.webhooks.on_queued = deliverers[-1].wake
            organisation.webhooks.send = deliverers[-1].send
        for finance in sandbox.finance.values():
            deliverers.append(
                Deliverer(finance.events, sandbox.clock, ca_file, sandbox.save, WEBHOOK_TIMEOUT_S)
            )
            finance.events.on_queued = deliverers[-1].wake
        servers = [_server(site, pem) for site in sandbox.sites(endpoints).values()]
        thread = threading.Thread(target=_run, args=(servers, sockets), name="sandbox sites", daemon=True)
        thread.start()
        try:
            _await_start(servers, thread)
            for deliverer in deliverers:
                deliverer.start()
            yield Served(sandbox, endpoints, authority)
        finally:
            for deliverer in deliverers:
                deliverer.stop()
            for server in servers:
                server.should_exit = True
            thread.join()


def ports_of(environments: Sequence[str], base_port: int | None) -> list[int]:
    """
    The port of every site, in the order of `Sandbox.sites`; 0 where the system is to choose.

    After the login come shop and organisation of dev, qa and prod, then Finance of each, whichever of them are served;
    after these the three sites of each other environment.
    """
    if base_port is None:
        return [0] * (1 + 3 * len(environments))
    known = len(PLACES)
    pairs, finance = [], []
    for place in places(environments).values():
        own = 1 + 2 * place if place < known else 1 + 3 * place
        pairs += [base_port + own, base_port + own + 1]
        finance.append(base_port + (1 + 2 * known + place if place < known else own + 2))
    return [base_port, *pairs, *finance]


def _bind(ports: Sequence[int]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for port in ports:
        # asyncio switches Nagle's delay off only for sockets that name their protocol.
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sockets.append(one)
        try:
            one.bind((HOST, port))
            one.listen()  # two that are bound and do not listen yet may share a port
        except (OSError, OverflowError) as error:
            for each in sockets:
                each.close()
            raise UsageError(
                f"port {port} of {HOST} cannot be used: {getattr(error, 'strerror', error)}",
                code="sandbox-port-taken",
                hint="end what uses it, or let the system choose with `--port 0`; environments/*.toml must then name the printed ports",
            ) from error
    return sockets


def _endpoints(sandbox: Sandbox, ports: Sequence[int], ca_file: Path) -> Endpoints:
    origins = [f"https://{HOST}:{port}" for port in ports]
    count = len(sandbox.environments)
    pairs, finance = origins[1 : 1 + 2 * count], origins[1 + 2 * count :]
    return Endpoints(
        login=origins[0],
        shops=dict(zip(sandbox.environments, pairs[::2], strict=True)),
        organisations=dict(zip(sandbox.environments, pairs[1::2], strict=True)),
        finance=dict(zip(sandbox.environments, finance, strict=True)),
        ca_file=str(ca_file),
    )


def _server(site: Site, pem: Path) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            _Application(site),
            http=_Protocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ssl_certfile=str(pem),
            log_level="critical",
            timeout_graceful_shutdown=0,
        )
    )


def _run(servers: Sequence[uvicorn.Server], sockets: Sequence[socket.socket]) -> None:
    async def together() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MOST_AT_ONCE, "sandbox answers"))
        await asyncio.gather(
            *(server.serve(sockets=[one]) for server, one in zip(servers, sockets, strict=True))
        )
        for server in servers:
            for connection in list(server.server_state.connections):
                connection.transport.abort()  # its client keeps it open; the loop is about to end
        await asyncio.sleep(0)

    asyncio.run(together())


def _await_start(servers: Sequence[uvicorn.Server], thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not all(server.started for server in servers):
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the sandbox did not start")
        time.sleep(0.01)
