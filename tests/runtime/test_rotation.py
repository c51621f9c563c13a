"""One key follows another: whatever is written meanwhile, every image stays readable and none is left under the old key."""

import itertools
import multiprocessing
import threading
from contextlib import ExitStack, closing

import pytest
from tests.runtime.making import START, make_deployment
from tests.runtime.test_sql_journal import City, make_intent, rows, settled

from tagline.clock import SystemClock, VirtualClock
from tagline.errors import RefusedError, TryAgainError, UsageError
from tagline.runtime import rotation
from tagline.runtime.database import insert
from tagline.runtime.key_ring import KeyRing, RingFile, make_key, ring_at, ring_file
from tagline.runtime.places import SqliteFile
from tagline.runtime.sql_journal import SqlJournal
from tagline.runtime.store import Store
from tagline.runtime.tables import keys

assert City, "the images of the intents refer to it"


class House:
    """A state database, its ring in a file, and as many openings of both as a test asks for."""

    def __init__(self, place, path, stack: ExitStack, clock=None) -> None:
        self.place, self.path, self._stack = place, path, stack
        self.clock = clock or VirtualClock(START)
        self.first = make_key()
        path.write_text(f"# ring of the tests\n{self.first.text}\n")
        self.store = self.open()
        self.fence = self.store.activate(make_deployment(1), {})
        self.journal = self.writer()

    def open(self, path=None) -> Store:
        ring = ring_at(f"file:{path or self.path}")
        return self._stack.enter_context(closing(Store.open(self.place, ring=ring, clock=self.clock)))

    def writer(self, path=None) -> SqlJournal:
        return SqlJournal(self.open(path), "orders-000001", self.fence)

    def rotate(self) -> str:
        return rotation.rotate(self.store.database, self.store.images.ring, self.file, self.clock).id

    def retire(self, identity: str) -> int:
        return rotation.retire(self.store.database, self.store.images.ring, self.file, identity, self.clock)

    def status(self):
        found = rotation.status(self.store.database, self.store.images.ring)
        return {use.id: (use.state, use.rows, use.in_ring) for use in found}

    def file(self) -> RingFile:
        return ring_file(f"file:{self.path}")


@pytest.fixture
def house(tmp_path):
    with ExitStack() as stack:
        yield House(SqliteFile(tmp_path / "state.sqlite"), tmp_path / "ring", stack)


@pytest.fixture
def house_anywhere(place, tmp_path):
    with ExitStack() as stack:
        yield House(place, tmp_path / "ring", stack)


def test_the_first_writer_makes_the_newest_key_of_its_ring_the_active_one(house):
    assert house.status() == {house.first.id: ("unused", 0, True)}
    house.journal.intend([make_intent()])
    assert house.status() == {house.first.id: ("active", 1, True)}


def test_a_writer_that_was_open_before_the_rotation_goes_on_under_the_new_key(house):
    house.journal.intend([make_intent("1")])
    new = house.rotate()
    house.journal.intend([make_intent("2")])
    assert [row["key_id"] for row in rows(house.store)] == [house.first.id, new]
    assert house.status() == {new: ("active", 1, True), house.first.id: ("former", 1, True)}
    assert [doubt.intent.record for doubt in house.journal.in_doubt(["1", "2"])] == ["1", "2"]


def test_a_retired_key_has_nothing_left_and_the_rest_reads_as_before(house_anywhere):
    house = house_anywhere
    intents = [make_intent(str(n), before=None if n % 2 else {"n": n}) for n in range(rotation.STEP + 5)]
    house.journal.intend(intents)
    new = house.rotate()
    assert house.retire(house.first.id) == len(intents)
    assert house.status() == {new: ("active", len(intents), True), house.first.id: ("retired", 0, False)}
    assert house.path.read_text().startswith(f"{house.store.images.ring.newest.text}\n# ring")
    reader = house.writer()
    assert [doubt.intent for doubt in reader.in_doubt([i.record for i in intents])] == intents


def test_the_active_key_is_not_retired(house):
    house.journal.intend([make_intent()])
    with pytest.raises(RefusedError) as refused:
        house.retire(house.first.id)
    assert refused.value.code == "key-active"


def test_a_key_that_nobody_knows_is_not_retired(house):
    with pytest.raises(UsageError) as refused:
        house.retire("0123456789ab")
    assert refused.value.code == "key-unknown"


def test_retiring_again_changes_nothing(house):
    house.journal.intend([make_intent()])
    house.rotate()
    house.retire(house.first.id)
    before = house.path.read_text()
    assert house.retire(house.first.id) == 0
    assert house.path.read_text() == before


def test_a_machine_whose_ring_lacks_the_active_key_waits_until_the_ring_is_copied(house_anywhere, tmp_path):
    house = house_anywhere
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(house.path.read_text())
    behind = house.writer(elsewhere)
    behind.intend([make_intent("1")])
    new = house.rotate()
    with pytest.raises(TryAgainError) as waits:
        behind.intend([make_intent("2")])
    assert (waits.value.code, new in waits.value.message) == ("key-ring-behind", True)
    assert len(rows(house.store)) == 1
    elsewhere.write_text(house.path.read_text())
    behind.intend([make_intent("2")])
    assert [row["key_id"] for row in rows(house.store)] == [house.first.id, new]


def test_a_key_that_was_copied_to_every_machine_first_keeps_nobody_waiting(house):
    """Put first into the ring, activated later: until then the old key encrypts, also in a process started meanwhile."""
    house.journal.intend([make_intent("1")])
    new = make_key()
    house.file().add(new)
    house.writer().intend([make_intent("2")])
    assert {row["key_id"] for row in rows(house.store)} == {house.first.id}
    assert house.rotate() == new.id


def test_who_was_killed_between_ring_and_database_goes_on_with_the_same_key(house):
    house.journal.intend([make_intent()])

    def killed() -> RingFile:
        class Deadly(RingFile):
            def add(self, key) -> None:
                super().add(key)
                raise KeyboardInterrupt

        return Deadly(house.path)

    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(house.store.database, house.store.images.ring, killed, house.clock)
    house.journal.intend([make_intent("2")])
    added = KeyRing(house.path.read_text).newest
    assert added.id != house.first.id
    assert house.rotate() == added.id
    assert len(KeyRing(house.path.read_text).keys) == 2


def test_who_was_killed_between_moving_and_the_ring_goes_on(house):
    house.journal.intend([make_intent()])
    new = house.rotate()

    def killed() -> RingFile:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotation.retire(house.store.database, house.store.images.ring, killed, house.first.id, house.clock)
    assert house.status()[house.first.id] == ("retired", 0, True)
    assert house.retire(house.first.id) == 0
    assert house.status() == {new: ("active", 1, True), house.first.id: ("retired", 0, False)}


def test_a_key_that_is_being_retired_is_adopted_by_nobody(house):
    house.journal.intend([make_intent()])
    stray = make_key()
    house.file().add(stray)

    def meanwhile() -> RingFile:
        assert house.rotate() != stray.id
        return house.file()

    rotation.retire(house.store.database, house.store.images.ring, meanwhile, stray.id, house.clock)
    assert stray.id not in [key.id for key in KeyRing(house.path.read_text).keys]


def test_of_a_ring_in_a_variable_the_first_line_is_adopted_and_none_is_made(house):
    variable = {"ring": house.first.text}
    ring = KeyRing(lambda: variable["ring"])
    house.journal.intend([make_intent()])

    def nowhere() -> RingFile:
        return ring_file("env:TAGLINE_PROD_STATE_KEY")

    with pytest.raises(RefusedError) as refused:
        rotation.rotate(house.store.database, ring, nowhere, house.clock)
    assert refused.value.code == "key-ring-fixed"
    new = make_key()
    variable["ring"] = f"{new.text}\n{house.first.text}"
    assert rotation.rotate(house.store.database, ring, nowhere, house.clock).id == new.id


def test_of_a_state_from_before_keys_were_counted_the_older_key_is_followed_by_the_newer(house):
    """A ring of two at the first rotation: the last line is what was used so far."""
    new = make_key()
    house.file().add(new)
    assert house.rotate() == new.id
    assert house.status() == {new.id: ("active", 0, True), house.first.id: ("former", 0, True)}


def test_a_machine_that_lacks_the_active_key_rotates_nothing(house):
    with house.store.database.write() as conn:
        conn.execute(insert(conn, keys).values(id="0123456789ab", state="active", since=START))
    before = house.path.read_text()
    with pytest.raises(TryAgainError):
        house.rotate()
    assert house.path.read_text() == before


def _write(place, path, fence, name: str, started, stop) -> None:
    with closing(Store.open(place, ring=ring_at(f"file:{path}"), clock=SystemClock())) as store:
        journal = SqlJournal(store, "orders-000001", fence)
        for number in itertools.count(1):
            (entry,) = journal.intend([make_intent(f"{name} {number}")])
            journal.settle([settled(entry)])
            started.set()
            if stop.is_set():
                return


def test_workers_that_write_all_the_while_lose_nothing_and_leave_nothing_under_old_keys(place, tmp_path):
    """One worker in a process of its own, one in a thread; each key is retired at once."""
    kinds = multiprocessing.get_context("fork")
    with ExitStack() as stack:
        house = House(place, tmp_path / "ring", stack, SystemClock())
        stop = kinds.Event()
        started = [kinds.Event(), kinds.Event()]
        given = [(place, house.path, house.fence, name, started[n], stop) for n, name in enumerate("ab")]
        workers = [
            kinds.Process(target=_write, args=given[0]),
            threading.Thread(target=_write, args=given[1]),
        ]
        for worker in workers:
            worker.start()
        assert all(event.wait(30) for event in started)
        used = [house.first.id]
        for _ in range(2):
            used.append(house.rotate())
            house.retire(used[-2])
        stop.set()
        for worker in workers:
            worker.join(30)
        images = house.open().images
        found = rows(house.store)
        numbers = {
            name: [int(r["record"][2:]) for r in found if r["record"].startswith(name)] for name in "ab"
        }
        assert all(sorted(of) == list(range(1, len(of) + 1)) for of in numbers.values())
        assert min(map(len, numbers.values())) > 1
        assert house.status() == {
            used[-1]: ("active", len(found), True),
            **dict.fromkeys(used[:-1], ("retired", 0, False)),
        }
        wanted = make_intent()
        for row in found:
            assert images.unseal(row["before"], row["key_id"]) == wanted.before
            assert images.unseal(row["after"], row["key_id"]) == wanted.after
