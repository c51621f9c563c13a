"""Rows of a list that name no record, as they are told of: a remote's slip is nobody's silent loss."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tagline.connectors import json_values
from tagline.domain.exchange import Unread
from tagline.domain.scrub import scrub


def unread_row(row: Any, column: str, value: Any, after: str = "") -> Unread:
    """
    A row that names no record.

    Args:
        column: Which holds the id.
        value: What the row has there; None also where it lacks the column.
        after: Key of the record before it, which tells rows apart that hold nothing.
    """
    is_record = isinstance(row, Mapping) and bool(row)
    told = json_values.dump(["" if is_record else after, column, scrub(row)])
    mark = hashlib.sha256(told.encode()).hexdigest()[:16]
    if not isinstance(row, Mapping):
        return Unread(mark, "", f"it is {_kind(row)} in place of a record")
    return Unread(mark, column, "it is missing" if value is None else f"it is {_kind(value)} that is no id")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case int() | Decimal():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "an object"
        case _:
            return "a list"
