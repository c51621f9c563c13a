"""
The stages of a deployment as the agent performs them: prepare, activate, verify, settle.

Each is idempotent and raises a `TaglineError` where it cannot be done; what a failure means for the worker
that ran before is the agent's to decide.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tagline.connectors.hooks import hooks_of, webhook_tokens
from tagline.domain.environment import Connection
from tagline.domain.exchange import Connector
from tagline.domain.lifecycle import Deployment
from tagline.errors import RefusedError, TaglineError, TryAgainError, UsageError
from tagline.runtime import deployed, rotation
from tagline.runtime.intake import Door, Hook, Intake
from tagline.runtime.key_ring import ring_at
from tagline.runtime.store import Store
from tagline.runtime.supervisor import ANSWER_S, Hello, Spawn, WorkerProcess

DRAIN_S: Final = 120.0
"""Seconds a worker may take to finish what it holds; its batch is small, its remotes may be slow."""
HOOKS_FILE: Final = "webhooks.json"
UNREGISTERED_FILE: Final = "unregistered.json"
"""Names of the connections whose webhooks could not be registered, as long as the deployment stands."""
"""Among a deployment's own files: the address beneath which each connection's webhooks were registered."""


@dataclass(frozen=True)
class Means:
    """What performing a stage takes."""

    state: Path
    public_url: str
    store: Store
    intake: Intake
    materialise: Callable[[Deployment, Path], None]
    spawn: Spawn
    connect: Callable[[str, Connection], Connector]
    secret: Callable[[str], str]
    on_message: Callable[[str, Mapping[str, Any]], None]
    """Called with a deployment's id and what its worker said; from another thread."""
    log: Callable[[str], None]


@dataclass(frozen=True)
class Running:
    """A deployment with a worker process: prepared, or at work once it was told to start."""

    deployment: Deployment
    hello: Hello
    worker: WorkerProcess
    connectors: Mapping[str, Connector]
    """By the integration's own connection names."""
    hooks: Mapping[str, tuple[Hook, ...]]
    notes: tuple[str, ...] = ()
    """What people should know of it though it works."""

    def events(self, connection: str) -> list[str]:
        """Those of a connection that start its flows, sorted."""
        return sorted(event for name, event in self.hello.routes if name == connection)


def directory(state: Path, deployment: Deployment) -> Path:
    """Where the code, configuration and decision of a deployment stand."""
    return state / "deployments" / deployment.id


def launch(means: Means, deployment: Deployment) -> Running:
    """Start a worker of a materialised deployment, wait for its hello, connect what it names; it does no work yet."""
    folder = directory(means.state, deployment)
    worker = means.spawn(folder, means.state, lambda message: means.on_message(deployment.id, message))
    connectors: dict[str, Connector] = {}
    try:
        hello = worker.hello()
        environment = deployed.config(folder)
        configs = deployed.connections(environment, deployment.integration, hello.connections)
        for name, config in configs.items():
            connectors[name] = means.connect(name, config)
        hooks = {
            name: (
                Hook.opened_by(webhook_tokens(name, config.webhook_token, means.secret), connectors[name]),
            )
            for name, config in configs.items()
            if config.webhook_token
        }
    except BaseException:
        worker.kill()
        _close(connectors)
        raise
    return Running(deployment, hello, worker, connectors, hooks)


def end(running: Running) -> None:
    """End a worker at once, if it still lives."""
    running.worker.kill()
    _close(running.connectors)


def drain(running: Running) -> bool:
    """Let a worker finish what it holds; False when it had to be killed, and its work is taken over."""
    drained = running.worker.drain(DRAIN_S)
    _close(running.connectors)
    return drained


def prepare(means: Means, deployment: Deployment) -> Running:
    """
    Bring a deployment to the point where it could take over, without touching what runs.

    Only expanding: its files beside the old ones, its webhooks beside the old ones, its tokens accepted beside the old ones.
    A webhook that cannot be registered from this machine is a note: it is a hint, and the sweep goes on without it.
    """
    means.materialise(deployment, directory(means.state, deployment))
    _check_ring(means, deployment)
    running = launch(means, deployment)
    before = means.intake.door(deployment.integration)
    try:
        _probe(running)
        # The shop may look at a hook before it registers it, so the door opens first.
        means.intake.open(deployment.integration, _widened(before, running))
        notes = _subscribe(means, running)
    except BaseException:
        abandon(means, running, before)
        raise
    for note in notes:
        means.log(f"{deployment.id}: {note}")
    return replace(running, notes=tuple(notes))


def _check_ring(means: Means, deployment: Deployment) -> None:
    """See that a worker could write: it reads the ring that its own deployment names, which may be an older one."""
    environment = deployed.config(directory(means.state, deployment))
    rotation.check(means.store.database, ring_at(environment.agent.state_key, means.secret))


def _subscribe(means: Means, running: Running) -> list[str]:
    """Register the webhooks of every connection; what could not be, for people."""
    deployment, notes = running.deployment, []
    refused: list[str] = []
    addresses = {
        name: hooks_of(means.public_url, deployment.integration, name)
        for name in running.hooks
        if running.events(name)
    }
    # Written before anything is registered, so that `settle` of a later deployment finds it, however this one ends.
    (directory(means.state, deployment) / HOOKS_FILE).write_text(json.dumps(addresses))
    for name, url in addresses.items():
        try:
            for added in running.connectors[name].subscribe(running.events(name), url):
                means.log(f"{deployment.id}: webhook {name}/{added} registered")
        except RefusedError as error:
            if error.code != "webhook-not-registered":
                raise
            refused.append(name)
            environment = deployed.config(directory(means.state, deployment)).environment
            notes.append(
                f"{name}: {error.message}; the sweep finds what changed. Run `tagline solution import "
                f"{deployment.integration} --env {environment}` where the deploy application's secret is"
            )
    (directory(means.state, deployment) / UNREGISTERED_FILE).write_text(json.dumps(refused))
    deaf = sorted({name for name, _ in running.hello.routes} - running.hooks.keys())
    notes += [f"{name}: it has no webhook_token, so that changes wait for the sweep" for name in deaf]
    return notes


def unregistered(state: Path, deployment: Deployment) -> tuple[str, ...]:
    """Connections of a deployment whose webhooks could not be registered when it was prepared."""
    try:
        return tuple(map(str, json.loads((directory(state, deployment) / UNREGISTERED_FILE).read_text())))
    except (OSError, ValueError):
        return ()


def activate(means: Means, new: Running, old: Running | None) -> bool:
    """Hand the work over; the old worker has exited before the new one gets any. Returns what `drain` said."""
    drained = old is None or drain(old)
    door = means.intake.door(new.deployment.integration)
    take_over(means, new, door.hooks if door else new.hooks)
    return drained


def take_over(means: Means, running: Running, hooks: Mapping[str, tuple[Hook, ...]]) -> None:
    """Make this deployment the active one and let its worker work; intake follows its routes from here on."""
    means.store.activate(running.deployment, running.hello.routes)
    means.intake.open(running.deployment.integration, Door(hooks, running.hello.routes))
    running.worker.start()


def recognise(running: Running) -> None:
    """
    Look whether what runs is what was decided.

    Raises:
        RefusedError: It runs something else (code `digest-differs`).
    """
    decided, found = running.deployment, running.hello
    if (found.deployment, found.closure) != (decided.id, decided.closure):
        raise RefusedError(
            f"decided was {decided.id} with {decided.closure}, the worker runs {found.deployment} with {found.closure}",
            code="digest-differs",
            where={"integration": decided.integration, "deployment": decided.id},
            hint="remove the deployment's folder under the state folder and deploy again",
        )


def verify(running: Running, *, wait_s: float = ANSWER_S) -> None:
    """
    Look whether the decided deployment has taken up the work, and still reaches its remotes.

    Args:
        wait_s: How long its worker may take to say that it has started.

    Raises:
        RefusedError: It runs something else (code `digest-differs`).
        TaglineError: What its worker failed with, or what a connection's probe says.
    """
    recognise(running)
    running.worker.started(wait_s)
    _look_alive(running)
    _probe(running)
    _look_alive(running)


def is_its_own(error: TaglineError, running: Running) -> bool:
    """Whether a failed verify is the release's fault, which it would show again; asked before its worker is ended."""
    if error.code == "worker-silent":
        return running.worker.exit_code is not None
    return isinstance(error, UsageError) or error.code in {"digest-differs", "worker-crashed", "worker-died"}


def is_proven(means: Means, deployment: Deployment) -> bool:
    """Whether a deployment was ever verified here, also in an earlier life of the agent."""
    return _proof(means, deployment).exists()


def prove(means: Means, deployment: Deployment) -> None:
    """Remember that a deployment was verified, until it is prepared anew."""
    _proof(means, deployment).touch()


def settle(means: Means, new: Running, before: Deployment | None) -> None:
    """
    Let go of what only the way back needed: older tokens, webhooks of older tokens, events and addresses, and files of
    deployments before the last one.
    """
    means.intake.open(new.deployment.integration, Door(new.hooks, new.hello.routes))
    others = _others(means, new.deployment)
    _unsubscribe(means, new, [folder for folder, _ in others])
    for folder, other in others:
        if before is None or other.id != before.id:
            shutil.rmtree(folder)
            # What the engine remembers of it is finished, or was taken over with its claims.
            for file in (means.state / "engine").glob(f"{other.id}.sqlite*"):
                file.unlink()


def _others(means: Means, deployment: Deployment) -> list[tuple[Path, Deployment]]:
    """Folders of the integration's other deployments."""
    found = []
    for folder in (means.state / "deployments").iterdir():
        try:
            other = deployed.deployment(folder)
        except TaglineError:
            continue
        if other.integration == deployment.integration and other.id != deployment.id:
            found.append((folder, other))
    return found


def _unsubscribe(means: Means, new: Running, older: Sequence[Path]) -> None:
    """Remove webhooks that nothing accepts any more; one that cannot be removed is told and does no harm."""
    ours = _addresses(directory(means.state, new.deployment))
    for name, connector in new.connectors.items():
        urls = {url for folder in older for of, url in _addresses(folder).items() if of == name}
        for url in sorted(urls | ({ours[name]} if name in ours else set())):
            keep = new.events(name) if url == ours.get(name) else []
            try:
                removed = connector.unsubscribe(url, keep)
            except TaglineError as error:
                means.log(
                    f"{new.deployment.id}: webhooks below {url} that are no longer used stay, remove them by hand: "
                    f"{error.message} ({error.code})"
                )
            else:
                for event in removed:
                    means.log(
                        f"{new.deployment.id}: webhook {name}/{event} of an older token or address removed, below {url}"
                    )


def _addresses(folder: Path) -> Mapping[str, str]:
    """Where the webhooks of a deployment were registered, by connection; none of one that has registered nothing."""
    try:
        return {str(name): str(url) for name, url in json.loads((folder / HOOKS_FILE).read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def abandon(means: Means, running: Running, door: Door | None) -> None:
    """End a worker that will not be used, and accept deliveries as before it was prepared."""
    end(running)
    if door is None:
        means.intake.shut(running.deployment.integration)
    else:
        means.intake.open(running.deployment.integration, door)


def _close(connectors: Mapping[str, Connector]) -> None:
    for connector in connectors.values():
        connector.close()


def _proof(means: Means, deployment: Deployment) -> Path:
    """Stands among the deployment's own files, which preparing writes anew, so that it falls with them."""
    return directory(means.state, deployment) / "verified"


def _look_alive(running: Running) -> None:
    if running.worker.exit_code is None:
        return
    words = running.worker.last_words
    raise TryAgainError(
        f"the worker of {running.deployment.id} ended with exit code {running.worker.exit_code}{words and ': '}{words}",
        code="worker-died",
        where={"integration": running.deployment.integration, "deployment": running.deployment.id},
        hint="its standard error says more",
    )


def _probe(running: Running) -> None:
    for _, connector in sorted(running.connectors.items()):
        connector.probe()


def _widened(door: Door | None, running: Running) -> Door:
    """The same door, open to the tokens of `running` too."""
    before = door.hooks if door else {}
    hooks = {
        name: (*running.hooks.get(name, ()), *before.get(name, ())) for name in {*before, *running.hooks}
    }
    return Door(hooks, door.routes if door else None)
