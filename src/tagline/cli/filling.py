"""What `tagline backfill` does: stands on the deployed integration, estimates or lists, and tells how it goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from tagline.alm import environments
from tagline.alm.git import Repository
from tagline.cli.output import counted, lasting, out, out_json, say
from tagline.clock import SystemClock
from tagline.connectors import connect
from tagline.connectors.budgets import governor_for
from tagline.connectors.pace import Lane
from tagline.domain.environment import Connection, EnvironmentConfig
from tagline.domain.exchange import Days
from tagline.errors import PartlyDoneError, TaglineError
from tagline.harness.scenario import only_flow
from tagline.integration import Integration, load, load_from
from tagline.runtime import deployed, filling, locks
from tagline.runtime import load as loads
from tagline.runtime.back_fills import BackFill, Progress
from tagline.runtime.budget_rows import keep_in
from tagline.runtime.filling import Origin, Selection
from tagline.runtime.key_ring import ring_at
from tagline.runtime.places import Place, SqliteFile, state_place
from tagline.runtime.store import Store

CLOCK: Final = SystemClock()
LOOK_S: Final = 1.0
"""Between two looks at a back-fill that another process works off."""


@dataclass(frozen=True)
class Ground:
    """What a back-fill of one flow stands on."""

    environment: str
    origin: Origin
    connections: Mapping[str, Connection]
    """Of the integration, by its own names."""
    state: Path
    place: Place
    open_store: Callable[[], Store]


@contextmanager
def ground(repo: Repository, name: str, config: EnvironmentConfig, flow_name: str) -> Iterator[Ground]:
    state = Path(config.agent.state)
    place = state_place(state, config.environment)

    def open_store() -> Store:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Store.open(place, ring=ring_at(config.agent.state_key), clock=CLOCK)

    is_new = isinstance(place, SqliteFile) and not place.path.exists()
    package, known = _package(repo, name, config, None if is_new else open_store)
    flow = only_flow(package, flow_name)
    configs = deployed.connections(known, name, package.connections)
    own = package.source_of(flow)
    with ExitStack() as opened:
        # Before the first agent there is nobody to share a budget with, and a dry run makes no database.
        keep = None if is_new else keep_in(opened.enter_context(closing(open_store())).database, state, CLOCK)
        governor = governor_for(configs[own], CLOCK, keep=keep, lane=Lane.BACK_FILL)
        client = connect(own, configs[own], clock=CLOCK, read_only=True, governor=governor)
        opened.enter_context(closing(client))
        origin = Origin(name, flow.name, own, flow.source, client)
        yield Ground(config.environment, origin, configs, state, place, open_store)


def _package(
    repo: Repository, name: str, config: EnvironmentConfig, open_store: Callable[[], Store] | None
) -> tuple[Integration, EnvironmentConfig]:
    """What works here, as it was deployed; before anything was, the integration as it stands in the working copy."""
    active = None
    if open_store is not None:
        with closing(open_store()) as store:
            active = store.active(name)
    place = Path(config.agent.state) / "deployments" / (active.deployment.id if active else "")
    if active is None or not place.is_dir():
        package = load_from(repo.root, name)
        environments.check_settings(config, package)
        return package, config
    libraries = place / "libraries"
    package = load(place / "code", sorted(libraries.iterdir()) if libraries.is_dir() else ())
    return package, deployed.config(place)


def estimate(stands: Ground, keys: tuple[str, ...], days: Days, *, as_json: bool) -> None:
    """Say how much there is and how long it will take, with what waits already; changes nothing."""
    selection = Selection(keys, days)
    records = filling.count(stands.origin, selection)
    standing = loads.load_of(stands.place, stands.state, stands.connections, CLOCK)
    live, before = (standing.waiting, standing.back_fill) if standing else (0, 0)
    requests = {
        name: None if records is None else round(records * loads.REQUESTS_PER_BACK_FILLED[config.system])
        for name, config in stands.connections.items()
    }
    drain_s = None
    if records is not None:
        drain_s = loads.drain_of(
            stands.place, stands.state, stands.connections, live, before + records, CLOCK
        )
    if as_json:
        out_json(
            {
                **_named(stands, str(selection)),
                "records": records,
                "requests": requests,
                "waiting_live": live,
                "waiting_back_fill": before,
                "drain_s": drain_s,
            }
        )
        return
    what = f"{stands.origin.flow}, {selection}"
    if records is None:
        out(f"{what}: the source does not say how many records that is")
    else:
        asked = ", ".join(f"{name} {number:,}" for name, number in sorted(requests.items()))
        out(f"{what}: {counted(records, 'record')}; requests about: {asked}")
        out(
            f"time to drain about {lasting(drain_s or 0)}, after {counted(live, 'live record')} "
            f"and {counted(before, 'record')} of back-fills that wait already"
        )
    say("nothing was put into the inbox")


def fill(stands: Ground, keys: tuple[str, ...], days: Days, *, wait: bool, as_json: bool) -> None:
    """List the records into the inbox, and wait for them where that is asked."""
    origin = stands.origin
    absent = filling.absent(origin, keys)
    if absent:
        say(f"not in the source, and left out: {', '.join(absent)}")
    if keys and len(absent) == len(keys):
        raise TaglineError(
            f"the source of {origin.flow} has none of these records: {', '.join(absent)}",
            code="record-gone",
            where={"integration": origin.integration, "environment": stands.environment},
            hint="name keys of records that the source holds",
        )
    selection = Selection(tuple(key for key in keys if key not in absent), days)
    with closing(stands.open_store()) as store:
        with filling.alone(stands.state, origin.integration, origin.flow):
            total = filling.count(origin, selection)
            with _telling("listed", total) as tell:
                for at in filling.fill(store.back_fills, origin, selection, CLOCK):
                    tell(at.found)
        progress = _await(store, at, stands) if wait else None
        agent = locks.holder(stands.state / locks.AGENT)
    if as_json:
        out_json({**_told(stands, at, progress), "absent": list(absent)})
    else:
        out(_sentence(at, progress))
    if agent is None:
        say(f"no agent runs here: tagline run --env {stands.environment} works them off")
    elif progress is None:
        say("the agent works them off behind live work; tagline status shows how many wait")
    if progress and progress.dead:
        raise PartlyDoneError(
            f"{counted(progress.dead, 'record')} of {origin.flow} became dead letters",
            code="backfill-partly-done",
            where={"integration": origin.integration, "environment": stands.environment},
            hint=f"tagline dead-letters list --env {stands.environment} shows why; the others are written",
        )


def _await(store: Store, at: BackFill, stands: Ground) -> Progress:
    """Wait until nothing that people asked for waits any more."""
    if locks.holder(stands.state / locks.AGENT) is None:
        say(f"waiting, but no agent runs here: tagline run --env {stands.environment} works them off")
    found = store.back_fills.progress(at.integration, at.flow, at.started_at)
    with _telling("run", found.waiting + found.done + found.dead) as tell:
        while found.waiting:
            tell(found.done + found.dead)
            CLOCK.sleep(LOOK_S)
            found = store.back_fills.progress(at.integration, at.flow, at.started_at)
        tell(found.done + found.dead)
    return found


@contextmanager
def _telling(doing: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Takes how many there are by now: a bar on a terminal, a line at each change elsewhere."""
    if sys.stderr.isatty() and total:
        with click.progressbar(length=total, label=doing, file=sys.stderr, show_pos=True) as bar:
            yield lambda number: bar.update(min(number, total) - bar.pos)
        return
    last = [0]

    def tell(number: int) -> None:
        if number != last[0]:
            last[0] = number
            say(f"{doing} {number:,}" + (f" of {total:,}" if total is not None else ""))

    yield tell


def _named(stands: Ground, selection: str) -> dict[str, str]:
    origin = stands.origin
    return {
        "environment": stands.environment,
        "integration": origin.integration,
        "flow": origin.flow,
        "selection": selection,
    }


def _told(stands: Ground, at: BackFill, progress: Progress | None) -> dict[str, Any]:
    counts: dict[str, int | datetime] = {
        "found": at.found,
        "added": at.added,
        "unread": at.unread,
        "started_at": at.started_at,
    }
    return {
        **_named(stands, at.selection),
        **counts,
        "progress": asdict(progress) if progress else None,
    }


def _sentence(at: BackFill, progress: Progress | None) -> str:
    waited = at.found - at.added
    told = f"{at.flow}, {at.selection}: {counted(at.found, 'record')} listed, {at.added:,} put into the back-fill lane"
    if waited:
        told += f", {waited:,} waited already"
    if at.unread:
        told += f"; {counted(at.unread, 'row')} not handed out by the source, see its log"
    if progress:
        told += f"; run: {progress.done:,} done, {counted(progress.dead, 'dead letter')}"
    return told
