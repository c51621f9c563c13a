"""Creating, changing and deleting rows, with what the platform adds by itself: stamps, states, names, base amounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tagline.clock import Clock
from tagline.sandbox.assumptions import DELETE_CLEARS_LOOKUPS, INVALID_STATE_CODE
from tagline.sandbox.dataverse_errors import Refusal, no_row, row_exists
from tagline.sandbox.dataverse_orders import Orders
from tagline.sandbox.dataverse_pricing import with_base_amounts
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table, tables

USER_ID = "5c3d5c53-3a62-4a9e-9c51-54a1a6f4f1a1"
BUSINESS_UNIT_ID = "0f5c1be2-8e34-4ac5-97f0-6f3f6e6c2b10"
PRODUCT_DRAFT = 2


class Records:
    """The rows of an organisation as the platform changes them; every method belongs inside one transaction."""

    def __init__(self, rows: Rows, clock: Clock, new_id: Callable[[], str]) -> None:
        self.rows = rows
        self.new_id = new_id
        self._clock = clock
        self._orders = Orders(rows)

    def create(self, table: Table, values: Mapping[str, Any], row_id: str | None = None) -> tuple[str, Row]:
        """
        Create a row.

        Raises:
            Refusal: The id or an alternate key is taken, or a rule of the table says no.
        """
        row = {name: value for name, value in values.items() if value is not None}
        chosen = row_id or row.get(table.primary_id) or self.new_id()
        if self.rows.get(table, chosen) is not None:
            raise row_exists()
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        row |= {table.primary_id: chosen, "createdon": now, "modifiedon": now}
        row |= {
            name: ("systemuser", USER_ID) for name in ("createdby", "modifiedby") if name in table.columns
        }
        for name, column in table.columns.items():
            if column.type == "Boolean":
                row.setdefault(name, False)
        if table.ownership == "UserOwned":
            row.setdefault("ownerid", ("systemuser", USER_ID))
            row |= {"owninguser": row["ownerid"], "owningbusinessunit": ("businessunit", BUSINESS_UNIT_ID)}
        if table.stateful:
            self._first_state(table, row)
        row = self._orders.before_create(table, row, number=len(self.rows.ids(table)))
        self.rows.put(table, chosen, self._finished(table, row))
        self._orders.after_change(table, row)
        return chosen, self._standing(table, chosen)

    def update(self, table: Table, row_id: str, changes: Mapping[str, Any]) -> Row:
        """
        Change the given columns; None clears.

        Raises:
            Refusal: A rule of the table says no, for example an order that is locked.
        """
        before = self._standing(table, row_id)
        self._orders.check_lock(table, before, changes)
        row = {**before, **changes, table.primary_id: row_id}
        row = {name: value for name, value in row.items() if value is not None}
        if table.stateful:
            self._next_state(table, row, before, changes)
        row["modifiedon"] = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        row = self._orders.before_update(table, row, before)
        self.rows.put(table, row_id, self._finished(table, row))
        self._orders.after_change(table, row, before)
        return self._standing(table, row_id)

    def delete(self, table: Table, row_id: str) -> None:
        """Delete a row, with its lines where it is an order, and clear what points to it."""
        row = self._standing(table, row_id)
        self._orders.check_lock(table, row, None)
        self.rows.remove(table, row_id)
        for other in tables().values():
            for column in other.lookups:
                if table.name in other.columns[column].targets:
                    self._unlink(table, other, column, row_id)
        self._orders.after_change(table, row)

    def _unlink(self, table: Table, other: Table, column: str, row_id: str) -> None:
        for pointing_id in self.rows.pointing(other, column, row_id):
            if table.name == "salesorder":
                self.rows.remove(other, pointing_id)
            elif DELETE_CLEARS_LOOKUPS:
                row = {
                    name: value
                    for name, value in self._standing(other, pointing_id).items()
                    if name != column
                }
                self.rows.put(other, pointing_id, row)

    def _standing(self, table: Table, row_id: str) -> Row:
        row = self.rows.get(table, row_id)
        if row is None:
            raise no_row(table, row_id)
        return row

    def _first_state(self, table: Table, row: dict[str, Any]) -> None:
        state = row["statecode"] = PRODUCT_DRAFT if table.name == "product" else 0
        row.setdefault("statuscode", table.default_status(state))
        self._check_status(table, row)

    def _next_state(self, table: Table, row: dict[str, Any], before: Row, changes: Mapping[str, Any]) -> None:
        row.setdefault("statecode", before["statecode"])
        if row["statecode"] != before["statecode"] and changes.get("statuscode") is None:
            row["statuscode"] = table.default_status(row["statecode"])
        row.setdefault("statuscode", before["statuscode"])
        self._check_status(table, row)

    def _check_status(self, table: Table, row: Row) -> None:
        status, state = row["statuscode"], row["statecode"]
        if table.columns["statuscode"].states.get(status) != state:
            raise Refusal(
                400,
                INVALID_STATE_CODE,
                f"{status} is not a valid status code for state code {state} on {table.name} with Id {row[table.primary_id]}.",
            )

    def _finished(self, table: Table, row: Row) -> Row:
        """The row with the columns that follow from others."""
        done = dict(row)
        if table.name == "contact":
            done["fullname"] = " ".join(row[n] for n in ("firstname", "lastname") if row.get(n))
        return with_base_amounts(self.rows, table, done) if table.money else done
