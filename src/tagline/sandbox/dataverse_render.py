"""Rows as the Web API prints them: `$select`, annotations, entity tags, addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tagline.sandbox.dataverse_errors import no_property
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import CHOICES, LOOKUPS, WHOLE, Column, Table, tables
from tagline.sandbox.dataverse_scope import value_of

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


@dataclass(frozen=True)
class Preferences:
    """What the caller prefers about the answer: the `Prefer` header, and the metadata level of `Accept`."""

    representation: bool = False
    page_size: int | None = None
    annotations: tuple[str, ...] = ()
    continue_on_error: bool = False
    track_changes: bool = False
    metadata: str = "minimal"
    """`none`, `minimal` or `full`."""

    @property
    def content_type(self) -> tuple[str, str]:
        """The header of a JSON answer."""
        return ("Content-Type", f"application/json; odata.metadata={self.metadata}")

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
        if self.track_changes:
            parts.append("odata.track-changes")
        return ",".join(parts)


def parse_preferences(header: str, accept: str = "") -> Preferences:
    """Read the comma-joined preferences, and the metadata level of an `Accept` header; unknown ones are ignored."""
    annotations: tuple[str, ...] = ()
    if match := re.search(r'odata\.include-annotations=(?:"([^"]*)"|([^,;\s]+))', header):
        annotations = tuple(
            a.strip() for a in (match.group(1) or match.group(2) or "").split(",") if a.strip()
        )
    size = re.search(r"\b(?:odata\.)?maxpagesize=(\d{1,9})", header)
    level = re.search(r"odata\.metadata=(none|minimal|full)\b", accept)
    return Preferences(
        representation="return=representation" in header,
        page_size=min(max(int(size.group(1)), 1), 5000) if size else None,
        annotations=annotations,
        continue_on_error="odata.continue-on-error" in header,
        track_changes="odata.track-changes" in header,
        metadata=level[1] if level else "minimal",
    )


def etag(row: Row) -> str:
    return f'W/"{row["versionnumber"]}"'


def parse_select(table: Table, text: str) -> tuple[Column, ...] | None:
    """The selected columns, the primary key always among them; None selects all."""
    names = [name.strip() for name in text.split(",")]
    if names in ([""], ["*"]):
        return None
    chosen = {}
    for name in names:
        if name not in table.by_wire:
            raise no_property(table, name)
        chosen[name] = table.by_wire[name]
    if any(c.type == "Money" for c in chosen.values()) and "_transactioncurrencyid_value" in table.by_wire:
        chosen.setdefault("_transactioncurrencyid_value", table.by_wire["_transactioncurrencyid_value"])
    chosen.setdefault(table.primary_id, table.columns[table.primary_id])
    return tuple(chosen.values())


def render(
    rows: Rows, table: Table, row: Row, select: Sequence[Column] | None, preferences: Preferences
) -> dict[str, Any]:
    """The row as a JSON object without its context."""
    out: dict[str, Any] = {} if preferences.metadata == "none" else {"@odata.etag": etag(row)}
    if select is None:
        ordered = sorted(table.columns.values(), key=lambda c: row.get(c.name) is None)
    else:
        ordered = list(select)
    for column in ordered:
        if preferences.annotations:
            out.update(annotations_of(rows, column, row, preferences))
        out[column.wire] = value_of(row, column)
    return out


def annotations_of(
    rows: Rows, column: Column, row: Row, preferences: Preferences, name: str = ""
) -> dict[str, str]:
    """The annotations of one column that were asked for; `name` where it goes by another."""
    value = row.get(column.name)
    if value is None:
        return {}
    found: dict[str, str] = {}
    if column.type in LOOKUPS:
        target, _row_id = value
        found[LOOKUP_NAVIGATION] = column.targets.get(target, column.name)
        found[LOOKUP_TABLE] = target
    found[FORMATTED] = formatted(rows, column, row)
    return {
        f"{name or column.wire}@{key}": text for key, text in found.items() if text and preferences.wants(key)
    }


def formatted(rows: Rows, column: Column, row: Row) -> str:
    """A value as a person reads it (English of the United States, UTC); empty where it is shown as it is."""
    value = row.get(column.name)
    if value is None:
        return ""
    if column.type in LOOKUPS:
        return _name(rows, *value)
    if column.type in CHOICES:
        return column.options.get(value, str(value))
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if column.type == "Money":
        return f"{_symbol(rows, row)}{value:,.2f}"
    if isinstance(value, Decimal) or column.type in WHOLE:
        return f"{value:,.2f}" if isinstance(value, Decimal) else f"{value:,}"
    if column.type in ("DateTime", "DateOnly"):
        return _moment(value)
    return ""


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    day = f"{moment.month}/{moment.day}/{moment.year}"
    if len(text) == len("2026-11-25"):
        return day
    return f"{day} {moment.hour % 12 or 12}:{moment.minute:02} {'AM' if moment.hour < 12 else 'PM'}"


def _symbol(rows: Rows, row: Row) -> str:
    link = row.get("transactioncurrencyid")
    currency = rows.whole.get(tables()[link[0]], link[1]) if link else None
    return str((currency or {}).get("currencysymbol", ""))


def _name(rows: Rows, target: str, row_id: str) -> str:
    table = tables().get(target)
    if table is None or table.primary_name is None:
        return ""
    return str((rows.whole.get(table, row_id) or {}).get(table.primary_name, ""))
