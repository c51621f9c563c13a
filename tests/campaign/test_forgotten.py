"""The engine's history is a convenience: whoever deletes it in the middle of the work loses nothing."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from tests.runtime.fakes import Plant, plant

from tagline.domain.exchange import Write
from tagline.runtime.engine_dbos import DbosEngine
from tagline.runtime.tables import effects

ORDERS, ROUND = 120, 40
DIES_AT = (25, 90)
"""Writes right after which the worker dies, in the middle of a batch each."""


class Killed(BaseException):
    """Stands for the death of the process."""


def test_a_history_that_is_deleted_at_every_death_loses_and_doubles_nothing(tmp_path: Path):
    home = tmp_path / "engine"
    with plant(tmp_path, DbosEngine(home / "orders-000001.sqlite", "orders-000001")) as work:

        def die(write: Write) -> None:
            if len(work.ledger.writes) in DIES_AT:
                raise Killed

        work.ledger.after = die
        deaths = 0
        for start in range(0, ORDERS, ROUND):
            for number in range(start, start + ROUND):
                work.place(str(number), str(number))
            deaths += _work_off(work, home)
        assert deaths == len(DIES_AT)
        assert work.ledger.totals() == {str(number): Decimal(number) for number in range(ORDERS)}
        assert len(work.ledger.created) == ORDERS
        assert work.store.counts("orders") == {"received": 0, "done": ORDERS, "dead": 0}
        with work.store.database.read() as conn:
            left = conn.execute(sa.select(effects.c.state).where(effects.c.state == "intended")).all()
            found = conn.execute(sa.select(effects.c.state).where(effects.c.state == "happened")).all()
        # What was on its way at a death was made, which is found out without the engine.
        assert left == []
        assert len(found) >= deaths


def _work_off(work: Plant, home: Path) -> int:
    """Work until nothing waits; at each death nothing of the engine is left for the next life. How many there were."""
    deaths = 0
    while work.store.counts("orders")["received"]:
        try:
            work.worker.work()
        except Killed:
            deaths += 1
            work.engine.stop()
            shutil.rmtree(home)
            work.restart()
        work.clock.advance(1)
    return deaths
