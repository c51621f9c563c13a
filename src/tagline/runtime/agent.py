"""
The agent of one environment: makes what runs equal to what was decided, and says what it did.

It reads decisions and writes reports; it never decides, but for the one automatic rollback of a deployment
that failed its own verification.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, Protocol

from tagline.clock import Clock
from tagline.connectors import connect
from tagline.connectors.budgets import governor_for
from tagline.connectors.entra import Tokens
from tagline.connectors.messages import Limits
from tagline.connectors.secrets import resolve_secret
from tagline.domain.environment import AgentSection, Connection, RetentionSection
from tagline.domain.exchange import Connector
from tagline.domain.lifecycle import Deployment, Desired, Report
from tagline.errors import RefusedError, TaglineError, TryAgainError
from tagline.runtime import deployed, locks, stages
from tagline.runtime.budget_rows import keep_in
from tagline.runtime.desk import with_metrics
from tagline.runtime.failures import Failures
from tagline.runtime.intake import CLOSED, Intake, away
from tagline.runtime.key_ring import ring_at
from tagline.runtime.notices import Listener
from tagline.runtime.places import PostgresSchema, state_place
from tagline.runtime.posts import Posts
from tagline.runtime.reporter import Reporter, as_ours, reason
from tagline.runtime.retention import Hourly
from tagline.runtime.serve import Server, serve
from tagline.runtime.stages import Means, Running
from tagline.runtime.store import Store
from tagline.runtime.supervisor import Spawn, spawn
from tagline.runtime.watch import Watch

_PASSING: Final = frozenset({"secret-missing", "state-key-invalid", "state-key-wrong", "state-unavailable"})
"""Codes of what may keep a state database from being opened and end without anybody changing the configuration."""


class Decisions(Protocol):
    """Where decisions come from and reports go; the environment's branches in production."""

    def current(self) -> Desired:
        """What the environment should run; `TryAgainError` when it cannot be read now."""
        ...

    def materialise(self, deployment: Deployment, directory: Path) -> None:
        """Write code, libraries, `config.toml` and `deployment.json` of a decision: whole or not at all, in place of what stands there."""
        ...

    def report(self, report: Report) -> None: ...

    def roll_back(self, deployment: Deployment, reason: str, *, hold: bool) -> None:
        """Decide that the deployment before this one runs again; `hold` keeps this one's closure from being deployed again."""
        ...


class Agent:
    """
    One agent per environment and state folder.

    Args:
        environment: Its name, for the log.
        config: The `[agent]` table; an empty `listen` serves no webhooks.
        state: Folder of the state database, deployments and lock.
        name: How the agent signs its reports, for example the host's name.
        keep: The `[retention]` table.
        log: Takes one line for people.
        watch: Tells people and monitors how the environment fares; None tells nobody.
    """

    def __init__(
        self,
        environment: str,
        config: AgentSection,
        decisions: Decisions,
        *,
        state: Path,
        clock: Clock,
        name: str,
        keep: RetentionSection = RetentionSection(),  # noqa: B008 - a frozen value
        spawn: Spawn = spawn,
        secret: Callable[[str], str] = resolve_secret,
        connect: Callable[[str, Connection], Connector] | None = None,
        log: Callable[[str], None],
        watch: Watch | None = None,
    ) -> None:
        self._watch = watch
        self._topic = f"decisions of {environment}"
        self._announcement = (
            f"agent {name} of {environment}: {_doors(config)}, state in {state}; Ctrl-C ends it"
        )
        self._config = config
        self._decisions = decisions
        self._state = state
        self._keep = keep
        self._place = state_place(state, environment)
        self._tokens = Tokens()
        self._clock = clock
        self._reporter = Reporter(decisions.report, agent=name, clock=clock, log=log)
        self._spawn = spawn
        self._secret = secret
        self._connect = connect or self._connect_really
        self._log = log
        self._bell = threading.Event()
        """Rung when a worker ends or the agent is to stop."""
        self._failures = Failures()
        self._decided: Mapping[str, Deployment] = {}
        """By integration, as last read."""
        self._rollbacks: dict[str, _Rollback] = {}
        self._held: frozenset[tuple[str, str]] = frozenset()
        """(integration, closure), as last read."""
        self._open: _Open | None = None
        self._waiting: Server | None = None
        """Tells senders to come back while the state database cannot be opened."""

    @property
    def server(self) -> Server | None:
        """The webhook server while the agent runs with one."""
        return self._open.server if self._open else self._waiting

    def start(self) -> None:
        """
        Take the state folder, start again what ran before, and open the intake.

        Raises:
            RefusedError: Another agent has the folder (code `agent-running`).
            TaglineError: The state database or the address cannot be had.
        """
        # Keys of records, and what the engine keeps, are for nobody else on this machine.
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(self._state / locks.AGENT)
        try:
            store = Store.open(
                self._place, ring=ring_at(self._config.state_key, self._secret), clock=self._clock
            )
        except BaseException:
            lock.close()
            raise
        self._log(self._announcement)
        watch = self._watch
        intake = Intake(
            watch.begin(store) if watch else store,
            self._wake,
            self._log,
            clock=self._clock,
            tells=watch.tell if watch else dict,
        )
        means = Means(
            state=self._state,
            public_url=self._config.public_url,
            store=store,
            intake=intake,
            materialise=self._decisions.materialise,
            spawn=self._spawn,
            connect=self._connect,
            secret=self._secret,
            on_message=self._hear,
            log=self._log,
        )
        self._open = _Open(lock, means, Posts(means, self._clock, self._reporter), self._hourly(store))
        if isinstance(self._place, PostgresSchema):
            self._open.listener = Listener(self._place, self._wake)
        try:
            self._resume(self._desired())
            app = with_metrics(intake, watch.metrics if watch else None)
            if self._waiting:
                self._waiting.lead_to(app)
                self._open.server, self._waiting = self._waiting, None
            elif self._config.listen:
                self._open.server = serve(app, self._config.listen, self._config.certificate)
        except BaseException:
            self.stop()
            raise

    def step(self) -> None:
        """Reconcile once: restart what died, perform what was decided, verify what works, report what was done."""
        self._now.posts.look_after()
        self._roll_back_the_failed()
        desired = self._desired()
        wanted = desired.deployments if desired and desired.head is not None else None
        for integration in sorted({*(wanted or ()), *self._now.posts}):
            try:
                if wanted is not None:
                    self._converge(integration, wanted.get(integration))
                self._verify(integration)
            except Exception as error:  # noqa: BLE001 - one integration never stops the others, nor the agent
                self._reporter.trouble(integration, reason(error))
            else:
                self._reporter.trouble(integration, "")
        self._wake_for_what_others_put_in()
        self._now.hourly.step()
        self._reporter.send()
        if self._watch:
            self._watch.look(self._now.posts.healths(), self._failures.of(self._decided.values()))

    def run(self, stop: threading.Event) -> None:
        """Start, reconcile until `stop` is set, then drain and end."""
        threading.Thread(target=self._ring_on, args=(stop,), name="agent-stop", daemon=True).start()
        try:
            self._start_when_it_can(stop)
            while not stop.is_set():
                self._bell.clear()
                self.step()
                if not stop.is_set():
                    self._bell.wait(self._pause_s())
        finally:
            self.stop()

    def stop(self) -> None:
        """Close the intake, let the workers finish what they hold, release the folder."""
        if self._waiting:
            self._waiting.stop()
            self._waiting = None
        if self._open is None:
            return
        if self._open.server:
            self._open.server.stop()
        self._open.posts.drain_all()
        self._reporter.send()
        means = self._open.means
        if self._open.listener:
            self._open.listener.stop()
        means.intake.stop()
        if self._watch:
            self._watch.end()
        means.store.close()
        self._open.lock.close()
        self._open = None

    def _start_when_it_can(self, stop: threading.Event) -> None:
        """Start; where deployments stand already, a key or database that is away is waited for, and so do senders."""
        while not stop.is_set():
            self._bell.clear()
            try:
                self.start()
            except TaglineError as error:
                worked_here = (self._state / "deployments").exists()
                if error.code not in _PASSING or not worked_here:
                    raise
                self._reporter.trouble(
                    "state database", f"cannot be opened, webhooks are told to come back: {reason(error)}"
                )
                if self._waiting:
                    self._waiting.lead_to(away(error.code))
                elif self._config.listen:
                    self._waiting = serve(away(error.code), self._config.listen, self._config.certificate)
                if not stop.is_set():
                    self._bell.wait(self._config.poll_seconds)
            else:
                self._reporter.trouble("state database", "")
                return

    # Reading and reporting

    def _desired(self) -> Desired | None:
        try:
            desired = self._decisions.current()
        except TaglineError as error:
            self._reporter.trouble(self._topic, f"cannot be read, what runs goes on: {reason(error)}")
            return None
        self._reporter.trouble(self._topic, "")
        if desired.head is not None:
            self._decided = desired.deployments
        self._held = frozenset((hold.integration, hold.closure) for hold in desired.holds)
        return desired

    def _report_drained(self, deployment: Deployment, drained: bool) -> None:
        if drained:
            self._reporter.report(deployment, "drained")
        else:
            message = f"the worker did not finish within {stages.DRAIN_S:g} s and was killed; its work is taken over"
            self._reporter.report(deployment, "drained", message, code="drain-timeout")

    # Converging

    def _converge(self, integration: str, wanted: Deployment | None) -> None:
        post = self._now.posts.get(integration)
        if wanted is None:
            self._retire(integration)
        elif post and post.deployment.id == wanted.id:
            return
        elif not self._failures.is_given_up(wanted.id, self._clock.now()):
            self._perform(wanted)

    def _perform(self, wanted: Deployment) -> None:
        """Prepare and activate a decision; to be verified is left to `_verify`."""
        means, posts = self._now.means, self._now.posts
        try:
            new = stages.prepare(means, wanted)
        except Exception as error:  # noqa: BLE001 - whatever it is, a deployment that is held may not profit from it
            self._fail(wanted, as_ours(error), may_pass=True)
            self._fall_back(wanted)
            return
        self._failures.forget(wanted.id)
        post = posts.leave(wanted.integration)
        before = post.deployment if post else None
        try:
            drained = stages.activate(means, new, post.running if post else None)
            if before:
                self._report_drained(before, drained)
            posts.man(new, before)
            self._reporter.report(wanted, "activated", "; ".join(new.notes))
        except BaseException as error:
            self._dismiss(new, before, error)
            if not isinstance(error, Exception):
                raise

    def _verify(self, integration: str) -> None:
        """Verify what works; a deployment that never was verified and fails is taken back, by a decision."""
        posts = self._now.posts
        try:
            posts.verify(integration)
        except TaglineError as error:
            post = posts.get(integration)
            if post is None or post.running is None:
                raise
            hold = stages.is_its_own(error, post.running)
            self._dismiss(post.running, post.before, error)
            identity = post.deployment.id
            self._rollbacks[identity] = _Rollback(post.deployment, f"verify failed: {reason(error)}", hold)
            self._roll_back_the_failed()

    def _dismiss(self, new: Running, before: Deployment | None, error: BaseException) -> None:
        """End a deployment that failed at its post; hints are still taken, for whoever works next."""
        self._now.posts.leave(new.deployment.integration)
        stages.end(new)
        if isinstance(error, Exception):
            self._fail(new.deployment, as_ours(error))
        if before:
            self._give_back(before)

    def _give_back(self, deployment: Deployment) -> None:
        """Let what worked before work again, unless it failed here itself or is held."""
        if self._is_held(deployment):
            self._log(f"{deployment.id}: is held and does not work again; what comes in waits")
        elif deployment.id not in self._failures:
            self._now.posts.give_back(deployment)

    def _is_held(self, deployment: Deployment) -> bool:
        return (deployment.integration, deployment.closure) in self._held

    def _fail(self, deployment: Deployment, error: TaglineError, *, may_pass: bool = False) -> None:
        if self._failures.add(deployment.id, error, self._clock.now(), may_pass=may_pass):
            self._reporter.report(deployment, "failed", error.message, code=error.code)

    def _retire(self, integration: str) -> None:
        """The environment no longer has this integration."""
        self._now.means.intake.shut(integration)
        self._stand_down(integration)

    def _stand_down(self, integration: str) -> None:
        post = self._now.posts.leave(integration)
        if post:
            self._report_drained(post.deployment, post.running is None or stages.drain(post.running))

    def _roll_back_the_failed(self) -> None:
        """Once per deployment; only a hub that is away is asked again."""
        if self._rollbacks:
            # A rollback goes to what was verified here: what we know of that must be told first.
            self._reporter.send()
        for identity, rollback in list(self._rollbacks.items()):
            try:
                self._decisions.roll_back(rollback.deployment, rollback.reason, hold=rollback.hold)
            except TryAgainError as error:
                self._reporter.trouble(identity, f"the rollback waits: {reason(error)}")
                continue
            except TaglineError as error:
                self._log(f"{identity}: no automatic rollback: {reason(error)}")
            del self._rollbacks[identity]

    # What ran before

    def _resume(self, desired: Desired | None) -> None:
        """Start what was active, unless something else was decided meanwhile; without an answer the last decision stands."""
        for active in self._active():
            wanted = desired.deployments.get(active.integration) if desired and desired.head else active
            if wanted is not None and wanted.id == active.id:
                self._now.means.intake.open(active.integration, CLOSED)
                self._now.posts.give_back(active)

    def _active(self) -> list[Deployment]:
        folder = self._state / "deployments"
        names = set()
        for place in folder.iterdir() if folder.exists() else ():
            try:
                names.add(deployed.deployment(place).integration)
            except TaglineError:
                continue
        found = (self._now.means.store.active(name) for name in sorted(names))
        return [active.deployment for active in found if active]

    def _fall_back(self, wanted: Deployment) -> None:
        """A new deployment could not be prepared: what was active goes on, unless it is held; the inbox keeps what comes."""
        post = self._now.posts.get(wanted.integration)
        if post is None:
            active = self._now.means.store.active(wanted.integration)
            if active:
                self._give_back(active.deployment)
        elif self._is_held(post.deployment):
            self._log(
                f"{post.deployment.id}: is held and stops, though {wanted.id} cannot take over; what comes in waits"
            )
            self._stand_down(wanted.integration)

    # Waiting and hearing

    def _pause_s(self) -> float:
        due = self._now.posts.next_due()
        until = self._config.poll_seconds if due is None else (due - self._clock.now()).total_seconds()
        return max(0.0, min(self._config.poll_seconds, until))

    def _wake_for_what_others_put_in(self) -> None:
        """Nobody rings for rows of another process, such as a redrive from the command line."""
        now = self._clock.now()
        for integration in self._now.posts:
            due = self._now.means.store.next_due(integration)
            if due is not None and due <= now:
                self._now.posts.wake(integration)

    def _wake(self, integration: str) -> None:
        if self._open:
            self._open.posts.wake(integration)

    def _ring_on(self, stop: threading.Event) -> None:
        stop.wait()
        self._bell.set()

    def _hear(self, deployment: str, message: Mapping[str, Any]) -> None:
        if self._watch:
            self._watch.hear(deployment, message)
        if "activity" in message:
            told = ", ".join(f"{what} {value}" for what, value in message["activity"].items() if value)
            self._log(f"{deployment}: {told or 'goes on'}")
            why = message.get("stopped")
            self._reporter.trouble(
                f"{deployment}: its worker",
                f"has stopped: {why['message']} ({message['activity']['stopped']}); next: {why['hint']}"
                if why
                else "",
            )
        if "trouble" in message:
            told = message["trouble"]
            self._reporter.trouble(f"{deployment}: {told['topic']}", told["reason"])
        if "exited" in message:
            self._bell.set()

    def _connect_really(self, name: str, config: Connection) -> Connector:
        # The agent only asks whether a remote is there; one that hangs must not keep it from a dead worker for minutes.
        limits = Limits(read_s=10.0, attempts=2)
        keep = keep_in(self._now.means.store.database, self._state, self._clock)
        governor = governor_for(config, self._clock, keep=keep)
        return connect(name, config, clock=self._clock, limits=limits, governor=governor, tokens=self._tokens)

    def _hourly(self, store: Store) -> Hourly:
        return Hourly(store.database, self._keep, self._clock, partial(self._reporter.trouble, "retention"))

    @property
    def _now(self) -> _Open:
        assert self._open is not None, "the agent is not started"
        return self._open


@dataclass
class _Open:
    """What the agent has open between start and stop."""

    lock: IO[str]
    means: Means
    posts: Posts
    hourly: Hourly
    server: Server | None = None
    listener: Listener | None = None


@dataclass(frozen=True)
class _Rollback:
    """A rollback the agent decided on and could not write down yet."""

    deployment: Deployment
    reason: str
    hold: bool


def _doors(config: AgentSection) -> str:
    where = f"listens on {config.listen}" if config.listen else "takes no webhooks"
    return f"{where}, webhooks are registered at {config.public_url}"


def _lock(path: Path) -> IO[str]:
    """Held by the open file, so that the system lets go of it however the agent ends."""
    handle = locks.take(path)
    if handle is None:
        raise RefusedError(
            f"another agent (process {locks.holder(path) or 'unknown'}) works on {path.parent}",
            code="agent-running",
            hint="stop it first, or give this environment a state folder of its own",
        )
    return handle
