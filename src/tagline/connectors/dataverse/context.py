"""What a webhook of Dataverse says, read out of the execution context that it posts.

Only three things are believed of a delivery: which table, which row and which operation; the row itself is read again.
Whatever else is there may be missing, be of another form, or be more than we know.

Source: reference/dataverse-api.md section 18.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dataverse.wire import is_guid
from tagline.connectors.odata.ticks import instant_of_ticks

MAX_BYTES: Final = 1 << 20
"""Of a body; the organisation leaves out most of what is beyond a quarter of it."""
MAX_DEPTH: Final = 64
"""Nested arrays and objects; each operation that caused another adds one and a context of its own inside."""
NO_ROW: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Told:
    """The news of one delivery."""

    message: str
    """For example `Update`."""
    entity: str
    row_id: str
    at: datetime | None
    """When it happened, where that can be read."""


def read_context(body: bytes, headers: Mapping[str, str]) -> Told:
    """
    The news of a delivery.

    Raises:
        ValueError: It is none; the message names what is wrong and no value.
    """
    if len(body) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    context = json_values.parse(body, MAX_DEPTH)
    if not isinstance(context, Mapping):
        raise ValueError("it is no JSON object")
    message = _text(context.get("MessageName")) or headers.get("x-ms-dynamics-request-name", "")
    entity = _text(context.get("PrimaryEntityName")) or headers.get("x-ms-dynamics-entity-name", "")
    if not message or not entity:
        raise ValueError("MessageName or PrimaryEntityName is missing")
    row_id = next(_ids(context), None)
    if row_id is None:
        raise ValueError("PrimaryEntityId is missing or no GUID")
    return Told(
        message, entity.lower(), row_id.lower(), instant_of_ticks(_text(context.get("OperationCreatedOn")))
    )


def _ids(context: Mapping[str, Any]) -> Iterator[str]:
    """Where the row's id can stand, in the order of trust."""
    target = _member(context.get("InputParameters"), "Target")
    of_target = target.get("Id") if isinstance(target, Mapping) else None
    made = _member(context.get("OutputParameters"), "id")
    for candidate in (context.get("PrimaryEntityId"), of_target, made):
        value = _unboxed(candidate)
        if isinstance(value, str) and is_guid(value) and value != NO_ROW:
            yield value


def _member(pairs: object, key: str) -> Any:
    """A value of a list of `{key, value}`."""
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, Mapping) and pair.get("key") == key:
            return pair.get("value")
    return None


def _unboxed(value: object) -> object:
    """A scalar, also where it travels as `{__type, __value}`."""
    return value["__value"] if isinstance(value, Mapping) and "__value" in value else value


def _text(value: object) -> str:
    found = _unboxed(value)
    return found if isinstance(found, str) else ""
