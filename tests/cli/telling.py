"""Commands run in process as `main` runs them, in a scratch copy whose sandbox is served."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tagline.alm import closure, evidence
from tagline.alm.git import Repository
from tagline.cli import main
from tagline.clock import SystemClock
from tagline.domain.lifecycle import Evidence, Verdict
from tagline.harness.scratch import Scratch, scratch
from tagline.sandbox.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
NAME = "order_to_cash"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


def call(folder: Path, *args: str, environ: Mapping[str, str] | None = None) -> Done:
    """Run a command in a folder, with some environment variables besides."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        for name, value in (environ or {}).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(list(args))
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, out.getvalue(), err.getvalue())


@dataclass
class Story:
    """One life of two releases, told by commands; each test looks at one of them."""

    made: Scratch
    done: dict[str, Done] = field(default_factory=dict)

    def tagline(self, *args: str) -> Done:
        return call(self.made.work, *args, environ=self.made.environ)

    def note(self, name: str, *args: str) -> None:
        self.done[name] = self.tagline(*args)

    def __getitem__(self, name: str) -> Done:
        return self.done[name]


@contextlib.contextmanager
def lifecycle(folder: Path) -> Iterator[Story]:
    """In dev, where no agent runs: 1.0.0 is proved and decided, then 1.0.1 is decided and rolled back."""
    sandbox = Sandbox(SystemClock(), 1, ("dev",))
    sandbox.shops["dev"].place_awkward()
    with scratch(ROOT, folder, sandbox) as made:
        told = Story(made)
        _few_tests(made)
        told.note("check", "check", NAME, "--junit", "out/junit.xml", "--markdown", "out/gate.md")
        told.note("release", "release", NAME, "--json")
        told.note("release again", "release", NAME)
        told.note("plan", "plan", f"{NAME}/v1.0.0", "--env", "dev")
        told.note("plan json", "plan", f"{NAME}/v1.0.0", "--env", "dev", "--json")
        told.note("plan exit code", "plan", f"{NAME}/v1.0.0", "--env", "dev", "--exit-code")
        told.note("history before", "history", "--env", "dev")
        told.note("status before", "status")
        told.note("deploy to qa", "deploy", f"{NAME}/v1.0.0", "--env", "qa", "--timeout", "0")
        told.note("deploy", "deploy", f"{NAME}/v1.0.0", "--env", "dev", "--timeout", "0.1")
        told.note("deploy again", "deploy", f"{NAME}/v1.0.0", "--env", "dev", "--json")
        told.note("status pending", "status")
        told.note("rollback too early", "rollback", NAME, "--env", "dev", "--timeout", "0")
        _next_version(made)
        told.note("release 1.0.1", "release", NAME)
        told.note("deploy unproved", "deploy", f"{NAME}/v1.0.1", "--env", "dev", "--timeout", "0")
        _prove(made)
        told.note("deploy json", "deploy", f"{NAME}/v1.0.1", "--env", "dev", "--timeout", "0", "--json")
        told.note("plan back", "plan", NAME, "--env", "dev", "--rollback", "--json")
        told.note("rollback", "rollback", NAME, "--env", "dev", "--timeout", "0", "--reason", "sales asked")
        told.note("deploy held", "deploy", f"{NAME}/v1.0.1", "--env", "dev", "--timeout", "0")
        yield told


def _few_tests(made: Scratch) -> None:
    """The author's own tests take their time and are run elsewhere."""
    folder = made.work / "tests" / "integrations" / NAME
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "test_own.py").write_text("def test_sound():\n    assert True\n")
    (made.work / ".gitignore").write_text(".tagline/\n__pycache__/\n.hypothesis/\nout/\n")
    made.commit("order_to_cash: one small test")


def _next_version(made: Scratch) -> None:
    folder = made.work / "integrations" / NAME
    for name, old, new in (
        ("pyproject.toml", 'version = "1.0.0"', 'version = "1.0.1"'),
        ("CHANGELOG.md", "## 1.0.0", "## 1.0.1\n\n- changed - the title says web\n\n## 1.0.0"),
        (f"{NAME}/mappings/sales_order.py", "name=order_title(order),", 'name=f"Web {order_title(order)}",'),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))
    made.commit("order_to_cash: 1.0.1")


def _prove(made: Scratch) -> None:
    """The evidence that a second run of the gate would earn."""
    repo = Repository.open(made.work)
    repo.refresh()
    found = closure.of(repo, repo.main(), NAME).digest
    proof = Evidence(
        closure=found,
        kind="check",
        verdict=Verdict.PASSED,
        at=datetime.now(UTC),
        by="Ann <ann@example.com>",
    )
    evidence.append(repo, proof)
