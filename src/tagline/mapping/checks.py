"""What a mapping's rules must agree on with its target, checked when the mapping is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import FunctionType
from typing import Any

from tagline.domain.model import Model, columns, ref, ref_targets
from tagline.errors import UsageError
from tagline.mapping.failure import refusals
from tagline.mapping.shape import Shape
from tagline.mapping.syntax import names_of, resolve


def check_fields(
    shape: Shape, function: FunctionType, *, update: bool, problems: Sequence[tuple[int, str]]
) -> None:
    """
    Hold the rules to the target's columns; everything that is wrong is said at once.

    Args:
        shape: The mapping as it is written.
        function: The same, as an object: its names lead to the models that `ref` points to.
        update: The mapping changes rows that exist and creates none.
        problems: What reading the sources found wrong already, by line.

    Raises:
        UsageError: A rule names no column or one that cannot be written, or gives a constant that its column does not
            take; a required column has no rule; a source field or a key does not exist (code `mapping-fields`).
    """
    outside = names_of(function)
    found = [
        *_wrong_rules(shape, update=update),
        *_missing_rules(shape, update=update),
        *problems,
        *_wrong_refs(shape, outside),
        *_wrong_constants(shape),
    ]
    if found:
        listed = "; ".join(dict.fromkeys(f"line {line}: {what}" for line, what in found))
        raise UsageError(
            f"{shape.file}:{shape.line}: mapping {shape.name} to {shape.target.__name__}: {listed}",
            code="mapping-fields",
            where={"mapping": shape.name, "file": shape.file, "line": str(shape.line)},
            hint=f"correct the rules named; the columns stand in {shape.target.__name__}",
        )


def _wrong_rules(shape: Shape, *, update: bool) -> Iterator[tuple[int, str]]:
    known, address = columns(shape.target), _address(shape.target)
    for keyword in shape.keywords:
        name = str(keyword.arg)
        column = known.get(name)
        if column is None:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield keyword.lineno, f"{shape.target.__name__} has no field {name}{hint}"
        elif name in address:
            continue  # it says which row is meant, whether or not it can be changed
        elif not column.create and not column.update:
            yield keyword.lineno, f"{name} is read-only: the remote computes it; remove the rule"
        elif update and not column.update:
            yield keyword.lineno, f"{name} cannot be changed on a row that exists; remove the rule"


def _missing_rules(shape: Shape, *, update: bool) -> Iterator[tuple[int, str]]:
    given = {keyword.arg for keyword in shape.keywords}
    facts = columns(shape.target)
    for name, info in shape.target.model_fields.items():
        needed = facts[name].required and facts[name].create and not update
        if (needed or info.is_required()) and name not in given:
            hint = (
                ""
                if update or info.is_required()
                else " (or write @mapping(update=True) if it never creates rows)"
            )
            yield shape.line, f"{name} is required and has no rule{hint}"


def _wrong_refs(shape: Shape, outside: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    local = dict.fromkeys([*shape.parameters, *(s.name for s in shape.steps if s.name)])
    for keyword in shape.keywords:
        field = shape.target.model_fields.get(str(keyword.arg))
        model = _ref_model(keyword.value, outside, local)
        allowed = ref_targets(field.annotation) if field is not None else ()
        if model is not None and field is not None and not (allowed and issubclass(model, allowed)):
            names = " or ".join(m.__name__ for m in allowed) or "no reference"
            yield keyword.lineno, f"{keyword.arg} takes {names}, not {model.__name__}"
    for expression in (*(s.expression for s in shape.steps), *(k.value for k in shape.keywords)):
        for node in ast.walk(expression):
            model = _ref_model(node, outside, local)
            if model is not None and isinstance(node, ast.Call):
                yield from _wrong_key(node, model)


def _wrong_constants(shape: Shape) -> Iterator[tuple[int, str]]:
    known = columns(shape.target)
    for keyword in shape.keywords:
        name = str(keyword.arg)
        if name not in known or not isinstance(keyword.value, ast.Constant):
            continue
        value = keyword.value.value
        refused = list(refusals(shape.target, name, value))
        for reason in refused:
            yield keyword.lineno, f"{name} does not take {value!r}: {reason}"
        options = known[name].options
        if not refused and options and value is not None and value not in options:
            yield keyword.lineno, f"{name} takes {', '.join(map(str, options))}, not {value!r}"


def _ref_model(node: ast.AST, outside: Mapping[str, Any], local: Mapping[str, Any]) -> type[Model] | None:
    if isinstance(node, ast.Call) and node.args and resolve(node.func, outside, local) is ref:
        model = resolve(node.args[0], outside, local)
        if isinstance(model, type) and issubclass(model, Model):
            return model
    return None


def _wrong_key(node: ast.Call, model: type[Model]) -> Iterator[tuple[int, str]]:
    names = [k.arg for k in node.keywords if k.arg is not None]
    if len(names) == len(node.keywords):
        try:
            ref(model, **dict.fromkeys(names))
        except UsageError as error:
            yield node.lineno, f"{error.message}; {error.hint}"


def _address(model: type[Model]) -> set[str]:
    remote = getattr(model, "remote", None)
    return set() if remote is None else {remote.primary_id, *(name for key in remote.keys for name in key)}
