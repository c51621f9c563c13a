"""Tending to dead letters: by cause, by person, sent again or discarded, by several people at once, and when killed."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.runtime.making import START, make_deployment, make_hint, make_store

from tagline.clock import VirtualClock
from tagline.errors import RecordError, RefusedError, UsageError
from tagline.runtime.dead_letters import DeadLetters, Refused, bury
from tagline.runtime.places import Place
from tagline.runtime.store import Store
from tagline.runtime.tables import letter_notes

ANN = "Ann <ann@example.com>"
BOB = "Bob <bob@example.com>"
LATER = START + timedelta(days=1)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def store(place: Place, clock: VirtualClock):
    with closing(make_store(place, clock)) as opened:
        opened.activate(make_deployment(1), {})
        yield opened


@pytest.fixture
def here(tmp_path: Path, clock: VirtualClock):
    """A store whose kind does not matter to the test."""
    with closing(make_store(tmp_path, clock)) as opened:
        opened.activate(make_deployment(1), {})
        yield opened


def refuse(
    store: Store, key: str, message: str = "no product 'A'", *, cause: str = "unknown-sku", flow: str = "sync"
):
    details = ({"field": "rows[3].sku", "reason": message},)
    store.reject("orders", flow, key, RecordError(message, code=cause, hint="add it", details=details))


def waiting(store: Store) -> list[str]:
    return [row.key for row in store.ready("orders", LATER, 1000)]


def states(store: Store) -> dict[str, str]:
    return {letter.key: letter.state for letter in store.dead_letters.list(state=None)}


def test_three_hundred_letters_of_one_cause_are_one_line(store: Store, clock: VirtualClock) -> None:
    with store.database.write() as conn:
        for number in range(300):
            error = RecordError(f"no product 'SKU-{number}' in order {number}", code="unknown-sku")
            bury(conn, [Refused("orders", "sync", str(number), "shop", error)], "orders-000001", clock.now())
            clock.advance(1)
    refuse(store, "x", "no product 'A'", cause="other")
    store.activate(make_deployment(2, version="1.1.0"), {})
    again = RecordError("no product 'B' in order 299", code="unknown-sku")
    store.reject("orders", "sync", "299", again)
    many, one = store.dead_letters.groups()
    assert (many.count, many.cause, many.message) == (300, "unknown-sku", "no product * in order *")
    assert (many.first_at, many.last_at) == (START, START + timedelta(seconds=300))
    assert many.versions == ("1.0.0", "1.1.0")
    assert (one.count, one.cause, one.versions) == (1, "other", ("1.0.0",))
    assert len(store.dead_letters.list(fingerprint=many.fingerprint)) == 300


def test_letters_are_found_by_what_is_known_of_them(store: Store, clock: VirtualClock) -> None:
    refuse(store, "1")
    clock.advance(60)
    refuse(store, "2", cause="other", flow="back")
    store.activate(make_deployment(2, version="2.0.0"), {})
    refuse(store, "3")
    letters = store.dead_letters
    letters.assign([2], "Ann", by=BOB)
    found = {
        "key": letters.list(key="1"),
        "cause": letters.list(cause="other"),
        "flow": letters.list(flow="back"),
        "assigned": letters.list(assigned="Ann"),
        "nobody": letters.list(assigned=""),
        "since": letters.list(since=START + timedelta(seconds=60)),
        "version": letters.list(version="2.0.0"),
        "two of them": letters.list(assigned="", version="2.0.0"),
        "none": letters.list(integration="another"),
    }
    assert {name: [x.key for x in chosen] for name, chosen in found.items()} == {
        "key": ["1"],
        "cause": ["2"],
        "flow": ["2"],
        "assigned": ["2"],
        "nobody": ["1", "3"],
        "since": ["2", "3"],
        "version": ["3"],
        "two of them": ["3"],
        "none": [],
    }


def test_what_people_did_is_kept_with_who_and_when(here: Store, clock: VirtualClock) -> None:
    refuse(here, "1")
    letters = here.dead_letters
    assert letters.assign([1], "Ann", by=BOB) == 1
    assert letters.assign([1], "Ann", by=BOB) == 0
    clock.advance(60)
    letters.note(1, "asked the customer", by=ANN)
    letters.redrive([1], by=ANN)
    assert [(n.at, n.author, n.what, n.text) for n in letters.notes(1)] == [
        (START, BOB, "assigned", "Ann"),
        (START + timedelta(seconds=60), ANN, "note", "asked the customer"),
        (START + timedelta(seconds=60), ANN, "redriven", ""),
    ]
    assert letters.show(1).assigned == "Ann"


def test_a_note_is_encrypted(here: Store) -> None:
    """People write names and numbers into notes."""
    refuse(here, "1")
    here.dead_letters.note(1, "called Mary Miller", by=ANN)
    with here.database.read() as conn:
        row = conn.execute(sa.select(letter_notes)).one()
    assert b"Mary" not in row.text
    assert row.key_id == here.images.ring.newest.id


DEEDS: dict[str, Callable[[DeadLetters], object]] = {
    "note": lambda letters: letters.note(9, "x", by=ANN),
    "assign": lambda letters: letters.assign([1, 9], "Ann", by=ANN),
    "redrive": lambda letters: letters.redrive([1, 9], by=ANN),
    "discard": lambda letters: letters.discard([1, 9], reason="x", by=ANN),
}


def test_an_unknown_number_changes_nothing(here: Store) -> None:
    refuse(here, "1")
    for deed in DEEDS.values():
        with pytest.raises(UsageError) as refused:
            deed(here.dead_letters)
        assert refused.value.code == "dead-letter-unknown"
    letter = here.dead_letters.show(1)
    assert (letter.state, letter.assigned, here.dead_letters.notes(1)) == ("open", "", [])


def test_a_discarded_letter_stays_with_reason_and_author(here: Store) -> None:
    refuse(here, "1")
    refuse(here, "2", cause="other")
    letters = here.dead_letters
    assert letters.discard(cause="unknown-sku", reason="a test order", by=ANN) == 1
    assert letters.discard(cause="unknown-sku", reason="again", by=BOB) == 0
    assert states(here) == {"1": "discarded", "2": "open"}
    assert [(n.author, n.what, n.text) for n in letters.notes(1)] == [(ANN, "discarded", "a test order")]
    assert (letters.redrive([1]), waiting(here)) == (0, [])


def test_a_record_that_fails_after_its_letter_was_discarded_has_a_new_one(store: Store) -> None:
    refuse(store, "1")
    store.dead_letters.discard([1], reason="a test order", by=ANN)
    refuse(store, "1")
    assert [(x.id, x.state, x.attempts) for x in store.dead_letters.list(state=None)] == [
        (1, "discarded", 1),
        (2, "open", 1),
    ]


def test_the_original_release_is_redriven_while_it_runs(here: Store) -> None:
    refuse(here, "1")
    assert here.dead_letters.redrive([1], original=True) == 1


def test_the_original_release_is_refused_once_another_runs(here: Store) -> None:
    """It has no worker any more, and to run the record with another would not be what was asked."""
    refuse(here, "1")
    here.activate(make_deployment(2, version="1.1.0"), {})
    refuse(here, "2")
    with pytest.raises(RefusedError) as refused:
        here.dead_letters.redrive(original=True, by=ANN)
    assert refused.value.code == "release-not-running"
    assert "release 1.0.0" in refused.value.message
    assert "now 1.1.0" in refused.value.message
    assert (states(here), waiting(here)) == ({"1": "open", "2": "open"}, [])


def test_a_redrive_joins_the_row_that_waits_already(here: Store) -> None:
    refuse(here, "1")
    here.receive([make_hint("1")])
    assert here.dead_letters.redrive([1]) == 1
    assert waiting(here) == ["1"]


def test_two_people_who_redrive_at_once_double_nothing(store: Store, place: Place) -> None:
    for number in range(40):
        refuse(store, str(number))
    counts: list[int] = []
    together = threading.Barrier(2)

    def redrive() -> None:
        with closing(make_store(place)) as mine:
            together.wait()
            counts.append(mine.dead_letters.redrive(by=ANN, values={"rows.0.sku": "A"}))

    threads = [threading.Thread(target=redrive) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 40]
    assert len(waiting(store)) == len(set(waiting(store))) == 40
    assert len(store.overrides.list()) == 40


def _redrive_and_die(place: Place, before: str) -> None:
    store = make_store(place)

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def die(conn: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith(before):
            os.kill(os.getpid(), signal.SIGKILL)

    store.dead_letters.redrive(by=ANN, values={"rows.0.sku": "A"})


@pytest.mark.parametrize("before", ["INSERT INTO inbox", "INSERT INTO letter_notes"])
def test_a_redrive_that_is_killed_has_not_happened(store: Store, place: Place, before: str) -> None:
    for number in range(3):
        refuse(store, str(number))
    process = multiprocessing.get_context("fork").Process(target=_redrive_and_die, args=(place, before))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (set(states(store).values()), waiting(store), store.overrides.list()) == ({"open"}, [], [])
    assert store.dead_letters.redrive(by=ANN) == 3
    assert waiting(store) == ["0", "1", "2"]
