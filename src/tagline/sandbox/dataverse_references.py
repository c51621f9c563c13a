"""Writing below a row: one property, and the links of lookups and collections. Source: Web API notes, sections 7 and 7.2."""

from __future__ import annotations

from typing import Any

from tagline.sandbox.dataverse_address import Address, find_id, find_row, missing, parse_address, parse_key
from tagline.sandbox.dataverse_body import BIND, ROOT, read_object, read_values
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import Refusal, bad_uri, no_segment, payload
from tagline.sandbox.dataverse_literals import split_outside
from tagline.sandbox.dataverse_navigation import collection_of, collections_of
from tagline.sandbox.dataverse_query import query_options
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_schema import Column, Table
from tagline.sandbox.dataverse_write import check_version, create_given
from tagline.sandbox.values import Response

DONE = Response(204)


def write_below(records: Records, call: Call, address: Address) -> Response:
    """
    `PUT` and `DELETE` of a property; `PUT`, `POST` and `DELETE` of links.

    Raises:
        Refusal: There is nothing such, or it does not take that method.
    """
    row_id, row = find_row(records.rows, address)
    check_version(call, row)
    table, method = address.table, call.request.method
    segments = split_outside(address.rest, "/")
    name, opened, key = segments[0].partition("(")
    is_link = segments[1:] == ["$ref"]
    if segments == [name] and name in collections_of(table) and method == "POST":
        return _create_in(records, call, (table, row_id), name)
    if is_link and name in table.navigation and not opened and method in ("PUT", "POST", "DELETE"):
        value = None if method == "DELETE" else _target(table, call)
        return _set(records, call, (table, row_id), {name + BIND: value})
    if is_link and name in collections_of(table) and method in ("POST", "DELETE"):
        child, by = collection_of(table, name)
        if method == "POST" and not opened:
            return _add(records, (table, row_id), _addressed(child, _target(child, call), call), by)
        member = parse_key(child, f"({key}") if opened else _addressed(child, _given_id(call), call)
        return _take_out(records, row_id, member, by)
    if len(segments) == 1 and name in table.columns and not opened and method in ("PUT", "DELETE"):
        value = _value(table, call) if method == "PUT" else None
        return _set(records, call, (table, row_id), {name: value})
    if is_link or name in table.columns:
        raise Refusal(405, "0x80060888", f"The requested resource does not support http method '{method}'.")
    raise no_segment(segments[0])


def _value(table: Table, call: Call) -> Any:
    given = read_object(table, call.request.body)
    if "value" not in given:
        raise payload(table, "The property with name 'value' was not found.")
    return given["value"]


def _target(table: Table, call: Call) -> str:
    value = read_object(table, call.request.body).get("@odata.id")
    if not isinstance(value, str):
        raise payload(table, "The required instance annotation 'odata.id' is missing.")
    return value


def _given_id(call: Call) -> str:
    given = query_options(call.request)
    value = given.get("$id", given.get("@odata.id"))
    if not value:
        raise bad_uri("A link of a collection is removed by key or by $id.")
    return value


def _addressed(table: Table, text: str, call: Call) -> Address:
    address = parse_address(ROOT.sub("", call.resolve(text), count=1))
    if address.table.name != table.name or not address.is_row or address.rest:
        raise bad_uri(f"'{text}' addresses no row of '{table.entity_set}'.")
    return address


def _set(records: Records, call: Call, at: tuple[Table, str], given: dict[str, Any]) -> Response:
    table, row_id = at
    values = read_values(records.rows, table, given, creating=False, resolve=call.resolve)
    records.update(table, row_id, values)
    return DONE


def _create_in(records: Records, call: Call, at: tuple[Table, str], collection: str) -> Response:
    """`POST accounts(…)/contact_customer_accounts`: a row that points back from its first moment."""
    table, row_id = at
    child, by = collection_of(table, collection)
    navigation = by.targets[table.name]
    given = read_object(child, call.request.body)
    bound = {**given, f"{navigation}{BIND}": f"/{table.entity_set}({row_id})"}
    return create_given(records, call, child, bound)


def _standing_id(records: Records, member: Address) -> str:
    member_id = find_id(records.rows, member)
    if member_id is None:
        raise missing(member)
    return member_id


def _add(records: Records, at: tuple[Table, str], member: Address, by: Column) -> Response:
    records.update(member.table, _standing_id(records, member), {by.name: (at[0].name, at[1])})
    return DONE


def _take_out(records: Records, row_id: str, member: Address, by: Column) -> Response:
    member_id = _standing_id(records, member)
    link = (records.rows.get(member.table, member_id) or {}).get(by.name)
    if link is None or link[1] != row_id:
        raise missing(member)
    records.update(member.table, member_id, {by.name: None})
    return DONE
