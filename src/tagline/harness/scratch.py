"""A scratch copy to play in: a repository with a bare remote, its environments led to a served sandbox, agents beside it.

The demo tells its story in one, and the end-to-end tests run in one: everything in it is what a user has, and the commands
run in it are the ones a user types.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import tomlkit

from tagline.alm import git
from tagline.errors import TaglineError, UsageError
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.serve import Served, serve

ENVIRONMENTS: Final = ("dev", "qa", "prod")
COPIED: Final = ("integrations", "environments", "fixtures", "tests/integrations")
STOP_S: Final = 30.0


@dataclass
class Scratch:
    """One scratch copy with its sandbox."""

    folder: Path
    served: Served
    environ: Mapping[str, str]
    """The process environment of every command: the caller's, with the sandbox's secrets."""
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """The working copy."""
        return self.folder / "work"

    @property
    def sandbox(self) -> Sandbox:
        return self.served.sandbox

    def state(self, environment: str) -> Path:
        """Folder of an environment's state database."""
        return self.work / ".tagline" / environment

    def tagline(self, *args: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """
        Run a command as a user would.

        Raises:
            TaglineError: It ended with another exit code (code `demo-step-failed`), with its last lines.
        """
        done = subprocess.run(  # noqa: S603 our own program
            [sys.executable, "-m", "tagline", *args],
            cwd=self.work,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != expect:
            told = (done.stderr or done.stdout).strip().splitlines()[-6:]
            raise TaglineError(
                f"tagline {' '.join(args)} ended with {done.returncode} instead of {expect}:\n"
                + "\n".join(told),
                code="demo-step-failed",
                where={"folder": str(self.work)},
                hint="run the command there by hand to see all of its output",
            )
        return done

    def start_agent(self, environment: str, *options: str) -> subprocess.Popen[bytes]:
        """Start the agent of an environment; its talk goes to `agent-<environment>.log` beside the working copy."""
        with (self.folder / f"agent-{environment}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 our own program
                [sys.executable, "-m", "tagline", "run", "--env", environment, *options],
                cwd=self.work,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.agents[environment] = process
        return process

    def stop_agent(self, environment: str) -> None:
        """Let it drain, and kill it with its workers when it does not end."""
        process = self.agents.pop(environment, None)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.kill_workers(environment)

    def stop_agents(self) -> None:
        for name in list(self.agents):
            self.stop_agent(name)

    def kill_agent(self, environment: str, *, workers: bool = True) -> None:
        """End an agent as a power cut does; its workers with it, or left to notice."""
        process = self.agents.pop(environment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if workers:
            self.kill_workers(environment)

    def workers(self, environment: str) -> list[int]:
        """Processes of the workers at work; one that outlived its agent is among them."""
        locks = (self.state(environment) / "workers").glob("*.lock")
        return [pid for lock in sorted(locks) if (pid := _holder(lock)) is not None]

    def kill_workers(self, environment: str) -> None:
        """End the workers at work as a crash does."""
        for pid in self.workers(environment):
            with suppress(ProcessLookupError):  # it ended by itself meanwhile
                os.kill(pid, signal.SIGKILL)

    def commit(self, message: str) -> None:
        """Commit the working copy and push main, as an author does after review."""
        git.run(self.work, "add", "--all")
        git.run(self.work, "commit", "--quiet", "--message", message)
        git.run(self.work, "push", "--quiet", "origin", "main")


@contextmanager
def scratch(source: Path, folder: Path, sandbox: Sandbox) -> Iterator[Scratch]:
    """
    Make a scratch copy of a repository's integrations and serve the sandbox for it until the block ends.

    Args:
        source: Top of the repository to copy from.
        folder: An empty folder; kept as it is when the block ends.

    Raises:
        UsageError: The source holds no integrations (code `not-a-tagline-repository`).
    """
    if not (source / "integrations").is_dir() or not (source / "environments").is_dir():
        raise UsageError(
            f"{source} holds no integrations and environments",
            code="not-a-tagline-repository",
            hint="run this at the top of a tagline repository",
        )
    with ExitStack() as stack:
        served = stack.enter_context(serve(sandbox, folder / "sandbox-ca.pem"))
        secrets = {
            k: v
            for name in sandbox.environments
            for k, v in served.connection_configs(name)["secrets"].items()
        }
        made = Scratch(folder, served, {**os.environ, **secrets, "PYTHONDONTWRITEBYTECODE": "1"})
        exports = "".join(f"export {name}={value}\n" for name, value in secrets.items())
        (folder / "env.sh").write_text(exports)
        stack.callback(made.stop_agents)
        _populate(source, made)
        yield made


def _populate(source: Path, made: Scratch) -> None:
    made.work.mkdir()
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(
                source / name, made.work / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
    (made.work / ".gitignore").write_text(".tagline/\n__pycache__/\n.hypothesis/\n.pytest_cache/\n")
    for name in made.sandbox.environments:
        _lead_to_sandbox(made, name)
    _lead_login(made)
    git.run(made.folder, "init", "--quiet", "--bare", "--initial-branch", "main", "hub.git")
    git.run(made.work, "init", "--quiet", "--initial-branch", "main")
    git.run(made.work, "config", "user.name", "Demo Engineer")
    git.run(made.work, "config", "user.email", "demo@example.com")
    git.run(made.work, "remote", "add", "origin", str(made.folder / "hub.git"))
    made.commit("everything: start from the order_to_cash integration")


def _lead_to_sandbox(made: Scratch, environment: str) -> None:
    path = made.work / "environments" / f"{environment}.toml"
    document = tomlkit.parse(path.read_text())
    configs = made.served.connection_configs(environment)
    base = tomlkit.parse((made.work / "environments" / "base.toml").read_text())
    for name in ("shop", "crm"):
        for key, value in configs[name].items():
            if key not in base["connections"][name]:
                document["connections"][name][key] = value
    listen = f"127.0.0.1:{_free_port()}"
    document["agent"]["listen"] = listen
    document["agent"]["public_url"] = f"http://{listen}"
    path.write_text(tomlkit.dumps(document))


def _lead_login(made: Scratch) -> None:
    """What all environments share of the sandbox: its token endpoint and its certificate."""
    path = made.work / "environments" / "base.toml"
    document = tomlkit.parse(path.read_text())
    configs = made.served.connection_configs(made.sandbox.environments[0])
    for name in ("shop", "crm"):
        table = document["connections"][name]
        for key in set(table) & set(configs[name]):
            table[key] = configs[name][key]
    path.write_text(tomlkit.dumps(document))


def _holder(lock: Path) -> int | None:
    """The process that holds a worker's lock file; its number stands in it, and means nothing once the lock is free."""
    with lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(handle.read() or 0) or None
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
