"""Setting a tenant up for an integration: its solution, its alternate keys and its webhooks, as the deploy application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tagline.clock import Clock
from tagline.connectors import resolve_secret
from tagline.connectors.dataverse import importing, standing, webhooks
from tagline.connectors.dataverse.keys import ensure_keys
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.solution import Solution, to_zip
from tagline.connectors.hooks import webhook_token
from tagline.connectors.http import Transport
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import RefusedError
from tagline.integration.load import Integration
from tagline.integration.remotes import Configured, configured, is_deaf, setting_up
from tagline.integration.solution import SYSTEM, keyed_models, solution_of

_OTHER_KIND: Final = {
    True: "leave out --unmanaged: one organisation has a solution as one kind only, and the local sandbox begins with the managed "
    "one. To change the kind, remove the installed solution first, which removes its columns with what is in them",
    False: "add --unmanaged: one organisation has a solution as one kind only. To change the kind, remove the installed solution "
    "first; an unmanaged one leaves its columns behind",
}
"""By whether the installed one is managed."""


@dataclass(frozen=True)
class Installation:
    """What setting one organisation up has changed."""

    connection: str
    solution: Solution
    changes: tuple[str, ...]
    """What the import brought, for people; empty where everything stood already."""
    keys: tuple[str, ...]
    """Alternate keys that were made beside the import."""
    webhooks: tuple[str, ...]
    """Events whose webhook was registered or mended."""
    is_deaf: bool
    """Events start its flows, and none can be registered: the connection has no token."""

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing had to be done."""
        return not (self.changes or self.keys or self.webhooks)


def install(
    integration: Integration,
    config: EnvironmentConfig,
    *,
    is_managed: bool,
    clock: Clock,
    told: Callable[[str], None],
    secrets: Callable[[str], str] = resolve_secret,
    transport: Transport | None = None,
) -> Iterator[Installation]:
    """
    Bring each organisation to where the flows can run; what stands already is left as it is.

    Args:
        told: Is given a line at each step that takes its time.

    Raises:
        UsageError: There is no application to set up with (code `deploy-identity-missing`), or a secret is missing or weak.
        RefusedError: The solution stands there otherwise (codes `solution-kind-differs`, `solution-older`), or the
            organisation found fault with it.
    """
    made = solution_of(integration)
    for each in configured(integration, config):
        if each.kind != SYSTEM:
            continue
        # Looked at first: an import takes minutes, and half of a set-up is worse than none.
        token = _token(each, secrets)
        with setting_up(each, config, clock=clock, secrets=secrets, transport=transport) as session:
            changes = _bring(session, made, config.environment, told, is_managed=is_managed)
            keys = [key for model in keyed_models(integration) for key in ensure_keys(session, model)]
            told("  alternate keys are active")
            registered = webhooks.register(session, each.events, each.hooks, token) if token else []
        yield Installation(each.name, made, tuple(changes), tuple(keys), tuple(registered), is_deaf(each))


def _token(each: Configured, secrets: Callable[[str], str]) -> str:
    """Of its webhooks; empty where it needs none or has none."""
    reference = each.connection.webhook_token
    return webhook_token(each.name, reference, secrets) if each.events and reference else ""


def _bring(
    session: Session, made: Solution, environment: str, told: Callable[[str], None], *, is_managed: bool
) -> list[str]:
    """Import the solution unless all of it stands there; what that changed."""
    there = importing.installed(session, made.name)
    where = {"environment": environment, "connection": session.name}
    if there is not None and there.is_managed != is_managed:
        kinds = ("managed", "unmanaged") if there.is_managed else ("unmanaged", "managed")
        raise RefusedError(
            f"{made.name} {there.version} is installed {kinds[0]} in {session.url}, and would be imported {kinds[1]}",
            code="solution-kind-differs",
            where=where,
            hint=_OTHER_KIND[there.is_managed],
        )
    changes = standing.differences(session, made)
    if there is not None:
        if importing.numbers(there.version) > importing.numbers(made.version) and changes:
            raise RefusedError(
                f"{made.name} {there.version} is installed, {made.version} would bring it back, and needs {', '.join(changes)}",
                code="solution-older",
                where=where,
                hint="import from the newer version of the integration, or raise the version in its pyproject.toml",
            )
        if importing.numbers(there.version) < importing.numbers(made.version):
            changes.insert(0, f"version {made.version} in place of {there.version}")
        if not changes:
            return []
    why = (
        f"for {', '.join(changes)}"
        if there is not None
        else f"since no solution of that name is installed there{'' if changes else ', though its tables stand'}"
    )
    told(f"{session.name}: importing {made.name} {made.version} into {session.url}, {why}")
    importing.import_solution(session, to_zip(made, managed=is_managed), lambda step: told(f"  {step}"))
    return changes or [f"version {made.version}"]
