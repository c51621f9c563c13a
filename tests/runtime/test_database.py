import contextlib
import multiprocessing
import socket
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tagline.errors import TryAgainError, UsageError
from tagline.runtime import migrations
from tagline.runtime.database import Database
from tagline.runtime.places import PostgresSchema
from tagline.runtime.tables import metadata


@pytest.fixture
def database(place):
    opened = Database.open(place)
    yield opened
    opened.close()


def test_migrations_build_the_tables_the_code_uses(database):
    with database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
        listing = (
            "sqlite_master WHERE sql"
            if conn.dialect.name == "sqlite"
            else "pg_indexes WHERE schemaname = current_schema() AND indexdef"
        )
        partial = conn.execute(sa.text(f"SELECT count(*) FROM {listing} LIKE '%INDEX%WHERE%'")).scalar()
    declared = [
        index
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    ]
    assert partial == len(declared)


def test_a_partial_index_is_one_on_both_databases():
    indexes = [index for table in metadata.tables.values() for index in table.indexes]
    assert [i.dialect_options["sqlite"]["where"] for i in indexes] == [
        i.dialect_options["postgresql"]["where"] for i in indexes
    ]


def test_the_listed_revisions_are_the_files():
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    files = tuple(each.revision for each in reversed(list(script.walk_revisions())))
    assert (files, script.get_current_head()) == (migrations.REVISIONS, migrations.HEAD)


def test_a_newer_schema_is_refused_and_left_alone(database, place):
    with database.write() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UsageError) as refused:
        Database.open(place)
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


def test_a_failed_transaction_leaves_nothing(database):
    with contextlib.suppress(RuntimeError), database.write() as conn:
        conn.execute(sa.text("INSERT INTO cursors VALUES ('a', 'b', 'c', 'd')"))
        raise RuntimeError
    with database.read() as conn:
        assert conn.execute(sa.text("SELECT count(*) FROM cursors")).scalar() == 0


def test_a_reader_sees_what_was_there_when_it_began_and_waits_for_nobody(database):
    with database.read() as reading:
        count = sa.text("SELECT count(*) FROM cursors")
        before = reading.execute(count).scalar()
        with database.write() as writing:
            writing.execute(sa.text("INSERT INTO cursors VALUES ('a', 'b', 'c', 'd')"))
        assert (before, reading.execute(count).scalar()) == (0, 0)
    with database.read() as reading:
        assert reading.execute(count).scalar() == 1


def test_a_reader_writes_nothing_on_postgresql(postgres_schema):
    database = Database.open(postgres_schema)
    try:
        with pytest.raises(sa.exc.InternalError, match="read-only"), database.read() as conn:
            conn.execute(sa.text("INSERT INTO cursors VALUES ('a', 'b', 'c', 'd')"))
    finally:
        database.close()


def test_a_server_that_is_away_is_told_as_unavailable_without_its_password():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TryAgainError) as refused:
        Database.open(
            PostgresSchema(f"postgresql://tagline:hidden-word@127.0.0.1:{port}/orders", "tagline_dev")
        )
    error = refused.value
    assert error.code == "state-unavailable"
    assert "schema tagline_dev of orders on 127.0.0.1" in error.message
    assert "hidden-word" not in f"{error.message}{error.hint}{error.where}"


def test_a_connection_that_the_server_dropped_is_replaced(postgres_schema):
    database = Database.open(postgres_schema)
    try:
        drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tagline'"
        with psycopg.connect(postgres_schema.url) as administrator:
            assert administrator.execute(drop).fetchall()
        with database.write() as conn:
            conn.execute(sa.text("INSERT INTO cursors VALUES ('a', 'b', 'c', 'd')"))
    finally:
        database.close()


@pytest.mark.parametrize(
    "url",
    ["mysql://a@b/c", "no address", "postgresql://user:hidden-word@host"],
    ids=["other", "nonsense", "no-database"],
)
def test_an_address_that_is_none_is_refused_without_being_shown(url):
    with pytest.raises(UsageError) as refused:
        PostgresSchema(url, "tagline_dev")
    assert refused.value.code == "state-url-invalid"
    assert "hidden-word" not in f"{refused.value.message}{refused.value.hint}"


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


def _open_and_write(place, number: int, together) -> None:
    together.wait()
    database = Database.open(place)
    with database.write() as conn:
        conn.execute(sa.text(f"INSERT INTO cursors VALUES ('a', '{number}', 'c', 'd')"))
    database.close()


def test_processes_that_open_a_fresh_database_at_once_all_succeed(place):
    spawn = multiprocessing.get_context("fork")
    together = spawn.Barrier(4)
    processes = [spawn.Process(target=_open_and_write, args=(place, n, together)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0, 0, 0, 0]
    database = Database.open(place)
    with database.read() as conn:
        assert conn.execute(sa.text("SELECT count(*) FROM cursors")).scalar() == 4
    database.close()
