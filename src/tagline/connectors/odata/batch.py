"""`$batch`: many requests in one, as multipart text with CRLF line ends; each stands alone, or some stand in a change set.

Source: reference/dataverse-api.md section 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tagline.connectors import json_values

MAX_PARTS: Final = 100
"""Parts we put into one batch; Dataverse allows 1000 and Finance 5000, and few are advised, since execution time adds up."""

_CRLF: Final = b"\r\n"
_SET: Final = re.compile(rb"(?:^|\r\n)content-type:\s*(multipart/mixed[^\r]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """One inner request."""

    method: str
    url: str
    """From the host's root, percent-encoded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class ChangeSet:
    """Writes that are made together or not at all; a later one may name the row of the n-th by `$n`, in its address or a bind."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class PartAnswer:
    """One inner response."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None when it is empty or is none, which the status then has to explain."""
        try:
            return json_values.parse(self.body)
        except ValueError:
            return None


def build(parts: Sequence[Part | ChangeSet], boundary: str) -> bytes:
    """
    The body of a batch.

    Raises:
        ValueError: A line of a part would break out of it.
    """
    pieces: list[bytes] = []
    for place, part in enumerate(parts):
        if isinstance(part, ChangeSet):
            inner = f"changeset_{place}_{boundary}"
            kind = f"Content-Type: multipart/mixed; boundary={inner}"
            content = _set(part.parts, inner)
            if f"--{boundary}".encode() in content:
                raise ValueError("a part of a batch holds its boundary")
            pieces += [f"--{boundary}".encode(), kind.encode(), b"", content]
        else:
            pieces += _framed(part, boundary)
    return _CRLF.join([*pieces, f"--{boundary}--".encode(), b""])


def _set(parts: Sequence[Part], boundary: str) -> bytes:
    pieces = [
        piece
        for number, part in enumerate(parts, 1)
        for piece in _framed(part, boundary, f"Content-ID: {number}")
    ]
    return _CRLF.join([*pieces, f"--{boundary}--".encode()])


def _framed(part: Part, boundary: str, *about: str) -> list[bytes]:
    lines = [f"{part.method} {part.url} HTTP/1.1", *(f"{k}: {v}" for k, v in part.headers.items())]
    if any("\r" in line or "\n" in line for line in lines) or " " in part.url:
        raise ValueError("a part of a batch holds a line end or a space where none may be")
    body = part.body or b""
    if f"--{boundary}".encode() in body:
        raise ValueError("a part of a batch holds its boundary")
    return [
        f"--{boundary}".encode(),
        b"Content-Type: application/http",
        b"Content-Transfer-Encoding: binary",
        *(line.encode() for line in about),
        b"",
        *(line.encode() for line in lines),
        b"",
        body,
    ]


def requests_of(content_type: str, body: bytes) -> list[Part]:
    """
    The inner requests of a batch, those of change sets in their place.

    Raises:
        ValueError: It is no batch, so that nothing is known of what it does.
    """
    found: list[Part] = []
    for first, headers, content in _messages(content_type, body):
        match = re.fullmatch(r"([A-Z]+) (\S+) HTTP/1\.1", first)
        if match is None:
            raise ValueError("a part holds no request line")
        found.append(Part(match.group(1), match.group(2), headers, content or None))
    return found


def answers_of(content_type: str, body: bytes) -> list[PartAnswer]:
    """
    The inner responses of a batch, in the order of its parts.

    A change set that was made has one for each of its parts, and one that was refused has one in all.

    Raises:
        ValueError: It is no batch, or it breaks off.
    """
    found: list[PartAnswer] = []
    for first, headers, content in _messages(content_type, body):
        match = re.fullmatch(r"HTTP/\d(?:\.\d)? (\d{3})(?: .*)?", first)
        if match is None:
            raise ValueError("a part holds no status line")
        lower = {name.lower(): value for name, value in headers.items()}
        found.append(PartAnswer(int(match.group(1)), lower, content))
    return found


def _messages(
    content_type: str, body: bytes, *, in_set: bool = False
) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """First line, headers and content of every part."""
    match = re.match(
        r"""\s*multipart/mixed\s*;.*\bboundary=(?:"([^"]+)"|([^\s;"]+))""", content_type, re.IGNORECASE
    )
    if match is None:
        raise ValueError("it is no multipart body")
    delimiter = re.escape(b"\r\n--" + (match.group(1) or match.group(2)).encode()) + rb"(?=--|[ \t]*\r\n)"
    # A leading line end lets the first delimiter be found like the others.
    pieces = re.split(delimiter, _CRLF + body)
    if len(pieces) < 2 or pieces[0].strip():
        raise ValueError("it holds no part")
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return
        envelope, _, message = piece.partition(_CRLF * 2)
        if not in_set and (nested := _SET.search(envelope)):
            yield from _messages(nested[1].decode("latin-1"), message, in_set=True)
            continue
        if b"application/http" not in envelope.lower():
            raise ValueError("a part is no HTTP message")
        head, _, content = message.partition(_CRLF * 2)
        first, *lines = head.decode("latin-1").strip("\r\n").split("\r\n")
        headers = dict(_header(line) for line in lines if line)
        yield first, headers, content
    raise ValueError("its last part breaks off")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError("a header line has no colon")
    return name.strip(), value.strip()
