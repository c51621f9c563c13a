"""Drift: how a remote's tables differ from our models, and which mappings each difference hits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tagline.domain.exchange import Connector
from tagline.domain.model import Column, columns
from tagline.domain.schema import Basis, ColumnSchema, Schema
from tagline.flow.usage import TableUse, usage_of
from tagline.integration.load import Integration


class Weight(StrEnum):
    """How much a difference matters to the flows."""

    BREAKS = "breaks"
    """Records will become dead letters, or be written wrongly."""
    WARNS = "warns"
    """Some records may; look at it."""
    NOTED = "noted"
    """Nothing that the flows use."""


@dataclass(frozen=True)
class Finding:
    """One difference between the remote and a model."""

    entity: str
    column: str
    """Empty when it is about the table; names of a key's columns joined by `+` when it is about a key."""
    what: str
    """In kebab-case, for example `column-gone`."""
    weight: Weight
    message: str
    hint: str
    mappings: tuple[str, ...] = ()
    """Mappings and functions of the integration that write or read the column."""


DEFAULTED = frozenset(
    {
        "ownerid",
        "statecode",
        "statuscode",
        "transactioncurrencyid",
        "exchangerate",
        "ordernumber",
        "invoicenumber",
        "producttypecode",
        "propertyconfigurationstatus",
    }
)
"""Columns that Dataverse marks as required by the system and fills itself. Source: reference/dataverse-api.md section 15."""


@dataclass(frozen=True)
class Looked:
    """What a look at an environment's tables found."""

    tables: tuple[str, ...]
    """`system entity` of each table that was compared."""
    findings: tuple[Finding, ...]


def look(integration: Integration, remotes: Mapping[str, Connector]) -> Looked:
    """
    Compare every table that the integration's flows touch; reads only.

    Args:
        remotes: By kind of system.

    Raises:
        TaglineError: A remote could not be asked.
    """
    swept = {flow.source for flow in integration.flows.values() if flow.sweep is not None}
    tables: list[str] = []
    findings: list[Finding] = []
    for model, use in usage_of(integration.flows.values()).tables.items():
        schema = remotes[model.remote.system].describe(model)
        tables.append(f"{model.remote.system} {model.remote.entity}")
        findings += compare(use, schema, swept=model in swept)
    order = list(Weight)
    return Looked(tuple(tables), tuple(sorted(findings, key=lambda f: order.index(f.weight))))


def compare(use: TableUse, schema: Schema, *, swept: bool = False) -> tuple[Finding, ...]:
    """
    The differences between a model, as far as it is used, and the remote's table.

    Args:
        swept: Whether a flow reads this table's changes.

    Returns:
        The gravest first, then by column.
    """
    if schema.basis is Basis.SAMPLES and not schema.columns:
        return (
            Finding(
                schema.entity,
                "",
                "nothing-to-see",
                Weight.NOTED,
                "there is no record to look at, and the remote publishes no schema",
                "look again when there are records",
            ),
        )
    if not schema.columns:
        return (_table_gone(use, schema),)
    found = [*_columns(use, schema), *_required(use, schema), *_keys(use, schema)]
    if swept and schema.tracks_changes is False:
        found.append(
            Finding(
                schema.entity,
                "",
                "changes-untracked",
                Weight.WARNS,
                "the table does not track changes",
                "switch change tracking on for the table; until then changes are found by modified time",
            )
        )
    order = list(Weight)
    return tuple(sorted(found, key=lambda f: (order.index(f.weight), f.column, f.what)))


def _table_gone(use: TableUse, schema: Schema) -> Finding:
    users = (user for column in (*use.writes.values(), *use.reads.values()) for user in column)
    return Finding(
        schema.entity,
        "",
        "table-gone",
        Weight.BREAKS,
        "the remote has no such table, or does not show it to the application",
        "see what the remote calls it, and whether the application may read it",
        tuple(dict.fromkeys(users)),
    )


def _columns(use: TableUse, schema: Schema) -> Iterator[Finding]:
    for name, ours in columns(use.model).items():
        if ours.local or name == use.model.remote.primary_id:
            continue
        written = bool(use.writes.get(name))
        users = tuple(dict.fromkeys((*use.writes.get(name, ()), *use.reads.get(name, ()))))
        theirs = schema.columns.get(name)
        if theirs is None:
            yield _absent(schema, name, users)
            continue
        for what, weight, message, hint in _differences(ours, theirs, written, use):
            # A column that must be given matters just because nobody gives it.
            grave = weight if users or what == "column-required" else Weight.NOTED
            yield Finding(schema.entity, name, what, grave, message, hint, users)


def _absent(schema: Schema, name: str, users: tuple[str, ...]) -> Finding:
    if schema.basis is Basis.SAMPLES:
        return Finding(
            schema.entity,
            name,
            "column-unseen",
            Weight.WARNS if users else Weight.NOTED,
            "none of the rows that were looked at has the field",
            "look at a newer record; a field that is gone reads as its empty value",
            users,
        )
    return Finding(
        schema.entity,
        name,
        "column-gone",
        Weight.BREAKS if users else Weight.NOTED,
        "the remote has no such column",
        "import the solution that holds it, or take the column out of the mapping",
        users,
    )


def _differences(
    ours: Column, theirs: ColumnSchema, written: bool, use: TableUse
) -> Iterator[tuple[str, Weight, str, str]]:
    if ours.max_length and theirs.max_length and theirs.max_length < ours.max_length:
        yield (
            "column-shorter",
            Weight.BREAKS if written else Weight.NOTED,
            f"it holds {theirs.max_length} characters, the model says {ours.max_length}",
            "cut the text in its rule to the shorter length, or lengthen the column again",
        )
    if ours.precision is not None and theirs.precision is not None and theirs.precision != ours.precision:
        less = theirs.precision < ours.precision
        yield (
            "precision-changed",
            Weight.WARNS if written and less else Weight.NOTED,
            f"it keeps {theirs.precision} decimals, the model says {ours.precision}",
            "compare a written total with the source's; round in the rule if the remote keeps fewer",
        )
    if theirs.required and not ours.required and use.creates and not written and ours.name not in DEFAULTED:
        yield (
            "column-required",
            Weight.BREAKS,
            "the remote has begun to require it, and no mapping gives it",
            "give the column a rule, or a default on the remote",
        )
    if written:
        yield from _closed(ours, theirs, use)
    yield from _options(ours, theirs, written)


def _closed(ours: Column, theirs: ColumnSchema, use: TableUse) -> Iterator[tuple[str, Weight, str, str]]:
    hint = "take the column out of the mapping; the remote sets it itself"
    if use.creates and ours.create and theirs.create is False:
        yield "not-creatable", Weight.BREAKS, "the remote takes no value for it at creation", hint
    if use.changes and ours.update and theirs.update is False:
        yield "not-changeable", Weight.BREAKS, "the remote lets nobody change it", hint


def _options(ours: Column, theirs: ColumnSchema, written: bool) -> Iterator[tuple[str, Weight, str, str]]:
    if not ours.options or not theirs.options:
        return
    known = {str(option) for option in ours.options}
    added = {value: label for value, label in theirs.options.items() if value not in known}
    gone = sorted(known - set(theirs.options))
    if added:
        named = ", ".join(f"{v} {label}".strip() if label != v else v for v, label in added.items())
        yield (
            "option-added",
            Weight.WARNS,
            f"it has options that the model does not know: {named}",
            "decide what they mean to the mappings; an unmapped one becomes a dead letter",
        )
    if gone:
        yield (
            "option-gone",
            Weight.BREAKS if written else Weight.WARNS,
            f"the remote no longer has the options {', '.join(gone)}",
            "map to an option that the remote has",
        )


def _required(use: TableUse, schema: Schema) -> Iterator[Finding]:
    """Columns that no model names and that a new row must have."""
    known = columns(use.model)
    for name, theirs in schema.columns.items() if use.creates else ():
        if theirs.required and theirs.create is not False and name not in known and name not in DEFAULTED:
            yield Finding(
                schema.entity,
                name,
                "column-required",
                Weight.WARNS,
                "the remote requires it of new rows, and the model does not know it",
                "see whether the remote fills it itself; else add it to the model and give it a rule",
            )


def _keys(use: TableUse, schema: Schema) -> Iterator[Finding]:
    """The keys that rows are addressed by, when the remote publishes its keys."""
    for wanted in sorted(use.keys) if schema.basis is Basis.METADATA else ():
        standing = [key for key in schema.keys if tuple(sorted(key.columns)) == wanted]
        name = "+".join(wanted)
        if not standing:
            yield Finding(
                schema.entity,
                name,
                "key-missing",
                Weight.BREAKS,
                "the remote has no alternate key of these columns",
                "run `tagline solution import INTEGRATION --env NAME`; rows are addressed by it",
            )
        elif not any(key.is_active for key in standing):
            yield Finding(
                schema.entity,
                name,
                "key-inactive",
                Weight.BREAKS,
                "the remote is still building the key's index, or failed to",
                "wait until it is active; if it failed, remove the rows that share a value and reactivate it",
            )
