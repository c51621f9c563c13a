"""
The form of a record: its fields in the order they are printed, with types and lengths.

A record is written by merging what was sent into what stands; creating one merges into a blank one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tagline.sandbox.shop_fields import CARD_VERIFICATION, STATUSES, ZERO, Record
from tagline.sandbox.shop_quirks import ShopQuirks

BLANKS: Final[Mapping[str, Any]] = {"i": 0, "d": ZERO, "s": "", "t": "", "b": False, "[]": (), "{}": {}}
TRACKING_WIDTH = 50
"""Stored tracking codes come back padded with spaces to this length."""
WRITTEN_TIMES = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")
"""Forms of a time that a client may send. Source: 3dcart notes, section 4."""
TRUE = (True, 1, "1", "true", "True")
_METHOD_NAME = re.compile(r"[A-Za-z0-9 .()\-]*")
_KIND = re.compile(r"(i|d|s|t|b|\[\]|\{\})(\d*)(\??)(!?)")
_LONE = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON can spell and UTF-8 cannot."""
Number = Callable[[str], int]
"""Gives the next number of a key field."""


class UnfitError(ValueError):
    """What was sent cannot be taken; the text is the result's message."""


@dataclass(frozen=True)
class Shape:
    """A kind of record."""

    name: str
    """What one is called in XML."""
    key: str
    """The field that tells one from another, empty when there is none."""
    kinds: Mapping[str, str]
    """`i` integer, `d` double, `s` text, `t` time, `b` boolean, `[]` list, `{}` object; in printing order."""
    blanks: Mapping[str, Any] = field(repr=False)
    lengths: Mapping[str, int] = field(repr=False, default_factory=dict)
    computed: frozenset[str] = frozenset()
    """Fields that the shop fills in itself and takes from nobody."""
    parts: Mapping[str, Shape] = field(repr=False, default_factory=dict)
    """Shapes inside the lists and objects."""

    def fresh(self) -> Record:
        """A blank record; its lists and objects are its own."""
        return {name: self.blank(name) for name in self.kinds}

    def blank(self, name: str) -> Any:
        match self.kinds[name]:
            case "[]":
                return []
            case "{}":
                return self.parts[name].fresh() if name in self.parts else {}
        return self.blanks[name]


def shape(name: str, key: str, table: str, **parts: Shape) -> Shape:
    """
    Read a shape from a table in the manner of the vendor's own: `CatalogID i!, SKU s255, UserID s?`.

    Args:
        table: Field and kind, with the length of a text, `?` when the blank is null, `!` when the shop fills it in.
        parts: Shapes of lists and objects by field.
    """
    kinds, blanks, lengths, computed = {}, {}, {}, set()
    for entry in table.split(","):
        field_name, notation = entry.split()
        found = _KIND.fullmatch(notation)
        if found is None:
            raise ValueError(f"{entry.strip()} is no field")
        kind, length, nullable, filled = found.groups()
        kinds[field_name] = kind
        blanks[field_name] = None if nullable else BLANKS[kind]
        if length:
            lengths[field_name] = int(length)
        if filled:
            computed.add(field_name)
    return Shape(name, key, kinds, blanks, lengths, frozenset(computed), parts)


def shape_of(
    name: str,
    key: str,
    template: Mapping[str, Any],
    *,
    lengths: Mapping[str, int],
    computed: str,
    times: str = "",
    **parts: Shape,
) -> Shape:
    """A shape from blank values; `computed` and `times` name fields, separated by spaces."""
    by_type = {bool: "b", int: "i", Decimal: "d", str: "s", tuple: "[]"}
    kinds = {n: "t" if n in times.split() else by_type[type(v)] for n, v in template.items()}
    return Shape(name, key, kinds, template, lengths, frozenset(computed.split()), parts)


def by_name(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Names are matched without regard to case."""
    return {name.lower(): value for name, value in sent.items()}


def whole(sent: Mapping[str, Any], name: str) -> int:
    """
    A number of a body, 0 when it is absent.

    Raises:
        UnfitError: It is none.
    """
    value = by_name(sent).get(name.lower())
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        raise UnfitError(f"{name} is not a number") from None


def merged(shape: Shape, record: Record, sent: Any, quirks: ShopQuirks) -> Record:
    """
    The record with the sent fields; the one given is left as it is, fields without a name here are passed over.

    Raises:
        UnfitError: A value does not fit its field.
    """
    return _take(shape, record, sent, quirks, None)


def created(shape: Shape, sent: Any, quirks: ShopQuirks, number: Number) -> Record:
    """
    A new record with the sent fields, numbered like its parts where the shop does that.

    Raises:
        UnfitError: A value does not fit its field.
    """
    made = _take(shape, shape.fresh(), sent, quirks, number)
    if shape.key in shape.computed:
        made[shape.key] = number(shape.key)
    return made


def _take(shape: Shape, record: Record, sent: Any, quirks: ShopQuirks, number: Number | None) -> Record:
    if not isinstance(sent, Mapping):
        raise UnfitError(f"{shape.name} is not an object")
    after, given = dict(record), by_name(sent)
    for name in shape.kinds:
        if name in shape.computed or name.lower() not in given:
            continue
        if number is None and name == shape.key:
            continue
        value = given[name.lower()]
        if value is None:
            if number is None and not quirks.null_on_put_keeps:
                after[name] = shape.blank(name)
            continue
        after[name] = _taken(shape, name, record[name], value, quirks, number)
    return after


def _taken(
    shape: Shape, name: str, standing: Any, value: Any, quirks: ShopQuirks, number: Number | None
) -> Any:
    kind, part = shape.kinds[name], shape.parts.get(name)
    if kind == "{}":
        return standing if part is None else _take(part, standing, value, quirks, number)
    if kind == "[]":
        if not isinstance(value, list):
            raise UnfitError(f"{name} is not a list")
        return standing if part is None else _children(part, standing, value, quirks, number)
    return _fitted(shape, name, value, quirks)


def _children(
    part: Shape, standing: list[Record], sent: list[Any], quirks: ShopQuirks, number: Number | None
) -> list[Record]:
    """Those with a known key are merged; of the others only the ones that the shop need not number are added."""
    if number is not None:
        return [created(part, child, quirks, number) for child in sent]
    after = {str(child[part.key]): child for child in standing}
    for child in sent:
        if not isinstance(child, Mapping):
            raise UnfitError(f"{part.name} is not an object")
        key = str(by_name(child).get(part.key.lower()) or 0)
        if key in after:
            after[key] = merged(part, after[key], child, quirks)
        elif part.key not in part.computed:
            after[key] = created(part, child, quirks, lambda _: 0)
    return list(after.values())


def _fitted(shape: Shape, name: str, value: Any, quirks: ShopQuirks) -> Any:
    """The value in its field's type; numbers may come as text, booleans as numbers."""
    kind = shape.kinds[name]
    if kind == "b":
        return value in TRUE
    if kind in "id":
        return _number(name, kind, value)
    if not isinstance(value, str | int | Decimal):
        raise UnfitError(f"{name} is not text")
    return _time(name, str(value)) if kind == "t" else _text(shape, name, str(value), quirks)


def _number(name: str, kind: str, value: Any) -> int | Decimal:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise UnfitError(f"{name} is not a number") from None
    if not number.is_finite() or number.adjusted() > 15:
        raise UnfitError(f"{name} is not a number")
    if kind == "d":
        return number
    if number != int(number):
        raise UnfitError(f"{name} is not a whole number")
    if name in ("OrderStatusID", "ShipmentOrderStatus") and int(number) not in STATUSES:
        raise UnfitError(f"{name} is not a status")
    return int(number)


def _time(name: str, value: str) -> str:
    if not value.strip():
        return ""
    for form in WRITTEN_TIMES:
        try:
            return datetime.strptime(value.strip(), form).isoformat()  # noqa: DTZ007 - store-local by definition
        except ValueError:
            continue
    raise UnfitError(f"{name} is not a date")


def _text(shape: Shape, name: str, value: str, quirks: ShopQuirks) -> str:
    if _LONE.search(value) is not None:
        raise UnfitError(f"{name} is not text")
    longest = shape.lengths.get(name, len(value))
    if quirks.overlong_text_is_refused and len(value) > longest:
        raise UnfitError(f"{name} is longer than {longest}")
    if name == "ShipmentMethodName" and _METHOD_NAME.fullmatch(value) is None:
        raise UnfitError("ShipmentMethodName holds characters that are not allowed")
    if name == "ShipmentTrackingCode" and value.strip():
        return value.strip().ljust(TRACKING_WIDTH)
    if name == "CardNumber" and value.strip():
        return f"XXXX-XXXX-XXXX-{value.strip()[-4:]}"
    if name == "CardVerification" and value.strip():
        return CARD_VERIFICATION
    return value[:longest]
