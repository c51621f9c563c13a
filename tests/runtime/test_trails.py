"""The trail of a record: found from either side, in time order, by index, and without values unless they are asked for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.runtime.fakes import Plant, plant
from tests.runtime.making import START

from tagline.runtime.images import to_text
from tagline.runtime.places import Place
from tagline.runtime.tables import cross_references, effects, inbox
from tagline.runtime.trails import Sought, Source, Trail, Trails

ANN = "Ann <ann@example.com>"
SOURCES = [Source("orders", "sync", "shop", "Order")]
ORDER = Sought("shop", "Order", "7")


def trails(work: Plant) -> Trails:
    return Trails(work.store.database, work.store.images)


@contextmanager
def story(place: Place | Path) -> Iterator[Plant]:
    """Order 7 was refused, noted, overridden, redriven and written; order 8 went through, order 9 waits."""
    with plant(place) as made:
        made.place("7", "-1")
        made.worker.work()
        made.clock.advance(60)
        made.store.dead_letters.assign([1], "Ann", by=ANN)
        made.store.dead_letters.note(1, "a typing error", by=ANN)
        made.clock.advance(60)
        made.store.dead_letters.redrive([1], by=ANN, values={"total": Decimal("5.00")})
        made.worker.work()
        made.clock.advance(60)
        made.store.overrides.withdraw([1], by=ANN)
        made.place("8", "3.00")
        made.worker.work()
        made.place("9")
        yield made


@pytest.fixture
def work(place: Place):
    with story(place) as made:
        yield made


@pytest.fixture
def here(tmp_path: Path):
    """The same where the kind of database does not matter."""
    with story(tmp_path) as made:
        yield made


def told(trail: Trail) -> list[tuple[int, str, str, str]]:
    return [((step.at - START).seconds, step.kind, step.what, step.outcome) for step in trail.steps]


def test_everything_that_happened_to_a_record_in_time_order(work: Plant) -> None:
    trail = trails(work).follow(ORDER, SOURCES)
    assert trail.records == (("orders", "sync", "7"),)
    assert trail.rows == (("ledger", "invoice", "id-0", to_text((("number", "7"),))),)
    assert told(trail) == [
        (0, "deployment", "release 1.0.0 took over", ""),
        (0, "event", "webhook from shop", ""),
        (0, "run", "run once", "dead (total-negative)"),
        (0, "letter", "letter 1: total-negative: requirement total-negative does not hold", "now resolved"),
        (60, "assigned", "letter 1: Ann", ""),
        (60, "note", "letter 1: a typing error", ""),
        (120, "override", "override 1", ""),
        (120, "redriven", "letter 1: total", ""),
        (120, "event", "redrive from shop", ""),
        (120, "effect", "create ledger invoice id-0", "done after 0.000 s"),
        (120, "run", "run once", "done"),
        (180, "withdrawn", "override 1", ""),
    ]
    assert {s.version for s in trail.steps if s.kind in ("run", "effect", "letter")} == {"1.0.0"}
    assert {s.author for s in trail.steps if s.kind in ("note", "redriven", "override")} == {ANN}


def test_the_same_trail_is_found_from_the_row_it_became(work: Plant) -> None:
    whole = trails(work).follow(ORDER, SOURCES)
    for sought in (
        Sought("ledger", "invoice", "id-0"),
        Sought("ledger", "invoice", "ID-0"),
        Sought("ledger", "invoice", "7", (to_text((("number", "7"),)),)),
    ):
        assert trails(work).follow(sought, SOURCES) == whole


def test_values_stand_there_only_where_they_are_asked_for(here: Plant) -> None:
    masked = trails(here).follow(ORDER, SOURCES)
    assert {(c.before, c.after) for step in masked.steps for c in step.fields} == {(None, None)}
    assert {c.field for step in masked.steps for c in step.fields} == {"number", "total"}
    shown = trails(here).follow(ORDER, SOURCES, values=True)
    after = {step.kind: {c.field: c.after for c in step.fields} for step in shown.steps if step.fields}
    assert after["override"] == {"total": Decimal("5.00")}
    assert after["effect"] == {"number": "7", "total": Decimal("5.00")}


def test_an_update_tells_only_the_fields_that_differ(here: Plant) -> None:
    here.place("8", "4.00")
    here.worker.work()
    steps = trails(here).follow(Sought("shop", "Order", "8"), SOURCES, values=True).steps
    update = [step for step in steps if step.what.startswith("update")]
    assert [[(c.field, c.before, c.after) for c in step.fields] for step in update] == [
        [("total", Decimal("3.00"), Decimal("4.00"))]
    ]


def test_a_record_that_waits_is_told_with_what_it_waits_for(here: Plant) -> None:
    (event,) = trails(here).follow(Sought("shop", "Order", "9"), SOURCES).steps
    assert (event.kind, event.outcome) == ("event", "waits, due 2026-03-01 12:03:00Z")


def test_nothing_found_names_the_nearest(work: Plant) -> None:
    nothing = trails(work).follow(Sought("shop", "Order", "75"), SOURCES)
    assert (nothing.records, nothing.nearest) == ((), ("7", "8"))
    keyed = Sought("ledger", "invoice", "75", (to_text((("number", "75"),)),))
    assert trails(work).follow(keyed, SOURCES).nearest == ("7", "8")
    assert trails(work).follow(Sought("shop", "Refund", "7"), SOURCES).records == ()


def test_a_row_that_many_records_share_tells_what_was_done_to_it(here: Plant) -> None:
    """A customer has thousands of orders, and each of them a life of its own."""
    with here.store.database.write() as conn:
        row = dict(conn.execute(sa.select(effects).limit(1)).mappings().one())
        del row["id"]
        shared = {**row, "entity": "account", "target_id": "a-1"}
        conn.execute(sa.insert(effects), [{**shared, "record": str(n)} for n in range(30)])
    trail = trails(here).follow(Sought("ledger", "account", "a-1"), SOURCES)
    assert (len(trail.records), trail.more) == (20, True)
    assert {step.kind for step in trail.steps} == {"deployment", "effect"}
    assert len(trail.steps) == 31


def _listen(work: Plant, plans: list[str]) -> None:
    """Ask the database of each query how it would go about it."""
    engine = work.store.database._engine

    @sa.event.listens_for(engine, "before_cursor_execute")
    def explain(conn, cursor, statement, parameters, *rest) -> None:
        if statement.lstrip().startswith("SELECT"):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in cursor.fetchall())


def test_no_query_of_a_trail_looks_at_rows_of_other_records(tmp_path) -> None:
    plans: list[str] = []
    with plant(tmp_path) as work:
        work.place("7")
        work.worker.work()
        _listen(work, plans)
        for sought in (ORDER, Sought("ledger", "invoice", "x", (to_text((("number", "7"),)),))):
            trails(work).follow(sought, SOURCES)
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN")] == []


MANY = 1_000_000
A_FEW = 10_000
"""Rows that one statement inserts while a million are made."""


@pytest.mark.campaign
def test_a_trail_is_found_within_a_second_among_a_million_effects(place: Place) -> None:
    with plant(place) as work:
        work.place("0")
        work.worker.work()
        with work.store.database.write() as conn:
            for table, per_record in ((inbox, 1), (effects, 5), (cross_references, 5)):
                _multiply(conn, table, per_record)
        for sought in (
            Sought("shop", "Order", "123456"),
            Sought("ledger", "invoice", "id-617282"),
            Sought("ledger", "invoice", "617282", (to_text((("number", "617282"),)),)),
            Sought("shop", "Order", "nothing"),
        ):
            started = time.perf_counter()
            trail = trails(work).follow(sought, SOURCES)
            took = time.perf_counter() - started
            print(f"{work.store.database.place}: {sought.entity} {sought.key}: {took * 1000:.1f} ms")  # noqa: T201
            assert len(trail.steps) == (0 if sought.key == "nothing" else 8)
            assert took < 1


def _multiply(conn: sa.Connection, table: sa.Table, per_record: int) -> None:
    """Many rows like the one that is there, of a fifth as many records as there are to be effects."""
    row = dict(conn.execute(sa.select(table)).mappings().one())
    row.pop("id", None)
    last = MANY // 5 * per_record
    for start in range(per_record, last, A_FEW):
        rows = [
            {
                **row,
                "key": str(n) if table is inbox else to_text((("number", str(n)),)),
                **({} if table is inbox else {"record": str(n // per_record), "target_id": f"id-{n}"}),
            }
            for n in range(start, min(start + A_FEW, last))
        ]
        conn.execute(sa.insert(table), rows)
