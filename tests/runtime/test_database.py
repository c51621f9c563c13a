import contextlib
import multiprocessing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tagline.errors import TryAgainError, UsageError
from tagline.runtime import migrations
from tagline.runtime.database import Database
from tagline.runtime.tables import metadata


def test_migrations_build_the_tables_the_code_uses(tmp_path: Path):
    database = Database.open(tmp_path / "state.sqlite")
    try:
        with database.read() as conn:
            assert compare_metadata(MigrationContext.configure(conn), metadata) == []
            partial = conn.execute(
                sa.text("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql LIKE '%WHERE%'")
            ).scalar()
            declared = [
                i
                for t in metadata.tables.values()
                for i in t.indexes
                if i.dialect_options["sqlite"]["where"] is not None
            ]
            assert partial == len(declared)
    finally:
        database.close()


def test_the_listed_revisions_are_the_files():
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    files = tuple(each.revision for each in reversed(list(script.walk_revisions())))
    assert (files, script.get_current_head()) == (migrations.REVISIONS, migrations.HEAD)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "state.sqlite"
    database = Database.open(path)
    with database.write() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(UsageError) as refused:
        Database.open(path)
    assert refused.value.code == "state-newer"
    assert "9999" in refused.value.message


def test_a_file_of_something_else_is_refused(tmp_path: Path):
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"a text that is certainly no database, and long enough to be looked at " * 20)
    with pytest.raises(UsageError) as refused:
        Database.open(path)
    assert refused.value.code == "state-not-a-database"


def test_a_folder_that_cannot_be_written_is_told_as_unavailable(tmp_path: Path):
    (tmp_path / "state.sqlite").mkdir()
    with pytest.raises(TryAgainError) as refused:
        Database.open(tmp_path / "state.sqlite")
    assert refused.value.code == "state-unavailable"


def test_a_failed_transaction_leaves_nothing(tmp_path: Path):
    database = Database.open(tmp_path / "state.sqlite")
    try:
        with contextlib.suppress(RuntimeError), database.write() as conn:
            conn.execute(sa.text("INSERT INTO cursors VALUES ('a', 'b', 'c', 'd')"))
            raise RuntimeError
        with database.read() as conn:
            assert conn.execute(sa.text("SELECT count(*) FROM cursors")).scalar() == 0
    finally:
        database.close()


def test_commits_survive_power_loss_and_readers_do_not_wait(tmp_path: Path):
    """WAL with FULL: each commit is on the disk when it returns."""
    database = Database.open(tmp_path / "state.sqlite")
    try:
        with database.write() as writing, database.read() as reading:
            pragmas = [
                (
                    c.execute(sa.text("PRAGMA journal_mode")).scalar(),
                    c.execute(sa.text("PRAGMA synchronous")).scalar(),
                )
                for c in (writing, reading)
            ]
        assert pragmas == [("wal", 2), ("wal", 2)]
    finally:
        database.close()


def test_the_file_is_for_its_owner_alone(tmp_path: Path):
    database = Database.open(tmp_path / "state.sqlite")
    database.close()
    assert (tmp_path / "state.sqlite").stat().st_mode & 0o077 == 0


def _open_and_write(path: Path, number: int, together) -> None:
    together.wait()
    database = Database.open(path)
    with database.write() as conn:
        conn.execute(sa.text(f"INSERT INTO cursors VALUES ('a', '{number}', 'c', 'd')"))
    database.close()


def test_processes_that_open_a_fresh_database_at_once_all_succeed(tmp_path: Path):
    path = tmp_path / "state.sqlite"
    spawn = multiprocessing.get_context("fork")
    together = spawn.Barrier(4)
    processes = [spawn.Process(target=_open_and_write, args=(path, n, together)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0, 0, 0, 0]
    database = Database.open(path)
    with database.read() as conn:
        assert conn.execute(sa.text("SELECT count(*) FROM cursors")).scalar() == 4
    database.close()
