"""Values of models on Dataverse's wire, and the addresses of rows.

Source: reference/dataverse-api.md sections 4, 7.1 and 7.2; navigation names: reference/dataverse-metadata/_navigation.json.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, get_args
from urllib.parse import quote

from tagline.connectors.odata.refusals import not_addressable, not_sendable, unexpected
from tagline.domain.exchange import Key
from tagline.domain.model import Model, Ref, columns, ref_targets

ROOT: Final = "/api/data/v9.2"

LOOKUP_ANNOTATION: Final = "Microsoft.Dynamics.CRM.lookuplogicalname"

CUSTOMER_LOOKUPS: Final = frozenset({"customerid", "parentcustomerid"})
"""Lookups of type Customer: their navigation property carries the target's name, however many our model allows."""

NAVIGATION: Final[Mapping[tuple[str, str], str]] = {
    ("msdyn_productinventory", "msdyn_product"): "msdyn_Product",
    ("msdyn_productinventory", "msdyn_unit"): "msdyn_Unit",
    ("msdyn_productinventory", "msdyn_warehouse"): "msdyn_Warehouse",
    ("msdyn_inventoryonhandrequest", "msdyn_product"): "msdyn_Product",
    ("msdyn_inventoryonhandrequest", "msdyn_inventorywarehouse"): "msdyn_InventoryWarehouse",
    ("msdyn_purchaseorder", "msdyn_vendor"): "msdyn_Vendor",
    ("msdyn_purchaseorder", "msdyn_receivetowarehouse"): "msdyn_ReceiveToWarehouse",
}
"""
Navigation properties that are not called like their column. An assumption: lookups that a solution brought carry the name
that their maker wrote, capitals included, and only an organisation's own metadata is sure of it.

Source: reference/dataverse-api.md section 16 and 21, 8.
"""

UNADDRESSABLE: Final = frozenset("/<>*%&:\\?+")
"""
Characters that keep a value of a key out of an address, encoded or not. A row with such a key is found by a filter and
made by a POST.

Source: reference/dataverse-api.md section 7.1.
"""

WILDCARDS: Final = frozenset("%_[]^")
"""
What a filter may take for a pattern, so that what it finds is compared once more. Whether `eq` does is an assumption.

Source: reference/dataverse-api.md section 5.
"""

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class WireField:
    """How one field of a model travels."""

    select: str
    """Its name when it is read."""
    targets: tuple[type[Model], ...]
    """Of a lookup; empty for plain values."""
    kinds: tuple[type, ...]
    """Types of a plain value."""
    max_length: int | None = None
    """Of a text."""


@lru_cache(maxsize=256)
def fields_of(model: type[Model]) -> Mapping[str, WireField]:
    """How the fields of a model travel, by name."""
    found, facts = {}, columns(model)
    for name, info in model.model_fields.items():
        targets = ref_targets(info.annotation)
        found[name] = WireField(
            select=f"_{name}_value" if targets else name,
            targets=targets,
            kinds=tuple(k for k in get_args(info.annotation) or (info.annotation,) if isinstance(k, type)),
            max_length=facts[name].max_length,
        )
    return MappingProxyType(found)


def is_guid(value: object) -> bool:
    return isinstance(value, str) and _GUID.fullmatch(value) is not None


def select(model: type[Model], names: Sequence[str]) -> str:
    """The value of `$select` for these fields, the primary id first."""
    fields = fields_of(model)
    wanted = [model.remote.primary_id, *(fields[n].select for n in names)]
    return ",".join(dict.fromkeys(wanted))


def address(model: type[Model], key: Key) -> str:
    """
    The address of a row, relative to the API's root and percent-encoded.

    Raises:
        RecordError: A value of the key cannot stand in an address (code `key-not-addressable`).
    """
    remote = model.remote
    if len(key) == 1 and key[0][0] == remote.primary_id:
        if not is_guid(key[0][1]):
            raise not_addressable(model, remote.primary_id, "is no GUID")
        return f"{remote.collection}({key[0][1]})"
    if not is_addressable(model, key):
        raise not_addressable(
            model, "+".join(n for n, _ in key), "holds a character that no address can carry"
        )
    return f"{remote.collection}({','.join(_key_part(model, n, v) for n, v in key)})"


def is_addressable(model: type[Model], key: Key) -> bool:
    """Whether a row can be addressed by the key, as far as characters go."""
    texts = [value for name, value in key if isinstance(value, str) and name != model.remote.primary_id]
    return not any(UNADDRESSABLE & set(text) for text in texts)


def condition(model: type[Model], key: Key) -> str:
    """
    A percent-encoded filter that finds the row of a key, whatever characters it holds.

    Raises:
        RecordError: A value of the key is of no type that keys can have (code `key-not-addressable`).
    """
    return "%20and%20".join(_key_part(model, name, value).replace("=", "%20eq%20", 1) for name, value in key)


def is_of_key(row: Mapping[str, Any], key: Key) -> bool:
    """Whether a row that a filter by the key found is not another one, that a pattern matched."""
    patterns = [(name, text) for name, text in key if isinstance(text, str) and WILDCARDS & set(text)]
    # The organisation compares texts without regard to case and trailing blanks.
    return all(str(row.get(name)).rstrip(" ").lower() == text.rstrip(" ").lower() for name, text in patterns)


def to_wire(model: type[Model], given: Mapping[str, Any]) -> dict[str, Any]:
    """
    The JSON members that set these fields; None clears.

    Raises:
        RecordError: A value has no form on the wire (code `value-not-sendable`).
    """
    members: dict[str, Any] = {}
    for name, value in given.items():
        field = fields_of(model).get(name)
        if field is None:
            raise not_sendable(model, name, "is no field of the model")
        if field.targets:
            members |= _bind(model, name, field, value)
        else:
            members[name] = _plain(model, name, value)
    return members


def from_wire(model: type[Model], row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """
    The values of these fields in a row that was read.

    Raises:
        RecordError: A value is of another type than the model says (code `column-unexpected`).
    """
    values: dict[str, Any] = {}
    for name in names:
        field = fields_of(model)[name]
        value = row.get(field.select)
        try:
            values[name] = _ref(field, value, row) if field.targets else _read(field, value)
        except (ValueError, TypeError, OverflowError):
            raise unexpected(model, name) from None
    return values


def to_text(value: datetime) -> str:
    """An aware time as the remote writes it: UTC, in whole seconds."""
    return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _key_part(model: type[Model], name: str, value: object) -> str:
    if isinstance(value, Ref):
        if len(value.key) != 1 or not is_guid(value.key[0][1]):
            raise not_addressable(model, name, "refers to a row by another key than its id")
        return f"_{name}_value={value.key[0][1]}"
    if isinstance(value, bool) or value is None or value == "":
        raise not_addressable(model, name, "is blank or of no type that keys can have")
    if isinstance(value, str):
        known = fields_of(model).get(name)
        if known and known.max_length and len(value) > known.max_length:
            raise not_addressable(model, name, "is longer than its column")
        doubled = value.replace("'", "''")
        try:
            return f"{name}='{quote(doubled, safe='')}'"
        except UnicodeEncodeError:
            raise not_addressable(model, name, "holds half a character") from None
    if isinstance(value, int):
        return f"{name}={value}"
    if isinstance(value, Decimal):
        return f"{name}={value:f}"
    if isinstance(value, datetime):
        return f"{name}={quote(to_text(value), safe='')}"
    raise not_addressable(model, name, "is of no type that keys can have")


def _bind(model: type[Model], name: str, field: WireField, value: object) -> dict[str, Any]:
    if value is None:
        # Clearing one of a lookup's navigation properties clears the lookup.
        return {f"{navigation(model, name, field.targets[0])}@odata.bind": None}
    if not isinstance(value, Ref):
        raise not_sendable(model, name, "is no reference")
    return {f"{navigation(model, name, value.model)}@odata.bind": f"/{address(value.model, value.key)}"}


def navigation(model: type[Model], name: str, target: type[Model]) -> str:
    """The property that binds a lookup to a row of this table."""
    several = len(fields_of(model)[name].targets) > 1 or name in CUSTOMER_LOOKUPS
    known = NAVIGATION.get((model.remote.entity, name), name)
    return f"{known}_{target.remote.entity}" if several else known


def _plain(model: type[Model], name: str, value: object) -> object:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise not_sendable(model, name, "is a time without a zone")
        return to_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal) and not value.is_finite():
        raise not_sendable(model, name, "is not finite")
    if value is None or isinstance(value, bool | int | str | Decimal):
        return value
    raise not_sendable(model, name, f"is a {type(value).__name__}")


def _ref(field: WireField, value: object, row: Mapping[str, Any]) -> Ref[Model] | None:
    if value is None:
        return None
    if not is_guid(value):
        raise ValueError("no GUID")
    entity = row.get(f"{field.select}@{LOOKUP_ANNOTATION}")
    # A row of a table that the model does not allow is still another row than any it allows: its id differs.
    target = next((t for t in field.targets if t.remote.entity == entity), field.targets[0])
    return Ref(target, ((target.remote.primary_id, value),))


def _read(field: WireField, value: object) -> object:
    if value is None:
        return None
    if Decimal in field.kinds:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise TypeError("no number")
        return Decimal(value)
    if datetime in field.kinds:
        return _to_instant(value)
    if date in field.kinds:
        return date.fromisoformat(str(value))
    if int in field.kinds and isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    if type(value) not in field.kinds:
        raise TypeError("another type")
    return value


def _to_instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError("no text")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("no zone")
    return instant.astimezone(UTC)
