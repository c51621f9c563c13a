"""
An agent and its worker whose remotes have no limits: `python tests/bench/unbound.py agent FOLDER`.

It is the real agent with the real worker process; only the numbers of the remotes' budgets are put out of reach, as no
configuration can, and the decision is a file in the folder instead of a branch.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagline.clock import SystemClock
from tagline.connectors import budgets
from tagline.domain.environment import EnvironmentConfig
from tagline.domain.lifecycle import Deployment, Desired, Report
from tagline.runtime import worker_process
from tagline.runtime.agent import Agent
from tagline.runtime.supervisor import WorkerHandle, WorkerProcess

HERE = Path(__file__)
PLENTY = 10**9


def without_limits() -> None:
    """As if the remotes granted everything."""
    budgets.SHOP_BUCKET = PLENTY  # type: ignore[misc]
    budgets.DATAVERSE_REQUESTS = PLENTY  # type: ignore[misc]
    budgets.DATAVERSE_EXECUTION_S = float(PLENTY)  # type: ignore[misc]


@dataclass(frozen=True)
class OneDecision:
    """A folder that says what runs: `integration/`, `config.toml`, `deployment.json`."""

    folder: Path

    def current(self) -> Desired:
        decided = Deployment.model_validate_json((self.folder / "deployment.json").read_text())
        return Desired(head="bench", deployments={decided.integration: decided})

    def materialise(self, deployment: Deployment, directory: Path) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(self.folder / "integration", directory / "code")
        for name in ("config.toml", "deployment.json"):
            shutil.copy(self.folder / name, directory / name)

    def report(self, report: Report) -> None:
        print(
            json.dumps({"report": report.state, "code": report.code, "message": report.message}), flush=True
        )

    def roll_back(self, deployment: Deployment, reason: str, *, hold: bool) -> None:
        raise RuntimeError(reason)


def spawn(directory: Path, state: Path, on_message: Callable[[Mapping[str, Any]], None]) -> WorkerProcess:
    command = [sys.executable, str(HERE), "worker", str(directory), "--state", str(state)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    return WorkerHandle(process, on_message)


def agent(folder: Path) -> None:
    """Run until SIGTERM."""
    import tomllib

    config = EnvironmentConfig.model_validate(tomllib.loads((folder / "config.toml").read_text())).agent
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Agent(
        "dev",
        config,
        OneDecision(folder),
        state=folder / "state",
        clock=SystemClock(),
        name="bench",
        spawn=spawn,
        log=lambda line: print(line, file=sys.stderr, flush=True),
    ).run(stop)


if __name__ == "__main__":
    without_limits()
    if sys.argv[1] == "worker":
        sys.exit(worker_process.main(sys.argv[2:]))
    agent(Path(sys.argv[2]))
