"""Is an environment ready for an integration? Every question a go-live would otherwise answer with a dead letter; reads only."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tagline.clock import Clock
from tagline.connectors import connect, resolve_secret
from tagline.connectors.budgets import governor_for, shared_folder
from tagline.connectors.checkup import address_check, expiry_checks
from tagline.connectors.http import Transport
from tagline.domain.checkup import Check, Needs, State
from tagline.domain.environment import EntraConnection, EnvironmentConfig, Shift4ShopConnection
from tagline.domain.exchange import Connector, Key
from tagline.domain.model import Model, Ref, ref
from tagline.domain.settings import Settings
from tagline.errors import TaglineError
from tagline.flow.usage import Usage, usage_of
from tagline.integration.drift import Weight, compare
from tagline.integration.load import Integration, routes
from tagline.integration.remotes import Configured, configured
from tagline.integration.solution import SYSTEM as DATAVERSE
from tagline.integration.solution import solution_of
from tagline.mapping import MappingFunction
from tagline.mapping.syntax import names_of, resolve

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
    Check each connection of the integration, then the rows that its settings name, then the way back to the agent.

    A remote that cannot be asked is a failed check; the others are looked at all the same.

    Raises:
        UsageError: The configuration cannot be used at all: a secret is missing, or a zone is unknown.
    """
    usage = usage_of(integration.flows.values())
    connections = configured(integration, config)
    hooks = f"{config.agent.public_url.rstrip('/')}/hooks/{integration.name}"
    opened: dict[str, Connector] = {}
    try:
        # Another transport leads to other remotes than the agent's.
        folder = shared_folder(Path(config.agent.state)) if transport is None else None
        for each in connections:
            client = connect(
                each.name,
                each.connection,
                clock=clock,
                secrets=secrets,
                transport=transport,
                read_only=True,
                governor=governor_for(each.connection, clock, folder=folder),
            )
            opened[each.kind] = client
            if isinstance(each.connection, EntraConnection):
                yield from expiry_checks(each.name, each.connection, clock.now().date(), secrets)
            yield from _asked(each.name, client.check_up(_needs(integration, usage, each, hooks)))
            yield from _asked(f"{each.name} tables", _tables(each, usage, client, integration))
        yield from _asked("settings", _rows(integration, config, connections, opened))
    finally:
        for client in opened.values():
            client.close()
    if any(flow.triggers for flow in integration.flows.values()):
        yield address_check(config.agent.public_url, clock)


def _asked(subject: str, checks: Iterator[Check] | Sequence[Check]) -> Iterator[Check]:
    """The checks; one that the remote did not let us finish is failed."""
    try:
        yield from checks
    except TaglineError as error:
        yield Check(subject, State.FAILED, f"{error.message} ({error.code})", error.hint)


def _needs(integration: Integration, usage: Usage, each: Configured, hooks: str) -> Needs:
    tables = tuple(m for m in usage.tables if m.remote.system == each.kind)
    own = next(name for name, system in integration.connections.items() if system.kind == each.kind)
    events = tuple(event for connection, event in routes(integration) if connection == own)
    if each.kind != DATAVERSE:
        return Needs(tables, webhooks=f"{hooks}/{own}", events=events)
    made = solution_of(integration)
    return Needs(
        tables,
        privileges=made.privileges,
        solution=(made.name, made.version),
        webhooks=f"{hooks}/{own}",
        events=events,
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


def _rows(
    integration: Integration,
    config: EnvironmentConfig,
    connections: Sequence[Configured],
    opened: Mapping[str, Connector],
) -> Iterator[Check]:
    """The rows that a mapping refers to by a setting, such as the price list: there, and active."""
    section = config.integrations.get(integration.name)
    settings = integration.settings.model_validate(dict(section.settings) if section else {})
    shops = [c.connection for c in connections if isinstance(c.connection, Shift4ShopConnection)]
    currency = shops[0].currency if shops else None
    seen: set[tuple[type[Model], Key]] = set()
    found: dict[str, str] = {}
    for mapping in integration.mappings.values():
        for model, key in named_rows(mapping, settings, currency):
            if (model, key) in seen:
                continue
            seen.add((model, key))
            names = [n for n in ("statecode", "transactioncurrencyid") if n in model.model_fields]
            row = opened[model.remote.system].read(model, [key], names).get(key)
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
    """
    Rows that a mapping refers to whatever the record is: by settings, constants and the store's currency.

    Currencies come first, so that a price list can be compared with them.
    """
    rows = []
    outside = names_of(mapping.function)
    for rule in mapping.rules:
        for call in ast.walk(ast.parse(rule.expression, mode="eval")):
            if not isinstance(call, ast.Call) or resolve(call.func, outside, {}) is not ref or not call.args:
                continue
            model = resolve(call.args[0], outside, {})
            key = tuple(sorted((k.arg, _value(k.value, settings, currency)) for k in call.keywords if k.arg))
            if isinstance(model, type) and issubclass(model, Model) and all(v is not None for _, v in key):
                rows.append((model, key))
    return iter(sorted(rows, key=lambda row: row[0].remote.entity != "transactioncurrency"))


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
