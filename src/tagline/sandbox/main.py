"""`tagline sandbox`: serve until told to stop, and say how to connect."""

from __future__ import annotations

import json
import shlex
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
    ca_file: Path,
    json_output: bool,
    environments: Sequence[str],
    base_port: int | None,
    seed: int,
    orders: int,
) -> int:
    """
    Serve a sandbox until SIGINT or SIGTERM; limits are enforced with the remotes' own numbers.

    Args:
        orders: How many ordinary ones every shop holds from the start, beside one of each awkward kind; 0 leaves it empty.

    Prints one JSON line, or a table for people, once every site answers.

    Returns:
        The exit code.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    sandbox = Sandbox(SystemClock(), seed, environments, rate_limits=True)
    if orders:
        stock(sandbox, orders)
    with serve(sandbox, ca_file, base_port) as served:
        facts = describe(served)
        sys.stdout.write(json.dumps(facts) + "\n" if json_output else _table(facts))
        sys.stdout.flush()
        stop.wait()
    return 0


def stock(sandbox: Sandbox, orders: int) -> None:
    """Let every shop have sold something already: the awkward orders, then ordinary ones that differ by seed and environment."""
    for number, shop in enumerate(sandbox.shops.values()):
        shop.place_awkward()
        shop.place_orders(orders, sandbox.seed * 100 + number)


def describe(served: Served) -> dict[str, Any]:
    """Endpoints, connection values and credentials of a served sandbox, by environment."""
    environments = {}
    for name in served.sandbox.environments:
        configs = served.connection_configs(name)
        environments[name] = {
            "shop": configs["shop"],
            "crm": configs["crm"],
            "secrets": configs["secrets"],
            "orders": len(served.sandbox.shops[name].orders),
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
            f"  shop   {environment['shop']['url']}, {environment['orders']} orders",
            f"  crm    {environment['crm']['url']}",
            f"  tenant {environment['crm']['tenant']}  client {environment['crm']['client_id']}",
            *(f"  export {key}={value}" for key, value in environment["secrets"].items()),
            "  five more orders (another seed, other orders):",
            f"  {_place(facts['ca_file'], environment['control']['shop'])}",
        ]
    return "\n".join((*lines, "", "The sandbox guide lists more control pages. Ctrl-C ends it.", ""))


def _place(ca_file: str, control: str) -> str:
    body = json.dumps({"count": 5, "seed": 2})
    return shlex.join(("curl", "--cacert", ca_file, "-d", body, f"{control}place"))
