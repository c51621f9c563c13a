"""`tagline sandbox`: serve until told to stop, and say how to connect."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tagline.clock import SystemClock
from tagline.sandbox.door import CONTROL
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.serve import Served, serve


def run(
    ca_file: Path, json_output: bool, environments: Sequence[str], base_port: int | None, seed: int
) -> int:
    """
    Serve a sandbox until SIGINT or SIGTERM; limits are enforced with the remotes' own numbers.

    Prints one JSON line, or a table for people, once every site answers.

    Returns:
        The exit code.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    sandbox = Sandbox(SystemClock(), seed, environments, rate_limits=True)
    with serve(sandbox, ca_file, base_port) as served:
        facts = describe(served)
        sys.stdout.write(json.dumps(facts) + "\n" if json_output else _table(facts))
        sys.stdout.flush()
        stop.wait()
    return 0


def describe(served: Served) -> dict[str, Any]:
    """Endpoints, connection values and credentials of a served sandbox, by environment."""
    environments = {}
    for name in served.sandbox.environments:
        configs = served.connection_configs(name)
        environments[name] = {
            "shop": configs["shop"],
            "crm": configs["crm"],
            "secrets": configs["secrets"],
            "control": {
                "shop": served.endpoints.shops[name] + CONTROL,
                "crm": served.endpoints.organisations[name] + CONTROL,
            },
        }
    return {
        "seed": served.sandbox.seed,
        "ca_file": served.endpoints.ca_file,
        "login": served.endpoints.login,
        "environments": environments,
    }


def _table(facts: dict[str, Any]) -> str:
    lines = [
        f"sandbox (seed {facts['seed']}), certificate to trust: {facts['ca_file']}",
        f"login  {facts['login']}",
    ]
    for name, environment in facts["environments"].items():
        lines += [
            "",
            name,
            f"  shop   {environment['shop']['url']}",
            f"  crm    {environment['crm']['url']}",
            f"  tenant {environment['crm']['tenant']}  client {environment['crm']['client_id']}",
            *(f"  export {key}={value}" for key, value in environment["secrets"].items()),
        ]
    return "\n".join((*lines, "", "Ctrl-C ends it.", ""))
