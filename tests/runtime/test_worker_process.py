"""Worker processes for real: an integration on disk, a shop over TLS, and the signals an operator or a crash sends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tagline.clock import SystemClock
from tagline.domain.environment import AgentSection
from tagline.domain.lifecycle import Deployment, Desired, Report
from tagline.errors import UsageError
from tagline.runtime.agent import Agent
from tagline.runtime.key_ring import KeyRing, make_key
from tagline.runtime.serve import Server, serve
from tagline.runtime.store import Hint, Store
from tagline.runtime.supervisor import WorkerHandle, spawn

TOKEN = "t0ken-of-the-shop-1234"
KEY = make_key().text
SECRETS = {
    "TEST_STATE_KEY": KEY,
    "TEST_PRIVATE": "private",
    "TEST_TOKEN": "token",
    "TEST_HOOK": TOKEN,
}

PYPROJECT = '[project]\nname = "orders"\nversion = "1.0.0"\n\n[tool.tagline]\nrequires = ">=0.1"\n'
CONNECTIONS = (
    "from tagline import connection\nfrom tagline.connectors.shift4shop import Shift4Shop\n\n"
    "shop = connection(Shift4Shop)\n"
)
SETTINGS = (
    "from tagline import Settings\n\n\nclass OrdersSettings(Settings):\n"
    '    level: int = 1\n    """How much."""\n'
)
FLOWS = """
from orders.connections import shop
from orders.settings import OrdersSettings
from tagline import flow
from tagline.connectors.shift4shop import Order

print("an author's print must not break the protocol")


@flow(on=[shop.order_placed], key=Order.key)
async def look(order: Order, settings: OrdersSettings) -> None:
    '''Read an order and write nothing.'''
"""
CONFIG = """
environment = "dev"

[agent]
public_url = "https://intake.test"
state = "state"
state_key = "env:TEST_STATE_KEY"

[connections.store]
system = "shift4shop"
url = "https://127.0.0.1:{port}/v2"
store_url = "https://shop.test"
private_key = "env:TEST_PRIVATE"
token = "env:TEST_TOKEN"
time_zone = "America/New_York"
currency = "USD"
webhook_token = "env:TEST_HOOK"
ca_file = "{ca_file}"

[integrations.orders.connections]
shop = "store"

[integrations.orders.settings]
level = {level}
"""


class Site:
    """As much of a shop as looking at an order takes; an order is handed out only while the gate is open."""

    def __init__(self, folder: Path) -> None:
        ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        ca.cert_pem.write_to_path(str(self.ca_file))
        pem = folder / "shop.pem"
        ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Semaphore(0)
        self.server: Server = serve(self, "127.0.0.1:0", str(pem))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status, body = await self._answer(scope["method"], scope["path"].removeprefix("/v2"))
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    async def _answer(self, method: str, path: str) -> tuple[int, Any]:
        match method, path.split("/")[1:]:
            case "GET", ["Orders"]:
                return 200, {"TotalCount": 1}
            case "GET", ["Orders", number]:
                self.asked.release()
                await asyncio.to_thread(self.gate.wait, 20)
                return 200, [{"OrderID": int(number)}]
            case "POST", ["Webhooks"]:
                return 201, [{"Key": "Id", "Value": "1", "Status": "201", "Message": "Created successfully"}]
            case _:
                return 404, []


class House:
    """A state folder, a deployment in it, and the branch an agent would read."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder)
        self.state = folder / "state"
        self.deployment = Deployment(
            id="orders-000001",
            integration="orders",
            version="1.0.0",
            closure="sha256:1",
            tag_object="t",
            commit="c",
            config_digest="d",
            config_commit="e",
            decided_at=datetime(2026, 3, 1, tzinfo=UTC),
            decided_by="someone",
        )
        self.directory = self.state / "deployments" / self.deployment.id
        self.handles: list[WorkerHandle] = []
        self.reports: list[tuple[str, str]] = []

    def current(self) -> Desired:
        return Desired(head="abc", deployments={"orders": self.deployment})

    def materialise(self, deployment: Deployment, directory: Path, level: str = "1") -> None:
        package = directory / "code" / "orders"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "connections.py").write_text(CONNECTIONS)
        (package / "settings.py").write_text(SETTINGS)
        (package / "flows.py").write_text(FLOWS)
        (directory / "code" / "pyproject.toml").write_text(PYPROJECT)
        config = CONFIG.format(port=self.site.server.port, ca_file=self.site.ca_file, level=level)
        (directory / "config.toml").write_text(config)
        (directory / "deployment.json").write_text(deployment.model_dump_json())

    def report(self, report: Report) -> None:
        self.reports.append((report.state, report.code))

    def roll_back(self, deployment: Deployment, reason: str, *, hold: bool) -> None:
        raise AssertionError(reason)

    def spawn(self, directory: Path, state: Path, on_message: Any) -> WorkerHandle:
        handle = spawn(directory, state, on_message)
        assert isinstance(handle, WorkerHandle)
        self.handles.append(handle)
        return handle

    def prepare(self, *keys: str, level: str = "1") -> None:
        """A materialised, active deployment with hints in its inbox."""
        self.materialise(self.deployment, self.directory, level)
        with self.store() as store:
            store.activate(self.deployment, {("shop", "order-placed"): ("look",)})
            store.receive([Hint("orders", "look", key, "webhook", "shop") for key in keys])

    def store(self) -> "Opened":
        return Opened(self.state)

    def close(self) -> None:
        self.site.gate.set()
        for handle in self.handles:
            handle.kill()
        self.site.server.stop()


class Opened:
    def __init__(self, state: Path) -> None:
        self._store = Store.open(state / "state.sqlite", ring=KeyRing.of(KEY), clock=SystemClock())

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    house = House(tmp_path)
    yield house
    house.close()


def test_a_worker_killed_in_its_work_is_restarted_and_its_work_finished(house: House) -> None:
    stop, told = threading.Event(), threading.Condition()
    lines: list[str] = []

    def log(line: str) -> None:
        with told:
            lines.append(line)
            told.notify_all()

    def said(text: str) -> bool:
        with told:
            return told.wait_for(lambda: any(text in line for line in lines), 20)

    agent = Agent(
        "dev",
        AgentSection(
            listen="127.0.0.1:0",
            public_url="https://intake.test",
            state="state",
            state_key="env:TEST_STATE_KEY",
        ),
        house,
        state=house.state,
        clock=SystemClock(),
        name="host",
        spawn=house.spawn,
        log=log,
    )
    running = threading.Thread(target=agent.run, args=(stop,))
    running.start()
    assert said("orders-000001: verified")
    house.site.gate.clear()
    assert agent.server
    url = f"http://127.0.0.1:{agent.server.port}/hooks/orders/shop/order-placed/{TOKEN}"
    assert httpx.post(url, json=[{"OrderID": 7}], trust_env=False).status_code == 202
    assert house.site.asked.acquire(timeout=10)
    os.kill(house.handles[0].pid, signal.SIGKILL)
    house.site.gate.set()
    assert said("orders-000001: done 1")
    stop.set()
    running.join(20)
    with house.store() as store:
        assert store.counts("orders") == {"received": 0, "done": 1, "dead": 0}
    assert house.reports == [
        ("activated", ""),
        ("verified", ""),
        ("failed", "worker-died"),
        ("verified", ""),
    ]
    assert [handle.exit_code for handle in house.handles] == [-9, 0]


def test_a_worker_outlives_its_agent_by_no_more_than_its_batch(house: House) -> None:
    """A killed agent leaves closed pipes: the batch is finished, and nobody is there to be told."""
    house.prepare("7")
    house.site.gate.clear()
    command = [
        sys.executable,
        "-m",
        "tagline.runtime.worker_process",
        house.directory,
        "--state",
        house.state,
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert b"hello" in process.stdout.readline()
        process.stdin.write(b"start\n")
        process.stdin.flush()
        assert b"started" in process.stdout.readline()
        assert house.site.asked.acquire(timeout=10)
        process.stdout.close()
        process.stdin.close()
        house.site.gate.set()
        assert process.wait(20) == 0
    with house.store() as store:
        assert store.counts("orders")["done"] == 1


def test_a_worker_waits_for_the_one_that_a_killed_agent_left(house: House) -> None:
    house.prepare()
    events: list[tuple[str, str]] = []

    def start(name: str) -> WorkerHandle:
        def note(message: Mapping[str, Any]) -> None:
            events.extend((name, word) for word in message)

        return house.spawn(house.directory, house.state, note)

    old, new = start("old"), start("new")
    for handle in (old, new):
        handle.hello()
    old.start()
    old.started()
    new.start()
    os.kill(old.pid, signal.SIGTERM)
    new.started()
    assert events.index(("old", "drained")) < events.index(("new", "started"))
    assert (house.state / "workers" / "orders.lock").read_text() == f"{new.pid}\n"
    assert new.drain(20)
    assert old.drain(20)
    assert old.exit_code == 0


def test_a_worker_that_never_got_work_drains_at_once(house: House) -> None:
    house.prepare("7")
    worker = house.spawn(house.directory, house.state, lambda _: None)
    worker.hello()
    assert worker.drain(20)
    with house.store() as store:
        assert store.counts("orders")["received"] == 1


@pytest.mark.parametrize(
    ("level", "unset", "code"),
    [('"high"', "", "settings-invalid"), ("1", "TEST_PRIVATE", "secret-missing")],
)
def test_what_is_wrong_is_said_before_any_work(
    house: House, monkeypatch: pytest.MonkeyPatch, level: str, unset: str, code: str
) -> None:
    house.prepare(level=level)
    monkeypatch.delenv(unset, raising=False)
    worker = house.spawn(house.directory, house.state, lambda _: None)
    with pytest.raises(UsageError) as raised:
        worker.hello()
    assert raised.value.code == code
    assert raised.value.hint
    assert "high" not in raised.value.message
