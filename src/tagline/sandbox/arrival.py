"""A request as it comes off the wire: whole, of a size that can be held, to a host that can be named; or no request at all."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from tagline.sandbox.values import Request, Response

MAX_BODY: Final = 116_850_000
"""Bytes of the largest body that any site is given. Source: Web API notes, section 10; no remote here takes more."""
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_HTML: Final = (("Content-Type", "text/html; charset=us-ascii"),)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class RefusedError(Exception):
    """What came is no request for a site; the web server in front of it answers."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class GoneError(Exception):
    """The client left before it had sent all: nothing is to happen, and nobody waits for an answer."""


async def arrived(scope: Scope, receive: Receive) -> Request:
    """
    Read one request.

    Args:
        scope: Of ASGI, with `raw_path`.

    Raises:
        RefusedError: Its body is too large, or its host is none.
        GoneError: It broke off.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    url = _address(scope, headers)
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BODY:
        raise RefusedError(_page(413, "Request Entity Too Large"))
    return Request(scope["method"], url, headers, await _body(receive))


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise RefusedError(_page(413, "Request Entity Too Large"))
        if not message.get("more_body"):
            return bytes(body)


def _address(scope: Scope, headers: dict[str, str]) -> str:
    """The absolute address; whoever names no host, as HTTP/1.0 may, means the one that it reached."""
    server, port = scope["server"]
    host = headers.get("host") or f"{server}:{port}"
    if _HOST.fullmatch(host) is None:
        raise RefusedError(_page(400, "Bad Request - Invalid Hostname"))
    query = scope["query_string"].decode("latin-1")
    return f"https://{host}{scope['raw_path'].decode('latin-1')}" + (f"?{query}" if query else "")


def _page(status: int, text: str) -> Response:
    return Response(status, _HTML, f"<html><body><h2>{text}</h2></body></html>".encode())
