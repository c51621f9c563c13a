"""`Merge`: two accounts or contacts become one; nothing takes it back. Source: Web API notes, 15.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tagline.sandbox.dataverse_body import read_values
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import Refusal, no_row
from tagline.sandbox.dataverse_platform import NAMESPACE, Platform, missing_parameter, parameters
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_rights import Access
from tagline.sandbox.dataverse_schema import Table, tables
from tagline.sandbox.values import Response

MERGEABLE: Final = ("account", "contact")
INACTIVE: Final = 1


def merge(platform: Platform, call: Call) -> Response:
    """
    Deactivate `Subordinate` and let everything that pointed to it point to `Target`, which takes `UpdateContent`.

    Raises:
        Refusal: The two are not two active rows of one mergeable table.
    """
    given = parameters(call)
    table, target_id = _row_of(given, "Target")
    other, subordinate_id = _row_of(given, "Subordinate")
    records, rows = platform.records, platform.rows
    if table.name != other.name or target_id == subordinate_id:
        raise Refusal(
            400, quirks().merge_refused_code, "Two different records of the same type can be merged."
        )
    for row_id in (target_id, subordinate_id):
        row = rows.get(table, row_id)
        if row is None:
            raise no_row(table, row_id)
        if row["statecode"] == INACTIVE:
            raise Refusal(400, quirks().merge_refused_code, f"The record with id {row_id} is not active.")
    records.caller.require(table, Access.WRITE)
    content = given.get("UpdateContent") or {}
    if not isinstance(content, dict):
        raise missing_parameter("UpdateContent", "is no record")
    named = {name: value for name, value in content.items() if name != table.primary_id}
    values = read_values(rows, table, named, creating=False, resolve=call.resolve)
    with records.acting_as(records.caller.as_platform()):
        _move(platform, table, subordinate_id, target_id)
        if values:
            records.update(table, target_id, values)
        done = {"statecode": INACTIVE, "merged": True, "masterid": (table.name, target_id)}
        records.update(table, subordinate_id, done)
    return Response(204)


def _row_of(given: Mapping[str, Any], name: str) -> tuple[Table, str]:
    value = given.get(name)
    kind = str(value.get("@odata.type", "")) if isinstance(value, dict) else ""
    table = tables().get(kind.removeprefix("#").removeprefix(NAMESPACE))
    if not isinstance(value, dict) or table is None or table.name not in MERGEABLE:
        raise missing_parameter(name, "is no account or contact with its '@odata.type'")
    row_id = value.get(table.primary_id)
    if not isinstance(row_id, str):
        raise missing_parameter(name, f"has no '{table.primary_id}'")
    return table, row_id.lower()


def _move(platform: Platform, table: Table, from_id: str, to_id: str) -> None:
    """Let every lookup to one row point to another; documents that are locked are moved, too."""
    for other in tables().values():
        for column in other.lookups:
            if table.name not in other.columns[column].targets:
                continue
            for row_id in platform.rows.pointing(other, column, from_id):
                row = dict(platform.rows.get(other, row_id) or {})
                derived = f"{table.name}id"
                if column == "customerid" and derived in row:
                    row[derived] = (table.name, to_id)
                row[column] = (table.name, to_id)
                platform.rows.put(other, row_id, row)
