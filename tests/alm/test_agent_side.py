"""What an agent takes out of git and says back, and what people see of it."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from tagline.alm import branches, reports
from tagline.alm.decisions import GitDecisions
from tagline.alm.status import status
from tagline.clock import VirtualClock
from tagline.domain.lifecycle import Deployment, Report
from tagline.errors import RefusedError, TryAgainError, UsageError
from tagline.integration import load
from tagline.runtime.agent import Decisions

from .conftest import NOW, World, git

AGENT = "agent <agent@example.com>"


@pytest.fixture
def world(released_world: World) -> World:
    return released_world


def _agent(world: World) -> Decisions:
    return GitDecisions(world.bob, "dev", by=AGENT, clock=VirtualClock(NOW))


def test_before_any_decision_nothing_is_desired(world: World) -> None:
    desired = _agent(world).current()
    assert (desired.head, desired.deployments, desired.holds) == (None, {}, ())


def test_a_deployment_is_written_out_so_that_a_worker_needs_nothing_else(
    world: World, tmp_path: Path
) -> None:
    decided = world.deploy(world.released())
    agent = _agent(world)
    assert agent.current().deployments == {"orders": decided}
    agent.materialise(decided, tmp_path / "d")
    assert load(tmp_path / "d" / "code").version == "1.0.0"
    assert Deployment.model_validate_json((tmp_path / "d" / "deployment.json").read_text()) == decided
    assert tomllib.loads((tmp_path / "d" / "config.toml").read_text())["environment"] == "dev"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "world"]


def test_an_earlier_deployment_can_be_written_out_too_and_leftovers_of_a_kill_are_cleared(
    world: World, tmp_path: Path
) -> None:
    first = world.deploy(world.released())
    world.deploy(world.released("1.1.0"))
    (tmp_path / ".d-killed").mkdir()
    agent = _agent(world)
    agent.current()
    agent.materialise(first, tmp_path / "d")
    assert load(tmp_path / "d" / "code").version == "1.0.0"
    assert not (tmp_path / ".d-killed").exists()


def test_an_unknown_deployment_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    decided = world.deploy(world.released())
    agent = _agent(world)
    agent.current()
    with pytest.raises(UsageError) as error:
        agent.materialise(decided.model_copy(update={"id": "orders-000009"}), tmp_path / "d")
    assert error.value.code == "deployment-unknown"
    assert not (tmp_path / "d").exists()


def test_an_unreachable_hub_is_worth_another_try(world: World) -> None:
    git(world.root / "bob", "remote", "set-url", "origin", "../gone.git")
    with pytest.raises(TryAgainError):
        _agent(world).current()


def test_an_agent_rolls_back_what_failed_and_only_that(world: World) -> None:
    good, bad = world.deploy(world.released()), world.deploy(world.released("1.1.0"))
    agent = _agent(world)
    agent.roll_back(good, "not the one that runs", hold=True)
    assert agent.current().deployments["orders"] == bad
    agent.roll_back(bad, "probe failed", hold=True)
    desired = agent.current()
    assert desired.deployments["orders"].closure == good.closure
    assert [(h.closure, h.reason, h.by) for h in desired.holds] == [(bad.closure, "probe failed", AGENT)]
    agent.roll_back(bad, "again", hold=True)
    assert agent.current() == desired


def test_an_agent_that_blames_the_remotes_plants_no_hold(world: World) -> None:
    good, late = world.deploy(world.released()), world.deploy(world.released("1.1.0"))
    agent = _agent(world)
    agent.current()
    agent.roll_back(late, "the shop is away", hold=False)
    desired = agent.current()
    assert (desired.deployments["orders"].closure, desired.holds) == (good.closure, ())


def test_with_nothing_to_return_to_an_agent_is_refused(world: World) -> None:
    only = world.deploy(world.released())
    with pytest.raises(RefusedError) as error:
        _agent(world).roll_back(only, "probe failed", hold=True)
    assert error.value.code == "nothing-earlier"


def test_reports_stand_apart_from_decisions_and_keep_their_history(world: World) -> None:
    decided = world.deploy(world.released())
    head = git(world.hub, "rev-parse", "env/dev")
    _agent(world).report(_report(decided, "activated", 1))
    world.report(decided, "verified", minute=2)
    assert [r.state for r in reports.read(world.ann, "dev")] == ["activated", "verified"]
    assert git(world.hub, "rev-list", "--count", "observed/dev") == "2"
    assert git(world.hub, "rev-parse", "env/dev") == head


def _report(deployment: Deployment, state: str, minute: int) -> Report:
    return Report(
        deployment=deployment.id,
        integration=deployment.integration,
        version=deployment.version,
        closure=deployment.closure,
        state=state,
        at=NOW + timedelta(minutes=minute),
        agent="host",
    )


@pytest.mark.parametrize(
    ("states", "verified"),
    [
        ([], False),
        (["activated"], False),
        (["activated", "verified"], True),
        (["activated", "verified", "drained"], True),
        (["verified", "failed"], False),
        (["failed", "verified"], True),
    ],
)
def test_the_last_word_about_a_closure_counts(states: list[str], verified: bool) -> None:
    told = [
        Report(
            deployment="d",
            integration="i",
            version="1",
            closure="c",
            state=s,
            at=NOW + timedelta(minutes=n),
            agent="a",
        )
        for n, s in enumerate(states)
    ]
    assert reports.is_verified(told, "c") is verified
    assert not reports.is_verified(told, "other")


def test_of_several_agents_one_that_failed_is_enough_to_decide_again() -> None:
    def told(state: str, minute: int, agent: str) -> Report:
        at = NOW + timedelta(minutes=minute)
        return Report(
            deployment="d", integration="i", version="1", closure="c", state=state, at=at, agent=agent
        )

    failed = [told("failed", 1, "second"), told("verified", 2, "first")]
    assert reports.has_failed(failed, "d")
    assert not reports.has_failed([*failed, told("verified", 3, "second")], "d")


def test_waiting_ends_with_the_report_or_says_that_the_decision_stands(world: World) -> None:
    decided = world.deploy(world.released())
    clock = VirtualClock(NOW)
    with pytest.raises(TryAgainError, match="is decided, and no agent") as error:
        reports.wait_for(
            world.ann, "dev", decided.id, ("verified",), timeout=timedelta(seconds=2), clock=clock
        )
    assert (error.value.code, error.value.exit_code, clock.now()) == (
        "agent-pending",
        6,
        NOW + timedelta(seconds=2),
    )
    world.report(decided, "verified")
    found = reports.wait_for(
        world.bob, "dev", decided.id, ("verified", "failed"), timeout=timedelta(seconds=2), clock=clock
    )
    assert found.state == "verified"


def test_status_tells_decided_running_and_held_apart(world: World) -> None:
    good = world.deploy(world.released())
    world.report(good, "activated", minute=1)
    world.report(good, "verified", minute=2)
    bad = world.deploy(world.released("1.1.0"))
    (told,) = status(world.bob)
    assert (told.environment, told.decided, told.held) == ("dev", bad, "")
    assert (told.is_pending, told.running) == (True, "pending agent, 1.0.0 verified")
    assert told.since == "2026-11-25 09:01Z"
    world.report(bad, "failed", minute=3)
    (told,) = status(world.bob)
    assert (told.is_pending, told.running) == (False, "failed")
    _agent(world).roll_back(bad, "probe failed", hold=True)
    (told,) = status(world.bob)
    assert (told.version, told.held, told.running) == ("1.0.0", "1.1.0", "pending agent, 1.0.0 verified")


def test_status_needs_no_main(world: World) -> None:
    world.deploy(world.released())
    git(world.hub, "update-ref", "-d", "refs/heads/main")
    assert [(s.environment, s.running) for s in status(world.ann)] == [("dev", "pending agent")]


def test_history_tells_who_decided_what(world: World) -> None:
    world.deploy(world.released())
    world.deploy(world.released("1.1.0"))
    told = [(d.kind.value, d.version, d.by) for d in branches.history(world.ann, "dev")]
    assert told == [
        ("deploy", "1.1.0", "Ann <ann@example.com>"),
        ("deploy", "1.0.0", "Ann <ann@example.com>"),
    ]
