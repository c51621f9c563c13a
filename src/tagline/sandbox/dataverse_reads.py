"""Where a GET leads: documents of the service, metadata, functions, rows and what lies below them."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

from tagline.sandbox.dataverse_address import parse_address
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_csdl import csdl
from tagline.sandbox.dataverse_delta import Tracking, read_changes, wants_changes
from tagline.sandbox.dataverse_errors import bad_uri, no_segment
from tagline.sandbox.dataverse_functions import NAMESPACE
from tagline.sandbox.dataverse_literals import Tokens
from tagline.sandbox.dataverse_metadata import is_metadata, read_metadata
from tagline.sandbox.dataverse_query import aliases_of, query_options
from tagline.sandbox.dataverse_read import answer, count_rows, read_list, read_row
from tagline.sandbox.dataverse_rows import Rows
from tagline.sandbox.dataverse_schema import entity_sets, tables
from tagline.sandbox.values import Response

_TOTALS = re.compile(r"RetrieveTotalRecordCount\((.*)\)", re.DOTALL)


def read(rows: Rows, call: Call, path: str, tracking: Tracking) -> Response:
    """
    Answer a GET or HEAD.

    Args:
        path: Below the service root, percent-encoded.

    Raises:
        Refusal: There is nothing such, or an option cannot be read.
    """
    if call.request.method == "HEAD":
        found = _read(rows, replace(call, request=replace(call.request, method="GET")), path, tracking)
        return replace(found, body=b"")
    return _read(rows, call, path, tracking)


def _read(rows: Rows, call: Call, path: str, tracking: Tracking) -> Response:
    text = unquote(path)
    if text in ("", "/"):
        return _service_document(call)
    if text == "$metadata":
        return Response(200, (("Content-Type", "application/xml"),), csdl().encode())
    if is_metadata(text):
        return read_metadata(rows, call, text)
    if totals := _TOTALS.fullmatch(text):
        return _totals(rows, call, totals[1])
    address = parse_address(path)
    if address.is_row:
        return read_row(rows, call, address)
    if address.rest not in ("", "$count"):
        raise no_segment(address.rest)
    if wants_changes(call):
        return read_changes(rows, call, address.table, tracking, count=address.rest == "$count")
    if address.rest == "$count":
        return count_rows(rows, call, address.table)
    return read_list(rows, call, address.table)


def _service_document(call: Call) -> Response:
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in entity_sets()]
    return answer(call, "", {"value": sets})


def _totals(rows: Rows, call: Call, parameters: str) -> Response:
    """`RetrieveTotalRecordCount(EntityNames=['account'])`."""
    tokens = Tokens(parameters, aliases_of(query_options(call.request)))
    tokens.take("EntityNames")
    tokens.take("=")
    names = [str(name) for name in tokens.take_literals()]
    if unknown := [name for name in names if name not in tables()]:
        raise bad_uri(f"The entity with a name = '{unknown[0]}' was not found in the MetadataCache.")
    counted = {
        "Count": len(names),
        "IsReadOnly": False,
        "Keys": names,
        "Values": [rows.count(tables()[name]) for name in names],
    }
    return answer(
        call,
        f"{NAMESPACE}RetrieveTotalRecordCountResponse",
        {"EntityRecordCountCollection": counted},
    )
