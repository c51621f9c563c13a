"""
The inbox: which records wait to be run, and how each run ended.

A hint says only that a record changed. While nobody works on the record there is one waiting row, and later
hints merge into it; once a worker has claimed that row a new hint makes a row of its own, because the run may
have read the source before the change.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa

from tagline.connectors.pace import Lane
from tagline.errors import TaglineError
from tagline.runtime.database import insert
from tagline.runtime.partitions import ALL, PARTITIONS, partition_of
from tagline.runtime.tables import WAITING, inbox, seen

Source = Literal["webhook", "sweep", "redrive", "back-fill", "compare"]

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

    @property
    def lane(self) -> Lane:
        return Lane.BACK_FILL if self.source in ("back-fill", "compare") else Lane.LIVE

    @property
    def is_asked(self) -> bool:
        """Whether a person asked for this record: it is run whatever its age."""
        return self.source in ("redrive", "back-fill")


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
    lane: Lane = Lane.LIVE
    asked: bool = False
    """Whether a person asked for it, by a redrive or a back-fill, whoever hinted at it since."""
    code: str = ""
    """Of what ended its last run, where it is run again."""


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
    new = insert(conn, inbox)
    redriven = new.excluded.source == "redrive"
    # Who waits live stays so; who waits in a back-fill is promoted, and stays asked for.
    promoted = sa.and_(inbox.c.lane == Lane.BACK_FILL.value, new.excluded.lane == Lane.LIVE.value)
    merge = new.on_conflict_do_update(
        index_elements=["integration", "flow", "key"],
        index_where=WAITING,
        set_={
            "version": sa.case((new.excluded.version == "", inbox.c.version), else_=new.excluded.version),
            # A wait that a remote asked for stands against new hints, not against a person.
            "due_at": sa.case((redriven, new.excluded.due_at), else_=inbox.c.due_at),
            "attempts": sa.case((redriven, 0), else_=inbox.c.attempts),
            "crashes": sa.case((redriven, 0), else_=inbox.c.crashes),
            "source": sa.case((promoted, new.excluded.source), else_=inbox.c.source),
            "lane": sa.case((promoted, new.excluded.lane), else_=inbox.c.lane),
            "asked": sa.or_(inbox.c.asked, new.excluded.asked),
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
                "lane": hint.lane.value,
                "asked": hint.is_asked,
                "partition": partition_of(hint.key),
            }
            for hint in hints
        ],
    )
    added = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.id > newest)
    return conn.execute(added).scalar_one()


def ready(
    conn: sa.Connection,
    integration: str,
    now: datetime,
    limit: int,
    lane: Lane = Lane.LIVE,
    partitions: Collection[int] = ALL,
    without: Collection[str] = (),
) -> list[InboxRow]:
    """
    Waiting rows of a lane that are due, oldest due first, but for those of some flows.

    A record in hand holds back its own later hints alone.

    Where more are due than asked for, what somebody waits for goes before what sweeps found, which is many at a time:
    a fifth is always the oldest of all, so that nothing is put off without end.
    """
    due = sa.and_(
        inbox.c.integration == integration,
        inbox.c.lane == lane.value,
        WAITING_ROW,
        inbox.c.due_at <= now,
        ~_in_hand(),
        *_within(partitions),
        *_without(without),
    )
    oldest = _rows(conn, due, limit + 1)
    if len(oldest) <= limit:
        return oldest
    live = _rows(conn, sa.and_(due, inbox.c.source != "sweep"), limit)
    first = [*oldest[: max(1, limit // 5)], *live, *oldest]
    chosen = list({row.id: row for row in first}.values())[:limit]
    return sorted(chosen, key=lambda row: (row.due_at, row.id))


def _rows(conn: sa.Connection, which: sa.ColumnElement[bool], limit: int) -> list[InboxRow]:
    query = sa.select(*_COLUMNS).where(which).order_by(inbox.c.due_at, inbox.c.id).limit(limit)
    return [_row(row) for row in conn.execute(query).mappings()]


def _row(found: sa.RowMapping) -> InboxRow:
    return InboxRow(**{**found, "lane": Lane(found["lane"])})


def next_due(
    conn: sa.Connection,
    integration: str,
    lane: Lane,
    partitions: Collection[int] = ALL,
    without: Collection[str] = (),
) -> datetime | None:
    # The first by the index: a minimum would look at each of a great many waiting rows.
    query = (
        sa.select(inbox.c.due_at)
        .where(
            inbox.c.integration == integration,
            inbox.c.lane == lane.value,
            WAITING_ROW,
            ~_in_hand(),
            *_within(partitions),
            *_without(without),
        )
        .order_by(inbox.c.due_at)
        .limit(1)
    )
    return conn.execute(query).scalar()


def claim(conn: sa.Connection, ids: Sequence[int], holder: str) -> list[InboxRow]:
    """Take rows in hand for a worker; those that ended or were taken meanwhile are left out."""
    taken = conn.execute(
        sa.update(inbox)
        .where(inbox.c.id.in_(ids), WAITING_ROW)
        .values(claimed=holder, runs=inbox.c.runs + 1)
        .returning(*_COLUMNS)
    )
    return sorted((_row(row) for row in taken.mappings()), key=lambda row: row.id)


def release_claims(
    conn: sa.Connection, integration: str, holders: Sequence[str], *, crashed: bool = True
) -> int:
    """Give back what these workers had in hand, counting a death against each row where they died."""
    held = sa.select(inbox.c.id).where(
        inbox.c.integration == integration, inbox.c.claimed.in_(holders), IN_HAND_ROW
    )
    ids = list(conn.execute(held).scalars())
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        _take_over(conn, part)
        conn.execute(
            sa.update(inbox)
            .where(inbox.c.id.in_(part))
            .values(claimed=None, crashes=inbox.c.crashes + int(crashed))
        )
    return len(ids)


def in_hand(conn: sa.Connection, ids: Sequence[int], holder: str) -> frozenset[int]:
    """Which of these rows a worker still has: those that another one took over meanwhile are not its to end."""
    mine = sa.select(inbox.c.id).where(inbox.c.id.in_(ids), IN_HAND_ROW, inbox.c.claimed == holder)
    return frozenset(conn.execute(mine).scalars())


def end(conn: sa.Connection, finished: Sequence[Finished], deployment: str, now: datetime) -> None:
    """Record how claimed rows ended."""
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
    new = insert(conn, seen)
    conn.execute(
        new.on_conflict_do_update(
            index_elements=["integration", "flow", "key"],
            set_={"version": new.excluded.version, "read_at": new.excluded.read_at},
        ),
        known,
    )


WAITING_ROW: Final = sa.and_(inbox.c.state == "received", inbox.c.claimed.is_(None))
IN_HAND_ROW: Final = sa.and_(inbox.c.state == "received", inbox.c.claimed.is_not(None))


def _within(partitions: Collection[int]) -> Sequence[sa.ColumnElement[bool]]:
    """Whoever has all partitions, as one worker alone has, asks for none by name."""
    return () if len(partitions) == PARTITIONS else (inbox.c.partition.in_(sorted(partitions)),)


def _without(flows: Collection[str]) -> Sequence[sa.ColumnElement[bool]]:
    return (inbox.c.flow.not_in(sorted(flows)),) if flows else ()


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
        sa.select(inbox.c.id, newer.c.id, newer.c.version, newer.c.source, newer.c.lane, newer.c.asked).where(
            inbox.c.id.in_(ids),
            IN_HAND_ROW,
            newer.c.integration == inbox.c.integration,
            newer.c.flow == inbox.c.flow,
            newer.c.key == inbox.c.key,
            newer.c.state == "received",
            newer.c.claimed.is_(None),
        )
    ).all()
    for held, taken, version, source, lane, asked in pairs:
        conn.execute(sa.update(inbox).where(inbox.c.id == taken).values(state="done", code=COALESCED))
        mine = sa.update(inbox).where(inbox.c.id == held)
        if version:
            conn.execute(mine.values(version=version))
        if asked:
            conn.execute(mine.values(asked=True))
        if lane == Lane.LIVE.value:
            promoted = mine.where(inbox.c.lane == Lane.BACK_FILL.value)
            conn.execute(promoted.values(lane=lane, source=source))
