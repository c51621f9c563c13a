"""Is an environment ready for an integration? Every question a go-live would otherwise answer with a dead letter; reads only."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from tagline.clock import Clock
from tagline.connectors import connect, resolve_secret
from tagline.connectors.checkup import address_check, expiry_checks
from tagline.connectors.http import Transport
from tagline.connectors.secrets import absence_of
from tagline.domain.checkup import Check, Needs, State
from tagline.domain.environment import EntraConnection, EnvironmentConfig, Shift4ShopConnection
from tagline.domain.exchange import Connector, Key
from tagline.domain.model import Model, Ref, ref
from tagline.domain.settings import Settings
from tagline.errors import TaglineError
from tagline.flow.usage import Usage, usage_of
from tagline.integration.credentials import deploy_check, needed_by, secret_checks
from tagline.integration.drift import Weight, compare
from tagline.integration.load import Integration
from tagline.integration.remotes import Configured, configured, governor_in, is_deaf
from tagline.integration.solution import SYSTEM as DATAVERSE
from tagline.integration.solution import solution_of
from tagline.mapping import MappingFunction
from tagline.mapping.syntax import names_of, resolve

SIGN_IN_FAILED: Final = "sign-in failed"
STORE_CURRENCY: Final = "store_currency"
"""Field of a source record that carries its store's currency, which is configuration."""


def examine(
    integration: Integration,
    config: EnvironmentConfig,
    *,
    clock: Clock,
    secrets: Callable[[str], str] = resolve_secret,
    transport: Transport | None = None,
) -> Iterator[Check]:
    """
    Check the secrets, each connection of the integration, the rows that its settings name, and the way back to the agent.

    A remote that cannot be asked is one failed check, and what depends on it is skipped; the others are looked at all the
    same.

    Raises:
        UsageError: The configuration cannot be used at all: a reference is none, or a zone is unknown.
    """
    usage = usage_of(integration.flows.values())
    connections = configured(integration, config)
    yield from secret_checks(config, connections, secrets)
    with ExitStack() as stack:
        remotes = [Remote(each) for each in connections]
        for remote in remotes:
            each = remote.configured
            if isinstance(each.connection, EntraConnection):
                yield from expiry_checks(each.name, each.connection, clock.now().date(), secrets)
            deploy = deploy_check(each, config, clock=clock, secrets=secrets, transport=transport)
            if deploy is not None:
                yield deploy
            if is_deaf(each):
                yield _deaf(each)
            if any(absence_of(reference, secrets) for _, reference in needed_by(each.connection)):
                remote.trouble = "a secret is missing"
                yield Check(each.name, State.SKIPPED, remote.trouble)
                continue
            remote.client = connect(
                each.name,
                each.connection,
                clock=clock,
                secrets=secrets,
                transport=transport,
                read_only=True,
                governor=governor_in(each.connection, config, clock, transport),
            )
            stack.callback(remote.client.close)
            needs = _needs(integration, usage, each, config.environment)
            yield from _signed_in(remote, remote.client.check_up(needs))
            tables = _tables(each, usage, remote.client, integration)
            yield from _asked(f"{each.name} tables", remote, tables)
        yield from _rows(integration, config, remotes)
    if any(each.events for each in connections):
        yield address_check(config.agent.public_url, clock)


@dataclass
class Remote:
    """One of the integration's systems while it is looked at."""

    configured: Configured
    client: Connector | None = None
    trouble: str = ""
    """Why it cannot be asked; empty as long as it can."""


def _signed_in(remote: Remote, checks: Iterator[Check]) -> Iterator[Check]:
    """The connector's own checks, up to a failed sign-in."""
    subject = f"{remote.configured.name} sign-in"
    known = False
    try:
        for check in checks:
            yield check
            if check.subject == subject and check.state is State.FAILED:
                remote.trouble = SIGN_IN_FAILED
                return
            known = True
    except TaglineError as error:
        yield Check(
            remote.configured.name if known else subject,
            State.FAILED,
            f"{error.message} ({error.code})",
            error.hint,
        )
        if not known:
            remote.trouble = SIGN_IN_FAILED


def _asked(subject: str, remote: Remote, checks: Iterator[Check]) -> Iterator[Check]:
    """The checks, unless the remote cannot be asked; one that it did not let us finish is failed."""
    if remote.trouble:
        yield Check(subject, State.SKIPPED, remote.trouble)
        return
    try:
        yield from checks
    except TaglineError as error:
        yield Check(subject, State.FAILED, f"{error.message} ({error.code})", error.hint)


def _needs(integration: Integration, usage: Usage, each: Configured, environment: str) -> Needs:
    tables = tuple(m for m in usage.tables if m.remote.system == each.kind)
    if each.kind != DATAVERSE:
        return Needs(tables, webhooks=each.hooks, events=each.events)
    made = solution_of(integration)
    return Needs(
        tables,
        privileges={right.privilege: right.depth.rank for right in made.rights},
        solution=(made.name, made.version),
        webhooks=each.hooks,
        events=each.events,
        set_up=f"tagline solution import {integration.name} --env {environment}",
    )


def _deaf(each: Configured) -> Check:
    """Of a connection whose events nobody can be told of."""
    fix = f"give [connections.{each.name}] a webhook_token, a reference to 16 or more letters and digits"
    if each.starved:
        return Check(
            f"{each.name} webhooks",
            State.FAILED,
            f"it has no webhook_token, and its events alone start {', '.join(each.starved)}: nothing ever will",
            fix,
        )
    return Check(
        f"{each.name} webhooks",
        State.WARNING,
        "it has no webhook_token, so that no webhook is registered and changes wait for the sweep",
        fix,
    )


def _tables(each: Configured, usage: Usage, client: Connector, integration: Integration) -> Iterator[Check]:
    """Columns, alternate keys and change tracking of every table that the flows use."""
    swept = {flow.source for flow in integration.flows.values() if flow.sweep is not None}
    looked = 0
    sound = True
    for model, use in usage.tables.items():
        if model.remote.system != each.kind:
            continue
        looked += 1
        for finding in compare(use, client.describe(model), swept=model in swept):
            if finding.weight is Weight.NOTED:
                continue
            sound = False
            yield Check(
                f"{each.name} {finding.entity}.{finding.column}".rstrip("."),
                State.FAILED if finding.weight is Weight.BREAKS else State.WARNING,
                finding.message,
                finding.hint,
            )
    if sound:
        yield Check(f"{each.name} tables", State.GOOD, f"{looked} tables are as the flows use them")


def _rows(integration: Integration, config: EnvironmentConfig, remotes: Sequence[Remote]) -> Iterator[Check]:
    """The rows that a mapping refers to by a setting, such as the price list: there, and active."""
    section = config.integrations.get(integration.name)
    settings = integration.settings.model_validate(dict(section.settings) if section else {})
    shops = [c for r in remotes if isinstance(c := r.configured.connection, Shift4ShopConnection)]
    currency = shops[0].currency if shops else None
    named = dict.fromkeys(
        row for mapping in integration.mappings.values() for row in named_rows(mapping, settings, currency)
    )
    for remote in remotes:
        rows = [row for row in named if row[0].remote.system == remote.configured.kind]
        if rows and remote.client is not None:
            yield from _asked(f"{remote.configured.name} rows", remote, _read(remote.client, rows, currency))


def _read(
    client: Connector, rows: Sequence[tuple[type[Model], Key]], currency: str | None
) -> Iterator[Check]:
    found: dict[str, str] = {}
    # Currencies first, so that a price list can be compared with them.
    for model, key in sorted(rows, key=lambda row: row[0].remote.entity != "transactioncurrency"):
        names = [n for n in ("statecode", "transactioncurrencyid") if n in model.model_fields]
        row = client.read(model, [key], names).get(key)
        subject = f"{model.remote.entity} {', '.join(str(value) for _, value in key)}"
        if row is None:
            yield Check(
                subject,
                State.FAILED,
                f"no row has {', '.join(f'{n} {v!r}' for n, v in key)}",
                "create it, or name another one in the settings",
            )
            continue
        found[model.remote.entity] = row.id
        if row.values.get("statecode") not in (None, 0):
            yield Check(subject, State.FAILED, "it is not active", "activate it, or name another one")
        elif _is_of_other_currency(row.values.get("transactioncurrencyid"), found):
            yield Check(
                subject,
                State.FAILED,
                f"its currency is not the store's ({currency})",
                "name a price list in the store's currency",
            )
        else:
            yield Check(subject, State.GOOD, "it is there")


def _is_of_other_currency(held: Any, found: Mapping[str, str]) -> bool:
    ours = found.get("transactioncurrency")
    return isinstance(held, Ref) and ours is not None and dict(held.key).get("transactioncurrencyid") != ours


def named_rows(
    mapping: MappingFunction[..., Any], settings: Settings, currency: str | None
) -> Iterator[tuple[type[Model], Key]]:
    """Rows that a mapping refers to whatever the record is: by settings, constants and the store's currency."""
    outside = names_of(mapping.function)
    for rule in mapping.rules:
        for call in ast.walk(ast.parse(rule.expression, mode="eval")):
            if not isinstance(call, ast.Call) or resolve(call.func, outside, {}) is not ref or not call.args:
                continue
            model = resolve(call.args[0], outside, {})
            key = tuple(sorted((k.arg, _value(k.value, settings, currency)) for k in call.keywords if k.arg))
            if isinstance(model, type) and issubclass(model, Model) and all(v is not None for _, v in key):
                yield model, key


def _value(node: ast.expr, settings: Settings, currency: str | None) -> Any:
    """What the expression is for every record alike, else None."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.attr == STORE_CURRENCY:
            return currency
        if node.value.id == "settings":
            return getattr(settings, node.attr, None)
    return None
