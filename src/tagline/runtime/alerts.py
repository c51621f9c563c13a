"""
Alarms as the state database holds them, over restarts and for all agents of an environment alike.

What all agents see alike is one row, and whoever notes a change tells it; what an agent knows of itself alone is a row of
its own. Telling is at least once: a row says what people were told last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tagline.domain.alerting import LOCAL, Alert, Judged, Key, Kind, Occasion, advance, told
from tagline.runtime.database import Database, insert
from tagline.runtime.tables import alerts as table

_VALUES = ("state", "since", "ended", "what", "command", "told", "told_at")
_PLACE = ("kind", "subject", "observer")


class AlertBook:
    """The alarms that one agent judges and tells."""

    def __init__(self, database: Database, agent: str) -> None:
        self._database = database
        self._agent = agent

    def standing(self) -> tuple[Key, ...]:
        """The alarms that are on, as far as this agent judges them."""
        with self._database.read() as conn:
            return tuple(alert.key for alert in self._mine(conn) if alert.state == "firing")

    def look(self, judged: Judged, now: datetime) -> tuple[Alert, ...]:
        """Bring the alarms up to what was judged; returns those that began or ended by it."""
        with self._database.read() as conn:
            before = self._mine(conn)
        if advance(before, judged, now) == before:
            return ()
        with self._database.write() as conn:
            # Read again: another agent may have noted the same meanwhile.
            before = self._mine(conn)
            after = advance(before, judged, now)
            states = {alert.key: alert.state for alert in before}
            changed = tuple(alert for alert in after if states.get(alert.key) != alert.state)
            for gone in {each.key for each in before} - {each.key for each in after}:
                conn.execute(sa.delete(table).where(*self._place(gone)))
            for alert in after:
                self._write(conn, alert, mine=alert in changed)
        return changed

    def to_tell(self) -> tuple[Alert, ...]:
        """The alarms that this agent tells people of."""
        with self._database.read() as conn:
            query = sa.select(table).where(table.c.teller == self._agent).order_by(table.c.since)
            return tuple(_alert(row) for row in conn.execute(query))

    def tell(self, alert: Alert, said: Occasion, now: datetime) -> None:
        """Note that people were told; what changed meanwhile is told by itself."""
        after = told(alert, said, now)
        with self._database.write() as conn:
            conn.execute(
                sa.update(table)
                .where(*self._place(alert.key), table.c.since == alert.since)
                .values(told=after.told, told_at=after.told_at)
            )

    def adopt(self, gone: Iterable[str]) -> None:
        """Tell what agents that are gone can tell no more."""
        names = sorted(gone)
        if names:
            with self._database.write() as conn:
                conn.execute(sa.update(table).where(table.c.teller.in_(names)).values(teller=self._agent))

    def _mine(self, conn: sa.Connection) -> tuple[Alert, ...]:
        query = (
            sa.select(table)
            .where(table.c.observer.in_(["", self._agent]))
            .order_by(table.c.since, table.c.kind, table.c.subject)
        )
        return tuple(_alert(row) for row in conn.execute(query))

    def _place(self, key: Key) -> Sequence[sa.ColumnElement[bool]]:
        kind, subject = key
        return (
            table.c.kind == kind.value,
            table.c.subject == subject,
            table.c.observer == (self._agent if kind in LOCAL else ""),
        )

    def _write(self, conn: sa.Connection, alert: Alert, *, mine: bool) -> None:
        values: dict[str, Any] = {name: getattr(alert, name) for name in _VALUES}
        place = {
            "kind": alert.kind.value,
            "subject": alert.subject,
            "observer": self._agent if alert.kind in LOCAL else "",
        }
        taken = {"teller": self._agent} if mine else {}
        conn.execute(
            insert(conn, table)
            .values(**place, teller=self._agent, **values)
            .on_conflict_do_update(index_elements=list(_PLACE), set_={**values, **taken})
        )


def all_alerts(conn: sa.Connection) -> tuple[tuple[Alert, str], ...]:
    """Every alarm with the agent that knows of it alone, empty where all do; oldest first."""
    rows = conn.execute(sa.select(table).order_by(table.c.since)).all()
    return tuple((_alert(row), row.observer) for row in rows)


def _alert(row: sa.Row[Any]) -> Alert:
    return Alert(kind=Kind(row.kind), subject=row.subject, **{name: getattr(row, name) for name in _VALUES})
