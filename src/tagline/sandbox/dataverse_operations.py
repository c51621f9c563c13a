"""Where a request leads that is no plain read: actions, functions about the platform, bulk messages, rows, metadata."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import unquote

from tagline.sandbox.dataverse_actions import ACTIONS
from tagline.sandbox.dataverse_address import Address, find_id, find_row, parse_address
from tagline.sandbox.dataverse_bulk import BULK
from tagline.sandbox.dataverse_bulk_delete import bulk_delete
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_customising import reactivate, refuse_tables, write_metadata
from tagline.sandbox.dataverse_delta import wants_changes
from tagline.sandbox.dataverse_duplicates import PUBLISHED, UNPUBLISHED, publish, retrieve_duplicates
from tagline.sandbox.dataverse_errors import bad_uri, no_segment
from tagline.sandbox.dataverse_expand import Shape, parse_shape
from tagline.sandbox.dataverse_founding import ORGANISATION_ID
from tagline.sandbox.dataverse_merge import merge
from tagline.sandbox.dataverse_metadata import is_metadata
from tagline.sandbox.dataverse_metadata_query import retrieve_metadata
from tagline.sandbox.dataverse_people import association_of, change_people, read_people
from tagline.sandbox.dataverse_platform import NAMESPACE, Operation, Platform
from tagline.sandbox.dataverse_query import aliases_of, query_options
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_reads import read
from tagline.sandbox.dataverse_references import write_below
from tagline.sandbox.dataverse_rights import Access, Caller, Depth, require_action
from tagline.sandbox.dataverse_schema import Table, entity_sets
from tagline.sandbox.dataverse_solutions import SOLUTIONS, import_result, remove
from tagline.sandbox.dataverse_write import create_row, delete_row, patch_row
from tagline.sandbox.values import Response

VERSION = "9.2.25063.00183"
"""Of the platform, as `RetrieveVersion` tells it."""
UNBOUND: Mapping[str, Operation] = {
    **ACTIONS,
    **SOLUTIONS,
    "Merge": merge,
    "BulkDelete": bulk_delete,
    "PublishDuplicateRule": partial(publish, state=PUBLISHED),
    "UnpublishDuplicateRule": partial(publish, state=UNPUBLISHED),
    "ReactivateEntityKey": reactivate,
    "CreateEntities": refuse_tables,
}
"""Actions at the service root."""
BOUND: Mapping[tuple[str, str], str] = {
    ("salesorders", "FulfillSalesOrder"): "FulfillSalesOrder",
}
"""Actions that can be called on a collection as well: entity set and name -> the action at the root."""
_FUNCTION = re.compile(
    r"(?P<name>WhoAmI|RetrieveVersion|RetrieveSolutionImportResult|RetrieveDuplicates|RetrieveMetadataChanges)"
    r"(?:\((?P<given>.*)\))?",
    re.DOTALL,
)
_JOB = re.compile(r"ImportJobId=([0-9a-fA-F-]{36})")


def operate(platform: Platform, call: Call, path: str) -> Response:
    """
    Answer a request inside its transaction.

    Args:
        path: Below the service root, percent-encoded.

    Raises:
        Refusal: There is nothing such, the caller may not, or what was asked is refused.
    """
    method = call.request.method
    if method in ("GET", "HEAD"):
        return _get(platform, call, path)
    if is_metadata(unquote(path)):
        return write_metadata(platform, call, unquote(path))
    if method == "POST" and "(" not in path and "/" not in path and path[:1].isupper():
        return _act(platform, call, path)
    return _on_rows(platform, call, path)


def _act(platform: Platform, call: Call, name: str) -> Response:
    operation = UNBOUND.get(name)
    if operation is None:
        raise no_segment(name)
    require_action(platform.records.caller, name)
    return operation(platform, call)


def _get(platform: Platform, call: Call, path: str) -> Response:
    text = unquote(path)
    if function := _FUNCTION.fullmatch(text):
        return _FUNCTIONS[function["name"]](platform, call, function["given"] or "")
    entity_set = text.partition("(")[0].partition("/")[0]
    table = entity_sets().get(entity_set)
    caller = platform.records.caller
    if table is not None:
        if caller.held is not None:
            _require_reading(platform, call, table, path)
        if table.name in ("systemuser", "team") and "/" in text:
            address = parse_address(path)
            people = read_people(platform, call, address) if address.is_row else None
            if people is not None:
                return people
    return read(caller.sight(platform.rows), call, path, platform.tracking)


def _require_reading(platform: Platform, call: Call, table: Table, path: str) -> None:
    """See that the caller may read what is addressed and what is expanded; of a list he sees what he may."""
    caller = platform.records.caller
    is_narrow = caller.depth(table, Access.READ) is not Depth.GLOBAL
    if is_narrow and wants_changes(call):
        caller.require_everywhere(table, Access.READ)
    if is_narrow and "(" in path:
        address = parse_address(path)
        row_id = find_id(platform.rows, address) if address.is_row else None
        row = None if row_id is None else platform.rows.get(table, row_id)
        if row is not None:
            caller.require_on(platform.rows, table, Access.READ, row)
    if "/" not in path and "expand=" in call.request.raw_query:
        given = query_options(call.request)
        _require_reads(caller, parse_shape(table, given, aliases_of(given)))


def _require_reads(caller: Caller, shape: Shape) -> None:
    """See that the tables of every expanded level may be read."""
    for inner in shape.expand:
        caller.require(inner.table, Access.READ)
        _require_reads(caller, inner.shape)


def _on_rows(platform: Platform, call: Call, path: str) -> Response:
    address, records = parse_address(path), platform.records
    match call.request.method, address.is_row, address.rest:
        case "POST", False, "":
            return create_row(records, call, address.table)
        case "POST", False, rest if rest.startswith(NAMESPACE):
            return _on_collection(platform, call, address, rest.removeprefix(NAMESPACE))
        case "PATCH", True, "":
            return patch_row(records, call, address)
        case "DELETE", True, "" if address.table.name == "solution":
            return remove(platform, find_row(platform.rows, address)[0])
        case "DELETE", True, "":
            return delete_row(records, call, address)
        case _, True, rest if rest and (association := association_of(address)) is not None:
            return change_people(platform, call, address, association)
        case _, True, rest if rest:
            return write_below(records, call, address)
        case method, _, "":
            raise bad_uri(f"The method {method} is not allowed for this resource.")
    raise no_segment(address.rest)


def _on_collection(platform: Platform, call: Call, address: Address, name: str) -> Response:
    if name in BULK:
        return BULK[name](platform, call, address.table)
    at_root = BOUND.get((address.table.entity_set, name))
    if at_root is None:
        raise no_segment(NAMESPACE + name)
    return _act(platform, call, at_root)


def _who_am_i(_platform: Platform, call: Call, _given: str) -> Response:
    body = {
        "BusinessUnitId": call.business_unit_id,
        "UserId": call.user_id,
        "OrganizationId": ORGANISATION_ID,
    }
    return answer(call, f"{NAMESPACE}WhoAmIResponse", body)


def _import_result(platform: Platform, call: Call, given: str) -> Response:
    match = _JOB.fullmatch(given.strip())
    if match is None:
        raise bad_uri("The parameter 'ImportJobId' is missing or no GUID.")
    return import_result(platform, call, match[1])


_FUNCTIONS: Mapping[str, Callable[[Platform, Call, str], Response]] = {
    "WhoAmI": _who_am_i,
    "RetrieveVersion": lambda _platform, call, _given: answer(
        call, f"{NAMESPACE}RetrieveVersionResponse", {"Version": VERSION}
    ),
    "RetrieveMetadataChanges": retrieve_metadata,
    "RetrieveSolutionImportResult": _import_result,
    "RetrieveDuplicates": retrieve_duplicates,
}
