"""What commands print: data to standard output, talk to standard error, readable without colour."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tagline.errors import RecordError, TaglineError


def say(text: str = "") -> None:
    """Talk to the person, on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 this is the edge that prints


def out(text: str = "") -> None:
    """Data, on standard output."""
    print(text, flush=True)  # noqa: T201 this is the edge that prints


def out_json(value: Any) -> None:
    """One JSON document on standard output; datetimes, decimals and models as text."""
    out(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def counted(number: int, noun: str) -> str:
    """`1 record`, `2,000 records`; for nouns whose plural is an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def lasting(seconds: float) -> str:
    """A span of time in its two greatest units: `40 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    left = round(seconds)
    for name, size, smaller, part in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if left >= size:
            rest = left % size // part
            return f"{left // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{left} s"


def table(rows: Iterable[Sequence[object]], headers: Sequence[str] = (), *, indent: str = "") -> str:
    """Columns as wide as their widest cell; no frame, so that it survives a pull request and a pipe."""
    cells = [[str(c) for c in row] for row in rows]
    lines = [list(headers), *cells] if headers else cells
    if not lines:
        return ""
    widths = [max(len(line[n]) for line in lines if n < len(line)) for n in range(max(map(len, lines)))]
    drawn = [
        indent + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=False)).rstrip() for line in lines
    ]
    if headers:
        drawn.insert(1, indent + "  ".join("-" * w for w in widths))
    return "\n".join(drawn)


def print_error(error: TaglineError) -> None:
    """The error as people read it: what, where, the fields it is about, and the next action on its own line."""
    say(f"error: {error.message} ({error.code})")
    if error.where:
        say("where: " + ", ".join(f"{k} {v}" for k, v in error.where.items()))
    if isinstance(error, RecordError):
        for detail in error.details:
            say("  " + " · ".join(f"{k}: {v}" for k, v in detail.items() if v))
    if error.hint:
        say(f"hint: {error.hint}")
