"""What the commands of the lifecycle say where a deployment failed, or an environment is none."""

from __future__ import annotations

import pytest
from tests.cli.telling import Done, call

from tagline.alm import reports
from tagline.domain.lifecycle import Report

from .conftest import BOB, NOW, OWN, World, git


@pytest.fixture
def world(released_world: World) -> World:
    return released_world


def _tagline(world: World, *args: str) -> Done:
    return call(world.root / "ann", *args)


def _fails(world: World, number: int) -> None:
    """The agent's word about a deployment that is about to be decided, so that nobody waits for it."""
    report = Report(
        deployment=f"orders-{number:06d}",
        integration="orders",
        version="",
        closure="",
        state="failed",
        at=NOW,
        agent="host",
        message="the shop is away",
        code="remote-unreachable",
    )
    reports.append(world.ann, "dev", report, by=BOB)


def _hint(done: Done) -> str:
    assert (done.code, "(deployment-failed)" in done.err) == (3, True)
    return done.err.splitlines()[-1]


def test_after_a_failed_first_deployment_nothing_runs(world: World) -> None:
    _fails(world, 1)
    hint = _hint(_tagline(world, "deploy", "orders/v1.0.0", "--env", "dev"))
    assert hint == "hint: nothing of orders runs in dev; correct the cause and deploy again"


def test_after_a_failed_deployment_what_ran_before_goes_on(world: World) -> None:
    world.deploy(world.released())
    world.released("1.1.0")
    _fails(world, 2)
    assert "what ran before goes on" in _hint(_tagline(world, "deploy", "orders/v1.1.0", "--env", "dev"))


def test_after_a_failed_rollback_what_is_held_does_not_go_on_and_the_ways_on_are_named(world: World) -> None:
    world.report(world.deploy(world.released()), "verified")
    world.report(world.deploy(world.released("1.1.0")), "verified", minute=2)
    _fails(world, 3)
    hint = _hint(_tagline(world, "rollback", "orders", "--env", "dev"))
    assert "1.1.0 is held and stopped, and what comes in waits" in hint
    assert "roll back once more or deploy a corrected release" in hint


def test_after_a_failed_rollback_of_the_configuration_alone_what_ran_before_goes_on(world: World) -> None:
    world.report(world.deploy(world.released()), "verified")
    own = '[integrations.orders.settings]\nprefix = "d"\n'
    world.commit({"environments/dev.toml": OWN.format(name="dev", number=0) + own})
    world.report(world.deploy(world.released()), "verified", minute=2)
    _fails(world, 3)
    hint = _hint(_tagline(world, "rollback", "orders", "--env", "dev"))
    assert "what ran before goes on" in hint
    assert "held" not in hint


@pytest.mark.parametrize("command", ["status", "history"])
def test_an_environment_that_nobody_knows_is_wrong_use_and_the_nearest_is_named(
    world: World, command: str
) -> None:
    done = _tagline(world, command, "--env", "prd")
    assert (done.code, done.out) == (2, "")
    assert "(environment-unknown)" in done.err
    assert done.err.splitlines()[-1] == "hint: did you mean prod?"


@pytest.mark.parametrize("command", ["status", "history"])
def test_what_was_decided_can_be_looked_at_without_main(world: World, command: str) -> None:
    world.deploy(world.released())
    git(world.hub, "update-ref", "-d", "refs/heads/main")
    done = _tagline(world, command, "--env", "dev")
    assert (done.code, "1.0.0" in done.out) == (0, True)


@pytest.mark.parametrize("command", ["status", "history"])
def test_an_environment_without_decisions_is_no_error(world: World, command: str) -> None:
    assert _tagline(world, command, "--env", "qa").code == 0


def test_a_release_says_what_is_next_by_what_was_shown_about_it(world: World) -> None:
    assert _tagline(world, "release", "orders").err.endswith("next: tagline deploy orders/v1.0.0 --env dev\n")
    world.release("1.1.0")
    assert _tagline(world, "release", "orders").err.endswith("next: tagline check orders\n")
