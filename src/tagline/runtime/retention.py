"""
Retention: what is over goes after the days that the environment keeps it, the oldest first, in transactions of some rows.

Above the byte budget more goes, never what the rollback window needs; what is still too much then is told. Cross-references,
cursors and the names of records stay: they say where each record stands, whatever its age.

Pages that SQLite frees are used again, and cost nothing meanwhile; they are given back only while the file is larger than
the budget. Measured on four rounds of 80 MB written and deleted: the file stays at its first peak, 83 MB; giving everything
back each time costs two fifths more CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.domain.environment import RetentionSection
from tagline.errors import TaglineError
from tagline.runtime.database import Database
from tagline.runtime.tables import dead_letters, effects, inbox, letter_notes, overrides, seen

WINDOW: Final = 1000
"""Rows that one step looks at, and at most deletes: some tens of milliseconds of the write lock."""
PAGES: Final = 500
"""Of SQLite, given back in one transaction."""
SLICE: Final = 10
"""Steps that the agent, which has one thread, takes at a time."""
EVERY: Final = timedelta(hours=1)
SAMPLE: Final = 500
"""Newest rows of a PostgreSQL table whose mean size stands for all of them."""
ROW_BYTES: Final = 150
"""What a row of PostgreSQL takes beside its values, in the table and in its indexes; measured at 120 to 170."""


@dataclass(frozen=True)
class Kind:
    """One kind of row that goes when it is over."""

    name: str
    days: str
    """Name of its setting in `[retention]`."""
    table: sa.Table
    over: sa.ColumnElement[bool]
    at: sa.ColumnElement[datetime]
    """When it was over."""
    born: sa.Column[Any] | None
    """An instant that grows with the primary key and is never after `at`; None where rows lie in no order of time."""


KINDS: Final = (
    Kind(
        "inbox rows",
        "inbox_days",
        inbox,
        inbox.c.state.in_(("done", "dead")),
        sa.func.coalesce(inbox.c.ended_at, inbox.c.received_at),
        inbox.c.received_at,
    ),
    Kind(
        "effects",
        "effects_days",
        effects,
        effects.c.state != "intended",
        effects.c.settled_at.expression,
        effects.c.intended_at,
    ),
    Kind(
        "dead letters",
        "letters_days",
        dead_letters,
        dead_letters.c.state.in_(("resolved", "discarded")),
        dead_letters.c.last_at.expression,
        dead_letters.c.first_at,
    ),
    Kind(
        "withdrawn overrides",
        "letters_days",
        overrides,
        overrides.c.withdrawn_at.is_not(None),
        overrides.c.withdrawn_at.expression,
        overrides.c.set_at,
    ),
    Kind("seen versions", "seen_days", seen, sa.true(), seen.c.read_at.expression, None),
)


@dataclass(frozen=True)
class Report:
    """What a pass deleted, or would delete, and how large the state database is with the rest."""

    deleted: Mapping[str, int]
    """Rows a kind; kinds without any are absent."""
    used_bytes: int
    max_bytes: int

    @property
    def over_bytes(self) -> int:
        """By how much the state is above its budget though all went that the rollback window allows."""
        return max(0, self.used_bytes - self.max_bytes)


def expire(database: Database, keep: RetentionSection, now: datetime) -> Generator[None, None, Report]:
    """
    One pass, a transaction a step; returns the report. Safe beside other passes and while all else works.

    Raises:
        TryAgainError: The database is not available (code `state-unavailable`).
    """
    deleted: dict[str, int] = {}

    def go(kind: Kind, days: int) -> Iterator[None]:
        for count in _walk(database, kind, now - timedelta(days=days)):
            if count:
                deleted[kind.name] = deleted.get(kind.name, 0) + count
            yield

    for kind in KINDS:
        yield from go(kind, getattr(keep, kind.days))
    for kind, days in _early(keep):
        if used_bytes(database) <= keep.max_bytes:
            break
        yield from go(kind, days)
    yield from _give_back(database, keep.max_bytes)
    return Report(deleted, used_bytes(database), keep.max_bytes)


def whole(passing: Generator[None, None, Report]) -> Report:
    """Take every step of a pass."""
    while True:
        try:
            next(passing)
        except StopIteration as end:
            report: Report = end.value
            return report


def due(database: Database, keep: RetentionSection, now: datetime) -> Report:
    """What a pass would delete now; above the budget, at most."""
    used = used_bytes(database)
    is_over = used > keep.max_bytes
    counted: dict[str, int] = {}
    with database.read() as conn:
        for kind in KINDS:
            days = keep.rollback_days if is_over else getattr(keep, kind.days)
            past = sa.and_(kind.over, kind.at < now - timedelta(days=days))
            number = conn.execute(sa.select(sa.func.count()).select_from(kind.table).where(past)).scalar_one()
            if number:
                counted[kind.name] = counted.get(kind.name, 0) + number
    return Report(counted, used, keep.max_bytes)


def used_bytes(database: Database) -> int:
    """
    Bytes of the state database that hold something.

    Of SQLite exactly. Of PostgreSQL, whose files keep the room of deleted rows, what retention touches is estimated from the
    number of rows and the size of the newest.
    """
    with database.read() as conn:
        if conn.dialect.name == "sqlite":
            pages, free, size = (
                conn.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("page_count", "freelist_count", "page_size")
            )
            return int((pages - free) * size)
        estimated = {kind.table.name: _estimate(conn, kind.table) for kind in KINDS}
        others = conn.exec_driver_sql(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        )
        return sum(estimated.get(name, size) for name, size in others)


class Hourly:
    """
    Passes of the agent, an hour apart, each a few steps at a time.

    Args:
        trouble: Is told why a pass failed or what stays above the budget, empty when all is well again.
    """

    def __init__(
        self, database: Database, keep: RetentionSection, clock: Clock, trouble: Callable[[str], None]
    ) -> None:
        self._database = database
        self._keep = keep
        self._clock = clock
        self._trouble = trouble
        self._due = clock.now()
        self._going: Generator[None, None, Report] | None = None
        self.last: Report | None = None
        """Of the last pass that came to its end."""

    def step(self) -> None:
        """Begin a pass where one is due, or go on with the one that was begun."""
        if self._going is None:
            if self._clock.now() < self._due:
                return
            self._due = self._clock.now() + EVERY
            self._going = expire(self._database, self._keep, self._clock.now())
        try:
            for _ in range(SLICE):
                next(self._going)
        except StopIteration as end:
            self._going, self.last = None, end.value
            self._trouble(_told(end.value))
        except TaglineError as error:
            self._going = None
            self._trouble(f"nothing was tidied up: {error.message} ({error.code})")


def _told(report: Report) -> str:
    if not report.over_bytes:
        return ""
    return (
        f"the state database holds {report.used_bytes:,} bytes, {report.over_bytes:,} above its budget, and the rollback window"
        " lets nothing more go: give it more (retention.max_bytes) or shorten retention.rollback_days"
    )


def _early(keep: RetentionSection) -> Iterator[tuple[Kind, int]]:
    """What may go early, the oldest day of every kind before the next day of any."""
    longest = max(getattr(keep, kind.days) for kind in KINDS)
    for days in range(longest - 1, keep.rollback_days - 1, -1):
        for kind in KINDS:
            if kind.born is not None and days < getattr(keep, kind.days):
                yield kind, days
    # A walk through all of them: once, at the end.
    for kind in KINDS:
        if kind.born is None:
            yield kind, keep.rollback_days


def _walk(database: Database, kind: Kind, before: datetime) -> Iterator[int]:
    """Delete what was over before an instant, along the primary key; gives the number of each step."""
    own = list(kind.table.primary_key.columns)
    past = sa.and_(kind.over, kind.at < before)
    wanted = sa.case((past, True), else_=False).label("past")
    born = kind.born if kind.born is not None else sa.null()
    query = sa.select(*own, wanted, born.label("born")).order_by(*own).limit(WINDOW)
    position: tuple[Any, ...] | None = None
    while True:
        here = (
            query
            if position is None
            else query.where(sa.tuple_(*own) > sa.tuple_(*map(sa.literal, position)))
        )
        with database.read() as conn:
            window = conn.execute(here).all()
        if not window:
            return
        going = [tuple(row[: len(own)]) for row in window if row.past]
        yield _delete(database, kind, past, going) if going else 0
        last = window[-1]
        if len(window) < WINDOW or (kind.born is not None and last.born >= before):
            return
        position = tuple(last[: len(own)])


def _delete(
    database: Database, kind: Kind, past: sa.ColumnElement[bool], going: list[tuple[Any, ...]]
) -> int:
    own = list(kind.table.primary_key.columns)
    with database.write() as conn:
        if kind.table is dead_letters:
            letters = [number for (number,) in going]
            conn.execute(sa.delete(letter_notes).where(letter_notes.c.letter.in_(letters)))
        if len(own) == 1:
            chosen = own[0].in_([number for (number,) in going])
            return conn.execute(sa.delete(kind.table).where(chosen, past)).rowcount
        one = sa.and_(*(column == sa.bindparam(f"own_{column.name}") for column in own))
        rows = [
            {f"own_{column.name}": value for column, value in zip(own, key, strict=True)} for key in going
        ]
        return conn.execute(sa.delete(kind.table).where(one, past), rows).rowcount


def _give_back(database: Database, max_bytes: int) -> Iterator[None]:
    """Free pages of a SQLite file that is larger than the budget; one that an older tagline made keeps them for use."""
    while True:
        with database.write() as conn:
            if conn.dialect.name != "sqlite" or conn.exec_driver_sql("PRAGMA auto_vacuum").scalar() != 2:
                return
            pages, free, size = (
                conn.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("page_count", "freelist_count", "page_size")
            )
            if not free or pages * size <= max_bytes:
                return
            # Each row that is fetched gives one page back, and SQLAlchemy sees that the rows have no columns.
            cursor = conn.connection.cursor()
            cursor.execute(f"PRAGMA incremental_vacuum({PAGES})")
            cursor.fetchall()
            cursor.close()
        yield


def _estimate(conn: sa.Connection, table: sa.Table) -> int:
    number = conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    size = sum((sa.func.coalesce(sa.func.pg_column_size(column), 0) for column in table.c), sa.literal(0))
    newest = (
        sa.select(size.label("size"))
        .order_by(*(column.desc() for column in table.primary_key.columns))
        .limit(SAMPLE)
        .subquery()
    )
    mean = conn.execute(sa.select(sa.func.coalesce(sa.func.avg(newest.c.size), 0))).scalar_one()
    return int(number * (float(mean) + ROW_BYTES))
