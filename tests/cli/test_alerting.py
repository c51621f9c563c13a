"""Trying who is told, from the command line."""

from collections.abc import Iterator

import pytest
from tests.cli.telling import Story

ADDED = '\n[alerts]\nheartbeat_url = "env:BEAT"\n'


@pytest.fixture
def written(story: Story) -> Iterator[Story]:
    """A heartbeat is written into dev's file, and not committed."""
    file = story.made.work / "environments" / "dev.toml"
    before = file.read_text()
    file.write_text(before + ADDED)
    yield story
    file.write_text(before)


def test_channels_that_nobody_wrote_are_to_be_written_and_committed(story: Story) -> None:
    done = story.tagline("alerts", "test", "--env", "dev")
    assert (done.code, done.out) == (2, "")
    assert "no alert channels in the committed configuration of origin/main" in done.err
    assert "commit and push it" in done.err


def test_channels_that_are_written_and_not_committed_are_said_to_be(written: Story) -> None:
    done = written.tagline("alerts", "test", "--env", "dev")
    assert done.code == 2
    assert "they stand in environments/dev.toml here and are not committed: commit and push" in done.err
