"""
Values of models on Finance's wire, and the addresses and ids of rows.

Finance knows no null: a blank text, 0 and the first day of 1900 stand for nothing, so that a blank text and that day are read as None,
and None is sent as them. A row belongs to a company, which is part of every key and stands in no model.

Source: reference/dataverse-api.md section 17.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, get_args, get_origin
from urllib.parse import quote

from tagline.connectors.finance.entities import Entity
from tagline.connectors.finance.enums import EnumType
from tagline.connectors.odata.refusals import not_addressable, not_sendable, unexpected
from tagline.domain.model import Model, Ref, columns, ref_targets

ROOT: Final = "/data"
NAMESPACE: Final = "Microsoft.Dynamics.DataEntities"
COMPANY: Final = "dataAreaId"
CROSS: Final = "cross-company=true"
"""Stands in every address: without it Finance sees no company but the user's own default."""

NO_DATE: Final = date(1900, 1, 1)
NOON: Final = "T12:00:00Z"
"""How a day travels: at noon, so that no zone moves it to another. An assumption, as the first day of 1900 is."""


class Kind(Enum):
    """Types of columns."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    ENUM = "enum"
    DATE = "date"
    INSTANT = "instant"


EMPTY: Final[Mapping[Kind, object]] = {
    Kind.TEXT: "",
    Kind.WHOLE: 0,
    Kind.NUMBER: 0,
    Kind.DATE: f"{NO_DATE}{NOON}",
    Kind.INSTANT: f"{NO_DATE}{NOON}",
}
"""What clears a column; an enumeration has no empty member that is known."""

_KINDS: Final[Mapping[type, Kind]] = {
    str: Kind.TEXT,
    int: Kind.WHOLE,
    Decimal: Kind.NUMBER,
    date: Kind.DATE,
    datetime: Kind.INSTANT,
}
_PART: Final = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>'(?:[^']|'')*'|[^',]+)(?:,|$)")


@dataclass(frozen=True)
class WireField:
    """How one field of a model travels."""

    kind: Kind
    target: type[Model] | None = None
    """Of a reference, which travels as the number of the row."""
    enum: str = ""
    """Name of the enumeration."""
    is_local: bool = False


@lru_cache(maxsize=64)
def fields_of(model: type[Model]) -> Mapping[str, WireField]:
    """How the fields of a model travel, by name."""
    facts = columns(model)
    return MappingProxyType(
        {
            name: _field(info.annotation, is_local=facts[name].local)
            for name, info in model.model_fields.items()
        }
    )


def _field(annotation: Any, *, is_local: bool) -> WireField:
    targets = ref_targets(annotation)
    if targets:
        return WireField(Kind.TEXT, targets[0])
    (inner,) = (a for a in get_args(annotation) if a is not NoneType)
    if get_origin(inner) is Annotated:
        enum = next(m.name for m in inner.__metadata__ if isinstance(m, EnumType))
        return WireField(Kind.ENUM, enum=enum)
    return WireField(_KINDS[inner], is_local=is_local)


def named(entity: Entity, names: Sequence[str]) -> tuple[str, ...]:
    """The columns to ask for, so that these fields and the row's id can be told: those of the key first."""
    fields = fields_of(entity.model)
    return tuple(dict.fromkeys((*entity.key, *(n for n in names if not fields[n].is_local))))


def select(entity: Entity, names: Sequence[str]) -> str:
    return f"$select={','.join(named(entity, names))}"


def to_wire(entity: Entity, given: Mapping[str, Any]) -> dict[str, Any]:
    """
    The JSON members that set these fields; None clears.

    Raises:
        RecordError: A value has no form on the wire (code `value-not-sendable`).
    """
    fields = fields_of(entity.model)
    members: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            raise not_sendable(entity.model, name, "is no field of the model")
        if not fields[name].is_local:
            members[name] = _member(entity.model, name, value)
    return members


def from_wire(entity: Entity, row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """
    The values of these fields in a row that was read, the id of a row with a key of several columns included.

    Raises:
        RecordError: A column is missing, or is of another type than the model says (code `column-unexpected`).
    """
    fields = fields_of(entity.model)
    values: dict[str, Any] = {}
    for name in names:
        field = fields[name]
        if field.is_local:
            values[name] = row_id(entity, row)
            continue
        value = _read(entity.model, name, row)
        if field.target is not None:
            values[name] = Ref(field.target, ((field.target.remote.primary_id, value),)) if value else None
        else:
            values[name] = None if value == "" and name not in entity.key else value
    return values


def row_id(entity: Entity, row: Mapping[str, Any]) -> str:
    """
    The id of a row that was read: the value of its key, or `name=value` of each column of it, in their order.

    Raises:
        RecordError: As `from_wire`.
    """
    values = {name: _read(entity.model, name, row) for name in entity.key}
    if len(values) == 1:
        return str(next(iter(values.values())))
    return ",".join(f"{name}={literal(entity.model, name, value)}" for name, value in values.items())


def key_of_id(entity: Entity, text: str) -> dict[str, Any]:
    """
    The columns of the key that an id is made of.

    Raises:
        RecordError: It is no id of this entity (code `key-not-addressable`).
    """
    found = {entity.key[0]: text} if len(entity.key) == 1 else dict(_parts(text))
    try:
        if tuple(found) == entity.key:
            return {
                name: _of_text(fields_of(entity.model)[name].kind, value) for name, value in found.items()
            }
    except (ValueError, ArithmeticError):
        pass
    raise not_addressable(entity.model, entity.model.remote.primary_id, "is no id of such a row")


def address(entity: Entity, company: str, key: Mapping[str, Any]) -> str:
    """
    The path of a row, every column of its key in it, percent-encoded.

    Raises:
        RecordError: A value cannot stand in an address (code `key-not-addressable`).
    """
    first = key[entity.key[0]]
    if first is None or first == "":
        raise not_addressable(entity.model, entity.key[0], "is blank")
    parts = [f"{COMPANY}={_quoted(company)}"] if entity.has_company else []
    parts += [f"{name}={literal(entity.model, name, key[name])}" for name in entity.key]
    return f"{ROOT}/{entity.model.remote.collection}({quote(','.join(parts), safe=_PLAIN)})"


_PLAIN: Final = "=,'"


def condition(entity: Entity, company: str, wanted: Mapping[str, Any]) -> str:
    """
    The filter for rows of the company whose columns have these values; percent-encoded, `$filter=` included.

    Raises:
        RecordError: All values are blank, or one cannot stand in a filter (code `key-not-addressable`).
    """
    if wanted and all(value is None or value == "" for value in wanted.values()):
        raise not_addressable(entity.model, "+".join(wanted), "is blank")
    tests = [f"{name} eq {_comparable(entity.model, name, value)}" for name, value in wanted.items()]
    return filtered(entity, company, tests)


def since(entity: Entity, company: str, name: str, start: datetime) -> str:
    """The filter for rows of the company whose time or day is not before this one."""
    kind = fields_of(entity.model)[name].kind if name in fields_of(entity.model) else Kind.INSTANT
    # A day stands for its noon, so that the day of `start` is in.
    text = f"{start.astimezone(UTC).date()}T00:00:00Z" if kind is Kind.DATE else to_text(start)
    return filtered(entity, company, [f"{name} ge {text}"])


def within(entity: Entity, company: str, name: str, start: datetime | None, end: datetime | None) -> str:
    """The filter for rows of the company from `start` on and before `end`; None leaves an end open."""
    tests = [f"{name} {word} {to_text(at)}" for word, at in (("ge", start), ("lt", end)) if at is not None]
    return filtered(entity, company, tests)


def of_company(entity: Entity, company: str) -> str:
    """The filter for all rows of the company; empty where it has none."""
    return filtered(entity, company, [])


def to_text(value: datetime) -> str:
    """An aware time as Finance writes it: UTC, in whole seconds."""
    return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def filtered(entity: Entity, company: str, tests: Sequence[str]) -> str:
    """The filter for rows of the company that pass all tests; percent-encoded, `$filter=` included, empty where there is none."""
    own = [f"{COMPANY} eq {_quoted(company)}"] if entity.has_company else []
    return f"$filter={quote(' and '.join((*own, *tests)), safe=_PLAIN)}" if own or tests else ""


def _comparable(model: type[Model], name: str, value: object) -> str:
    if isinstance(value, str) and "*" in value:
        raise not_addressable(model, name, "holds a *, which Finance takes for any text")
    return literal(model, name, value)


def literal(model: type[Model], name: str, value: object) -> str:
    """A value as OData writes it in an address, a filter or an id; not yet percent-encoded."""
    if name not in fields_of(model):
        raise not_addressable(model, name, "is no field of the model")
    field = fields_of(model)[name]
    if isinstance(value, Ref):
        value = _number_of(value)
    match field.kind, value:
        case Kind.TEXT, str():
            return _quoted(value)
        case Kind.ENUM, str():
            return f"{NAMESPACE}.{field.enum}{_quoted(value)}"
        case Kind.WHOLE, int() if not isinstance(value, bool):
            return str(value)
        case Kind.NUMBER, int() | Decimal() if not isinstance(value, bool) and Decimal(value).is_finite():
            return canonical(Decimal(value))
        case Kind.INSTANT, datetime() if value.tzinfo is not None:
            return to_text(value)
        case Kind.DATE, date() if not isinstance(value, datetime):
            return f"{value}{NOON}"
    raise not_addressable(model, name, "is missing or of another type than the model says")


def canonical(number: Decimal) -> str:
    """A finite number without exponent and trailing zeros, so that equal ones are written alike."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _number_of(reference: Ref[Any]) -> object:
    """What a reference by id travels as; None, which has no form, where it is by another key."""
    ((name, value),) = reference.key if len(reference.key) == 1 else ((("", None)),)
    return value if name == reference.model.remote.primary_id else None


def _member(model: type[Model], name: str, value: object) -> object:
    field = fields_of(model)[name]
    if value is None:
        if field.kind not in EMPTY:
            raise not_sendable(model, name, "is an enumeration, which is never empty")
        return EMPTY[field.kind]
    if isinstance(value, Ref):
        value = _number_of(value)
    match field.kind, value:
        case ((Kind.TEXT | Kind.ENUM), str()):
            return value
        case Kind.WHOLE, int() if not isinstance(value, bool):
            return value
        case Kind.NUMBER, int() | Decimal() if not isinstance(value, bool) and Decimal(value).is_finite():
            return value
        case Kind.INSTANT, datetime() if value.tzinfo is not None:
            return to_text(value)
        case Kind.DATE, date() if not isinstance(value, datetime):
            return f"{value}{NOON}"
    raise not_sendable(model, name, f"is a {type(value).__name__} of no form that its column takes")


def _read(model: type[Model], name: str, row: Mapping[str, Any]) -> Any:
    """A plain value; a reference is still the text of its number."""
    kind = fields_of(model)[name].kind
    value = row.get(name, row)
    try:
        match kind, value:
            case ((Kind.TEXT | Kind.ENUM), (str() | None)):
                return value
            case Kind.WHOLE, int() if not isinstance(value, bool):
                return value
            case Kind.NUMBER, int() | Decimal() if not isinstance(value, bool):
                return Decimal(value)
            case ((Kind.DATE | Kind.INSTANT), (str() | None)):
                return None if value is None else _time(kind, value)
    except (ValueError, OverflowError):
        pass
    raise unexpected(model, name)


def _time(kind: Kind, text: str) -> date | datetime | None:
    instant = datetime.fromisoformat(text)
    instant = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    if instant.date() == NO_DATE:
        return None
    return instant.date() if kind is Kind.DATE else instant


def _parts(text: str) -> Iterator[tuple[str, str]]:
    end = 0
    for found in _PART.finditer(text):
        if found.start() != end:
            return
        end = found.end()
        yield found["name"], found["value"]
    if end != len(text) or text.endswith(","):
        yield "", ""


def _of_text(kind: Kind, text: str) -> object:
    """A value of a key, out of an id."""
    if kind is Kind.WHOLE:
        return int(text)
    if kind is Kind.NUMBER:
        return Decimal(text)
    if kind is Kind.DATE:
        return date.fromisoformat(text.removesuffix(NOON))
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    return text
