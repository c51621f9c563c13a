"""What is over goes when its days are past, nothing else ever, and the state stays within its budget where it can."""

from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.runtime.making import START, make_store

from tagline.clock import VirtualClock
from tagline.domain.environment import KEPT_DAYS, RetentionSection
from tagline.runtime import retention
from tagline.runtime.places import SqliteFile
from tagline.runtime.tables import (
    cross_references,
    dead_letters,
    effects,
    inbox,
    letter_notes,
    overrides,
    seen,
)

KEEP = RetentionSection(rollback_days=2, inbox_days=3, effects_days=5, letters_days=7, seen_days=9)


@pytest.fixture
def store(place):
    with closing(make_store(place)) as opened:
        yield opened


def ago(days: float):
    return START - timedelta(days=days)


def put(store, table, rows) -> None:
    if rows:
        with store.database.write() as conn:
            conn.execute(sa.insert(table), rows)


def effect(days: float, state: str = "done", *, record: str = "7", size: int = 0):
    names = ("deployment", "integration", "flow", "system", "entity", "verb", "kind", "action", "code")
    settled = {} if state == "intended" else {"settled_at": ago(days)}
    return {
        **dict.fromkeys(names, "x"),
        "record": record,
        "key": "{}",
        "reversibility": "R1",
        "key_id": "k",
        "state": state,
        "intended_at": ago(days),
        "after": Random(size).randbytes(size),  # as little to be compressed as an image
        "settled_at": None,
        **settled,
    }


def waiting(days: float, state: str = "done", *, key: str = "7", ended: bool = True):
    return {
        **dict.fromkeys(("integration", "flow", "source", "connection", "version", "code"), "x"),
        "key": key,
        "state": state,
        "received_at": ago(days),
        "due_at": ago(days),
        "runs": 1,
        "attempts": 0,
        "crashes": 0,
        "ended_at": ago(days) if ended else None,
    }


def letter(days: float, state: str, *, key: str = "7"):
    return {
        **dict.fromkeys(
            ("integration", "flow", "connection", "cause", "message", "hint", "deployment", "version"), "x"
        ),
        "key": key,
        "details": [],
        "attempts": 1,
        "first_at": ago(days + 1),
        "last_at": ago(days),
        "state": state,
    }


def version(days: float, key: str = "7"):
    return {"integration": "x", "flow": "x", "key": key, "version": "1", "read_at": ago(days)}


def count(store, table) -> int:
    with store.database.read() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def run(store, keep=KEEP, now=START) -> retention.Report:
    return retention.whole(retention.expire(store.database, keep, now))


def test_each_kind_goes_after_its_own_days_and_what_is_not_over_stays(store):
    put(store, inbox, [waiting(2.9), waiting(3.1), waiting(3.1, "dead"), waiting(4, ended=False)])
    put(store, inbox, [waiting(90, "received", ended=False)])
    put(store, effects, [effect(4.9), effect(5.1), effect(5.1, "failed"), effect(90, "intended")])
    put(store, dead_letters, [letter(6.9, "resolved"), letter(7.1, "resolved"), letter(8, "discarded")])
    put(store, dead_letters, [letter(90, "open"), letter(90, "redriven", key="8")])
    note = {"at": ago(90), "author": "x", "what": "note", "text": b"\x01", "key_id": "k"}
    put(store, letter_notes, [{**note, "letter": number} for number in range(1, 5)])
    override = {**dict.fromkeys(("integration", "flow", "key", "key_id", "set_by"), "x"), "set_at": ago(90)}
    put(store, overrides, [{**override, "path": "a", "withdrawn_at": ago(8)}])
    put(store, overrides, [{**override, "path": "b"}])
    put(store, seen, [version(8.9), version(9.1, "8")])
    put(store, cross_references, [reference(400)])
    expected = {
        "inbox rows": 3,
        "effects": 2,
        "dead letters": 2,
        "withdrawn overrides": 1,
        "seen versions": 1,
    }
    assert retention.due(store.database, KEEP, START).deleted == expected
    report = run(store)
    assert (report.deleted, report.over_bytes) == (expected, 0)
    left = {
        table.name: count(store, table)
        for table in (inbox, effects, dead_letters, letter_notes, overrides, seen, cross_references)
    }
    assert left == {
        "inbox": 2,
        "effects": 2,
        "dead_letters": 3,
        "letter_notes": 2,
        "overrides": 1,
        "seen": 1,
        "cross_references": 1,
    }
    assert run(store).deleted == {}


def reference(days: float):
    names = ("integration", "flow", "record", "system", "entity", "target_id", "key")
    return {**dict.fromkeys(names, "x"), "written_at": ago(days)}


@settings(max_examples=15, deadline=None)
@given(
    ages=st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from(["done", "failed", "happened", "intended"])),
        max_size=40,
    )
)
def test_exactly_what_is_over_and_past_goes_in_whatever_order_it_came(tmp_path_factory, ages):
    """Rows need not be in order of time: a late settle, a clock that was set back."""
    with closing(make_store(tmp_path_factory.mktemp("state"))) as store:
        put(store, effects, [effect(days, state, record=str(n)) for n, (days, state) in enumerate(ages)])
        run(store)
        with store.database.read() as conn:
            left = set(conn.execute(sa.select(effects.c.record)).scalars())
        assert left == {
            str(n) for n, (days, state) in enumerate(ages) if state == "intended" or days <= KEEP.effects_days
        }


def test_a_step_is_short_and_others_write_between_two(tmp_path):
    many = retention.WINDOW * 2 + 10
    with closing(make_store(tmp_path)) as store:
        put(store, effects, [effect(9, "intended"), *(effect(8) for _ in range(many))])
        put(store, seen, [version(20, f"{n:05}") for n in range(many)])
        passing = retention.expire(store.database, KEEP, START)
        counts = []
        for _ in passing:
            counts.append((count(store, effects), count(store, seen)))
            put(store, effects, [effect(0)])
        steps = [a - b for (a, _), (b, _) in pairwise(counts)]
        assert max(steps) <= retention.WINDOW
        assert (count(store, effects), count(store, seen)) == (1 + len(counts), 0)


def test_above_the_budget_the_oldest_goes_early_and_no_more_than_is_needed(store):
    put(store, effects, [effect(4 - n / 1000, size=2000, record=str(n)) for n in range(1000)])
    put(store, effects, [effect(1, size=2000, record="new") for _ in range(500)])
    used = retention.used_bytes(store.database)
    keep = KEEP.model_copy(update={"max_bytes": used - 500_000})
    report = run(store, keep)
    assert 0 < report.deleted["effects"] <= 1000
    assert report.over_bytes == 0
    assert count(store, effects) == 1500 - report.deleted["effects"]
    with store.database.read() as conn:
        newest = sa.select(sa.func.count()).where(effects.c.record == "new")
        assert conn.execute(newest).scalar_one() == 500


def test_what_the_rollback_window_needs_stays_and_the_excess_is_a_value(store):
    put(store, effects, [effect(3, size=3000), *(effect(1, size=3000) for _ in range(400))])
    keep = KEEP.model_copy(update={"max_bytes": 1_000_000})
    report = run(store, keep)
    assert report.deleted == {"effects": 1}
    assert 100_000 < report.over_bytes == report.used_bytes - 1_000_000
    assert count(store, effects) == 400


def test_the_file_stays_as_large_as_its_budget_asks(tmp_path):
    """Rounds of writing and deleting: freed pages are used again, and given back where the file is above the budget."""
    with closing(make_store(tmp_path)) as store:
        sizes = []
        keep = KEEP.model_copy(update={"max_bytes": 1_000_000})
        for _ in range(3):
            put(store, effects, [effect(6, size=2000) for _ in range(600)])
            run(store, keep)
            with store.database.read() as conn:
                pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
            sizes.append(pages * 4096)
        assert max(sizes) <= 1_000_000, sizes
    assert (tmp_path / "state.sqlite").stat().st_size <= 1_000_000


def test_the_agent_passes_once_an_hour_a_few_steps_at_a_time(tmp_path):
    clock = VirtualClock(START)
    told: list[str] = []
    with closing(make_store(tmp_path, clock)) as store:
        put(store, effects, [effect(8) for _ in range(retention.WINDOW * retention.SLICE + 5)])
        hourly = retention.Hourly(store.database, KEEP, clock, told.append)
        hourly.step()
        assert 0 < count(store, effects) < 1000
        hourly.step()
        assert (count(store, effects), hourly.last is not None) == (0, True)
        put(store, effects, [effect(8)])
        hourly.step()
        assert count(store, effects) == 1
        clock.advance(retention.EVERY.total_seconds())
        hourly.step()
        assert count(store, effects) == 0
        assert told == ["", ""]


def test_the_agent_is_told_what_stays_above_the_budget(tmp_path):
    told: list[str] = []
    with closing(make_store(tmp_path)) as store:
        put(store, effects, [effect(1, size=3000) for _ in range(400)])
        keep = KEEP.model_copy(update={"max_bytes": 1_000_000})
        retention.Hourly(store.database, keep, VirtualClock(START), told.append).step()
    assert ["above its budget" in line and "retention.max_bytes" in line for line in told] == [True]


def test_a_database_that_is_away_ends_the_pass_and_not_the_agent(tmp_path):
    told: list[str] = []
    with closing(make_store(SqliteFile(tmp_path / "state.sqlite"))) as store:
        hourly = retention.Hourly(store.database, KEEP, VirtualClock(START), told.append)
        with store.database.write() as conn:
            conn.exec_driver_sql("DROP TABLE seen")
        hourly.step()
    assert ["state-unavailable" in line for line in told] == [True]


@pytest.mark.parametrize("name", KEPT_DAYS)
def test_nothing_is_kept_shorter_than_the_rollback_window(name):
    with pytest.raises(ValidationError, match=rf"{name} \(13\) would keep less than the rollback window"):
        RetentionSection(rollback_days=14, **{name: 13})
    assert RetentionSection(rollback_days=14, **{name: 14})
