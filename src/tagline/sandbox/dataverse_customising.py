"""Changing the tables: alternate keys that become active by and by, columns, change tracking. Source: Web API notes, 7.1 and 14."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_columns import NAME, changed_column, new_columns, new_lookup, refused
from tagline.sandbox.dataverse_definitions import metadata_id, relationships
from tagline.sandbox.dataverse_errors import Refusal, bad_uri
from tagline.sandbox.dataverse_literals import GUID
from tagline.sandbox.dataverse_platform import NAMESPACE, Platform, parameters, text_parameter
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_schema import ACTIVE, KeyIndex, Table, tables
from tagline.sandbox.values import Response

PENDING, FAILED = "Pending", "Failed"
MAX_KEYS: Final = 10
MAX_KEY_COLUMNS: Final = 16
RELATIONSHIPS: Final = "RelationshipDefinitions"
KEY_TYPES: Final = frozenset(
    {"String", "Integer", "BigInt", "Decimal", "DateTime", "DateOnly", "Lookup", "Customer", "Picklist"}
)
_ADDRESS = re.compile(
    rf"EntityDefinitions\((?:LogicalName='(?P<name>[^']*)'|(?P<id>{GUID.pattern}))\)"
    rf"(?:/(?P<part>Keys|Attributes)(?:\((?:LogicalName='(?P<of>[^']*)'|(?P<of_id>{GUID.pattern}))\))?)?"
    rf"(?:/{re.escape(NAMESPACE)}\w+)?"
)


def write_metadata(platform: Platform, call: Call, path: str) -> Response:
    """
    Answer a write below `EntityDefinitions`.

    Args:
        path: Below the service root, decoded.

    Raises:
        Refusal: There is nothing such, the caller may not, or the table cannot be changed so.
    """
    if path == "EntityDefinitions":
        return refuse_tables(platform, call)
    if path.startswith(RELATIONSHIPS):
        return write_relationship(platform, call, path)
    match = _ADDRESS.fullmatch(path)
    if match is None:
        raise bad_uri(f"The metadata at '{path}' cannot be written.")
    table = _table(match["name"], match["id"])
    addressed = match["of"] or match["of_id"]
    match call.request.method, match["part"], bool(addressed):
        case "PUT" | "PATCH", None, _:
            platform.records.caller.require_all(("prvWriteEntity",))
            return _set_tracking(platform, table, parameters(call))
        case "POST", "Keys", False:
            platform.records.caller.require_all(("prvWriteEntity",))
            return _add_key(platform, call, table)
        case "DELETE", "Keys", True:
            platform.records.caller.require_all(("prvWriteEntity",))
            remove_key(platform, table.name, _key_named(table, str(addressed)))
            return Response(204)
        case "POST", "Attributes", False:
            platform.records.caller.require_all(("prvCreateAttribute",))
            return _add_column(platform, call, table)
        case "PUT", "Attributes", True:
            platform.records.caller.require_all(("prvWriteAttribute",))
            return _change_column(platform, call, table, _column_named(table, str(addressed)))
        case "DELETE", "Attributes", True:
            platform.records.caller.require_all(("prvDeleteAttribute",))
            remove_column(platform, table.name, _column_named(table, str(addressed)))
            return Response(204)
    raise Refusal(
        405, "0x80060888", f"The requested resource does not support http method '{call.request.method}'."
    )


def refuse_tables(_platform: Platform, _call: Call) -> Response:
    """`CreateEntities` and `POST EntityDefinitions`: the one part of the schema that stays as it is."""
    raise refused("Tables cannot be made here; columns, keys and relationships of those that stand can.")


def write_relationship(platform: Platform, call: Call, path: str) -> Response:
    """
    `POST RelationshipDefinitions`: a lookup with the relationship that it is one side of; `DELETE` takes both away.

    Raises:
        Refusal: It cannot be read, is of many rows to many, or the caller may not.
    """
    inside = re.fullmatch(rf"{RELATIONSHIPS}\((?:MetadataId=)?({GUID.pattern})\)", path)
    if call.request.method == "POST" and path == RELATIONSHIPS:
        platform.records.caller.require_all(("prvCreateAttribute",))
        given = parameters(call)
        kind = str(given.get("@odata.type", "")).removeprefix("#").removeprefix(NAMESPACE)
        if kind != "OneToManyRelationshipMetadata":
            raise refused(f"Relationships of type '{kind}' cannot be made here; those of one to many can.")
        target = _table(text_parameter(given, "ReferencedEntity"), None)
        child = _table(text_parameter(given, "ReferencingEntity"), None)
        column = new_lookup(child, target, given)
        platform.schema.change(child.name, columns=[column])
        address = f"{call.root}{RELATIONSHIPS}({metadata_id(target.name, child.name, column.name)})"
        return Response(204, (("OData-EntityId", address), ("Location", address)))
    if call.request.method == "DELETE" and inside is not None:
        platform.records.caller.require_all(("prvDeleteAttribute",))
        for one in relationships():
            if one.facts["MetadataId"] == inside[1].lower():
                remove_column(platform, one.facts["ReferencingEntity"], one.facts["ReferencingAttribute"])
                return Response(204)
        raise Refusal(404, "0x80060888", f"The relationship '{inside[1]}' was not found.")
    raise bad_uri(f"The metadata at '{path}' cannot be written.")


def reactivate(platform: Platform, call: Call) -> Response:
    """
    `ReactivateEntityKey`: try once more to build the index of a key that failed.

    Raises:
        Refusal: There is no such key.
    """
    given = parameters(call)
    table = _table(text_parameter(given, "EntityLogicalName"), None)
    begin_key(platform, table.name, _key_named(table, text_parameter(given, "EntityKeyLogicalName")))
    return Response(204)


def begin_key(platform: Platform, table: str, name: str, key: KeyIndex | None = None) -> None:
    """Start to build the index of a key, of a new one where it is given; it becomes active or fails by the clock."""
    _set_key(platform, table, name, replace(key or tables()[table].indexes[name], status=PENDING))
    for status, seconds in quirks().key_steps_s.items():
        platform.agenda.after(seconds, partial(_advance_key, platform, table, name, status))


def _advance_key(platform: Platform, table: str, name: str, status: str) -> None:
    key = tables()[table].indexes.get(name)
    if key is None:
        return  # removed in the meantime
    if status == ACTIVE and platform.rows.index(tables()[table], name, key.columns) is not None:
        status = FAILED
    _set_key(platform, table, name, replace(key, status=status))


def _set_key(platform: Platform, table: str, name: str, key: KeyIndex) -> None:
    platform.schema.change(table, indexes={**tables()[table].indexes, name: key})


def remove_key(platform: Platform, table: str, name: str) -> None:
    """Take an alternate key away."""
    kept = {n: key for n, key in tables()[table].indexes.items() if n != name}
    platform.schema.change(table, indexes=kept)


def remove_column(platform: Platform, table: str, name: str) -> None:
    """
    Take a column away, with what rows hold there.

    Raises:
        Refusal: It is not one that was added, or a key needs it.
    """
    if "_" not in name or tables()[table].primary_id == name:
        raise refused(f"The column '{name}' of '{table}' belongs to the system.")
    if any(name in key.columns for key in tables()[table].indexes.values()):
        raise refused(f"The column '{name}' of '{table}' is part of a key.")
    whole = tables()[table]
    gone = (name, f"{name}_base") if name in whole.money else (name,)
    for row in platform.rows.all(whole):
        if not row.keys().isdisjoint(gone):
            kept = {n: v for n, v in row.items() if n not in gone}
            platform.rows.put(whole, row[whole.primary_id], kept)
    for each in gone:
        platform.schema.without(table, each)


def _set_tracking(platform: Platform, table: Table, given: Mapping[str, Any]) -> Response:
    value = given.get("ChangeTrackingEnabled")
    if isinstance(value, bool) and value != table.is_tracked:
        platform.schema.change(table.name, is_tracked=value)
        platform.tracking.expire(platform.rows, table)
    return Response(204)


def _add_key(platform: Platform, call: Call, table: Table) -> Response:
    given = parameters(call)
    name = text_parameter(given, "SchemaName")
    columns = given.get("KeyAttributes")
    if NAME.fullmatch(name) is None or not isinstance(columns, list) or not columns:
        raise refused("A key needs a SchemaName and KeyAttributes.")
    if name.lower() in (n.lower() for n in table.indexes):
        raise refused(f"The key '{name}' exists already on '{table.name}'.")
    if len(table.indexes) >= MAX_KEYS or len(columns) > MAX_KEY_COLUMNS:
        raise refused(f"A table has at most {MAX_KEYS} keys and a key at most {MAX_KEY_COLUMNS} columns.")
    for column in columns:
        known = table.columns.get(str(column))
        if known is None or known.type not in KEY_TYPES:
            raise refused(f"The column '{column}' cannot be part of a key of '{table.name}'.")
    begin_key(platform, table.name, name, KeyIndex(tuple(columns), is_managed=False))
    return _made(call, metadata_id(table.name, "key", name))


def _add_column(platform: Platform, call: Call, table: Table) -> Response:
    columns = new_columns(table, parameters(call))
    platform.schema.change(table.name, columns=columns)
    return _made(call, metadata_id(table.name, columns[0].name))


def _change_column(platform: Platform, call: Call, table: Table, name: str) -> Response:
    column = changed_column(table.columns[name], parameters(call))
    platform.schema.change(table.name, columns=[column])
    return Response(204)


def _table(name: str | None, of_id: str | None) -> Table:
    for table in tables().values():
        if table.name == name or (of_id and metadata_id(table.name) == of_id.lower()):
            return table
    raise Refusal(
        404, "0x80060888", f"The entity with a name = '{name or of_id}' was not found in the MetadataCache."
    )


def _key_named(table: Table, text: str) -> str:
    for name in table.indexes:
        if name.lower() == text.lower() or metadata_id(table.name, "key", name) == text.lower():
            return name
    raise Refusal(404, "0x80060888", f"The key '{text}' was not found on '{table.name}'.")


def _column_named(table: Table, text: str) -> str:
    for name in table.columns:
        if name == text or metadata_id(table.name, name) == text.lower():
            return name
    raise Refusal(404, "0x80060888", f"The column '{text}' was not found on '{table.name}'.")


def _made(call: Call, of_id: str) -> Response:
    """What was made below the address of the request, which may name its table by id or by name."""
    address = f"{call.request.origin}{call.request.path}({of_id})"
    return Response(204, (("OData-EntityId", address), ("Location", address)))
