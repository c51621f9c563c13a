"""`EntityDefinitions`: what the organisation says about its own tables. Source: Web API notes, section 14."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tagline.sandbox.dataverse_errors import bad_uri, no_segment
from tagline.sandbox.dataverse_read import JSON, query_options
from tagline.sandbox.dataverse_schema import CHOICES, LOOKUPS, TEXTS, Column, Table, tables
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import encode

_ONE = re.compile(r"EntityDefinitions\((?:LogicalName=)?'?([\w-]+)'?\)(?:/(.*))?")
_ATTRIBUTE = re.compile(r"Attributes\(LogicalName='(\w+)'\)")
_CAST = re.compile(r"Attributes/Microsoft\.Dynamics\.CRM\.(\w+)AttributeMetadata")
_EQUALS = re.compile(r"\s*(LogicalName|SchemaName)\s+eq\s+'(\w+)'\s*", re.IGNORECASE)


def read_metadata(request: Request, path: str, root: str) -> Response:
    """Answer an address that starts with `EntityDefinitions`."""
    options = query_options(request)
    text = unquote(path)
    if text == "EntityDefinitions":
        found = [_entity(t, options) for t in tables().values() if _matches(t.name, options)]
        return _answer(root, "EntityDefinitions", found)
    match = _ONE.fullmatch(text)
    table = next((t for t in tables().values() if match and match[1] in (t.name, _id(t.name))), None)
    if match is None or table is None:
        raise no_segment(text)
    rest = match[2] or ""
    context = f"EntityDefinitions('{table.name}')"
    if not rest:
        return _answer(root, "EntityDefinitions/$entity", _entity(table, options))
    if rest == "Keys":
        return _answer(root, f"{context}/Keys", [_selected(k, options) for k in _keys(table)])
    if rest == "Attributes" or (cast := _CAST.fullmatch(rest)):
        kind = cast[1] if rest != "Attributes" and cast else ""
        columns = [c for c in table.columns.values() if kind in ("", c.type) and _matches(c.name, options)]
        return _answer(root, f"{context}/Attributes", [_attribute(table, c, options) for c in columns])
    if (one := _ATTRIBUTE.fullmatch(rest)) and one[1] in table.columns:
        column = table.columns[one[1]]
        return _answer(root, f"{context}/Attributes/$entity", _attribute(table, column, options))
    raise no_segment(rest)


def _matches(name: str, options: Mapping[str, str]) -> bool:
    text = options.get("$filter", "")
    if not text:
        return True
    match = _EQUALS.fullmatch(text)
    if match is None:
        raise bad_uri(f"The filter '{text}' is not supported on metadata.")
    return match[2].lower() == name


def _answer(root: str, context: str, found: list[dict[str, Any]] | dict[str, Any]) -> Response:
    head = {"@odata.context": f"{root}$metadata#{context}"}
    body = {**head, "value": found} if isinstance(found, list) else {**head, **found}
    return Response(200, (JSON,), encode(body).encode())


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.tables.sandbox.test"))


def _selected(facts: dict[str, Any], options: Mapping[str, str]) -> dict[str, Any]:
    wanted = {name.strip() for name in options.get("$select", "").split(",") if name.strip()}
    return {
        k: v for k, v in facts.items() if not wanted or k in wanted or k == "MetadataId" or k.startswith("@")
    }


def _entity(table: Table, options: Mapping[str, str]) -> dict[str, Any]:
    facts = _selected(
        {
            "MetadataId": _id(table.name),
            "LogicalName": table.name,
            "SchemaName": table.name.capitalize(),
            "EntitySetName": table.entity_set,
            "LogicalCollectionName": table.entity_set,
            "ObjectTypeCode": table.object_type_code,
            "OwnershipType": table.ownership,
            "PrimaryIdAttribute": table.primary_id,
            "PrimaryNameAttribute": table.primary_name,
            "ChangeTrackingEnabled": False,
            "IsOptimisticConcurrencyEnabled": True,
            "IsCustomEntity": False,
            "TableType": "Standard",
        },
        options,
    )
    expand = options.get("$expand", "")
    if "Attributes" in expand:
        facts["Attributes"] = [_attribute(table, c, {}) for c in table.columns.values()]
    if "Keys" in expand:
        facts["Keys"] = _keys(table)
    return facts


def _keys(table: Table) -> list[dict[str, Any]]:
    return [
        {
            "MetadataId": _id(name),
            "LogicalName": name,
            "SchemaName": name,
            "EntityLogicalName": table.name,
            "KeyAttributes": list(columns),
            "EntityKeyIndexStatus": "Active",
        }
        for name, columns in table.keys.items()
    ]


def _attribute(table: Table, column: Column, options: Mapping[str, str]) -> dict[str, Any]:
    kind = "DateTime" if column.type == "DateOnly" else column.type
    facts: dict[str, Any] = {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "MetadataId": _id(f"{table.name}.{column.name}"),
        "LogicalName": column.name,
        "SchemaName": column.name,
        "EntityLogicalName": table.name,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "RequiredLevel": {"Value": column.required, "CanBeChanged": True},
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "IsValidForRead": True,
        "IsCustomAttribute": column.name.startswith("tl_"),
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
    }
    if column.type in TEXTS:
        facts["MaxLength"] = column.max_length
    if column.type in ("Money", "Decimal", "Double"):
        facts["Precision"] = column.precision
    if column.type in LOOKUPS:
        facts["Targets"] = list(column.targets)
    if kind == "DateTime":
        facts["Format"] = "DateOnly" if column.type == "DateOnly" else "DateAndTime"
    chosen = _selected(facts, options)
    if column.type in CHOICES and "OptionSet" in options.get("$expand", ""):
        chosen["OptionSet"] = {"Options": [_option(value, label) for value, label in column.options.items()]}
    return chosen


def _option(value: int, label: str) -> dict[str, Any]:
    return {"Value": value, "Label": {"UserLocalizedLabel": {"Label": label, "LanguageCode": 1033}}}
