"""The secrets that an environment needs, looked at before any remote is: there, strong enough, of the right form."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tagline.clock import Clock
from tagline.connectors.dataverse.wire import ROOT
from tagline.connectors.entra import proof_of
from tagline.connectors.hooks import webhook_tokens
from tagline.connectors.http import Transport
from tagline.connectors.secrets import absence_of
from tagline.domain.checkup import Check, State
from tagline.domain.environment import (
    Connection,
    DataverseConnection,
    EnvironmentConfig,
    Shift4ShopConnection,
)
from tagline.errors import TaglineError, UsageError
from tagline.integration.remotes import Configured, setting_up

STATE_KEY_BYTES: Final = 32


def needed_by(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Key and reference of every secret without which the connection cannot work."""
    if isinstance(connection, Shift4ShopConnection):
        proofs = [(n, getattr(connection, n)) for n in ("private_key", "token", "access_token")]
    else:
        proof = proof_of(connection)
        proofs = [(n, proof) for n, given in connection if given == proof]
    pairs = (*proofs, ("webhook_token", connection.webhook_token))
    return tuple((name, reference) for name, reference in pairs if reference is not None)


def secret_checks(
    config: EnvironmentConfig, connections: Sequence[Configured], secrets: Callable[[str], str]
) -> Iterator[Check]:
    """Every secret that is missing, all of them at once; then whether those that are there can be what they are for."""
    wanted: dict[str, list[str]] = {config.agent.state_key: ["agent.state_key"]}
    for each in connections:
        for key, reference in needed_by(each.connection):
            wanted.setdefault(reference, []).append(f"connections.{each.name}.{key}")
    for reference, keys in wanted.items():
        absence = absence_of(reference, secrets)
        if absence is not None:
            yield Check(
                f"secret {reference}",
                State.FAILED,
                f"it is not on this machine, and {' and '.join(keys)} names it",
                absence.hint,
            )
    if absence_of(config.agent.state_key, secrets) is None:
        yield _state_key(secrets(config.agent.state_key))
    for each in connections:
        token = each.connection.webhook_token
        if token is not None and absence_of(token, secrets) is None:
            yield _token(each.name, token, secrets)


def deploy_check(
    each: Configured,
    config: EnvironmentConfig,
    *,
    clock: Clock,
    secrets: Callable[[str], str],
    transport: Transport | None,
) -> Check | None:
    """Whether the application that sets an organisation up can sign in from here; None where the connection names none."""
    connection = each.connection
    if not isinstance(connection, DataverseConnection) or connection.deploy is None:
        return None
    subject = f"{each.name} deploy sign-in"
    reference = proof_of(connection.deploy)
    if absence_of(reference, secrets) is not None:
        return Check(
            subject,
            State.UNKNOWN,
            f"{reference} is not on this machine, so that `tagline solution import` cannot be run here",
            "set it where that is run; a machine that only runs the agent is better off without",
        )
    try:
        with setting_up(
            each, config, clock=clock, secrets=secrets, transport=transport, read_only=True
        ) as session:
            user = session.get(f"{ROOT}/WhoAmI", "asking who we are").get("UserId")
    except TaglineError as error:
        return Check(subject, State.WARNING, f"{error.message} ({error.code})", error.hint)
    return Check(subject, State.GOOD, f"known as application user {user}")


def _state_key(key: str) -> Check:
    """The key ring as `runtime.key_ring.parse` reads it."""
    lines = [line.strip() for line in key.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if keys and all(_bytes(line) == STATE_KEY_BYTES for line in keys) and len(set(keys)) == len(keys):
        return Check("agent state key", State.GOOD, "it can encrypt images of rows")
    return Check(
        "agent state key",
        State.FAILED,
        f"a line of it is not the URL-safe Base64 of {STATE_KEY_BYTES} bytes or stands there twice, so that the agent will not start",
        "make one with `tagline keys generate`",
    )


def _bytes(key: str) -> int:
    try:
        return len(base64.b64decode(key, altchars=b"-_", validate=True))
    except ValueError:
        return 0


def _token(name: str, reference: str, secrets: Callable[[str], str]) -> Check:
    subject = f"{name} webhook token"
    try:
        tokens = webhook_tokens(name, reference, secrets)
    except UsageError as error:
        return Check(subject, State.FAILED, error.message, error.hint)
    found = "it is long enough, and a URL carries it as it is"
    if len(tokens) > 1:
        found = "two are live, and both are long enough; the second can go once all webhooks carry the first"
    return Check(subject, State.GOOD, found)
