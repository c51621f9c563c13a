"""Real repositories: a bare hub and the clones of two operators, copied for each test from one that was made once."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import pytest

from tagline.alm import deciding, evidence, planning, releases, reports
from tagline.alm.git import Repository
from tagline.domain.lifecycle import Deployment, Evidence, Plan, Release, Report, Verdict

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
ANN, BOB = "Ann <ann@example.com>", "Bob <bob@example.com>"

PROJECT = """\
[project]
name = "orders"
version = "{version}"
dependencies = []

[tool.tagline]
requires = ">=0.1"
"""
PACKAGE = {
    "orders/__init__.py": "",
    "orders/connections.py": """\
from tagline import connection
from tagline.connectors.dataverse import Dataverse
from tagline.connectors.shift4shop import Shift4Shop

shop = connection(Shift4Shop)
crm = connection(Dataverse)
""",
    "orders/settings.py": """\
from tagline import Settings


class OrdersSettings(Settings):
    prefix: str = "shop"
""",
    "orders/mappings/__init__.py": "",
    "orders/mappings/account.py": """\
from tagline import mapping
from tagline.connectors.dataverse import Account
from tagline.connectors.shift4shop import Order
from orders.settings import OrdersSettings


@mapping
def to_account(order: Order, settings: OrdersSettings) -> Account:
    return Account(
        tl_customerkey=f"{settings.prefix}-{order.CustomerID}",
        name=order.BillingFirstName,
        address1_city=order.BillingCity,
    )
""",
    "orders/flows.py": """\
from tagline import flow, upsert
from tagline.connectors.shift4shop import Order
from orders.connections import shop
from orders.mappings.account import to_account
from orders.settings import OrdersSettings


@flow(on=[shop.order_placed, shop.order_changed], key=Order.key)
async def orders(order: Order, settings: OrdersSettings) -> None:
    await upsert(to_account(order, settings))
""",
}
BASE = """\
[agent]
poll_seconds = 1.0
state_key = "env:STATE_KEY"

[connections.shop]
system = "shift4shop"
private_key = "env:SHOP_KEY"
token = "env:SHOP_TOKEN"
webhook_token = "env:HOOK_TOKEN"
time_zone = "America/New_York"
currency = "USD"

[connections.crm]
system = "dataverse"
tenant = "t"
client_id = "c"
client_secret = "env:CRM_SECRET"

[integrations.orders.settings]
prefix = "shop"
"""
OWN = """\
[agent]
public_url = "https://{name}.example.com"
listen = "127.0.0.1:87{number:02d}"
state = ".tagline/{name}"

[connections.shop]
store_url = "https://{name}-shop.example.com"

[connections.crm]
url = "https://{name}.crm.example.com"
"""


def git(directory: Path, *args: str) -> str:
    return subprocess.run(
        ["git", *args], cwd=directory, check=True, capture_output=True, text=True
    ).stdout.strip()


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def integration_files(version: str) -> dict[str, str]:
    return {
        **{f"integrations/orders/{name}": text for name, text in PACKAGE.items()},
        "integrations/orders/pyproject.toml": PROJECT.format(version=version),
        "integrations/orders/CHANGELOG.md": f"# Changelog\n\n## {version}\n\n- changed - something\n",
    }


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    git(root, "init", "--quiet", "--bare", "--initial-branch=main", "hub.git")
    git(root / "hub.git", "config", "core.fsync", "none")
    git(root, "init", "--quiet", "--initial-branch=main", "ann")
    ann = root / "ann"
    # The remote is named relative to the clone, so that a copy of all three stays a family.
    git(ann, "remote", "add", "origin", "../hub.git")
    _introduce(ann, "Ann", "ann@example.com")
    write(ann, integration_files("1.0.0"))
    write(ann, {"environments/base.toml": BASE})
    write(
        ann,
        {f"environments/{n}.toml": OWN.format(name=n, number=i) for i, n in enumerate(("dev", "qa", "prod"))},
    )
    git(ann, "add", ".")
    git(ann, "commit", "--quiet", "-m", "orders: begin")
    git(ann, "push", "--quiet", "origin", "main")
    shutil.copytree(ann, root / "bob", symlinks=True)
    _introduce(root / "bob", "Bob", "bob@example.com")
    return root


def _introduce(clone: Path, name: str, mail: str) -> None:
    git(clone, "config", "user.name", name)
    git(clone, "config", "user.email", mail)
    git(clone, "config", "core.fsync", "none")


@dataclass
class World:
    """A hub, two clones, and the steps of a lifecycle with boring defaults."""

    root: Path
    first: Release | None = None
    """Release 1.0.0, where it was made and proven already."""

    @cached_property
    def ann(self) -> Repository:
        return Repository.open(self.root / "ann")

    @cached_property
    def bob(self) -> Repository:
        return Repository.open(self.root / "bob")

    @property
    def hub(self) -> Path:
        return self.root / "hub.git"

    def commit(self, files: dict[str, str], message: str = "change") -> None:
        """Ann changes files on main and pushes."""
        write(self.root / "ann", files)
        git(self.root / "ann", "add", ".")
        git(self.root / "ann", "commit", "--quiet", "-m", message)
        git(self.root / "ann", "push", "--quiet", "origin", "main")

    def release(self, version: str = "1.0.0", *, files: dict[str, str] | None = None) -> Release:
        if version != "1.0.0" or files:
            self.commit({**integration_files(version), **(files or {})}, f"orders: {version}")
        return releases.release(self.ann, "orders", by=ANN, at=NOW)

    def prove(self, release: Release, *, at: datetime = NOW, verdict: Verdict = Verdict.PASSED) -> None:
        evidence.append(
            self.ann, Evidence(closure=release.closure, kind="check", verdict=verdict, at=at, by=ANN)
        )

    def released(self, version: str = "1.0.0") -> Release:
        if version == "1.0.0" and self.first:
            return self.first
        made = self.release(version)
        self.prove(made)
        return made

    def plan(self, release: Release, environment: str = "dev") -> Plan:
        return planning.plan_deploy(self.ann, release.tag, environment, at=NOW)

    def deploy(self, release: Release, environment: str = "dev") -> Deployment:
        return deciding.apply(self.ann, self.plan(release, environment), by=ANN, at=NOW)

    def report(self, deployment: Deployment, state: str, environment: str = "dev", minute: int = 1) -> None:
        report = Report(
            deployment=deployment.id,
            integration=deployment.integration,
            version=deployment.version,
            closure=deployment.closure,
            state=state,
            at=NOW + timedelta(minutes=minute),
            agent="host",
        )
        reports.append(self.ann, environment, report, by="agent <agent@example.com>")

    def hub_refs(self) -> str:
        return git(self.hub, "for-each-ref", "--format=%(refname) %(objectname)")


@pytest.fixture(scope="session")
def _released_template(_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("released") / "world"
    shutil.copytree(_template, root, symlinks=True)
    world = World(root)
    return World(root, world.released())


@pytest.fixture(autouse=True)
def _no_configuration_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


@pytest.fixture
def world(tmp_path: Path, _template: Path) -> World:
    """With an integration on main, and nothing released."""
    shutil.copytree(_template, tmp_path / "world", symlinks=True)
    return World(tmp_path / "world")


@pytest.fixture
def released_world(tmp_path: Path, _released_template: World) -> World:
    """With 1.0.0 released and proven; made once, since pushing takes its time."""
    shutil.copytree(_released_template.root, tmp_path / "world", symlinks=True)
    return World(tmp_path / "world", _released_template.first)


@pytest.fixture
def lone(world: World) -> Repository:
    """A repository without a remote."""
    git(world.root / "ann", "remote", "remove", "origin")
    return world.ann
