"""The state database: opened once a process, brought up to date, written by one transaction at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tagline.errors import TryAgainError, UsageError
from tagline.runtime.migrations import HEAD, REVISIONS
from tagline.runtime.places import BESIDE, WRITES, Place, SqliteFile


class Database:
    """One state database, opened by `Database.open`; closing it ends every connection."""

    def __init__(self, place: Place, engine: sa.Engine) -> None:
        self.place = place
        self._engine = engine
        self._writing = engine.execution_options(**{WRITES: True})
        self._lock = threading.RLock()
        """Threads of one process wait here, where nobody has to look again and again."""

    @classmethod
    def open(cls, where: Path | Place) -> Database:
        """
        Open or create the database and bring its schema up to date; safe from several processes at once.

        Args:
            where: A path means a SQLite file; its folder is made.

        Raises:
            UsageError: It was written by a newer tagline (`state-newer`) or is no database (`state-not-a-database`).
            TryAgainError: It cannot be opened now (`state-unavailable`).
        """
        place = SqliteFile(where) if isinstance(where, Path) else where
        with translated(place):
            database = cls(place, place.engine())
        try:
            with translated(place), place.turn(), database.write() as conn:
                place.establish(conn)
                _migrate(conn, place)
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        with self._lock, self.place.turn():
            self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that holds the write lock from its beginning; commits at the end, or nothing happened."""
        with self._lock, translated(self.place), self._writing.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def beside(self) -> Iterator[sa.Connection]:
        """
        One transaction beside other writers, for a row that is locked by itself and whose loss costs nothing.

        On SQLite, which knows one writer at a time, it is as `write`. On PostgreSQL its commit does not wait for the disk.
        """
        if isinstance(self.place, SqliteFile):
            with self.write() as conn:
                yield conn
            return
        with (
            translated(self.place),
            self._engine.execution_options(**{BESIDE: True}).connect() as conn,
            conn.begin(),
        ):
            yield conn

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view; never waits for a writer."""
        with translated(self.place), self._engine.connect() as conn, conn.begin():
            yield conn


def insert(conn: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what to do on a conflict, in the words of the database behind `conn`."""
    return postgresql.insert(table) if conn.dialect.name == "postgresql" else sqlite.insert(table)


@contextmanager
def translated(place: Place) -> Iterator[None]:
    """Errors of the database as ours."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        raise TryAgainError(
            f"the state database {place} is not available: {_first_line(error)}",
            code="state-unavailable",
            hint="see that it can be reached, has room and is not held by another program, then try again",
        ) from error
    except sa.exc.DatabaseError as error:
        if "not a database" not in str(error.orig):
            raise
        raise UsageError(
            f"{place} is not a state database",
            code="state-not-a-database",
            hint="point `agent.state` of the environment at another folder, or restore the file",
        ) from error


def _first_line(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def _migrate(conn: sa.Connection, place: Place) -> None:
    found = _revision(conn)
    if found == HEAD:
        return
    if found is not None and found not in REVISIONS:
        raise UsageError(
            f"{place} has schema {found}, newer than this tagline knows ({HEAD})",
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
