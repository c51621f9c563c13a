"""A session from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

from tagline.clock import Clock
from tagline.connectors.entra import SignIn, Tokens
from tagline.connectors.governor import Governor
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.messages import Limits
from tagline.connectors.odata.session import Session, is_read
from tagline.domain.environment import EntraConnection, Identity

S = TypeVar("S", bound=Session)


def open_session(
    kind: type[S],
    name: str,
    config: EntraConnection,
    *,
    clock: Clock,
    secrets: Callable[[str], str],
    governor: Governor,
    identity: Identity | None = None,
    tokens: Tokens | None = None,
    new_id: Callable[[], str] = lambda: str(uuid4()),
    transport: Transport | None = None,
    read_only: bool = False,
    limits: Limits | None = None,
) -> S:
    """
    A signed-in session; nothing is sent yet.

    Args:
        kind: Session of the system.
        identity: The application that signs in; None is the connection's own, which runs the flows.
    """
    policy = Policy(
        urls=(config.url, config.authority),
        governor=governor,
        is_read=lambda call: is_read(call, config.authority),
        read_only=read_only,
        ca_file=config.ca_file,
        limits=limits or Limits(),
    )
    http = Http(policy, clock, transport)
    sign_in = SignIn(http, config, secrets, identity=identity, tokens=tokens)
    return kind(name, config.url, http, sign_in, clock, new_id, governor)
