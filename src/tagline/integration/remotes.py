"""An integration's connections in one environment, as clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tagline.clock import Clock
from tagline.connectors import connect
from tagline.connectors.budgets import governor_for, shared_folder
from tagline.domain.environment import Connection, EnvironmentConfig
from tagline.domain.exchange import Connector
from tagline.integration.load import Integration


@dataclass(frozen=True)
class Configured:
    """A connection of an integration as an environment configures it."""

    name: str
    """In the environment's configuration."""
    kind: str
    """Of the system."""
    connection: Connection


def configured(integration: Integration, config: EnvironmentConfig) -> tuple[Configured, ...]:
    """What each connection that the integration declares leads to."""
    section = config.integrations.get(integration.name)
    named = section.connections if section else {}
    found = []
    for own, system in integration.connections.items():
        name = named.get(own, own)
        found.append(Configured(name, system.kind, config.connections[name]))
    return tuple(found)


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
            governor = governor_for(each.connection, clock, folder=shared_folder(Path(config.agent.state)))
            client = connect(each.name, each.connection, clock=clock, read_only=True, governor=governor)
            stack.callback(client.close)
            clients[each.kind] = client
        yield clients
