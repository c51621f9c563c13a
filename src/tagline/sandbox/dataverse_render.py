"""Rows as the Web API prints them: `$select`, annotations, entity tags, addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tagline.sandbox.dataverse_filter import column_of, value_of
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import CHOICES, LOOKUPS, Column, Table, tables

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


@dataclass(frozen=True)
class Preferences:
    """The `Prefer` header, understood."""

    representation: bool = False
    page_size: int | None = None
    annotations: tuple[str, ...] = ()
    continue_on_error: bool = False

    def wants(self, annotation: str) -> bool:
        """Whether an annotation was asked for: by name, by a prefix ending in `*`, or by `*`."""
        return any(
            annotation == a or (a.endswith("*") and annotation.startswith(a[:-1])) for a in self.annotations
        )

    def applied(self) -> str:
        """The `Preference-Applied` header."""
        parts = ["return=representation"] if self.representation else []
        if self.page_size is not None:
            parts.append(f"odata.maxpagesize={self.page_size}")
        if self.annotations:
            parts.append(f'odata.include-annotations="{",".join(self.annotations)}"')
        if self.continue_on_error:
            parts.append("odata.continue-on-error")
        return ",".join(parts)


def parse_preferences(header: str) -> Preferences:
    """Read the comma-joined preferences; unknown ones are ignored."""
    annotations: tuple[str, ...] = ()
    if match := re.search(r'odata\.include-annotations=(?:"([^"]*)"|([^,;\s]+))', header):
        annotations = tuple(
            a.strip() for a in (match.group(1) or match.group(2) or "").split(",") if a.strip()
        )
    size = re.search(r"odata\.maxpagesize=(\d+)", header)
    return Preferences(
        representation="return=representation" in header,
        page_size=min(max(int(size.group(1)), 1), 5000) if size else None,
        annotations=annotations,
        continue_on_error="odata.continue-on-error" in header,
    )


def etag(row: Row) -> str:
    return f'W/"{row["versionnumber"]}"'


def parse_select(table: Table, text: str) -> tuple[Column, ...] | None:
    """The selected columns, the primary key first; None selects all."""
    if not text:
        return None
    chosen = {c.wire: c for name in text.split(",") if (c := column_of(table, name.strip()))}
    if any(c.type == "Money" for c in chosen.values()) and "_transactioncurrencyid_value" in table.by_wire:
        chosen.setdefault("_transactioncurrencyid_value", table.by_wire["_transactioncurrencyid_value"])
    chosen.setdefault(table.primary_id, table.columns[table.primary_id])
    return tuple(chosen.values())


def render(
    rows: Rows, table: Table, row: Row, select: Sequence[Column] | None, preferences: Preferences
) -> dict[str, Any]:
    """The row as a JSON object without its context."""
    out: dict[str, Any] = {"@odata.etag": etag(row)}
    if select is None:
        ordered = sorted(table.columns.values(), key=lambda c: row.get(c.name) is None)
    else:
        ordered = list(select)
    for column in ordered:
        if preferences.annotations:
            out.update(_annotations(rows, column, row, preferences))
        out[column.wire] = value_of(row, column)
    return out


def _annotations(rows: Rows, column: Column, row: Row, preferences: Preferences) -> dict[str, str]:
    value = row.get(column.name)
    if value is None:
        return {}
    found: dict[str, str] = {}
    if column.type in LOOKUPS:
        target, row_id = value
        found[LOOKUP_NAVIGATION] = column.targets.get(target, column.name)
        found[LOOKUP_TABLE] = target
        found[FORMATTED] = _name(rows, target, row_id)
    elif column.type in CHOICES:
        found[FORMATTED] = column.options.get(value, str(value))
    elif isinstance(value, bool):
        found[FORMATTED] = "Yes" if value else "No"
    elif isinstance(value, Decimal):
        found[FORMATTED] = f"{value:,.2f}"
    return {f"{column.wire}@{name}": text for name, text in found.items() if text and preferences.wants(name)}


def _name(rows: Rows, target: str, row_id: str) -> str:
    table = tables().get(target)
    if table is None or table.primary_name is None:
        return ""
    return str((rows.get(table, row_id) or {}).get(table.primary_name, ""))
