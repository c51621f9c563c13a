"""Records and arguments, compiled from our models and biased to where mappings break.

For every text the lengths 0, 1, its own limit and the limits of the target fields it feeds, one less and one more;
amounts that end in a tie or in too many places; a small pool of keys, so that equal ones meet.

A record is made by asking for numbers: `choose(path, n)` gives one below `n`, and 0 always means the simplest. So one compiler serves
Hypothesis (`records`), and the search of `tagline.harness.laws`, which names choices by path to make a record small.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from tagline.domain.model import Column, Model, Ref, columns, ref_targets
from tagline.domain.settings import Settings
from tagline.errors import UsageError
from tagline.flow import Found, Written

Choose = Callable[[str, int], int]
Make = Callable[[Choose], Any]

TEXTS: Final = (
    "",
    "a",
    "Kim",
    " ",
    "O'Brien & Söhne / 50% <b>",
    "名前",
    "İstanbul ß",
    "Ada+b@example.com",
    "null",
    "e\u0301 \U0001f6d2",
    "line\r\nline",
    "Mug<br><b>Size:</b>&nbsp;L",
)
LETTERS: Final = "aZ0 .,-_/\\'\"%&é名\U0001f6d2\u00a0"
AMOUNTS: Final = tuple(
    map(Decimal, ("0", "1", "0.01", "0.05", "0.15", "1.005", "9.99", "19.95", "0.3333", "1234.56", "-5.50"))
)
NUMBERS: Final = (*range(12), 100_001, 2_147_483_646)
INSTANTS: Final = (
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
)
"""Both sides of both changes of the clock in New York, and a leap day's end."""
IDS: Final = tuple(f"00000000-0000-4000-8000-{n:012d}" for n in range(1, 4))
LONGEST: Final = 60
"""Characters of a text whose model sets no limit; more where it feeds a wider target."""
MOST_ITEMS: Final = 3


@dataclass(frozen=True)
class Needs:
    """What a mapping asks of generated arguments beside their types."""

    target: type[Model] = Model
    limits: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Field of a source -> lengths of the target fields that it feeds."""
    unread: Collection[str] = ()
    """Paths that nothing reads: plain values at them keep their defaults, which saves most of the time."""
    found: Mapping[str, type[Model]] = field(default_factory=dict)
    """Columns of rows that were found, each with a model that has it."""
    settings: Settings | None = None
    """The values an environment really has."""


def records(model: type[Model], needs: Needs | None = None) -> st.SearchStrategy[Any]:
    """
    A Hypothesis strategy for records of a model, for an author's own properties.

    Raises:
        UsageError: A field is of a type that no values are known for (code `strategy-unknown`).
    """
    make = _record(model, needs or Needs(), "")

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        return make(lambda _path, n: draw(st.integers(0, n - 1)))

    return drawn()


def arguments(parameters: Mapping[str, Any], needs: Needs) -> Make:
    """
    Arguments of a mapping, by parameter.

    A parameter whose model is what a list of another parameter holds is one of that list's items, unless the list is empty:
    a row comes with the order it stands in.

    Raises:
        UsageError: A parameter is of a type that no values are known for (code `strategy-unknown`).
    """
    parts = dict(_parts(parameters))
    makes = {name: _value(kind, None, needs, name) for name, kind in parameters.items()}

    def make(choose: Choose) -> dict[str, Any]:
        made: dict[str, Any] = {}

        def argument(name: str) -> Any:
            if name not in made:
                parent, listed = parts.get(name, ("", ""))
                items = getattr(argument(parent), listed) if parent else ()
                made[name] = items[choose(f"{name}@", len(items))] if items else makes[name](choose)
            return made[name]

        return {name: argument(name) for name in parameters}

    return make


def _record(model: type[Model], needs: Needs, path: str) -> Make:
    facts = columns(model)
    fields = {
        name: _value(info.annotation, facts[name], needs, f"{path}.{name}")
        for name, info in model.model_fields.items()
        if f"{path}.{name}" not in needs.unread or not isinstance(info.default, str | int | Decimal)
    }

    def make(choose: Choose) -> Model:
        return model(**{name: one(choose) for name, one in fields.items()})

    return make


def _value(annotation: Any, facts: Column | None, needs: Needs, path: str) -> Make:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(args[0], facts, needs, path)
    if origin in (Union, types.UnionType):
        absent = types.NoneType in args and not (facts and facts.required)
        makes = [_value(kind, facts, needs, path) for kind in args if kind is not types.NoneType]
        return _one_of(f"{path}?", [_just(None), *makes] if absent else makes)
    if origin is Literal:
        return _pick(path, args)
    if origin is Ref:
        models = ref_targets(annotation)
        return _pick(path, [Ref(m, ((m.remote.primary_id, key),)) for m in models for key in IDS])
    if origin in (tuple, list) or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return _items(args[0], needs, path)
    if isinstance(annotation, type):
        return _of_class(annotation, facts, needs, path)
    raise _unknown(annotation, path)


def _of_class(kind: type[Any], facts: Column | None, needs: Needs, path: str) -> Make:
    if issubclass(kind, Model):
        return _record(kind, needs, path)
    if issubclass(kind, Settings):
        return _just(needs.settings if isinstance(needs.settings, kind) else kind())
    if issubclass(kind, Written):
        return _row(kind, needs, path)
    if issubclass(kind, Enum):
        return _pick(path, list(kind))
    if facts is not None and facts.options:
        return _pick(path, facts.options)
    if kind is str:
        name = path.rpartition(".")[2]
        return _text(facts.max_length if facts else None, needs.limits.get(name, frozenset()), path)
    if kind is Decimal:
        return _amount(facts.precision if facts else None, path)
    if kind is datetime:
        any_time = _number(
            path, 10_000_000, lambda n: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
        )
        return _one_of(f"{path}?", [_pick(path, INSTANTS), any_time])
    if kind is date:
        return _number(path, 10_000, lambda n: date(2010, 1, 1) + timedelta(days=n))
    simple: dict[type[Any], Sequence[Any]] = {types.NoneType: (None,), bool: (False, True), int: NUMBERS}
    if kind not in simple:
        raise _unknown(kind, path)
    return _pick(path, simple[kind])


def _items(kind: Any, needs: Needs, path: str) -> Make:
    one = _value(kind, None, needs, f"{path}[]")

    def make(choose: Choose) -> tuple[Any, ...]:
        count = choose(f"{path}#", MOST_ITEMS + 1)
        return tuple(one(lambda p, n, i=index: choose(f"{i}:{p}", n)) for index in range(count))  # type: ignore[misc]

    return make


def _row(kind: type[Any], needs: Needs, path: str) -> Make:
    """A row of a target as `find` and the writing effects return it; one that was found holds its columns."""
    held = {
        name: _one_of(
            f"{path}.values.{name}?",
            [
                _just(None),
                _value(
                    model.model_fields[name].annotation, columns(model)[name], needs, f"{path}.values.{name}"
                ),
            ],
        )
        for name, model in needs.found.items()
    }

    def make(choose: Choose) -> Written:
        row_id = IDS[choose(f"{path}.id", len(IDS))]
        key = ((needs.target.remote.primary_id, row_id),)
        if issubclass(kind, Found):
            return Found(needs.target, key, row_id, values={name: one(choose) for name, one in held.items()})
        return Written(needs.target, key, row_id)

    return make


def _text(own: int | None, limits: frozenset[int], path: str) -> Make:
    """Text with the lengths at which somebody cuts or refuses, counted as remotes do: an emoji is two."""
    longest = own or max([LONGEST, *(limit + 1 for limit in limits)])
    edges = {n for edge in {longest, *limits} for n in (edge - 1, edge, edge + 1) if 0 <= n <= longest}
    letters = (("a", 1), ("é", 1), ("\U0001f6d2", 2))
    exact = [letter * (n // width) for letter, width in letters for n in sorted(edges)]

    def free(choose: Choose) -> str:
        count = choose(f"{path}#", min(longest // 2, 8) + 1)
        return "".join(LETTERS[choose(f"{path}#{n}", len(LETTERS))] for n in range(count))

    known = [text for text in TEXTS if len(text) < longest]
    return _one_of(f"{path}?", [_pick(path, known), _pick(path, exact), free])


def _amount(precision: int | None, path: str) -> Make:
    places = 2 if precision is None else precision
    fitting = [a for a in AMOUNTS if precision is None or a == round(a, precision)]
    any_amount = _number(path, 10_000_000, lambda n: Decimal(n).scaleb(-places))
    return _one_of(f"{path}?", [_pick(path, fitting), any_amount])


def _just(value: Any) -> Make:
    return lambda _choose: value


def _pick(path: str, values: Sequence[Any]) -> Make:
    return lambda choose: values[choose(path, len(values))]


def _number(path: str, count: int, to: Callable[[int], Any]) -> Make:
    return lambda choose: to(choose(path, count))


def _one_of(path: str, makes: Sequence[Make]) -> Make:
    return makes[0] if len(makes) == 1 else lambda choose: makes[choose(path, len(makes))](choose)


def _parts(parameters: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Parameters that are an item of another one's list: name -> (the other parameter, its field)."""
    for name, kind in parameters.items():
        for parent, other in parameters.items():
            if parent == name or not (isinstance(other, type) and issubclass(other, Model)):
                continue
            for listed, info in other.model_fields.items():
                if isinstance(kind, type) and issubclass(kind, Model) and kind in get_args(info.annotation):
                    yield name, (parent, listed)


def _unknown(annotation: Any, path: str) -> UsageError:
    return UsageError(
        f"no values can be generated for {path or 'a value'} of type {annotation}",
        code="strategy-unknown",
        where={"parameter": path},
        hint="give mapping parameters types of models, settings, Found, Written, Ref, text, numbers or datetime",
    )
