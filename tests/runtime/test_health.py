"""How the environment fares, as the web address and the posts tell it."""

import asyncio
import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.making import START, make_deployment, make_store

from tagline.clock import VirtualClock
from tagline.connectors.budget_limits import Told
from tagline.connectors.governor import Governor
from tagline.connectors.learned_rate import LearnedRate
from tagline.connectors.pace import Pace
from tagline.domain.alerting import Trouble
from tagline.runtime import stages
from tagline.runtime.health import FailedDeployment, Health, PostHealth, SweepHealth
from tagline.runtime.intake import Intake
from tagline.runtime.places import SqliteFile
from tagline.runtime.standing import Standing, standing_of

HEALTH = Health("dev", "host", START, waiting={"live": 2})
POST = PostHealth("orders", "orders-000001", "1.0.0", True, True, START)
STOP = Trouble("orders", "key-ring-behind", START, message="lacks key 1a2b", hint="copy it")
FAILED = FailedDeployment("orders", "orders-000002", "1.1.0", "secret-missing", "no", "h", START, None)
SWEEP = SweepHealth("orders", "sync", timedelta(minutes=5), timedelta(minutes=4))


@pytest.mark.parametrize(
    ("health", "faults"),
    [
        (HEALTH, 0),
        (replace(HEALTH, waiting=None), 1),
        (replace(HEALTH, posts=(POST, replace(POST, has_worker=False))), 1),
        (replace(HEALTH, sweeps=(SWEEP,)), 0),
        (replace(HEALTH, sweeps=(replace(SWEEP, lag=timedelta(minutes=16)),)), 1),
        (replace(HEALTH, alerts=("remote-down orders",)), 0),
        (replace(HEALTH, troubles=(replace(STOP, about="connection shop"),)), 0),
        (replace(HEALTH, troubles=(replace(STOP, code="remote-throttled"),)), 0),
        (replace(HEALTH, troubles=(STOP,)), 1),
        (replace(HEALTH, posts=(POST,), failed=(FAILED,)), 1),
    ],
    ids=[
        "well",
        "no database",
        "no worker",
        "swept",
        "sweep late",
        "remote away",
        "trouble",
        "throttled",
        "stopped",
        "failed",
    ],
)
def test_an_agent_is_well_unless_it_cannot_work_itself(health: Health, faults: int):
    assert len(health.faults) == faults
    assert health.is_well == (faults == 0)
    assert json.loads(json.dumps(health.plain()))["well"] == health.is_well


def test_readiness_tells_how_the_environment_fares(tmp_path: Path):
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    clock = VirtualClock(START)
    with closing(make_store(tmp_path, clock)) as store:
        intake = Intake(store, lambda _: None, lambda _: None, clock=clock, tells=HEALTH.plain)
        asyncio.run(
            intake({"type": "http", "path": "/readyz", "method": "GET", "headers": []}, receive, send)
        )
        intake.stop()
    told = json.loads(sent[1]["body"])
    assert sent[0]["status"] == 200
    assert told["ready"] is True
    assert HEALTH.plain().items() <= told.items()


def test_what_could_not_be_registered_is_remembered_with_the_deployment(tmp_path: Path):
    deployment = make_deployment()
    assert stages.unregistered(tmp_path, deployment) == ()
    folder = stages.directory(tmp_path, deployment)
    folder.mkdir(parents=True)
    (folder / stages.UNREGISTERED_FILE).write_text('["crm"]')
    assert stages.unregistered(tmp_path, deployment) == ("crm",)


def test_a_governor_tells_of_each_answer_and_of_each_that_never_came():
    heard: list[Told] = []
    governor = Governor(VirtualClock(START), Pace((LearnedRate(9.0),)), 1, listener=heard.append)
    with governor.admit() as turn:
        turn.told(429, 0.1)
    with governor.admit():
        pass
    assert [told.status for told in heard] == [429, 0]


def test_nothing_stands_where_no_agent_ever_ran(tmp_path: Path):
    assert standing_of(SqliteFile(tmp_path / "state.sqlite")) == Standing()
