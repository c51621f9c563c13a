"""`CreateMultiple`, `UpdateMultiple`, `UpsertMultiple`: many rows of one table, all of them or none. Source: Web API notes, section 10."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tagline.sandbox.dataverse_address import Address, find_id, missing, parse_address
from tagline.sandbox.dataverse_body import ROOT, read_object, read_values
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import Refusal, payload
from tagline.sandbox.dataverse_literals import GUID
from tagline.sandbox.dataverse_platform import NAMESPACE, Platform
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_rows import comparable
from tagline.sandbox.dataverse_schema import Table
from tagline.sandbox.values import Response

MAX_BYTES: Final = int(116.85 * 1024 * 1024)
ID: Final = "@odata.id"
TYPE: Final = "@odata.type"


def create_multiple(platform: Platform, call: Call, table: Table) -> Response:
    """
    Create every target; the ids come in the order of the targets.

    Raises:
        Refusal: One target is refused, so all are.
    """
    ids = [
        platform.records.create(table, _values(platform, call, table, target, creating=True))[0]
        for target in _targets(call, table)
    ]
    return answer(call, f"{NAMESPACE}CreateMultipleResponse", {"Ids": ids})


def update_multiple(platform: Platform, call: Call, table: Table) -> Response:
    """
    Change every target, which names its row by primary key or by `@odata.id`.

    Raises:
        Refusal: One target is refused, is not there or stands twice, so none is changed.
    """
    targets = _targets(call, table)
    _refuse_twice(platform, call, table, targets)
    for target in targets:
        address = _address(call, table, target)
        row_id = _standing_id(platform, address)
        if row_id is None and not address.is_row:
            raise payload(table, f"A target names no row by '{table.primary_id}' or '{ID}'.")
        if row_id is None:
            raise missing(address)
        platform.records.update(table, row_id, _values(platform, call, table, target, creating=False))
    return Response(204)


def upsert_multiple(platform: Platform, call: Call, table: Table) -> Response:
    """
    Create or change every target, by the key in its `@odata.id` or its primary key.

    Raises:
        Refusal: One target is refused or stands twice, so none is written.
    """
    targets = _targets(call, table)
    _refuse_twice(platform, call, table, targets)
    for target in targets:
        address = _address(call, table, target)
        row_id = _standing_id(platform, address)
        if row_id is not None:
            platform.records.update(table, row_id, _values(platform, call, table, target, creating=False))
            continue
        values = _values(platform, call, table, target, creating=True)
        platform.records.create(table, {**dict(address.key), **values}, address.id)
    return Response(204)


def delete_multiple(_platform: Platform, _call: Call, _table: Table) -> Response:
    """Known of elastic tables alone."""
    raise Refusal(501, "0x80048d19", "DeleteMultiple has not yet been implemented.")


BULK: Mapping[str, Callable[[Platform, Call, Table], Response]] = {
    "CreateMultiple": create_multiple,
    "UpdateMultiple": update_multiple,
    "UpsertMultiple": upsert_multiple,
    "DeleteMultiple": delete_multiple,
}
"""Messages on the collection of a table."""


def _targets(call: Call, table: Table) -> Sequence[dict[str, Any]]:
    if len(call.request.body) > MAX_BYTES:
        raise Refusal(413, "0x80040203", f"The message is larger than {MAX_BYTES} bytes.")
    given = read_object(table, call.request.body).get("Targets")
    if not isinstance(given, list):
        raise payload(table, "The parameter 'Targets' is no collection.")
    expected = f"{NAMESPACE}{table.name}"
    for target in given:
        kind = target.get(TYPE) if isinstance(target, dict) else None
        if not isinstance(kind, str) or kind.removeprefix("#") != expected:
            raise payload(table, f"A target has no '{TYPE}', or another than '{expected}'.")
    return given


def _values(
    platform: Platform, call: Call, table: Table, target: Mapping[str, Any], *, creating: bool
) -> dict[str, Any]:
    given = {name: value for name, value in target.items() if name not in (ID, TYPE)}
    if not creating:
        keyed = {table.primary_id, *(name for name, _ in _address(call, table, target).key)}
        given = {name: value for name, value in given.items() if name not in keyed}
    return read_values(platform.rows, table, given, creating=creating, resolve=call.resolve)


def _address(call: Call, table: Table, target: Mapping[str, Any]) -> Address:
    """The row that a target names; none where it has neither id nor key."""
    if ID in target:
        address = parse_address(ROOT.sub("", call.resolve(str(target[ID])), count=1))
        if address.table.name != table.name or not address.is_row or address.rest:
            raise payload(table, f"'{target[ID]}' addresses no row of '{table.entity_set}'.")
        return address
    given = target.get(table.primary_id)
    if given is not None and (not isinstance(given, str) or GUID.fullmatch(given) is None):
        raise payload(table, f"Cannot convert the literal '{given}' to the expected type 'Edm.Guid'.")
    return Address(table, id=None if given is None else given.lower())


def _standing_id(platform: Platform, address: Address) -> str | None:
    return find_id(platform.rows, address) if address.is_row else None


def _refuse_twice(platform: Platform, call: Call, table: Table, targets: Sequence[Mapping[str, Any]]) -> None:
    seen: set[Any] = set()
    for target in targets:
        address = _address(call, table, target)
        key = tuple((name, comparable(value)) for name, value in address.key)
        mark = _standing_id(platform, address) or address.id or key
        if mark and mark in seen:
            raise Refusal(
                400,
                quirks().bulk_duplicate_code,
                "The same record stands twice among the targets of one message.",
            )
        seen.add(mark)
