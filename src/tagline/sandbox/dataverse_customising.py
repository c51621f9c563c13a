"""Changing the tables: alternate keys that become active by and by, columns, change tracking. Source: Web API notes, 7.1 and 14."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from tagline.sandbox.assumptions import KEY_STEPS_S, METADATA_REFUSED_CODE
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_definitions import metadata_id
from tagline.sandbox.dataverse_errors import Refusal, bad_uri
from tagline.sandbox.dataverse_literals import GUID
from tagline.sandbox.dataverse_platform import NAMESPACE, Platform, parameters, text_parameter
from tagline.sandbox.dataverse_schema import ACTIVE, Column, KeyIndex, Table, tables
from tagline.sandbox.values import Response

PENDING, FAILED = "Pending", "Failed"
MAX_KEYS: Final = 10
MAX_KEY_COLUMNS: Final = 16
KEY_TYPES: Final = frozenset(
    {"String", "Integer", "BigInt", "Decimal", "DateTime", "DateOnly", "Lookup", "Customer", "Picklist"}
)
_ADDRESS = re.compile(
    rf"EntityDefinitions\((?:LogicalName='(?P<name>[^']*)'|(?P<id>{GUID.pattern}))\)"
    rf"(?:/(?P<part>Keys|Attributes)(?:\((?:LogicalName='(?P<of>[^']*)'|(?P<of_id>{GUID.pattern}))\))?)?"
)
_NAME = re.compile(r"[A-Za-z]\w{0,99}")


def write_metadata(platform: Platform, call: Call, path: str) -> Response:
    """
    Answer a write below `EntityDefinitions`.

    Args:
        path: Below the service root, decoded.

    Raises:
        Refusal: There is nothing such, the caller may not, or the table cannot be changed so.
    """
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
        case "DELETE", "Attributes", True:
            platform.records.caller.require_all(("prvDeleteAttribute",))
            remove_column(platform, table.name, _column_named(table, str(addressed)))
            return Response(204)
    raise Refusal(
        405, "0x80060888", f"The requested resource does not support http method '{call.request.method}'."
    )


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
    for status, seconds in KEY_STEPS_S.items():
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
        raise _refused(f"The column '{name}' of '{table}' belongs to the system.")
    if any(name in key.columns for key in tables()[table].indexes.values()):
        raise _refused(f"The column '{name}' of '{table}' is part of a key.")
    whole = tables()[table]
    for row in platform.rows.all(whole):
        if name in row:
            platform.rows.put(whole, row[whole.primary_id], {n: v for n, v in row.items() if n != name})
    platform.schema.without(table, name)


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
    if _NAME.fullmatch(name) is None or not isinstance(columns, list) or not columns:
        raise _refused("A key needs a SchemaName and KeyAttributes.")
    if name.lower() in (n.lower() for n in table.indexes):
        raise _refused(f"The key '{name}' exists already on '{table.name}'.")
    if len(table.indexes) >= MAX_KEYS or len(columns) > MAX_KEY_COLUMNS:
        raise _refused(f"A table has at most {MAX_KEYS} keys and a key at most {MAX_KEY_COLUMNS} columns.")
    for column in columns:
        known = table.columns.get(str(column))
        if known is None or known.type not in KEY_TYPES:
            raise _refused(f"The column '{column}' cannot be part of a key of '{table.name}'.")
    begin_key(platform, table.name, name, KeyIndex(tuple(columns), is_managed=False))
    return _made(call, table, "Keys", metadata_id(table.name, "key", name))


def _add_column(platform: Platform, call: Call, table: Table) -> Response:
    given = parameters(call)
    kind = str(given.get("@odata.type", "")).removeprefix("#").removeprefix(NAMESPACE)
    name = text_parameter(given, "SchemaName").lower()
    make = _MAKERS.get(kind)
    if make is None:
        raise _refused(
            f"Columns of type '{kind}' cannot be made here; of these they can: {', '.join(_MAKERS)}."
        )
    if _NAME.fullmatch(name) is None or "_" not in name or name in table.columns:
        raise _refused(f"The column '{name}' exists on '{table.name}' or has no customization prefix.")
    platform.schema.change(table.name, columns=[make(name, given)])
    return _made(call, table, "Attributes", metadata_id(table.name, name))


def _text_column(kind: str, most: int) -> Callable[[str, Mapping[str, Any]], Column]:
    def make(name: str, given: Mapping[str, Any]) -> Column:
        length = given.get("MaxLength", 100)
        if not isinstance(length, int) or not 1 <= length <= most:
            raise _refused(f"The MaxLength of '{name}' is not between 1 and {most}.")
        return Column(name, kind, max_length=length, required=_required(given))

    return make


def _number_column(kind: str) -> Callable[[str, Mapping[str, Any]], Column]:
    def make(name: str, given: Mapping[str, Any]) -> Column:
        low, high = given.get("MinValue"), given.get("MaxValue")
        return Column(
            name,
            kind,
            precision=int(given.get("Precision", 2)),
            min=None if low is None else float(low),
            max=None if high is None else float(high),
            required=_required(given),
        )

    return make


def _plain_column(kind: str) -> Callable[[str, Mapping[str, Any]], Column]:
    return lambda name, given: Column(name, kind, required=_required(given))


def _date_column(name: str, given: Mapping[str, Any]) -> Column:
    behaviour = given.get("DateTimeBehavior")
    is_date = isinstance(behaviour, dict) and behaviour.get("Value") == "DateOnly"
    return Column(name, "DateOnly" if is_date else "DateTime", required=_required(given))


_MAKERS: Mapping[str, Callable[[str, Mapping[str, Any]], Column]] = {
    "StringAttributeMetadata": _text_column("String", 4000),
    "MemoAttributeMetadata": _text_column("Memo", 1_048_576),
    "DateTimeAttributeMetadata": _date_column,
    "DecimalAttributeMetadata": _number_column("Decimal"),
    "DoubleAttributeMetadata": _number_column("Double"),
    "IntegerAttributeMetadata": _number_column("Integer"),
    "BooleanAttributeMetadata": _plain_column("Boolean"),
}


def _required(given: Mapping[str, Any]) -> str:
    level = given.get("RequiredLevel")
    return str(level.get("Value", "None")) if isinstance(level, dict) else "None"


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


def _made(call: Call, table: Table, part: str, of_id: str) -> Response:
    address = f"{call.root}EntityDefinitions({metadata_id(table.name)})/{part}({of_id})"
    return Response(204, (("OData-EntityId", address), ("Location", address)))


def _refused(message: str) -> Refusal:
    return Refusal(400, METADATA_REFUSED_CODE, message)
