"""Serving an ASGI application from a thread: bound before it returns, closed when it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final

import uvicorn

from tagline.errors import TryAgainError, UsageError

START_S: Final = 30.0

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Server:
    """A running server; made by `serve`."""

    def __init__(self, server: _Uvicorn, thread: threading.Thread, listening: socket.socket) -> None:
        self._server = server
        self._thread = thread
        self._listening = listening
        self.host: str = listening.getsockname()[0]
        self.port: int = listening.getsockname()[1]

    def stop(self) -> None:
        """Answer what is under way, then close."""
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


def serve(app: Application, listen: str, certificate: str = "") -> Server:
    """
    Serve `app` on `host:port`; port 0 picks a free one, told by the result.

    Args:
        certificate: PEM file with certificate and key; empty serves plain HTTP.

    Raises:
        UsageError: `listen` is no address (code `listen-address`), or the certificate cannot be used (`certificate-unusable`).
        TryAgainError: The address cannot be had, for example because another program has it (code `listen-taken`).
    """
    host, port = _address(listen)
    # The access log would write the token that stands in a hook's path; uvicorn's own headers tell senders nothing they need.
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
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
    return Server(server, thread, listening)


class _Uvicorn(uvicorn.Server):
    """Tells when it accepts, so that nobody has to look again and again."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()


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
        hint="stop the program that has the address, or choose another in `agent.listen`",
    )
