"""Where a recording is made: an environment's real remotes, or a sandbox of our own."""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tagline.clock import Clock, VirtualClock
from tagline.connectors import resolve_secret
from tagline.connectors.http import Transport
from tagline.connectors.network import network
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import RefusedError, UsageError
from tagline.sandbox.sandbox import Sandbox

EARLIER: Final = ("line_removed_later", "header_tax", "old_shipped")
"""Awkward orders that stand in Dataverse before a recording in the sandbox begins."""
USUAL_ORDERS: Final = 17
"""Orders of the usual mix that a recording in the sandbox has beside the awkward ones."""


@dataclass(frozen=True)
class Place:
    """Remotes to record, with all it takes to reach them."""

    config: EnvironmentConfig
    clock: Clock
    network: Callable[[], Transport]
    secret: Callable[[str], str] = resolve_secret
    pseudonym_key: bytes = field(default_factory=lambda: random_secrets.token_bytes(32))
    earlier: tuple[str, ...] = ()
    """Records that are written before the recording begins, so that it shows changes too."""
    meanwhile: Callable[[], None] = lambda: None
    """What happens to them afterwards."""


def real(config: EnvironmentConfig, clock: Clock) -> Place:
    """
    The remotes of an environment.

    Raises:
        RefusedError: The environment does not allow it (code `recording-not-allowed`).
    """
    if not config.policy.recording:
        raise RefusedError(
            f"{config.environment} does not allow recording, since it writes pseudonymised records there",
            code="recording-not-allowed",
            where={"environment": config.environment},
            hint="record in a development environment, whose file says policy.recording = true, such as --env dev; never in production",
        )
    ca_files = {c.ca_file for c in config.connections.values()}
    if len(ca_files) > 1:
        raise UsageError(
            "the connections trust different certificate files",
            code="recording-certificates",
            hint="put the certificates into one file and name it in each connection",
        )
    return Place(config, clock, lambda: network(next(iter(ca_files))))


def sandboxed(config: EnvironmentConfig) -> Place:
    """
    A fresh sandbox in this process, with the awkward orders and some usual ones; always the same, so that recording again
    shows in a diff what the code does otherwise and nothing else. Settings are the environment's. Some orders stand
    in the target already, and one of them lost a row since.
    """
    clock = VirtualClock(datetime(2026, 11, 2, 15, 0, tzinfo=UTC))
    sandbox = Sandbox(clock)
    shop = sandbox.shops["dev"]
    awkward = shop.place_awkward()
    shop.place_orders(USUAL_ORDERS, seed=5)
    given = sandbox.connection_configs("dev")
    connections = {
        name: given[{"shift4shop": "shop", "dataverse": "crm", "finance": "finance"}[c.system]]
        for name, c in config.connections.items()
    }
    sandboxed_config = EnvironmentConfig.model_validate(
        {**config.model_dump(), "environment": "sandbox", "connections": connections}
    )
    return Place(
        sandboxed_config,
        clock,
        sandbox.transport,
        lambda reference: str(given["secrets"][reference.removeprefix("env:")]),
        pseudonym_key=b"sandbox",
        earlier=tuple(str(awkward[name]) for name in EARLIER),
        meanwhile=lambda: shop.remove_line(awkward["line_removed_later"], 1),
    )
