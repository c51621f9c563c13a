"""Read, compare, write: what a write would change, decided from what was given and what stands there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tagline.domain.exchange import Key, Row, Write, WriteKind
from tagline.domain.model import Column, Model, Ref, columns
from tagline.flow.effects import Verb

_MAIL = re.compile(r"@|[_~%=]40")
"""The at sign of an e-mail address, plain or as an address-safe key writes it."""


@dataclass(frozen=True)
class Wish:
    """What one effect gives for a row, its references bound to ids."""

    verb: Verb
    given: Mapping[str, Any]


@dataclass(frozen=True)
class ChildrenPlan:
    """How the children of one parent become exactly the given ones."""

    removed: tuple[Row, ...]
    standing: Mapping[Key, Row]
    """The children that exist already, by the key they are wanted under."""


def same(one: Any, other: Any) -> bool:
    """
    Whether two values of a column are equal on the remote.

    Numbers compare by value, instants by their second, which is all that a remote keeps, references by id, text exactly.
    Blank text equals none: Dataverse stores blank as null, the shop null as blank, so that telling them apart would write
    again on every run.
    """
    if one in (None, "") and other in (None, ""):
        return True
    if isinstance(one, Ref) and isinstance(other, Ref):
        return _identity(one) == _identity(other)
    left, right = _number(one), _number(other)
    if left is not None and right is not None:
        return left == right
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one.replace(microsecond=0) == other.replace(microsecond=0)
    return bool(one == other)


def stands(value: Any, wanted: Any) -> bool:
    """Whether a column has the value that is wanted; a Boolean that was cleared stands at its default, hardly ever True."""
    return same(value, wanted) or (wanted is None and value is False)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(int(value))
    return Decimal(str(value)) if isinstance(value, float) else None


def _identity(reference: Ref[Any]) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    # Ids are GUIDs or numbers: their letter case carries nothing.
    remote = reference.model.remote
    return remote.system, remote.entity, tuple((n, str(v).lower()) for n, v in reference.key)


def ref_to(model: type[Model], id: str) -> Ref[Any]:  # noqa: A002 - the column is called so
    """A reference to a row by its primary id."""
    return Ref(model, id_key(model, id))


def id_key(model: type[Model], id: str) -> Key:  # noqa: A002
    return ((model.remote.primary_id, id),)


def is_by_id(reference: Ref[Any]) -> bool:
    return [n for n, _ in reference.key] == [reference.model.remote.primary_id]


def bind(
    model: type[Model], given: Mapping[str, Any], ids: Mapping[tuple[type[Model], Key], str]
) -> tuple[dict[str, Any], tuple[Mapping[str, str], ...]]:
    """
    Replace references by alternate key with references by primary id.

    Returns:
        The fields, and one detail for each reference whose row is not in `ids`.
    """
    bound: dict[str, Any] = {}
    missing: list[Mapping[str, str]] = []
    for name, value in given.items():
        if not isinstance(value, Ref) or is_by_id(value):
            bound[name] = value
        elif (found := ids.get((value.model, value.key))) is not None:
            bound[name] = ref_to(value.model, found)
        else:
            named = " ".join(f"{column} {_shown(value.model, column, v)}" for column, v in value.key)
            reason = f"no {value.model.__name__} has {named}"
            missing.append({"field": f"{model.__name__}.{name}", "reason": reason})
    return bound, tuple(missing)


def _shown(model: type[Model], column: str, value: Any) -> str:
    """A key's value where it identifies a thing; not where it is an e-mail address, or an encoded one, or personal."""
    facts = columns(model).get(column)
    text = str(value)
    hidden = _MAIL.search(text) is not None or (facts is not None and facts.personal)
    return "(not shown)" if hidden else repr(text)


def merge(wishes: Sequence[Wish], *, exists: bool) -> tuple[dict[str, Any], tuple[bool, ...]]:
    """
    Fold what several effects give for one row into one set of fields, as if they ran one after the other.

    Later fields win; `create_once` gives nothing to a row that exists; `update` of a row that is absent is refused.

    Returns:
        The fields, and for each wish whether it could be met.
    """
    fields: dict[str, Any] = {}
    met: list[bool] = []
    for wish in wishes:
        met.append(exists or wish.verb is not Verb.UPDATE)
        if met[-1]:
            if not (exists and wish.verb is Verb.CREATE_ONCE):
                fields.update(wish.given)
            exists = True
    return fields, tuple(met)


def compared(model: type[Model], wish: Wish, key: Key) -> set[str]:
    """The columns to read before a write: those an update could change."""
    if wish.verb is Verb.CREATE_ONCE:
        return set()
    facts = columns(model)
    return {n for n in wish.given if _updatable(model, facts[n], key)}


def _updatable(model: type[Model], column: Column, key: Key) -> bool:
    return column.update and column.name != model.remote.primary_id and column.name not in dict(key)


def writable(model: type[Model]) -> set[str]:
    """Every column of ours that could be written again: the image of a row about to be deleted."""
    return {n for n, c in columns(model).items() if (c.create or c.update) and n != model.remote.primary_id}


def decide(model: type[Model], key: Key, given: Mapping[str, Any], row: Row | None) -> Write | None:
    """
    The write that makes the row have the given fields; None when it has them.

    Args:
        given: Fields with references bound to ids; None clears a column.
        row: What stands there, with at least the columns of `compared`; None when nothing does.
    """
    facts = columns(model)
    if row is None:
        fields = {n: v for n, v in given.items() if facts[n].create or n in dict(key)}
        return Write(WriteKind.CREATE, model, key, {**dict(key), **fields})
    changed = {
        n: v
        for n, v in given.items()
        if _updatable(model, facts[n], key) and not stands(row.values.get(n), v)
    }
    return Write(WriteKind.UPDATE, model, key, changed, row.id, row.etag) if changed else None


def decide_children(model: type[Model], wanted: Iterable[Key], rows: Sequence[Row]) -> ChildrenPlan:
    """
    Which of a parent's children stand already, and which are to be removed.

    Removed is what carries our key and is not wanted any more. A row without our key is a person's and is never touched.
    """
    standing = {row.key: row for row in rows} | {id_key(model, row.id): row for row in rows}
    keys = set(wanted)
    kept = {standing[key].id for key in keys if key in standing}
    removed = tuple(r for r in rows if r.id not in kept and is_ours(model, r))
    return ChildrenPlan(removed, {key: standing[key] for key in keys if key in standing})


def is_ours(model: type[Model], row: Row) -> bool:
    """Whether a child row carries our alternate key; a connector keys the others by their primary id."""
    return any(sorted(names) == [n for n, _ in row.key] for names in model.remote.keys[:1])


def is_due(when: Mapping[str, Sequence[Any]], row: Row) -> bool:
    """
    Whether a transition is called for: each column stands at one of its values.

    A column that was not read is no obstacle: a row that only the shadow driver made has no state yet.
    """
    return all(
        name not in row.values or any(same(row.values[name], value) for value in values)
        for name, values in when.items()
    )


def deviations(model: type[Model], expected: Mapping[str, Any], row: Row) -> tuple[Mapping[str, str], ...]:
    """One detail a column that is not as expected: its name and, for numbers, by how much; never a value."""
    return tuple(
        {"field": f"{model.__name__}.{name}", "reason": _difference(row.values.get(name), value)}
        for name, value in expected.items()
        if not same(row.values.get(name), value)
    )


def _difference(found: Any, expected: Any) -> str:
    left, right = _number(found), _number(expected)
    if left is not None and right is not None:
        return f"is off by {left - right:+f}"
    return "is empty" if found in (None, "") else "is another"
