"""The agents of an environment, as they see each other: each counts its beats in a row, with how it fares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from tagline.runtime.database import Database, insert
from tagline.runtime.leases import Beat, observed
from tagline.runtime.tables import agents as table

GONE_AFTER: Final = timedelta(seconds=90)
"""Six looks: a pause of the machine rings nobody's bell."""
FORGOTTEN_AFTER: Final = timedelta(days=7)
"""An agent that is not coming back, because its machine is no more."""


@dataclass(frozen=True)
class Seen:
    """An agent's row."""

    name: str
    beat_at: datetime
    health: Mapping[str, Any]


class Fellows:
    """What one agent knows of the others. Nobody's clock is compared with another's but for days."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._beats: Mapping[str, Beat] = {}

    def beat(self, now: datetime, health: Mapping[str, Any]) -> None:
        """Say that this agent lives, and how it fares."""
        with self._database.beside() as conn:
            told = insert(conn, table).values(name=self._name, beats=1, beat_at=now, health=dict(health))
            conn.execute(
                told.on_conflict_do_update(
                    index_elements=["name"],
                    set_={"beats": table.c.beats + 1, "beat_at": now, "health": told.excluded.health},
                )
            )

    def gone(self, now: datetime) -> Mapping[str, datetime]:
        """Agents of which nothing was heard for `GONE_AFTER`, with the last beat by their own clock."""
        with self._database.read() as conn:
            rows = conn.execute(sa.select(table.c.name, table.c.beats, table.c.beat_at)).all()
        others = {row.name: row for row in rows if row.name != self._name}
        self._beats = observed(self._beats, {name: row.beats for name, row in others.items()}, now)
        found = {name for name, beat in self._beats.items() if now - beat.since >= GONE_AFTER}
        # On a file of one machine there is one agent at a time: another name is an earlier one's.
        late = [n for n in others if not self._database.place.is_shared]
        late += [name for name in found if now - others[name].beat_at >= FORGOTTEN_AFTER]
        if late:
            with self._database.write() as conn:
                conn.execute(sa.delete(table).where(table.c.name.in_(late)))
        return {name: others[name].beat_at for name in sorted(found - {*late})}

    def leave(self) -> None:
        """Say that this agent ends by intention."""
        with self._database.beside() as conn:
            conn.execute(sa.delete(table).where(table.c.name == self._name))


def all_agents(conn: sa.Connection) -> tuple[Seen, ...]:
    rows = conn.execute(sa.select(table.c.name, table.c.beat_at, table.c.health).order_by(table.c.name))
    return tuple(Seen(row.name, row.beat_at, row.health) for row in rows)
