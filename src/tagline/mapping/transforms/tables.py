"""Tables: a code of one system for a code of the other, with a name to call them by when a code is missing."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from tagline.errors import RecordError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_CODE: Final = re.compile(r"[A-Z0-9_-]{1,4}")
_LARGEST_CODE: Final = 9999


@dataclass(frozen=True)
class Table(Generic[K, V]):
    """A named table of values; made by `table`."""

    name: str
    rows: Mapping[K, V]

    def at(self, value: K) -> V:
        """
        The value's counterpart.

        Raises:
            RecordError: The table has no row for it (code `value-unmapped`); the value is told only where it is a short
                code, since any other text may describe a person.
        """
        try:
            return self.rows[value]
        except KeyError:
            pass
        raise RecordError(
            f"table {self.name} has no row for {_shown(value)}",
            code="value-unmapped",
            where={"table": self.name},
            hint=f"add the value to table {self.name}, or correct the record",
        )


def table(name: str, rows: Mapping[K, V]) -> Table[K, V]:
    """Name a table of counterparts; the rows are copied."""
    return Table(name, MappingProxyType(dict(rows)))


def _shown(value: object) -> str:
    if isinstance(value, bool | None):
        return str(value)
    if isinstance(value, int) and abs(value) <= _LARGEST_CODE:
        return str(value)
    if isinstance(value, str) and _CODE.fullmatch(value):
        return repr(value)
    return (
        "a blank text"
        if isinstance(value, str) and not value.strip()
        else f"a {type(value).__name__} not shown here"
    )
