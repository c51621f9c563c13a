"""`$batch`: many requests in one, change sets as one transaction. Source: Web API notes, section 9."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from tagline.sandbox.dataverse_call import Resolve
from tagline.sandbox.dataverse_errors import Refusal, bad_uri, no_reference
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_schema import entity_sets
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import decode

MAX_REQUESTS = 1000
MAX_URL = 65_536
CRLF = b"\r\n"
Execute = Callable[[Request, Resolve], Response]
_REFERENCE = re.compile(r"^\$(\d+)")
_BOUNDARY = re.compile(r'multipart/mixed\s*;\s*boundary="?([^";,\s]+)"?', re.IGNORECASE)
_INNER_ACCEPTED = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})


class Undoable(Protocol):
    """Rows whose changes can be taken back together."""

    def transaction(self) -> AbstractContextManager[None]: ...


@dataclass(frozen=True)
class _Part:
    """One inner request, not yet addressed absolutely."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    content_id: str


class _Failed(Exception):  # noqa: N818 - takes a change set back
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def unresolved(text: str) -> str:
    """The resolver outside a change set: nothing can be referred to."""
    if match := _REFERENCE.match(text):
        raise no_reference(match[1])
    return text


def run_batch(
    request: Request,
    rows: Undoable,
    execute: Execute,
    *,
    root: str,
    continue_on_error: bool,
    new_id: Callable[[], str],
    most: int = MAX_REQUESTS,
) -> Response:
    """
    Execute a multipart body in order.

    Raises:
        Refusal: The body is not framed as it must be, or holds too many requests.
    """
    groups = _parse(request)
    if sum(len(g) if isinstance(g, list) else 1 for g in groups) > most:
        raise bad_uri(f"The number of requests in a batch exceeds the maximum of {most}.")
    boundary = f"batchresponse_{new_id()}"
    out: list[bytes] = []
    status = 200
    for group in groups:
        if isinstance(group, list):
            chunk, failed = _run_changeset(group, rows, execute, root, f"changesetresponse_{new_id()}")
        else:
            response = execute(_absolute(group, root, unresolved), unresolved)
            chunk, failed = _http_part(response, ""), response.status >= 400
        out.append(chunk)
        if failed and not continue_on_error:
            status = quirks().stopped_batch_status
            break
    return Response(
        status, (("Content-Type", f"multipart/mixed; boundary={boundary}"),), _join(boundary, out)
    )


def _run_changeset(
    parts: list[_Part], rows: Undoable, execute: Execute, root: str, boundary: str
) -> tuple[bytes, bool]:
    known: dict[str, str] = {}

    def resolve(text: str) -> str:
        match = _REFERENCE.match(text)
        if match is None:
            return text
        if match[1] not in known:
            return unresolved(text)
        return known[match[1]] + text[match.end() :]

    out: list[bytes] = []
    try:
        with rows.transaction():
            for part in parts:
                response = execute(_absolute(part, root, resolve), resolve)
                if response.status >= 400:
                    raise _Failed(response)  # noqa: TRY301 - leaving the transaction is what takes the set back
                known[part.content_id] = _entity_of(response, root)
                out.append(_http_part(response, part.content_id))
    except _Failed as failed:
        return _http_part(failed.response, ""), True
    head = f"Content-Type: multipart/mixed; boundary={boundary}".encode()
    return CRLF.join((head, b"", _join(boundary, out))), False


def _entity_of(response: Response, root: str) -> str:
    """The address of the row that was written, from the representation where no header tells it."""
    if (address := response.header("OData-EntityId")) or not response.body:
        return address
    body = decode(response.body)
    name = re.search(r"\$metadata#(\w+)", str(body.get("@odata.context", "")))
    table = entity_sets().get(name[1]) if name else None
    return "" if table is None else f"{root}{table.entity_set}({body[table.primary_id]})"


def _absolute(part: _Part, root: str, resolve: Resolve) -> Request:
    try:
        url = resolve(part.url)
    except Refusal:
        url = part.url  # the request itself then meets an address it cannot read
    if not re.match(r"https?://", url):
        origin = urlsplit(root)
        url = f"{origin.scheme}://{origin.netloc}{url}" if url.startswith("/") else root + url
    return Request(part.method, url.replace(" ", "%20"), part.headers, part.body)


def _http_part(response: Response, content_id: str) -> bytes:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    return "\r\n".join((*lines, "", "")).encode() + response.body


def _join(boundary: str, parts: list[bytes]) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + CRLF + part + CRLF for part in parts) + mark + b"--" + CRLF


def _parse(request: Request) -> list[_Part | list[_Part]]:
    groups: list[_Part | list[_Part]] = []
    for headers, body in _sections(request.headers.get("content-type", ""), request.body):
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/mixed"):
            inner = [_part(h, b, in_changeset=True) for h, b in _sections(kind, body)]
            if len({part.content_id for part in inner}) < len(inner):
                raise bad_uri("The content ID of a part stands twice in a change set; it must be unique.")
            groups.append(inner)
        else:
            groups.append(_part(headers, body, in_changeset=False))
    return groups


def _sections(content_type: str, body: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise bad_uri("The message must be multipart/mixed with a boundary.")
    mark = re.compile(rb"\r\n--" + re.escape(match[1].encode()) + rb"(--)?[ \t]*(?=\r\n|\Z)")
    pieces = mark.split(CRLF + body)
    if b"--" not in pieces[1::2]:
        raise Refusal(400, "0x80048d19", "The stream is not readable: the batch has no end boundary.")
    for piece in pieces[2 : 2 * pieces[1::2].index(b"--") + 1 : 2]:
        head, _, content = piece.removeprefix(CRLF).partition(CRLF + CRLF)
        yield _headers(head), content


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def _part(headers: dict[str, str], content: bytes, *, in_changeset: bool) -> _Part:
    if headers.get("content-type", "").split(";")[0] != "application/http":
        raise bad_uri("A batch part must have Content-Type application/http.")
    if in_changeset and not headers.get("content-id"):
        raise bad_uri("Content-ID header not present in a part of a change set.")
    line, _, rest = content.partition(CRLF)
    head, _, body = rest.partition(CRLF + CRLF) if not rest.startswith(CRLF) else (b"", b"", rest[2:])
    method, _, tail = line.decode("utf-8", "replace").partition(" ")
    url, _, version = tail.rpartition(" ")
    if method not in _INNER_ACCEPTED or version != "HTTP/1.1":
        raise Refusal(400, "0x80048d19", "The stream is not readable: an inner request line cannot be read.")
    if len(url) > MAX_URL:
        raise Refusal(414, "0x80060888", f"The address of a part is longer than {MAX_URL} characters.")
    if in_changeset and method == "GET":
        raise bad_uri("A GET request is not allowed in a change set.")
    if url.partition("?")[0].endswith("$batch"):
        raise bad_uri("Batch requests cannot contain batch requests.")
    return _Part(method, url, _headers(head), body, headers.get("content-id", ""))
