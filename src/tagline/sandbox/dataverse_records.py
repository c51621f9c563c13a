"""Creating, changing and deleting rows, with what the platform adds by itself: stamps, states, names, base amounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tagline.clock import Clock
from tagline.sandbox.dataverse_documents import HEADERS, Documents
from tagline.sandbox.dataverse_errors import Refusal, no_row, row_exists
from tagline.sandbox.dataverse_founding import USER_ID, ownership
from tagline.sandbox.dataverse_pricing import with_base_amounts
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_rights import Access, Caller
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table, tables

PRODUCT_DRAFT = 2
CREATE, UPDATE, DELETE = "Create", "Update", "Delete"


@dataclass(frozen=True)
class Change:
    """One row that was created, changed or deleted."""

    message: str
    table: Table
    row_id: str
    before: Row
    """Empty for a row that was created."""
    after: Row
    """Empty for a row that was deleted."""
    columns: frozenset[str]
    """That were written, also where the value is what it was."""
    user_id: str


class Records:
    """The rows of an organisation as the platform changes them; every method belongs inside one transaction."""

    def __init__(self, rows: Rows, clock: Clock, new_id: Callable[[], str]) -> None:
        self.rows = rows
        self.new_id = new_id
        self.caller = Caller(USER_ID)
        """Whose rights count and who is named in the stamps; at first the platform for the user that runs."""
        self.work: Counter[str] = Counter()
        """How many rows were created, updated and deleted."""
        self.on_change: Callable[[Change], None] = lambda _change: None
        """Is told of each change inside its transaction, and may refuse it."""
        self._clock = clock
        self._documents = Documents(rows)

    @contextmanager
    def acting_as(self, caller: Caller) -> Iterator[None]:
        """Let somebody else act within the block."""
        before, self.caller = self.caller, caller
        try:
            yield
        finally:
            self.caller = before

    def now(self) -> str:
        """The present instant as rows hold it."""
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def create(self, table: Table, values: Mapping[str, Any], row_id: str | None = None) -> tuple[str, Row]:
        """
        Create a row.

        Raises:
            Refusal: The caller may not, the id or an alternate key is taken, or a rule of the table says no.
        """
        self._check_rights(table, Access.CREATE, values)
        row: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
        chosen = row_id or row.get(table.primary_id) or self.new_id()
        if self.rows.get(table, chosen) is not None:
            raise row_exists()
        row |= {table.primary_id: chosen}
        row |= {name: self.now() for name in ("createdon", "modifiedon") if name in table.columns}
        user = ("systemuser", self.caller.user_id)
        row |= {name: user for name in ("createdby", "modifiedby") if name in table.columns}
        for name, column in table.columns.items():
            if column.type == "Boolean":
                row.setdefault(name, False)
        if table.ownership == "UserOwned":
            row.setdefault("ownerid", user)
            row |= ownership(self.rows, row["ownerid"])
        self._check_reach(table, Access.CREATE, row, values)
        if table.stateful:
            self._first_state(table, row)
        row = self._documents.before_create(table, row, number=self.rows.count(table))
        self.rows.put(table, chosen, self._finished(table, row))
        self._documents.after_change(table, row)
        self.work["create"] += 1
        after = self._standing(table, chosen)
        self._tell(CREATE, table, chosen, {}, after, frozenset(after))
        return chosen, self._standing(table, chosen)

    def update(self, table: Table, row_id: str, changes: Mapping[str, Any]) -> Row:
        """
        Change the given columns; None clears.

        Raises:
            Refusal: The caller may not, or a rule of the table says no, for example an order that is locked.
        """
        self._check_rights(table, Access.WRITE, changes)
        before = self._standing(table, row_id)
        self._check_reach(table, Access.WRITE, before, changes)
        self._documents.check_lock(table, before, changes)
        row = {**before, **changes, table.primary_id: row_id}
        row = {name: value for name, value in row.items() if value is not None}
        if "ownerid" in row and row["ownerid"] != before.get("ownerid"):
            row = {name: value for name, value in row.items() if name not in ("owninguser", "owningteam")}
            row |= ownership(self.rows, row["ownerid"])
        if table.stateful:
            self._next_state(table, row, before, changes)
        stamps = {"modifiedon": self.now(), "modifiedby": ("systemuser", self.caller.user_id)}
        row |= {name: value for name, value in stamps.items() if name in table.columns}
        row = self._documents.before_update(table, row, before)
        self.rows.put(table, row_id, self._finished(table, row))
        self._documents.after_change(table, row, before)
        self.work["update"] += 1
        self._tell(UPDATE, table, row_id, before, self._standing(table, row_id), frozenset(changes))
        return self._standing(table, row_id)

    def delete(self, table: Table, row_id: str) -> None:
        """Delete a row, with its lines where it is an order or an invoice, and clear what points to it."""
        self._check_rights(table, Access.DELETE, {})
        row = self._standing(table, row_id)
        self._check_reach(table, Access.DELETE, row, {})
        self._documents.check_lock(table, row, None)
        self.rows.remove(table, row_id)
        for other in tables().values():
            for column in other.lookups:
                if table.name in other.columns[column].targets:
                    self._unlink(table, other, column, row_id)
        self._documents.after_change(table, row)
        self.work["delete"] += 1
        self._tell(DELETE, table, row_id, row, {}, frozenset())

    def _tell(
        self, message: str, table: Table, row_id: str, before: Row, after: Row, columns: frozenset[str]
    ) -> None:
        self.on_change(Change(message, table, row_id, before, after, columns, self.caller.user_id))

    def _check_rights(self, table: Table, access: Access, values: Mapping[str, Any]) -> None:
        if self.caller.held is None:
            return
        self.caller.require(table, access)
        bound = {n: v for n, v in values.items() if isinstance(v, tuple)}
        if "ownerid" in bound and access is Access.WRITE:
            self.caller.require(table, Access.ASSIGN)
        linked = {target for name, (target, _) in bound.items() if name != "ownerid"}
        if linked:
            self.caller.require(table, Access.APPEND)
        for target in linked:
            self.caller.require(tables()[target], Access.APPEND_TO)

    def _check_reach(self, table: Table, access: Access, row: Row, values: Mapping[str, Any]) -> None:
        """See that the privileges which `_check_rights` found reach this row, and those that it is to be linked to."""
        if self.caller.held is None:
            return
        self.caller.require_on(self.rows, table, access, row)
        bound = {n: v for n, v in values.items() if isinstance(v, tuple)}
        if "ownerid" in bound and access is Access.WRITE:
            self.caller.require_on(self.rows, table, Access.ASSIGN, row)
        linked = {link for name, link in bound.items() if name != "ownerid"}
        if linked:
            self.caller.require_on(self.rows, table, Access.APPEND, row)
        for name, row_id in linked:
            target = tables()[name]
            self.caller.require_on(
                self.rows,
                target,
                Access.APPEND_TO,
                self.rows.get(target, row_id) or {target.primary_id: row_id},
            )

    def _unlink(self, table: Table, other: Table, column: str, row_id: str) -> None:
        for pointing_id in self.rows.pointing(other, column, row_id):
            if (kind := HEADERS.get(table.name)) and other.name in (kind.line, "orderclose"):
                self.rows.remove(other, pointing_id)
            elif quirks().delete_clears_lookups:
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
                quirks().invalid_state_code,
                f"{status} is not a valid status code for state code {state} on {table.name} with Id {row[table.primary_id]}.",
            )

    def _finished(self, table: Table, row: Row) -> Row:
        """The row with the columns that follow from others."""
        done = dict(row)
        if table.name == "contact":
            done["fullname"] = " ".join(row[n] for n in ("firstname", "lastname") if row.get(n))
        return with_base_amounts(self.rows, table, done) if table.money else done
