"""
The worker of one deployment: takes due rows from the inbox, drives their records in durable batches, sweeps.

It holds no timer and no thread of its own; whoever calls it asks `next_due` when to come back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random, SystemRandom
from typing import Final

from tagline.clock import Clock
from tagline.connectors.pace import Lane
from tagline.domain.exchange import Connector
from tagline.domain.lifecycle import Deployment
from tagline.domain.settings import Settings, without_start
from tagline.errors import RecordError, RefusedError, TaglineError, TryAgainError
from tagline.flow.declare import Flow
from tagline.flow.drive import drive
from tagline.integration import Integration
from tagline.runtime import endings
from tagline.runtime.breaker import CONNECTION_AWAY, is_away
from tagline.runtime.breakers import Breakers
from tagline.runtime.counts import Counts
from tagline.runtime.engine import Engine
from tagline.runtime.guarded import Guarded
from tagline.runtime.inbox import Dead, Done, Finished, InboxRow, Later
from tagline.runtime.journal import Journal
from tagline.runtime.leases import Leases
from tagline.runtime.live import LiveDriver
from tagline.runtime.names import Named
from tagline.runtime.needs import needs_of
from tagline.runtime.observer import Observer
from tagline.runtime.reading import Read, read
from tagline.runtime.sql_journal import SqlJournal
from tagline.runtime.store import Store
from tagline.runtime.sweeps import Sweeps

NEVER: Final = datetime.max.replace(tzinfo=UTC)
SWEEPER: Final = 0
"""Whoever has this partition sweeps for all of them."""
GONE: Final = "record-gone"
"""Code of a record that was hinted at and is not there any more; nothing is written."""


@dataclass(frozen=True)
class WorkDone:
    """What one call of `Worker.work` did, counted in records."""

    done: int = 0
    dead: int = 0
    retried: int = 0
    stopped: str = ""
    """Code of what makes the worker pause, for example `not-authorised`; empty when it goes on."""

    @property
    def records(self) -> int:
        return self.done + self.dead + self.retried


class Worker:
    """
    Runs the flows of one deployment.

    Args:
        connectors: By connection name.
        holder: Names this worker among those of all agents, the same in each of its lives.
        back_fill: The same as `connectors`, whose requests leave in the back-fill lane; None makes no difference.
        names: What the environment calls the connections, by the integration's own names; None calls them the same.
        random: Spreads retries; a seeded one makes a simulation repeatable.
        observer: Counts what is done and tells spans of it.
    """

    def __init__(
        self,
        integration: Integration,
        settings: Settings,
        connectors: Mapping[str, Connector],
        store: Store,
        engine: Engine,
        clock: Clock,
        deployment: Deployment,
        *,
        holder: str = "worker",
        back_fill: Mapping[str, Connector] | None = None,
        names: Mapping[str, str] | None = None,
        random: Random | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer or Observer("", Counts(), None, clock)
        self._integration = integration
        self._settings = settings
        named = names or {}
        self._breakers = Breakers(store.database, clock, random or SystemRandom())
        self._connectors = {
            lane: {own: Guarded(each, named.get(own, own), self._breakers) for own, each in given.items()}
            for lane, given in (
                (Lane.LIVE, connectors),
                (Lane.BACK_FILL, connectors if back_fill is None else back_fill),
            )
        }
        self._needs = {flow.name: needs_of(integration, flow, named) for flow in integration.flows.values()}
        self._sweeps = Sweeps(integration, self._connectors, named, store, self._breakers, clock)
        self._store = store
        self._engine = engine
        self._clock = clock
        self._deployment = deployment
        self.leases = Leases(store.database, integration.name, holder, clock)
        self._random = random or SystemRandom()
        self._journal: Journal | None = None
        self._ended: list[Finished] = []
        self._named: list[Named] = []
        """Names of records read since the last commit."""
        self._stopped: TaglineError | None = None
        self._paused_until: datetime | None = None
        self._back_fill_rests_until: datetime | None = None
        """Its budget is used up, which is no reason to keep live work waiting."""

    def recover(self) -> WorkDone:
        """
        Begin: give back what an earlier life had in hand and finish the batches it left.

        Raises:
            RefusedError: This deployment is not the active one (`fenced`), or the engine is in use (`engine-in-use`).
        """
        active = self._store.active(self._integration.name)
        if active is None or active.deployment.id != self._deployment.id:
            raise RefusedError(
                f"deployment {self._deployment.id} is not the one that runs",
                code="fenced",
                where={"deployment": self._deployment.id, "integration": self._integration.name},
                hint="the agent activates a deployment before its worker starts",
            )
        journal = SqlJournal(self._store, self._deployment.id, active.fence, self.leases)
        self._journal = self._observer.journal(journal)
        self.leases.begin()
        self._engine.start(self._run_batch)
        self._engine.recover()
        return self._tally()

    def work(self) -> WorkDone:
        """
        Run what is due, at most one batch of rows; call again while `next_due` is past.

        A back-fill is run only while nothing live is due, one small batch at a time.
        """
        now = self._clock.now()
        self._balance(now)
        if self._is_paused():
            return self._tally()
        self._breakers.look()
        away = self._away()
        batches = endings.batches(self._ready(now, endings.BATCH, Lane.LIVE, away))
        if not batches and not self._rests(now):
            batches = endings.batches(self._ready(now, endings.BACK_FILL_BATCH, Lane.BACK_FILL, away))[:1]
        for batch in batches:
            self._submit(batch)
            if self._is_paused() or not self.leases.held:
                return self._tally()
        for name in away:
            self._try(name)
        return self._tally()

    def _submit(self, batch: Sequence[InboxRow]) -> None:
        self._engine.submit(self._batch_id(batch), [row.id for row in batch])

    def _away(self) -> Collection[str]:
        """The flows that need a remote which does not answer."""
        return [name for name, needs in self._needs.items() if self._breakers.again_at(needs) is not None]

    def _try(self, name: str) -> None:
        """Try a flow whose remote was away with a few records, once its time has come: whoever waits longest first."""
        needs, now = self._needs[name], self._clock.now()
        again_at = self._breakers.again_at(needs)
        if again_at is None or again_at > now or self._is_paused():
            return
        others = [other for other in self._needs if other != name]
        size = self._breakers.trial_size(needs)
        found = self._ready(now, size, Lane.LIVE, others) or self._ready(now, size, Lane.BACK_FILL, others)
        rows = [row for row in found if row.flow == name]
        if not rows:
            return
        with self._breakers.trial(needs) as mine:
            if mine:
                self._submit(rows)

    def _waiting(self, lane: Lane) -> Iterator[datetime]:
        """When rows of a lane can be taken: those of flows whose remotes answer, and those of flows that may be tried again."""
        away = self._away()
        of_others = [name for name in self._needs if name not in away]
        answering = self._next_due(lane, away)
        if answering is not None:
            yield answering
        for name in away:
            again_at = self._breakers.again_at(self._needs[name])
            waiting = self._next_due(lane, [*of_others, *(other for other in away if other != name)])
            if waiting is not None and again_at is not None:
                yield max(waiting, again_at)

    def _next_due(self, lane: Lane, without: Collection[str]) -> datetime | None:
        return self._store.next_due(
            self._integration.name, lane, partitions=self.leases.held, without=without
        )

    def leave(self) -> None:
        """End this worker's part; its records are another one's at once. Nothing may be in hand."""
        self.leases.end()

    def sweep(self) -> int:
        """
        Do what is due by the clock: read what changed since a cursor, list what is to be compared; returns the hints received.

        A flow whose remote fails is tried again after a pause and keeps none of the others; see `troubles`.
        """
        self._breakers.look()
        return self._sweeps.run() if self._is_sweeper() else 0

    def next_due(self) -> datetime | None:
        """When to call `work` and `sweep` again, if no new hint arrives first; it may be past."""
        self._breakers.look()
        sweep = self._sweeps.next_due() if self._is_sweeper() else None
        times = [] if sweep is None else [sweep]
        for lane, rests_until in ((Lane.LIVE, None), (Lane.BACK_FILL, self._back_fill_rests_until)):
            times += [
                max(waiting, self._paused_until or waiting, rests_until or waiting)
                for waiting in self._waiting(lane)
            ]
        balance = self.leases.next_balance()
        times += [balance] if balance else []
        return min((time for time in times if time != NEVER), default=None)

    @property
    def troubles(self) -> Mapping[str, TaglineError]:
        """What does not work, by topic: what failed by the clock, and the remotes that are away; empty when all goes well."""
        away = {
            f"connection {name}": TryAgainError(str(each), code=CONNECTION_AWAY)
            for name, each in self._breakers.away.items()
        }
        return {**self._sweeps.troubles, **away}

    @property
    def stopped(self) -> TaglineError | None:
        """What makes it pause; None while it goes on."""
        return self._stopped

    def stop(self) -> None:
        """End this life of the engine; nothing may be in hand."""
        self._engine.stop()

    def _is_paused(self) -> bool:
        if self._paused_until is not None and self._paused_until <= self._clock.now():
            self._paused_until = self._stopped = None
        return self._paused_until is not None

    def _balance(self, now: datetime) -> None:
        """Nothing is in hand between two batches, so that what is another's may be given up."""
        due = self.leases.next_balance()
        if due is None or due > now:
            return
        try:
            self.leases.balance()
        except RefusedError:
            # Taken for dead while the machine or the database stood still: nothing was written since, and it goes on.
            self.leases.begin()

    def _ready(self, now: datetime, limit: int, lane: Lane, without: Collection[str]) -> Sequence[InboxRow]:
        if not self.leases.held:
            return ()
        return self._store.ready(self._integration.name, now, limit, lane, self.leases.held, without)

    def _rests(self, now: datetime) -> bool:
        return self._back_fill_rests_until is not None and now < self._back_fill_rests_until

    def _pause(self, error: TaglineError) -> None:
        if error.code == endings.LOST:
            return
        self._stopped = error
        rest = endings.pause(error)
        # A fenced worker has a successor; it must not take rows from it again.
        self._paused_until = self._clock.now() + rest if rest else NEVER

    def _batch_id(self, batch: Sequence[InboxRow]) -> str:
        """Sorts by time, and no other claim of these rows ever has it, not even after the database was replaced."""
        first = batch[0]
        return f"{self._clock.now():%Y%m%dT%H%M%S%f}-{first.id:012d}-{first.runs:04d}"

    def _run_batch(self, batch_id: str, ids: Sequence[int]) -> None:
        read_at = self._clock.now()
        rows, apart = endings.sifted(self._store.claim(ids, self.leases.holder), read_at)
        self._observer.begin(batch_id, rows)
        alike: dict[tuple[str, Lane, bool], list[InboxRow]] = {}
        for row in rows:
            alike.setdefault((row.flow, row.lane, row.asked), []).append(row)
        if apart:
            self._finish(apart, read_at)
        for (name, lane, asked), of in alike.items():
            flow = self._integration.flows.get(name)
            finished = (
                self._run(flow, of, lane, asked) if flow else [Dead(row, _flow_unknown(row)) for row in of]
            )
            self._finish(finished, read_at)
        self._observer.close_batch()

    def _run(self, flow: Flow, rows: Sequence[InboxRow], lane: Lane, asked: bool) -> list[Finished]:
        settings = without_start(self._settings) if asked else self._settings
        try:
            read = self._read(flow, lane, list(dict.fromkeys(row.key for row in rows)))
            driven = drive(flow, read.records, settings, self._driver(flow, lane)) if read.records else {}
            ended = {**read.errors, **{key: each.error for key, each in driven.items()}}
        except TaglineError as error:
            if lane is Lane.BACK_FILL and endings.is_throttled(error):
                self._rest(error)
            elif is_away(error):
                return self._ended_as(flow, lane, rows, {row.key: error for row in rows})
            else:
                # The source refuses everybody, or the journal does: no record's fault, and the next would meet the same.
                self._pause(error)
            return [endings.postponed(row, error, self._clock.now()) for row in rows]
        for stopper in filter(endings.stops, ended.values()):
            self._pause(stopper)
        return self._ended_as(flow, lane, rows, ended)

    def _ended_as(
        self, flow: Flow, lane: Lane, rows: Sequence[InboxRow], ended: Mapping[str, TaglineError | None]
    ) -> list[Finished]:
        now, away_until = self._clock.now(), self._breakers.again_at(self._needs[flow.name])
        finished: list[Finished] = []
        for row in rows:
            why = ended.get(row.key)
            if row.key not in ended:
                finished.append(Done(row, GONE))
            elif lane is Lane.BACK_FILL and endings.is_throttled(why):
                self._rest(why)
                finished.append(endings.postponed(row, why, now))
            else:
                finished.append(endings.ending(row, why, now, self._random, away_until))
        return finished

    def _rest(self, error: TaglineError) -> None:
        """Let the back-fill alone wait for its budget, which may be a day away."""
        until = self._clock.now() + endings.pause(error)
        self._back_fill_rests_until = max(until, self._back_fill_rests_until or until)

    def _read(self, flow: Flow, lane: Lane, keys: Sequence[str]) -> Read:
        source = self._connectors[lane][self._integration.source_of(flow)]
        found = read(source, self._integration.name, flow, keys, self._store.overrides)
        self._named += found.named
        return found

    def _driver(self, flow: Flow, lane: Lane) -> LiveDriver:
        systems = self._integration.connections
        if self._journal is None:
            raise RuntimeError("a worker begins with recover()")
        return LiveDriver(
            {systems[name].kind: each for name, each in self._connectors[lane].items()},
            self._journal,
            deployment=self._deployment.id,
            integration=self._integration.name,
            flow=flow.name,
        )

    def _finish(self, finished: Sequence[Finished], read_at: datetime) -> None:
        ended = self._store.finish(
            finished,
            holder=self.leases.holder,
            deployment=self._deployment.id,
            read_at=read_at,
            named=self._named,
        )
        self._ended.extend(ended)
        self._observer.ended(ended, read_at)
        self._named = []

    def _tally(self) -> WorkDone:
        ended, self._ended = self._ended, []
        return WorkDone(
            done=sum(isinstance(f, Done) for f in ended),
            dead=sum(isinstance(f, Dead) for f in ended),
            retried=sum(isinstance(f, Later) for f in ended),
            stopped=self._stopped.code if self._stopped else "",
        )

    def _is_sweeper(self) -> bool:
        return self._paused_until != NEVER and SWEEPER in self.leases.held


def _flow_unknown(row: InboxRow) -> RecordError:
    return RecordError(
        f"the deployment that runs has no flow {row.flow}",
        code="flow-unknown",
        where={"integration": row.integration, "flow": row.flow, "record": row.key},
        hint="redrive it when a release with that flow runs again",
    )
