"""The story that the tests of the commands look at."""

from collections.abc import Iterator

import pytest
from tests.cli.telling import Story, lifecycle


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Told once: the gate alone takes seconds."""
    with lifecycle(tmp_path_factory.mktemp("cli")) as told:
        yield told
