"""What `tagline status` says of agents and of what waits: never that all is well where nothing is known or nothing moves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tagline.cli.here import Here, explained
from tagline.runtime.agents import Seen
from tagline.runtime.breakers import Away
from tagline.runtime.load import Load, Spent
from tagline.runtime.standing import Standing

LOAD = Load(3, 0, 0, (Spent("crm", "dataverse", 0.0, 0.0, 0.0, 0.0),))
HERE = Here(LOAD, 7, is_shared=False, standing=Standing())
STOP = {
    "integration": "orders",
    "code": "key-ring-behind",
    "message": "the ring lacks key 1a2b",
    "hint": "`tagline deploy` again",
}
FAILED = {
    "integration": "orders",
    "deployment": "orders-000002",
    "version": "1.1.0",
    "code": "secret-missing",
    "message": "there is none",
    "hint": "mount it",
    "again_at": "2026-03-01T12:05:00+00:00",
}


def seen(name: str, ago: timedelta = timedelta(seconds=4), **health: Any) -> Seen:
    return Seen(name, datetime.now(UTC) - ago, {"well": not health, **health})


def with_agents(*agents: Seen, **changed: Any) -> Here:
    return replace(HERE, standing=Standing(agents=agents), **changed)


def test_a_worker_that_has_stopped_is_told_with_why_and_what_to_do() -> None:
    here = with_agents(seen("vm", stopped=[STOP], faults=["the worker of orders has stopped"]))
    assert explained(here) == [
        "the agent runs (process 7)",
        "3 live records wait, to drain once the worker of orders works again; budget in use: crm 0%",
        "agent vm, 4 s ago: the worker of orders has stopped",
        "  the worker of orders has stopped: the ring lacks key 1a2b (key-ring-behind); next: `tagline deploy` again",
    ]
    assert here.to_json()["load"]["drain_waits_for"] == ["the worker of orders"]


def test_what_one_agent_cannot_do_another_does() -> None:
    here = with_agents(seen("vm", stopped=[STOP]), seen("other"), is_shared=True)
    assert here.obstacles == ()


@pytest.mark.parametrize(
    ("again_at", "told"),
    [
        (FAILED["again_at"], "it is tried again by itself at 12:05Z"),
        (None, "it is tried again when it is decided once more"),
    ],
    ids=["by itself", "decided"],
)
def test_a_deployment_that_does_not_work_here_is_told(again_at: str | None, told: str) -> None:
    here = with_agents(seen("second", failed=[{**FAILED, "again_at": again_at}], faults=["it is decided"]))
    assert explained(here)[-1] == (
        f"  orders-000002 (1.1.0) does not work here: there is none (secret-missing); next: mount it; {told}"
    )


def test_of_an_agent_that_is_silent_nothing_is_known() -> None:
    here = with_agents(seen("vm", timedelta(seconds=150)), agent=None)
    assert explained(here)[0] == "no agent runs on this machine"
    assert explained(here)[-1] == "agent vm: not heard of for 2 min 30 s"
    assert here.to_json()["agents"][0]["well"] is False


@pytest.mark.parametrize(
    ("agents", "process", "told"),
    [
        (("one", "two"), 7, "2 agents are heard of, one of them runs on this machine (process 7)"),
        (("one",), None, "1 agent is heard of"),
        ((), None, "no agent is heard of"),
        ((), 7, "the agent of this machine runs (process 7)"),
    ],
    ids=["here too", "elsewhere", "nobody", "just started"],
)
def test_agents_of_a_shared_database_are_those_that_are_heard_of(
    agents: tuple[str, ...], process: int | None, told: str
) -> None:
    here = with_agents(*(seen(name) for name in agents), is_shared=True, agent=process)
    assert explained(here)[0] == told


def test_what_waits_for_a_connection_drains_when_it_answers() -> None:
    away = Away("crm", datetime(2026, 3, 1, tzinfo=UTC), "remote-unreachable")
    here = replace(HERE, load=replace(LOAD, back_fill=2, away=(away,)))
    assert explained(here)[1:3] == [
        "3 live records wait, to drain once crm works again; budget in use: crm 0%",
        "2 records wait in back-fills, to drain once crm works again behind them",
    ]
    assert explained(HERE)[1].startswith("3 live records wait, 0 s at most to drain")
