"""The service document, `$metadata` and the catalogue pages of Finance. Source: Finance notes, section 17."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tagline.sandbox.finance_errors import no_resource, unreadable
from tagline.sandbox.finance_schema import NAMESPACE, PRIMITIVE, Entity, Schema
from tagline.sandbox.values import Request

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
    f'<Schema Namespace="{NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
)
_TAIL = "</Schema></edmx:DataServices></edmx:Edmx>"
_ENTRY = re.compile(r"(?P<page>\w+)(?:\('(?P<name>\w+)'\))?/?")


def finance_csdl(schema: Schema) -> bytes:
    """The schema as XML."""
    entities = schema.entities
    kinds = sorted({k for e in entities.values() for k in e.fields.values()} - PRIMITIVE)
    sets = "".join(_entity_set(entity) for entity in entities.values())
    types = "".join(_entity_type(entity, entities) for entity in entities.values())
    parts = "".join(_enum(kind, schema.enums.get(kind, ())) for kind in kinds)
    return f'{_HEAD}{parts}{types}<EntityContainer Name="Resources">{sets}</EntityContainer>{_TAIL}'.encode()


def _enum(kind: str, members: tuple[str, ...]) -> str:
    inside = "".join(f'<Member Name="{member}" Value="{value}" />' for value, member in enumerate(members))
    return f'<EnumType Name="{kind}">{inside}</EnumType>'


def _entity_type(entity: Entity, entities: Mapping[str, Entity]) -> str:
    keys = "".join(f'<PropertyRef Name="{name}" />' for name in entity.key)
    inside = "".join((*_properties(entity), *_navigation(entity, entities)))
    return f'<EntityType Name="{entity.type}"><Key>{keys}</Key>{inside}</EntityType>'


def _properties(entity: Entity) -> Iterator[str]:
    for name, kind in entity.fields.items():
        edm = f"Edm.{kind}" if kind in PRIMITIVE else f"{NAMESPACE}.{kind}"
        may_be_null = (kind == "String" or entity.is_enum(name)) and name not in entity.key
        extra = "" if may_be_null else ' Nullable="false"'
        extra += ' Scale="Variable"' if kind == "Decimal" else ""
        yield f'<Property Name="{name}" Type="{edm}"{extra} />'


def _navigation(entity: Entity, entities: Mapping[str, Entity]) -> Iterator[str]:
    for name, way in entity.navigation.items():
        target = f"{NAMESPACE}.{entities[way.target].type}"
        yield f'<NavigationProperty Name="{name}" Type="{f"Collection({target})" if way.many else target}" />'


def _entity_set(entity: Entity) -> str:
    bound = "".join(
        f'<NavigationPropertyBinding Path="{name}" Target="{way.target}" />'
        for name, way in entity.navigation.items()
    )
    return f'<EntitySet Name="{entity.entity_set}" EntityType="{NAMESPACE}.{entity.type}">{bound}</EntitySet>'


def service_document(root: str, schema: Schema) -> dict[str, Any]:
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in schema.entities]
    return {"@odata.context": f"{root}$metadata", "value": sets}


def catalogued(path: str, request: Request, schema: Schema) -> dict[str, Any]:
    """
    A page below `/metadata/`, or its entry of a name.

    Raises:
        FinanceRefusal: There is none, or the call asks for more than that.
    """
    match = _ENTRY.fullmatch(path) if request.method in ("GET", "HEAD") else None
    page = _page(match["page"], schema) if match else None
    if match is None or page is None:
        raise no_resource(request.url)
    if match["name"] is None:
        if wrong := [option for option in request.query if option.startswith("$")]:
            raise unreadable(f"The query parameter '{wrong[0]}' is not supported.")
        return {"value": page}
    found = next((entry for entry in page if entry["Name"] == match["name"]), None)
    if found is None:
        raise no_resource(request.url)
    return found


def _page(page: str, schema: Schema) -> list[dict[str, Any]] | None:
    """The entries of a page; None where there is none of that name."""
    match page:
        case "DataEntities":
            return [
                {
                    "Name": entity.internal,
                    "PublicEntityName": entity.type,
                    "PublicCollectionName": entity.entity_set,
                    "IsReadOnly": entity.read_only,
                    "DataServiceEnabled": True,
                }
                for entity in schema.entities.values()
            ]
        case "PublicEntities":
            return [
                {
                    "Name": entity.type,
                    "EntitySetName": entity.entity_set,
                    "IsReadOnly": entity.read_only,
                    "Properties": [
                        {"Name": name, "TypeName": kind, "IsKey": name in entity.key}
                        for name, kind in entity.fields.items()
                    ],
                }
                for entity in schema.entities.values()
            ]
        case "PublicEnumerations":
            return [
                {"Name": name, "Members": [{"Name": m, "Value": at} for at, m in enumerate(members)]}
                for name, members in schema.enums.items()
            ]
    return None
