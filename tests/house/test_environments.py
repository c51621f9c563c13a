"""The environments that ship with the repository fit the integration that ships with it."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagline.alm import environments
from tagline.alm.git import Repository
from tagline.clock import VirtualClock
from tagline.integration import load
from tagline.sandbox.sandbox import Endpoints, Sandbox
from tagline.sandbox.seed import PRICE_LIST

ROOT = Path(__file__).parents[2]
PORTS = {"dev": 1, "qa": 2, "prod": 3}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The working copy's environments as a commit of their own."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "environments").mkdir()
    for file in (ROOT / "environments").glob("*.toml"):
        (folder / "environments" / file.name).write_bytes(file.read_bytes())
    git = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["commit", "-q", "-m", "environments: as they stand"],
    ):
        subprocess.run([*git, *words], check=True)
    return Repository.open(folder)


@pytest.mark.parametrize("name", PORTS)
def test_an_environment_fits_the_integration(repository: Repository, name: str):
    config = environments.render(repository, name).config
    environments.check_settings(config, load(ROOT / "integrations" / "order_to_cash"))
    assert name == config.environment
    assert f"127.0.0.1:870{PORTS[name]}" == config.agent.listen
    assert f"env:TAGLINE_{name.upper()}_CRM_CLIENT_SECRET" == config.connections["crm"].client_secret


def test_a_release_reaches_prod_by_way_of_dev_and_qa(repository: Repository):
    chain = {name: environments.render(repository, name).config.policy.promote_from for name in PORTS}
    assert chain == {"dev": "", "qa": "dev", "prod": "qa"}


def test_as_they_stand_they_lead_to_the_local_sandbox(repository: Repository):
    """`tagline sandbox` and these files fit each other as they are; a person connecting real systems replaces values."""
    sandbox = Sandbox(VirtualClock(datetime(2026, 11, 1, tzinfo=UTC)), environments=tuple(PORTS))
    at = Endpoints(
        login="https://127.0.0.1:8710",
        shops={name: f"https://127.0.0.1:{8709 + 2 * port}" for name, port in PORTS.items()},
        organisations={name: f"https://127.0.0.1:{8710 + 2 * port}" for name, port in PORTS.items()},
        finance={name: f"https://127.0.0.1:{8716 + port}" for name, port in PORTS.items()},
        ca_file=".tagline/sandbox-ca.pem",
    )
    for name in PORTS:
        config = environments.render(repository, name).config
        expected = sandbox.connection_configs(name, at)
        for connection in ("shop", "crm"):
            given = config.connections[connection]
            assert type(given).model_validate(expected[connection]) == given
        assert config.agent.state_key.removeprefix("env:") in expected["secrets"]
        assert config.integrations["order_to_cash"].settings["price_level"] == PRICE_LIST
