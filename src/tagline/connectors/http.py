"""The one door to HTTP: builds every client from small layers, each an httpx transport around the next.

From the outside in: allowed hosts and no redirects; read-only guard; retry of the transient; governor; log line, limits
and decoding; and at the bottom the network, or the transport that was passed in.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from tagline.clock import Clock
from tagline.connectors.governor import Governor
from tagline.connectors.messages import (
    Answer,
    Call,
    Limits,
    is_plain_read,
    is_worth_repeating,
    number_of,
    retry_after_s,
)
from tagline.connectors.network import is_certificate_refused, is_too_old, network, within
from tagline.errors import Disposition, RefusedError, TaglineError, TryAgainError, UsageError

log = logging.getLogger("tagline.http")
# Their own lines carry queries and headers.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

Transport = httpx.BaseTransport
ENCODINGS: Final = ("", "identity", "gzip", "deflate")
"""Of a body that we decode: one at most, since a small body encoded several times over may become an endless one."""
WEIGHT: Final = "tagline.weight"
"""Extension of a request: how many records it carries."""


@dataclass(frozen=True)
class Policy:
    """What a client may do."""

    urls: tuple[str, ...]
    """Roots whose hosts may be called; https only, unless `in_clear`."""
    governor: Governor
    is_read: Callable[[Call], bool] = is_plain_read
    """Whether a call changes nothing, and so may be repeated and passes the read-only guard."""
    read_only: bool = False
    ca_file: str = ""
    in_clear: bool = False
    """Whether http will do: for an address that is asked without any credential."""
    limits: Limits = field(default_factory=Limits)


class Http:
    """A client of one connection; raises nothing but `TaglineError`."""

    def __init__(self, policy: Policy, clock: Clock, transport: Transport | None = None) -> None:
        hosts = frozenset(_host(url, policy.in_clear) for url in policy.urls)
        layer: Transport = _Bottom(transport or network(policy.ca_file), clock, policy.limits)
        layer = _Governed(layer, policy.governor)
        layer = _Retrying(layer, clock, policy.limits, policy.is_read)
        if policy.read_only:
            layer = _ReadOnly(layer, policy.is_read)
        layer = _AllowedHosts(layer, hosts, policy.in_clear)
        # No proxy, netrc or certificate from the process's environment: what a client trusts is configuration.
        self._client = httpx.Client(
            transport=layer,
            trust_env=False,
            # None: else a user in an address would displace the token.
            auth=httpx.Auth(),
            headers={"user-agent": "tagline", "accept-encoding": "gzip, deflate"},
        )

    def send(self, call: Call, weight: int = 1) -> Answer:
        """
        Send a request and read its answer, of whatever status.

        Args:
            weight: Records that the request carries, for the governor.

        Raises:
            RefusedError: The host is not the connection's (`host-refused`), a redirect (`redirect-refused`), a write
                on a read-only connection (`read-only`), the certificate is not trusted (`certificate-refused`), or the
                server is too old (`tls-too-old`).
            TryAgainError: It could not be reached (`remote-unreachable`), a write may have been performed
                (`remote-outcome-unknown`), the budget is used up (`remote-throttled`), or the answer breaks off or is
                too large (`answer-malformed`, `answer-too-large`).
        """
        try:
            request = self._client.build_request(
                call.method, call.url, headers=dict(call.headers), content=call.body, timeout=None
            )
            request.extensions = {**request.extensions, WEIGHT: weight}
            response = self._client.send(request)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise TryAgainError(
                f"{call.method} could not be sent: {type(error).__name__}",
                code="remote-unreachable",
                where={"host": _shown(call.url)},
                hint="check the connection's url",
                disposition=Disposition.RETRY,
            ) from None
        return Answer(response.status_code, dict(response.headers.items()), response.content)

    def close(self) -> None:
        self._client.close()


class _Layer(Transport):
    """A transport around another one."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def close(self) -> None:
        self._inner.close()


class _AllowedHosts(_Layer):
    """Lets requests out to the connection's own hosts, over TLS unless told otherwise, and follows nobody elsewhere."""

    def __init__(self, inner: Transport, hosts: frozenset[str], in_clear: bool) -> None:
        super().__init__(inner)
        self._hosts = hosts
        self._in_clear = in_clear

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = _host(str(request.url), self._in_clear)
        if host not in self._hosts:
            raise RefusedError(
                f"{host} is no host of this connection",
                code="host-refused",
                where={"host": host},
                hint=f"allowed is {', '.join(sorted(self._hosts))}; change the connection's url if it moved",
            )
        response = self._inner.handle_request(request)
        if 300 <= response.status_code < 400:
            raise RefusedError(
                f"{host} answered {response.status_code}, a redirect",
                code="redirect-refused",
                where={"host": host, "status": str(response.status_code)},
                hint="check the connection's url; credentials are never carried to where a redirect points",
            )
        return response


class _ReadOnly(_Layer):
    """Lets nothing out that could change the remote."""

    def __init__(self, inner: Transport, is_read: Callable[[Call], bool]) -> None:
        super().__init__(inner)
        self._is_read = is_read

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self._is_read(_call(request)):
            raise RefusedError(
                f"{request.method} {_path(request)} may write, and this connection only reads",
                code="read-only",
                where={"host": request.url.host},
                hint="shadow and verification never write; deploy the integration to write",
            )
        return self._inner.handle_request(request)


class _Retrying(_Layer):
    """Sends again what was not performed for certain, or what changes nothing, inside a small bound."""

    def __init__(
        self, inner: Transport, clock: Clock, limits: Limits, is_read: Callable[[Call], bool]
    ) -> None:
        super().__init__(inner)
        self._clock = clock
        self._limits = limits
        self._is_read = is_read

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        repeatable = self._is_read(_call(request))
        waited = 0.0
        for attempt in range(1, self._limits.attempts + 1):
            answer = self._attempt(request, repeatable)
            asked: float | None = None
            if isinstance(answer, httpx.Response):
                asked = retry_after_s(answer.headers.get("retry-after"), self._clock)
                if not is_worth_repeating(answer.status_code, asked, repeatable):
                    return answer
            # "At once" is no time: it would be asked again before anybody can have done anything about it.
            wait = asked or self._limits.backoff_s * 2 ** (attempt - 1)
            if attempt == self._limits.attempts or waited + wait > self._limits.wait_s:
                break
            waited += wait
            self._clock.sleep(wait)
        if isinstance(answer, TaglineError):
            raise answer
        return answer

    def _attempt(self, request: httpx.Request, repeatable: bool) -> httpx.Response | TaglineError:
        """An answer, or the error of an attempt that may be repeated; one that must not be is raised."""
        where = {"host": request.url.host}
        try:
            return self._inner.handle_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            if is_too_old(error):
                raise RefusedError(
                    f"{request.url.host} speaks neither TLS 1.2 nor a newer one",
                    code="tls-too-old",
                    where=where,
                    hint="ask whoever runs it, or the proxy before it, to switch TLS 1.2 or 1.3 on",
                ) from None
            if is_certificate_refused(error):
                raise RefusedError(
                    f"the certificate of {request.url.host} is not trusted",
                    code="certificate-refused",
                    where=where,
                    hint="set the connection's ca_file to the authority that signed it",
                ) from None
            return TryAgainError(
                f"{_address(request)} cannot be reached: {type(error).__name__}",
                code="remote-unreachable",
                where=where,
                hint="check the network and the connection's url",
                disposition=Disposition.RETRY,
            )
        except httpx.TransportError as error:
            if repeatable:
                return TryAgainError(
                    f"{_address(request)} did not answer: {type(error).__name__}",
                    code="remote-unreachable",
                    where=where,
                    hint="nothing to do unless it lasts; then ask the remote's operator",
                    disposition=Disposition.RETRY,
                )
            raise TryAgainError(
                f"{request.method} to {request.url.host} may or may not have been performed: {type(error).__name__}",
                code="remote-outcome-unknown",
                where=where,
                hint="nothing to do; the rows are read again before anything else is written",
                disposition=Disposition.RETRY,
            ) from None


class _Governed(_Layer):
    """Keeps to the remote's budget, and stops everybody when it says so."""

    def __init__(self, inner: Transport, governor: Governor) -> None:
        super().__init__(inner)
        self._governor = governor

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        weight = request.extensions.get(WEIGHT, 1)
        with self._governor.admit(weight) as turn:
            started = self._governor.clock.now()
            response = self._inner.handle_request(request)
            told = response.headers
            hint = number_of(told.get("x-ms-dop-hint"))
            turn.told(
                response.status_code,
                max(0.0, (self._governor.clock.now() - started).total_seconds()),
                retry_after_s=retry_after_s(told.get("retry-after"), self._governor.clock),
                requests_left=number_of(told.get("x-ms-ratelimit-burst-remaining-xrm-requests")),
                time_left_s=number_of(told.get("x-ms-ratelimit-time-remaining-xrm-requests")),
                parallel_hint=int(hint) if hint else None,
            )
        return response


class _Bottom(_Layer):
    """Sends, reads the body whole within its limits, and writes the log line: never a body, a header or a query."""

    def __init__(self, inner: Transport, clock: Clock, limits: Limits) -> None:
        super().__init__(inner)
        self._clock = clock
        self._limits = limits

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "timeout": _timeout(self._limits)}
        started = self._clock.now()
        with within(self._limits.read_s + self._limits.answer_s):
            response = self._inner.handle_request(request)
            try:
                body = self._read(request, response)
            finally:
                response.close()
        spent_ms = (self._clock.now() - started).total_seconds() * 1000
        log.info(
            "%s %s%s %d %.0f ms",
            request.method,
            request.url.host,
            _path(request),
            response.status_code,
            spent_ms,
        )
        # Decoded already; and no cookie is kept: affinity would tie us to one web server's share of the budget.
        dropped = ("content-encoding", "content-length", "transfer-encoding", "set-cookie")
        headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in dropped]
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    def _read(self, request: httpx.Request, response: httpx.Response) -> bytes:
        started = self._clock.now()
        body = bytearray()
        if response.headers.get("content-encoding", "").strip().lower() not in ENCODINGS:
            raise httpx.ReadError("the body comes in an encoding nobody asked for", request=request)
        try:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self._limits.max_bytes:
                    raise TryAgainError(
                        f"the answer to {request.method} {_path(request)} exceeds {self._limits.max_bytes} bytes",
                        code="answer-too-large",
                        where={"host": request.url.host},
                        hint="check that the connection's url is the API's",
                        disposition=Disposition.RETRY,
                    )
                if (self._clock.now() - started).total_seconds() > self._limits.answer_s:
                    raise httpx.ReadTimeout("the body took too long", request=request)
        except httpx.DecodingError:
            # To the layer above it is a connection that broke off: the answer is lost, whatever was done.
            raise httpx.ReadError("the body cannot be decompressed", request=request) from None
        return bytes(body)


def _timeout(limits: Limits) -> dict[str, float | None]:
    connect_s = limits.connect_s
    return httpx.Timeout(limits.read_s, connect=connect_s, pool=limits.read_s).as_dict()


def _host(url: str, in_clear: bool) -> str:
    """Host and port of an https URL; anything else is no host at all, but for http where it may be spoken."""
    with suppress(ValueError):  # a port that is no number, for example
        parts = urlsplit(url)
        if parts.hostname and parts.hostname.isascii():
            if parts.scheme == "https":
                return f"{parts.hostname}:{parts.port or 443}"
            if parts.scheme == "http" and in_clear:
                return f"{parts.hostname}:{parts.port or 80}"
    raise UsageError(
        f"{url.partition(':')[0] or 'no scheme'}://{_shown(url)} is no https address",
        code="url-not-https",
        hint="write the connection's url with https:// and plain letters; credentials never travel in the clear",
    )


def _address(request: httpx.Request) -> str:
    """Host of a request, with the port where it is none that goes without saying."""
    return request.url.host if request.url.port is None else f"{request.url.host}:{request.url.port}"


def _shown(url: str) -> str:
    """The host of an address, for people; empty where it has none."""
    with suppress(ValueError):
        return urlsplit(url).hostname or ""
    return ""


def _call(request: httpx.Request) -> Call:
    return Call(request.method, str(request.url), dict(request.headers.items()), request.read())


def _path(request: httpx.Request) -> str:
    """The path without query and without quoted key values, which may name a person."""
    return re.sub(r"'[^']*'", "'*'", request.url.path)
