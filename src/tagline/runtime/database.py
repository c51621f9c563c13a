"""
The state database as a file: opened once a process, brought up to date, written by one connection at a time.

Several processes share it (agent, worker, command line): WAL lets them read while one writes, and
IMMEDIATE transactions make a writer wait at its beginning instead of failing at its end. Opening and closing
take turns by a lock file of ours: SQLite does not wait, but fails, when one process switches a file to WAL or
cleans it up after its last reader while another one opens it (sqlite.org/wal.html, section 6).
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from tagline.errors import TryAgainError, UsageError
from tagline.runtime.migrations import HEAD, REVISIONS

BUSY_MS: Final = 30_000


class Database:
    """One state database, opened by `Database.open`; closing it ends every connection."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        self.path = path
        self._engine = engine
        self._lock = threading.RLock()
        self._writer = engine.connect().execution_options(tagline_writes=True)

    @classmethod
    def open(cls, path: Path) -> Database:
        """
        Open or create the database and bring its schema up to date; safe from several processes at once.

        Raises:
            UsageError: It was written by a newer tagline (`state-newer`) or is no database (`state-not-a-database`).
            TryAgainError: It cannot be opened now (`state-unavailable`).
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        engine = _engine(path)
        try:
            with _turn(path), _translated(path):
                with engine.connect().execution_options(tagline_writes=True) as conn, conn.begin():
                    _migrate(conn, path)
                return cls(path, engine)
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        with self._lock, _turn(self.path):
            self._writer.close()
            self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that holds the write lock from its beginning; commits at the end, or nothing happened."""
        with self._lock, _translated(self.path), self._writer.begin():
            yield self._writer

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view; never waits for a writer."""
        with _translated(self.path), self._engine.connect() as conn, conn.begin():
            yield conn


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=2, max_overflow=2)

    @sa.event.listens_for(engine, "connect")
    def prepare(raw: Any, record: Any) -> None:
        del record
        raw.isolation_level = None  # the driver's own BEGIN is late and deferred; ours stands below
        raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def begin(conn: sa.Connection) -> None:
        writes = conn.get_execution_options().get("tagline_writes", False)
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        raise TryAgainError(
            f"the state database {path} is not available: {error.orig}",
            code="state-unavailable",
            hint="see that the disk has room and that no other program holds the file, then try again",
        ) from error
    except sa.exc.DatabaseError as error:
        if "not a database" not in str(error.orig):
            raise
        raise UsageError(
            f"{path} is not a state database",
            code="state-not-a-database",
            hint="point `agent.state` of the environment at another folder, or restore the file",
        ) from error


def _migrate(conn: sa.Connection, path: Path) -> None:
    found = _revision(conn)
    if found == HEAD:
        return
    if found is not None and found not in REVISIONS:
        raise UsageError(
            f"{path} has schema {found}, newer than this tagline knows ({HEAD})",
            code="state-newer",
            hint="run the tagline version that wrote it, or a later one; a rollback never rolls back tagline",
        )
    # Loaded only when there is something to do: Alembic doubles the time the command line takes to start.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    command.upgrade(config, HEAD)


def _revision(conn: sa.Connection) -> str | None:
    if not sa.inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
