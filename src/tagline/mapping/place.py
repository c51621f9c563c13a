"""What a reading of the source knows about a value: where it stands in the sources, and what was read to make it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel


@dataclass(frozen=True)
class Place:
    """A path into a source, with the type that stands there."""

    path: str
    annotation: Any = field(compare=False)


@dataclass(frozen=True)
class Made:
    """A field of a record that is made in a mapping, with the rule that gives it."""

    name: str
    expression: str
    line: int
    value: Value


@dataclass(frozen=True)
class Value:
    """
    What an expression may yield.

    It can be several things at once: `a or b` stands at the places of both.
    """

    places: tuple[Place, ...] = ()
    """Where it stands in a source unchanged, so that attributes can still be followed."""
    read: tuple[str, ...] = ()
    """Paths that were read in making it."""
    element: Value | None = None
    """Of a list that is made here."""
    items: tuple[Value, ...] = ()
    """Of a tuple that is made here."""
    made: tuple[Made, ...] = ()
    """Of a record that is made here."""


NOTHING: Final = Value()
"""A constant, or whatever reads no source."""


def join(*values: Value) -> Value:
    """A value that may be any of these."""
    kept = [v for v in values if v != NOTHING]
    if len(kept) <= 1:
        return kept[0] if kept else NOTHING
    widths = {len(v.items) for v in kept if v.items}
    elements = [v.element for v in kept if v.element is not None]
    items: tuple[Value, ...] = ()
    if len(widths) == 1:
        items = tuple(join(*column) for column in zip(*(v.items for v in kept if v.items), strict=True))
    elif widths:
        elements += [i for v in kept for i in v.items]
    made: dict[str, Made] = {}
    for one in (m for v in kept for m in v.made):
        known = made.get(one.name)
        made[one.name] = (
            one if known is None else dataclasses.replace(known, value=join(known.value, one.value))
        )
    return Value(
        places=tuple(dict.fromkeys(p for v in kept for p in v.places)),
        read=tuple(dict.fromkeys(r for v in kept for r in v.read)),
        element=join(*elements) if elements else None,
        items=items,
        made=tuple(made.values()),
    )


def reading(*paths: str) -> Value:
    """A value made from what stands at these paths."""
    return Value(read=tuple(dict.fromkeys(paths)))


def whole(value: Value) -> tuple[str, ...]:
    """Every path that is read when the value is used up, records with all their fields."""
    paths = [*value.read, *(_deep(p.path, p.annotation) for p in value.places)]
    for inner in _inside(value):
        paths.extend(whole(inner))
    return tuple(dict.fromkeys(paths))


def shallow(value: Value) -> tuple[str, ...]:
    """The paths that are read when it is only asked whether the value is there, or how long it is."""
    return tuple(dict.fromkeys([*value.read, *(p.path for p in value.places)]))


def holds_record(value: Value) -> bool:
    """Whether a whole record, a list of them, or what may be one is within reach of whoever gets the value."""
    if any(p.annotation is Any or _deep(p.path, p.annotation).endswith("*") for p in value.places):
        return True
    return any(holds_record(inner) for inner in _inside(value))


def element(value: Value) -> Value:
    """What iterating over the value, or a subscript of it, yields."""
    found = [Value(read=value.read)]
    for place in value.places:
        kinds = alternatives(place.annotation)
        if place.annotation is Any:
            found.append(Value((Place(f"{place.path}[]", Any),), (place.path,)))
        for kind in kinds:
            item = item_type(kind)
            if item is None:
                found.append(reading(_deep(place.path, kind)))
            else:
                found.append(Value((Place(f"{place.path}[]", item),), (place.path,)))
    if value.element is not None:
        found.append(value.element)
    found.extend(value.items)
    if value.made:
        found.append(reading(*whole(Value(made=value.made))))
    return join(*found)


def _inside(value: Value) -> Iterable[Value]:
    if value.element is not None:
        yield value.element
    yield from value.items
    yield from (m.value for m in value.made)


def distinct(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths without those that another one says more exactly (`order` beside `order.City`) or includes (`order.*`)."""
    given = tuple(dict.fromkeys(paths))
    stars = [p.removesuffix("*") for p in given if p.endswith(".*")]
    return tuple(
        p
        for p in given
        if not any(q.startswith((f"{p}.", f"{p}[]")) for q in given)
        and not any(p.startswith(s) and p != f"{s}*" for s in stars)
    )


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types that an annotation allows, without None and without what only annotates them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(kind for arg in get_args(annotation) for kind in alternatives(arg))
    return () if annotation is NoneType else (annotation,)


def field_annotations(kind: Any) -> Mapping[str, Any] | None:
    """The fields of a record type with their annotations; None for what is no record."""
    if not isinstance(kind, type):
        return None
    if issubclass(kind, BaseModel):
        return {name: info.annotation for name, info in kind.model_fields.items()}
    if dataclasses.is_dataclass(kind) or getattr(kind, "_is_protocol", False) or hasattr(kind, "_fields"):
        try:
            return get_type_hints(kind)
        except NameError:
            return None
    return None


def is_mapping(kind: Any) -> bool:
    """Whether a type is a dictionary or a mapping."""
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Mapping)


def item_type(kind: Any) -> Any:
    """The type of what a list or mapping type holds; None for what holds nothing."""
    origin = get_origin(kind)
    if not isinstance(origin, type) or not issubclass(origin, Iterable):
        return None
    arguments = get_args(kind)
    if issubclass(origin, Mapping):
        return arguments[1]
    if issubclass(origin, list | tuple | AbstractSet) or len(arguments) == 1:
        return arguments[0]
    return None


def _deep(path: str, annotation: Any) -> str:
    for kind in alternatives(annotation):
        if field_annotations(kind) is not None:
            return f"{path}.*"
        item = item_type(kind)
        if item is not None and (inner := _deep(f"{path}[]", item)).endswith("*"):
            return inner
    return path
