"""Where a request leads that is no plain read: actions, functions about the platform, bulk messages, rows, metadata."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from tagline.sandbox.dataverse_actions import ACTIONS
from tagline.sandbox.dataverse_address import Address, find_row, parse_address
from tagline.sandbox.dataverse_body import ROOT, read_object
from tagline.sandbox.dataverse_bulk import BULK
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_customising import reactivate, write_metadata
from tagline.sandbox.dataverse_duplicates import PUBLISHED, UNPUBLISHED, publish, retrieve_duplicates
from tagline.sandbox.dataverse_errors import bad_uri, no_segment, payload
from tagline.sandbox.dataverse_expand import Shape, parse_shape
from tagline.sandbox.dataverse_founding import ORGANISATION_ID, give_role, platform_id, take_role
from tagline.sandbox.dataverse_merge import merge
from tagline.sandbox.dataverse_metadata import is_metadata
from tagline.sandbox.dataverse_platform import NAMESPACE, Operation, Platform
from tagline.sandbox.dataverse_query import aliases_of, query_options
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_reads import read
from tagline.sandbox.dataverse_references import write_below
from tagline.sandbox.dataverse_rights import Access, Caller, require_action
from tagline.sandbox.dataverse_schema import entity_sets
from tagline.sandbox.dataverse_solutions import SOLUTIONS, import_result, remove
from tagline.sandbox.dataverse_write import create_row, delete_row, patch_row
from tagline.sandbox.values import Response

UNBOUND: Mapping[str, Operation] = {
    **ACTIONS,
    **SOLUTIONS,
    "Merge": merge,
    "PublishDuplicateRule": partial(publish, state=PUBLISHED),
    "UnpublishDuplicateRule": partial(publish, state=UNPUBLISHED),
    "ReactivateEntityKey": reactivate,
}
"""Actions at the service root."""
BOUND: Mapping[tuple[str, str], str] = {
    ("salesorders", "FulfillSalesOrder"): "FulfillSalesOrder",
}
"""Actions that can be called on a collection as well: entity set and name -> the action at the root."""
ROLES: Final = "systemuserroles_association"
"""Collection of a user's roles."""
_FUNCTION = re.compile(
    r"(?P<name>WhoAmI|RetrieveSolutionImportResult|RetrieveDuplicates)(?:\((?P<given>.*)\))?", re.DOTALL
)
_PRIVILEGES = re.compile(rf"{re.escape(NAMESPACE)}RetrieveUserPrivileges(?:\(\))?")
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
    if table is not None:
        platform.records.caller.require(table, Access.READ)
        if (
            platform.records.caller.held is not None
            and "/" not in text
            and "expand=" in call.request.raw_query
        ):
            given = query_options(call.request)
            _require_reads(platform.records.caller, parse_shape(table, given, aliases_of(given)))
        if "/" in text:
            address = parse_address(path)
            if address.table.name == "systemuser" and address.is_row:
                if _PRIVILEGES.fullmatch(address.rest):
                    return _privileges(platform, call, find_row(platform.rows, address)[0])
                if address.rest == ROLES:
                    return _roles(platform, call, find_row(platform.rows, address)[0])
    return read(platform.rows, call, path, platform.tracking)


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
        case method, True, rest if rest.startswith(ROLES) and address.table.name == "systemuser":
            return _change_roles(platform, call, address, method)
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


def _change_roles(platform: Platform, call: Call, address: Address, method: str) -> Response:
    """`POST …/systemuserroles_association/$ref` and `DELETE …/systemuserroles_association(role)/$ref`."""
    table = address.table
    platform.records.caller.require(table, Access.WRITE)
    user_id = find_row(platform.rows, address)[0]
    inside = address.rest.removeprefix(ROLES).removesuffix("/$ref")
    if method == "POST":
        target = read_object(table, call.request.body).get("@odata.id")
        if not isinstance(target, str):
            raise payload(table, "The required instance annotation 'odata.id' is missing.")
        role = parse_address(ROOT.sub("", call.resolve(target), count=1))
        give_role(platform.rows, user_id, find_row(platform.rows, role)[0])
    elif method == "DELETE" and inside:
        take_role(platform.rows, user_id, find_row(platform.rows, parse_address(f"roles{inside}"))[0])
    else:
        raise bad_uri(f"The method {method} is not allowed for this resource.")
    return Response(204)


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
    "RetrieveSolutionImportResult": _import_result,
    "RetrieveDuplicates": retrieve_duplicates,
}


def _privileges(platform: Platform, call: Call, user_id: str) -> Response:
    """`systemusers(…)/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()`."""
    held: list[dict[str, Any]] = [
        {
            "Depth": "Global",
            "PrivilegeId": platform_id("privilege", name),
            "BusinessUnitId": call.business_unit_id,
            "PrivilegeName": name,
            "RecordFilterId": "00000000-0000-0000-0000-000000000000",
        }
        for name in platform.rights.names_held(user_id)
    ]
    return answer(call, f"{NAMESPACE}RetrieveUserPrivilegesResponse", {"RolePrivileges": held})


def _roles(platform: Platform, call: Call, user_id: str) -> Response:
    table = entity_sets()["roles"]
    rows = [platform.rows.get(table, role_id) for role_id in platform.rights.roles_of(user_id)]
    shown = [{"roleid": row["roleid"], "name": row.get("name")} for row in rows if row is not None]
    return answer(call, "roles(roleid,name)", {"value": shown})
