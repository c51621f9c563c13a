"""A pace in the state database: agents on many machines spend one budget."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.connectors.budgets import Keep, in_files
from tagline.connectors.pace import Pace, from_plain, to_plain
from tagline.runtime.database import Database, insert
from tagline.runtime.tables import budgets


def keep_in(database: Database, state: Path, clock: Clock) -> Keep:
    """Where an environment's agents keep the budgets: where they keep its state, so that whoever shares one shares both."""
    if not database.place.is_shared:
        return in_files(state, clock)
    return lambda name, fresh: RowKeeper(database, name, fresh, clock)


class RowKeeper:
    """
    Keeps the pace of one remote in a row that locks itself; a change takes one round trip to the server.

    A row that cannot be understood counts as a budget that is all spent, as a file does; a missing one is a budget that
    nobody has used.

    Args:
        name: Of the budget: one for each remote and whoever asks it.
        fresh: The limits, with nothing spent.
    """

    def __init__(self, database: Database, name: str, fresh: Pace, clock: Clock) -> None:
        self._database = database
        self._name = name
        self._fresh = fresh
        self._clock = clock
        self._query = sa.select(budgets.c.pace).where(budgets.c.name == name)

    def change(self, decide: Callable[[Pace], Pace]) -> None:
        with self._database.beside() as conn:
            # The row must be there to be locked: two that make the first one at once would both start with nothing spent.
            conn.execute(
                insert(conn, budgets)
                .values(name=self._name, pace=json.dumps(to_plain(self._fresh)))
                .on_conflict_do_nothing(index_elements=["name"])
            )
            pace = decide(self._pace(conn.execute(self._query.with_for_update()).scalar_one()))
            conn.execute(
                sa.update(budgets).where(budgets.c.name == self._name).values(pace=json.dumps(to_plain(pace)))
            )

    def look(self) -> Pace:
        with self._database.read() as conn:
            found = conn.execute(self._query).scalar()
        return self._fresh if found is None else self._pace(found)

    def _pace(self, text: str) -> Pace:
        try:
            return from_plain(json.loads(text), self._fresh)
        except ValueError:
            return self._fresh.full(self._clock.now().timestamp())
