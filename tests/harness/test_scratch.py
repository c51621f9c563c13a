"""A scratch copy is a repository of its own, led to a served sandbox; the source stays as it is."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tagline.alm import environments, git
from tagline.alm.git import Repository
from tagline.clock import SystemClock
from tagline.connectors import connect
from tagline.connectors.shift4shop import Order
from tagline.errors import TaglineError, UsageError
from tagline.harness.scratch import ENVIRONMENTS, Scratch, scratch
from tagline.sandbox.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
KEPT = ("integrations", "environments", "fixtures")


def digest(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for name in KEPT
        for p in (root / name).rglob("*")
        if p.is_file() and p.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    folder = tmp_path_factory.mktemp("scratch")
    before = digest(ROOT)
    with scratch(ROOT, folder, Sandbox(SystemClock(), 1, ENVIRONMENTS)) as copy:
        copy.sandbox.shops["qa"].place_orders(2, seed=1)
        yield copy
    assert digest(ROOT) == before
    assert copy.work.is_dir()
    with pytest.raises(httpx.ConnectError):
        httpx.get(copy.served.endpoints.login, verify=False)  # nothing serves any more


def test_the_copy_is_committed_and_pushed_to_a_bare_remote_of_its_own(made: Scratch) -> None:
    assert git.run(made.work, "status", "--porcelain") == ""
    assert git.run(made.work, "rev-parse", "HEAD") == git.run(made.folder / "hub.git", "rev-parse", "main")
    assert git.run(made.work, "config", "remote.origin.url") == str(made.folder / "hub.git")
    assert set(digest(made.work)) == set(digest(ROOT))


def test_code_and_fixtures_are_copied_as_they_are(made: Scratch) -> None:
    ours, theirs = digest(ROOT), digest(made.work)
    assert {p for p in ours if ours[p] != theirs[p]} == {
        f"environments/{name}.toml" for name in ("base", *ENVIRONMENTS)
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_leads_to_its_own_systems_of_the_sandbox(made: Scratch, environment: str) -> None:
    config = environments.render(Repository.open(made.work), environment).config
    assert config.connections["shop"].url.startswith(made.served.endpoints.shops[environment])
    assert config.connections["crm"].url == made.served.endpoints.organisations[environment]
    assert config.agent.public_url == f"http://{config.agent.listen}"
    assert config.agent.state_key.removeprefix("env:") in made.environ


def test_the_environ_holds_the_secrets_that_open_it(made: Scratch) -> None:
    config = environments.render(Repository.open(made.work), "qa").config.connections["shop"]
    shop = connect(
        "shop",
        config,
        clock=SystemClock(),
        secrets=lambda reference: made.environ[reference.removeprefix("env:")],
        read_only=True,
    )
    try:
        assert len(shop.recent(Order, 5)) == 2
    finally:
        shop.close()


def test_a_command_that_ends_otherwise_is_told_with_its_last_lines(made: Scratch) -> None:
    with pytest.raises(TaglineError) as caught:
        made.tagline("release", "nothing")
    assert caught.value.code == "demo-step-failed"
    assert "ended with 2 instead of 0" in caught.value.message
    assert "(integration-unknown)" in caught.value.message


def test_nobody_works_before_an_agent_was_started(made: Scratch) -> None:
    assert made.workers("dev") == []
    made.stop_agent("dev")
    made.stop_agents()


def test_a_source_without_integrations_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with (
        pytest.raises(UsageError) as caught,
        scratch(tmp_path, tmp_path / "copy", Sandbox(SystemClock(), 1, ("dev",))),
    ):
        pass
    assert caught.value.code == "not-a-tagline-repository"
    assert list((tmp_path / "copy").iterdir()) == []
