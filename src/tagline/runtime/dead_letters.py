"""Dead letters: records set aside with every reason, until someone sends them again or they end well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from tagline.clock import Clock
from tagline.errors import RecordError, TaglineError, UsageError
from tagline.runtime.database import Database
from tagline.runtime.inbox import Hint, InboxRow, receive
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
    """`open`, `redriven` (waiting in the inbox again) or `resolved` (ended well later)."""


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

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def list(
        self, *, integration: str | None = None, cause: str | None = None, state: str | None = "open"
    ) -> Sequence[DeadLetter]:
        """Letters, oldest first; `None` asks for any."""
        with self._database.read() as conn:
            return _select(conn, _matching(integration, cause, state))

    def show(self, number: int) -> DeadLetter:
        """
        One letter.

        Raises:
            UsageError: There is none of that number (code `dead-letter-unknown`).
        """
        with self._database.read() as conn:
            found = _select(conn, [dead_letters.c.id == number])
        if not found:
            raise _unknown(number)
        return found[0]

    def redrive(
        self, ids: Sequence[int] | None = None, *, integration: str | None = None, cause: str | None = None
    ) -> int:
        """
        Put open letters back into the inbox; each stays as `redriven` until its record ends.

        Args:
            ids: Numbers of letters; None takes every open one that matches the rest.

        Raises:
            UsageError: One of the numbers is unknown (`dead-letter-unknown`); nothing is redriven then.
        """
        with self._database.write() as conn:
            for number in ids or ():
                if not _select(conn, [dead_letters.c.id == number]):
                    raise _unknown(number)
            chosen = _matching(integration, cause, "open")
            if ids is not None:
                chosen.append(dead_letters.c.id.in_(ids))
            letters = _select(conn, chosen)
            hints = [Hint(x.integration, x.flow, x.key, "redrive", x.connection) for x in letters]
            receive(conn, hints, self._clock.now())
            conn.execute(sa.update(dead_letters).where(*chosen).values(state="redriven"))
        return len(letters)


def bury(conn: sa.Connection, refused: Sequence[Refused], deployment: str, now: datetime) -> None:
    """Open a letter for each record, or open its unresolved one again with the newest cause."""
    if not refused:
        return
    version = sa.select(deployments.c.version).where(deployments.c.id == deployment)
    release = conn.execute(version).scalar() or ""
    new = insert(dead_letters)
    again = {
        name: new.excluded[name]
        for name in ("cause", "message", "hint", "details", "deployment", "version", "last_at", "state")
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
                "details": [dict(x) for x in r.error.details] if isinstance(r.error, RecordError) else [],
                "deployment": deployment,
                "version": release,
                "attempts": 1,
                "first_at": now,
                "last_at": now,
                "state": "open",
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


_COLUMNS: Final = tuple(dead_letters.c[name] for name in DeadLetter.__dataclass_fields__)


def _matching(integration: str | None, cause: str | None, state: str | None) -> list[sa.ColumnElement[bool]]:
    asked = {"integration": integration, "cause": cause, "state": state}
    return [dead_letters.c[name] == value for name, value in asked.items() if value is not None]


def _select(conn: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]]) -> Sequence[DeadLetter]:
    query = sa.select(*_COLUMNS).where(*conditions).order_by(dead_letters.c.id)
    return [DeadLetter(**{**row, "details": tuple(row["details"])}) for row in conn.execute(query).mappings()]


def _unknown(number: int) -> UsageError:
    return UsageError(
        f"there is no dead letter {number}",
        code="dead-letter-unknown",
        hint="`tagline dead-letters list` shows the open ones",
    )
