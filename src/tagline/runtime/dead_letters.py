"""Dead letters: records set aside with every reason, until someone sends them again, discards them, or they end well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.errors import RecordError, RefusedError, TaglineError, UsageError
from tagline.runtime import notes, overrides
from tagline.runtime.causes import fingerprint, pattern
from tagline.runtime.database import Database, insert
from tagline.runtime.images import Images
from tagline.runtime.inbox import Hint, InboxRow, receive
from tagline.runtime.notes import Note
from tagline.runtime.tables import UNRESOLVED, dead_letters, deployments


@dataclass(frozen=True)
class DeadLetter:
    """One record that could not go on; at most one unresolved letter a record."""

    id: int
    integration: str
    flow: str
    key: str
    connection: str
    cause: str
    """The error's code."""
    message: str
    hint: str
    details: tuple[Mapping[str, str], ...]
    """One mapping (field, rule, sources, reason) a wrong field; never values."""
    deployment: str
    version: str
    """The release that refused the record."""
    attempts: int
    """Times it ended here."""
    first_at: datetime
    last_at: datetime
    state: str
    """`open`, `redriven` (waiting in the inbox again), `resolved` (ended well later) or `discarded` (by a person)."""
    fingerprint: str
    """Letters that share it have one cause; see `causes.fingerprint`."""
    assigned: str
    """Who looks after it; empty for nobody."""


@dataclass(frozen=True)
class Group:
    """Letters of one cause."""

    fingerprint: str
    integration: str
    flow: str
    cause: str
    message: str
    """Of the newest letter, with `*` in place of what varies."""
    count: int
    first_at: datetime
    last_at: datetime
    versions: tuple[str, ...]
    """Releases that refused these records, sorted."""


class Criteria(TypedDict, total=False):
    """Which letters are meant; what is not given, or None, does not matter. A state that is not given is `open`."""

    integration: str | None
    flow: str | None
    key: str | None
    cause: str | None
    fingerprint: str | None
    assigned: str | None
    """Empty: to nobody."""
    version: str | None
    since: datetime | None
    """Ended here at that time or later."""
    state: str | None


@dataclass(frozen=True)
class Refused:
    """A record and why it cannot go on."""

    integration: str
    flow: str
    key: str
    connection: str
    """Empty where it was refused before anyone knew."""
    error: TaglineError


class DeadLetters:
    """The dead letters of one state database, as people and the command line use them."""

    def __init__(self, database: Database, images: Images, clock: Clock) -> None:
        self._database = database
        self._images = images
        self._clock = clock

    def list(self, ids: Sequence[int] | None = None, **which: Unpack[Criteria]) -> Sequence[DeadLetter]:
        """Letters, oldest first."""
        with self._database.read() as conn:
            return _select(conn, _matching(which, ids))

    def groups(self, **which: Unpack[Criteria]) -> Sequence[Group]:
        """The same by cause, the most frequent first."""
        letter = dead_letters.c
        chosen = _matching(which)
        counted = (
            sa.select(
                letter.fingerprint,
                sa.func.count().label("number"),
                sa.func.min(letter.first_at, type_=letter.first_at.type).label("first_at"),
                sa.func.max(letter.last_at, type_=letter.last_at.type).label("last_at"),
                sa.func.max(letter.id).label("newest"),
            )
            .where(*chosen)
            .group_by(letter.fingerprint)
        ).subquery()
        query = sa.select(
            counted, letter.integration, letter.flow, letter.cause, letter.message, letter.key
        ).join(dead_letters, letter.id == counted.c.newest)
        by_release = sa.select(letter.fingerprint, letter.version).where(*chosen).distinct()
        with self._database.read() as conn:
            versions: dict[str, list[str]] = {}
            for mark, version in conn.execute(by_release.order_by(letter.version)):
                versions.setdefault(mark, []).append(version)
            found = [
                Group(
                    row.fingerprint,
                    row.integration,
                    row.flow,
                    row.cause,
                    pattern(row.message, row.key),
                    row.number,
                    row.first_at,
                    row.last_at,
                    tuple(versions[row.fingerprint]),
                )
                for row in conn.execute(query)
            ]
        return sorted(found, key=lambda group: (-group.count, group.first_at, group.fingerprint))

    def show(self, number: int) -> DeadLetter:
        """
        One letter.

        Raises:
            UsageError: There is none of that number (code `dead-letter-unknown`).
        """
        with self._database.read() as conn:
            return _known(conn, [number])[0]

    def notes(self, number: int) -> Sequence[Note]:
        """What people did about a letter, oldest first."""
        with self._database.read() as conn:
            return notes.of(conn, self._images, [number])

    def note(self, number: int, text: str, *, by: str) -> None:
        """Add a note; raises as `show` does."""
        with self._database.write() as conn:
            _known(conn, [number])
            notes.add(conn, self._images, [number], "note", text, by, self._clock.now())

    def assign(self, ids: Sequence[int], person: str, *, by: str) -> int:
        """Give letters to a person, or to nobody; returns how many changed hands. Raises as `show` does."""
        with self._database.write() as conn:
            moved = [letter.id for letter in _known(conn, ids) if letter.assigned != person]
            conn.execute(sa.update(dead_letters).where(dead_letters.c.id.in_(moved)).values(assigned=person))
            notes.add(conn, self._images, moved, "assigned", person, by, self._clock.now())
        return len(moved)

    def redrive(
        self,
        ids: Sequence[int] | None = None,
        *,
        by: str = "",
        values: Mapping[str, Any] | None = None,
        original: bool = False,
        **which: Unpack[Criteria],
    ) -> int:
        """
        Put open letters back into the inbox; each stays as `redriven` until its record ends.

        All of it is one transaction: killed in the middle nothing has happened, and who comes second finds none open.

        Args:
            ids: Numbers of letters; None takes every open one that matches the rest.
            by: Who does it.
            values: Fields of the source record, by path, and what they are to hold until the override is withdrawn.
            original: With the release that refused each record, in place of the one that runs.

        Returns:
            How many letters were redriven.

        Raises:
            UsageError: One of the numbers is unknown (`dead-letter-unknown`); nothing is redriven then.
            RefusedError: A letter's own release does not run (`release-not-running`); nothing is redriven then.
        """
        with self._database.write() as conn:
            now = self._clock.now()
            letters = _open(conn, ids, which)
            if original:
                _must_run(conn, letters)
            records = [(x.integration, x.flow, x.key) for x in letters]
            overrides.lay(conn, self._images, records, values or {}, by, now)
            receive(conn, [Hint(x.integration, x.flow, x.key, "redrive", x.connection) for x in letters], now)
            _end(conn, letters, "redriven")
            paths = ", ".join(values or ())
            notes.add(conn, self._images, [x.id for x in letters], "redriven", paths, by, now)
        return len(letters)

    def discard(
        self, ids: Sequence[int] | None = None, *, reason: str, by: str, **which: Unpack[Criteria]
    ) -> int:
        """
        Close open letters for good, with the reason; they stay, and a later failure of their record opens another letter.

        Returns:
            How many letters were discarded.

        Raises:
            UsageError: One of the numbers is unknown (`dead-letter-unknown`); nothing is discarded then.
        """
        with self._database.write() as conn:
            letters = _open(conn, ids, which)
            _end(conn, letters, "discarded")
            notes.add(conn, self._images, [x.id for x in letters], "discarded", reason, by, self._clock.now())
        return len(letters)


def bury(conn: sa.Connection, refused: Sequence[Refused], deployment: str, now: datetime) -> None:
    """Open a letter for each record, or open its unresolved one again with the newest cause."""
    if not refused:
        return
    version = sa.select(deployments.c.version).where(deployments.c.id == deployment)
    release = conn.execute(version).scalar() or ""
    new = insert(conn, dead_letters)
    again = {
        name: new.excluded[name]
        for name in (
            "cause",
            "message",
            "hint",
            "details",
            "deployment",
            "version",
            "last_at",
            "state",
            "fingerprint",
        )
    }
    conn.execute(
        new.on_conflict_do_update(
            index_elements=["integration", "flow", "key"],
            index_where=UNRESOLVED,
            set_={**again, "attempts": dead_letters.c.attempts + 1},
        ),
        [
            {
                "integration": r.integration,
                "flow": r.flow,
                "key": r.key,
                "connection": r.connection,
                "cause": r.error.code,
                "message": r.error.message,
                "hint": r.error.hint,
                "details": _details(r.error),
                "deployment": deployment,
                "version": release,
                "attempts": 1,
                "first_at": now,
                "last_at": now,
                "state": "open",
                "fingerprint": fingerprint(
                    r.integration, r.flow, r.error.code, r.error.message, _details(r.error), key=r.key
                ),
                "assigned": "",
            }
            for r in refused
        ],
    )


def resolve(conn: sa.Connection, rows: Sequence[InboxRow]) -> None:
    """Close the letters of records that ended well."""
    if not rows:
        return
    letter = dead_letters.c
    conn.execute(
        sa.update(dead_letters)
        .where(
            letter.integration == sa.bindparam("of_integration"),
            letter.flow == sa.bindparam("of_flow"),
            letter.key == sa.bindparam("of_key"),
            UNRESOLVED,
        )
        .values(state="resolved"),
        [{"of_integration": r.integration, "of_flow": r.flow, "of_key": r.key} for r in rows],
    )


def _details(error: TaglineError) -> list[dict[str, str]]:
    return [dict(each) for each in error.details] if isinstance(error, RecordError) else []


_COLUMNS: Final = tuple(dead_letters.c[name] for name in DeadLetter.__dataclass_fields__)


def _matching(which: Criteria, ids: Sequence[int] | None = None) -> list[sa.ColumnElement[bool]]:
    asked: dict[str, Any] = {"state": "open", **which}
    since = asked.pop("since", None)
    found = [dead_letters.c[name] == value for name, value in asked.items() if value is not None]
    if since is not None:
        found.append(dead_letters.c.last_at >= since)
    if ids is not None:
        found.append(dead_letters.c.id.in_(ids))
    return found


def _select(conn: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]]) -> Sequence[DeadLetter]:
    query = sa.select(*_COLUMNS).where(*conditions).order_by(dead_letters.c.id)
    return [DeadLetter(**{**row, "details": tuple(row["details"])}) for row in conn.execute(query).mappings()]


def _known(conn: sa.Connection, ids: Sequence[int]) -> Sequence[DeadLetter]:
    found = _select(conn, [dead_letters.c.id.in_(ids)])
    missing = set(ids) - {letter.id for letter in found}
    if missing:
        raise UsageError(
            f"there is no dead letter {min(missing)}",
            code="dead-letter-unknown",
            hint="`tagline dead-letters list` shows the open ones",
        )
    return found


def _open(conn: sa.Connection, ids: Sequence[int] | None, which: Criteria) -> Sequence[DeadLetter]:
    if ids is not None:
        _known(conn, ids)
    return _select(conn, _matching({**which, "state": "open"}, ids))


def _end(conn: sa.Connection, letters: Sequence[DeadLetter], state: str) -> None:
    if letters:
        conn.execute(
            sa.update(dead_letters).where(dead_letters.c.id == sa.bindparam("letter")).values(state=state),
            [{"letter": letter.id} for letter in letters],
        )


def _must_run(conn: sa.Connection, letters: Sequence[DeadLetter]) -> None:
    """See that each letter's own release is the one that runs: another has no worker to run it."""
    closures: dict[str, str] = {}
    running: dict[str, sa.Row[Any]] = {}
    for row in conn.execute(sa.select(deployments)):
        closures[row.id] = row.closure
        if row.state == "active":
            running[row.integration] = row
    for letter in letters:
        now = running.get(letter.integration)
        if now is None or closures.get(letter.deployment) != now.closure:
            raise RefusedError(
                f"release {letter.version or 'unknown'}, which refused letter {letter.id}, has no worker that could run it: "
                "an environment runs one release of an integration at a time, "
                + (f"now {now.version}" if now is not None else "and none now"),
                code="release-not-running",
                where={"integration": letter.integration, "deployment": letter.deployment},
                hint="redrive with the one that runs, or deploy or roll back to that release first; nothing was redriven",
            )
