"""
The worker of one deployment: takes due rows from the inbox, drives their records in durable batches, sweeps.

It holds no timer and no thread of its own; whoever calls it asks `next_due` when to come back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random, SystemRandom
from typing import Final

from tagline.clock import Clock
from tagline.domain.exchange import Connector
from tagline.domain.lifecycle import Deployment
from tagline.domain.model import Model
from tagline.domain.settings import Settings
from tagline.errors import RecordError, RefusedError, TaglineError
from tagline.flow.declare import Flow
from tagline.flow.drive import drive
from tagline.integration import Integration
from tagline.runtime import endings
from tagline.runtime.engine import Engine
from tagline.runtime.inbox import Dead, Done, Finished, InboxRow, Later
from tagline.runtime.live import LiveDriver
from tagline.runtime.sql_journal import SqlJournal
from tagline.runtime.store import Store

NEVER: Final = datetime.max.replace(tzinfo=UTC)
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
        random: Spreads retries; a seeded one makes a simulation repeatable.
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
        random: Random | None = None,
    ) -> None:
        self._integration = integration
        self._settings = settings
        self._connectors = connectors
        self._targets = {integration.connections[name].kind: each for name, each in connectors.items()}
        self._store = store
        self._engine = engine
        self._clock = clock
        self._deployment = deployment
        self._random = random or SystemRandom()
        self._journal: SqlJournal | None = None
        self._ended: list[Finished] = []
        self._stopped: TaglineError | None = None
        self._paused_until: datetime | None = None
        self._sweep_errors: dict[str, TaglineError] = {}
        self._sweep_again: dict[str, datetime] = {}

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
        self._journal = SqlJournal(self._store, self._deployment.id, active.fence)
        self._store.release_claims(self._integration.name)
        self._engine.start(self._run_batch)
        self._engine.recover()
        return self._tally()

    def work(self) -> WorkDone:
        """Run what is due, at most one batch of rows; call again while `next_due` is past."""
        if self._is_paused():
            return self._tally()
        rows = self._store.ready(self._integration.name, self._clock.now(), endings.BATCH)
        for batch in endings.batches(rows):
            self._engine.submit(self._batch_id(batch), [row.id for row in batch])
            if self._is_paused():
                break
        return self._tally()

    def sweep(self) -> int:
        """
        Read what changed since the cursor, for every flow whose sweep is due; returns the hints received.

        A flow whose remote fails is tried again after a pause and keeps none of the others; see `troubles`.
        """
        return sum(self._sweep(flow) for flow in self._swept() if self._sweep_due(flow) <= self._clock.now())

    def next_due(self) -> datetime | None:
        """When to call `work` and `sweep` again, if no new hint arrives first; it may be past."""
        times = [self._sweep_due(flow) for flow in self._swept()]
        waiting = self._store.next_due(self._integration.name)
        if waiting is not None:
            times.append(max(waiting, self._paused_until or waiting))
        return min((time for time in times if time != NEVER), default=None)

    @property
    def troubles(self) -> Mapping[str, TaglineError]:
        """Why the last sweep of a flow failed, by flow; empty when all went well."""
        return dict(self._sweep_errors)

    def stop(self) -> None:
        """End this life of the engine; nothing may be in hand."""
        self._engine.stop()

    def _is_paused(self) -> bool:
        if self._paused_until is not None and self._paused_until <= self._clock.now():
            self._paused_until = self._stopped = None
        return self._paused_until is not None

    def _pause(self, error: TaglineError) -> None:
        self._stopped = error
        rest = endings.pause(error)
        # A fenced worker has a successor; it must not take rows from it again.
        self._paused_until = self._clock.now() + rest if rest else NEVER

    def _batch_id(self, batch: Sequence[InboxRow]) -> str:
        """Sorts by time, and no other claim of these rows ever has it, not even after the database was replaced."""
        first = batch[0]
        return f"{self._clock.now():%Y%m%dT%H%M%S%f}-{first.id:012d}-{first.runs:04d}"

    def _run_batch(self, batch_id: str, ids: Sequence[int]) -> None:
        del batch_id
        read_at = self._clock.now()
        rows, apart = endings.sifted(self._store.claim(ids, self._deployment.id), read_at)
        by_flow: dict[str, list[InboxRow]] = {}
        for row in rows:
            by_flow.setdefault(row.flow, []).append(row)
        if apart:
            self._finish(apart, read_at)
        for name, of in by_flow.items():
            flow = self._integration.flows.get(name)
            finished = self._run(flow, of) if flow else [Dead(row, _flow_unknown(row)) for row in of]
            self._finish(finished, read_at)

    def _run(self, flow: Flow, rows: Sequence[InboxRow]) -> list[Finished]:
        try:
            read = self._read(flow, list(dict.fromkeys(row.key for row in rows)))
            driven = drive(flow, read.records, self._settings, self._driver(flow)) if read.records else {}
        except TaglineError as error:
            # The source is away, or the journal refused: no record's fault, and the next would meet the same.
            self._pause(error)
            return [endings.postponed(row, error, self._clock.now()) for row in rows]
        ended = {**read.errors, **{key: each.error for key, each in driven.items()}}
        for stopper in filter(endings.stops, ended.values()):
            self._pause(stopper)
        now = self._clock.now()
        return [
            endings.ending(row, ended[row.key], now, self._random) if row.key in ended else Done(row, GONE)
            for row in rows
        ]

    def _read(self, flow: Flow, keys: Sequence[str]) -> _Read:
        """Read source records; a failure that is about a record is traced to it by reading one at a time."""
        try:
            fetched = self._connectors[self._source(flow)].fetch(flow.source, keys)
        except TaglineError as error:
            if not endings.ends_the_record(error):
                raise
            if len(keys) == 1:
                return _Read({}, {keys[0]: error})
            return _together([self._read(flow, [key]) for key in keys])
        malformed = {
            key: RecordError(
                f"{flow.source.__name__} {key} cannot be understood",
                code="record-malformed",
                where={"flow": flow.name, "record": key},
                hint="correct the record at its source and redrive, or teach the model its new form",
                details=details,
            )
            for key, details in fetched.malformed.items()
        }
        return _Read(fetched.records, malformed)

    def _driver(self, flow: Flow) -> LiveDriver:
        if self._journal is None:
            raise RuntimeError("a worker begins with recover()")
        return LiveDriver(
            self._targets,
            self._journal,
            deployment=self._deployment.id,
            integration=self._integration.name,
            flow=flow.name,
        )

    def _finish(self, finished: Sequence[Finished], read_at: datetime) -> None:
        self._store.finish(finished, deployment=self._deployment.id, read_at=read_at)
        self._ended.extend(finished)

    def _tally(self) -> WorkDone:
        ended, self._ended = self._ended, []
        return WorkDone(
            done=sum(isinstance(f, Done) for f in ended),
            dead=sum(isinstance(f, Dead) for f in ended),
            retried=sum(isinstance(f, Later) for f in ended),
            stopped=self._stopped.code if self._stopped else "",
        )

    def _source(self, flow: Flow) -> str:
        """Name of the connection that holds the flow's source records: its triggers', else the one of that system."""
        systems = self._integration.connections
        declared = [trigger.connection for trigger in flow.triggers]
        named = [name for name, system in systems.items() if any(system is each for each in declared)]
        kindred = [name for name, system in systems.items() if system.kind == flow.source.remote.system]
        return (named or kindred)[0]

    def _swept(self) -> list[Flow]:
        if self._paused_until == NEVER:
            return []
        return [flow for flow in self._integration.flows.values() if flow.sweep is not None]

    def _sweep_due(self, flow: Flow) -> datetime:
        assert flow.sweep is not None
        last = self._store.cursor(self._integration.name, flow.name)
        due = self._clock.now() if last is None else last.updated + flow.sweep.every
        return max(due, self._sweep_again.get(flow.name, due))

    def _sweep(self, flow: Flow) -> int:
        connection = self._source(flow)
        last = self._store.cursor(self._integration.name, flow.name)
        cursor = None if last is None else last.value
        received = 0
        more = True
        try:
            while more:
                page = self._connectors[connection].changes(flow.source, cursor)
                received += self._store.sweep(self._integration.name, flow.name, connection, page)
                # A cursor that stands still would never end. A flow's very first cursor is only where to begin: what changed
                # since, such as orders placed while it was being deployed, is read at once.
                more = (page.more or cursor is None) and page.cursor != cursor
                cursor = page.cursor
        except TaglineError as error:
            self._sweep_errors[flow.name] = error
            self._sweep_again[flow.name] = self._clock.now() + max(endings.pause(error), endings.PAUSE)
            return received
        self._sweep_errors.pop(flow.name, None)
        self._sweep_again.pop(flow.name, None)
        return received


@dataclass(frozen=True)
class _Read:
    """What reading source records gave; a key in neither is gone."""

    records: Mapping[str, Model]
    errors: Mapping[str, TaglineError]


def _together(parts: Sequence[_Read]) -> _Read:
    return _Read(
        {key: record for part in parts for key, record in part.records.items()},
        {key: error for part in parts for key, error in part.errors.items()},
    )


def _flow_unknown(row: InboxRow) -> RecordError:
    return RecordError(
        f"the deployment that runs has no flow {row.flow}",
        code="flow-unknown",
        where={"integration": row.integration, "flow": row.flow, "record": row.key},
        hint="redrive it when a release with that flow runs again",
    )
