"""The agent against decisions it is handed: what it starts, in which order it hands over, and what it does when a stage fails."""

import os
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from tagline.clock import VirtualClock
from tagline.domain.environment import AgentSection, Connection, EnvironmentConfig
from tagline.domain.exchange import Change, Request
from tagline.domain.lifecycle import Deployment, Desired, Hold, Report
from tagline.domain.model import Model, Remote, column
from tagline.domain.redaction import Redactor
from tagline.errors import NotAuthorisedError, RefusedError, TaglineError, TryAgainError, UsageError
from tagline.runtime.agent import Agent
from tagline.runtime.key_ring import KeyRing, make_key
from tagline.runtime.rotation import sealing_key
from tagline.runtime.store import Store
from tagline.runtime.supervisor import ANSWER_S, RESTART_MAX_S, Hello, restart_delay_s
from tagline.runtime.watch import Watch

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOKEN = "t0ken-of-the-shop-1234"
KEY = make_key().text
ROUTES = {("shop", "order-placed"): ("orders",)}
SECRETS = {"env:KEY": KEY, "env:HOOK": TOKEN}
CONFIG = """
environment = "dev"

[agent]
public_url = "http://intake.test"
state = "state"
state_key = "env:KEY"

[connections.shop]
system = "shift4shop"
store_url = "https://shop.test"
private_key = "env:PRIVATE"
token = "env:TOKEN"
time_zone = "America/New_York"
currency = "USD"
webhook_token = "env:HOOK"
"""


class Order(Model):
    remote: ClassVar[Remote] = Remote("shop", "Order", "Orders", "number")

    number: str = column(required=True)


def make_deployment(number: int, integration: str = "orders", closure: str = "") -> Deployment:
    return Deployment(
        id=f"{integration}-{number:06d}",
        integration=integration,
        version=f"1.{number}.0",
        closure=closure or f"sha256:{number}",
        tag_object="t",
        commit="c",
        config_digest="d",
        config_commit="e",
        decided_at=NOW,
        decided_by="someone",
    )


@dataclass
class Branch:
    """Decisions in memory."""

    told: list[tuple[str, str]]
    deployments: dict[str, Deployment] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    reports: list[Report] = field(default_factory=list)
    rolled_back: list[tuple[str, bool]] = field(default_factory=list)
    """Deployment, and whether its closure is to be held."""
    away: bool = False
    rollback_error: TaglineError | None = None

    def decide(self, *deployments: Deployment) -> None:
        self.deployments.update({each.integration: each for each in deployments})

    def current(self) -> Desired:
        self._reach()
        return Desired(head="abc", deployments=dict(self.deployments), holds=self.holds)

    def materialise(self, deployment: Deployment, directory: Path) -> None:
        self._reach()
        self.told.append(("materialise", deployment.id))
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        (directory / "config.toml").write_text(CONFIG)
        (directory / "deployment.json").write_text(deployment.model_dump_json())

    def report(self, report: Report) -> None:
        self._reach()
        self.reports.append(report)

    def roll_back(self, deployment: Deployment, reason: str, *, hold: bool) -> None:
        if self.rollback_error:
            raise self.rollback_error
        self.rolled_back.append((deployment.id, hold))

    def states(self, deployment: Deployment) -> list[tuple[str, str]]:
        return [(r.state, r.code) for r in self.reports if r.deployment == deployment.id]

    def _reach(self) -> None:
        if self.away:
            raise TryAgainError("the hub is away", code="hub-away")


@dataclass
class Shop:
    """A connector as far as stages need one."""

    told: list[tuple[str, str]]
    fails: dict[str, list[BaseException | None]]
    on_subscribe: Callable[[str], None]
    removals: list[tuple[str, tuple[str, ...]]]
    """Address beneath which webhooks are no longer used, and the events whose webhook there stays."""

    def probe(self) -> str:
        self.told.append(("probe", ""))
        self._fail("probe")
        return "the shop answers"

    def subscribe(self, events: Sequence[str], url: str) -> Sequence[str]:
        self.told.append(("subscribe", " ".join(events)))
        self._fail("subscribe")
        self.on_subscribe(url)
        return events

    def unsubscribe(self, url: str, keep: Sequence[str] = ()) -> Sequence[str]:
        self.removals.append((url, tuple(keep)))
        self._fail("unsubscribe")
        return []

    def hint(self, request: Request) -> Sequence[Change]:
        return [Change(Order, "7", "")]

    def close(self) -> None:
        pass

    def _fail(self, verb: str) -> None:
        errors = self.fails.get(verb)
        error = errors.pop(0) if errors else None
        if error:
            raise error


class Process:
    """A worker process without a process."""

    def __init__(
        self,
        deployment: Deployment,
        told: list[tuple[str, str]],
        fails: dict[str, list[BaseException | None]],
    ) -> None:
        self.deployment = deployment
        self.told = told
        self.fails = fails
        self.exit_code: int | None = None
        self.last_words = ""
        self.woken = 0
        self.waits: list[float] = []
        """How long it was waited for to start."""
        self.closure = deployment.closure
        self.has_work = False

    def hello(self) -> Hello:
        self._tell("hello")
        return Hello(self.deployment.id, self.closure, ("shop",), ROUTES)

    def start(self) -> None:
        self._tell("start")
        self.has_work = True

    def started(self, timeout_s: float = ANSWER_S) -> None:
        self.waits.append(timeout_s)
        self._tell("started")

    def wake(self) -> None:
        self.woken += 1

    def drain(self, timeout_s: float) -> bool:
        self._tell("drain")
        self.exit_code = self.exit_code or 0
        return True

    def kill(self) -> None:
        self._tell("kill")
        self.exit_code = -9 if self.exit_code is None else self.exit_code

    def _tell(self, what: str) -> None:
        self.told.append((what, self.deployment.id))
        errors = self.fails.get(what)
        error = errors.pop(0) if errors else None
        if error:
            raise error


class House:
    """One environment: decisions, an agent, and the processes it started."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.told: list[tuple[str, str]] = []
        self.fails: dict[str, list[BaseException | None]] = {}
        self.branch = Branch(self.told)
        self.clock = VirtualClock(NOW)
        self.processes: list[Process] = []
        self.lines: list[str] = []
        self.on_subscribe: Callable[[str], None] = lambda url: None
        self.removals: list[tuple[str, tuple[str, ...]]] = []
        self.public_url = "http://intake.test"
        self.listen = ""
        self.poll_seconds = 5.0
        self.secret: Callable[[str], str] = SECRETS.__getitem__
        self.closure = ""
        """What processes say they run, instead of the truth."""
        self.watch: Watch | None = None
        self.agent = self.make_agent()

    def make_agent(self) -> Agent:
        return Agent(
            "dev",
            AgentSection(
                listen=self.listen,
                public_url=self.public_url,
                state="state",
                state_key="env:KEY",
                poll_seconds=self.poll_seconds,
            ),
            self.branch,
            state=self.state,
            clock=self.clock,
            name="host",
            spawn=self.spawn,
            secret=self.find_secret,
            connect=self.connect,
            log=self.lines.append,
            watch=self.watch,
        )

    def find_secret(self, reference: str) -> str:
        """As the machine has it now, which may change while the agent runs."""
        return self.secret(reference)

    def restart(self) -> None:
        self.agent.stop()
        self.told.clear()
        self.agent = self.make_agent()
        self.agent.start()

    def deploy(self, deployment: Deployment) -> Process:
        self.branch.decide(deployment)
        self.agent.step()
        return self.processes[-1]

    def spawn(self, directory: Path, state: Path, on_message: Callable[[Mapping[str, Any]], None]) -> Process:
        deployment = Deployment.model_validate_json((directory / "deployment.json").read_text())
        self.told.append(("spawn", deployment.id))
        self.processes.append(Process(deployment, self.told, self.fails))
        self.processes[-1].closure = self.closure or deployment.closure
        return self.processes[-1]

    def connect(self, name: str, config: Connection) -> Shop:
        return Shop(self.told, self.fails, self.on_subscribe, self.removals)

    def working(self) -> list[str]:
        """Deployments whose worker lives and was told to start."""
        return [p.deployment.id for p in self.processes if p.exit_code is None and p.has_work]

    def hold(self, deployment: Deployment) -> None:
        self.branch.holds += (
            Hold(
                integration=deployment.integration,
                closure=deployment.closure,
                version=deployment.version,
                reason="r",
                by="b",
                at=NOW,
            ),
        )

    def active(self, integration: str = "orders") -> str | None:
        store = Store.open(self.state / "state.sqlite", ring=KeyRing.of(KEY), clock=self.clock)
        try:
            active = store.active(integration)
        finally:
            store.close()
        return active.deployment.id if active else None


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.agent.start()
    yield house
    house.agent.stop()


ONE, TWO = make_deployment(1), make_deployment(2)


def test_a_decision_is_prepared_activated_verified_and_reported(house: House) -> None:
    house.deploy(ONE)
    assert house.told == [
        ("materialise", ONE.id),
        ("spawn", ONE.id),
        ("hello", ONE.id),
        ("probe", ""),
        ("subscribe", "order-placed"),
        ("start", ONE.id),
        ("started", ONE.id),
        ("probe", ""),
    ]
    assert house.branch.states(ONE) == [("activated", ""), ("verified", "")]
    assert house.active() == ONE.id


def test_a_decision_that_runs_already_changes_nothing(house: House) -> None:
    house.deploy(ONE)
    before = list(house.told)
    house.agent.step()
    assert house.told == before


def test_the_old_worker_is_gone_before_the_new_one_gets_work(house: House) -> None:
    """A record is under one deployment at a time."""
    house.deploy(ONE)
    house.deploy(TWO)
    order = [step for step in house.told if step in {("drain", ONE.id), ("start", TWO.id)}]
    assert order == [("drain", ONE.id), ("start", TWO.id)]
    assert ("hello", TWO.id) in house.told[: house.told.index(("drain", ONE.id))], "it is ready before"
    assert house.branch.states(ONE)[-1] == ("drained", "")
    assert house.active() == TWO.id


def test_a_worker_is_woken_once_hints_can_find_it(house: House) -> None:
    """A hint that was stored while the work changed hands would else wait for the next one."""
    process = house.deploy(ONE)
    assert process.woken == 1
    process.exit_code = 1
    house.agent.step()
    house.clock.advance(1)
    house.agent.step()
    assert house.processes[-1].woken == 1


def test_a_hook_is_answered_while_it_is_registered(tmp_path: Path) -> None:
    """The shop sends a GET to the address before it uses it."""
    house = House(tmp_path)
    house.listen = "127.0.0.1:0"
    house.agent = house.make_agent()
    house.agent.start()
    seen = []

    def look(url: str) -> None:
        assert house.agent.server
        at = url.replace("http://intake.test", f"http://127.0.0.1:{house.agent.server.port}")
        seen.append(httpx.get(f"{at}/order-placed/{TOKEN}", trust_env=False).status_code)

    house.on_subscribe = look
    house.deploy(ONE)
    house.agent.stop()
    assert seen == [200]


FAILURES: Mapping[str, TaglineError] = {
    "hello": UsageError("no such flow", code="integration-invalid"),
    "probe": NotAuthorisedError("the shop says no", code="not-authorised"),
    "subscribe": TryAgainError("the shop is away", code="remote-away"),
}


@pytest.mark.parametrize("stage", FAILURES)
def test_a_deployment_that_cannot_be_prepared_leaves_the_old_one_at_work(house: House, stage: str) -> None:
    old = house.deploy(ONE)
    house.fails[stage] = [FAILURES[stage]]
    new = house.deploy(TWO)
    assert (old.exit_code, new.exit_code) == (None, -9)
    assert house.branch.states(TWO) == [("failed", FAILURES[stage].code)]
    assert house.branch.rolled_back == []
    assert house.active() == ONE.id


def test_a_failed_deployment_is_tried_again_only_when_decided_again(house: House) -> None:
    house.fails["hello"] = [FAILURES["hello"]]
    house.deploy(ONE)
    house.agent.step()
    assert house.told.count(("spawn", ONE.id)) == 1
    house.deploy(TWO)
    assert house.branch.states(TWO) == [("activated", ""), ("verified", "")]


def test_what_this_machine_lacked_is_tried_again_by_itself_and_less_and_less_often(house: House) -> None:
    gone = UsageError("ca.pem cannot be read", code="ca-file-unreadable")
    house.fails["hello"] = [gone, gone]
    house.deploy(ONE)
    for _ in range(3 * 60 - 1):
        house.clock.advance(1)
        house.agent.step()
    assert house.told.count(("spawn", ONE.id)) == 2
    assert house.branch.states(ONE) == [("failed", "ca-file-unreadable")]
    house.clock.advance(1)
    house.agent.step()
    assert house.branch.states(ONE)[1:] == [("activated", ""), ("verified", "")]


def test_an_agent_whose_decided_deployment_does_not_work_is_not_well(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.watch = Watch(
        EnvironmentConfig.model_validate(tomllib.loads(CONFIG)),
        agent="host",
        state=house.state,
        clock=house.clock,
        redact=Redactor(),
        log=house.lines.append,
        secret=SECRETS.__getitem__,
    )
    house.agent = house.make_agent()
    house.agent.start()
    house.deploy(ONE)
    house.fails["hello"] = [UsageError("no such flow", code="integration-invalid", hint="correct it")]
    house.deploy(TWO)
    house.clock.advance(60)
    house.agent.step()
    health = house.watch.health
    assert health.faults == (f"{TWO.id} (1.2.0) is decided and does not work here (integration-invalid)",)
    assert [each.has_worker for each in health.posts] == [True], "what ran before goes on"
    house.deploy(make_deployment(3))
    house.clock.advance(60)
    house.agent.step()
    assert house.watch.health.is_well
    house.agent.stop()


@pytest.mark.parametrize("way", ["deploy", "rollback"])
def test_a_deployment_that_could_write_nothing_for_want_of_the_key_does_not_take_over(
    house: House, way: str
) -> None:
    old = house.deploy(ONE)
    store = Store.open(house.state / "state.sqlite", ring=KeyRing.of(KEY), clock=house.clock)
    newer = make_key()
    ring = KeyRing.of(f"{newer.text}\n{KEY}")
    with store.database.write() as conn:
        sealing_key(conn, ring, house.clock.now())
    store.close()
    house.deploy(TWO if way == "deploy" else make_deployment(2, closure=ONE.closure))
    assert house.branch.states(TWO) == [("failed", "key-ring-behind")]
    assert newer.id in house.branch.reports[-1].message
    assert old.exit_code is None
    assert house.active() == ONE.id


CRASHED = TaglineError("KeyError at flows.py:7", code="worker-crashed")


@pytest.mark.parametrize("stage", ["started", "probe"])
def test_a_failed_verify_gives_the_work_back_and_rolls_back_once(house: House, stage: str) -> None:
    house.deploy(ONE)
    error = NotAuthorisedError("no", code="not-authorised")
    house.fails[stage] = [error] if stage == "started" else [None, error]
    house.deploy(TWO)
    house.agent.step()
    assert house.branch.states(TWO) == [("activated", ""), ("failed", "not-authorised")]
    assert house.branch.rolled_back == [(TWO.id, False)]
    assert house.active() == ONE.id
    assert house.working() == [ONE.id]
    assert house.told[-6:] == [
        ("kill", TWO.id),
        ("spawn", ONE.id),
        ("hello", ONE.id),
        ("start", ONE.id),
        ("started", ONE.id),
        ("probe", ""),
    ]


def test_a_worker_that_runs_something_else_is_not_verified(house: House) -> None:
    house.closure = "sha256:other"
    house.deploy(ONE)
    assert house.branch.states(ONE) == [("activated", ""), ("failed", "digest-differs")]


def test_a_rollback_waits_for_a_hub_that_is_away_and_is_then_done_once(house: House) -> None:
    house.deploy(ONE)
    house.fails["started"] = [CRASHED]
    house.branch.rollback_error = TryAgainError("the hub is away", code="hub-away")
    house.deploy(TWO)
    house.agent.step()
    house.branch.rollback_error = None
    house.agent.step()
    house.agent.step()
    assert house.branch.rolled_back == [(TWO.id, True)]


def test_a_rollback_that_is_refused_is_not_asked_for_again(house: House) -> None:
    house.fails["started"] = [CRASHED]
    house.branch.rollback_error = RefusedError("nothing earlier", code="nothing-earlier")
    house.deploy(ONE)
    house.branch.rollback_error = None
    house.agent.step()
    assert house.branch.rolled_back == []


def test_an_unreachable_hub_stops_nothing_and_is_said_once(house: House) -> None:
    process = house.deploy(ONE)
    house.branch.away = True
    for _ in range(3):
        house.agent.step()
    assert process.exit_code is None
    assert len([line for line in house.lines if "hub-away" in line]) == 1
    house.branch.away = False
    house.agent.step()
    assert "decisions of dev: works again" in house.lines


def test_reports_wait_for_the_hub_and_keep_their_order(house: House) -> None:
    process = house.deploy(ONE)
    house.branch.away = True
    process.exit_code = 1
    house.agent.step()
    house.clock.advance(1)
    house.agent.step()
    house.branch.away = False
    house.agent.step()
    assert house.branch.states(ONE)[2:] == [("failed", "worker-died"), ("verified", "")]


def test_a_worker_that_dies_is_restarted_after_a_growing_wait(house: House) -> None:
    process = house.deploy(ONE)
    for delay in (1, 2, 4):
        process.exit_code = -9
        house.agent.step()
        house.clock.advance(delay - 0.1)
        house.agent.step()
        assert house.processes[-1] is process
        house.clock.advance(0.1)
        house.agent.step()
        assert house.processes[-1] is not process
        process = house.processes[-1]


def test_a_dead_worker_s_last_words_are_reported(house: House) -> None:
    process = house.deploy(ONE)
    process.exit_code, process.last_words = 2, "no secret at env:X (secret-missing)"
    house.agent.step()
    assert house.branch.reports[-1].message == (
        "the worker ended with exit code 2: no secret at env:X (secret-missing); restart in 1 s"
    )


def test_what_cannot_be_resumed_is_reported_once_and_tried_again(house: House) -> None:
    house.deploy(ONE)
    house.fails["hello"] = [FAILURES["hello"], FAILURES["hello"]]
    house.restart()
    for delay in (1, 2, RESTART_MAX_S):
        house.agent.step()
        house.clock.advance(delay)
    house.agent.step()
    assert house.branch.states(ONE)[2:] == [("failed", "integration-invalid"), ("verified", "")]


def test_a_worker_that_lived_long_is_restarted_soon(house: House) -> None:
    for _ in range(4):
        house.clock.advance(3600)
        house.agent.step()
        (house.processes[-1] if house.processes else house.deploy(ONE)).exit_code = 1
        house.agent.step()
        house.clock.advance(1)
        house.agent.step()
    assert len(house.processes) == 5


def test_the_wait_grows_to_a_minute() -> None:
    assert [restart_delay_s(n) for n in (1, 2, 3, 6, 7, 10_000)] == [1, 2, 4, 32, 60, 60]


def test_an_agent_that_starts_again_resumes_what_was_active(house: House) -> None:
    house.deploy(ONE)
    house.restart()
    assert house.told == [("spawn", ONE.id), ("hello", ONE.id), ("start", ONE.id)]


def test_without_a_hub_an_agent_resumes_the_last_decision(house: House) -> None:
    house.deploy(ONE)
    house.branch.away = True
    house.restart()
    assert ("start", ONE.id) in house.told


def test_what_was_decided_meanwhile_runs_instead_of_the_old(house: House) -> None:
    """A release that was rolled back while the agent was away must not run again, not for a moment."""
    house.deploy(ONE)
    house.agent.stop()
    house.branch.decide(TWO)
    house.restart()
    house.agent.step()
    assert ("spawn", ONE.id) not in house.told
    assert house.active() == TWO.id


@pytest.mark.parametrize("held", [False, True])
def test_an_old_deployment_steps_in_for_one_that_fails_unless_it_is_held(house: House, held: bool) -> None:
    house.deploy(ONE)
    house.agent.stop()
    house.branch.decide(TWO)
    if held:
        house.hold(ONE)
    house.fails["hello"] = [FAILURES["hello"]]
    house.restart()
    house.agent.step()
    assert (("start", ONE.id) in house.told) is not held


def test_a_state_folder_without_its_deployments_is_made_whole(house: House) -> None:
    house.deploy(ONE)
    house.agent.stop()
    shutil.rmtree(house.state / "deployments")
    house.restart()
    house.agent.step()
    assert ("start", ONE.id) in house.told


def test_one_agent_a_state_folder(house: House) -> None:
    assert len([line for line in house.lines if "Ctrl-C ends it" in line]) == 1
    with pytest.raises(RefusedError) as raised:
        house.make_agent().start()
    assert raised.value.code == "agent-running"
    assert str(os.getpid()) in raised.value.message
    assert len([line for line in house.lines if "Ctrl-C ends it" in line]) == 1, "it must not announce itself"
    assert "takes no webhooks, webhooks are registered at http://intake.test" in house.lines[0]
    house.restart()


def test_an_integration_that_is_no_longer_wanted_is_drained(house: House) -> None:
    house.deploy(ONE)
    del house.branch.deployments["orders"]
    house.agent.step()
    assert house.told[-1] == ("drain", ONE.id)
    assert house.branch.states(ONE)[-1] == ("drained", "")


def test_one_integration_that_fails_stops_no_other(house: House) -> None:
    other = make_deployment(1, "billing")
    house.fails["hello"] = [ValueError("a bug")]
    house.branch.decide(other, ONE)
    house.agent.step()
    assert house.active() == ONE.id
    assert any("ValueError" in line and "a bug" not in line for line in house.lines)


def test_only_the_last_deployment_before_is_kept(house: House) -> None:
    for number in (1, 2, 3):
        house.deploy(make_deployment(number))
    assert sorted(p.name for p in (house.state / "deployments").iterdir()) == [TWO.id, "orders-000003"]


HOOKS = "hooks/orders/shop"


def test_webhooks_that_a_verified_deployment_no_longer_uses_are_removed(house: House) -> None:
    """Those of an older token or event stand below the same address; those of an older address below another."""
    house.deploy(ONE)
    assert house.removals == [(f"http://intake.test/{HOOKS}", ("order-placed",))]
    house.public_url = "http://moved.test"
    house.restart()
    house.removals.clear()
    house.deploy(TWO)
    assert house.removals == [
        (f"http://intake.test/{HOOKS}", ()),
        (f"http://moved.test/{HOOKS}", ("order-placed",)),
    ]


def test_webhooks_of_a_deployment_that_fails_to_be_verified_remove_none(house: House) -> None:
    house.deploy(ONE)
    house.removals.clear()
    house.fails["started"] = [UsageError("no", code="worker-crashed")]
    house.deploy(TWO)
    assert house.removals == []


def test_a_webhook_that_cannot_be_removed_is_told_and_harms_nobody(house: House) -> None:
    house.fails["unsubscribe"] = [NotAuthorisedError("no right to", code="not-authorised")]
    house.deploy(ONE)
    assert house.branch.states(ONE) == [("activated", ""), ("verified", "")]
    assert any("remove them by hand: no right to" in line for line in house.lines)


def test_a_webhook_that_this_machine_may_not_register_is_a_note_and_the_sweep_goes_on(house: House) -> None:
    refused = RefusedError("not from here", code="webhook-not-registered")
    house.fails["subscribe"] = [refused]
    process = house.deploy(ONE)
    assert process.has_work
    notes = {r.state: r.message for r in house.branch.reports if r.deployment == ONE.id}
    assert notes["activated"] == notes["verified"]
    assert "not from here" in notes["verified"]
    assert "`tagline solution import orders --env dev`" in notes["verified"]


def test_any_other_refusal_of_a_webhook_fails_the_deployment(house: House) -> None:
    house.fails["subscribe"] = [RefusedError("no", code="remote-malformed")]
    house.deploy(ONE)
    assert house.branch.states(ONE) == [("failed", "remote-malformed")]


def test_stopping_lets_workers_finish(house: House) -> None:
    house.deploy(ONE)
    house.agent.stop()
    assert house.told[-1] == ("drain", ONE.id)


def test_it_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.branch.decide(ONE)
    stop = threading.Event()
    verified = threading.Event()
    report = house.branch.report
    house.branch.report = lambda r: (report(r), verified.set() if r.state == "verified" else None)  # type: ignore[method-assign, assignment, return-value]
    running = threading.Thread(target=house.make_agent().run, args=(stop,))
    running.start()
    assert verified.wait(5)
    stop.set()
    running.join(5)
    assert not running.is_alive()
    assert house.told[-1] == ("drain", ONE.id)
