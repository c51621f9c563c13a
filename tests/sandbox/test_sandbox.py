"""The sandbox as a whole: what it says about connecting, and what it says about itself."""

import ast
from pathlib import Path

import httpx
import pytest

from tagline.domain.environment import DataverseConnection, FinanceConnection, Shift4ShopConnection
from tagline.sandbox import assumptions, conformance
from tagline.sandbox.main import stock
from tagline.sandbox.serve import ports_of


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


def test_each_checked_in_environment_is_the_same_whatever_else_is_served(make_sandbox):
    every = make_sandbox(environments=("dev", "qa", "prod", "trial"))
    for name in every.environments:
        alone = make_sandbox(environments=(name,))
        assert alone.connection_configs(name) == every.connection_configs(name)
    stock(every, 2)
    alone = make_sandbox(environments=("prod",))
    stock(alone, 2)
    assert alone.shops["prod"].orders == every.shops["prod"].orders
    assert every.shops["trial"].orders != every.shops["dev"].orders


@pytest.mark.parametrize(
    ("environments", "ports"),
    [
        (("dev", "qa", "prod"), [8710, 8711, 8712, 8713, 8714, 8715, 8716, 8717, 8718, 8719]),
        (("prod",), [8710, 8715, 8716, 8719]),
        (("qa", "dev"), [8710, 8713, 8714, 8711, 8712, 8718, 8717]),
        (("trial", "dev", "load"), [8710, 8720, 8721, 8711, 8712, 8723, 8724, 8722, 8717, 8725]),
    ],
    ids=["all", "prod", "qa-dev", "others"],
)
def test_each_checked_in_environment_has_its_ports_whatever_else_is_served(environments, ports):
    assert ports_of(environments, 8710) == ports
    assert ports_of(environments, None) == [0] * len(ports)


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
