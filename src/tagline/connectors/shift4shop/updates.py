"""Writes to the shop before they are sent: which can be sent at all, which together, and their JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from tagline.connectors.shift4shop.models import ShopModel, SkuInfo
from tagline.connectors.shift4shop.parse import to_local, whole_id
from tagline.connectors.shift4shop.resources import Resource
from tagline.connectors.shift4shop.store import Address, address_in, address_of
from tagline.domain.exchange import Outcome, Write, WriteKind
from tagline.domain.model import columns
from tagline.errors import Disposition

BULK: Final = 100
"""Rows in one bulk request; the vendor states no limit, a production client uses this."""

_SAFE_NAMES: Final = {"ShipmentMethodName": re.compile(r"[A-Za-z0-9 .()-]*")}
"""What the shop takes in a column; it answers 400 to anything else. Source: reference/shift4shop-api.md section 5.2."""


def address_of_write(resource: Resource, write: Write) -> Address | None:
    """The record a write is about; None where it names none, as a create of what has no id yet."""
    if write.id:
        return address_of(resource, write.id)
    return address_in(resource, dict(write.key))


def chunks_of(places: Sequence[int], names: Sequence[object]) -> Iterator[list[int]]:
    """
    Places of writes that may share a request: few enough, and none of the same record.

    Args:
        names: What each of the places is about.
    """
    chunk: list[int] = []
    seen: set[object] = set()
    for place, name in zip(places, names, strict=True):
        if len(chunk) == BULK or name in seen:
            yield chunk
            chunk, seen = [], set()
        chunk.append(place)
        seen.add(name)
    if chunk:
        yield chunk


def update_body(resource: Resource, address: Address, write: Write, zone: ZoneInfo) -> dict[str, object]:
    """
    The JSON of an update; the shop leaves alone what is not named.

    A cleared field is sent as the shop's blank: what null does is not documented.
    """
    own: object = int(address.own) if resource.is_numbered else address.own
    return _nested(resource, {resource.id_column: own, **_sent(resource, write.fields, zone)})


def create_body(resource: Resource, write: Write, zone: ZoneInfo) -> dict[str, object]:
    """The JSON of a new record; what is blank is not named."""
    left_out = (resource.owner, resource.id_column)
    given = {n: v for n, v in write.fields.items() if v is not None and n not in left_out}
    return _nested(resource, _sent(resource, given, zone))


def _sent(resource: Resource, fields: Mapping[str, Any], zone: ZoneInfo) -> dict[str, object]:
    facts = resource.model.model_fields
    return {n: _json(_blank(facts[n].default) if v is None else v, zone) for n, v in fields.items()}


def _blank(default: object) -> object:
    """What stands for nothing in a column with this default."""
    return "" if default is None else default


def _json(value: Any, zone: ZoneInfo) -> object:
    if isinstance(value, datetime):
        return to_local(value, zone)
    if isinstance(value, ShopModel):
        return {n: _json(v, zone) for n, v in value.given().items() if v is not None}
    if isinstance(value, tuple | list):
        return [_json(each, zone) for each in value]
    return value


def _nested(resource: Resource, body: dict[str, object]) -> dict[str, object]:
    if not resource.nest:
        return body
    inner = {n: v for n, v in body.items() if n in SkuInfo.model_fields}
    return {resource.nest: inner, **{n: v for n, v in body.items() if n not in inner}}


def refusal_of(resource: Resource | None, write: Write) -> Outcome | None:
    """The outcome of a write that is not sent because the shop has no such thing."""
    if resource is None or not _can(resource, write.kind):
        reason = f"the Shift4Shop connector cannot {write.kind.value} a {write.model.__name__}"
    elif reason := _fixed(resource, write) or _unaddressed(resource, write):
        pass
    elif unsafe := [
        n for n, safe in _SAFE_NAMES.items() if not safe.fullmatch(str(write.fields.get(n) or ""))
    ]:
        return Outcome(
            Disposition.DEAD_LETTER,
            code="characters-refused",
            message=f"the shop does not take every character of {', '.join(unsafe)}",
            hint="leave letters, digits, spaces and . ( ) - alone in its rule, then redrive",
        )
    else:
        return None
    return Outcome(
        Disposition.DEAD_LETTER,
        code="not-supported",
        message=reason,
        hint=f"update only fields that the model {write.model.__name__} marks as updatable",
    )


def _can(resource: Resource, kind: WriteKind) -> bool:
    return {
        WriteKind.CREATE: resource.creates,
        WriteKind.UPDATE: resource.updates,
        WriteKind.DELETE: resource.deletes,
    }.get(kind, False)


def _fixed(resource: Resource, write: Write) -> str:
    """Why a field cannot be sent; empty when all of them can."""
    facts = columns(resource.model)
    if write.kind is WriteKind.CREATE:
        closed = [n for n in write.fields if n not in facts or not facts[n].create]
        verb = "be given to a new record"
    else:
        closed = [n for n in write.fields if n not in facts or not facts[n].update]
        verb = "be changed"
    noun = resource.model.remote.entity.lower()
    return f"the shop does not let {', '.join(closed)} of an {noun} {verb}" if closed else ""


def _unaddressed(resource: Resource, write: Write) -> str:
    """Why a write leads nowhere; empty when it does lead somewhere."""
    noun = resource.model.remote.entity.lower()
    if write.kind is not WriteKind.CREATE:
        named = address_of_write(resource, write)
        wanted = "+".join(filter(None, (resource.owner, resource.id_column)))
        return "" if named else f"a write of an {noun} names no {wanted}"
    if write.fields.get(resource.id_column) or resource.id_column in dict(write.key):
        return f"the shop gives {resource.id_column} itself: a new {noun} cannot have one of ours"
    if resource.owner and owner_of_create(resource, write) is None:
        return f"a new {noun} names no {resource.owner}"
    return ""


def owner_of_create(resource: Resource, write: Write) -> str | None:
    """Id of the record that a new one goes beneath; None where it names none, empty where there is no owner."""
    if not resource.owner:
        return ""
    return whole_id({**dict(write.key), **write.fields}.get(resource.owner))
