"""Remote systems as clients. `connect` builds one from its configuration; models live in each system's package."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from tagline.clock import Clock
from tagline.connectors.secrets import resolve_secret
from tagline.domain.environment import Connection, FinanceConnection, Shift4ShopConnection
from tagline.domain.exchange import Connector

if TYPE_CHECKING:
    from tagline.connectors.entra import Tokens
    from tagline.connectors.governor import Governor
    from tagline.connectors.http import Transport
    from tagline.connectors.messages import Limits

__all__ = ["connect", "resolve_secret"]


def connect(
    name: str,
    config: Connection,
    *,
    clock: Clock,
    secrets: Callable[[str], str] = resolve_secret,
    transport: Transport | None = None,
    read_only: bool = False,
    new_id: Callable[[], str] = lambda: str(uuid4()),
    limits: Limits | None = None,
    governor: Governor | None = None,
    tokens: Tokens | None = None,
) -> Connector:
    """
    A client for one connection; close it when done.

    Nothing is sent yet; credentials are resolved now, the webhook token only when webhooks are registered.

    Args:
        transport: Sends in place of the network: the sandbox in process, or a cassette.
        read_only: Refuse below everything whatever is not a read.
        new_id: Makes the boundaries of batches.
        limits: What one answer may cost; None gives a remote as long as it may take.
        tokens: Where the process keeps its access tokens; None keeps them for this client alone.
        governor: Paces the requests, shared with other clients of the same remote; None makes one for this client alone.

    Raises:
        UsageError: A secret is missing, an address is not https, or a zone or certificate file is unknown.
    """
    # Imported here, since a mapping imports models from these packages and needs neither msal nor httpx for it.
    from tagline.connectors.budgets import governor_for

    governor = governor or governor_for(config, clock)
    if isinstance(config, Shift4ShopConnection):
        from tagline.connectors.shift4shop.client import Shift4ShopClient

        return Shift4ShopClient(
            name,
            config,
            clock=clock,
            secrets=secrets,
            transport=transport,
            read_only=read_only,
            limits=limits,
            governor=governor,
        )
    from tagline.connectors.odata.opening import open_session

    opened = partial(
        open_session,
        name=name,
        config=config,
        clock=clock,
        secrets=secrets,
        governor=governor,
        tokens=tokens,
        new_id=new_id,
        transport=transport,
        read_only=read_only,
        limits=limits,
    )
    if isinstance(config, FinanceConnection):
        from tagline.connectors.finance import client, session

        return client.FinanceClient(opened(session.Session), config.company)
    from tagline.connectors.dataverse.client import DataverseClient
    from tagline.connectors.dataverse.session import Session

    return DataverseClient(config, partial(opened, Session), secrets=secrets)
