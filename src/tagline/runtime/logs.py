"""
Lines of a process: for people, or one JSON object each, and every one of them through one redaction.

The fields of a line are read from how our lines begin and end: `<deployment>: <event>: ... (<code>)`.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

from tagline.clock import Clock
from tagline.domain.redaction import Redactor

Format = Literal["text", "json"]
FORMAT_VARIABLE: Final = "TAGLINE_LOG_FORMAT"
"""Tells a worker the format of its agent."""
_DEPLOYMENT: Final = re.compile(r"^(?P<deployment>(?P<integration>[a-z][a-z0-9_]*)-[0-9]{6}): ")
_EVENT: Final = re.compile(r"^(activated|verified|failed|drained|webhook|alert|printed)\b")
_CODE: Final = re.compile(r"\((?P<code>[a-z][a-z0-9]*(?:-[a-z0-9]+)+)\)$")


def format_of(text: str) -> Format:
    """The format that a word names; anything else is text."""
    return "json" if text == "json" else "text"


def to_stderr(line: str) -> None:
    """Write a line where lines go, whatever code has put in place of `sys.stderr`."""
    os.write(2, f"{line}\n".encode(errors="backslashreplace"))


class Log:
    """
    Takes one line, which it writes redacted.

    Args:
        write: Puts a finished line where lines go.
    """

    def __init__(
        self,
        environment: str,
        write: Callable[[str], None],
        *,
        clock: Clock,
        redact: Redactor,
        form: Format = "text",
    ) -> None:
        self._environment = environment
        self._write = write
        self._clock = clock
        self._redact = redact
        self._form = form

    def __call__(self, line: str, *, level: str = "", source: str = "") -> None:
        """
        Args:
            level: `info`, `warning` or `error`; empty is told by the line itself.
            source: The library that said it; empty is tagline.
        """
        at = self._clock.now()
        clean = self._redact(line)
        if self._form == "text":
            self._write(f"{at:%H:%M:%S}Z {source + ': ' if source else ''}{clean}")
        else:
            self._write(json.dumps(fields(clean, self._environment, at, level, source), ensure_ascii=False))


def fields(line: str, environment: str, at: datetime, level: str = "", source: str = "") -> dict[str, Any]:
    """A line as the fields that machines look for; absent ones are empty."""
    known = _DEPLOYMENT.match(line)
    rest = line[known.end() :] if known else line
    event, code = _EVENT.match(rest), _CODE.search(line)
    return {
        "at": at.isoformat(timespec="milliseconds"),
        "level": level or ("warning" if code else "info"),
        "environment": environment,
        "integration": known["integration"] if known else "",
        "deployment": known["deployment"] if known else "",
        "event": event[1] if event else "note",
        "code": code["code"] if code else "",
        "source": source or "tagline",
        "message": line,
    }


class LibraryLines(logging.Handler):
    """Warnings of libraries as lines of ours; of an exception the type alone, since its text may hold anything."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = record.getMessage().replace("\n", " ")
        except Exception:  # noqa: BLE001 - a library's wrong format string is no reason to end anything
            line = "said something that cannot be told"
        if record.exc_info and record.exc_info[0]:
            line += f" ({record.exc_info[0].__name__})"
        self._log(line, level=record.levelname.lower(), source=record.name)


class Clean(io.TextIOBase):
    """A stream in place of standard output or error: what code prints comes out line by line, as lines of ours."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._log(line, source="printed")
        return len(text)


def take_over(log: Log) -> None:
    """Let everything that this process says, by print or by logging, go through `log`, whose own output stays as it is."""
    logging.getLogger().addHandler(LibraryLines(log))
    sys.stdout = sys.stderr = Clean(log)
