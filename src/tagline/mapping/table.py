"""A mapping as a table: for the documentation, and for one record with its values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, ParamSpec

from tagline.domain.model import KEEP, Model
from tagline.mapping.function import MappingFunction
from tagline.mapping.shape import bound_arguments

P = ParamSpec("P")

_STEP: Final = re.compile(r"\.(\w+)|(\[\])")


@dataclass(frozen=True)
class Explained:
    """One rule with what it made of one record; made to be looked at, so it holds values."""

    target: str
    value: Any
    """As it stands in the target; `KEEP` where the rule leaves the field alone."""
    rule: str
    sources: tuple[str, ...]
    source_values: Mapping[str, Any]
    """What stands at each source path: a tuple below `[]`, the record itself at `.*`."""


def explain(mapping: MappingFunction[P, Any], *args: P.args, **kwargs: P.kwargs) -> list[Explained]:
    """
    Map one record and show each rule between what it read and what it made; empty where a guard ends the mapping.

    Raises:
        RecordError: The record cannot be mapped (code `mapping-failed`).
    """
    made = mapping(*args, **kwargs)
    if not isinstance(made, Model):
        return []
    arguments = bound_arguments(mapping.function, args, kwargs)
    given = made.given()
    return [
        Explained(
            rule.target,
            given.get(rule.target, KEEP),
            rule.expression,
            rule.sources,
            {path: value_at(path, arguments) for path in rule.sources},
        )
        for rule in mapping.rules
    ]


def value_at(path: str, arguments: Mapping[str, Any]) -> Any:
    """What stands at a source path of a call's arguments; None where an optional parent is absent."""
    name = re.split(r"[.\[]", path, maxsplit=1)[0]
    steps = [attribute or "[]" for attribute, _ in _STEP.findall(path.removesuffix(".*"), len(name))]
    return _follow(arguments[name], steps)


def _follow(value: Any, steps: list[str]) -> Any:
    for position, step in enumerate(steps):
        if value is None:
            return None
        if step == "[]":
            items = value.values() if isinstance(value, Mapping) else value
            return tuple(_follow(item, steps[position + 1 :]) for item in items)
        value = getattr(value, step)
    return value


def markdown(mapping: MappingFunction[P, Any]) -> str:
    """The mapping as a Markdown table: target, rule, sources; rules of nested mappings follow the rule that calls them."""
    return "\n".join(["| target | rule | sources |", "|---|---|---|", *_rows(mapping)]) + "\n"


def _rows(mapping: MappingFunction[P, Any]) -> Iterator[str]:
    for rule in mapping.rules:
        for one in (rule, *rule.inner):
            sources = ", ".join(map(_code, one.sources)) or "constant"
            yield f"| {_code(one.target)} | {_code(one.expression)} | {sources} |"


def _code(text: str) -> str:
    """A code span that survives a table cell: a pipe is escaped even there, a backtick needs a longer fence."""
    cell = " ".join(text.replace("|", r"\|").split())
    longest = max((len(run) for run in re.findall("`+", cell)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {cell} {fence}" if longest else f"{fence}{cell}{fence}"
