"""Bodies of writes: checked name by name, turned into the values a row holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tagline.sandbox.dataverse_address import find_id, missing, parse_address
from tagline.sandbox.dataverse_call import Resolve
from tagline.sandbox.dataverse_errors import (
    Refusal,
    bad_uri,
    no_option,
    no_row,
    out_of_range,
    payload,
    too_long,
)
from tagline.sandbox.dataverse_literals import GUID, to_instant
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_rows import Link, Rows
from tagline.sandbox.dataverse_schema import (
    CHOICES,
    LOOKUPS,
    MONEY_PRECISION,
    MONEY_PRINTED,
    TEXTS,
    WHOLE,
    Column,
    Table,
)
from tagline.sandbox.wire import decode

BIND = "@odata.bind"
ROOT = re.compile(r"(?:https?://[^/]+)?(?:/api/data/v9\.[0-2])?/?")


def read_object(table: Table, body: bytes) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty object."""
    try:
        value = decode(body) if body.strip() else {}
    except ValueError:
        raise payload(table, "The stream is not readable: invalid JSON.") from None
    if not isinstance(value, dict):
        raise payload(table, "A node of type 'StartArray' was read; 'StartObject' was expected.")
    return value


def read_values(
    rows: Rows, table: Table, given: Mapping[str, Any], *, creating: bool, resolve: Resolve
) -> dict[str, Any]:
    """
    Turn a body into column values; None clears.

    Raises:
        Refusal: A name is unknown or read-only, a value has the wrong type, length or range, a bind leads nowhere.
    """
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name.endswith(BIND):
            column, link = _bound(rows, table, name.removesuffix(BIND), value, resolve)
            if link is not None or values.get(column.name) is None:
                values[column.name] = link
        elif "@" in name:
            continue  # other annotations say nothing about the row
        else:
            column = _named(table, name)
            values[column.name] = _checked(table, column, value)
        if not _is_taken(table, column, creating=creating):
            del values[column.name]
    return values


def _named(table: Table, name: str) -> Column:
    column = table.columns.get(name)
    if column is not None and column.type not in LOOKUPS:
        return column
    if name in table.by_wire:
        raise payload(
            table,
            "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
        )
    raise payload(
        table,
        f"The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{table.name}'. Make sure to only use "
        "property names that are defined by the type.",
    )


def _is_taken(table: Table, column: Column, *, creating: bool) -> bool:
    """Whether a value for the column is written; one that is not is passed over, or raises `Refusal`."""
    if column.create if creating else column.update:
        return True
    if column.name == table.primary_id:
        return True  # repeats the address; it cannot change anything
    if not quirks().read_only_is_refused:
        return False
    verb = "create" if creating else "update"
    raise payload(table, f"The property '{column.name}' is not valid for {verb}.")


def _bound(
    rows: Rows, table: Table, navigation: str, value: Any, resolve: Resolve
) -> tuple[Column, Link | None]:
    if navigation not in table.navigation:
        raise payload(
            table,
            f"An undeclared property '{navigation}' which only has property annotations in the payload but no property "
            "value was found in the payload. In OData, only declared navigation properties and declared named streams "
            "can be represented as properties without values.",
        )
    column, target = table.navigation[navigation]
    if value is None:
        return column, None
    if not isinstance(value, str):
        raise payload(table, f"The value of '{navigation}{BIND}' is no address.")
    address = parse_address(ROOT.sub("", resolve(value), count=1))
    if address.table.name not in (target, *(column.targets if column.type == "Owner" else ())):
        raise payload(
            table, f"The navigation property '{navigation}' expects '{target}', not '{address.table.name}'."
        )
    row_id = find_id(rows, address) if address.is_row else None
    if row_id is None:
        if address.id is not None:
            raise no_row(address.table, address.id, quirks().missing_bind_status)
        raise missing(address) if address.key else bad_uri(f"'{value}' addresses no row.")
    return column, (address.table.name, row_id)


def _checked(table: Table, column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.type in TEXTS:
        return _text(table, column, value)
    if column.type == "Boolean":
        if not isinstance(value, bool):
            raise _wrong(table, value, "Edm.Boolean")
        return value
    if column.type in CHOICES or column.type in WHOLE:
        return _whole(table, column, value)
    if column.type in ("Money", "Decimal", "Double"):
        return _number(table, column, value)
    if column.type == "Uniqueidentifier":
        if not isinstance(value, str) or GUID.fullmatch(value) is None:
            raise _wrong(table, value, "Edm.Guid")
        return value.lower()
    return _time(table, column, value)


def _text(table: Table, column: Column, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _wrong(table, value, "Edm.String")
    if column.max_length and len(value) > column.max_length:
        raise too_long(table, column.name, column.max_length)
    return value or None  # the database keeps an empty text as null


def _whole(table: Table, column: Column, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(table, value, "Edm.Int32")
    if column.options and value not in column.options:
        raise no_option(table, column.name)
    _in_range(table, column, value)
    return value


def _number(table: Table, column: Column, value: Any) -> Decimal:
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise _wrong(table, value, "Edm.Decimal")
    _in_range(table, column, value)
    return money(value) if column.type == "Money" else quantised(value, column.precision)


def _in_range(table: Table, column: Column, value: int | Decimal) -> None:
    below = column.min is not None and value < column.min
    if below or (column.max is not None and value > column.max):
        raise out_of_range(table, column.name, whole=column.type in WHOLE)


def _time(table: Table, column: Column, value: Any) -> str:
    kind = "Edm.Date" if column.type == "DateOnly" else "Edm.DateTimeOffset"
    try:
        instant = to_instant(value)
    except (TypeError, ValueError):
        raise _wrong(table, value, kind) from None
    if instant < quirks().earliest_time:
        raise Refusal(
            400,
            "0x80040203",
            f"DateTime is less than minimum value supported by CrmDateTime: '{column.name}'.",
        )
    if column.type != "DateOnly":
        return instant
    if len(value) > len("2026-11-25") and not quirks().date_only_takes_instants:
        raise _wrong(table, value, kind)
    return instant[:10]


def _wrong(table: Table, value: Any, expected: str) -> Refusal:
    return payload(table, f"Cannot convert the literal '{value}' to the expected type '{expected}'.")


def quantised(value: int | Decimal, places: int) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def money(value: int | Decimal) -> Decimal:
    """An amount in the currency's precision, carrying the decimals that are printed."""
    return quantised(quantised(value, MONEY_PRECISION), MONEY_PRINTED)
