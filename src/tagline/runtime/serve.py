"""Serving an ASGI application from a thread: bound before it returns, closed when it is told, held to limits by no sender."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from tagline.errors import TryAgainError, UsageError

START_S: Final = 30.0

Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class ConnectionLimits:
    """What senders may take before they have said anything; the application limits the rest."""

    connections: int = 512
    """At once. Half as many again are told to come back, what is beyond is closed unheard: a process has about 1,000 files."""
    head_s: float = 10.0
    """Seconds in which the head of a request must have arrived, and in which what follows a refusal must end."""
    head_bytes: int = 16_384


class Server:
    """A running server; made by `serve`."""

    def __init__(
        self, switch: _Switch, server: _Uvicorn, thread: threading.Thread, listening: socket.socket
    ) -> None:
        self._switch = switch
        self._server = server
        self._thread = thread
        self._listening = listening
        self.host: str = listening.getsockname()[0]
        self.port: int = listening.getsockname()[1]

    def lead_to(self, app: Application) -> None:
        """Let another application answer from the next request on."""
        self._switch.app = app

    def stop(self) -> None:
        """Answer what is under way, then close."""
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


def serve(
    app: Application,
    listen: str,
    certificate: str = "",
    limits: ConnectionLimits = ConnectionLimits(),
) -> Server:
    """
    Serve `app` on `host:port`; port 0 picks a free one, told by the result.

    Args:
        certificate: PEM file with certificate and key; empty serves plain HTTP.

    Raises:
        UsageError: `listen` is no address (code `listen-address`), or the certificate cannot be used (`certificate-unusable`).
        TryAgainError: The address cannot be had, for example because another program has it (code `listen-taken`).
    """
    host, port = _address(listen)
    switch = _Switch(app)
    # The access log would write the token that stands in a hook's path, and a warning each nonsense of a scanner; uvicorn's own
    # headers tell senders nothing they need.
    config = uvicorn.Config(
        switch,
        http=_guarded(AutoHTTPProtocol, limits),
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=limits.head_bytes,
        timeout_graceful_shutdown=5,
        ssl_certfile=certificate or None,
        ssl_keyfile=certificate or None,
    )
    try:
        config.load()
    except OSError as error:
        raise UsageError(
            f"the intake cannot use the certificate {certificate}: {error.strerror or type(error).__name__}",
            code="certificate-unusable",
            hint="`agent.certificate` names a PEM file with the certificate chain and its private key",
        ) from error
    listening = _listen(host, port)
    server = _Uvicorn(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="intake", daemon=True)
    thread.start()
    if not server.accepting.wait(START_S):
        listening.close()
        raise _taken(host, port, TimeoutError(0, f"the server did not start within {START_S:g} s"))
    return Server(switch, server, thread, listening)


class _Uvicorn(uvicorn.Server):
    """Tells when it accepts, so that nobody has to look again and again."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()


class _Switch:
    """The application that answers now."""

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


async def _busy(scope: Any, receive: Any, send: Any) -> None:
    """The application of a connection too many."""
    del scope, receive
    headers = [(b"retry-after", b"30"), (b"connection", b"close"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _plain(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode()


def _guarded(base: Any, limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """
    The protocol of uvicorn with limits on what it waits for without one: connections, and the head of a request.

    Its own time-out runs only between two requests, and every byte ends it.
    """

    class Guarded(base):  # type: ignore[misc]  # one of two classes, by what is installed
        guard: asyncio.TimerHandle | None = None
        waiting: int = 0
        """Bytes of a head that is not whole yet."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.watch()
            if len(self.connections) > limits.connections * 3 // 2:
                transport.abort()
            elif len(self.connections) > limits.connections:
                self.app = _busy

        def connection_lost(self, error: Exception | None) -> None:
            self.unwatch()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.transport.is_closing():
                return
            if self.cycle is not None and not self.cycle.response_complete:
                self.unwatch()
                self.waiting = 0
                return
            if self.guard is None:
                self.watch()
            # What follows a refusal may be the rest of its body, and is let pass: closing would take the answer back.
            if self.cycle is None or not self.cycle.more_body:
                self.waiting += len(data)
            if self.waiting > limits.head_bytes:
                self.refuse("431 Request Header Fields Too Large")

        def watch(self) -> None:
            self.guard = self.loop.call_later(limits.head_s, self.refuse, "408 Request Timeout")

        def unwatch(self) -> None:
            if self.guard is not None:
                self.guard.cancel()
                self.guard = None

        def refuse(self, status: str) -> None:
            self.unwatch()
            if self.transport.is_closing():
                return
            if self.cycle is None or not self.cycle.more_body:
                self.transport.write(_plain(status))
            self.transport.close()

    return Guarded


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(
            f"{listen!r} is no address to listen on",
            code="listen-address",
            hint="write host:port, for example 127.0.0.1:8700",
        )
    return host.strip("[]"), int(port)


def _listen(host: str, port: int) -> socket.socket:
    try:
        # One lookup decides the family, so that [::1] works as 127.0.0.1 does.
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _taken(host, port, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # Connections queue from here on, also before the loop of the server turns.
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise _taken(host, port, error) from error
    return listening


def _taken(host: str, port: int, error: OSError) -> TryAgainError:
    return TryAgainError(
        f"cannot listen on {host}:{port}: {error.strerror or type(error).__name__}",
        code="listen-taken",
        hint="stop the program that has the address, or choose another in `agent.listen`, or for this agent alone with `--listen`",
    )
