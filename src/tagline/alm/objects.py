"""What git keeps, as values, and the texts in which it tells of them and of its troubles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from tagline.errors import NotAuthorisedError, TryAgainError, UsageError

ORIGIN: Final = "origin"
DENIED: Final = re.compile(
    r"authentication failed|permission denied|could not read username|access denied|\b403\b|hook declined|protected branch",
    re.IGNORECASE,
)
"""How a remote says that it knows nobody like us, or does not let us write."""


@dataclass(frozen=True)
class Tree:
    """An existing tree, by object id, to be grafted into a commit."""

    id: str


Change = bytes | Tree | None
"""What a path becomes: a file, a whole existing tree, or nothing."""


@dataclass(frozen=True)
class Entry:
    """One line of a tree."""

    mode: str
    kind: Literal["blob", "tree", "commit"]
    id: str
    path: str


@dataclass(frozen=True)
class Commit:
    """A commit as its log tells it."""

    id: str
    author: str
    at: datetime
    subject: str
    trailers: Mapping[str, str]


def signature(by: str, at: datetime) -> dict[str, str]:
    """Environment in which git signs as `Name <mail>` at that instant."""
    match = re.fullmatch(r"\s*(.*?)\s*<([^<>]*)>\s*", by)
    name, mail = match.groups() if match else (by.strip(), "")
    when = f"@{int(at.timestamp())} +0000"
    return {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name or mail), ("EMAIL", mail), ("DATE", when))
    }


def nested(changes: Mapping[str, Change]) -> dict[str, Any]:
    """Paths as folders in folders."""
    root: dict[str, Any] = {}
    for path, change in changes.items():
        *folders, name = path.split("/")
        place = root
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = change
    return root


def to_entry(line: str) -> Entry:
    """A line of `git ls-tree -z`."""
    facts, path = line.split("\t", 1)
    mode, kind, oid = facts.split()
    return Entry(mode, kind, oid, path)  # type: ignore[arg-type] # git knows three kinds


LOG_FORMAT: Final = "%H%x01%an <%ae>%x01%at%x01%s%x01%(trailers:only,unfold)"


def to_commit(line: str) -> Commit:
    """A record of `git log -z` in `LOG_FORMAT`."""
    oid, author, at, subject, trailers = line.split("\x01", 4)
    return Commit(
        oid, author, datetime.fromtimestamp(int(at), UTC), subject, dict(_trailers(trailers.splitlines()))
    )


def _trailers(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()


def trailers(message: str) -> dict[str, str]:
    """`Name: value` lines of a message's last paragraph."""
    paragraphs = message.strip().split("\n\n")
    return dict(_trailers(paragraphs[-1].splitlines()))


def first_line(err: str) -> str:
    """What git said, shortened, without credentials that a remote's address may carry."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    told = next(
        (x for x in lines if x.startswith(("fatal:", "error:", "remote:", "!"))), lines[0] if lines else ""
    )
    told = re.sub(r"(//)[^/@\s]+@", r"\1", told.removeprefix("fatal: ").removeprefix("error: "))
    return told[:300] or "no reason given"


def no_repository(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"{path} is in no git repository that can be read: {reason}",
        code="repository-missing",
        where={"path": str(path)},
        hint="run it inside a clone, or make one with git init",
    )


def remote_trouble(told: str) -> NotAuthorisedError | TryAgainError:
    if DENIED.search(told):
        return NotAuthorisedError(
            f"the remote {ORIGIN} refused: {first_line(told)}",
            code="remote-denied",
            where={"remote": ORIGIN},
            hint="check your credentials and whether you may write this branch; nothing was changed",
        )
    return TryAgainError(
        f"the remote {ORIGIN} cannot be used now: {first_line(told)}",
        code="remote-unreachable",
        where={"remote": ORIGIN},
        hint="try again when git fetch origin and git push origin work; nothing was changed",
    )
