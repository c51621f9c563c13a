"""What the intake says while it cannot store: never a success, red until it can again, and all that was acknowledged is there."""

import http.client
import json
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from tests.runtime import postgres
from tests.runtime.housing import URL, House

from tagline.runtime.intake import Limits
from tagline.runtime.places import Place, PostgresSchema, SqliteFile, advisory_key

ROOT = Path(__file__).parents[2]
QUICK = Limits(store_s=0.2)


def assert_closed(house: House, *reasons: str) -> None:
    """Deliveries come back, monitoring sees why, and nobody restarts a process that lives."""
    for number in (901, 902):
        answer = house.post(number)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"] in reasons
    status, reason = house.ready()
    assert (status, reason in reasons) == (503, True)
    assert house.client.get("/livez").status_code == 200


def assert_open(house: House, *numbers: int) -> None:
    assert house.ready() == (200, "")
    stored = {key for _, key in house.stored()}
    assert {str(number) for number in numbers} <= stored
    assert house.post(77).status_code == 202
    assert ("orders", "77") in house.stored()


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file of this process may grow beyond the largest of the database's: writes fail as on a full disk."""
    largest = max(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Somebody else has the write lock and keeps it."""
    if isinstance(place, SqliteFile):
        other = sqlite3.connect(place.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
        return
    assert isinstance(place, PostgresSchema)
    with psycopg.connect(place.url) as holder:
        holder.execute(f"SELECT pg_advisory_xact_lock({advisory_key(f'state {place.schema}')})")
        yield


def test_a_full_disk_is_told_and_ends_by_itself(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.post(1).status_code == 202
    with full_disk(tmp_path / "state.sqlite"):
        assert_closed(house, "state-unavailable")
    house.clock.advance(60)
    assert_open(house, 1)
    assert len(house.lines) == 2, "one line a change of state"
    house.close()


def test_a_lock_that_another_process_keeps_is_told_and_ends_by_itself(place: Place) -> None:
    """The writer waits for it; senders do not wait that long, and what they were told stays true."""
    house = House(place, QUICK)
    assert house.post(1).status_code == 202
    house.clock.advance(60)
    with locked(place):
        assert_closed(house, "store-slow")
    # The first of those that were told to come back was under way: stored it may be, promised it was not.
    while house.ready()[0] != 200:
        pass
    assert_open(house, 1)
    assert len(house.lines) == 2
    house.close()


def test_a_database_server_that_is_stopped_and_started_again() -> None:
    found = postgres.programs()
    if found is None:
        pytest.skip("no PostgreSQL here")
    with postgres.cluster(found) as cluster:
        cluster.start()
        house = House(PostgresSchema(cluster.url, "intake"))
        assert house.post(1).status_code == 202
        cluster.stop()
        house.clock.advance(60)
        assert_closed(house, "state-unavailable")
        cluster.start()
        assert_open(house, 1)
        house.close()


def test_a_backlog_that_is_full_is_told(tmp_path: Path) -> None:
    house = House(tmp_path, Limits(waiting=2))
    house.held.gate.clear()
    answers: list[int] = []
    senders = [
        threading.Thread(target=lambda n=n: answers.append(house.post(n).status_code)) for n in range(3)
    ]
    senders[0].start()
    assert house.held.entered.acquire(timeout=5)
    for sender in senders[1:]:
        sender.start()
    while len(house.shop.requests) < 3:
        pass
    assert_closed(house, "intake-full")
    house.held.gate.set()
    for sender in senders:
        sender.join()
    assert answers == [202] * 3
    assert_open(house, 0, 1, 2)
    house.close()


def _send(port: int, first: int, step: int, acked: list[int], dead: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    number = first
    with suppress(OSError, http.client.HTTPException), closing(connection):
        while not dead.is_set():
            connection.request("POST", URL, json.dumps([{"OrderID": number}]))
            answer = connection.getresponse()
            answer.read()
            if answer.status == 202:
                acked.append(number)
            number += step


def kill_under_load(folder: Path, first: int, after: int, senders: int = 4) -> list[int]:
    """Run an intake, send until `after` deliveries are acknowledged, kill it; gives those that were acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.intake_process", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    acked: list[int] = []
    dead = threading.Event()
    try:
        port = int(process.stdout.readline())
        threads = [
            threading.Thread(target=_send, args=(port, first + n, senders, acked, dead))
            for n in range(senders)
        ]
        for thread in threads:
            thread.start()
        while len(acked) < after and any(thread.is_alive() for thread in threads):
            threads[0].join(0.005)
        process.kill()
        for thread in threads:
            thread.join()
    finally:
        dead.set()
        process.kill()
        process.communicate()
    return acked


def assert_all_there(folder: Path, acked: list[int]) -> None:
    with sqlite3.connect(folder / "state.sqlite") as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = db.execute("SELECT key FROM inbox WHERE flow = 'orders'").fetchall()
    db.close()
    stored = [int(key) for (key,) in rows]
    assert set(acked) <= set(stored)
    assert len(stored) == len(set(stored))


def test_what_was_acknowledged_before_a_kill_is_stored(tmp_path: Path) -> None:
    acked = kill_under_load(tmp_path, 1, after=60)
    assert len(acked) >= 60
    assert_all_there(tmp_path, acked)


@pytest.mark.campaign
def test_what_was_acknowledged_before_any_of_fifty_kills_is_stored(tmp_path: Path) -> None:
    acked: list[int] = []
    for kill in range(50):
        acked += kill_under_load(tmp_path, 1 + kill * 1_000_000, after=100 + 37 * kill % 500, senders=8)
        assert_all_there(tmp_path, acked)
    assert len(acked) >= 10_000
