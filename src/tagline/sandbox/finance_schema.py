"""The entities of the sandbox's Finance environment: names, types and keys from `data/finance/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

NAMESPACE = "Microsoft.Dynamics.DataEntities"
COMPANY = "dataAreaId"
NO_DATE = "1900-01-01T12:00:00Z"
"""How an empty date travels."""
PRIMITIVE = frozenset({"String", "Decimal", "DateTimeOffset", "Int32", "Int64", "Guid"})
_EMPTY: Mapping[str, Any] = {
    "String": "",
    "Decimal": Decimal(0),
    "DateTimeOffset": NO_DATE,
    "Int32": 0,
    "Int64": 0,
    "Guid": "00000000-0000-0000-0000-000000000000",
}


@dataclass(frozen=True)
class Navigation:
    """A way from one entity to another, by fields that hold the same values."""

    target: str
    many: bool
    match: Mapping[str, str]
    """Field here -> field there."""


@dataclass(frozen=True)
class Entity:
    """One data entity; two sets of one entity differ in their names alone."""

    entity_set: str
    type: str
    internal: str
    """Name in Infolog texts."""
    key: tuple[str, ...]
    fields: Mapping[str, str]
    """Name -> type without `Edm.`, or the name of an enumeration."""
    navigation: Mapping[str, Navigation]
    read_only: bool
    table: str
    """The entity set whose rows it shows."""
    enums: Mapping[str, tuple[str, ...]]
    """Members of every enumeration that is known."""

    @property
    def has_company(self) -> bool:
        return COMPANY in self.key

    @cached_property
    def empty(self) -> Mapping[str, Any]:
        """Every field with the value of a row that says nothing of it; null for an enumeration without known members."""
        return {name: self._empty(kind) for name, kind in self.fields.items()}

    def _empty(self, kind: str) -> Any:
        if kind in PRIMITIVE:
            return _EMPTY[kind]
        return next(iter(self.enums.get(kind, ())), None)

    def members(self, name: str) -> tuple[str, ...]:
        """Of an enumeration's field; empty where they are not known."""
        return self.enums.get(self.fields[name], ())

    def is_enum(self, name: str) -> bool:
        return self.fields[name] not in PRIMITIVE


@cache
def enums() -> Mapping[str, tuple[str, ...]]:
    """Members of every enumeration that is known."""
    text = (files("tagline.sandbox") / "data" / "finance" / "_enums.json").read_text("utf-8")
    return {name: tuple(members) for name, members in json.loads(text).items()}


@cache
def entities() -> Mapping[str, Entity]:
    """Every entity by its set."""
    found: dict[str, Entity] = {}
    folder = files("tagline.sandbox") / "data" / "finance"
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.startswith("_"):
            continue
        raw = json.loads(file.read_text("utf-8"))
        names = {raw["entity_set"]: raw["type"], **raw.get("also", {})}
        for entity_set, kind in names.items():
            found[entity_set] = Entity(
                entity_set,
                kind,
                raw["internal"],
                tuple(raw["key"]),
                raw["fields"],
                {
                    name: Navigation(target, many, match)
                    for name, (target, many, match) in raw.get("navigation", {}).items()
                },
                raw.get("read_only", False),
                raw["entity_set"],
                enums(),
            )
    return found


MODIFIED = "ModifiedDateTime"
"""A field that an entity may be extended with; what a row has in it stands on every row."""


class Schema:
    """The entities of one environment as they are today: people extend and change them."""

    def __init__(self) -> None:
        self.entities: Mapping[str, Entity] = entities()
        self.enums: Mapping[str, tuple[str, ...]] = enums()
        self.changes: list[tuple[str, str, bool]] = []
        """What `change` was told, in order."""

    def change(self, place: str, name: str, *, is_there: bool) -> None:
        """
        Add a field to an entity or a member to an enumeration, or take one away.

        Args:
            place: An entity set or an enumeration.

        Raises:
            LookupError: There is no such place, no such name in it, or it is a key; the text says which.
        """
        if place in self.enums:
            self._change_members(place, name, is_there=is_there)
        elif place in self.entities:
            self._change_fields(place, name, is_there=is_there)
        else:
            raise LookupError(f"there is no entity and no enumeration {place}")
        self.changes.append((place, name, is_there))

    def _change_members(self, kind: str, member: str, *, is_there: bool) -> None:
        others = tuple(known for known in self.enums[kind] if known != member)
        if is_there == (member in self.enums[kind]) or not (is_there or others):
            raise LookupError(f"{kind} has {', '.join(self.enums[kind])}")
        self.enums = {**self.enums, kind: (*others, member) if is_there else others}
        self.entities = {name: replace(e, enums=self.enums) for name, e in self.entities.items()}

    def _change_fields(self, entity_set: str, name: str, *, is_there: bool) -> None:
        fields = self.entities[entity_set].fields
        if is_there == (name in fields) or name in self.entities[entity_set].key:
            raise LookupError(f"{entity_set} has{'' if name in fields else ' no'} {name}, or it is a key")
        added = {name: "DateTimeOffset" if name == MODIFIED else "String"} if is_there else {}
        kept = {n: kind for n, kind in fields.items() if n != name} | added
        changed = replace(self.entities[entity_set], fields=kept)
        self.entities = {**self.entities, entity_set: changed}
