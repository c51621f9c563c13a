"""The agent's watch from facts to people: what it tells, when, and what never gets out of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.runtime.making import START, make_deployment, make_hint, make_store

from tagline.clock import VirtualClock
from tagline.domain.alerting import Message
from tagline.domain.arrivals import WEEK
from tagline.domain.environment import EnvironmentConfig
from tagline.domain.redaction import Redactor
from tagline.errors import RecordError, TryAgainError, UsageError
from tagline.runtime.agents import FORGOTTEN_AFTER, GONE_AFTER, Fellows, all_agents
from tagline.runtime.alerts import all_alerts
from tagline.runtime.arrivals import ArrivalBook
from tagline.runtime.health import FailedDeployment, PostHealth
from tagline.runtime.inbox import Dead
from tagline.runtime.places import Place, PostgresSchema, SqliteFile
from tagline.runtime.secrecy import redactor_of
from tagline.runtime.store import Store
from tagline.runtime.watch import EVERY, Watch

WAIT_S = 10.0
CANARIES = ("s3cr3t-canary-of-the-channel", "4111111111111111", "jane@canary.example")
SECRETS = {
    "env:CHANNEL": f"json://host/{CANARIES[0]}",
    "env:BEAT": "https://beats.example/0123456789abcdefghij",
}


def make_config(**sections: Any) -> EnvironmentConfig:
    return EnvironmentConfig.model_validate(
        {
            "environment": "dev",
            "agent": {"public_url": "https://hooks.example", "state": "state", "state_key": "env:KEY"},
            "connections": {},
            "alerts": {"channels": ["env:CHANNEL"]},
            **sections,
        }
    )


def secret(reference: str) -> str:
    if reference not in SECRETS:
        raise UsageError("there is none", code="secret-missing")
    return SECRETS[reference]


class Beats(httpx.BaseTransport):
    def __init__(self) -> None:
        self.asked = 0
        self.status = 200

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(self.status)


class Scene:
    """A watch on a virtual clock, with a channel that keeps what it is told."""

    def __init__(self, store: Store, clock: VirtualClock, state: Path, config: EnvironmentConfig) -> None:
        self.store, self.clock, self.state, self.config = store, clock, state, config
        self.told: list[Message] = []
        self.lines: list[str] = []
        self.is_away = False
        self.beats = Beats()
        self.posts: tuple[PostHealth, ...] = ()
        self.watch = self.make("host")

    def make(self, agent: str) -> Watch:
        redact = redactor_of(self.config, secret)
        watch = Watch(
            self.config,
            agent=agent,
            state=self.state / agent,
            clock=self.clock,
            redact=redact,
            log=lambda line: self.lines.append(redact(line)),
            secret=secret,
            sender=lambda _reference, _url: self.take,
            transport=self.beats,
        )
        watch.begin(self.store)
        return watch

    def take(self, message: Message) -> None:
        if self.is_away:
            raise TryAgainError("away", code="channel-failed")
        self.told.append(message)

    def look(self, times: int = 1, watch: Watch | None = None) -> None:
        """Look so often, `EVERY` apart, each time until what it gave to its threads is done."""
        for _ in range(times):
            self.clock.advance(EVERY.total_seconds())
            (watch or self.watch).look(self.posts)
            (watch or self.watch).settle(WAIT_S)

    @property
    def titles(self) -> list[str]:
        return [message.title for message in self.told]


@contextmanager
def scene(place: Place, state: Path, **sections: Any) -> Iterator[Scene]:
    clock = VirtualClock(START)
    with closing(make_store(place, clock)) as store:
        made = Scene(store, clock, state, make_config(**sections))
        yield made
        made.watch.end()


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path / "state.sqlite")


AWAY = {"trouble": {"topic": "connection shop", "reason": "the shop is away (connection-away)"}}
BACK = {"trouble": {"topic": "connection shop", "reason": ""}}


def test_a_remote_that_is_away_is_told_once_and_once_that_it_is_back(place: Place, tmp_path: Path):
    with scene(place, tmp_path) as made:
        made.watch.hear("orders-000001", AWAY)
        made.look(4)
        assert made.told == []
        made.look(10)
        assert made.titles == ["[dev] alert: remote-down orders"]
        assert "https://hooks.example" in made.told[0].body
        made.watch.hear("orders-000001", BACK)
        made.look(10)
        assert made.titles[1:] == ["[dev] resolved: remote-down orders"]


BEHIND = {
    "activity": {"stopped": "key-ring-behind"},
    "stopped": {"message": f"lacks key 1a2b, says {CANARIES[0]}", "hint": "copy it"},
}


def test_a_worker_that_stops_is_not_well_and_says_why_and_what_to_do(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path, alerts={"channels": ["env:CHANNEL"], "heartbeat_url": "env:BEAT"}) as made:
        made.posts = (WELL,)
        made.watch.hear("orders-000001", BEHIND)
        made.look(10)
        assert made.titles == ["[dev] alert: worker-stopped orders"]
        assert made.beats.asked == 0
        told = made.watch.tell()
        assert told["faults"] == ["the worker of orders has stopped (key-ring-behind)"]
        (stop,) = told["stopped"]
        assert (stop["code"], stop["message"], stop["hint"]) == (
            "key-ring-behind",
            "lacks key 1a2b, says ***",
            "copy it",
        )
        made.watch.hear("orders-000001", {"activity": {"done": 1, "stopped": ""}})
        made.look(10)
        assert made.watch.health.is_well
        assert made.titles[1:] == ["[dev] resolved: worker-stopped orders"]


def test_a_decided_deployment_that_does_not_work_here_is_told(file: SqliteFile, tmp_path: Path):
    failed = FailedDeployment("orders", "orders-000002", "1.1.0", "secret-missing", "no", "h", START, None)
    with scene(file, tmp_path) as made:
        made.clock.advance(EVERY.total_seconds())
        made.watch.look((WELL,), (failed,))
        made.watch.settle(WAIT_S)
        assert made.titles == ["[dev] alert: deployment-failed orders"]
        assert not made.watch.health.is_well
        made.posts = (WELL,)
        made.look()
        assert made.titles[1:] == ["[dev] resolved: deployment-failed orders"]


def test_what_was_on_before_there_was_a_channel_is_told_to_the_first(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path, alerts={}) as made:
        made.store.receive([make_hint()])
        made.watch.hear("orders-000001", AWAY)
        made.clock.advance(16 * 60)
        made.look(2)
        made.watch.hear("orders-000001", BACK)
        made.look(6)
        made.watch.end()
        with made.store.database.read() as conn:
            assert [(each.kind, each.told) for each, _ in all_alerts(conn)] == [("oldest-waiting", "")]
        made.config = make_config()
        made.watch = made.make("host")
        made.look(2)
        assert made.titles == ["[dev] alert: oldest-waiting orders"]


def test_an_alarm_is_told_once_over_a_restart_of_the_agent(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path) as made:
        made.store.receive([make_hint()])
        made.clock.advance(16 * 60)
        made.look(2)
        made.watch.end()
        made.watch = made.make("host")
        made.look(2)
        assert made.titles == ["[dev] alert: oldest-waiting orders"]
        made.clock.advance(24 * 3600)
        made.look(2)
        assert made.titles[1:] == ["[dev] still: oldest-waiting orders"]


def test_two_agents_tell_what_both_see_once(postgres_schema: PostgresSchema, tmp_path: Path):
    with scene(postgres_schema, tmp_path) as made:
        other = made.make("other")
        made.store.receive([make_hint()])
        made.clock.advance(16 * 60)
        for watch in (made.watch, other) * 2:
            made.look(watch=watch)
        assert made.titles == ["[dev] alert: oldest-waiting orders"]
        other.end()


def test_an_agent_that_is_gone_is_told_by_the_others(postgres_schema: PostgresSchema, tmp_path: Path):
    with scene(postgres_schema, tmp_path) as made:
        made.look(watch=made.make("dead"))
        made.look(2)
        assert made.told == []
        made.look(7)
        assert [title.rpartition("-")[0] for title in made.titles] == ["[dev] alert: agent-gone dead"]


def test_an_agent_that_ends_by_intention_is_not_gone(postgres_schema: PostgresSchema, tmp_path: Path):
    with scene(postgres_schema, tmp_path) as made:
        other = made.make("other")
        made.look(watch=other)
        other.end()
        made.look(12)
        assert made.told == []


def test_a_silent_flow_is_told_from_what_the_weeks_before_taught(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path) as made:
        for number in range(15 * 8):
            made.store.receive([make_hint(f"k{number}", source="sweep")])
            made.clock.advance(3 * 3600)
        made.look(2)
        made.told.clear()  # that nobody works on them is another matter
        made.clock.advance(9 * 3600)
        made.look(2)
        assert "[dev] alert: silence orders/sync" in made.titles
        made.store.receive([make_hint("new", source="webhook")])
        made.look(2)
        assert made.titles[-1] == "[dev] resolved: silence orders/sync"


def test_a_channel_that_is_away_gets_everything_when_it_is_back(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path) as made:
        made.is_away = True
        made.watch.hear("orders-000001", AWAY)
        made.look(12)
        assert made.told == []
        assert any("alert channel env:CHANNEL" in line for line in made.lines)
        made.is_away = False
        made.look(20)
        assert made.titles[:1] == ["[dev] alert: remote-down orders"]


def test_nothing_of_a_record_or_a_secret_gets_out(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path, telemetry={"metrics": True}) as made:
        made.store.activate(make_deployment(), {})
        hints = [make_hint(f"{CANARIES[1]}-{number}") for number in range(6)]
        made.store.receive(hints)
        error = RecordError(f"{CANARIES[2]} pays by {CANARIES[1]}", code="record-malformed", hint=CANARIES[0])
        rows = made.store.claim([row.id for row in made.store.ready("orders", START, 9)], "holder")
        finished = [Dead(row, error) for row in rows]
        made.store.finish(finished, holder="holder", deployment="orders-000001", read_at=START)
        made.watch.hear(
            "orders-000001",
            {
                "trouble": {
                    "topic": "sweep of sync",
                    "reason": f"{CANARIES[2]}, {CANARIES[0]} (answer-malformed)",
                }
            },
        )
        made.look(20)
        assert {"[dev] alert: dead-letters orders/sync", "[dev] alert: remote-down orders"} <= set(
            made.titles
        )
        assert made.watch.metrics is not None
        out = [
            *(f"{message.title} {message.body}" for message in made.told),
            *made.lines,
            json.dumps(made.watch.tell()),
            made.watch.metrics.render().decode(),
        ]
        assert [(canary, text) for text in out for canary in CANARIES if canary in text] == []


def post(**changed: Any) -> PostHealth:
    return PostHealth(**{**vars(WELL), **changed})


WELL = PostHealth("orders", "orders-000001", "1.0.0", True, True, START)
HELLO: Mapping[str, Any] = {"hello": {"sweeps": {"sync": 60.0}}}


def test_the_heart_beats_only_while_the_agent_is_well(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path, alerts={"heartbeat_url": "env:BEAT"}) as made:
        made.posts = (WELL,)
        made.look(4)
        assert made.beats.asked >= 1
        made.posts = (post(has_worker=False),)
        made.look()
        before = made.beats.asked
        made.look(10)
        assert made.beats.asked == before
        assert made.watch.health.faults == ("orders has no worker",)


@pytest.mark.parametrize(
    ("beat", "told"),
    [
        (
            "beats.example",
            "what stands at `alerts.heartbeat_url` is no http or https address (heartbeat-invalid)",
        ),
        (None, "there is none (secret-missing)"),
    ],
    ids=["no address", "missing"],
)
def test_a_wrong_heartbeat_is_an_alarm_and_keeps_no_agent_from_its_work(
    file: SqliteFile, tmp_path: Path, beat: str | None, told: str, monkeypatch: pytest.MonkeyPatch
):
    if beat is None:
        monkeypatch.delitem(SECRETS, "env:BEAT")
    else:
        monkeypatch.setitem(SECRETS, "env:BEAT", beat)
    with scene(file, tmp_path, alerts={"heartbeat_url": "env:BEAT", "channels": ["env:CHANNEL"]}) as made:
        made.posts = (WELL,)
        made.look(4)
        assert made.watch.health.is_well
        assert f"alerts.heartbeat_url: {told}" in made.lines
        assert made.titles == ["[dev] alert: alert-channel alerts.heartbeat_url"]


def test_a_heartbeat_that_nobody_hears_is_an_alarm_after_some_minutes(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path, alerts={"heartbeat_url": "env:BEAT", "channels": ["env:CHANNEL"]}) as made:
        made.posts = (WELL,)
        made.beats.status = 404
        made.look(8)
        assert made.titles == []
        made.look(16)
        assert made.titles == ["[dev] alert: alert-channel alerts.heartbeat_url"]
        made.beats.status = 200
        made.look(10)
        assert made.titles[1:] == ["[dev] resolved: alert-channel alerts.heartbeat_url"]


def test_a_sweep_that_stands_still_stops_the_heart(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path, alerts={"heartbeat_url": "env:BEAT"}) as made:
        made.watch.hear("orders-000001", HELLO)
        made.posts = (WELL,)
        made.look()
        assert made.watch.health.is_well
        made.clock.advance(8 * 60)
        made.look()
        assert made.watch.health.faults == ("the sweep of orders/sync is late",)


def test_what_arrived_is_learned_hour_by_hour_and_outlives_the_inbox(place: Place):
    clock = VirtualClock(START)
    with closing(make_store(place, clock)) as store:
        for number in range(5):
            store.receive([make_hint(f"k{number}")])
            clock.advance(1800)
        ArrivalBook(store.database).look(clock.now())
        store.receive([make_hint("asked for", source="redrive")])
        book = ArrivalBook(store.database)
        book.look(clock.now())
        flow = ("orders", "sync")
        assert book.last == {flow: START + timedelta(hours=2)}
        assert book.usual_gap(flow, clock.now()) is None
        clock.advance(WEEK.total_seconds() * 2)
        later = ArrivalBook(store.database)
        later.look(clock.now())
        assert later.last == book.last


def test_agents_know_of_each_other_what_each_says(place: Place):
    with closing(make_store(place)) as store:
        one, other = Fellows(store.database, "one"), Fellows(store.database, "other")
        one.beat(START, {"well": True})
        one.beat(START + EVERY, {"well": False})
        with store.database.read() as conn:
            ((seen),) = all_agents(conn)
        assert (seen.name, seen.beat_at, seen.health) == ("one", START + EVERY, {"well": False})
        other.gone(START + EVERY)
        gone = other.gone(START + EVERY + GONE_AFTER)
        # On a file of one machine another name is an earlier life of the one agent.
        assert set(gone) == ({"one"} if place.is_shared else set())
        other.gone(START + EVERY + FORGOTTEN_AFTER)
        assert other.gone(START + 2 * FORGOTTEN_AFTER) == {}


def test_parts_of_a_secret_address_are_secrets_too():
    config = make_config(alerts={"heartbeat_url": "env:BEAT"})
    assert (
        redactor_of(config, secret)("GET beats.example/0123456789abcdefghij 200")
        == "GET beats.example*** 200"
    )
    assert Redactor()("GET beats.example/x 200") == "GET beats.example/x 200"


def test_a_watch_that_stumbles_leaves_the_agent_alone(file: SqliteFile, tmp_path: Path):
    with scene(file, tmp_path) as made:
        made.posts = (None,)  # type: ignore[assignment]
        made.look(2)
        assert [line.partition(":")[0] for line in made.lines] == ["the watch"]
        made.posts = ()
        made.look()
        assert made.lines[-1] == "the watch: works again"
