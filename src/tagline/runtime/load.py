"""How much of each remote's budget an environment uses, what waits, and how long that will take; read on the agent's machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.connectors.budgets import FOLDER, pace_of
from tagline.domain.environment import Connection
from tagline.runtime.tables import WAITING, inbox

REQUESTS_PER_RECORD: Final[Mapping[str, float]] = {"shift4shop": 2.0, "dataverse": 1.0, "finance": 4.0}
"""Of a steady trickle, our own echoes included; a big batch needs fewer. Measured with orders by `make bench`."""
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
    """Seconds that the waiting records will take at most, as far as this remote decides."""


@dataclass(frozen=True)
class Load:
    """What an environment has before it."""

    waiting: int
    """Records in the inbox that nobody has in hand."""
    budgets: tuple[Spent, ...]

    @property
    def drain_s(self) -> float:
        """Seconds until the inbox is empty, by the slowest remote."""
        return max((spent.drain_s for spent in self.budgets), default=0.0)


def load_of(state: Path, connections: Mapping[str, Connection], clock: Clock) -> Load | None:
    """
    The load of the environment whose state folder this is; None where no agent ever ran here.

    Args:
        connections: By name.
    """
    waiting = _waiting(state / "state.sqlite")
    if waiting is None:
        return None
    now = clock.now().timestamp()
    budgets = []
    for name, config in sorted(connections.items()):
        pace = pace_of(config, clock, state / FOLDER)
        requests = waiting * REQUESTS_PER_RECORD[config.system]
        drain_s = pace.drain(now, requests, waiting * WRITES_PER_RECORD)
        budgets.append(Spent(name, config.system, pace.used(now), pace.used_today(now), drain_s))
    return Load(waiting, tuple(budgets))


def _waiting(file: Path) -> int | None:
    """Rows in the inbox; read without opening it for writing, since an agent of another version may be using the file."""
    if not file.exists():
        return None
    engine = sa.create_engine(f"sqlite:///file:{quote(str(file.resolve()))}?mode=ro&uri=true")
    try:
        with engine.connect() as conn:
            return conn.execute(sa.select(sa.func.count()).select_from(inbox).where(WAITING)).scalar_one()
    except sa.exc.DatabaseError:
        return None
    finally:
        engine.dispose()
