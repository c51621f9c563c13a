"""Word between agents on one PostgreSQL database: what one of them received, the worker that has its partition hears at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import sqlalchemy as sa

from tagline.runtime.places import BESIDE, PostgresSchema

LOOK_S: Final = 30.0
"""After which the listener looks whether it is to stop, should nobody have been able to wake it."""


def notify(conn: sa.Connection, schema: PostgresSchema, integration: str) -> None:
    """Tell whoever listens that the integration has new rows, once this transaction is committed."""
    conn.execute(sa.select(sa.func.pg_notify(schema.schema, integration)))


class Listener:
    """
    A thread that calls `heard` with the name of an integration for each notice.

    Args:
        heard: Called from the thread; must not block.
        again_s: Until it connects again to a server that was away; meanwhile the agent finds the rows at its own pace.
    """

    def __init__(self, schema: PostgresSchema, heard: Callable[[str], None], *, again_s: float = 5.0) -> None:
        self._schema = schema
        self._heard = heard
        self._again_s = again_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="notices", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        engine = self._schema.engine()
        with suppress(sa.exc.DBAPIError), engine.execution_options(**{BESIDE: True}).begin() as conn:
            notify(conn, self._schema, "")
        engine.dispose()
        self._thread.join(LOOK_S)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen_once()
            except sa.exc.DBAPIError:
                self._stop.wait(self._again_s)

    def _listen_once(self) -> None:
        engine = self._schema.engine()
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.exec_driver_sql(f"LISTEN {self._schema.schema}")
                raw = conn.connection.driver_connection
                assert raw is not None
                while not self._stop.is_set():
                    for notice in raw.notifies(timeout=LOOK_S, stop_after=1):
                        if notice.payload:
                            self._heard(notice.payload)
        finally:
            engine.dispose()
