"""
Where a state database can be: a SQLite file on one machine, or a schema of a PostgreSQL database for many.

Both keep one promise, each by its own means: a writing transaction holds the write lock from its beginning, and a reading
one sees a consistent state without waiting.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import sqlalchemy as sa

from tagline.errors import UsageError

WRITES: Final = "tagline_writes"
"""Execution option of connections whose transactions take the write lock."""
BESIDE: Final = "tagline_beside"
"""Execution option of connections whose transactions write without it."""
BUSY_MS: Final = 30_000
"""How long a writer waits for the one before it."""
LOOKS_MS: Final = 8
"""Of these, how long SQLite looks by its own steps of 1, 2 and 5 ms before they begin anew."""
CONNECTING: Final = {"connect_timeout": 10, "application_name": "tagline"}
"""To a PostgreSQL server: seconds within which it must answer, and how our connections are listed there."""


class Place(Protocol):
    """One kind of database at one address."""

    @property
    def is_shared(self) -> bool:
        """Whether processes of other machines can have it open."""
        ...

    def engine(self) -> sa.Engine:
        """Connections whose transactions begin as the module says."""
        ...

    def turn(self) -> AbstractContextManager[None]:
        """Held while the database is opened or closed, where two processes may not do that at once."""
        ...

    def establish(self, conn: sa.Connection) -> None:
        """Make what must be there before the first table, in the transaction that migrates."""
        ...


@dataclass(frozen=True)
class SqliteFile:
    """
    A file of this machine: WAL lets many read while one writes, FULL keeps a commit through a power loss.

    Opening and closing take turns by a lock file of ours: SQLite does not wait, but fails, when one process switches a
    file to WAL or cleans it up after its last reader while another one opens it (sqlite.org/wal.html, section 6).
    """

    path: Path
    is_shared: ClassVar[bool] = False

    def __str__(self) -> str:
        return str(self.path)

    def engine(self) -> sa.Engine:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        engine = sa.create_engine(f"sqlite:///{self.path}", pool_size=2, max_overflow=2)

        @sa.event.listens_for(engine, "connect")
        def prepare(raw: Any, record: Any) -> None:
            del record
            raw.isolation_level = None  # the driver's own BEGIN is late and deferred; ours stands below
            raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")
            if raw.execute("PRAGMA page_count").fetchone() == (0,):
                # Before anything is written: pages that retention frees can then be given back. Later it would wait for writers.
                raw.execute("PRAGMA auto_vacuum=INCREMENTAL")
            raw.execute("PRAGMA journal_mode=WAL")
            raw.execute("PRAGMA synchronous=FULL")

        @sa.event.listens_for(engine, "begin")
        def begin(conn: sa.Connection) -> None:
            if conn.get_execution_options().get(WRITES, False):
                _begin_writing(conn)
            else:
                conn.exec_driver_sql("BEGIN")

        return engine

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self.path.with_name(f"{self.path.name}.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def establish(self, conn: sa.Connection) -> None:
        del conn


def _begin_writing(conn: sa.Connection) -> None:
    """
    Take the write lock, looking for it every few milliseconds.

    Left to itself, SQLite looks ever more seldom, up to every tenth of a second: beside an intake that commits all the time a
    worker would hardly ever meet the moment between two commits.
    """
    raw = conn.connection.driver_connection
    assert raw is not None
    until = time.monotonic() + BUSY_MS / 1000
    raw.execute(f"PRAGMA busy_timeout={LOOKS_MS}")
    try:
        while time.monotonic() < until:
            try:
                raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # however it is extended
                    break
            else:
                return
        conn.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")


@dataclass(frozen=True)
class PostgresSchema:
    """
    A schema of a PostgreSQL database, so that the environments of one server keep apart.

    One transaction-level advisory lock per schema stands for the write lock that SQLite has by nature: what the runtime
    decides in one transaction (merge a hint, claim rows, check a fence) then means the same on both. It is let go at the
    commit, and by the server itself when a writer dies.
    """

    url: str = field(repr=False)
    """`postgresql://user:password@host:port/database`; never shown, since it may hold a password."""
    schema: str
    is_shared: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", self.schema):
            raise UsageError(
                f"{self.schema!r} is no name of a PostgreSQL schema",
                code="state-url-invalid",
                hint="name the environment in lower-case letters, digits and underscores",
            )
        self.address()

    def __str__(self) -> str:
        url = self.address()
        return (
            f"schema {self.schema} of {url.database} on {url.host or 'the local socket'}:{url.port or 5432}"
        )

    def engine(self) -> sa.Engine:
        engine = sa.create_engine(
            self.address(),
            pool_size=4,
            max_overflow=4,
            pool_pre_ping=True,  # a server that was restarted costs one look, not one failed transaction a connection
            connect_args={
                **CONNECTING,
                "options": f"-c search_path={self.schema} -c lock_timeout={BUSY_MS}",
            },
        )
        lock = advisory_key(f"state {self.schema}")

        @sa.event.listens_for(engine, "begin")
        def begin(conn: sa.Connection) -> None:
            if conn.get_execution_options().get(WRITES, False):
                # Taken in a statement of its own: the next one sees what the writer before us committed.
                conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
            elif conn.get_execution_options().get(BESIDE, False):
                conn.exec_driver_sql("SET LOCAL synchronous_commit = off")
            else:
                conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        return engine

    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def establish(self, conn: sa.Connection) -> None:
        conn.execute(sa.schema.CreateSchema(self.schema, if_not_exists=True))

    def address(self) -> sa.URL:
        """The address as SQLAlchemy takes it."""
        try:
            url = sa.make_url(self.url)
        except sa.exc.ArgumentError:
            url = None
        if url is None or url.get_backend_name() != "postgresql" or not url.database:
            raise UsageError(
                "the address of the state database is no PostgreSQL address",
                code="state-url-invalid",
                hint="write postgresql://user:password@host:5432/database; without one, a SQLite file is used",
            )
        return url.set(drivername="postgresql+psycopg")


URL_VARIABLE: Final = "TAGLINE_DATABASE_URL"
"""Names a PostgreSQL database for the state of every environment; unset, each has a SQLite file in its folder."""


def state_place(
    folder: Path, environment: str, variables: Mapping[str, str] = os.environ
) -> SqliteFile | PostgresSchema:
    """
    Where the state database of an environment is.

    Args:
        folder: The environment's state folder on this machine.

    Raises:
        UsageError: `TAGLINE_DATABASE_URL` is no PostgreSQL address (code `state-url-invalid`).
    """
    url = variables.get(URL_VARIABLE, "")
    return (
        PostgresSchema(url, f"tagline_{environment.replace('-', '_')}")
        if url
        else SqliteFile(folder / "state.sqlite")
    )


def advisory_key(name: str) -> int:
    """The number under which PostgreSQL knows a lock of ours."""
    return int.from_bytes(hashlib.sha256(f"tagline {name}".encode()).digest()[:8], "big", signed=True)
