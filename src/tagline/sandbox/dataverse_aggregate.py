"""Aggregates over many rows, as `$apply` and FetchXML count them. Source: Web API notes, section 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tagline.sandbox.dataverse_errors import Refusal, bad_uri
from tagline.sandbox.dataverse_rows import comparable

MAX_ROWS = 50_000


def _average(values: Sequence[Any]) -> Decimal:
    return (sum((Decimal(v) for v in values), Decimal(0)) / len(values)).quantize(Decimal("1.0000000000"))


_METHODS: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "sum": sum,
    "avg": _average,
    "average": _average,
    "min": min,
    "max": max,
}


def aggregate(method: str, values: Sequence[Any]) -> Any:
    """
    Reduce the values of one column; the empty ones do not count.

    Args:
        method: `sum`, `avg` or `average`, `min`, `max`, `count`, `countdistinct`.

    Raises:
        Refusal: No such method, or it cannot be applied to values of that type.
    """
    found = [value for value in values if value is not None]
    if method == "count":
        return len(found)
    if method == "countdistinct":
        return len({comparable(value) for value in found})
    if method not in _METHODS:
        raise bad_uri(f"The aggregation method '{method}' is not supported.")
    if not found:
        return None
    if method in ("sum", "avg", "average") and not isinstance(found[0], int | Decimal):
        raise bad_uri(f"The aggregation method '{method}' needs numbers.")
    return _METHODS[method](found)


def check_limit(count: int) -> None:
    """Raise `Refusal` where more rows would be aggregated than the organisation does."""
    if count > MAX_ROWS:
        raise Refusal(
            400, "0x8004e023", "The maximum record limit is exceeded. Reduce the number of records."
        )
