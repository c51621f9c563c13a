"""The command line: help that costs nothing, suggestions, data apart from talk, exit codes that mean something."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.telling import call

from tagline.cli import COMMANDS, tagline

HEAVY = ("alembic", "dbos", "hypothesis", "msal", "pytest", "sqlalchemy", "uvicorn", "vcr")


def leaves() -> list[tuple[str, ...]]:
    """Every command as it is typed, those of groups included."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = tagline.get_command(click.Context(tagline), name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, verb) for verb in command.commands]
    return found


@pytest.mark.parametrize("command", leaves(), ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...], tmp_path: Path) -> None:
    done = call(tmp_path, *command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: tagline {' '.join(command)} ")
    sentence = done.out.split("\n\n")[1].strip()
    assert sentence
    assert sentence != "Options:"


def modules_after(*commands: list[str]) -> set[str]:
    """Top-level modules that a fresh process holds after some help was shown."""
    program = (
        "import sys, contextlib, io\nfrom tagline.cli import main\n"
        f"for args in {[*commands]!r}:\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main(args)\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_overview_imports_click_and_nothing_else_of_others() -> None:
    """It is the first thing anyone types."""
    loaded = modules_after(["--help"])
    assert "click" in loaded
    assert loaded.isdisjoint({*HEAVY, "pydantic", "httpx", "git", "cryptography", "yaml"})


def test_the_help_of_no_command_imports_what_only_its_work_needs() -> None:
    assert modules_after(*([name, "--help"] for name in COMMANDS)).isdisjoint(HEAVY)


def test_every_command_of_the_overview_stands_there_with_its_own_first_sentence(tmp_path: Path) -> None:
    shown = " ".join(call(tmp_path, "--help").out.split())
    for name, (_, text) in COMMANDS.items():
        assert f" {name} {text}" in shown


@pytest.mark.parametrize(
    ("typed", "meant"), [("deplyo", "deploy"), ("chek", "check"), ("dead-letter", "dead-letters")]
)
def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(
    tmp_path: Path, typed: str, meant: str
) -> None:
    done = call(tmp_path, typed)
    assert (done.code, done.out) == (2, "")
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in done.err


def test_a_command_that_resembles_none_is_just_refused(tmp_path: Path) -> None:
    done = call(tmp_path, "xyzzy")
    assert done.code == 2
    assert "No such command 'xyzzy'.\n" in done.err


@pytest.mark.parametrize(
    "args",
    [
        ("deploy",),
        ("deploy", "a/v1"),
        ("status", "--bogus"),
        ("dead-letters", "show", "x", "--env", "dev"),
        ("dead-letters", "redrive", "--env", "dev"),
        ("dead-letters", "redrive", "1", "--all", "--env", "dev"),
        ("shadow", "x", "--env", "dev", "--last", "many"),
    ],
    ids=" ".join,
)
def test_arguments_that_are_wrong_are_wrong_use_told_on_standard_error(
    tmp_path: Path, args: tuple[str, ...]
) -> None:
    done = call(tmp_path, *args)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err


def test_an_error_is_told_with_code_place_and_hint_on_lines_of_their_own(tmp_path: Path) -> None:
    done = call(tmp_path, "status")
    assert (done.code, done.out) == (2, "")
    error, where, hint = done.err.splitlines()
    assert error.startswith("error: ")
    assert error.endswith("(repository-missing)")
    assert where == f"where: path {tmp_path}"
    assert hint.startswith("hint: ")


def test_the_demo_outside_a_repository_is_refused_by_name_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    done = call(tmp_path, "demo")
    assert (done.code, done.out.strip()) == (2, "")
    assert "(not-a-tagline-repository)" in done.err
    assert "hint: run this at the top of a tagline repository" in done.err
    assert list(temporary.iterdir()) == []


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tagline", "status"],
        cwd=tmp_path,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "(repository-missing)" in done.stderr
