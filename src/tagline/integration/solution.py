"""The Dataverse solution of an integration, read from what its flows touch."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Union, get_args, get_origin

from tagline.connectors.dataverse.keys import key_name
from tagline.connectors.dataverse.rights import (
    Access,
    Right,
    rights_for,
    rights_on,
    rights_to_look,
    together,
)
from tagline.connectors.dataverse.solution import (
    PREFIX,
    ColumnType,
    OwnColumn,
    OwnKey,
    Solution,
    version_of,
)
from tagline.domain.model import Model, columns, ref_targets
from tagline.errors import UsageError
from tagline.flow.usage import TableUse, Usage, usage_of
from tagline.integration.load import Integration

SYSTEM: Final = "dataverse"
_TYPES: Final = {
    str: ColumnType.TEXT,
    datetime: ColumnType.INSTANT,
    int: ColumnType.WHOLE,
    Decimal: ColumnType.DECIMAL,
    bool: ColumnType.YES_NO,
}


def solution_of(integration: Integration) -> Solution:
    """
    Columns, alternate keys and the least role that the integration's flows need.

    Raises:
        UsageError: It touches no table of Dataverse (code `solution-empty`), or a column of ours has a type that
            cannot be made (`solution-column`).
    """
    usage = usage_of(integration.flows.values())
    uses = [use for model, use in usage.tables.items() if model.remote.system == SYSTEM]
    if not uses:
        raise UsageError(
            f"{integration.name} touches no table of Dataverse",
            code="solution-empty",
            where={"integration": integration.name},
            hint="a solution is needed only where a flow reads or writes Dataverse",
        )
    return Solution(
        name=f"tagline_{integration.name}",
        version=version_of(integration.version),
        columns=tuple(column for use in uses for column in _own_columns(use.model)),
        keys=tuple(
            OwnKey(use.model.remote.entity, key_name(use.model, key), key)
            for use in uses
            for key in sorted(use.keys)
        ),
        rights=together(_rights(integration, usage)),
    )


def _rights(integration: Integration, usage: Usage) -> Iterator[Right]:
    """What the running application does there; setting the organisation up, webhooks included, is the deploy application's."""
    for use in usage.tables.values():
        if use.model.remote.system == SYSTEM:
            yield from rights_on(use.model.remote.entity, access_of(use), gives_owner="ownerid" in use.writes)
    for action in usage.actions:
        yield from rights_for(action)
    yield from rights_to_look(webhooks=has_webhooks(integration))


def has_webhooks(integration: Integration) -> bool:
    """Whether events of Dataverse start a flow of it."""
    return any(
        trigger.connection.kind == SYSTEM for flow in integration.flows.values() for trigger in flow.triggers
    )


def keyed_models(integration: Integration) -> tuple[type[Model], ...]:
    """Models of Dataverse whose rows the flows address by an alternate key."""
    tables = usage_of(integration.flows.values()).tables
    return tuple(m for m, use in tables.items() if m.remote.system == SYSTEM and use.keys)


def access_of(use: TableUse) -> frozenset[Access]:
    """The least access to rows of a table that its use needs."""
    links = any(ref_targets(use.model.model_fields[name].annotation) for name in use.writes)
    wanted = {
        Access.READ: True,
        Access.CREATE: use.creates,
        Access.WRITE: use.changes,
        Access.DELETE: use.deletes,
        Access.APPEND: links,
        Access.APPEND_TO: use.refers,
    }
    return frozenset(access for access, needed in wanted.items() if needed)


def _own_columns(model: type[Model]) -> Iterator[OwnColumn]:
    for name, facts in columns(model).items():
        if name.startswith(f"{PREFIX}_"):
            info = model.model_fields[name]
            yield OwnColumn(
                model.remote.entity,
                name,
                _type_of(model, name, info.annotation),
                facts.max_length,
                facts.precision,
                info.description or "",
            )


def _type_of(model: type[Model], name: str, annotation: Any) -> ColumnType:
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    for member in members:
        if member in _TYPES:
            return _TYPES[member]
    raise UsageError(
        f"{model.__name__}.{name} has a type that a solution cannot add",
        code="solution-column",
        where={"model": model.__name__, "column": name},
        hint="make it text, a number, an instant or yes/no; a lookup is made in the maker portal",
    )
