"""What a query is evaluated against: the rows, the instant it is asked at, and who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Column, Table


@dataclass(frozen=True)
class Scope:
    """One query's view of the organisation."""

    rows: Rows
    now: datetime
    user_id: str
    business_unit_id: str

    def linked(self, row: Row, column: Column, target: Table) -> Row | None:
        """The row of that table which a lookup of `row` points to."""
        link = row.get(column.name)
        return self.rows.get(target, link[1]) if link and link[0] == target.name else None

    def pointing(self, table: Table, column: Column, row_id: str) -> Sequence[Row]:
        """Rows whose lookup points to that id, in the order of the primary key."""
        found = (self.rows.get(table, i) for i in sorted(self.rows.pointing(table, column.name, row_id)))
        return [row for row in found if row is not None]


def value_of(row: Row, column: Column) -> Any:
    """What the row shows for the column: the id for a lookup, nothing for what is never shown."""
    if column.write_only:
        return None
    value = row.get(column.name)
    return value[1] if isinstance(value, tuple) else value
