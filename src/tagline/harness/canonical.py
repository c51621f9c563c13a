"""What makes two requests the same call: method, raw target, headers that mean something, and the typed body.

Numbers are compared exactly and by kind (`1`, `1.0` and `true` differ), blanks in a query are kept, a `$batch` is
compared part by part whatever its boundary is called.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

SEMANTIC_HEADERS: Final = ("accept", "content-type", "if-match", "if-none-match", "prefer", "secureurl")
"""Request headers that change what a call means; all others (ids, agents, credentials) are not compared."""


@dataclass(frozen=True)
class Call:
    """A request in canonical form."""

    method: str
    target: str
    """Path and query as sent, without scheme and host."""
    host: str
    headers: tuple[tuple[str, str], ...]
    body: str
    """Canonical text; equal texts mean equal bodies."""

    @property
    def line(self) -> str:
        return f"{self.method} {self.host}{self.target}"


def call(method: str, host: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
    """The canonical form of one request; header names in any case."""
    lower = {k.lower(): v for k, v in headers.items() if v != "*/*"}
    kind = lower.get("content-type", "")
    return Call(
        method=method.upper(),
        host=host,
        target=target,
        headers=tuple(
            (n, _header(n, lower[n]))
            for n in SEMANTIC_HEADERS
            if n in lower and (n != "content-type" or body)
        ),
        body=_body(kind, body),
    )


def _header(name: str, value: str) -> str:
    return value.split(";", maxsplit=1)[0].strip() if name == "content-type" else value


def _body(kind: str, body: bytes) -> str:
    if not body:
        return ""
    if kind.startswith("multipart/mixed"):
        return "\n".join(_parts(kind, body.decode("utf-8", "surrogateescape")))
    if "json" in kind:
        return canonical_json(body.decode("utf-8", "surrogateescape"))
    return body.decode("utf-8", "backslashreplace")


def _parts(kind: str, body: str) -> Iterator[str]:
    match = re.search(r'boundary="?([^";]+)"?', kind)
    boundary = match.group(1) if match else ""
    for raw in body.split(f"--{boundary}")[1:-1]:
        yield _part(raw.replace("\r\n", "\n").strip("\n"))


def _part(part: str) -> str:
    """An inner request: its line, its semantic headers and its canonical body."""
    _, _, inner = part.partition("\n\n")
    head, _, content = inner.partition("\n\n")
    line, *headers = head.split("\n")
    kept = sorted(h for h in headers if h.partition(":")[0].lower() in SEMANTIC_HEADERS)
    return "\n".join([line, *kept, canonical_json(content) if content.strip() else ""])


def canonical_json(text: str) -> str:
    """
    The same text for equal JSON values: members sorted, numbers as they were written.

    A text that is no JSON, or that names a member twice, stands for itself.
    """
    try:
        value = json.loads(text, parse_float=_number, parse_int=_number, object_pairs_hook=_members)
    except ValueError:
        return text
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _number(text: str) -> dict[str, str]:
    """A number keeps its spelling, so that `1` is not `1.0`, and neither is a string."""
    return {"number": text}


def _members(pairs: list[tuple[str, Any]]) -> dict[str, dict[str, Any]]:
    """An object is marked as one, so that none can pass for a number."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a member is named twice")
    return {"members": dict(pairs)}


def distance(wanted: Call, recorded: Call) -> int:
    """How far a recorded call is from the wanted one: words of the body that differ, and much for anything else."""
    pairs = [(wanted.method, recorded.method), (wanted.host, recorded.host), (wanted.target, recorded.target)]
    others = sum(a != b for a, b in pairs) + (wanted.headers != recorded.headers)
    ours, theirs = Counter(_words(wanted.body)), Counter(_words(recorded.body))
    return 1000 * others + (ours - theirs).total() + (theirs - ours).total()


def differences(wanted: Call, recorded: Call) -> list[str]:
    """In which respects a recorded call differs from the wanted one, for people; values of the body only by field name."""
    found = [
        f"{name}: {getattr(wanted, name)} instead of {getattr(recorded, name)}"
        for name in ("method", "host", "target")
        if getattr(wanted, name) != getattr(recorded, name)
    ]
    ours, theirs = dict(wanted.headers), dict(recorded.headers)
    found += [
        f"header {n}: {ours.get(n, 'absent')} instead of {theirs.get(n, 'absent')}"
        for n in SEMANTIC_HEADERS
        if ours.get(n) != theirs.get(n)
    ]
    times = Counter(_body_differences(wanted.body, recorded.body))
    return [*found, *(f"{d} ({n} times)" if n > 1 else d for d, n in times.items())]


def _body_differences(wanted: str, recorded: str) -> list[str]:
    ours, theirs = wanted.split("\n"), recorded.split("\n")
    if len(ours) != len(theirs):
        return [
            f"body: {len(ours)} lines instead of {len(theirs)}",
            *(
                f"header {n} in {mine} parts instead of {other}"
                for n in SEMANTIC_HEADERS
                if (mine := _times(n, ours)) != (other := _times(n, theirs))
            ),
        ]
    return [d for a, b in zip(ours, theirs, strict=True) if a != b for d in _line_differences(a, b)]


def _times(header: str, lines: list[str]) -> int:
    return sum(line.lower().startswith(f"{header}:") for line in lines)


def _line_differences(ours: str, theirs: str) -> list[str]:
    try:
        a, b = json.loads(ours)["members"], json.loads(theirs)["members"]
    except ValueError:
        return [_text_difference(ours, theirs)]
    except (LookupError, TypeError):
        return ["body: another value"]
    return [f"body field {n}: {_told(a, b, n)}" for n in sorted({*a, *b}) if a.get(n, ...) != b.get(n, ...)]


def _text_difference(ours: str, theirs: str) -> str:
    """How the line of an inner request differs, by the words of its address and query."""
    mine, other = _words(ours), _words(theirs)
    more, less = [w for w in mine if w not in other], [w for w in other if w not in mine]
    told = [f"{what} {', '.join(w)}" for what, w in (("with", more), ("without", less)) if w]
    return f"{mine[0]} part {' and '.join(told) or 'in another order'}"


def _words(text: str) -> list[str]:
    return re.split(r"[?&,=\s]+", text)


def _told(ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> str:
    if name not in ours:
        return "no longer sent"
    if name not in theirs:
        return "newly sent"
    return "another value"
