"""What every end-to-end test stands on: a scratch copy with a served sandbox, and waits that end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import sqlalchemy as sa
import tomlkit

from tagline.alm import closure, evidence, git
from tagline.alm.git import Repository
from tagline.clock import SystemClock
from tagline.domain.lifecycle import Evidence, Verdict
from tagline.harness.scratch import Scratch, scratch
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.store import Store
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
INTEGRATION = "order_to_cash"
LOOK_S = 0.02
"""Between two looks at a condition that nothing announces: it is about other processes."""
BURST, BURST_EVERY_S = 6, 3.0

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, timeout_s: float = 60) -> T:
    """Look until the condition gives something true, and give that back; fail by name when it never does."""
    ends = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < ends, f"{what}: not within {timeout_s:g} s"
        time.sleep(LOOK_S)
    return found


class RemoteClock(SystemClock):
    """The time the remotes live in: it can be set on, so that nobody waits for a shop to deliver again."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self._ahead

    def set_on(self, to: datetime) -> None:
        self._ahead = max(self._ahead, to - super().now())


@contextmanager
def ground(folder: Path, *environments: str) -> Iterator[Scratch]:
    """
    A scratch copy whose sandbox enforces no rate limits; agents still running at the end are stopped.

    Nobody else uses its shops, so that no part of their request budget is kept for others: a test that spends it waits.
    """
    with scratch(ROOT, folder, Sandbox(RemoteClock(), 1, environments or ("dev",))) as made:
        base = made.work / "environments" / "base.toml"
        document = tomlkit.parse(base.read_text())
        document["connections"]["shop"]["reserve"] = 0  # type: ignore[index]
        base.write_text(tomlkit.dumps(document))
        made.commit("environments: the shops are ours alone")
        yield made


def is_live(ground: Scratch, environment: str = "dev") -> bool:
    """Whether the agent takes webhooks."""
    document = tomlkit.parse((ground.work / "environments" / f"{environment}.toml").read_text())
    url = urlsplit(str(document["agent"]["public_url"]))  # type: ignore[index]
    try:
        socket.create_connection((url.hostname, url.port), timeout=1).close()  # type: ignore[arg-type]
    except OSError:
        return False
    return True


def start_agent(ground: Scratch, *environments: str) -> None:
    """Start agents and wait until they take webhooks."""
    names = environments or ("dev",)
    for name in names:
        ground.start_agent(name)
    for name in names:
        wait_until(lambda name=name: is_live(ground, name), f"the agent of {name} takes webhooks")  # type: ignore[misc]


def deliver_again(ground: Scratch, environment: str = "dev") -> None:
    """Set the shop's clock to when it would deliver again what nobody took; for a receiver that is back."""
    webhooks, clock = ground.sandbox.shops[environment].webhooks, ground.sandbox.clock
    due = webhooks.next_due()
    if due is not None and due > clock.now() and is_live(ground, environment):
        assert isinstance(clock, RemoteClock)
        clock.set_on(due)
        webhooks.on_queued()


def prove(ground: Scratch, integration: str = INTEGRATION) -> str:
    """Record, as `tagline check` does, that the integration on main passed; returns its closure."""
    repo = Repository.open(ground.work)
    repo.refresh()
    found = closure.of(repo, repo.main(), integration)
    passed = Evidence(
        closure=found.digest,
        kind="check",
        verdict=Verdict.PASSED,
        at=datetime.now(UTC),
        by=repo.identity(),
    )
    evidence.append(repo, passed)
    return found.digest


def release(ground: Scratch, integration: str = INTEGRATION) -> None:
    """Prove what main holds and give it its name."""
    prove(ground, integration)
    ground.tagline("release", integration)


def write_version(ground: Scratch, version: str, *edits: tuple[str, str, str]) -> None:
    """Commit another version of the integration; an edit is a file, what stands there, and what is to stand there."""
    package = ground.work / "integrations" / INTEGRATION
    changelog = package / "CHANGELOG.md"
    changelog.write_text(
        changelog.read_text().replace("# Changelog\n", f"# Changelog\n\n## {version}\n\n- changed\n", 1)
    )
    project = package / "pyproject.toml"
    lines = project.read_text().splitlines()
    project.write_text(
        "".join(
            f'version = "{version}"\n' if line.startswith("version = ") else f"{line}\n" for line in lines
        )
    )
    for file, old, new in edits:
        path = package / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    ground.commit(f"{INTEGRATION}: {version}")


def clone(ground: Scratch, name: str) -> Scratch:
    """The working copy of another operator."""
    other = ground.folder / name
    other.mkdir()
    git.run(other, "clone", "--quiet", str(ground.folder / "hub.git"), "work")
    for key, value in (("user.name", name), ("user.email", f"{name}@example.com")):
        git.run(other / "work", "config", key, value)
    return Scratch(other, ground.served, ground.environ)


@contextmanager
def store(ground: Scratch, environment: str = "dev") -> Iterator[Store]:
    """The state database of an environment, beside its agent."""
    key = ground.environ[f"TAGLINE_{environment.upper()}_STATE_KEY"]
    path = ground.state(environment) / "state.sqlite"
    with closing(Store.open(path, ring=KeyRing.of(key), clock=SystemClock())) as opened:
        yield opened


def select(store: Store, query: sa.Select[Any]) -> Sequence[Mapping[str, Any]]:
    with store.database.read() as conn:
        return [dict(row) for row in conn.execute(query).mappings()]


def rows(ground: Scratch, table: str, environment: str = "dev") -> list[Mapping[str, Any]]:
    """Every row of a table of the organisation, as the sandbox stores it."""
    organisation = ground.sandbox.organisations[environment]
    with organisation.door.lock:
        return list(organisation.rows.all(tables()[table]))


def is_quiet(ground: Scratch, store: Store, environment: str = "dev") -> bool:
    """Whether nothing is on its way any more: no webhook to deliver, no row waiting or in hand."""
    webhooks = ground.sandbox.shops[environment].webhooks
    before = store.counts(INTEGRATION)
    waits = before["received"] or webhooks.waiting() or webhooks.given_up
    # What was delivered between the two looks has become a row since.
    return not waits and before == store.counts(INTEGRATION)


def await_orders(
    ground: Scratch, ids: Sequence[int], environment: str = "dev", timeout_s: float = 90
) -> None:
    """Wait until every one of these orders of the shop carries an id, and nothing more is on its way."""
    shop = ground.sandbox.shops[environment]

    def missing() -> list[int]:
        with shop.door.lock:
            return [i for i in ids if not shop.orders[i]["ExternalComments"]]

    with store(ground, environment) as opened:

        def is_done() -> bool:
            deliver_again(ground, environment)
            return not missing() and is_quiet(ground, opened, environment)

        wait_until(is_done, f"{len(ids)} orders written in {environment}", timeout_s)


class Shoppers:
    """
    Orders that keep coming from a thread of their own until the block ends; `placed` holds their ids.

    They come in bursts: one by one they would spend the worker's request budget at the shop within seconds, and the test
    would watch it wait.
    """

    def __init__(self, ground: Scratch, environment: str = "dev") -> None:
        self._shop = ground.sandbox.shops[environment]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shoppers")
        self.placed: list[int] = []

    def _run(self) -> None:
        seed = 0
        while not self._stop.wait(BURST_EVERY_S):
            self.placed += self._shop.place_orders(BURST, seed)
            seed += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
