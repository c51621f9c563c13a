"""The sandbox as a whole: what it says about connecting, and what it says about itself."""

import ast
from pathlib import Path

import httpx
import pytest

from tagline.domain.environment import DataverseConnection, FinanceConnection, Shift4ShopConnection
from tagline.sandbox import assumptions, conformance


def test_connection_values_are_what_configuration_takes(make_sandbox):
    sandbox = make_sandbox(environments=("dev", "qa"))
    configs = {env: sandbox.connection_configs(env) for env in ("dev", "qa")}
    for config in configs.values():
        shop = Shift4ShopConnection(**config["shop"])
        crm = DataverseConnection(**config["crm"])
        finance = FinanceConnection(**config["finance"])
        assert (finance.company, finance.tenant) == ("usmf", crm.tenant)
        references = (
            shop.private_key,
            shop.token,
            shop.webhook_token,
            crm.client_secret,
            crm.deploy.client_secret,
            finance.client_secret,
        )
        named = {r.removeprefix("env:") for r in references}
        (other,) = set(config["secrets"]) - named
        assert named < set(config["secrets"])
        assert other.endswith("_STATE_KEY")
    assert set(configs["dev"]["secrets"].values()).isdisjoint(configs["qa"]["secrets"].values())


def test_a_host_that_is_no_site_cannot_be_reached(client):
    with pytest.raises(httpx.ConnectError):
        client.get("https://example.com/")


def test_every_assumption_is_listed_and_every_listed_one_exists():
    source = Path(assumptions.__file__).read_text()
    names = {n.target.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.AnnAssign)}
    assert set(conformance.assumed()) == names
    for behaviour in conformance.TABLE:
        assert behaviour.section
        assert not behaviour.constant or behaviour.basis is conformance.Basis.ASSUMED


def test_every_assumption_decides_something():
    """A constant nobody reads would promise a behaviour that is not there."""
    room = Path(assumptions.__file__).parent
    source = "".join(
        p.read_text() for p in room.glob("*.py") if p.name not in ("assumptions.py", "conformance.py")
    )
    assert [name for name in conformance.assumed() if name not in source] == []
