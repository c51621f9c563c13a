"""How much of each remote's budget an environment uses, what waits, and how long that will take; read on the agent's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.connectors.budgets import Keep, fresh_pace, pace_of
from tagline.connectors.pace import Lane
from tagline.domain.environment import Connection
from tagline.errors import UsageError
from tagline.runtime.breakers import Away, away_of, opened
from tagline.runtime.budget_rows import keep_in
from tagline.runtime.database import Database
from tagline.runtime.places import Place, SqliteFile
from tagline.runtime.tables import WAITING, breakers, dead_letters, inbox

REQUESTS_PER_RECORD: Final[Mapping[str, float]] = {"shift4shop": 2.0, "dataverse": 1.0, "finance": 4.0}
"""Of a steady trickle, our own echoes included; a big batch needs fewer. Measured with orders by `make bench`."""
REQUESTS_PER_BACK_FILLED: Final[Mapping[str, float]] = {"shift4shop": 1.0, "dataverse": 1.0, "finance": 4.0}
"""Of records in small batches, neighbours in the source; most of the shop's are our own echoes. Measured with 2,000 orders."""
WRITES_PER_RECORD: Final = 8
"""Rows that a record reads and writes at a remote which counts its own time."""


@dataclass(frozen=True)
class Spent:
    """One connection's budget."""

    connection: str
    system: str
    used: float
    """Share of the binding limit, from 0 to 1 and above."""
    used_today: float
    """Share of what the remote grants for a day; 0 where it grants nothing by the day."""
    drain_s: float
    """Seconds that the live records will take at most, as far as this remote decides."""
    back_fill_drain_s: float
    """The same until the back-fill is through, which comes after them and has its share of the budget."""


@dataclass(frozen=True)
class Waiting:
    """Records that the state database holds, whatever their integration."""

    live: int
    """In the inbox, in nobody's hand."""
    back_fill: int
    dead_letters: int
    """Open ones."""


@dataclass(frozen=True)
class Load:
    """What an environment has before it."""

    waiting: int
    """Live records in the inbox that nobody has in hand."""
    back_fill: int
    """Records of back-fills, which wait behind them."""
    dead_letters: int
    """Open ones."""
    budgets: tuple[Spent, ...]
    away: tuple[Away, ...] = ()
    """Remotes that do not answer."""

    @property
    def drain_s(self) -> float:
        """Seconds until no live record waits, by the slowest remote."""
        return max((spent.drain_s for spent in self.budgets), default=0.0)

    @property
    def back_fill_drain_s(self) -> float:
        """Seconds until the back-fill is through, by the slowest remote."""
        return max((spent.back_fill_drain_s for spent in self.budgets), default=0.0)


def load_of(place: Place, state: Path, connections: Mapping[str, Connection], clock: Clock) -> Load | None:
    """
    The load of an environment; None where no agent of it ever ran.

    Args:
        place: Of its state database.
        state: Its state folder on this machine.
        connections: By name.
    """
    with reading(place) as database:
        waiting = None if database is None else _waiting(database)
        if database is None or waiting is None:
            return None
        keep = keep_in(database, state, clock)
        budgets = tuple(
            spent_of(name, config, waiting.live, waiting.back_fill, clock, keep)
            for name, config in sorted(connections.items())
        )
        away = _away(database)
    return Load(waiting.live, waiting.back_fill, waiting.dead_letters, budgets, away)


def drain_of(
    place: Place,
    state: Path,
    connections: Mapping[str, Connection],
    live: int,
    back_fill: int,
    clock: Clock,
) -> float:
    """Seconds until so many waiting records are through, live ones first, by the slowest of the connections."""
    with reading(place) as database:
        keep = None if database is None else keep_in(database, state, clock)
        spent = [
            spent_of(name, each, live, back_fill, clock, keep) for name, each in sorted(connections.items())
        ]
    return max((max(each.drain_s, each.back_fill_drain_s) for each in spent), default=0.0)


def spent_of(
    name: str, config: Connection, live: int, back_fill: int, clock: Clock, keep: Keep | None
) -> Spent:
    """One connection's budget, and what so many waiting records need of it; without `keep`, of one nobody has used."""
    now = clock.now().timestamp()
    pace = fresh_pace(config) if keep is None else pace_of(config, keep)
    requests = live * REQUESTS_PER_RECORD[config.system]
    filling = back_fill * REQUESTS_PER_BACK_FILLED[config.system]
    units = (live + back_fill) * WRITES_PER_RECORD
    return Spent(
        name,
        config.system,
        pace.used(now),
        pace.used_today(now),
        pace.drain(now, requests, live * WRITES_PER_RECORD),
        pace.drain(now, requests + filling, units, Lane.BACK_FILL) if back_fill else 0.0,
    )


@contextmanager
def reading(place: Place) -> Iterator[Database | None]:
    """The database without bringing it up to date, since an agent of another version may be using it; None where there is none."""
    if not isinstance(place, SqliteFile):
        engine = place.engine()
    elif place.path.exists():
        engine = sa.create_engine(f"sqlite:///file:{quote(str(place.path.resolve()))}?mode=ro&uri=true")
    else:
        yield None
        return
    try:
        yield Database(place, engine)
    finally:
        engine.dispose()


def _away(database: Database) -> tuple[Away, ...]:
    with database.read() as conn:
        # A database of the release before has no breakers yet.
        if not sa.inspect(conn).has_table(breakers.name):
            return ()
        return tuple(away_of(opened(conn)).values())


def _waiting(database: Database) -> Waiting | None:
    try:
        with database.read() as conn:
            # A database of the release before has no lanes yet; its agent brings them.
            has_lanes = any(each["name"] == "lane" for each in sa.inspect(conn).get_columns("inbox"))
            lane: sa.ColumnElement[str] = inbox.c.lane if has_lanes else sa.literal(Lane.LIVE.value)
            rows = conn.execute(
                sa.select(lane, sa.func.count()).where(WAITING).select_from(inbox).group_by(lane)
            )
            lanes: dict[str, int] = {row[0]: row[1] for row in rows}
            open_letters = sa.select(sa.func.count()).where(dead_letters.c.state == "open")
            return Waiting(
                lanes.get(Lane.LIVE.value, 0),
                lanes.get(Lane.BACK_FILL.value, 0),
                conn.execute(open_letters).scalar_one(),
            )
    except (sa.exc.DatabaseError, sa.exc.NoSuchTableError, UsageError):
        return None
