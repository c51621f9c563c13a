"""What a mapping asks of the values it is tried with, read from its rules and from the functions they call."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from tagline.domain.model import Model, columns
from tagline.domain.settings import Settings
from tagline.harness.strategies import Needs
from tagline.mapping import MappingFunction
from tagline.mapping.syntax import names_of


def needs_of(mapping: MappingFunction[..., Any], settings: Settings | None) -> Needs:
    """What generated arguments of this mapping must fit."""
    return Needs(
        target=mapping.target,
        limits=_limits(mapping),
        unread=frozenset(mapping.unused_sources()),
        found=_found_columns(mapping),
        settings=settings,
    )


def _limits(mapping: MappingFunction[..., Any]) -> dict[str, frozenset[int]]:
    """Source field -> lengths of the target fields that it feeds."""
    found: dict[str, set[int]] = {}
    facts = columns(mapping.target)
    for rule in mapping.rules:
        length = facts[rule.target].max_length
        for source in rule.sources if length else ():
            found.setdefault(source.rpartition(".")[2], set()).add(length or 0)
    return {name: frozenset(lengths) for name, lengths in found.items()}


def _found_columns(mapping: MappingFunction[..., Any]) -> dict[str, type[Model]]:
    """
    Columns that a row handed to the mapping may hold: those it writes, and those its functions name.

    Such a row carries no model, and its columns are read by name from a dictionary; so every text in the code that is the
    name of a column of the target's system counts as one.
    """
    system = mapping.target.remote.system
    models = [mapping.target, *(m for m in _models(Model) if m.remote.system == system)]
    named = {rule.target for rule in mapping.rules} | set(_texts_of(mapping.function, set()))
    known: dict[str, type[Model]] = {}
    for model in models:
        for name in sorted(named & set(model.model_fields)):
            known.setdefault(name, model)
    return known


def _models(base: type[Model]) -> Iterator[type[Model]]:
    """Every model of a remote that was declared, sorted by name below each base."""
    for model in sorted(base.__subclasses__(), key=lambda m: (m.__module__, m.__qualname__)):
        if hasattr(model, "remote"):
            yield model
        yield from _models(model)


def _texts_of(function: FunctionType, seen: set[FunctionType]) -> Iterator[str]:
    """Texts in the code of a function and of those it reaches by name."""
    if function in seen:
        return
    seen.add(function)
    outside = names_of(function)
    for code in _codes(function.__code__):
        for constant in code.co_consts:
            yield from (
                t for t in (constant if isinstance(constant, tuple) else (constant,)) if isinstance(t, str)
            )
        for name in code.co_names:
            if isinstance(called := outside.get(name), FunctionType):
                yield from _texts_of(called, seen)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
