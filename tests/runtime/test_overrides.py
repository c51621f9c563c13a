"""An override is put over a field each time its record is read, until it is withdrawn."""

from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.runtime.fakes import Order, Plant, plant
from tests.runtime.making import START, make_store

from tagline.clock import VirtualClock
from tagline.errors import UsageError
from tagline.runtime import overrides, tables
from tagline.runtime.places import Place
from tagline.runtime.store import Store
from tagline.runtime.trails import Sought, Source, Trails

ANN = "Ann <ann@example.com>"
BOB = "Bob <bob@example.com>"


@pytest.fixture
def work(tmp_path: Path):
    with plant(tmp_path) as made:
        yield made


@pytest.fixture
def store(place: Place):
    with closing(make_store(place, VirtualClock(START))) as opened:
        yield opened


@pytest.fixture
def here(tmp_path: Path):
    """A store whose kind does not matter to the test."""
    with closing(make_store(tmp_path, VirtualClock(START))) as opened:
        yield opened


def lay(store: Store, key: str, **values: object) -> None:
    with store.database.write() as conn:
        overrides.lay(conn, store.images, [("orders", "sync", key)], values, ANN, START)


def refused(work: Plant, number: str) -> int:
    """A record whose total is wrong, and the letter that it became."""
    work.place(number, "-1")
    work.worker.work()
    return next(letter.id for letter in work.store.dead_letters.list() if letter.key == number)


def test_a_redriven_record_runs_with_the_field_overridden_and_its_source_untouched(work: Plant) -> None:
    letter = refused(work, "1")
    work.store.dead_letters.redrive([letter], by=ANN, values={"total": Decimal("5.00")})
    work.worker.work()
    assert work.ledger.totals() == {"1": Decimal("5.00")}
    assert work.shop.orders["1"] == Decimal(-1)
    assert [x.state for x in work.store.dead_letters.list(state=None)] == ["resolved"]


def test_an_override_holds_for_every_later_event_until_it_is_withdrawn(work: Plant) -> None:
    """The flow re-reads its source with each of them, and would write the wrong value again."""
    work.store.dead_letters.redrive([refused(work, "1")], by=ANN, values={"total": Decimal(5)})
    work.worker.work()
    work.place("1", "7.00")
    work.worker.work()
    assert work.ledger.totals() == {"1": Decimal(5)}
    (override,) = work.store.overrides.list()
    assert work.store.overrides.withdraw([override.id], by=BOB) == 1
    work.hint("1")
    work.worker.work()
    assert work.ledger.totals() == {"1": Decimal("7.00")}


def test_of_several_overrides_only_the_one_that_does_not_fit_is_a_wrong_field(work: Plant) -> None:
    lay(work.store, "1", total=Decimal(9), gone="x")
    work.place("1", "3.00")
    work.worker.work()
    (letter,) = work.store.dead_letters.list()
    assert [each["field"] for each in letter.details] == ["gone"]


def test_an_override_touches_no_other_record(work: Plant) -> None:
    lay(work.store, "1", total=Decimal(9))
    for number in ("1", "2"):
        work.place(number, "3.00")
    work.worker.work()
    assert work.ledger.totals() == {"1": Decimal(9), "2": Decimal("3.00")}


def test_an_override_that_no_longer_fits_sets_its_record_aside_alone(work: Plant) -> None:
    lay(work.store, "1", gone="x")
    lay(work.store, "2", total="no number")
    lay(work.store, "3", number="another")
    for number in "1234":
        work.place(number, "3.00")
    work.worker.work()
    letters = {x.key: x for x in work.store.dead_letters.list()}
    assert {x.cause for x in letters.values()} == {"override-not-fitting"}
    assert set(letters) == {"1", "2", "3"}
    assert [x.details[0]["field"] for x in letters.values()] == ["gone", "total", "number"]
    assert "no number" not in "".join(f"{x.message}{x.details}" for x in letters.values())
    assert set(work.ledger.totals()) == {"4"}


def test_setting_a_field_again_replaces_its_override_and_keeps_the_history(store: Store) -> None:
    lay(store, "1", total=1)
    lay(store, "1", total=2)
    (standing,) = store.overrides.list()
    assert (store.overrides.value(standing.id), standing.set_by) == (2, ANN)
    first, second = store.overrides.list(every=True)
    assert (first.withdrawn_at, first.withdrawn_by, second.withdrawn_at) == (START, ANN, None)


def test_a_field_that_is_set_anew_is_told_as_that_and_not_as_withdrawn(here: Store) -> None:
    lay(here, "1", total=1)
    with here.database.write() as conn:
        later = START + timedelta(hours=1)
        overrides.lay(conn, here.images, [("orders", "sync", "1")], {"total": 2}, BOB, later)
    here.overrides.withdraw([2], by=ANN)
    trail = Trails(here.database, here.images).follow(
        Sought("shop", "order", "1"), [Source("orders", "sync", "shop", "order")]
    )
    assert [(s.kind, s.what) for s in trail.steps if s.kind != "withdrawn"] == [
        ("override", "override 1"),
        ("override", "override 2 in place of 1"),
    ]
    assert [s.what for s in trail.steps if s.kind == "withdrawn"] == ["override 2"]


def test_a_value_is_encrypted_and_comes_back_with_its_type(store: Store) -> None:
    lay(store, "1", total=Decimal("12.50"), number="visible", at=START, cleared=None)
    with store.database.read() as conn:
        blobs = list(conn.execute(sa.select(tables.overrides.c.value)).scalars())
    assert not any(b"12.50" in blob or b"visible" in blob for blob in blobs)
    held = {x.path: store.overrides.value(x.id) for x in store.overrides.list()}
    assert held == {"total": Decimal("12.50"), "number": "visible", "at": START, "cleared": None}


def test_withdrawing_twice_or_by_a_wrong_number_changes_nothing(here: Store) -> None:
    lay(here, "1", total=1)
    with pytest.raises(UsageError) as unknown:
        here.overrides.withdraw([1, 9], by=BOB)
    assert unknown.value.code == "override-unknown"
    assert here.overrides.withdraw([1], by=BOB) == 1
    assert here.overrides.withdraw([1], by=ANN) == 0
    assert [x.withdrawn_by for x in here.overrides.list(every=True)] == [BOB]


def test_records_without_overrides_are_handed_on_as_they_are(here: Store) -> None:
    records = {"1": Order(number="1")}
    assert here.overrides.overridden("orders", "sync", records, Order.key) == (records, {})
