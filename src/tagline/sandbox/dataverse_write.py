"""Writing rows: create, update, upsert, delete, under the preconditions of the request. Source: Web API notes, section 7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tagline.sandbox.dataverse_address import Address, find_id, find_row, missing
from tagline.sandbox.dataverse_body import read_object, read_values
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import row_exists, version_mismatch
from tagline.sandbox.dataverse_read import representation
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_render import etag
from tagline.sandbox.dataverse_rows import Row
from tagline.sandbox.dataverse_schema import Table, tables
from tagline.sandbox.values import Response

CHILDREN: Mapping[tuple[str, str], tuple[str, str]] = {
    ("salesorder", "order_details"): ("salesorderdetail", "salesorderid")
}
"""Collections that a create may carry: table and navigation property -> child table and its lookup to the parent."""


def create_row(records: Records, call: Call, table: Table) -> Response:
    """`POST accounts`, with nested lines where the table has them."""
    given = read_object(table, call.request.body)
    nested = {name: given.pop(name) for name in list(given) if (table.name, name) in CHILDREN}
    values = read_values(records.rows, table, given, creating=True, resolve=call.resolve)
    row_id, row = records.create(table, values)
    for name, items in nested.items():
        child_name, lookup = CHILDREN[table.name, name]
        child = tables()[child_name]
        for item in items:
            child_values = read_values(records.rows, child, item, creating=True, resolve=call.resolve)
            records.create(child, {**child_values, lookup: (table.name, row_id)})
        row = records.rows.get(table, row_id) or row
    if call.preferences.representation:
        return representation(records.rows, call, (table, row), 201)
    return _no_content(f"{call.root}{table.entity_set}({row_id})")


def patch_row(records: Records, call: Call, address: Address) -> Response:
    """`PATCH accounts(…)`: update, or create where it is absent and no precondition forbids it."""
    table = address.table
    row_id = find_id(records.rows, address)
    given = read_object(table, call.request.body)
    if row_id is None:
        if "if-match" in call.request.headers:
            raise missing(address)
        _id, row = _create_addressed(records, call, address, given)
        status = 201
    else:
        if call.request.headers.get("if-none-match") == "*":
            raise row_exists()
        _check_version(call, records.rows.get(table, row_id) or {})
        keys = {name for name, _ in address.key}
        kept = {name: value for name, value in given.items() if name not in keys}
        values = read_values(records.rows, table, kept, creating=False, resolve=call.resolve)
        values.pop(table.primary_id, None)
        row = records.update(table, row_id, values)
        status = 200
    if call.preferences.representation:
        return representation(records.rows, call, (table, row), status)
    key = quote(address.key_text, safe="()',=")
    return _no_content(f"{call.root}{table.entity_set}{key}")


def _create_addressed(
    records: Records, call: Call, address: Address, given: Mapping[str, Any]
) -> tuple[str, Row]:
    values = read_values(records.rows, address.table, given, creating=True, resolve=call.resolve)
    return records.create(address.table, {**dict(address.key), **values}, address.id)


def delete_row(records: Records, call: Call, address: Address) -> Response:
    """`DELETE accounts(…)`."""
    row_id, row = find_row(records.rows, address)
    _check_version(call, row)
    records.delete(address.table, row_id)
    return Response(204)


def _check_version(call: Call, row: Row) -> None:
    wanted = call.request.headers.get("if-match", "*")
    if wanted != "*" and wanted != etag(row):
        raise version_mismatch()


def _no_content(entity: str) -> Response:
    return Response(204, (("OData-EntityId", entity), ("Location", entity)))
