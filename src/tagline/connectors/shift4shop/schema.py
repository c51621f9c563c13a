"""A table of the shop told from samples: the shop publishes no schema, its rows are all there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from tagline.connectors.shift4shop.models.product import lifted
from tagline.connectors.shift4shop.parse import to_instant
from tagline.domain.schema import Basis, ColumnSchema, Schema
from tagline.domain.scrub import scrub

SAMPLES: Final = 10
"""Rows that are looked at."""
_UTC: Final = ZoneInfo("UTC")


def schema_of(entity: str, rows: Iterable[Any]) -> Schema:
    """
    The columns that some rows have, each with the type of its values: `mixed` where they differ, `unknown` where all are blank.

    What is secret is left out; lengths, and columns that no row has, are not known.
    """
    found: dict[str, set[str]] = {}
    for row in rows:
        if isinstance(row, Mapping):
            for name, value in lifted(scrub(row)).items():
                found.setdefault(name, set()).add(_type_of(value))
    columns = {name: ColumnSchema(_common(types - {""})) for name, types in found.items()}
    return Schema(entity, Basis.SAMPLES, columns)


def _common(types: set[str]) -> str:
    if types == {"integer", "number"}:
        return "number"
    if types == {"date-time", "string"}:
        return "string"
    return next(iter(types), "unknown") if len(types) < 2 else "mixed"


def _type_of(value: Any) -> str:
    """The type of one value; empty where it tells none, as null and blank text do."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case Decimal() | float():
            return "number"
        case str() if not value.strip():
            return ""
        case str():
            return "date-time" if _is_time(value) else "string"
        case list():
            return "list"
        case Mapping():
            return "object"
    return ""


def _is_time(text: str) -> bool:
    try:
        return to_instant(text, _UTC) is not None
    except ValueError:
        return False
