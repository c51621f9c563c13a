"""The service document, `$metadata` and the catalogue pages of Finance. Source: Finance notes, section 17."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tagline.sandbox.finance_schema import NAMESPACE, PRIMITIVE, Entity, entities, enums

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
    f'<Schema Namespace="{NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
)
_TAIL = "</Schema></edmx:DataServices></edmx:Edmx>"


@cache
def finance_csdl() -> bytes:
    """The schema as XML."""
    kinds = sorted({k for e in entities().values() for k in e.fields.values()} - PRIMITIVE)
    sets = "".join(_entity_set(entity) for entity in entities().values())
    types = "".join(_entity_type(entity) for entity in entities().values())
    parts = "".join(_enum(kind) for kind in kinds)
    return f'{_HEAD}{parts}{types}<EntityContainer Name="Resources">{sets}</EntityContainer>{_TAIL}'.encode()


def _enum(kind: str) -> str:
    members = "".join(
        f'<Member Name="{member}" Value="{value}" />' for value, member in enumerate(enums().get(kind, ()))
    )
    return f'<EnumType Name="{kind}">{members}</EnumType>'


def _entity_type(entity: Entity) -> str:
    keys = "".join(f'<PropertyRef Name="{name}" />' for name in entity.key)
    inside = "".join((*_properties(entity), *_navigation(entity)))
    return f'<EntityType Name="{entity.type}"><Key>{keys}</Key>{inside}</EntityType>'


def _properties(entity: Entity) -> Iterator[str]:
    for name, kind in entity.fields.items():
        edm = f"Edm.{kind}" if kind in PRIMITIVE else f"{NAMESPACE}.{kind}"
        may_be_null = (kind == "String" or entity.is_enum(name)) and name not in entity.key
        extra = "" if may_be_null else ' Nullable="false"'
        extra += ' Scale="Variable"' if kind == "Decimal" else ""
        yield f'<Property Name="{name}" Type="{edm}"{extra} />'


def _navigation(entity: Entity) -> Iterator[str]:
    for name, way in entity.navigation.items():
        target = f"{NAMESPACE}.{entities()[way.target].type}"
        yield f'<NavigationProperty Name="{name}" Type="{f"Collection({target})" if way.many else target}" />'


def _entity_set(entity: Entity) -> str:
    bound = "".join(
        f'<NavigationPropertyBinding Path="{name}" Target="{way.target}" />'
        for name, way in entity.navigation.items()
    )
    return f'<EntitySet Name="{entity.entity_set}" EntityType="{NAMESPACE}.{entity.type}">{bound}</EntitySet>'


def service_document(root: str) -> dict[str, Any]:
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in entities()]
    return {"@odata.context": f"{root}$metadata", "value": sets}


def catalogue(page: str) -> dict[str, Any] | None:
    """A page below `/Metadata/`; None where there is none of that name."""
    match page:
        case "DataEntities":
            value = [
                {
                    "Name": entity.internal,
                    "PublicEntityName": entity.type,
                    "PublicCollectionName": entity.entity_set,
                    "IsReadOnly": entity.read_only,
                    "DataServiceEnabled": True,
                }
                for entity in entities().values()
            ]
        case "PublicEntities":
            value = [
                {
                    "Name": entity.type,
                    "EntitySetName": entity.entity_set,
                    "IsReadOnly": entity.read_only,
                    "Properties": [
                        {"Name": name, "TypeName": kind, "IsKey": name in entity.key}
                        for name, kind in entity.fields.items()
                    ],
                }
                for entity in entities().values()
            ]
        case "PublicEnumerations":
            value = [
                {"Name": name, "Members": [{"Name": m, "Value": at} for at, m in enumerate(members)]}
                for name, members in enums().items()
            ]
        case _:
            return None
    return {"value": value}
