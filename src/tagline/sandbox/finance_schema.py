"""The entities of the sandbox's Finance environment: names, types and keys from `data/finance/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
        return next(iter(enums().get(kind, ())), None)

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
            )
    return found
