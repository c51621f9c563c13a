"""`tagline sandbox`: serve until told to stop, and say how to connect."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from tagline.clock import SystemClock
from tagline.sandbox.ca import Authority
from tagline.sandbox.door import CONTROL
from tagline.sandbox.sandbox import Sandbox, places
from tagline.sandbox.serve import Served, bound, serve
from tagline.sandbox.shop_history import without_collection
from tagline.sandbox.state_file import StateFile
from tagline.sandbox.trade import size_before

RECENT = 100
"""Orders of a stocked shop that were placed just now; more are history."""


def run(
    ca_file: Path,
    json_output: bool,
    environments: Sequence[str],
    base_port: int | None,
    seed: int,
    orders: int,
    state: Path | None = None,
    *,
    history: bool = True,
) -> int:
    """
    Serve a sandbox until SIGINT or SIGTERM; limits are enforced with the remotes' own numbers.

    Args:
        orders: See `stock`; 0 leaves the shops empty. What a state file holds already stands in place of them.
        history: Whether organisations and Finance have traded before, too; where the shops are empty they have not.
        state: File that keeps what the sites hold; None keeps nothing.

    Prints one JSON line, or a table for people, once every site answers.

    Returns:
        The exit code.
    """
    sandbox = Sandbox(SystemClock(), seed, environments, rate_limits=True)
    with ExitStack() as stack:
        sockets = stack.enter_context(bound(sandbox, base_port))
        file = stack.enter_context(closing(StateFile(state, _base(sandbox)))) if state else None
        Authority(ca_file)  # whoever cannot write there is told before years of orders are made
        if orders and (file is None or file.is_new):
            stock(sandbox, orders)
            if history:
                trade_before(sandbox, orders)
        if file is not None:
            sandbox.keep(file)
        # Not before: whoever waits for a long history can still end it.
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: stop.set())
        served = stack.enter_context(serve(sandbox, ca_file, sockets=sockets))
        facts = describe(served)
        sys.stdout.write(json.dumps(facts) + "\n" if json_output else _table(facts))
        sys.stdout.flush()
        stop.wait()
    return 0


def _base(sandbox: Sandbox) -> dict[str, Any]:
    """What a state file must have been made with to be used again: ids and credentials follow from it."""
    return {"seed": sandbox.seed, "environments": list(sandbox.environments)}


def stock(sandbox: Sandbox, orders: int) -> None:
    """
    Let every shop have sold something already: one order of each awkward kind and that many others, by seed and environment.

    Of more than `RECENT` the first are a history of years, the last `RECENT` were placed just now like all of fewer.
    """
    for name, number in places(sandbox.environments).items():
        shop, seed = sandbox.shops[name], sandbox.seed * 100 + number
        if orders > RECENT:
            shop.place_history(orders - RECENT, seed)
        shop.place_awkward()
        shop.place_orders(min(orders, RECENT), seed)


def trade_before(sandbox: Sandbox, orders: int) -> None:
    """Let every organisation and Finance environment know what was sold before shops that start with so many orders, by seed."""
    with without_collection():
        for name, number in places(sandbox.environments).items():
            count, seed = size_before(orders), sandbox.seed * 100 + number
            sandbox.finance[name].place_history(count, seed)
            sandbox.organisations[name].place_history(count, seed, sandbox.finance[name].stock())


def describe(served: Served) -> dict[str, Any]:
    """Endpoints, connection values and credentials of a served sandbox, by environment."""
    environments = {}
    for name in served.sandbox.environments:
        configs = served.connection_configs(name)
        deployer, app = served.sandbox.deployer(name), served.sandbox.shops[name].app
        environments[name] = {
            "shop": configs["shop"],
            "crm": configs["crm"],
            "finance": configs["finance"],
            "secrets": configs["secrets"],
            "deploy": {"client_id": deployer.client_id, "client_secret": deployer.client_secret},
            "app": {"client_id": app.client_id, "client_secret": app.client_secret},
            "orders": len(served.sandbox.shops[name].orders),
            "control": {
                "shop": served.endpoints.shops[name] + CONTROL,
                "crm": served.endpoints.organisations[name] + CONTROL,
                "finance": served.endpoints.finance[name] + CONTROL,
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
        f"login  {facts['login']}, with a page that shows what the sandbox holds and did",
    ]
    for name, environment in facts["environments"].items():
        lines += [
            "",
            name,
            f"  shop   {environment['shop']['url']}, {environment['orders']} orders",
            f"  crm    {environment['crm']['url']}",
            (
                f"  finance {environment['finance']['url']}, company {environment['finance']['company']}, "
                f"client {environment['finance']['client_id']}"
            ),
            (
                f"  tenant {environment['crm']['tenant']}  client {environment['crm']['client_id']}, "
                f"to set it up {environment['deploy']['client_id']}"
            ),
            *(f"  export {key}={value}" for key, value in environment["secrets"].items()),
            "  five more orders (another seed, other orders):",
            f"  {_place(facts['ca_file'], environment['control']['shop'])}",
        ]
    return "\n".join((*lines, "", "The sandbox guide lists more control pages. Ctrl-C ends it.", ""))


def _place(ca_file: str, control: str) -> str:
    body = json.dumps({"count": 5, "seed": 2})
    return shlex.join(("curl", "--cacert", ca_file, "-d", body, f"{control}place"))
