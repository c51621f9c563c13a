"""The state database as each kind of it, for suites that hold all kinds to one behaviour."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime import postgres

from tagline.runtime.places import Place, PostgresSchema, SqliteFile

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server at `TAGLINE_TEST_POSTGRES`, or one started for the tests; without either the test says so and is skipped."""
    given = os.environ.get("TAGLINE_TEST_POSTGRES")
    if given:
        yield given
        return
    found = postgres.programs()
    if found is None:
        pytest.skip(
            "no PostgreSQL here: install Debian's package postgresql, or name one in TAGLINE_TEST_POSTGRES"
        )
    with postgres.server(found) as url:
        yield url


@pytest.fixture
def postgres_schema(postgres_url: str) -> PostgresSchema:
    """A schema nobody else uses."""
    return PostgresSchema(postgres_url, f"t{os.getpid()}_{next(_numbers)}")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a fresh state database is, of each kind in turn."""
    if request.param == "sqlite":
        return SqliteFile(tmp_path / "state.sqlite")
    schema: PostgresSchema = request.getfixturevalue("postgres_schema")
    return schema
