"""Bodies of writes to Finance: JSON to values of their fields' types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tagline.sandbox.dataverse_literals import GUID
from tagline.sandbox.finance_errors import FinanceRefusal, no_property, unreadable
from tagline.sandbox.finance_quirks import quirks
from tagline.sandbox.finance_schema import NAMESPACE, Entity
from tagline.sandbox.wire import decode

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,7})?)?(Z|[+-]\d\d:\d\d)")
_DECIMALS = 16
_BITS = {"Int32": 31, "Int64": 63}


def parse_body(entity: Entity, body: bytes) -> dict[str, Any]:
    """
    Read a body; annotations are passed over, null is the empty value.

    Raises:
        FinanceRefusal: It is no JSON object, names a field that is not there, or a value is of the wrong type.
    """
    try:
        given = decode(body)
    except (ValueError, RecursionError):
        raise unreadable("The body is not valid JSON.") from None
    if not isinstance(given, Mapping):
        raise unreadable("The body must be a JSON object.")
    values = {name: value for name, value in given.items() if "@" not in name}
    if wrong := [name for name in values if name not in entity.fields]:
        raise no_property(entity, wrong)
    return {name: _value(entity, name, value) for name, value in values.items()}


def _value(entity: Entity, name: str, value: Any) -> Any:
    kind = entity.fields[name]
    if value is None:
        return entity.empty[name]
    if entity.is_enum(name):
        members = entity.members(name)
        if not isinstance(value, str) or (members and value not in members):
            raise _unfit(value, f"{NAMESPACE}.{kind}")
        return value
    match kind, value:
        case "String", str():
            return value
        case "Decimal", Decimal() | int() if not isinstance(value, bool) and is_storable(Decimal(value)):
            return Decimal(value)
        case "Int32" | "Int64", int() if not isinstance(value, bool) and abs(value) < 1 << _BITS[kind]:
            return value
        case "DateTimeOffset", str() if _INSTANT.fullmatch(value):
            return _instant(name, value)
        case "Guid", str() if GUID.fullmatch(value):
            return value.lower()
    raise _unfit(value, f"Edm.{kind}")


def is_storable(number: Decimal) -> bool:
    """Whether a number fits, so that none that is computed or printed grows beyond reason."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_DECIMALS and number.adjusted() < quirks().whole_digits


def _instant(name: str, text: str) -> str:
    """A date keeps no time and travels as noon; a field whose name says so holds an instant."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unfit(text, "Edm.DateTimeOffset") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if name.endswith("DateTime") else f"{text[:10]}T12:00:00Z"


def _unfit(value: Any, kind: str) -> FinanceRefusal:
    return unreadable(f"Cannot convert the literal '{str(value)[:60]}' to the expected type '{kind}'.")
