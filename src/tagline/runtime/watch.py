"""
The agent's watch: looks at the environment every few seconds, and lets those know who should: people, a monitor, the dead man's switch.

It decides nothing about the work and never holds it up: it reads, judges by the pure rules, and hands what may hang to threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from tagline.clock import Clock
from tagline.connectors.budgets import Keep, pace_of
from tagline.connectors.checkup import last_day
from tagline.connectors.http import Transport
from tagline.connectors.secrets import resolve_secret
from tagline.domain.alert_rules import judge
from tagline.domain.alerting import (
    HEARTBEAT,
    Alert,
    BudgetFacts,
    Facts,
    FlowFacts,
    Kind,
    Trouble,
    message,
    occasion,
)
from tagline.domain.environment import EntraConnection, EnvironmentConfig, Identity
from tagline.domain.redaction import Redactor
from tagline.errors import TaglineError, UsageError
from tagline.runtime import snapshot as snapshots
from tagline.runtime.agents import Fellows
from tagline.runtime.alerts import AlertBook
from tagline.runtime.arrivals import ArrivalBook
from tagline.runtime.budget_rows import keep_in
from tagline.runtime.channels import Channel, Send, apprise_sender, ticket
from tagline.runtime.counts import Counts
from tagline.runtime.deliveries import Deliveries
from tagline.runtime.health import FailedDeployment, Health, PostHealth, SweepHealth
from tagline.runtime.hearing import Hearing
from tagline.runtime.heartbeat import IN_CLEAR, Heartbeat
from tagline.runtime.intake import Inbox
from tagline.runtime.metrics import Metrics
from tagline.runtime.reporter import reason
from tagline.runtime.snapshot import Snapshot
from tagline.runtime.store import Store
from tagline.runtime.telemetry import traces_of

EVERY: Final = timedelta(seconds=15)
"""Between two looks at the state database."""
EXPIRIES_EVERY: Final = timedelta(hours=1)
END_S: Final = 3.0
"""What an agent that ends waits for each of its channels."""
MISSED: Final = timedelta(minutes=3)
"""For so long may beats go unanswered before that is an alarm."""
BRIM: Final = 0.98
"""Share of a binding limit that counts as all of it."""


class Watch:
    """
    Watches one environment for one agent; `begin` with its state database, then `look` from its care loop.

    Args:
        agent: How the agent is called among its fellows.
        state: Its state folder.
        log: Takes one line for people.
        sender: Makes a channel's sender from a reference and the address that stands there.
        transport: Of the heartbeat; None is the network.
    """

    def __init__(
        self,
        config: EnvironmentConfig,
        *,
        agent: str,
        state: Path,
        clock: Clock,
        redact: Redactor,
        log: Callable[[str], None],
        secret: Callable[[str], str] = resolve_secret,
        sender: Callable[[str, str], Send] = apprise_sender,
        transport: Transport | None = None,
    ) -> None:
        self._config = config
        self._agent = agent
        self._state = state
        self._clock = clock
        self._redact = redact
        self._log = log
        self._secret = secret
        self._hearing = Hearing()
        self._counts = Counts()
        """Of what the intake takes in."""
        self._traces = traces_of(config.telemetry, config.environment, "agent", secret)
        self.metrics = Metrics(config.environment, version("tagline")) if config.telemetry.metrics else None
        rules = config.alerts
        self._channels = [Channel(each, sender(each, secret(each))) for each in rules.channels]
        self._books: _Books | None = None
        self._began = clock.now()
        self._heartbeat: Heartbeat | None = None
        self._heartbeat_wrong: TaglineError | None = None
        """Why there is none, though one is configured."""
        self._unheard_since: datetime | None = None
        if rules.heartbeat_url:
            try:
                self._heartbeat = Heartbeat(secret(rules.heartbeat_url), clock, transport)
            except TaglineError as error:
                self._heartbeat_wrong = error
        self._next: datetime | None = None
        self._expiries: tuple[datetime, Mapping[str, date]] | None = None
        self._full_since: dict[str, datetime] = {}
        self._no_worker_since: dict[str, datetime] = {}
        self._deaths: dict[str, int] = {}
        self._silent_troubles: dict[str, str] = {}
        self.health = Health(config.environment, agent, self._began)
        """As of the last look."""

    def begin(self, store: Store) -> Inbox:
        """The state database is open; returns it as the intake is to see it."""
        self._books = _Books(store, self._fellow(store), self._state, self._clock)
        self._began = self._clock.now()
        if self._heartbeat_wrong:
            self._trouble(HEARTBEAT, reason(self._heartbeat_wrong))
        elif self._heartbeat and self._heartbeat.is_in_clear:
            self._log(f"{HEARTBEAT}: {IN_CLEAR}")
        return Deliveries(store, store, self._config.environment, self._counts, self._traces, self._clock)

    def _fellow(self, store: Store) -> str:
        """Two agents of one machine have its name in common, unless they are given others."""
        if not store.database.place.is_shared:
            return self._agent
        return f"{self._agent}-{hashlib.sha256(str(self._state.resolve()).encode()).hexdigest()[:8]}"

    def end(self) -> None:
        """The agent ends by intention; what it was about to tell is told, if that is quick."""
        self.settle(END_S)
        if self._books:
            self._quietly("the agents' table", self._books.fellows.leave)
            self._books = None
        if self._heartbeat:
            self._heartbeat.close()
        if self._traces:
            self._traces.close()

    def tell(self) -> Mapping[str, Any]:
        """How the environment fared at the last look, for `/readyz`."""
        return self.health.plain()

    def hear(self, deployment: str, told: Mapping[str, Any]) -> None:
        """Take a line of a worker; called from its thread."""
        self._hearing.hear(deployment, told, self._clock.now())

    def look(self, posts: Sequence[PostHealth], failed: Sequence[FailedDeployment] = ()) -> None:
        """
        Look, if it is time to; called from the agent's care loop.

        Args:
            failed: Decided deployments that could not be brought to work here.
        """
        now = self._clock.now()
        if self._books is None:
            return
        if self._next is None or now >= self._next:
            self._next = now + EVERY
            self._quietly("the watch", lambda: self._look(self._opened, posts, failed, now))
        self._quietly("alerts", lambda: self._tell(self._opened, now))
        if self._heartbeat:
            self._beat(now, is_well=self.health.is_well)

    def settle(self, timeout_s: float) -> None:
        """Wait until what was given to threads has come to an end, so long for each at most."""
        now = self._clock.now()
        if self._heartbeat:
            self._beat(now, is_well=False, timeout_s=timeout_s)
        while self._books and any(channel.is_busy for channel in self._channels):
            before = [channel.left for channel in self._channels]
            self._quietly("alerts", lambda: self._tell(self._opened, now, timeout_s))
            if before == [channel.left for channel in self._channels]:
                return

    def _beat(self, now: datetime, *, is_well: bool, timeout_s: float = 0.0) -> None:
        assert self._heartbeat is not None
        ended, wrong = self._heartbeat.look(now, is_well=is_well, timeout_s=timeout_s)
        if ended:
            self._unheard_since = (self._unheard_since or now) if wrong else None
            self._trouble(HEARTBEAT, reason(wrong) if wrong else "")

    def _silent_channels(self, now: datetime) -> Mapping[str, datetime]:
        """Channels that take nothing, and the heartbeat where nobody hears it, with since when."""
        found = {each.name: each.failing_since for each in self._channels if each.failing_since}
        if self._heartbeat_wrong:
            found[HEARTBEAT] = self._began
        elif self._unheard_since and now - self._unheard_since >= MISSED:
            found[HEARTBEAT] = self._unheard_since
        return found

    @property
    def _opened(self) -> _Books:
        assert self._books is not None, "the watch has begun"
        return self._books

    # Looking

    def _look(
        self,
        books: _Books,
        posts: Sequence[PostHealth],
        failed: Sequence[FailedDeployment],
        now: datetime,
    ) -> None:
        try:
            seen: Snapshot | None = snapshots.take(books.store.database, now)
        except TaglineError:
            seen = None
        troubles = [
            replace(each, message=self._redact(each.message), hint=self._redact(each.hint))
            for each in self._hearing.troubles(now)
        ]
        budgets = self._budgets(books.keep) if seen else {}
        sweeps = [each for post in posts for each in self._sweeps(post, seen, now)]
        self.health = replace(
            self._fares(posts, sweeps, troubles, seen, now),
            failed=tuple(
                replace(each, message=self._redact(each.message), hint=self._redact(each.hint))
                for each in failed
            ),
        )
        if seen:
            facts = self._facts(books, seen, posts, troubles, budgets, now)
            judged = judge(facts, self._config.alerts, books.alerts.standing())
            for alert in books.alerts.look(judged, now):
                self._log(f"alert {alert.kind} {alert.subject}: {alert.state}: {alert.what}")
            books.alerts.adopt(facts.gone or ())
            on = tuple(" ".join(key) for key in books.alerts.standing())
            self.health = replace(self.health, alerts=on)
            books.fellows.beat(now, self.health.plain())
        if self.metrics:
            for integration, count in self._hearing.take_counts():
                self.metrics.count(integration, [count])
            self.metrics.count("", self._counts.take())
            self._count_deaths(posts)
            self.metrics.observe(seen, self.health, budgets, now)

    def _facts(
        self,
        books: _Books,
        seen: Snapshot,
        posts: Sequence[PostHealth],
        troubles: Sequence[Trouble],
        budgets: Mapping[str, tuple[float, float]],
        now: datetime,
    ) -> Facts:
        books.arrivals.look(now)
        flows = sorted({*seen.ended, *books.arrivals.last})
        for name, (used, _) in budgets.items():
            if used < BRIM:
                self._full_since.pop(name, None)
            else:
                self._full_since.setdefault(name, now)
        return Facts(
            environment=self._config.environment,
            at=now,
            observed_since=self._began,
            flows=tuple(
                FlowFacts(
                    *flow,
                    ended=seen.ended.get(flow, 0),
                    dead=seen.dead.get(flow, 0),
                    last_at=books.arrivals.last.get(flow),
                    usual_gap=books.arrivals.usual_gap(flow, now),
                )
                for flow in flows
            ),
            oldest=seen.oldest,
            expiries=self._ends(now),
            budgets=tuple(
                BudgetFacts(name, used, used_today, self._full_since.get(name))
                for name, (used, used_today) in budgets.items()
            ),
            remotes=tuple(each for each in troubles if each.about),
            stops=tuple(each for each in troubles if not each.about),
            failed=tuple(
                Trouble(each.integration, each.code, each.since, str(each)) for each in self.health.failed
            ),
            workers=self._without_worker(posts, now),
            webhooks={
                f"{post.integration}/{name}": post.since for post in posts for name in post.unregistered
            },
            gone=books.fellows.gone(now),
            channels=self._silent_channels(now),
            state_bytes=seen.state_bytes,
            state_budget=self._config.retention.max_bytes,
        )

    def _fares(
        self,
        posts: Sequence[PostHealth],
        sweeps: Sequence[SweepHealth],
        troubles: Sequence[Trouble],
        seen: Snapshot | None,
        now: datetime,
    ) -> Health:
        waiting: dict[str, int] = {}
        for (_, lane), number in seen.waiting.items() if seen else ():
            waiting[lane] = waiting.get(lane, 0) + number
        oldest = min(seen.oldest.values(), default=now) if seen else now
        return Health(
            environment=self._config.environment,
            agent=self._agent,
            at=now,
            posts=tuple(posts),
            sweeps=tuple(sweeps),
            troubles=tuple(each for each in troubles if each.ended is None),
            waiting=waiting if seen else None,
            oldest_s=max(0.0, (now - oldest).total_seconds()),
            dead_letters=sum(seen.dead_letters.values()) if seen else 0,
            alerts=self.health.alerts,
        )

    def _sweeps(self, post: PostHealth, seen: Snapshot | None, now: datetime) -> Iterable[SweepHealth]:
        for flow, every in sorted(self._hearing.sweeps(post.deployment).items()):
            moved = seen.swept.get((post.integration, flow)) if seen else None
            # A sweep that was not due while nobody ran is not late; it has its time from when this agent began.
            since = max(moved or self._began, self._began)
            yield SweepHealth(post.integration, flow, every, max(timedelta(0), now - since))

    def _without_worker(self, posts: Sequence[PostHealth], now: datetime) -> tuple[Trouble, ...]:
        down = {post.integration: post for post in posts if not post.has_worker}
        self._no_worker_since = {name: self._no_worker_since.get(name, now) for name in down}
        return tuple(Trouble(name, "worker-died", since) for name, since in self._no_worker_since.items())

    def _budgets(self, keep: Keep) -> Mapping[str, tuple[float, float]]:
        now = self._clock.now().timestamp()
        paces = {name: pace_of(config, keep) for name, config in sorted(self._config.connections.items())}
        return {name: (pace.used(now), pace.used_today(now)) for name, pace in paces.items()}

    def _ends(self, now: datetime) -> Mapping[str, date]:
        if self._expiries is None or now - self._expiries[0] >= EXPIRIES_EVERY:
            self._expiries = now, dict(self._credentials())
        return self._expiries[1]

    def _credentials(self) -> Iterable[tuple[str, date]]:
        for name, connection in self._config.connections.items():
            if not isinstance(connection, EntraConnection):
                continue
            identities: dict[str, Identity] = {f"{name} secret": connection}
            if connection.deploy:
                identities[f"{name} deploy secret"] = connection.deploy
            for subject, identity in identities.items():
                try:
                    last = last_day(identity, self._secret)
                except UsageError:
                    continue  # the secret of another machine, such as the one that deploys
                if last:
                    yield subject, last
        certificate = self._config.agent.certificate
        if certificate:
            try:
                found = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
            except (OSError, ValueError):
                return  # the web address would not have been served
            yield "certificate of the web address", found.not_valid_after_utc.date()

    def _count_deaths(self, posts: Sequence[PostHealth]) -> None:
        for post in posts:
            before = self._deaths.get(post.deployment, 0)
            for _ in range(max(0, post.deaths - before)):
                assert self.metrics is not None
                self.metrics.died(post.integration)
            self._deaths[post.deployment] = post.deaths

    # Telling

    def _tell(self, books: _Books, now: datetime, timeout_s: float = 0.0) -> None:
        untold = [(alert, said) for alert in books.alerts.to_tell() if (said := occasion(alert, now))]
        for alert, said in untold:
            text = message(alert, said, self._config.environment, self._link, now)
            clean = replace(text, title=self._redact(text.title), body=self._redact(text.body))
            for channel in self._others(alert):
                channel.offer(ticket(alert, said, alert.told_at or now), clean)
        for channel in self._channels:
            wrong = channel.look(now, timeout_s)
            if wrong:
                self._trouble(f"alert channel {channel.name}", reason(wrong))
            elif channel.failing_since is None:
                self._trouble(f"alert channel {channel.name}", "")
        for alert, said in untold:
            channels = self._others(alert)
            told = ticket(alert, said, alert.told_at or now)
            # What nobody could be told of yet is told to the first channel there is, unless it is over by then.
            if any(channel.has_told(told) for channel in channels) or (
                not channels and alert.state == "resolved"
            ):
                books.alerts.tell(alert, said, now)

    def _others(self, alert: Alert) -> list[Channel]:
        """The channels that can tell of an alarm: not the one it is about."""
        return [each for each in self._channels if (alert.kind, alert.subject) != (Kind.CHANNEL, each.name)]

    @property
    def _link(self) -> str:
        return self._config.alerts.link or self._config.agent.public_url

    def _quietly(self, topic: str, what: Callable[[], None]) -> None:
        """The watch's own trouble is told, and keeps nobody from work."""
        try:
            what()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the watch, the agent goes on
            self._trouble(topic, reason(error))
        else:
            self._trouble(topic, "")

    def _trouble(self, topic: str, line: str) -> None:
        if line != self._silent_troubles.get(topic, ""):
            self._log(f"{topic}: {line or 'works again'}")
        self._silent_troubles[topic] = line


class _Books:
    """What the watch keeps in the state database."""

    def __init__(self, store: Store, agent: str, state: Path, clock: Clock) -> None:
        self.store = store
        self.alerts = AlertBook(store.database, agent)
        self.arrivals = ArrivalBook(store.database)
        self.fellows = Fellows(store.database, agent)
        self.keep = keep_in(store.database, state, clock)
