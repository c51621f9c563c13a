"""
Batches on DBOS Transact, in a SQLite file of its own or a schema of PostgreSQL; its history may be deleted at any time.

Source of the settings: our own measurements of DBOS 3.4.0. As shipped it uses SQLite's rollback journal, stamps
rows by the whole second (Python 3.11) or does not start (3.12 and later with SQLite before 3.42), stores
pickles, keeps every workflow for ever and, with the default executor id, repeats what another process runs.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, Protocol

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from tagline.errors import RefusedError
from tagline.runtime.database import translated
from tagline.runtime.engine import Run
from tagline.runtime.places import CONNECTING, PostgresSchema, advisory_key

VERSION: Final = "tagline-batch-1"
"""Changes only when the shape of `_batch` does; by default DBOS hashes sources and strands work at each edit."""
KEPT: Final = timedelta(days=7)
"""How long ended batches stay listed; DBOS never deletes by itself."""
SWEEP_EVERY: Final = 500
"""Submitted batches between two deletions of old ones."""
ENDED: Final = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
UNFINISHED: Final = ["PENDING", "ENQUEUED", "DELAYED"]
POLL_S: Final = 0.05

_living: DbosEngine | None = None
"""DBOS is one instance a process, and so are the workflows registered with it."""


@DBOS.workflow(name="tagline-batch")
def _batch(rows: list[int]) -> None:
    if _living is None:
        raise RuntimeError("a batch runs only in a started engine")
    _living.perform(str(DBOS.workflow_id), rows)


class DbosEngine:
    """
    One process's engine, on one SQLite file or beside others in a schema of PostgreSQL.

    Args:
        where: The file, beside which a lock file stands while the engine runs; or the schema of the state database, next to
            which the engine has one of its own.
        executor_id: Names who runs batches; the same in every life of one worker, so that it finds its own.
    """

    def __init__(self, where: Path | PostgresSchema, executor_id: str) -> None:
        self._home: _Home = _File(where) if isinstance(where, Path) else _Schema(where, executor_id)
        self._executor_id = executor_id
        self._run: Run | None = None
        self._lock: Closing | None = None
        self._engine: sa.Engine | None = None
        self._submitted = 0
        self._raised: dict[str, BaseException] = {}

    def start(self, run: Run) -> None:
        """
        Take the file, or this executor's name, and launch; unfinished batches of this executor begin to run again at once.

        Raises:
            RefusedError: Another process runs on this file or under this name, or another engine in this process
                (`engine-in-use`).
            TryAgainError: The server is away (`state-unavailable`).
        """
        global _living  # noqa: PLW0603 - see its docstring
        if _living is not None:
            raise _in_use(str(self._home))
        self._lock = self._home.lock()
        self._run = run
        _living = self
        try:
            self._engine = self._home.engine()
            config = _config(self._executor_id, self._engine)
            config.update(self._home.config())
            DBOS(config=config)
            DBOS.launch()
            if self._home.is_alone:
                self._forget_strangers()
            self._forget_old()
        except BaseException:
            self.stop()
            raise

    def submit(self, batch_id: str, rows: Sequence[int]) -> None:
        try:
            with SetWorkflowID(batch_id):
                _batch(list(rows))
        finally:
            error = self._raised.pop(batch_id, None)
        self._submitted += 1
        if self._submitted % SWEEP_EVERY == 0:
            self._forget_old()
        if error is not None:
            raise error

    def recover(self) -> int:
        """Wait for what an earlier life of this executor left; DBOS itself started it when it was launched."""
        unfinished = DBOS.list_workflows(
            status=UNFINISHED, executor_id=self._executor_id, load_input=False, load_output=False
        )
        left = {workflow.workflow_id for workflow in unfinished}
        while left := {batch_id for batch_id in left if not self._has_ended(batch_id)}:
            time.sleep(POLL_S)
        if self._raised:
            raise self._raised.pop(min(self._raised))
        return len(unfinished)

    def _has_ended(self, batch_id: str) -> bool:
        status = DBOS.get_workflow_status(batch_id)
        # What is no Exception leaves a batch unfinished; when it ended DBOS's own thread, nobody else will run it.
        died = batch_id in self._raised and not isinstance(self._raised[batch_id], Exception)
        return status is None or status.status in ENDED or died

    def stop(self) -> None:
        global _living  # noqa: PLW0603 - see its docstring
        if self._lock is None:
            return
        DBOS.destroy()
        if self._engine is not None:
            self._engine.dispose()
        self._lock.close()
        self._lock = self._engine = self._run = _living = None
        self._raised.clear()

    def perform(self, batch_id: str, rows: Sequence[int]) -> None:
        """Run one batch for DBOS; an exception is kept for the caller and never stored, since it may name records."""
        if self._run is None:
            raise RuntimeError("the engine is not started")
        try:
            self._run(batch_id, rows)
        except Exception as error:  # noqa: BLE001 - `submit` and `recover` raise it
            self._raised[batch_id] = error
        except BaseException as error:
            self._raised[batch_id] = error
            raise

    def _forget_strangers(self) -> None:
        """
        Drop what other executors left unfinished.

        With the file locked they are dead, and DBOS recovers by executor alone. Their rows wait in the inbox.
        What a stranger had queued for recovery is left: this executor's queue takes it.
        """
        left = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        strangers = [w.workflow_id for w in left if w.executor_id != self._executor_id]
        if strangers:
            DBOS.delete_workflows(strangers)

    def _forget_old(self) -> None:
        bound = (datetime.now(UTC) - KEPT).isoformat()
        while old := DBOS.list_workflows(
            status=ENDED, end_time=bound, limit=500, load_input=False, load_output=False
        ):
            DBOS.delete_workflows([w.workflow_id for w in old])


class Closing(Protocol):
    """What is let go by closing it."""

    def close(self) -> None: ...


class _Home(Protocol):
    """Where the engine keeps its history, and what keeps a second process out."""

    is_alone: bool
    """Whether whoever else left batches there is dead."""

    def lock(self) -> Closing: ...

    def engine(self) -> sa.Engine: ...

    def config(self) -> DBOSConfig: ...


class _File(_Home):
    is_alone = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def lock(self) -> IO[str]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._path.with_name(self._path.name + ".lock").open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.close()
            raise _in_use(str(self)) from error
        return handle

    def engine(self) -> sa.Engine:
        return _sqlite(self._path)

    def config(self) -> DBOSConfig:
        return {}


class _Schema(_Home):
    """
    Executors of many machines share it, each under a name of its own.

    What a dead one left is not run again by DBOS's own means, which only a process of the same name uses: its rows go
    back to the inbox when its leases are taken over, and its batches are forgotten when they are old.
    """

    is_alone = False

    def __init__(self, schema: PostgresSchema, executor_id: str) -> None:
        self._schema = schema
        self._executor_id = executor_id

    def __str__(self) -> str:
        return f"{self._schema} as {self._executor_id}"

    def lock(self) -> Closing:
        engine = self._schema.engine()
        number = advisory_key(f"engine {self._schema.schema} {self._executor_id}")
        with translated(self._schema):
            held = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if held.exec_driver_sql(f"SELECT pg_try_advisory_lock({number})").scalar():
                return _Session(held, engine)
        held.close()
        engine.dispose()
        raise _in_use(str(self))

    def engine(self) -> sa.Engine:
        return sa.create_engine(
            self._schema.address(), pool_size=4, max_overflow=4, pool_pre_ping=True, connect_args=CONNECTING
        )

    def config(self) -> DBOSConfig:
        return {"dbos_system_schema": f"{self._schema.schema}_engine"}


@dataclass(frozen=True)
class _Session:
    """A session whose end lets go of its advisory locks."""

    held: sa.Connection
    engine: sa.Engine

    def close(self) -> None:
        self.held.close()
        self.engine.dispose()


def _config(executor_id: str, engine: sa.Engine) -> DBOSConfig:
    return DBOSConfig(
        name="tagline",
        system_database_engine=engine,
        application_version=VERSION,
        executor_id=executor_id,
        serializer=DBOSPortableJSONSerializer(),
        log_level="ERROR",
        use_listen_notify=False,
        max_executor_threads=4,
        notification_listener_polling_interval_sec=0.2,
    )


def _sqlite(path: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=2, max_overflow=2)

    @sa.event.listens_for(engine, "connect")
    def prepare(raw: Any, record: Any) -> None:
        del record
        raw.isolation_level = "IMMEDIATE"
        raw.execute("PRAGMA busy_timeout=30000")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.create_function("unixepoch", 1, lambda _: time.time())
        raw.create_function("strftime", 2, lambda _format, _when: time.time())

    return engine


def _in_use(home: str) -> RefusedError:
    return RefusedError(
        f"another engine runs on {home}",
        code="engine-in-use",
        hint="stop the other worker first; one process at a time may use an engine's file or name",
    )
