"""Values that depend on what stands in the target already, which people maintain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from tagline.domain.model import KEEP, Keep
from tagline.errors import UsageError

V = TypeVar("V")


class Existing(Protocol):
    """A row that was read before mapping, as `find` returns it."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The columns that were asked for."""
        ...


def fill_blank(existing: Existing | None, column: str, value: V) -> V | Keep:
    """
    The value where the row is new or its column blank, else `KEEP`: what people have written stays.

    Args:
        existing: The row as it was found; None where there is none yet.
        column: Its column, which must have been read.
        value: What would fill it.

    Raises:
        UsageError: The column was not read, so nobody knows what stands there (code `column-not-read`).
    """
    if existing is None:
        return value
    if column not in existing.values:
        raise UsageError(
            f"column {column} of the existing row was not read",
            code="column-not-read",
            where={"field": column},
            hint=f"name {column!r} in the flow's find(...)",
        )
    standing = existing.values[column]
    blank = standing is None or (isinstance(standing, str) and not standing.strip())
    return value if blank else KEEP
