"""
A worker: one process that runs one deployment, spoken to in lines.

    python -m tagline.runtime.worker_process <directory> --state <state>

It says, one JSON object a line: `{"hello": …}` when its code and settings are good, `{"started": true}` once it has
taken up the work, `{"activity": …}` after each batch, with `"stopped": …` beside it while something keeps it from all work, `{"counts": …}` when it has counted something, `{"trouble": …}` when a sweep fails, a remote is away, or it works again,
`{"drained": true}` at its end, or `{"failed": …}`.
It hears `start`, `wake` and `drain`; the end of its input and SIGTERM mean drain too, so that it never outlives
its agent by more than a batch. Between batches it waits for a line or for the next due instant; it never polls.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tagline.clock import SystemClock
from tagline.connectors import connect
from tagline.connectors.budgets import governor_for
from tagline.connectors.entra import Tokens
from tagline.connectors.pace import Lane
from tagline.connectors.secrets import resolve_secret
from tagline.domain.environment import Connection, EnvironmentConfig
from tagline.domain.exchange import Connector
from tagline.domain.settings import Settings
from tagline.domain.system import Sweep
from tagline.errors import TaglineError, UsageError
from tagline.integration import Integration, load, routes
from tagline.runtime import deployed
from tagline.runtime.budget_rows import keep_in
from tagline.runtime.counts import Counts
from tagline.runtime.endings import FENCED
from tagline.runtime.engine_dbos import DbosEngine
from tagline.runtime.key_ring import ring_at
from tagline.runtime.leases import BEAT, Leases
from tagline.runtime.logs import FORMAT_VARIABLE, Log, format_of, take_over, to_stderr
from tagline.runtime.observer import Observer
from tagline.runtime.places import PostgresSchema, state_place
from tagline.runtime.secrecy import redactor_of
from tagline.runtime.store import Store
from tagline.runtime.telemetry import traces_of
from tagline.runtime.worker import Worker

PREDECESSOR_S: Final = 0.2
"""Seconds between looks at the lock of a worker that outlived its agent; the one thing nobody can wake us for."""


class Orders:
    """What the worker is told: lines on standard input, its end, and SIGTERM."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._ended = False
        self._rest = b""
        self._signals, wakeup = os.pipe()
        for end in (self._signals, wakeup):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda _number, _frame: None)
        # Ctrl-C in a terminal is for the agent, which drains its workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait(self, timeout_s: float | None) -> frozenset[str]:
        """The orders given by now, waiting that long for the first; None waits for ever."""
        sources = [self._signals] if self._ended else [self._signals, self._source]
        ready, _, _ = select.select(sources, [], [], timeout_s)
        said: set[str] = set()
        if self._signals in ready:
            os.read(self._signals, 4096)
            said.add("drain")
        if self._source in ready:
            said |= self._lines()
        return frozenset(said)

    def _lines(self) -> set[str]:
        read = os.read(self._source, 65_536)
        self._ended = not read
        *lines, self._rest = (self._rest + read).split(b"\n")
        return {line.decode("ascii", "replace").strip() for line in lines} | (
            {"drain"} if self._ended else set()
        )


def run(directory: Path, state: Path, orders: Orders, say: int) -> None:
    """
    The life of a worker: load, say hello, wait for `start`, work until it is told to drain.

    Raises:
        TaglineError: The deployment cannot be loaded, connected or worked.
    """
    decided = deployed.deployment(directory)
    environment = deployed.config(directory)
    redact = redactor_of(environment, resolve_secret)
    form = format_of(os.environ.get(FORMAT_VARIABLE, ""))
    take_over(Log(environment.environment, to_stderr, clock=SystemClock(), redact=redact, form=form))
    libraries = directory / "libraries"
    integration = load(directory / "code", sorted(libraries.iterdir()) if libraries.is_dir() else ())
    settings = _settings(integration, environment)
    configs = deployed.connections(environment, decided.integration, integration.connections)
    clock = SystemClock()
    place = state_place(state, environment.environment)
    with closing(Store.open(place, ring=ring_at(environment.agent.state_key), clock=clock)) as store:
        traces = traces_of(environment.telemetry, environment.environment, "worker", resolve_secret)
        observer = Observer(environment.environment, Counts(), traces, clock)
        connectors = _connectors(configs, store, state, clock, observer)
        _say(
            say,
            {
                "hello": {
                    "deployment": decided.id,
                    "closure": decided.closure,
                    "connections": sorted(integration.connections),
                    "routes": [[c, e, list(flows)] for (c, e), flows in sorted(routes(integration).items())],
                    "sweeps": {
                        name: flow.sweep.every.total_seconds()
                        for name, flow in sorted(integration.flows.items())
                        if isinstance(flow.sweep, Sweep)
                    },
                }
            },
        )
        if _told_to_start(orders):
            with _alone(state / "workers" / f"{decided.integration}.lock", orders) as mine:
                if mine:
                    holder = _holder(state)
                    engine = (
                        DbosEngine(place, f"{holder}-{decided.id}")
                        if isinstance(place, PostgresSchema)
                        else DbosEngine(state / "engine" / f"{decided.id}.sqlite", decided.id)
                    )
                    worker = Worker(
                        integration=integration,
                        settings=settings,
                        connectors=connectors[Lane.LIVE],
                        back_fill=connectors[Lane.BACK_FILL],
                        store=store,
                        engine=engine,
                        clock=clock,
                        deployment=decided,
                        holder=holder,
                        observer=observer,
                        names=deployed.connection_names(environment, decided.integration),
                    )
                    try:
                        with _beating(worker.leases, is_shared=place.is_shared):
                            _work(worker, clock, orders, say, observer.counts)
                            worker.leave()
                    finally:
                        engine.stop()
        if traces:
            traces.close()
    _say(say, {"drained": True})


def _connectors(
    configs: Mapping[str, Connection], store: Store, state: Path, clock: SystemClock, observer: Observer
) -> Mapping[Lane, Mapping[str, Connector]]:
    tokens = Tokens()
    keep = keep_in(store.database, state, clock)
    return {
        lane: {
            name: connect(
                name,
                config,
                clock=clock,
                governor=governor_for(config, clock, keep=keep, lane=lane, listener=observer.listener(name)),
                tokens=tokens,
            )
            for name, config in configs.items()
        }
        for lane in Lane
    }


def _holder(state: Path) -> str:
    """
    A name for this machine and state folder: the same in each life of a worker, and another one's on every other machine.

    Two of one name would be refused by the engine, whose name is made of it.
    """
    folder = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:8]
    return f"{socket.gethostname()}-{folder}"


@contextmanager
def _beating(leases: Leases, *, is_shared: bool) -> Iterator[None]:
    """Tell the other agents' workers that this one lives, also while a batch takes long."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT.total_seconds()):
            # While the database is away nobody can take this worker for dead either.
            with suppress(TaglineError):
                leases.beat()

    thread = threading.Thread(target=beat, name="beat", daemon=True)
    if is_shared:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if is_shared:
            thread.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one worker process to its end; returns its exit code."""
    parser = argparse.ArgumentParser(prog="tagline.runtime.worker_process")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--state", type=Path, required=True)
    given = parser.parse_args(arguments)
    say = _protocol()
    try:
        run(given.directory, given.state, Orders(sys.stdin.fileno()), say)
    except TaglineError as error:
        return _fail(say, error)
    except Exception as error:  # noqa: BLE001 - the text of an unexpected error may hold a record's values
        last = traceback.extract_tb(error.__traceback__)[-1]
        crash = TaglineError(
            f"{type(error).__name__} at {last.filename}:{last.lineno}",
            code="worker-crashed",
            hint="report it with this line; the records it had in hand are run again",
        )
        return _fail(say, crash)
    return 0


def _fail(say: int, error: TaglineError) -> int:
    _say(say, {"failed": {"code": error.code, "message": error.message, "hint": error.hint}})
    return error.exit_code


def _told_to_start(orders: Orders) -> bool:
    while True:
        said = orders.wait(None)
        if "drain" in said:
            return False
        if "start" in said:
            return True


def _work(worker: Worker, clock: SystemClock, orders: Orders, say: int, counts: Counts) -> None:
    done = worker.recover()
    _say(say, {"started": True})
    swept = 0
    stopped = ""
    troubles: Mapping[str, TaglineError] = {}
    while True:
        if done.records or swept or done.stopped != stopped:
            _say(say, {"activity": {**asdict(done), "swept": swept}, **_why(worker.stopped)})
        counted = counts.take()
        if counted:
            _say(say, {"counts": counted})
        for topic in sorted({*troubles, *worker.troubles}):
            before, error = troubles.get(topic), worker.troubles.get(topic)
            if (before and before.code) != (error and error.code):
                reason = f"{error.message} ({error.code})" if error else ""
                _say(say, {"trouble": {"topic": topic, "reason": reason}})
        troubles, stopped = worker.troubles, done.stopped
        if stopped == FENCED:
            return
        due = worker.next_due()
        if "drain" in orders.wait(None if due is None else max(0.0, (due - clock.now()).total_seconds())):
            return
        swept = worker.sweep()
        done = worker.work()


def _why(stopped: TaglineError | None) -> Mapping[str, Any]:
    return {"stopped": {"message": stopped.message, "hint": stopped.hint}} if stopped else {}


def _settings(integration: Integration, environment: EnvironmentConfig) -> Settings:
    section = environment.integrations.get(integration.name)
    try:
        return integration.settings.model_validate(section.settings if section else {})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise UsageError(
            f"the settings of {integration.name} in {environment.environment} do not fit it: {wrong}",
            code="settings-invalid",
            where={"integration": integration.name, "environment": environment.environment},
            hint=f"correct [integrations.{integration.name}.settings] and deploy again",
        ) from None


@contextmanager
def _alone(path: Path, orders: Orders) -> Iterator[bool]:
    """
    Be the only worker of an integration, also when a killed agent's last worker still finishes its batch.

    The file tells the process that holds it, as the agent's does. Gives False when told to drain while waiting for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if "drain" in orders.wait(PREDECESSOR_S):
                    yield False
                    return
            else:
                lock.truncate(0)
                print(os.getpid(), file=lock, flush=True)
                yield True
                return


def _protocol() -> int:
    """Keep standard output for protocol lines alone; whatever the integration's code prints goes to standard error."""
    say = os.dup(1)
    os.dup2(2, 1)
    return say


def _say(say: int, message: Mapping[str, Any]) -> None:
    # Nobody listens when the agent was killed; the end of the input tells that, and the batch goes to its end.
    with suppress(BrokenPipeError):
        os.write(say, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
