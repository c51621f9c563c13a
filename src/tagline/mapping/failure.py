"""Why a mapping failed on a record: its rules one by one, every wrong field, and no value of the record."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tagline.domain.model import Model, Ref, ref_targets
from tagline.errors import RecordError, TaglineError
from tagline.mapping.rule import Rule
from tagline.mapping.shape import Shape
from tagline.mapping.syntax import names_of

Detail = dict[str, str]

_HARMLESS: Final = frozenset(
    {
        *("missing", "extra_forbidden", "none_required", "literal_error", "enum", "finite_number"),
        *("string_type", "string_too_short", "string_pattern_mismatch", "too_long", "too_short"),
        *("int_type", "int_parsing", "int_from_float", "int_parsing_size", "float_type", "float_parsing"),
        *("bool_type", "bool_parsing", "decimal_type", "decimal_parsing", "decimal_max_digits"),
        *("decimal_max_places", "decimal_whole_digits", "greater_than", "greater_than_equal", "less_than"),
        *("less_than_equal", "multiple_of", "datetime_type", "date_type", "time_type", "timezone_aware"),
        *("timezone_naive", "list_type", "tuple_type", "dict_type", "model_type", "is_instance_of"),
    }
)
"""Pydantic errors whose text tells what the model wants and never what it was given."""


def explain_failure(
    shape: Shape,
    function: FunctionType,
    rules: tuple[Rule, ...],
    arguments: Mapping[str, Any],
    error: Exception,
) -> RecordError:
    """The dead letter of a failed call: one detail a wrong field, with its rule, its source paths and the reason."""
    details = _details(shape, function, rules, arguments)
    if not details:
        details = [_of(error, "*", f"return {shape.target.__name__}(...)")]
    fields = ", ".join(d["field"] for d in details)
    return RecordError(
        f"{shape.name} cannot make a {shape.target.__name__}; wrong: {fields}",
        code="mapping-failed",
        where={"mapping": shape.name, "field": details[0]["field"]},
        hint="correct the record at its source, or the rules named in the details",
        details=tuple(details),
    )


def _details(
    shape: Shape, function: FunctionType, rules: tuple[Rule, ...], arguments: Mapping[str, Any]
) -> list[Detail]:
    names = {**names_of(function), **arguments}
    broken: dict[str, Exception] = {}
    unused: dict[str, Detail] = {}
    details: list[Detail] = []
    for step in shape.steps:
        cause = _broken_by(step.expression, broken)
        value, error = (None, cause) if cause else _evaluate(step.expression, shape.file, names)
        if step.name is not None and error is not None:
            broken[step.name] = error
            text = f"{step.name} = {ast.unparse(step.expression)}"
            unused[step.name] = _of(error, f"({step.name})", text)
        elif step.name is not None:
            names[step.name] = value
        elif error is not None and cause is None:
            details.append(_of(error, "*", f"if {ast.unparse(step.expression)}"))
        elif value is True:
            break  # the call would have ended here, so only what stands above can be wrong
    else:
        details.extend(_wrong_rules(shape, rules, names, broken))
    for expression in (*(s.expression for s in shape.steps), *(k.value for k in shape.keywords)):
        if details:
            for name in _used(expression):
                unused.pop(name, None)
    return [*details, *unused.values()]


def _wrong_rules(
    shape: Shape, rules: tuple[Rule, ...], names: Mapping[str, Any], broken: Mapping[str, Exception]
) -> Iterator[Detail]:
    values, wrong = {}, {}
    for rule, keyword in zip(rules, shape.keywords, strict=True):
        value, error = None, _broken_by(keyword.value, broken)
        if error is None:
            value, error = _evaluate(keyword.value, shape.file, names)
        if error is None:
            values[rule.target] = value
        else:
            wrong[rule.target] = _of_error(rule, error)
    for rule in rules:
        if rule.target in values:
            reasons = refusals(shape.target, rule.target, values[rule.target])
            wrong[rule.target] = [_detail(rule.target, rule.expression, rule.sources, r) for r in reasons]
    for rule in rules:
        yield from wrong[rule.target]


def refusals(target: type[Model], field: str, value: Any) -> list[str]:
    """Why a target does not take a value, asked of the model with this field alone; empty where it does."""
    try:
        target(**{field: value})
    except ValidationError as error:
        allowed = ref_targets(target.model_fields[field].annotation)
        if allowed and any(e["loc"][:1] == (field,) for e in error.errors(include_input=False)):
            return [_wrong_ref(value, " or ".join(m.__name__ for m in allowed))]
        return [_pydantic_reason(e) for e in error.errors() if e["loc"][:1] == (field,)]
    except Exception as error:  # noqa: BLE001 - a model's own validator is code like any other
        return [_reason(error)]
    return []


def _of_error(rule: Rule, error: Exception) -> list[Detail]:
    if isinstance(error, RecordError) and error.code == "mapping-failed":
        return [{**detail, "field": f"{rule.target}.{detail['field']}"} for detail in error.details]
    return [_of(error, rule.target, rule.expression, rule.sources)]


def _evaluate(expression: ast.expr, file: str, names: Mapping[str, Any]) -> tuple[Any, Exception | None]:
    """
    One expression of the mapping on its own, with the line numbers of its file.

    All names are passed as globals, since a comprehension does not see the locals of an evaluated expression; they are
    a copy, so that nothing an expression assigns can last.
    """
    code = compile(ast.Expression(expression), file, "eval")
    try:
        return eval(code, dict(names)), None  # noqa: S307 - the author's own rule, already imported as code
    except Exception as error:  # noqa: BLE001 - whatever a rule raises is the reason of its field
        return None, error


def _used(expression: ast.expr) -> Iterator[str]:
    return (n.id for n in ast.walk(expression) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))


def _broken_by(expression: ast.expr, broken: Mapping[str, Exception]) -> Exception | None:
    return next((broken[name] for name in _used(expression) if name in broken), None)


def _detail(field: str, rule: str, sources: tuple[str, ...], reason: str) -> Detail:
    return {"field": field, "rule": rule, "sources": ", ".join(sources), "reason": reason}


def _of(error: Exception, field: str, rule: str, sources: tuple[str, ...] = ()) -> Detail:
    """What a rule raised; with the `code` of its cause where the rule refused the record by name, and so did not just break."""
    code = {"code": error.code} if isinstance(error, TaglineError) else {}
    return {**_detail(field, rule, sources, _reason(error)), **code}


def _wrong_ref(value: Any, allowed: str) -> str:
    if isinstance(value, Ref):
        return f"refers to {value.model.__name__}, allowed is {allowed}"
    return f"a {type(value).__name__} is no reference; write ref({allowed}, key=value)"


def _reason(error: Exception) -> str:
    """What an exception says without any value: foreign texts are left out, since they quote what they met."""
    if isinstance(error, TaglineError):
        return error.message
    if isinstance(error, ValidationError):
        return f"{error.title}: " + "; ".join(_pydantic_reason(e) for e in error.errors())
    frames = traceback.extract_tb(error.__traceback__)
    inside = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{inside}"


def _pydantic_reason(error: ErrorDetails) -> str:
    value, limit = error["input"], error.get("ctx", {}).get("max_length")
    at = "".join(f"item {part}: " for part in error["loc"][1:] if isinstance(part, int))
    if error["type"] == "string_too_long" and isinstance(value, str):
        return f"{at}a text of {len(value)} characters, the limit is {limit}"
    if error["type"] in _HARMLESS:
        return (
            f"{at}{error['msg']}, not {type(value).__name__}"
            if error["type"].endswith("_type")
            else f"{at}{error['msg']}"
        )
    return f"{at}refused by the model ({error['type']})"
