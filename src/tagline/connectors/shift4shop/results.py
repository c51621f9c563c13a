"""The shop's answer to a write: one `{Key, Value, Status, Message}` per sent item, all of them texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagline.connectors import json_values
from tagline.connectors.messages import Answer


@dataclass(frozen=True)
class Result:
    """What became of one item."""

    status: int
    value: str = ""
    """Id of what was written, where the shop tells it."""


def results_of(answer: Answer, ids: Sequence[str]) -> list[Result] | None:
    """
    What became of each sent item, in their order; None when the answer tells it of the request as a whole.

    An item is found by its id, else by its place, because an error may name no id; of several the error counts. One that a success (200) does not
    mention counts as a gateway's failure: it is unknown and so tried again.
    """
    if answer.status >= 400 and len(ids) == 1:
        return None
    try:
        rows = json_values.parse(answer.body)
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not all(isinstance(r, Mapping) for r in rows):
        if answer.body.strip() and answer.status < 400:
            # A page in place of the shop's answer, for example a proxy's: nobody knows what was done.
            return [Result(502)] * len(ids)
        return None if answer.status >= 400 else [_untold(answer, len(ids))] * len(ids)
    if answer.status >= 400 and len(rows) != len(ids):
        return None
    errors_last = sorted(rows, key=lambda row: row.get("Key") == "Error")
    by_id = {str(row.get("Value", "")): row for row in errors_last}
    found: list[Result] = []
    for place, item in enumerate(ids):
        row = by_id.get(item)
        if row is None and len(rows) == len(ids) and str(rows[place].get("Value", "")) not in ids:
            row = rows[place]
        found.append(_untold(answer, len(ids)) if row is None else _told(row, answer.status))
    return found


def results_in_order(answer: Answer, count: int) -> list[Result | None] | None:
    """
    What became of each of `count` new items, which have no ids to find them by; None when it is told of the request as a whole.

    An item is None where a success (200) does not tell of each: it may exist or not.
    """
    try:
        rows = json_values.parse(answer.body)
    except ValueError:
        rows = None
    told = isinstance(rows, list) and len(rows) == count and all(isinstance(r, Mapping) for r in rows)
    if told and (answer.status < 400 or count > 1):
        return [_told(row, answer.status) for row in rows]
    return None if answer.status >= 400 else [None] * count


def _told(row: Mapping[str, Any], overall: int) -> Result:
    return Result(_status(row, overall), str(row.get("Value", "")))


def _untold(answer: Answer, items: int) -> Result:
    """One item needs no telling apart; of several an unmentioned one is unknown."""
    return Result(answer.status if items == 1 else 502)


def _status(row: Mapping[str, Any], overall: int) -> int:
    try:
        return int(str(row.get("Status", "")).strip())
    except ValueError:
        # The content of an error's Status was never recorded.
        return 400 if row.get("Key") == "Error" or overall == 206 else overall
