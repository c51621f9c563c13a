"""
The peers of the runtime bench, each with the flow that a person would draw: take a webhook, answer, post one effect.

`python tests/bench/peers.py FOLDER` installs Node-RED and n8n from npm into a folder of your choice (`make bench-peers`);
`python tests/bench/runtime.py --peers FOLDER` then runs them. Nothing of them is part of tagline.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import get

HERE = Path(__file__).parent
PACKAGES: Mapping[str, Mapping[str, Any]] = {
    # The newest line of each that still runs on Node 20.
    "node-red": {"dependencies": {"node-red": "4.1"}},
    # It names a tarball outside the registry, which the registry's own copy stands in for.
    "n8n": {"dependencies": {"n8n": "1.123.81"}, "overrides": {"xlsx": "0.18.5"}},
}
START_S = 120.0
HOOK = "hook"


class CannotStartError(Exception):
    """An installed peer does not run here; its own words."""


@dataclass(frozen=True)
class Peer:
    """A peer that takes webhooks."""

    name: str
    url: str
    process: int


def install(folder: Path) -> None:
    """Install each peer into its own folder; one that cannot be had is told and left out."""
    for name, package in PACKAGES.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text(json.dumps({"name": f"bench-{name}", "private": True, **package}))
        # Of what they build for themselves, only n8n's database is needed here.
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=place, check=False)
        if name == "n8n" and done.returncode == 0:
            done = subprocess.run(["npm", "rebuild", "sqlite3", "--loglevel=error"], cwd=place, check=False)
        print(f"{name}: {'installed' if done.returncode == 0 else 'cannot be installed here'} in {place}")


def program(folder: Path | None, name: str) -> Path | None:
    """The program of an installed peer."""
    found = folder / name / "node_modules" / ".bin" / name if folder else None
    return found if found and found.exists() else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def node_red(found: Path, folder: Path, sink: str) -> Iterator[Peer]:
    """Its flow answers first and then posts, as its documentation shows."""
    port = free_port()
    home = folder / "node-red"
    home.mkdir()
    settings = {"uiPort": port, "uiHost": "127.0.0.1", "flowFile": "flows.json", "httpAdminRoot": False}
    quiet = {"logging": {"console": {"level": "error"}}, "telemetry": {"enabled": False}}
    (home / "settings.js").write_text(f"module.exports = {json.dumps({**settings, **quiet})}\n")
    code = (
        "const o = msg.payload[0];\n"
        f"return {{method: 'POST', url: '{sink}/effect/' + o.OrderID, headers: {{}}, payload: {{\n"
        "  key: 'order-' + o.OrderID, firstname: o.BillingFirstName, lastname: o.BillingLastName,\n"
        "  email: o.BillingEmail, city: o.BillingCity, status: o.OrderStatusID, amount: String(o.OrderAmount)}};"
    )
    nodes = [
        {"id": "tab", "type": "tab", "label": "bench"},
        {
            "id": "in",
            "z": "tab",
            "type": "http in",
            "url": f"/{HOOK}",
            "method": "post",
            "wires": [["ok", "map"]],
        },
        {"id": "ok", "z": "tab", "type": "http response", "statusCode": "202", "wires": []},
        {
            "id": "map",
            "z": "tab",
            "type": "function",
            "func": code,
            "outputs": 1,
            "libs": [],
            "wires": [["out"]],
        },
        {
            "id": "out",
            "z": "tab",
            "type": "http request",
            "method": "use",
            "ret": "txt",
            "paytoqs": "ignore",
            "url": "",
            "persist": True,
            "headers": [],
            "wires": [[]],
        },
    ]
    (home / "flows.json").write_text(json.dumps(nodes))
    command = [str(found), "--userDir", str(home), "--settings", str(home / "settings.js")]
    with _running("Node-RED", command, folder, {}, f"http://127.0.0.1:{port}/{HOOK}") as peer:
        yield peer


@contextmanager
def n8n(found: Path, folder: Path, sink: str) -> Iterator[Peer]:
    """Its workflow answers at once and then posts; executions are kept as it keeps them by default."""
    port = free_port()
    home = folder / "n8n"
    home.mkdir()
    environ = {
        "N8N_USER_FOLDER": str(home),
        "N8N_PORT": str(port),
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
        "N8N_RUNNERS_ENABLED": "false",
        "N8N_LOG_LEVEL": "error",
        # The other one needs a module that is built on the machine, with a newer compiler than many have.
        "N8N_EXPRESSION_ENGINE": "legacy",
        "N8N_PAYLOAD_SIZE_MAX": "16",
    }
    hook = {
        "id": "1",
        "name": "Webhook",
        "type": "n8n-nodes-base.webhook",
        "typeVersion": 2,
        "position": [0, 0],
        "webhookId": HOOK,
        "parameters": {"httpMethod": "POST", "path": HOOK, "responseMode": "onReceived", "options": {}},
    }
    body = (
        "={{ {key: 'order-' + $json.body[0].OrderID, firstname: $json.body[0].BillingFirstName, lastname: "
        "$json.body[0].BillingLastName, email: $json.body[0].BillingEmail, city: $json.body[0].BillingCity, status: "
        "$json.body[0].OrderStatusID, amount: String($json.body[0].OrderAmount)} }}"
    )
    post = {
        "id": "2",
        "name": "Post",
        "type": "n8n-nodes-base.httpRequest",
        "typeVersion": 4.2,
        "position": [200, 0],
        "parameters": {
            "method": "POST",
            "url": f"={sink}/effect/{{{{ $json.body[0].OrderID }}}}",
            "sendBody": True,
            "specifyBody": "json",
            "jsonBody": body,
            "options": {},
        },
    }
    workflow = {
        "id": "bench",
        "name": "bench",
        "active": True,
        "nodes": [hook, post],
        "connections": {"Webhook": {"main": [[{"node": "Post", "type": "main", "index": 0}]]}},
        "settings": {"executionOrder": "v1"},
    }
    (home / "workflow.json").write_text(json.dumps(workflow))
    whole = {**os.environ, **environ}
    for said in (
        ["import:workflow", f"--input={home / 'workflow.json'}"],
        ["update:workflow", "--id=bench", "--active=true"],
    ):
        done = subprocess.run([str(found), *said], env=whole, check=False, capture_output=True, text=True)
        if done.returncode:
            raise CannotStartError(f"n8n {said[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
    url = f"http://127.0.0.1:{port}/webhook/{HOOK}"
    with _running("n8n", [str(found), "start"], folder, environ, url) as peer:
        yield peer


@contextmanager
def dbos_per_event(folder: Path, sink: str) -> Iterator[Peer]:
    """One durable workflow an event, with one step, on the SQLite settings that serve it best."""
    port = free_port()
    command = [
        sys.executable,
        str(HERE / "dbos_per_event.py"),
        str(folder / "events.sqlite"),
        str(port),
        sink,
    ]
    with _running(
        "DBOS, a workflow an event", command, folder, {}, f"http://127.0.0.1:{port}/{HOOK}"
    ) as peer:
        yield peer


@contextmanager
def _running(
    name: str, command: list[str], folder: Path, environ: Mapping[str, str], url: str
) -> Iterator[Peer]:
    with (folder / f"{name.split(',', maxsplit=1)[0].lower()}.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environ}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until = time.monotonic() + START_S
        while not _takes(url):
            if time.monotonic() > until or process.poll() is not None:
                raise CannotStartError(f"{name} does not take webhooks: {Path(log.name).read_text()[-300:]}")
            time.sleep(0.1)
        yield Peer(name, url, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _takes(url: str) -> bool:
    """Whether it takes a webhook; the order that this one is about has the number 0."""
    try:
        get(url, json.dumps([{"OrderID": 0}]).encode())
    except (urllib.error.URLError, OSError, ValueError) as error:
        # An answer that is no JSON is one all the same.
        return isinstance(error, ValueError)
    return True


if __name__ == "__main__":
    if shutil.which("npm") is None:
        sys.exit("npm is not there: install Node.js first")
    install(Path(sys.argv[1]))
