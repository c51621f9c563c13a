"""
Conditions on one column that go by a name: the query functions of the Web API and the operators of FetchXML.

Days begin at midnight UTC, as for a user whose zone is UTC. Source: Web API notes, section 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from tagline.sandbox.dataverse_errors import bad_uri
from tagline.sandbox.dataverse_literals import GUID, is_whole, to_instant
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_rows import comparable
from tagline.sandbox.dataverse_schema import CHOICES, LOOKUPS, TEXTS, WHOLE, Column
from tagline.sandbox.dataverse_scope import Scope

Condition = Callable[[Scope, Any], bool]
"""Whether a value, as a row shows it, passes."""
Moment = Callable[[datetime], datetime]
TIMES = frozenset({"DateTime", "DateOnly"})
NUMBERS = frozenset({"Money", "Decimal", "Double"})
MOST_UNITS = 10_000
"""Of days, months and the like that one condition may span."""


def condition(operator: str, column: Column, values: Sequence[Any]) -> Condition:
    """
    Make the condition.

    Args:
        operator: In the spelling of FetchXML.
        values: What stands beside the operator, as text or as literals.

    Raises:
        Refusal: No such operator, or the values do not fit it or the column.
    """
    if operator in ("null", "not-null"):
        return lambda _scope, value: (value is None) is (operator == "null")
    if operator in _NEGATED:
        inner = condition(_NEGATED[operator], column, values)
        return lambda scope, value: value is not None and not inner(scope, value)
    if operator in ("in", "between"):
        return _listed(operator, [typed(column, value) for value in values])
    if operator in _LIKE:
        pattern = like(_LIKE[operator].format(_one(operator, values)))
        return lambda _scope, value: value is not None and pattern.fullmatch(str(value)) is not None
    if operator in ("eq-userid", "eq-businessid"):
        own = "user_id" if operator == "eq-userid" else "business_unit_id"
        return lambda scope, value: value == getattr(scope, own)
    if operator == "contain-values":
        wanted = {str(value) for value in values}
        return lambda _scope, value: value is not None and not wanted.isdisjoint(str(value).split(","))
    if operator in COMPARISONS:
        sought = typed(column, _one(operator, values))
        return compared(operator, sought)
    return _in_time(operator, column, values)


def compared(operator: str, sought: Any) -> Condition:
    """`eq`, `ne` and the orderings; nothing is smaller or larger than an empty value, and `ne` lets it pass."""
    if operator in ("eq", "ne"):
        return lambda _scope, value: (comparable(value) == sought) is (operator == "eq")
    test = COMPARISONS[operator]
    return lambda _scope, value: (
        value is not None and sought is not None and bool(test(comparable(value), sought))
    )


COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_LIKE: Mapping[str, str] = {"like": "{}", "begins-with": "{}%", "ends-with": "%{}"}
_NEGATED: Mapping[str, str] = {
    "not-like": "like",
    "not-begin-with": "begins-with",
    "not-end-with": "ends-with",
    "not-in": "in",
    "not-between": "between",
    "ne-userid": "eq-userid",
    "ne-businessid": "eq-businessid",
    "not-contain-values": "contain-values",
}


def _one(operator: str, values: Sequence[Any]) -> Any:
    if len(values) != 1:
        raise bad_uri(f"The operator '{operator}' takes one value, not {len(values)}.")
    return values[0]


def _listed(operator: str, sought: Sequence[Any]) -> Condition:
    if operator == "in":
        among = set(sought)
        return lambda _scope, value: value is not None and comparable(value) in among
    if len(sought) != 2 or None in sought:
        raise bad_uri("The operator 'between' takes two values.")
    low, high = sought
    return lambda _scope, value: value is not None and low <= comparable(value) <= high


def like(text: str) -> re.Pattern[str]:
    """
    The LIKE pattern that the database makes of a text: `%`, `_` and `[…]` are wildcards.

    What stands between two `%` is matched at its first place and never tried again, so that no pattern takes long.
    """
    segments = [""]
    for part in re.split(r"(%|_|\[[^\]]+\])", text):
        if part == "%":
            segments.append("")
        else:
            segments[-1] += _wildcard(part)
    first, *inner = segments
    if not inner:
        return re.compile(first, _LIKE_FLAGS)
    *middle, last = inner
    return re.compile(f"{first}{''.join(f'(?>.*?{one})' for one in middle if one)}.*{last}", _LIKE_FLAGS)


_LIKE_FLAGS = re.IGNORECASE | re.DOTALL


def _wildcard(part: str) -> str:
    if part == "_":
        return "."
    if len(part) > 2 and part.startswith("[") and part.endswith("]"):
        negated, inside = part[1] == "^" and len(part) > 3, part[1:-1]
        ranges = re.sub(r"([\\\]\[^&~|])", r"\\\1", inside[1:] if negated else inside)
        try:
            re.compile(f"[{ranges}]")
        except re.error:  # a range that runs backwards matches nothing
            return "(?!)"
        return f"[{'^' if negated else ''}{ranges}]"
    return re.escape(part)


def typed(column: Column | None, value: Any) -> Any:
    """
    A literal as the column's values compare: an instant for times, a number for numbers.

    Raises:
        Refusal: It is of another type.
    """
    if value is None or column is None:
        return comparable(value)
    if column.type in TIMES:
        return _time(column, value)
    if column.type in TEXTS:
        if not isinstance(value, str):
            raise _incompatible(column, value)
        return comparable(value)
    if column.type == "Boolean":
        return _boolean(column, value)
    if column.type in CHOICES or column.type in WHOLE or column.type in NUMBERS:
        return _number(column, value)
    if column.type in LOOKUPS or column.type == "Uniqueidentifier":
        if not isinstance(value, str) or GUID.fullmatch(value.strip("{}")) is None:
            raise _incompatible(column, value)
        return value.strip("{}").lower()
    return comparable(value)


def _boolean(column: Column, value: Any) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    found = known.get(str(value).lower())
    if found is None:
        raise _incompatible(column, value)
    return found


def _number(column: Column, value: Any) -> int | Decimal:
    if isinstance(value, bool):
        raise _incompatible(column, value)
    if isinstance(value, int | Decimal):
        return value
    try:
        return Decimal(value)
    except (InvalidOperation, TypeError):
        raise _incompatible(column, value) from None


def _time(column: Column, value: Any) -> str:
    try:
        instant = to_instant(value)
    except (TypeError, ValueError):
        raise _incompatible(column, value) from None
    return instant[:10] if column.type == "DateOnly" else comparable(instant)


def _incompatible(column: Column, value: Any) -> Exception:
    found = {str: "Edm.String", bool: "Edm.Boolean", int: "Edm.Int32"}.get(type(value), "Edm.Decimal")
    return bad_uri(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{edm(column)}' and '{found}' for operator kind 'Equal'."
    )


def edm(column: Column) -> str:
    """The type that the column has in OData."""
    if column.type in TEXTS:
        return "Edm.String"
    if column.type in LOOKUPS:
        return "Edm.Guid"
    if column.type in CHOICES:
        return "Edm.Int32"
    return _EDM.get(column.type, "Edm.String")


_EDM: Mapping[str, str] = {
    "Uniqueidentifier": "Edm.Guid",
    "Integer": "Edm.Int32",
    "BigInt": "Edm.Int64",
    "Decimal": "Edm.Decimal",
    "Money": "Edm.Decimal",
    "Double": "Edm.Double",
    "DateTime": "Edm.DateTimeOffset",
    "DateOnly": "Edm.Date",
    "Boolean": "Edm.Boolean",
}

_PERIOD = re.compile(r"(last|this|next)-(week|month|year)")
_SPAN = re.compile(r"(last|next|olderthan)-x-(minutes|hours|days|weeks|months|years)")
_DAYS: Mapping[str, tuple[int, int]] = {
    "yesterday": (-1, 0),
    "today": (0, 1),
    "tomorrow": (1, 2),
    "last-seven-days": (-7, 0),
    "next-seven-days": (1, 8),
}
"""First day and the day after the last, from today."""


def _in_time(operator: str, column: Column, values: Sequence[Any]) -> Condition:
    if (
        operator not in _DAYS
        and not any(p.fullmatch(operator) for p in (_PERIOD, _SPAN))
        and operator not in _ON
    ):
        raise bad_uri(f"The operator '{operator}' is not supported.")
    if column.type not in TIMES:
        raise bad_uri(f"The operator '{operator}' needs a column of dates, not '{column.name}'.")
    if operator in _ON:
        day = _time(column, _one(operator, values))[:10]
        return lambda _scope, value: value is not None and bool(_ON[operator](value[:10], day))
    count = _count(operator, values) if _SPAN.fullmatch(operator) else 0

    def passes(scope: Scope, value: Any) -> bool:
        low, high = _window(operator, count, scope.now)
        if value is None:
            return False
        instant = f"{value}T00:00:00Z" if column.type == "DateOnly" else value
        return _text(low) <= instant < _text(high)

    return passes


_ON: Mapping[str, Callable[[str, str], bool]] = {
    "on": lambda a, b: a == b,
    "not-on": lambda a, b: a != b,
    "on-or-after": lambda a, b: a >= b,
    "on-or-before": lambda a, b: a <= b,
}


def _count(operator: str, values: Sequence[Any]) -> int:
    text = str(_one(operator, values))
    if not is_whole(text) or not 1 <= int(text) <= MOST_UNITS:
        raise bad_uri(f"The operator '{operator}' takes a whole number from 1 on, not '{text}'.")
    return int(text)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)


_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def _window(operator: str, count: int, now: datetime) -> tuple[datetime, datetime]:
    """The instants that pass: from the first on, before the second."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if operator in _DAYS:
        first, after = _DAYS[operator]
        return today + timedelta(days=first), today + timedelta(days=after)
    if period := _PERIOD.fullmatch(operator):
        step = {"last": -1, "this": 0, "next": 1}[period[1]]
        return _start(period[2], today, step), _start(period[2], today, step + 1)
    span = _SPAN.fullmatch(operator)
    which, unit = (span[1], span[2]) if span else ("last", "days")
    if which == "olderthan":
        return _EARLIEST, _moved(now, unit, -count)
    if unit in ("minutes", "hours"):
        return (
            (_moved(now, unit, -count), now + _SECOND) if which == "last" else (now, _moved(now, unit, count))
        )
    if which == "last":
        return _moved(today, unit, -count), now + _SECOND
    return now, _moved(today + timedelta(days=1), unit, count)


def _start(unit: str, today: datetime, step: int) -> datetime:
    if unit == "week":
        return today - timedelta(days=(today.weekday() - quirks().week_starts_on) % 7) + timedelta(weeks=step)
    first = today.replace(day=1) if unit == "month" else today.replace(month=1, day=1)
    return _moved(first, f"{unit}s", step)


def _moved(moment: datetime, unit: str, count: int) -> datetime:
    try:
        if unit in ("months", "years"):
            months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "years" else 1)
            last = [31, 29 if _is_leap(months // 12) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][
                months % 12
            ]
            return moment.replace(year=months // 12, month=months % 12 + 1, day=min(moment.day, last))
        return moment + timedelta(**{unit: count})
    except (OverflowError, ValueError):
        raise bad_uri(f"{abs(count)} {unit} lead out of the calendar.") from None


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
