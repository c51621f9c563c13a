"""What an agent reads of the state database to tell how the environment fares: one look, a handful of queries, no record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from tagline.runtime.database import Database
from tagline.runtime.places import PostgresSchema, SqliteFile
from tagline.runtime.tables import UNRESOLVED, WAITING, Instant, cursors, dead_letters, inbox

RATE_OVER: Final = timedelta(hours=1)
Flow = tuple[str, str]
"""Integration and flow."""


@dataclass(frozen=True)
class Snapshot:
    """The state database at an instant."""

    ended: Mapping[Flow, int]
    """Records that ended within `RATE_OVER`, each once, however often it was run."""
    dead: Mapping[Flow, int]
    """Those of them that were set aside, and had not been before."""
    oldest: Mapping[str, datetime]
    """By integration: when the live record came that has waited longest, or is in hand longest."""
    waiting: Mapping[tuple[str, str], int]
    """By integration and lane: records in nobody's hand."""
    swept: Mapping[Flow, datetime]
    """When the sweep of a flow last moved on."""
    dead_letters: Mapping[Flow, int]
    """Open ones."""
    state_bytes: int


def take(database: Database, now: datetime) -> Snapshot:
    """
    Look at the state database.

    Raises:
        TryAgainError: It cannot be read now (code `state-unavailable`).
    """
    with database.read() as conn:
        records = sa.select(
            inbox.c.integration, inbox.c.flow, sa.func.count(sa.distinct(inbox.c.key)).label("number")
        ).group_by(inbox.c.integration, inbox.c.flow)
        lately = inbox.c.ended_at >= now - RATE_OVER
        ended = conn.execute(records.where(lately, inbox.c.state.in_(["done", "dead"])))
        known = sa.exists().where(
            dead_letters.c.integration == inbox.c.integration,
            dead_letters.c.flow == inbox.c.flow,
            dead_letters.c.key == inbox.c.key,
            dead_letters.c.first_at < now - RATE_OVER,
            UNRESOLVED,
        )
        dead = conn.execute(records.where(lately, inbox.c.state == "dead", ~known))
        oldest = conn.execute(
            sa.select(inbox.c.integration, sa.func.min(inbox.c.received_at, type_=Instant).label("at"))
            .where(inbox.c.state == "received", inbox.c.lane == "live")
            .group_by(inbox.c.integration)
        )
        waiting = conn.execute(
            sa.select(inbox.c.integration, inbox.c.lane, sa.func.count().label("number"))
            .where(WAITING)
            .group_by(inbox.c.integration, inbox.c.lane)
        )
        letters = conn.execute(
            sa.select(dead_letters.c.integration, dead_letters.c.flow, sa.func.count().label("number"))
            .where(dead_letters.c.state == "open")
            .group_by(dead_letters.c.integration, dead_letters.c.flow)
        )
        swept = conn.execute(sa.select(cursors.c.integration, cursors.c.flow, cursors.c.updated))
        return Snapshot(
            ended={(row.integration, row.flow): row.number for row in ended},
            dead={(row.integration, row.flow): row.number for row in dead},
            oldest={row.integration: row.at for row in oldest},
            waiting={(row.integration, row.lane): row.number for row in waiting},
            swept={(row.integration, row.flow): row.updated for row in swept},
            dead_letters={(row.integration, row.flow): row.number for row in letters},
            state_bytes=_size(database, conn),
        )


def _size(database: Database, conn: sa.Connection) -> int:
    place = database.place
    if isinstance(place, SqliteFile):
        files = (place.path, place.path.with_name(f"{place.path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())
    assert isinstance(place, PostgresSchema)
    query = sa.text(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = :schema AND c.relkind = 'r'"
    )
    return int(conn.execute(query, {"schema": place.schema}).scalar_one())
