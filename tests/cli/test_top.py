"""Configuration is read from the hub's main: whoever has not pushed is told."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.cli.telling import call

CONFIG = """
[agent]
listen = "127.0.0.1:8700"
public_url = "http://127.0.0.1:8700"
state = ".tagline/dev"
state_key = "env:KEY"

[connections]
"""
AHEAD = "main here is ahead of origin/main"


def git(folder: Path, *args: str) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, env=environ)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working copy with one pushed configuration and no integration."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "hub")], check=True)
    made = tmp_path / "work"
    subprocess.run(["git", "init", "-q", "-b", "main", str(made)], check=True)
    git(made, "remote", "add", "origin", str(tmp_path / "hub"))
    git(made, "config", "user.name", "Ann")
    git(made, "config", "user.email", "ann@example.com")
    (made / "environments").mkdir()
    (made / "environments/base.toml").write_text("")
    (made / "environments/dev.toml").write_text(CONFIG)
    commit(made)
    git(made, "push", "-q", "origin", "main")
    return made


def commit(work: Path) -> None:
    git(work, "add", ".")
    git(work, "commit", "-q", "--allow-empty", "-m", "change")


def test_who_looks_at_an_environment_is_told_of_what_was_not_pushed(work: Path) -> None:
    def told(command: str = "doctor") -> int:
        done = call(work, command, "nothing", "--env", "dev")
        assert "nothing" in done.err, "the configuration was read, and then there is no such integration"
        return done.err.count(AHEAD)

    assert told() == 0
    commit(work)
    assert (told(), told("shadow")) == (1, 1)
    git(work, "push", "-q", "origin", "main")
    assert told() == 0


def test_a_repository_without_a_hub_has_nothing_to_push(work: Path) -> None:
    git(work, "remote", "remove", "origin")
    commit(work)
    assert AHEAD not in call(work, "doctor", "nothing", "--env", "dev").err
