"""Tables, columns, keys and relationships as the organisation describes them. Source: Web API notes, section 14."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final

from tagline.sandbox.dataverse_delta import is_tracked
from tagline.sandbox.dataverse_navigation import collection_name, collections_of
from tagline.sandbox.dataverse_schema import CHOICES, LOOKUPS, TEXTS, Column, KeyIndex, Table, tables

LANGUAGE: Final = 1033
_KNOWN_IDS: Mapping[str, str] = {
    "account": "70816501-edb9-4740-a16c-6a5efbc05d84",
    "contact": "608861bc-50a4-4c5f-a02c-21fe1943e2cf",
}
_TYPE_NAMES: Mapping[str, str] = {"DateOnly": "DateTime", "MultiSelectPicklist": "Virtual"}
_CASTS: Mapping[str, str] = {
    "Uniqueidentifier": "UniqueIdentifier",
    "MultiSelectPicklist": "MultiSelectPicklist",
}
"""Types whose definition goes by another name than `AttributeType` says."""
_DEFAULT_MIN, _DEFAULT_MAX = -2147483648, 2147483647


@dataclass(frozen=True)
class Definition:
    """One thing that metadata describes."""

    kind: str
    """Its type without namespace: `EntityMetadata`, `StringAttributeMetadata`, …"""
    facts: Mapping[str, Any]
    related: Mapping[str, Callable[[], Sequence[Definition] | Definition | None]] = field(
        default_factory=dict
    )
    """What `$expand` and the address lead on to."""
    base: str = ""
    """The type that a list of its like is declared with, where that is another."""
    own: frozenset[str] = frozenset()
    """Facts of its own type, which a `$select` may name only after a cast."""


def metadata_id(*path: str) -> str:
    """The id of a thing by its names, the same in every organisation."""
    name = ".".join(path)
    return _KNOWN_IDS.get(name) or str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.metadata.sandbox.test"))


def label(text: str) -> dict[str, Any]:
    """A text in the one language of the organisation."""
    one = {
        "Label": text,
        "LanguageCode": LANGUAGE,
        "IsManaged": True,
        "MetadataId": metadata_id("label", text),
        "HasChanged": None,
    }
    return {"LocalizedLabels": [one], "UserLocalizedLabel": one}


def _managed(value: Any, name: str) -> dict[str, Any]:
    return {"Value": value, "CanBeChanged": True, "ManagedPropertyLogicalName": name}


def _schema_name(logical: str) -> str:
    return logical if "_" in logical else logical[:1].upper() + logical[1:]


def table_definition(table: Table) -> Definition:
    """An `EntityMetadata`."""
    is_custom = "_" in table.name
    facts = {
        "MetadataId": metadata_id(table.name),
        "HasChanged": None,
        "ActivityTypeMask": 0,
        "AutoCreateAccessTeams": False,
        "ChangeTrackingEnabled": is_tracked(table),
        "Description": label(""),
        "DisplayCollectionName": label(_schema_name(table.entity_set)),
        "DisplayName": label(_schema_name(table.name)),
        "EntitySetName": table.entity_set,
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": "activityid" in table.columns,
        "IsAuditEnabled": _managed(value=False, name="canmodifyauditsettings"),
        "IsCustomEntity": is_custom,
        "IsCustomizable": _managed(value=True, name="iscustomizable"),
        "IsDuplicateDetectionEnabled": _managed(value=True, name="canmodifyduplicatedetectionsettings"),
        "IsIntersect": False,
        "IsLogicalEntity": False,
        "IsManaged": True,
        "IsOptimisticConcurrencyEnabled": True,
        "IsPrivate": False,
        "IsValidForAdvancedFind": True,
        "LogicalCollectionName": table.entity_set,
        "LogicalName": table.name,
        "ObjectTypeCode": table.object_type_code,
        "OwnershipType": table.ownership,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "SchemaName": _schema_name(table.name),
        "TableType": "Standard",
    }
    return Definition(
        "EntityMetadata",
        facts,
        {
            "Attributes": lambda: [column_definition(table, c) for c in table.columns.values()],
            "Keys": lambda: [key_definition(table, name, key) for name, key in table.indexes.items()],
            "ManyToOneRelationships": lambda: [
                r for r in relationships() if _side(r, "Referencing") == table.name
            ],
            "OneToManyRelationships": lambda: [
                r for r in relationships() if _side(r, "Referenced") == table.name
            ],
            "ManyToManyRelationships": list,
        },
    )


def _side(relationship: Definition, side: str) -> str:
    return str(relationship.facts[f"{side}Entity"])


def column_definition(table: Table, column: Column) -> Definition:
    """An `AttributeMetadata` of the column's own type."""
    kind = _TYPE_NAMES.get(column.type, column.type)
    type_name = f"{column.type}Type" if column.type == "MultiSelectPicklist" else f"{kind}Type"
    cast = "Lookup" if column.type in LOOKUPS else _CASTS.get(column.type, kind)
    facts = {
        "MetadataId": metadata_id(table.name, column.name),
        "HasChanged": None,
        "AttributeOf": None,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": type_name},
        "Description": label(""),
        "DisplayName": label(_schema_name(column.name)),
        "EntityLogicalName": table.name,
        "IsCustomAttribute": "_" in column.name and not column.name.startswith("address"),
        "IsCustomizable": _managed(value=True, name="iscustomizable"),
        "IsLogical": False,
        "IsManaged": True,
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "IsSecured": False,
        "IsValidForAdvancedFind": _managed(value=True, name="canmodifysearchsettings"),
        "IsValidForCreate": column.create,
        "IsValidForRead": True,
        "IsValidForUpdate": column.update,
        "LogicalName": column.name,
        "RequiredLevel": _managed(column.required, "canmodifyrequirementlevelsettings"),
        "SchemaName": _schema_name(column.name),
    }
    own = _own_facts(column)
    related: dict[str, Callable[[], Definition | None]] = {}
    if _has_options(column):
        related["OptionSet"] = partial(_option_set, table, column)
    if column.type == "Picklist":
        related["GlobalOptionSet"] = lambda: None
    return Definition(
        f"{cast}AttributeMetadata", {**facts, **own}, related, "AttributeMetadata", frozenset(own)
    )


def _has_options(column: Column) -> bool:
    return column.type in CHOICES or column.type in ("Boolean", "MultiSelectPicklist")


def _own_facts(column: Column) -> dict[str, Any]:
    """What only columns of that type have."""
    whole = {
        "MinValue": _DEFAULT_MIN if column.min is None else int(column.min),
        "MaxValue": _DEFAULT_MAX if column.max is None else int(column.max),
    }
    exact = {"Precision": column.precision, "MinValue": _exact(column.min), "MaxValue": _exact(column.max)}
    if column.type in TEXTS:
        return {"MaxLength": column.max_length or None, "Format": "Text"}
    if column.type in LOOKUPS:
        return {"Targets": list(column.targets), "Format": "None"}
    by_type: Mapping[str, dict[str, Any]] = {
        "Integer": {**whole, "Format": "None"},
        "Money": {
            **exact,
            "PrecisionSource": 2,
            "CalculationOf": None,
            "IsBaseCurrency": column.name.endswith("_base"),
        },
        "Decimal": exact,
        "Double": exact,
        "DateTime": {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}},
        "DateOnly": {"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}},
        "Boolean": {"DefaultValue": False},
        "Picklist": {"DefaultFormValue": None},
    }
    return by_type.get(column.type, {})


def _exact(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _option_set(table: Table, column: Column) -> Definition:
    kind = "Boolean" if column.type == "Boolean" else "Picklist" if "Picklist" in column.type else column.type
    facts: dict[str, Any] = {
        "MetadataId": metadata_id(table.name, column.name, "options"),
        "Name": f"{table.name}_{column.name}",
        "DisplayName": label(_schema_name(column.name)),
        "IsGlobal": False,
        "IsCustomOptionSet": "_" in column.name,
        "OptionSetType": kind,
    }
    if column.type == "Boolean":
        return Definition(
            "BooleanOptionSetMetadata",
            {**facts, "TrueOption": _option(column, 1, "Yes"), "FalseOption": _option(column, 0, "No")},
        )
    options = [_option(column, value, text) for value, text in column.options.items()]
    return Definition("OptionSetMetadata", {**facts, "Options": options})


def _option(column: Column, value: int, text: str) -> dict[str, Any]:
    option = {"Value": value, "Label": label(text), "Color": None, "IsManaged": True}
    if column.type == "Status":
        option["State"] = column.states.get(value)
    return option


def key_definition(table: Table, name: str, key: KeyIndex) -> Definition:
    """An `EntityKeyMetadata`."""
    facts = {
        "MetadataId": metadata_id(table.name, "key", name),
        "HasChanged": None,
        "DisplayName": label(name),
        "LogicalName": name.lower(),
        "SchemaName": name,
        "EntityLogicalName": table.name,
        "KeyAttributes": list(key.columns),
        "EntityKeyIndexStatus": key.status,
        "IsManaged": key.is_managed,
        "IsCustomizable": _managed(value=True, name="iscustomizable"),
    }
    return Definition("EntityKeyMetadata", facts)


def relationships() -> Sequence[Definition]:
    """Every one-to-many relationship between tables that we hold."""
    return [
        _relationship(target, tables()[one.child], one.lookup)
        for target in tables().values()
        for one in collections_of(target).values()
    ]


def _relationship(target: Table, child: Table, lookup: str) -> Definition:
    name = collection_name(target.name, child.name, lookup)
    facts = {
        "MetadataId": metadata_id(target.name, child.name, lookup),
        "HasChanged": None,
        "SchemaName": name,
        "RelationshipType": "OneToManyRelationship",
        "IsCustomRelationship": "_" in lookup,
        "IsManaged": True,
        "ReferencedEntity": target.name,
        "ReferencedAttribute": target.primary_id,
        "ReferencedEntityNavigationPropertyName": name,
        "ReferencingEntity": child.name,
        "ReferencingAttribute": lookup,
        "ReferencingEntityNavigationPropertyName": child.columns[lookup].targets[target.name],
    }
    own = frozenset(f for f in facts if f.startswith("Referenc"))
    return Definition("OneToManyRelationshipMetadata", facts, {}, "RelationshipMetadataBase", own)
