"""A state database of the release before opens, also when its migration was killed half-way."""

import multiprocessing
import os
import signal
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from tests.runtime.making import START, before, make_store

from tagline.connectors.pace import Lane
from tagline.runtime import migrations
from tagline.runtime.store import Hint


def test_a_state_of_the_release_before_opens_with_its_rows_waiting_live(tmp_path: Path):
    before(tmp_path / "state.sqlite", "0001")
    with closing(make_store(tmp_path)) as store:
        rows = store.ready("orders", START, 10)
        assert [(row.key, row.lane, row.asked) for row in rows] == [
            ("1", Lane.LIVE, False),
            ("2", Lane.LIVE, True),
        ]
        store.receive([Hint("orders", "sync", "3", "back-fill", "shop")])
        assert [row.key for row in store.ready("orders", START, 10, Lane.BACK_FILL)] == ["3"]


def _migrate_and_die(path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "after_cursor_execute")
    def die(conn, cursor, statement, *rest) -> None:
        if statement.lstrip().startswith("CREATE TABLE back_fills"):
            os.kill(os.getpid(), signal.SIGKILL)

    with engine.connect() as conn:
        conn.exec_driver_sql("BEGIN IMMEDIATE")
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def test_one_that_was_killed_in_the_middle_of_its_migration_opens_again(tmp_path: Path):
    path = tmp_path / "state.sqlite"
    before(path, "0001")
    process = multiprocessing.get_context("fork").Process(target=_migrate_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with closing(make_store(tmp_path)) as store:
        assert len(store.ready("orders", START, 10)) == 2
