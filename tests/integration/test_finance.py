"""An integration with Finance, as whoever connects one for the first time meets it: ready or not, and drifted or not."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from textwrap import dedent

import pytest

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.domain.checkup import Check, State
from tagline.domain.environment import EnvironmentConfig, FinanceConnection
from tagline.integration.doctor import examine
from tagline.integration.drift import Finding, Weight, look
from tagline.integration.load import Integration, load_from
from tagline.sandbox.sandbox import Sandbox

FILES = {
    "pyproject.toml": '[project]\nname = "goods"\nversion = "1.0.0"\n\n[tool.tagline]\nrequires = ">=0.1"\n',
    "goods/__init__.py": "",
    "goods/connections.py": """\
from tagline import connection
from tagline.connectors.finance import Finance

erp = connection(Finance)
""",
    "goods/settings.py": """\
from tagline import Settings


class GoodsSettings(Settings):
    pass
""",
    "goods/mappings/__init__.py": "",
    "goods/mappings/journal.py": """\
from tagline import mapping
from tagline.connectors.finance import Customer, CustomerPaymentJournalHeader


@mapping
def to_journal(customer: Customer) -> CustomerPaymentJournalHeader:
    return CustomerPaymentJournalHeader(
        Description=f"of {customer.CustomerAccount} {customer.OnHoldStatus}",
        JournalName="CustPay",
    )
""",
    "goods/flows.py": """\
from goods.connections import erp
from goods.mappings.journal import to_journal
from goods.settings import GoodsSettings
from tagline import every, flow, upsert
from tagline.connectors.finance import Customer


@flow(on=[], sweep=every(minutes=60), key=lambda customer: str(customer.CustomerAccount))
async def goods(customer: Customer, settings: GoodsSettings) -> None:
    await upsert(to_journal(customer))
""",
}


class Ward:
    """A Finance environment, and what is said of it."""

    def __init__(self, integration: Integration) -> None:
        self.integration = integration
        self.clock = VirtualClock(datetime(2026, 11, 2, 15, tzinfo=UTC))
        self.sandbox = Sandbox(self.clock, environments=("dev",))
        self.given = dict(self.sandbox.connection_configs("dev")["finance"])

    def config(self) -> EnvironmentConfig:
        agent = {
            "public_url": "https://hooks.test",
            "state": ".tagline/dev",
            "state_key": "env:TAGLINE_DEV_STATE_KEY",
        }
        return EnvironmentConfig.model_validate(
            {"environment": "dev", "agent": agent, "connections": {"erp": self.given}}
        )

    def examine(self) -> dict[str, Check]:
        checks = examine(
            self.integration,
            self.config(),
            clock=self.clock,
            secrets=self.sandbox.secret,
            transport=self.sandbox.transport(),
        )
        return {check.subject: check for check in checks}

    def drift(self) -> list[Finding]:
        client = connect(
            "erp",
            self.config().connections["erp"],
            clock=self.clock,
            secrets=self.sandbox.secret,
            transport=self.sandbox.transport(),
            read_only=True,
        )
        with closing(client):
            found = look(self.integration, {"finance": client}).findings
        return [finding for finding in found if finding.weight is not Weight.NOTED]


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    for name, text in FILES.items():
        path = tmp_path / "integrations" / "goods" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Ward(load_from(tmp_path, "goods"))


def test_an_environment_as_it_comes_is_ready(ward):
    found = ward.examine()
    assert [check for check in found.values() if check.state is State.FAILED] == []
    good = {subject for subject, check in found.items() if check.state is State.GOOD}
    assert {"erp sign-in", "erp company", "erp rights", "erp tables"} <= good
    assert ward.drift() == []


def test_what_the_guide_tells_to_write_is_a_connection():
    guide = files("tagline").joinpath("docs", "connect.md").read_text("utf-8")
    written = tomllib.loads(dedent(guide.partition("```toml\n")[2].partition("```")[0]))
    assert FinanceConnection.model_validate(written["connections"]["erp"]).company == "usmf"


def test_an_application_that_nobody_named_in_finance_is_told_where_that_is_done(ward):
    ward.sandbox.finance["dev"].applications.clear()
    [check] = [check for check in ward.examine().values() if check.state is State.FAILED]
    assert "Microsoft Entra applications" in check.fix


def test_a_wrong_legal_entity_is_told(ward):
    ward.given["company"] = "nope"
    assert ward.examine()["erp company"].state is State.FAILED


def test_a_member_of_an_enumeration_that_people_added_is_drift(ward):
    ward.sandbox.finance["dev"].rows.schema.change("CustVendorBlocked", "Acme", is_there=True)
    [found] = ward.drift()
    assert (found.column, found.what, found.mappings) == ("OnHoldStatus", "option-added", ("to_journal",))
    assert "Acme" in found.message


def test_a_field_that_is_gone_breaks_what_writes_it(ward):
    ward.sandbox.finance["dev"].rows.schema.change(
        "CustomerPaymentJournalHeaders", "Description", is_there=False
    )
    told = {(found.column, found.what, found.weight) for found in ward.drift()}
    assert ("Description", "column-gone", Weight.BREAKS) in told
    assert ward.examine()["erp CustomerPaymentJournalHeader.Description"].state is State.FAILED
