"""A table as Dataverse describes it: what to ask for, and how its metadata reads as a `Schema`.

Source: reference/dataverse-api.md section 14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tagline.connectors.dataverse.wire import ROOT
from tagline.connectors.odata.batch import Part
from tagline.domain.schema import Basis, ColumnSchema, KeySchema, Schema

CHOICES: Final = ("Picklist", "State", "Status")
"""Types of columns that have options; only a cast to the type brings them."""


def questions(entity: str) -> list[Part]:
    """
    The requests whose answers `schema_of` reads, in their order.

    Columns come whole: lengths, precisions and targets belong to the types of columns, and a `$select` may only name
    what all types have.
    """
    table = f"{ROOT}/EntityDefinitions(LogicalName='{entity}')"
    keys = "Keys($select=SchemaName,KeyAttributes,EntityKeyIndexStatus)"
    casts = [f"{table}/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata" for kind in CHOICES]
    return [
        _get(f"{table}?$select=LogicalName,ChangeTrackingEnabled&$expand=Attributes,{keys}"),
        *(_get(f"{cast}?$select=LogicalName&$expand=OptionSet($select=Options)") for cast in casts),
    ]


def schema_of(entity: str, answers: Sequence[Mapping[str, Any]]) -> Schema:
    """The schema told by the answers to `questions`; what an answer does not tell is None."""
    table, *choices = answers
    options = {
        str(column.get("LogicalName")): _options(column)
        for choice in choices
        for column in _objects(choice.get("value"))
    }
    columns = {
        name: _column(raw, options.get(name))
        for raw in _objects(table.get("Attributes"))
        if isinstance(name := raw.get("LogicalName"), str)
    }
    tracks = table.get("ChangeTrackingEnabled")
    return Schema(
        entity,
        Basis.METADATA,
        columns,
        tuple(_key(raw) for raw in _objects(table.get("Keys"))),
        tracks if isinstance(tracks, bool) else None,
    )


def _column(raw: Mapping[str, Any], options: Mapping[str, str] | None) -> ColumnSchema:
    level = _inner(raw, "RequiredLevel").get("Value")
    return ColumnSchema(
        type=str(raw.get("AttributeType", "")),
        create=_flag(raw.get("IsValidForCreate")),
        update=_flag(raw.get("IsValidForUpdate")),
        # The other levels are rules of forms, which the server does not enforce.
        required=level == "SystemRequired" if isinstance(level, str) else None,
        max_length=_whole(raw.get("MaxLength")),
        precision=_whole(raw.get("Precision")),
        options=options,
        targets=_texts(raw.get("Targets")),
    )


def _key(raw: Mapping[str, Any]) -> KeySchema:
    return KeySchema(
        str(raw.get("SchemaName", "")),
        _texts(raw.get("KeyAttributes")),
        raw.get("EntityKeyIndexStatus") == "Active",
    )


def _options(column: Mapping[str, Any]) -> dict[str, str]:
    told = _objects(_inner(column, "OptionSet").get("Options"))
    return {str(option["Value"]): _label(option) for option in told if "Value" in option}


def _label(option: Mapping[str, Any]) -> str:
    """The label in the application user's language, else in any."""
    label = _inner(option, "Label")
    candidates = (_inner(label, "UserLocalizedLabel"), *_objects(label.get("LocalizedLabels")))
    return next((text for c in candidates if isinstance(text := c.get("Label"), str)), "")


def _get(url: str) -> Part:
    return Part("GET", url, {"Accept": "application/json"})


def _inner(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
