"""
Compares: every record of a source, run by the clock behind live work, whether or not anything told of it.

Each page of keys and the place behind it are one commit, as with a back-fill; but nobody asked for these records by name, so
that those before the start of an integration stay out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.domain.exchange import Listed
from tagline.runtime.database import Database, insert
from tagline.runtime.inbox import Hint, receive
from tagline.runtime.tables import compares


@dataclass(frozen=True)
class Compare:
    """The last compare of a flow, or the one under way."""

    begun_at: datetime
    """Or when the flow was first seen here: its first compare comes with its next time."""
    position: str | None
    """Where its listing goes on, empty at the start; None once all of it is in the inbox."""
    found: int


class Compares:
    """The compares of one state database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def last(self, integration: str, flow: str) -> Compare:
        """The last compare of a flow, or the one under way."""
        with self._database.read() as conn:
            row = conn.execute(
                sa.select(compares.c.begun_at, compares.c.position, compares.c.found).where(
                    compares.c.integration == integration, compares.c.flow == flow
                )
            ).one_or_none()
        if row is not None:
            return Compare(row.begun_at, row.position, row.found)
        first = Compare(self._clock.now(), None, 0)
        with self._database.write() as conn:
            self._keep(conn, integration, flow, first)
        return first

    def begin(self, integration: str, flow: str) -> Compare:
        """Begin a compare at its start."""
        begun = Compare(self._clock.now(), "", 0)
        with self._database.write() as conn:
            self._keep(conn, integration, flow, begun)
        return begun

    def take_in(self, integration: str, flow: str, connection: str, at: Compare, page: Listed) -> Compare:
        """Put a page of keys into the inbox and remember the place behind it, in one commit."""
        keys = tuple(dict.fromkeys(page.keys))
        behind = Compare(at.begun_at, page.position if page.more else None, at.found + len(keys))
        with self._database.write() as conn:
            receive(
                conn,
                [Hint(integration, flow, key, "compare", connection) for key in keys],
                self._clock.now(),
            )
            self._keep(conn, integration, flow, behind)
        return behind

    def _keep(self, conn: sa.Connection, integration: str, flow: str, at: Compare) -> None:
        values = {"begun_at": at.begun_at, "position": at.position, "found": at.found}
        conn.execute(
            insert(conn, compares)
            .values(integration=integration, flow=flow, **values)
            .on_conflict_do_update(index_elements=["integration", "flow"], set_=values)
        )
