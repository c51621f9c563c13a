"""Writing rows: create, update, upsert, delete, under the preconditions of the request. Source: Web API notes, section 7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tagline.sandbox import dataverse_duplicates as duplicates
from tagline.sandbox.dataverse_address import Address, find_id, find_row, missing, parse_address
from tagline.sandbox.dataverse_body import BIND, ROOT, read_object, read_values
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import payload, row_exists, version_mismatch
from tagline.sandbox.dataverse_navigation import collection_of, collections_of, single_of
from tagline.sandbox.dataverse_read import representation
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_render import etag
from tagline.sandbox.dataverse_rows import Row
from tagline.sandbox.dataverse_schema import Table
from tagline.sandbox.values import Response

MAX_DEPTH = 8
"""Rows within rows of one create."""


def create_row(records: Records, call: Call, table: Table) -> Response:
    """`POST accounts`, with rows nested under navigation properties; the whole tree or nothing."""
    return create_given(records, call, table, read_object(table, call.request.body))


def create_given(records: Records, call: Call, table: Table, given: Mapping[str, Any]) -> Response:
    """The same, of a body that was read."""
    row_id = _create_tree(records, call, table, given, {}, MAX_DEPTH)
    row = records.rows.get(table, row_id) or {}
    if call.preferences.representation:
        return representation(records.rows, call, (table, row), 201)
    return _no_content(f"{call.root}{table.entity_set}({row_id})")


def _create_tree(
    records: Records, call: Call, table: Table, given: Mapping[str, Any], link: Mapping[str, Any], depth: int
) -> str:
    """
    Create a row: first those that it points to, then itself, then those that point to it.

    Args:
        link: The lookup to the row that it is nested in.
    """
    if depth == 0:
        raise payload(table, f"Rows are nested more than {MAX_DEPTH} deep.")
    nests = any(isinstance(value, list | dict) for value in given.values())
    collections = collections_of(table) if nests else {}
    below = {n: given[n] for n in given if n in collections and isinstance(given[n], list)}
    members = {n: given[n] for n in given if n.removesuffix(BIND) in collections and n not in below}
    above = {n: given[n] for n in given if n in table.navigation and isinstance(given[n], dict)}
    plain = {n: v for n, v in given.items() if not (n in below or n in members or n in above)}
    values = {**read_values(records.rows, table, plain, creating=True, resolve=call.resolve), **link}
    for name, item in above.items():
        target, column = single_of(table, name)
        values[column.name] = (target.name, _create_tree(records, call, target, item, {}, depth - 1))
    if duplicates.wanted(call.request.headers):
        duplicates.refuse_duplicate(records.rows, table, values)
    row_id, _row = records.create(table, values)
    for name, items in below.items():
        child, by = collection_of(table, name)
        for item in items:
            if not isinstance(item, dict):
                raise payload(child, "A node of type 'PrimitiveValue' was read; 'StartObject' was expected.")
            _create_tree(records, call, child, item, {by.name: (table.name, row_id)}, depth - 1)
    for name, addresses in members.items():
        child, by = collection_of(table, name.removesuffix(BIND))
        for text in addresses if isinstance(addresses, list) else ():
            member = parse_address(ROOT.sub("", call.resolve(str(text)), count=1))
            member_id = find_row(records.rows, member)[0]
            records.update(child, member_id, {by.name: (table.name, row_id)})
    return row_id


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
        check_version(call, records.rows.get(table, row_id) or {})
        keys = {name for name, _ in address.key}
        kept = {name: value for name, value in given.items() if name not in keys}
        values = read_values(records.rows, table, kept, creating=False, resolve=call.resolve)
        values.pop(table.primary_id, None)
        if duplicates.wanted(call.request.headers):
            duplicates.refuse_duplicate(
                records.rows, table, {**(records.rows.get(table, row_id) or {}), **values}
            )
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
    row = {**dict(address.key), **values}
    if duplicates.wanted(call.request.headers):
        duplicates.refuse_duplicate(records.rows, address.table, row)
    return records.create(address.table, row, address.id)


def delete_row(records: Records, call: Call, address: Address) -> Response:
    """`DELETE accounts(…)`."""
    row_id, row = find_row(records.rows, address)
    check_version(call, row)
    records.delete(address.table, row_id)
    return Response(204)


def check_version(call: Call, row: Row) -> None:
    wanted = call.request.headers.get("if-match", "*")
    if wanted != "*" and wanted != etag(row):
        raise version_mismatch()


def _no_content(entity: str) -> Response:
    return Response(204, (("OData-EntityId", entity), ("Location", entity)))
