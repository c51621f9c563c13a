"""Reading rows: one by its address, lists with their options and pages, single values, related rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tagline.sandbox.dataverse_address import Address, find_row, parse_key
from tagline.sandbox.dataverse_apply import apply_steps
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import bad_uri, no_row, no_segment
from tagline.sandbox.dataverse_expand import MAX_PAGE, Shape, View, columns_text, parse_shape, skiptoken
from tagline.sandbox.dataverse_fetch import FETCH_XML, read_fetch
from tagline.sandbox.dataverse_filter import EVERYTHING
from tagline.sandbox.dataverse_literals import split_outside
from tagline.sandbox.dataverse_navigation import collection_of, collections_of, single_of
from tagline.sandbox.dataverse_query import (
    MAX_COUNT,
    Page,
    Query,
    aliases_of,
    continued,
    matching,
    page_of,
    parse_query,
    query_options,
)
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_render import etag
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table
from tagline.sandbox.dataverse_scope import value_of
from tagline.sandbox.dataverse_sql import SQL, read_sql
from tagline.sandbox.values import Response
from tagline.sandbox.wire import encode, in_bytes

JSON = ("Content-Type", "application/json; odata.metadata=minimal")
_CRM = "@Microsoft.Dynamics.CRM."
_OF_ONE_ROW = frozenset({"$select", "$expand"})
_BOM = b"\xef\xbb\xbf"


def read_row(rows: Rows, call: Call, address: Address) -> Response:
    """`GET accounts(…)` and everything below it: a property, a related row, a collection, their links."""
    row_id, row = find_row(rows, address)
    segments = split_outside(address.rest, "/") if address.rest else []
    table = address.table
    path = f"{table.entity_set}({row_id})"
    while segments:
        name = segments.pop(0)
        if name in table.navigation:
            found = _linked(rows, call, table, row, name)
            if segments == ["$ref"]:
                return _reference(rows, call, found)
            if found is None:
                return Response(204) if not segments else _nothing_below(segments[0])
            table, row = found
            path = f"{path}/{name}"
            continue
        collection, opened, key = name.partition("(")
        if collection in collections_of(table):
            child, by = collection_of(table, collection)
            ids = rows.pointing(child, by.name, row[table.primary_id])
            if not opened:
                return _related_list(rows, call, child, ids, segments)
            member = find_row(rows, parse_key(child, f"({key}"))
            if member[0] not in ids:
                raise no_row(child, member[0])
            table, row = child, member[1]
            continue
        return _value(call, table, row, f"{path}/{name}", name, segments)
    return _one(rows, call, table, row)


def _nothing_below(segment: str) -> Response:
    raise no_segment(segment)


def _linked(rows: Rows, call: Call, table: Table, row: Row, navigation: str) -> tuple[Table, Row] | None:
    target, column = single_of(table, navigation)
    found = call.scope(rows).linked(row, column, target)
    return None if found is None else (target, found)


def _one(rows: Rows, call: Call, table: Table, row: Row) -> Response:
    given = query_options(call.request)
    if wrong := sorted(n for n in given if n.startswith("$") and n not in _OF_ONE_ROW):
        raise bad_uri(f"Query options {wrong[0]} cannot be applied to the requested resource.")
    shape = parse_shape(table, given, aliases_of(given))
    known = call.request.headers.get("if-none-match", "")
    if known == etag(row) and not shape.expand and not call.preferences.annotations:
        return Response(304, (("ETag", etag(row)),))
    return _single(rows, call, (table, row), shape)


def _value(call: Call, table: Table, row: Row, path: str, name: str, rest: Sequence[str]) -> Response:
    column = table.by_wire.get(name)
    if column is None or rest not in ([], ["$value"]):
        raise no_segment(name if column is None else rest[0])
    value = value_of(row, column)
    if value is None:
        return Response(204)
    if rest:
        text = value if isinstance(value, str) else encode(value)
        return Response(200, (("Content-Type", "text/plain"),), in_bytes(text))
    return answer(call, path, {"value": value})


def _reference(rows: Rows, call: Call, found: tuple[Table, Row] | None) -> Response:
    if found is None:
        return Response(204)
    view = View(call, call.scope(rows))
    return answer(call, "$ref", {"@odata.id": view.address(*found)})


def _related_list(
    rows: Rows, call: Call, table: Table, ids: Sequence[str], segments: Sequence[str]
) -> Response:
    if segments == ["$count"]:
        return count_rows(rows, call, table, ids)
    if segments == ["$ref"]:
        given = query_options(call.request)
        query = parse_query(table, given)
        page = page_of(call.scope(rows), query, _size(call, query), ids)
        view = View(call, call.scope(rows))
        body: dict[str, Any] = {"value": [{"@odata.id": view.address(table, row)} for row in page.rows]}
        return answer(call, "Collection($ref)", _with_link(call, query, page, body))
    if segments:
        raise no_segment(segments[0])
    return read_list(rows, call, table, ids)


def answer(call: Call, context: str, body: Mapping[str, Any], *headers: tuple[str, str]) -> Response:
    """A JSON answer with its context, as much of it as the metadata level asks for, and the preferences applied."""
    if call.preferences.metadata != "none":
        about = f"$metadata#{context}" if context else "$metadata"
        body = {"@odata.context": call.root + about, **body}
    applied = call.preferences.applied()
    given = (*headers, ("Preference-Applied", applied)) if applied else headers
    return Response(200, (call.preferences.content_type, *given), in_bytes(encode(body)))


def _single(rows: Rows, call: Call, at: tuple[Table, Row], shape: Shape) -> Response:
    """One row with its context and ETag."""
    table, row = at
    body = View(call, call.scope(rows)).show(table, row, shape)
    return answer(call, f"{table.entity_set}{columns_text(shape)}/$entity", body, ("ETag", etag(row)))


def representation(rows: Rows, call: Call, at: tuple[Table, Row], status: int) -> Response:
    """What a write with `return=representation` answers."""
    given = query_options(call.request)
    shown = _single(rows, call, at, parse_shape(at[0], given, aliases_of(given)))
    return Response(status, shown.headers, shown.body)


def read_list(rows: Rows, call: Call, table: Table, among: Sequence[str] | None = None) -> Response:
    """
    `GET accounts`: filtered, ordered, cut into pages, aggregated, or put as FetchXML.

    Args:
        among: Ids of the collection that is read; None reads the whole table.
    """
    given = query_options(call.request)
    for name, value in given.items():
        if name.lower() == FETCH_XML:
            return answer(call, table.entity_set, read_fetch(call.scope(rows), call, table, value))
    if SQL in given:
        return answer(call, table.entity_set, read_sql(call.scope(rows), call, table, given))
    if "$apply" in given:
        found = apply_steps(call.scope(rows), call.preferences, table, given, among)
        return answer(call, table.entity_set, {"value": found})
    query = parse_query(table, given)
    page = page_of(call.scope(rows), query, _size(call, query), among)
    view = View(call, call.scope(rows))
    body = {
        **counts(call, query, page),
        "value": [view.show(table, row, query.shape) for row in page.rows],
    }
    return answer(call, table.entity_set + columns_text(query.shape), _with_link(call, query, page, body))


def _size(call: Call, query: Query) -> int:
    return call.preferences.page_size or query.top or MAX_PAGE


def counts(call: Call, query: Query, page: Page) -> dict[str, Any]:
    """`@odata.count` where it was asked for, and the annotations of a whole list."""
    known = min(page.total, MAX_COUNT) if query.with_count else -1
    facts: dict[str, Any] = {
        "totalrecordcount": known,
        "totalrecordcountlimitexceeded": query.with_count and page.total > MAX_COUNT,
        "globalmetadataversion": "1000000",
    }
    found = {
        f"{_CRM}{name}": value for name, value in facts.items() if call.preferences.wants(f"{_CRM[1:]}{name}")
    }
    return {"@odata.count": known, **found} if query.with_count else found


def _with_link(call: Call, query: Query, page: Page, body: dict[str, Any]) -> dict[str, Any]:
    """The body, with the link to the next page where there is one; `$top` has none."""
    if page.has_more and (call.preferences.page_size or query.top is None):
        token = skiptoken(query.table, page.rows, query.page_number, query.order)
        body["@odata.nextLink"] = continued(call.request, token)
    return body


def count_rows(rows: Rows, call: Call, table: Table, among: Sequence[str] | None = None) -> Response:
    """`GET accounts/$count`."""
    query = parse_query(table, query_options(call.request))
    if query.where is EVERYTHING and among is None:
        return plain_count(min(rows.count(table), MAX_COUNT))
    return plain_count(min(len(matching(call.scope(rows), query, among)), MAX_COUNT))


def plain_count(number: int) -> Response:
    return Response(
        200,
        (("Content-Type", "text/plain"),),
        (_BOM if quirks().count_has_bom else b"") + str(number).encode(),
    )
