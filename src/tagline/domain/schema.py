"""A remote table as the remote itself describes it: what drift is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Basis(StrEnum):
    """Where a schema was read from."""

    METADATA = "metadata"
    """The remote publishes it."""
    SAMPLES = "samples"
    """It was told from some rows: what was not in them is unknown, not absent."""


@dataclass(frozen=True)
class ColumnSchema:
    """One column; None stands for what the remote does not tell."""

    type: str
    """The remote's own name of the type, for example `Money`, `Edm.String`, `string`."""
    create: bool | None = None
    update: bool | None = None
    required: bool | None = None
    """Whether the server itself refuses a row without it."""
    max_length: int | None = None
    precision: int | None = None
    options: Mapping[str, str] | None = None
    """Of a choice: value as text -> label."""
    targets: tuple[str, ...] = ()
    """Of a lookup: tables it may point to."""


@dataclass(frozen=True)
class KeySchema:
    """One alternate key."""

    name: str
    columns: tuple[str, ...]
    is_active: bool


@dataclass(frozen=True)
class Schema:
    """One remote table."""

    entity: str
    basis: Basis
    columns: Mapping[str, ColumnSchema] = field(default_factory=dict)
    keys: tuple[KeySchema, ...] = ()
    tracks_changes: bool | None = None
    """Whether changes can be read from it; None where the remote has no such switch."""
