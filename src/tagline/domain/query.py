"""Asking a remote for the rows that meet conditions: plain values, checked against their model when they are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum, StrEnum
from functools import lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from tagline.domain.model import Model, Ref, ref_targets
from tagline.domain.model import columns as facts_of
from tagline.errors import Disposition, RecordError, UsageError

MOST_ROWS: Final = 20_000
"""Rows that one query may find."""


MOST_EXPONENT: Final = 100
"""Powers of ten that a number to compare with may reach either way."""


class Comparison(StrEnum):
    """
    How a column is held against a value.

    Text is the same whatever its letter case and trailing spaces, as both of Microsoft's systems have it. What is empty is
    neither less nor greater than anything, and differs from every value.
    """

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    """It is one of several values, given as a tuple; none of no values."""
    STARTS = "starts"
    CONTAINS = "contains"
    IS_BLANK = "is blank"
    """It is null or has no character; the value is True, or False for the contrary."""


class Kind(Enum):
    """What a column holds, as far as comparing goes."""

    TEXT = "text"
    CHOICE = "one of its members"
    REFERENCE = "a reference"
    FLAG = "True or False"
    WHOLE = "a whole number"
    NUMBER = "a number"
    DAY = "a date"
    INSTANT = "a time with a zone, in whole seconds"


@dataclass(frozen=True)
class Condition:
    """One column held against a value of its own type: `Decimal` or whole numbers, aware times, references by `ref(...)`."""

    column: str
    comparison: Comparison
    value: Any


@dataclass(frozen=True)
class AnyOf:
    """Conditions of which one is enough."""

    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", tuple(self.conditions))


Term = Condition | AnyOf


@dataclass(frozen=True)
class Sort:
    """A column to order by; what is empty comes first, and last when descending."""

    column: str
    descending: bool = False


@dataclass(frozen=True)
class Expand:
    """The row that a lookup points to, read along with the row itself."""

    column: str
    model: type[Model]
    """Which of the lookup's tables; a row that points to another one has nothing there."""
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))


@dataclass(frozen=True)
class Query:
    """
    Rows of one model that meet every term, and what to read of them.

    Raises:
        UsageError: A name is no column of the model (code `query-column-unknown`), or a comparison or value does not fit its
            column (code `query-invalid`); values are not told.
    """

    model: type[Model]
    columns: tuple[str, ...]
    where: tuple[Term, ...] = ()
    order_by: tuple[Sort, ...] = ()
    limit: int | None = None
    """Rows at most, from the first on; None is all, and then more than `MOST_ROWS` are refused."""
    expand: tuple[Expand, ...] = ()
    total: bool = False
    """Whether to count all that match, whatever the limit."""

    def __post_init__(self) -> None:
        for name in self.columns:
            _need_column(self.model, name)
        for condition in conditions_of(self.where):
            if not isinstance(condition, Condition):
                raise _invalid(
                    self.model, "where", f"holds a {type(condition).__name__}, which is no condition"
                )
            _check(self.model, condition)
        for sort in self.order_by:
            _check_sort(self.model, sort)
        for expand in self.expand:
            _check_expand(self.model, expand)
        if self.limit is not None and not (type(self.limit) is int and 1 <= self.limit <= MOST_ROWS):
            raise _invalid(self.model, "limit", f"is {self.limit}, not 1 to {MOST_ROWS}")

    @property
    def is_void(self) -> bool:
        """Whether no row can meet it, so that nobody need be asked."""
        return any(map(_is_void, self.where))

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read, compared or ordered by."""
        compared = (condition.column for condition in conditions_of(self.where))
        return tuple(dict.fromkeys((*self.columns, *compared, *(sort.column for sort in self.order_by))))


def conditions_of(terms: Iterable[Term]) -> Iterator[Condition]:
    """Every condition, those of alternatives included."""
    for term in terms:
        yield from term.conditions if isinstance(term, AnyOf) else (term,)


@lru_cache(maxsize=256)
def kinds_of(model: type[Model]) -> Mapping[str, Kind | None]:
    """What each column of a model holds; None for what cannot be compared, such as a list."""
    return MappingProxyType({name: _kind(info.annotation) for name, info in model.model_fields.items()})


def unanswerable(model: type[Model], what: str, hint: str) -> UsageError:
    """The error that a remote has no way to answer a query."""
    return UsageError(
        f"{model.__name__} cannot be asked for by {what}",
        code="query-not-answerable",
        where={"model": model.__name__},
        hint=hint,
        # It is this record's question; others may ask another one.
        disposition=Disposition.DEAD_LETTER,
    )


def too_large(model: type[Model]) -> RecordError:
    """The error that a query finds more rows than it may."""
    return RecordError(
        f"a query finds more than {MOST_ROWS} rows of {model.__name__}",
        code="query-too-large",
        where={"model": model.__name__},
        hint="narrow its conditions, or give it a limit",
    )


_EQUAL: Final = frozenset({Comparison.EQ, Comparison.NE, Comparison.IN})
_ORDERED: Final = frozenset({Comparison.LT, Comparison.LE, Comparison.GT, Comparison.GE})
_BLANK: Final = frozenset({Comparison.IS_BLANK})
_ALLOWED: Final[Mapping[Kind, frozenset[Comparison]]] = {
    # Which text comes before which is told by the collation of each remote's database.
    Kind.TEXT: _EQUAL | _BLANK | {Comparison.STARTS, Comparison.CONTAINS},
    Kind.CHOICE: _EQUAL,
    Kind.REFERENCE: _EQUAL | _BLANK,
    Kind.FLAG: _EQUAL | _BLANK,
    Kind.WHOLE: _EQUAL | _BLANK | _ORDERED,
    Kind.NUMBER: _EQUAL | _BLANK | _ORDERED,
    Kind.DAY: _EQUAL | _BLANK | _ORDERED,
    Kind.INSTANT: _EQUAL | _BLANK | _ORDERED,
}
_KINDS: Final[Mapping[Any, Kind]] = {
    str: Kind.TEXT,
    bool: Kind.FLAG,
    int: Kind.WHOLE,
    Decimal: Kind.NUMBER,
    date: Kind.DAY,
    datetime: Kind.INSTANT,
}


def _kind(annotation: Any) -> Kind | None:
    if ref_targets(annotation):
        return Kind.REFERENCE
    is_union = get_origin(annotation) in (Union, UnionType)
    inner = [a for a in get_args(annotation) if a is not NoneType] if is_union else [annotation]
    only = inner[0] if len(inner) == 1 else None
    if get_origin(only) is Annotated:
        only = get_args(only)[0]
    return Kind.CHOICE if get_origin(only) is Literal else _KINDS.get(only)


def _need_column(model: type[Model], name: str) -> None:
    if name not in model.model_fields:
        near = get_close_matches(name, model.model_fields, 1)
        raise UsageError(
            f"{model.__name__} has no column {name}",
            code="query-column-unknown",
            where={"model": model.__name__},
            hint=f"did you mean {near[0]}?" if near else f"see the columns of {model.__name__}",
        )


def _check(model: type[Model], condition: Condition) -> None:
    name, comparison, value = condition.column, condition.comparison, condition.value
    _need_column(model, name)
    if not isinstance(comparison, Comparison):
        raise _invalid(
            model, name, f"is compared by a {type(comparison).__name__}; write Comparison.EQ or another"
        )
    kind = kinds_of(model)[name]
    allowed = _ALLOWED[kind] if kind else frozenset[Comparison]()
    if comparison not in allowed:
        able = ", ".join(sorted(allowed)) or "nothing"
        raise _invalid(model, name, f"cannot be compared by {comparison}; it can by {able}")
    if comparison is Comparison.IS_BLANK:
        if not isinstance(value, bool):
            raise _invalid(model, name, "needs True or False beside `is blank`")
        return
    if comparison is Comparison.IN and not isinstance(value, tuple):
        raise _invalid(model, name, "needs a tuple of values beside `in`")
    for each in value if comparison is Comparison.IN else (value,):
        if kind is None or not _fits(model, name, kind, each):
            raise _invalid(
                model, name, f"is compared with a {type(each).__name__} that is not {_wanted(kind)}"
            )


def _wanted(kind: Kind | None) -> str:
    return (
        "text that is not blank; ask by `is blank` for that"
        if kind is Kind.TEXT
        else str(kind and kind.value)
    )


def _fits(model: type[Model], name: str, kind: Kind, value: Any) -> bool:
    annotation = model.model_fields[name].annotation
    match kind, value:
        case Kind.TEXT, str():
            return bool(value.strip()) and _is_encodable(value)
        case Kind.CHOICE, str() | int():
            return value in _members(annotation)
        case Kind.REFERENCE, Ref():
            return issubclass(value.model, ref_targets(annotation))
        case Kind.FLAG, bool():
            return True
        case Kind.WHOLE, int():
            return not isinstance(value, bool)
        case Kind.NUMBER, int() | Decimal():
            number = Decimal(value)
            return (
                not isinstance(value, bool) and number.is_finite() and abs(number.adjusted()) <= MOST_EXPONENT
            )
        case Kind.INSTANT, datetime():
            return value.tzinfo is not None and value.microsecond == 0
        case Kind.DAY, date():
            return not isinstance(value, datetime)
    return False


def _is_encodable(text: str) -> bool:
    """Whether it has a form in an address; a lone surrogate has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(member for arg in get_args(annotation) for member in _members(arg))


def _check_sort(model: type[Model], sort: Sort) -> None:
    _need_column(model, sort.column)
    kind = kinds_of(model)[sort.column]
    # A remote orders lookups by the name shown and choices by their label, which no row tells.
    if kind in (None, Kind.REFERENCE, Kind.CHOICE) or facts_of(model)[sort.column].options:
        raise _invalid(model, sort.column, "is nothing to order by; take text, a number or a time")


def _check_expand(model: type[Model], expand: Expand) -> None:
    _need_column(model, expand.column)
    if expand.model not in ref_targets(model.model_fields[expand.column].annotation):
        raise _invalid(model, expand.column, f"does not point to {expand.model.__name__}")
    for name in expand.columns:
        _need_column(expand.model, name)


def _invalid(model: type[Model], name: str, reason: str) -> UsageError:
    return UsageError(
        f"{model.__name__}.{name} {reason}",
        code="query-invalid",
        where={"model": model.__name__, "field": name},
        hint="correct the query in the flow",
    )


def _is_void(term: Term) -> bool:
    if isinstance(term, AnyOf):
        return all(map(_is_void, term.conditions))
    return term.comparison is Comparison.IN and not term.value
