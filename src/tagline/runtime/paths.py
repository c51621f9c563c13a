"""Fields of a source record by their path, such as `OrderItemList.0.ItemID`: checked against the model, read and replaced."""

from __future__ import annotations

import difflib
import types
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from tagline.domain.model import Model, columns
from tagline.errors import UsageError


def parsed(model: type[Model], path: str, text: str) -> Any:
    """
    A value that a person typed, as the type of the field that `path` names; empty text in an optional field clears it.

    Raises:
        UsageError: The model has no such field (`override-path-unknown`), or the text is none of its values
            (`override-value-invalid`); the message tells the reason and never the value.
    """
    annotation = field_at(model, path)
    try:
        return _zoned(checked(annotation, text))
    except ValueError as error:
        if not text and type(None) in _members(annotation):
            return None
        raise UsageError(
            f"the value for {path} does not fit: {error}",
            code="override-value-invalid",
            where={"field": path, "model": model.__name__},
            hint="write it as the source would, for example 12.50, true or 2026-03-01T12:00:00Z",
        ) from None


def checked(annotation: Any, value: Any) -> Any:
    """
    The value as that type.

    Raises:
        ValueError: It is none; says why, without the value.
    """
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        raise ValueError("; ".join(dict.fromkeys(each["msg"] for each in error.errors()))) from None


def field_at(model: type[Model], path: str) -> Any:
    """
    The type of the field that a path leads to, with its marks.

    Raises:
        UsageError: There is none, or it is a whole record or list (`override-path-unknown`).
    """
    here: Any = model
    walked: list[str] = []
    for step in path.split("."):
        known = _record(here)
        element = _element(here)
        if known is not None:
            if step not in known.model_fields:
                raise _unknown(model, path, step, walked, list(known.model_fields))
            info = known.model_fields[step]
            if columns(known)[step].secret:
                raise _unknown(model, path, step, walked, [])
            here = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        elif element is not None and step.isdecimal():
            here = element
        else:
            raise _unknown(model, path, step, walked, ["0", "1"] if element is not None else [])
        walked.append(step)
    if _record(here) is not None or _element(here) is not None:
        raise UsageError(
            f"{path} is not one field of {model.__name__}, it holds several",
            code="override-path-unknown",
            where={"field": path, "model": model.__name__},
            hint=f"go on to a field in it, such as {path}.{_example(here)}",
        )
    return here


def replaced(record: Model, path: str, value: Any) -> Model:
    """
    The record with another value at a path.

    Raises:
        ValueError: The record has no such place, or the value does not fit; says why, without the value.
    """
    made: Model = _replaced(record, path.split("."), checked(_typed_at(type(record), path), value))
    return made


def _zoned(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("it has no zone")
    return value


def _typed_at(model: type[Model], path: str) -> Any:
    try:
        return field_at(model, path)
    except UsageError as error:
        raise ValueError(error.message) from None


def _replaced(here: Any, steps: Sequence[str], value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(here, Model):
        inner = _replaced(getattr(here, step), rest, value)
        return here.model_copy(update={step: inner})
    if here is None:
        raise ValueError(f"there is nothing above {'.'.join(steps)}")
    at = int(step)
    if at >= len(here):
        raise ValueError(f"its list has {len(here)} elements and none of number {at}, counted from 0")
    items = list(here)
    items[at] = _replaced(items[at], rest, value)
    return type(here)(items)


def _record(annotation: Any) -> type[Model] | None:
    for each in _members(annotation):
        if isinstance(each, type) and issubclass(each, Model):
            return each
    return None


def _element(annotation: Any) -> Any:
    for each in _members(annotation):
        if get_origin(each) in (list, tuple):
            return get_args(each)[0]
    return None


def _members(annotation: Any) -> tuple[Any, ...]:
    """What an annotation may be, without its marks."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(inner for each in get_args(annotation) for inner in _members(each))
    return (annotation,)


def _example(annotation: Any) -> str:
    known = _record(annotation)
    if known is not None:
        return next(iter(known.model_fields))
    element = _record(_element(annotation))
    return f"0.{next(iter(element.model_fields))}" if element is not None else "0"


def _unknown(model: type[Model], path: str, step: str, walked: Sequence[str], names: list[str]) -> UsageError:
    above = ".".join(walked) or model.__name__
    near = difflib.get_close_matches(step, names, 1, 0.5) or names[:1]
    if near:
        hint = f"did you mean {'.'.join([*walked, near[0]])}?"
    else:
        hint = f"{above} has no fields that can be overridden"
    return UsageError(
        f"{path} is no field of {model.__name__}: {above} has no {step!r}",
        code="override-path-unknown",
        where={"field": path, "model": model.__name__},
        hint=hint,
    )
