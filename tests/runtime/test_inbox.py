"""Whose turn it is where more waits than one batch holds."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tagline.runtime.database import Database
from tagline.runtime.inbox import Hint, ready, receive

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def fill(place):
    database = Database.open(place)

    def make(*groups):
        """Rows of these sources, a group a second, the first the oldest; returns how to ask what is ready."""
        for second, (source, count) in enumerate(groups):
            hints = [Hint("o2c", "orders", f"{second}-{n}", source, "shop") for n in range(count)]
            with database.write() as conn:
                receive(conn, hints, NOW + timedelta(seconds=second))

        def ask(limit):
            with database.read() as conn:
                return ready(conn, "o2c", NOW + timedelta(hours=1), limit)

        return ask

    yield make
    database.close()


def test_live_hints_go_before_a_great_many_that_a_sweep_found(fill):
    rows = fill(("sweep", 500), ("webhook", 30), ("redrive", 10))(100)
    assert Counter(row.source for row in rows) == {"sweep": 60, "webhook": 30, "redrive": 10}


def test_what_a_sweep_found_gets_on_beside_unending_live_hints(fill):
    rows = fill(("sweep", 500), ("webhook", 500))(100)
    assert Counter(row.source for row in rows) == {"sweep": 20, "webhook": 80}


def test_rows_come_oldest_first_whatever_they_are(fill):
    for limit in (3, 5, 9):
        rows = fill(("sweep", 2), ("webhook", 2), ("sweep", 1))(limit)
        assert [row.due_at for row in rows] == sorted(row.due_at for row in rows)
        assert len(rows) == min(limit, 5)
