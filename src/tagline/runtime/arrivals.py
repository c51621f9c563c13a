"""
When records of each flow came, hour by hour: kept apart from the inbox, whose rows are deleted sooner than weeks are learned from.

Only what came by itself counts, by webhook or sweep. A look reads the rows that came since the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from tagline.domain.arrivals import HOUR, WEEK, WEEKS, Arrivals, hour_of, summed, usual_gap
from tagline.runtime.database import Database, insert
from tagline.runtime.tables import Instant, inbox
from tagline.runtime.tables import arrivals as table

BY_ITSELF = ("webhook", "sweep")
Flow = tuple[str, str]
"""Integration and flow."""
_MINUTE = sa.func.substr(sa.type_coerce(inbox.c.received_at, sa.String), 1, 16)
"""Of a row: records of one minute are one arrival, so that a burst is read as one line."""


class ArrivalBook:
    """The arrivals of an environment, as one agent follows them; `look` first, then ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._history: dict[Flow, dict[datetime, Arrivals]] = {}
        self._last: dict[Flow, datetime] = {}
        self._read_to = 0
        """The highest row whose time stands in `_last`."""
        self._learned: datetime | None = None

    def look(self, now: datetime) -> None:
        """Take in what came since the last look; once an hour also write down the hours that are over."""
        hour = hour_of(now)
        if self._learned != hour:
            self._learn(hour)
            self._learned = hour
        query = (
            sa.select(
                inbox.c.integration,
                inbox.c.flow,
                sa.func.max(inbox.c.received_at, type_=Instant).label("last"),
                sa.func.max(inbox.c.id).label("id"),
            )
            .where(inbox.c.id > self._read_to, inbox.c.source.in_(BY_ITSELF))
            .group_by(inbox.c.integration, inbox.c.flow)
        )
        with self._database.read() as conn:
            for row in conn.execute(query):
                flow = (row.integration, row.flow)
                self._last[flow] = max(row.last, self._last.get(flow, row.last))
                self._read_to = max(self._read_to, row.id)

    @property
    def last(self) -> Mapping[Flow, datetime]:
        """When the last record of each flow came."""
        return self._last

    def usual_gap(self, flow: Flow, now: datetime) -> timedelta | None:
        return usual_gap(self._history.get(flow, {}), now)

    def _learn(self, hour: datetime) -> None:
        """Write down what came before `hour`, forget what is too old, and read the whole again."""
        with self._database.write() as conn:
            up_to = conn.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.up_to), 0))).scalar_one()
            came: dict[Flow, list[datetime]] = {}
            highest = up_to
            query = (
                sa.select(
                    inbox.c.integration,
                    inbox.c.flow,
                    _MINUTE.label("at"),
                    sa.func.max(inbox.c.id).label("id"),
                )
                .where(inbox.c.id > up_to, inbox.c.source.in_(BY_ITSELF), inbox.c.received_at < hour)
                .group_by(inbox.c.integration, inbox.c.flow, _MINUTE)
                .order_by(_MINUTE)
            )
            for row in conn.execute(query):
                came.setdefault((row.integration, row.flow), []).append(datetime.fromisoformat(f"{row.at}Z"))
                highest = max(highest, row.id)
            for flow, times in came.items():
                self._write(conn, flow, times, highest)
            oldest = hour - WEEKS * WEEK - 2 * HOUR
            conn.execute(sa.delete(table).where(table.c.hour < oldest, table.c.up_to < highest))
            rows = conn.execute(sa.select(table)).all()
        self._history = {}
        for row in rows:
            hours = self._history.setdefault((row.integration, row.flow), {})
            hours[row.hour] = Arrivals(row.hour, timedelta(seconds=row.longest_s), row.last_at)
            flow = (row.integration, row.flow)
            self._last[flow] = max(row.last_at, self._last.get(flow, row.last_at))
        self._read_to = max(self._read_to, highest)

    @staticmethod
    def _write(conn: sa.Connection, flow: Flow, times: list[datetime], up_to: int) -> None:
        here = (table.c.integration == flow[0], table.c.flow == flow[1])
        known = {
            row.hour: Arrivals(row.hour, timedelta(seconds=row.longest_s), row.last_at)
            for row in conn.execute(sa.select(table).where(*here).order_by(table.c.hour.desc()).limit(2))
        }
        before = max((each.last for each in known.values()), default=None)
        for each in summed(times, before):
            # An hour is met again when a row of it was committed late.
            met = known.get(each.hour)
            whole = (
                replace(each, longest=max(each.longest, met.longest), last=max(each.last, met.last))
                if met
                else each
            )
            values = {"longest_s": whole.longest.total_seconds(), "last_at": whole.last, "up_to": up_to}
            conn.execute(
                insert(conn, table)
                .values(integration=flow[0], flow=flow[1], hour=whole.hour, **values)
                .on_conflict_do_update(index_elements=["integration", "flow", "hour"], set_=values)
            )
