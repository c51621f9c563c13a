"""One suite of behaviours for both engines; what needs a disk or a second process is DBOS's alone."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tagline.errors import RefusedError
from tagline.runtime.engine import MemoryEngine
from tagline.runtime.engine_dbos import DbosEngine


class Killed(BaseException):
    """Stands for the death of the process: nothing after it happens."""


class Runs:
    """What was run; a batch named in `fails` ends so the next time."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, tuple[int, ...]]] = []
        self.fails: dict[str, BaseException] = {}

    def __call__(self, batch_id, rows):
        self.seen.append((batch_id, tuple(rows)))
        if batch_id in self.fails:
            raise self.fails.pop(batch_id)


@pytest.fixture
def runs():
    return Runs()


@pytest.fixture(params=["memory", "dbos-sqlite", "dbos-postgresql"])
def engine(request, tmp_path: Path):
    match request.param:
        case "memory":
            made = MemoryEngine()
        case "dbos-sqlite":
            made = DbosEngine(tmp_path / "engine.sqlite", "worker-1")
        case _:
            made = DbosEngine(request.getfixturevalue("postgres_schema"), "worker-1")
    yield made
    made.stop()


def test_a_batch_has_run_when_submit_returns(engine, runs):
    engine.start(runs)
    engine.submit("b-1", [1, 2, 3])
    assert runs.seen == [("b-1", (1, 2, 3))]


def test_an_id_that_ended_is_not_run_again_in_this_life_or_the_next(engine, runs):
    engine.start(runs)
    engine.submit("b-1", [1])
    engine.submit("b-1", [1])
    engine.stop()
    engine.start(runs)
    assert engine.recover() == 0
    engine.submit("b-1", [1])
    assert len(runs.seen) == 1


def test_an_exception_reaches_the_caller_and_ends_the_batch(engine, runs):
    engine.start(runs)
    runs.fails["b-1"] = ValueError("broken")
    with pytest.raises(ValueError, match="broken"):
        engine.submit("b-1", [1])
    engine.submit("b-1", [1])
    engine.submit("b-2", [2])
    assert [batch for batch, _ in runs.seen] == ["b-1", "b-2"]


def test_what_an_earlier_life_began_is_run_again(engine, runs):
    engine.start(runs)
    engine.submit("b-1", [1])
    runs.fails["b-2"] = Killed()
    with pytest.raises(Killed):
        engine.submit("b-2", [2, 3])
    engine.stop()
    later = Runs()
    engine.start(later)
    assert engine.recover() == 1
    assert later.seen == [("b-2", (2, 3))]
    assert engine.recover() == 0


def test_an_exception_while_recovering_is_told(engine, runs):
    engine.start(runs)
    runs.fails["b-1"] = Killed()
    with pytest.raises(Killed):
        engine.submit("b-1", [1])
    engine.stop()
    runs.fails["b-1"] = ValueError("broken")
    engine.start(runs)
    with pytest.raises(ValueError, match="broken"):
        engine.recover()
    assert engine.recover() == 0


def test_an_engine_that_is_not_started_runs_nothing(runs):
    with pytest.raises(RuntimeError):
        MemoryEngine().submit("b-1", [1])


class TestManyExecutors:
    def test_each_runs_its_own_batches_beside_the_others(self, postgres_schema, tmp_path):
        """One engine a process: the other one is a process of its own, killed with a batch in hand."""
        other = subprocess.run(
            [sys.executable, "-c", _DIES_IN_ITS_BATCH, postgres_schema.url, postgres_schema.schema],
            check=False,
        )
        assert other.returncode == -signal.SIGKILL
        runs = Runs()
        engine = DbosEngine(postgres_schema, "worker-1")
        engine.start(runs)
        try:
            assert engine.recover() == 0
            engine.submit("b-2", [2])
            assert runs.seen == [("b-2", (2,))]
        finally:
            engine.stop()

    def test_a_name_is_used_by_one_process_at_a_time(self, postgres_schema):
        held = DbosEngine(postgres_schema, "worker-1")
        held.start(Runs())
        try:
            second = subprocess.run(
                [sys.executable, "-c", _STARTS, postgres_schema.url, postgres_schema.schema],
                check=False,
                capture_output=True,
                text=True,
            )
            assert "engine-in-use" in second.stderr
        finally:
            held.stop()


_STARTS = """
import sys
from tagline.runtime.engine_dbos import DbosEngine
from tagline.runtime.places import PostgresSchema
from tagline.errors import TaglineError
try:
    DbosEngine(PostgresSchema(*sys.argv[1:3]), "worker-1").start(lambda batch, rows: None)
except TaglineError as error:
    sys.exit(error.code)
"""
_DIES_IN_ITS_BATCH = """
import os, signal, sys
from tagline.runtime.engine_dbos import DbosEngine
from tagline.runtime.places import PostgresSchema
engine = DbosEngine(PostgresSchema(*sys.argv[1:3]), "worker-2")
engine.start(lambda batch, rows: os.kill(os.getpid(), signal.SIGKILL))
engine.submit("b-1", [1])
"""


class TestDbos:
    @pytest.fixture
    def path(self, tmp_path: Path):
        return tmp_path / "engine.sqlite"

    def test_nothing_but_row_numbers_is_stored_and_no_pickle(self, path, runs):
        engine = DbosEngine(path, "worker-1")
        engine.start(runs)
        runs.fails["b-1"] = ValueError("jane@example.com")
        with pytest.raises(ValueError, match="jane"):
            engine.submit("b-1", [41, 42])
        engine.stop()
        with sqlite3.connect(path) as raw:
            stored = "\n".join(raw.iterdump())
        raw.close()
        assert "[[41,42]]" in stored
        assert "portable_json" in stored
        assert "jane" not in stored

    def test_it_commits_to_disk_and_stamps_finer_than_seconds(self, path, runs):
        """As shipped it does neither; order and durability depend on it."""
        engine = DbosEngine(path, "worker-1")
        engine.start(runs)
        for number in range(20):
            engine.submit(f"b-{number:02}", [number])
        engine.stop()
        raw = sqlite3.connect(path)
        stamps = [
            at for (at,) in raw.execute("SELECT created_at FROM workflow_status ORDER BY workflow_uuid")
        ]
        mode = raw.execute("PRAGMA journal_mode").fetchone()
        raw.close()
        assert mode == ("wal",)
        assert stamps == sorted(stamps)
        assert len(set(stamps)) == 20

    def test_two_engines_cannot_share_a_process_or_a_file(self, path, runs):
        first, second = DbosEngine(path, "worker-1"), DbosEngine(path, "worker-2")
        first.start(runs)
        try:
            with pytest.raises(RefusedError) as refused:
                second.start(runs)
            assert refused.value.code == "engine-in-use"
            assert _child(path, "worker-2", "refused").stdout == "engine-in-use\n"
            first.submit("b-1", [1])
        finally:
            first.stop()
        second.start(runs)
        second.stop()

    def test_what_another_executor_left_is_dropped_not_run(self, path, runs):
        """Its rows wait in the inbox; running them here too would be work done twice."""
        first, second = DbosEngine(path, "worker-1"), DbosEngine(path, "worker-2")
        runs.fails["b-1"] = Killed()
        first.start(runs)
        with pytest.raises(Killed):
            first.submit("b-1", [1])
        first.stop()
        second.start(runs)
        assert second.recover() == 0
        second.stop()
        assert len(runs.seen) == 1

    def test_old_ended_batches_are_deleted_at_the_next_start(self, path, runs):
        engine = DbosEngine(path, "worker-1")
        engine.start(runs)
        engine.submit("b-old", [1])
        engine.submit("b-new", [2])
        engine.stop()
        raw = sqlite3.connect(path)
        with raw:
            raw.execute(
                "UPDATE workflow_status SET created_at = created_at - 9e8 WHERE workflow_uuid = 'b-old'"
            )
        raw.close()
        engine.start(runs)
        engine.stop()
        raw = sqlite3.connect(path)
        left = raw.execute("SELECT workflow_uuid FROM workflow_status").fetchall()
        inputs = raw.execute("SELECT count(*) FROM workflow_input").fetchone()
        raw.close()
        assert (left, inputs) == ([("b-new",)], (1,))

    def test_a_killed_process_leaves_its_batch_to_the_next(self, path):
        assert _child(path, "worker-1", "die").returncode == -signal.SIGKILL
        assert _child(path, "worker-1", "recover").stdout == "b-2 [3, 4]\nrecovered 1\n"
        assert _child(path, "worker-1", "recover").stdout == "recovered 0\n"


CHILD = """
import os, signal, sys
from pathlib import Path
from tagline.errors import RefusedError
from tagline.runtime.engine_dbos import DbosEngine

path, executor, task = sys.argv[1:]
engine = DbosEngine(Path(path), executor)

def run(batch, rows):
    if task == "die":
        if batch == "b-2":
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        print(batch, list(rows), flush=True)

try:
    engine.start(run)
except RefusedError as error:
    print(error.code)
    sys.exit()
if task == "die":
    engine.submit("b-1", [1, 2])
    engine.submit("b-2", [3, 4])
print("recovered", engine.recover())
engine.stop()
"""


def _child(path: Path, executor: str, task: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(path), executor, task]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
