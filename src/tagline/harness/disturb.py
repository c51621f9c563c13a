"""Changing everything of some arguments but named paths: what a rule does not read must not matter to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from tagline.domain.model import Column, Model, Ref, columns
from tagline.domain.settings import Settings
from tagline.flow import Found, Written

_facts = lru_cache(maxsize=256)(columns)
"""Asked for every record of every trial."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """Source paths, in the form of a rule's sources, at which nothing may change."""

    paths: frozenset[str]
    above: frozenset[str]
    """Every path that leads to one of them."""

    @classmethod
    def at(cls, paths: Iterable[str]) -> Kept:
        given = frozenset(paths)
        above = {p[:n] for p in given for n, character in enumerate(p) if character in ".["}
        return cls(given, frozenset(above))

    def has(self, path: str) -> bool:
        return path in self.paths or path in self.above

    def has_all(self, path: str) -> bool:
        return f"{path}.*" in self.paths


def disturbed(
    arguments: Mapping[str, Any], annotations: Mapping[str, Any], kept: Kept, *, blank: bool
) -> dict[str, Any]:
    """
    The arguments with another value wherever `kept` names none.

    Settings stay: they are an environment's, not a record's. A list of which something is kept keeps its length.

    Args:
        annotations: The parameters' types.
        blank: Empty what can be empty, instead of giving it the next value.
    """
    change = _Change(kept, blank)
    return {name: change.value(value, name, annotations[name]) for name, value in arguments.items()}


@dataclasses.dataclass(frozen=True)
class _Change:
    kept: Kept
    blank: bool

    def value(self, value: Any, path: str, annotation: Any, facts: Column | None = None) -> Any:
        kept = self.kept
        if isinstance(value, Settings) or kept.has_all(path):
            return value
        if self.blank and not kept.has(path) and NoneType in get_args(annotation):
            return None
        if isinstance(value, Model):
            return self._record(value, path)
        if isinstance(value, tuple):
            return self._items(value, path)
        if isinstance(value, Written):
            return self._row(value, path)
        return value if kept.has(path) else self._other(value, annotation, facts)

    def _record(self, record: Model, path: str) -> Model:
        known = _facts(type(record))
        changes = {
            name: self.value(getattr(record, name), f"{path}.{name}", info.annotation, known[name])
            for name, info in type(record).model_fields.items()
        }
        return record.model_copy(update=changes)

    def _items(self, items: tuple[Any, ...], path: str) -> tuple[Any, ...]:
        if not self.kept.has(path):
            return () if self.blank else (*items[:1], *items)
        if self.kept.has(f"{path}[]") or any(isinstance(item, Model) for item in items):
            return tuple(self.value(item, f"{path}[]", None) for item in items)
        return items

    def _row(self, row: Written, path: str) -> Written:
        row_id = row.id if self.kept.has(f"{path}.id") else f"f{row.id[1:]}"
        if isinstance(row, Found) and not self.kept.has(f"{path}.values"):
            return dataclasses.replace(row, id=row_id, values=dict.fromkeys(row.values))
        return dataclasses.replace(row, id=row_id)

    def _other(self, value: Any, annotation: Any, facts: Column | None) -> Any:
        """A different value of the same kind, where there is one."""
        choices: Sequence[Any] = facts.options if facts else ()
        if get_origin(annotation) is Literal:
            choices = get_args(annotation)
        if isinstance(value, Enum | bool):
            choices = list(type(value)) if isinstance(value, Enum) else (False, True)
        if value in choices:
            return choices[(choices.index(value) + 1) % len(choices)]
        if self.blank and value and isinstance(value, str | int | Decimal):
            return type(value)()
        if isinstance(value, int | Decimal):
            return value + 1
        if isinstance(value, datetime):
            return value + timedelta(days=1, seconds=1)
        if isinstance(value, Ref):
            return Ref(value.model, tuple((name, f"f{key[1:]}") for name, key in value.key))
        if isinstance(value, str):
            return f"{value[:-1]}{'y' if value.endswith('z') else 'z'}"
        return value
