"""
The inbox: which records wait to be run, and how each run ended.

A hint says only that a record changed. While nobody works on the record there is one waiting row, and later
hints merge into it; once a worker has claimed that row a new hint makes a row of its own, because the run may
have read the source before the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from tagline.errors import TaglineError
from tagline.runtime.tables import WAITING, inbox, seen

Source = Literal["webhook", "sweep", "redrive"]

COALESCED: Final = "coalesced"
"""Code of a row whose hint an older row of the same record took over."""


@dataclass(frozen=True)
class Hint:
    """A record of a flow's source that may have changed."""

    integration: str
    flow: str
    key: str
    source: Source
    connection: str
    version: str = ""
    """Of the record, where the remote tells one."""


@dataclass(frozen=True)
class InboxRow:
    """A hint as it stands in the inbox."""

    id: int
    integration: str
    flow: str
    key: str
    source: str
    connection: str
    version: str
    received_at: datetime
    due_at: datetime
    runs: int
    """Times a worker claimed it."""
    attempts: int
    """Runs that ended in a retry."""
    crashes: int
    """Runs during which the worker died."""


@dataclass(frozen=True)
class Done:
    """The run ended well; `code` says so where nothing had to be done, for example `record-gone`."""

    row: InboxRow
    code: str = ""


@dataclass(frozen=True)
class Dead:
    """The record cannot go on: a dead letter."""

    row: InboxRow
    error: TaglineError


@dataclass(frozen=True)
class Later:
    """The record is run again, not before `due_at`."""

    row: InboxRow
    due_at: datetime
    code: str
    counted: bool = True
    """Whether this was an attempt of the record; a pause of the whole worker is not."""


Finished = Done | Dead | Later

_COLUMNS: Final = tuple(inbox.c[name] for name in InboxRow.__dataclass_fields__)


def receive(conn: sa.Connection, hints: Sequence[Hint], now: datetime) -> int:
    """Add a waiting row for each hint or merge it into the one that waits; returns how many were added."""
    if not hints:
        return 0
    newest = conn.execute(sa.select(sa.func.coalesce(sa.func.max(inbox.c.id), 0))).scalar_one()
    new = insert(inbox)
    redriven = new.excluded.source == "redrive"
    merge = new.on_conflict_do_update(
        index_elements=["integration", "flow", "key"],
        index_where=WAITING,
        set_={
            "version": sa.case((new.excluded.version == "", inbox.c.version), else_=new.excluded.version),
            # A wait that a remote asked for stands against new hints, not against a person.
            "due_at": sa.case((redriven, new.excluded.due_at), else_=inbox.c.due_at),
            "attempts": sa.case((redriven, 0), else_=inbox.c.attempts),
            "crashes": sa.case((redriven, 0), else_=inbox.c.crashes),
        },
    )
    conn.execute(
        merge,
        [
            {
                "integration": hint.integration,
                "flow": hint.flow,
                "key": hint.key,
                "source": hint.source,
                "connection": hint.connection,
                "version": hint.version,
                "received_at": now,
                "state": "received",
                "runs": 0,
                "attempts": 0,
                "crashes": 0,
                "due_at": now,
                "code": "",
            }
            for hint in hints
        ],
    )
    added = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.id > newest)
    return conn.execute(added).scalar_one()


def ready(conn: sa.Connection, integration: str, now: datetime, limit: int) -> list[InboxRow]:
    """
    Waiting rows that are due, oldest due first; a record in hand holds back its own later hints alone.

    Where more are due than asked for, what somebody waits for goes before what sweeps found, which is many at a time:
    a fifth is always the oldest of all, so that nothing is put off without end.
    """
    due = sa.and_(inbox.c.integration == integration, WAITING_ROW, inbox.c.due_at <= now, ~_in_hand())
    oldest = _rows(conn, due, limit + 1)
    if len(oldest) <= limit:
        return oldest
    live = _rows(conn, sa.and_(due, inbox.c.source != "sweep"), limit)
    first = [*oldest[: max(1, limit // 5)], *live, *oldest]
    chosen = list({row.id: row for row in first}.values())[:limit]
    return sorted(chosen, key=lambda row: (row.due_at, row.id))


def _rows(conn: sa.Connection, which: sa.ColumnElement[bool], limit: int) -> list[InboxRow]:
    query = sa.select(*_COLUMNS).where(which).order_by(inbox.c.due_at, inbox.c.id).limit(limit)
    return [InboxRow(**row) for row in conn.execute(query).mappings()]


def next_due(conn: sa.Connection, integration: str) -> datetime | None:
    query = sa.select(sa.func.min(inbox.c.due_at, type_=inbox.c.due_at.type)).where(
        inbox.c.integration == integration, WAITING_ROW, ~_in_hand()
    )
    return conn.execute(query).scalar()


def claim(conn: sa.Connection, ids: Sequence[int], deployment: str) -> list[InboxRow]:
    """Take rows in hand; those that ended or were taken meanwhile are left out."""
    taken = conn.execute(
        sa.update(inbox)
        .where(inbox.c.id.in_(ids), WAITING_ROW)
        .values(claimed=deployment, runs=inbox.c.runs + 1)
        .returning(*_COLUMNS)
    )
    return sorted((InboxRow(**row) for row in taken.mappings()), key=lambda row: row.id)


def release_claims(conn: sa.Connection, integration: str) -> int:
    """Give back what a worker that died had in hand, counting the death against each row."""
    held = conn.execute(
        sa.select(inbox.c.id).where(inbox.c.integration == integration, IN_HAND_ROW)
    ).scalars()
    ids = list(held)
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        _take_over(conn, part)
        conn.execute(
            sa.update(inbox).where(inbox.c.id.in_(part)).values(claimed=None, crashes=inbox.c.crashes + 1)
        )
    return len(ids)


def end(conn: sa.Connection, finished: Sequence[Finished], deployment: str, now: datetime) -> None:
    """Record how claimed rows ended; ones that ended before stay as they are."""
    later = [f for f in finished if isinstance(f, Later)]
    _take_over(conn, [f.row.id for f in later])
    held = sa.update(inbox).where(inbox.c.id == sa.bindparam("row"), inbox.c.state == "received")
    if later:
        conn.execute(
            held.values(
                claimed=None,
                due_at=sa.bindparam("due"),
                code=sa.bindparam("why"),
                attempts=inbox.c.attempts + sa.bindparam("count"),
            ),
            [{"row": f.row.id, "due": f.due_at, "why": f.code, "count": int(f.counted)} for f in later],
        )
    ended = [
        {"row": f.row.id, "end": "done", "why": f.code}
        if isinstance(f, Done)
        else {"row": f.row.id, "end": "dead", "why": f.error.code}
        for f in finished
        if not isinstance(f, Later)
    ]
    if ended:
        conn.execute(
            held.values(
                state=sa.bindparam("end"),
                code=sa.bindparam("why"),
                claimed=None,
                deployment=deployment,
                ended_at=now,
            ),
            ended,
        )


def remember(conn: sa.Connection, rows: Sequence[InboxRow], read_at: datetime) -> None:
    """Note the versions these rows told of as seen by a run that read the source at that instant or later."""
    known = [
        {
            "integration": row.integration,
            "flow": row.flow,
            "key": row.key,
            "version": row.version,
            "read_at": read_at,
        }
        for row in rows
        if row.version
    ]
    if not known:
        return
    new = insert(seen)
    conn.execute(
        new.on_conflict_do_update(
            index_elements=["integration", "flow", "key"],
            set_={"version": new.excluded.version, "read_at": new.excluded.read_at},
        ),
        known,
    )


WAITING_ROW: Final = sa.and_(inbox.c.state == "received", inbox.c.claimed.is_(None))
IN_HAND_ROW: Final = sa.and_(inbox.c.state == "received", inbox.c.claimed.is_not(None))


def _in_hand() -> sa.Exists:
    other = inbox.alias("in_hand")
    return sa.exists().where(
        other.c.integration == inbox.c.integration,
        other.c.flow == inbox.c.flow,
        other.c.key == inbox.c.key,
        other.c.state == "received",
        other.c.claimed.is_not(None),
    )


def _take_over(conn: sa.Connection, ids: Sequence[int]) -> None:
    """Merge hints that arrived while these rows were in hand into them, so that each record waits once."""
    if not ids:
        return
    newer = inbox.alias("newer")
    pairs = conn.execute(
        sa.select(inbox.c.id, newer.c.id, newer.c.version).where(
            inbox.c.id.in_(ids),
            IN_HAND_ROW,
            newer.c.integration == inbox.c.integration,
            newer.c.flow == inbox.c.flow,
            newer.c.key == inbox.c.key,
            newer.c.state == "received",
            newer.c.claimed.is_(None),
        )
    ).all()
    for held, taken, version in pairs:
        conn.execute(sa.update(inbox).where(inbox.c.id == taken).values(state="done", code=COALESCED))
        if version:
            conn.execute(sa.update(inbox).where(inbox.c.id == held).values(version=version))
