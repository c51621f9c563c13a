"""
The network below every layer: what is trusted, and a time limit on a whole exchange, kept where its bytes come in.

httpx limits only the silence between two bytes: a server that sends its head one a minute, or one interim answer after
the other, would hold a request for ever.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import httpcore
import httpx

from tagline.errors import UsageError

_exchange = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Whatever this thread reads or writes in here ends after so many seconds. The machine's clock counts, as for sockets."""
    before = getattr(_exchange, "until", None)
    _exchange.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _exchange.until = before


def _left(timeout: float | None) -> float | None:
    """Seconds that the next read or write may take."""
    until: float | None = getattr(_exchange, "until", None)
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the exchange took too long")
    return left if timeout is None else min(left, timeout)


class _Backend(httpcore.NetworkBackend):
    """Connections that keep to the time limit of the exchange they serve."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(host, port, _left(timeout), local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    """A connection, of which each read and write is limited."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


@lru_cache(maxsize=8)
def tls(ca_file: str) -> ssl.SSLContext:
    """
    The TLS settings of every connection that trusts this authority; empty trusts the system's.

    Raises:
        UsageError: The file cannot be read as certificates (code `ca-file-unreadable`).
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError):
        raise UsageError(
            f"{ca_file} cannot be read as a certificate authority",
            code="ca-file-unreadable",
            where={"ca_file": ca_file},
            hint="name a PEM file with the authority's certificate",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def network(ca_file: str) -> httpx.BaseTransport:
    """
    The network itself, below every layer; empty trusts the system's authorities.

    Raises:
        UsageError: The file cannot be read as certificates (code `ca-file-unreadable`).
    """
    return _Network(tls(ca_file))


class _Network(httpx.HTTPTransport):
    """httpx's own, over connections that keep to the time limit of a whole exchange."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        # httpx lets nobody pass a backend in.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            # Idle ones are dropped before servers do it (often after 5 s): a write on one just closed is in doubt.
            keepalive_expiry=4.0,
            network_backend=_Backend(),
        )


def is_certificate_refused(error: BaseException) -> bool:
    """Whether a connection failed because nobody trusted vouches for the server."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


TOO_OLD: Final = frozenset(
    {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE", "WRONG_SSL_VERSION"}
)
"""OpenSSL's reasons where the two sides have no version in common."""


def is_too_old(error: BaseException) -> bool:
    """Whether a connection failed because the server speaks no version of TLS that we do."""
    return any(
        isinstance(cause, ssl.SSLError) and getattr(cause, "reason", "") in TOO_OLD
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
