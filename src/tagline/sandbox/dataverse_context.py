"""What a webhook of an organisation says: the execution context of an operation as JSON. Source: Web API notes, 18.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tagline.sandbox.dataverse_founding import BUSINESS_UNIT_ID, ORGANISATION_ID, platform_id
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_records import CREATE, DELETE, UPDATE, Change
from tagline.sandbox.dataverse_render import formatted
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import CHOICES, LOOKUPS, Table, tables
from tagline.sandbox.wire import encode, in_bytes

CONTRACTS: Final = "http://schemas.microsoft.com/xrm/2011/Contracts"
MAX_BYTES: Final = 256 * 1024
DROPPED: Final = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")
"""What is left out of a context that is larger."""
SYNCHRONOUS, ASYNCHRONOUS = 0, 1
PRE_IMAGE, POST_IMAGE, BOTH_IMAGES = 0, 1, 2
AUTOMATIC_IMAGE: Final = "AsynchronousStepPrimaryName"
_ALWAYS_TOLD: Final = ("modifiedon", "modifiedby", "modifiedonbehalfby", "fullname")


@dataclass(frozen=True)
class Occasion:
    """The request that an operation belongs to."""

    correlation_id: str
    request_id: str
    user_agent: str
    at: datetime
    organisation: str
    """Host name of the organisation."""
    tag: str = ""
    """The query parameter `tag` of the request."""
    skips_synchronous: bool = False
    skips_asynchronous: bool = False


@dataclass(frozen=True)
class Image:
    """A copy of the row that a step is registered for."""

    alias: str
    kind: int
    columns: tuple[str, ...]
    """Empty for all."""


def context_of(
    rows: Rows, change: Change, occasion: Occasion, step: Row, images: Sequence[Image], operation_id: str
) -> tuple[bytes, bool]:
    """
    The body of a delivery.

    Returns:
        The JSON, and whether it had to be cut because of its size.
    """
    whole = _context(rows, change, occasion, step, images, operation_id)
    body = in_bytes(encode(whole))
    if len(body) <= MAX_BYTES:
        return body, False
    return in_bytes(encode({**whole, **dict.fromkeys(DROPPED)})), True


def _context(
    rows: Rows, change: Change, occasion: Occasion, step: Row, images: Sequence[Image], operation_id: str
) -> dict[str, Any]:
    mode = step.get("mode", SYNCHRONOUS)
    user = rows.get(tables()["systemuser"], change.user_id) or {}
    entra_id = user.get("azureactivedirectoryobjectid", platform_id("entra", change.user_id))
    shared: dict[str, Any] = {"IsAutoTransact": True, "DefaultsAddedFlag": True}
    if occasion.tag:
        shared["tag"] = occasion.tag
    return {
        "BusinessUnitId": BUSINESS_UNIT_ID,
        "CorrelationId": occasion.correlation_id,
        "Depth": 1,
        "InitiatingUserAgent": occasion.user_agent,
        "InitiatingUserAzureActiveDirectoryObjectId": entra_id,
        "InitiatingUserId": change.user_id,
        "InputParameters": _pairs({"Target": _target(rows, change)}),
        "IsExecutingOffline": False,
        "IsInTransaction": mode == SYNCHRONOUS,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": change.message,
        "Mode": mode,
        "OperationCreatedOn": _created_on(occasion.at, mode),
        "OperationId": operation_id,
        "OrganizationId": ORGANISATION_ID,
        "OrganizationName": "sandbox",
        "OutputParameters": _pairs({"id": change.row_id}) if change.message == CREATE else [],
        "OwningExtension": {
            "__type": f"EntityReference:{CONTRACTS}",
            "Id": step["sdkmessageprocessingstepid"],
            "KeyAttributes": [],
            "LogicalName": "sdkmessageprocessingstep",
            "Name": step.get("name"),
            "RowVersion": None,
        },
        "ParentContext": None,
        "PostEntityImages": _pairs(_images(rows, change, images, change.after, PRE_IMAGE, mode)),
        "PreEntityImages": _pairs(_images(rows, change, images, change.before, POST_IMAGE, None)),
        "PrimaryEntityId": change.row_id,
        "PrimaryEntityName": change.table.name,
        "RequestId": occasion.request_id,
        "SecondaryEntityName": "none",
        "SharedVariables": _pairs(shared),
        "Stage": step.get("stage"),
        "UserAzureActiveDirectoryObjectId": entra_id,
        "UserId": change.user_id,
    }


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _target(rows: Rows, change: Change) -> dict[str, Any]:
    """The row as it was written: of an update the columns that it names, cleared ones as null."""
    table = change.table
    if change.message == DELETE:
        return _reference(rows, table.name, change.row_id)
    told: Row = change.after
    if change.message == UPDATE:
        names = {*change.columns, table.primary_id, *(n for n in _ALWAYS_TOLD if n in change.after)}
        told = {name: change.after.get(name) for name in sorted(names)}
    return entity(rows, table, change.row_id, told)


def _images(
    rows: Rows, change: Change, images: Sequence[Image], row: Row, unless: int, mode: int | None
) -> dict[str, Any]:
    """The images of one side; `unless` is the kind that belongs to the other."""
    found: dict[str, Any] = {}
    table = change.table
    if mode == ASYNCHRONOUS and row:
        named = {n: row[n] for n in (table.primary_id, table.primary_name) if n is not None and n in row}
        found[AUTOMATIC_IMAGE] = entity(rows, table, change.row_id, named)
    for image in images:
        if image.kind != unless and row:
            names = {table.primary_id, *image.columns}
            shown = {n: v for n, v in row.items() if not image.columns or n in names}
            found[image.alias] = entity(rows, table, change.row_id, shown)
    return found


def entity(rows: Rows, table: Table, row_id: str, values: Row) -> dict[str, Any]:
    """A row as the contracts have it."""
    known = [(name, value) for name, value in values.items() if name in table.columns]
    texts = {
        name: formatted(rows, table.columns[name], values)
        for name, value in known
        if value is not None and not isinstance(value, str)
    }
    return {
        "__type": f"Entity:{CONTRACTS}",
        "Attributes": [{"key": name, "value": _value(rows, table, name, value)} for name, value in known],
        "EntityState": None,
        "FormattedValues": _pairs({name: text for name, text in texts.items() if text}),
        "Id": row_id,
        "KeyAttributes": [],
        "LogicalName": table.name,
        "RelatedEntities": [],
        "RowVersion": None,
    }


def _value(rows: Rows, table: Table, name: str, value: Any) -> Any:
    column = table.columns[name]
    if value is None or column.write_only:
        return None
    if column.type in LOOKUPS:
        return _reference(rows, *value)
    if column.type in CHOICES:
        return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": value}
    if column.type == "Money":
        return {"__type": f"Money:{CONTRACTS}", "Value": Decimal(value)}
    if column.type in ("DateTime", "DateOnly"):
        moment = datetime.fromisoformat(value)
        return _date(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return value


def _reference(rows: Rows, name: str, row_id: str) -> dict[str, Any]:
    table = tables().get(name)
    row = rows.get(table, row_id) if table is not None else None
    shown = (row or {}).get(table.primary_name or "") if table is not None else None
    return {
        "__type": f"EntityReference:{CONTRACTS}",
        "Id": row_id,
        "KeyAttributes": [],
        "LogicalName": name,
        "Name": shown,
        "RowVersion": None,
    }


def _date(moment: datetime) -> str:
    return f"/Date({_milliseconds(moment)})/"


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _created_on(moment: datetime, mode: int) -> str:
    """The true instant of a synchronous step; of an asynchronous one whole seconds, off by the offset that stands beside them."""
    if mode == SYNCHRONOUS:
        return _date(moment)
    zone = quirks().context_zone
    hours, minutes = divmod(abs(zone), 60)
    sign = "-" if zone < 0 else "+"
    shown = _milliseconds((moment - timedelta(minutes=zone)).replace(microsecond=0))
    return f"/Date({shown}{sign}{hours:02}{minutes:02})/"
