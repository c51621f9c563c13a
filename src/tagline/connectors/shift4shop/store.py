"""One store as those who read and write it need it, and the addresses of its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from tagline.connectors.shift4shop.listing import Listing
from tagline.connectors.shift4shop.models import ShopModel
from tagline.connectors.shift4shop.models.product import lifted
from tagline.connectors.shift4shop.parse import whole_id
from tagline.connectors.shift4shop.resources import Resource
from tagline.connectors.shift4shop.wire import Wire


@dataclass(frozen=True)
class Store:
    """One store behind one connection."""

    name: str
    """The connection's, for errors."""
    wire: Wire
    zone: ZoneInfo
    currency: str
    orders: Listing = field(default_factory=Listing)
    """Its list of orders, with what is known of it."""


@dataclass(frozen=True)
class Address:
    """Where one record stands: its id, and its owner's where it has one."""

    own: str
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.owner}/{self.own}" if self.owner else self.own


def address_of(resource: Resource, text: object) -> Address | None:
    """The address in a record's key as text, for example `1042` or `1042/0`; None where it is none."""
    if not resource.owner:
        own = _own_id(resource, text)
        return None if own is None else Address(own)
    owner, slash, own_text = str(text).partition("/")
    return to_address(resource, owner, own_text) if slash else None


def to_address(resource: Resource, owner: object, own: object) -> Address | None:
    """The address of a record beneath an owner, by their ids as the shop tells them; None where one of them is none."""
    owner_id, own_id = whole_id(owner), _own_id(resource, own)
    return None if owner_id is None or own_id is None else Address(own_id, owner_id)


def address_in(resource: Resource, values: Mapping[str, Any]) -> Address | None:
    """
    The address that a key names by columns; None where it names none, as an alternate key does.

    Of what has an owner, the id alone is one too when it holds both, as the id of a row does.
    """
    if resource.owner and resource.owner in values:
        return to_address(resource, values[resource.owner], values.get(resource.id_column))
    if resource.id_column in values:
        return address_of(resource, values[resource.id_column])
    return None


def address_of_row(resource: Resource, row: Any, owner: str = "") -> Address | None:
    """The address of a row of a list; None where it names none and so cannot be asked for."""
    if not isinstance(row, Mapping):
        return None
    told = lifted(row).get(resource.id_column)
    return to_address(resource, owner, told) if resource.owner else address_of(resource, told)


def address_of_record(resource: Resource, record: ShopModel) -> Address | None:
    owner = getattr(record, resource.owner) if resource.owner else ""
    own = getattr(record, resource.id_column)
    return to_address(resource, owner, own) if resource.owner else address_of(resource, own)


def _own_id(resource: Resource, value: object) -> str | None:
    if resource.is_numbered:
        return whole_id(value, resource.least_id)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if text.isprintable() and 0 < len(text) <= MAX_CODE else None


MAX_CODE = 50
"""Characters of an id that is no number."""
