"""
Data entities as Finance describes them in `$metadata`: a document of tens of megabytes, of which only the entities that have a model are kept.

It is read as a stream, without building a tree; a document type or an entity of XML's own, and nesting beyond reason, are refused.

Source: reference/dataverse-api.md section 17.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from tagline.connectors.finance.entities import Entity
from tagline.connectors.finance.wire import NAMESPACE
from tagline.domain.schema import Basis, ColumnSchema, KeySchema, Schema

MAX_DEPTH: Final = 32
Attributes = Mapping[str, str]
Start = Callable[[str, Attributes], None]


@dataclass
class _Type:
    """An entity type while it is read."""

    columns: dict[str, Attributes] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)


def schemas_of(document: bytes, entities: Iterable[Entity]) -> Mapping[str, Schema]:
    """
    The schemas of these entities, by entity set; one that the environment does not have is absent.

    Raises:
        ValueError: It is no such document; the message names the reason and no text of it.
    """
    wanted = {entity.model.remote.collection: entity for entity in entities}
    sets: dict[str, str] = {}

    def in_container(name: str, told: Attributes) -> None:
        if name == "EntitySet" and told.get("Name") in wanted:
            sets[told["Name"]] = told.get("EntityType", "").rpartition(".")[2]

    _walk(document, in_container)
    types, enums = _types(document, frozenset(sets.values()))
    return {name: _schema(wanted[name], types[kind], enums) for name, kind in sets.items() if kind in types}


def _types(
    document: bytes, wanted: frozenset[str]
) -> tuple[Mapping[str, _Type], Mapping[str, Mapping[str, str]]]:
    """The wanted entity types, and the members of all enumerations."""
    types: dict[str, _Type] = {}
    enums: dict[str, dict[str, str]] = {}
    current: _Type | None = None
    members: dict[str, str] = {}

    def in_schema(name: str, told: Attributes) -> None:
        nonlocal current, members
        own = told.get("Name", "")
        if name in ("EntityType", "ComplexType"):
            current = types.setdefault(own, _Type()) if name == "EntityType" and own in wanted else None
        elif name == "EnumType":
            members = enums.setdefault(own, {})
        elif name == "Member":
            members[own] = own
        elif current is not None and name == "Property":
            current.columns[own] = told
        elif current is not None and name == "PropertyRef":
            current.key.append(own)

    _walk(document, in_schema)
    return types, enums


def _schema(entity: Entity, found: _Type, enums: Mapping[str, Mapping[str, str]]) -> Schema:
    columns = {name: _column(told, enums) for name, told in found.columns.items()}
    keys = [KeySchema("key", tuple(found.key), is_active=True)]
    # Rows are found by filters, too, which need no index that somebody has to make.
    keys += [
        KeySchema("+".join(own), own, is_active=True)
        for own in entity.model.remote.keys
        if set(own) <= columns.keys()
    ]
    return Schema(entity.model.remote.entity, Basis.METADATA, columns, tuple(keys))


def _column(told: Attributes, enums: Mapping[str, Mapping[str, str]]) -> ColumnSchema:
    kind = told.get("Type", "").removeprefix(f"{NAMESPACE}.")
    return ColumnSchema(
        kind,
        max_length=_whole(told.get("MaxLength")),
        precision=_whole(told.get("Scale")),
        options=enums.get(kind),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _walk(document: bytes, start: Start) -> None:
    """Tell of every element that begins, by its name without namespace."""
    parser = expat.ParserCreate(namespace_separator=" ")
    depth = 0

    def begin(name: str, told: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
        local = name.rpartition(" ")[2]
        if depth == 1 and local != "Edmx":
            raise ValueError("it is another kind of document")
        start(local, told)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type, which no metadata needs")

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise ValueError(f"it is no XML at line {error.lineno}") from None
