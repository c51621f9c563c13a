"""An integration's connections in one environment, as clients and sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tagline.clock import Clock
from tagline.connectors import connect, resolve_secret
from tagline.connectors.hooks import hooks_of
from tagline.domain.environment import Connection, DataverseConnection, EnvironmentConfig
from tagline.domain.exchange import Connector
from tagline.errors import UsageError
from tagline.integration.load import Integration, routes

if TYPE_CHECKING:
    from tagline.connectors.dataverse.session import Session
    from tagline.connectors.governor import Governor
    from tagline.connectors.http import Transport


@dataclass(frozen=True)
class Configured:
    """A connection of an integration as an environment configures it."""

    name: str
    """In the environment's configuration."""
    own: str
    """What the integration calls it."""
    kind: str
    """Of the system."""
    connection: Connection
    events: tuple[str, ...]
    """Those that start its flows."""
    hooks: str
    """The address beneath which its webhooks are posted."""
    starved: tuple[str, ...]
    """Flows that its events alone start: no sweep finds what an event misses."""


def configured(integration: Integration, config: EnvironmentConfig) -> tuple[Configured, ...]:
    """What each connection that the integration declares leads to."""
    section = config.integrations.get(integration.name)
    named = section.connections if section else {}
    routed = routes(integration)
    unswept = {flow.name for flow in integration.flows.values() if flow.sweep is None}
    found = []
    for own, system in integration.connections.items():
        name = named.get(own, own)
        started = {event: flows for (connection, event), flows in routed.items() if connection == own}
        found.append(
            Configured(
                name,
                own,
                system.kind,
                config.connections[name],
                tuple(started),
                hooks_of(config.agent.public_url, integration.name, own),
                tuple(sorted({flow for flows in started.values() for flow in flows} & unswept)),
            )
        )
    return tuple(found)


def is_deaf(each: Configured) -> bool:
    """Whether it has events and no token for the address that they would be posted to, so that none is registered."""
    return bool(each.events) and each.connection.webhook_token is None


def governor_in(
    connection: Connection, config: EnvironmentConfig, clock: Clock, transport: Transport | None = None
) -> Governor:
    """The environment's budget of a remote, shared with its agent; another transport leads to other remotes than the agent's."""
    # Imported here, as below, since a plan reads what connections lead to and opens none.
    from tagline.connectors.budgets import governor_for, in_files

    state = Path(config.agent.state)
    # Where no agent ever ran there is nobody to share with, and no folder is made.
    is_shared = transport is None and state.is_dir()
    return governor_for(connection, clock, keep=in_files(state, clock) if is_shared else None)


@contextmanager
def reading(
    integration: Integration, config: EnvironmentConfig, *, clock: Clock
) -> Iterator[Mapping[str, Connector]]:
    """
    Clients that can only read, by kind of system, until the block ends.

    Raises:
        UsageError: A secret is missing, or an address or zone cannot be used.
    """
    with ExitStack() as stack:
        clients: dict[str, Connector] = {}
        for each in configured(integration, config):
            governor = governor_in(each.connection, config, clock)
            client = connect(each.name, each.connection, clock=clock, read_only=True, governor=governor)
            stack.callback(client.close)
            clients[each.kind] = client
        yield clients


@contextmanager
def setting_up(
    each: Configured,
    config: EnvironmentConfig,
    *,
    clock: Clock,
    secrets: Callable[[str], str] = resolve_secret,
    transport: Transport | None = None,
    read_only: bool = False,
) -> Iterator[Session]:
    """
    An organisation as the application that sets it up, until the block ends.

    Raises:
        UsageError: The connection names no such application (code `deploy-identity-missing`), or its secret is missing.
    """
    connection = each.connection
    if not isinstance(connection, DataverseConnection) or connection.deploy is None:
        raise UsageError(
            f"the connection {each.name} of {config.environment} names no application that may change tables",
            code="deploy-identity-missing",
            where={"environment": config.environment, "connection": each.name},
            hint=f"add [connections.{each.name}.deploy] with client_id and a secret of an application with the role "
            "System Customizer; the application that runs the flows should not have it",
        )
    from tagline.connectors.dataverse.opening import open_session

    session = open_session(
        each.name,
        connection,
        clock=clock,
        secrets=secrets,
        governor=governor_in(connection, config, clock, transport),
        identity=connection.deploy,
        transport=transport,
        read_only=read_only,
    )
    with closing(session):
        yield session
