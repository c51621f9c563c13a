"""A page that one broken row keeps from being read: halved until every other row is, and the broken one named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.messages import Answer
from tagline.connectors.shift4shop.listing import OWN_TROUBLE, PAGE
from tagline.connectors.shift4shop.parse import order_id
from tagline.errors import TaglineError

REQUESTS: Final = 40
"""For one stretch, below the shop's bucket of 50; halving a page down to its first row takes nine."""


@dataclass(frozen=True)
class Stretch:
    """What could be read of a list from some place on."""

    rows: tuple[Any, ...]
    length: int
    """Rows of the list that are dealt with: read, or passed over because nobody can."""
    is_last: bool
    """Whether the list ends here."""


def read_stretch(ask: Callable[[int, int], list[Any]], offset: int) -> Stretch:
    """
    One page of a list, or as much of it as a bounded number of requests gets around its broken rows.

    A row that not even alone can be read is passed over only when the shop answers for one behind it, so that a
    shop in trouble is not taken for a list of broken rows: where nothing is read at all, the page's own error is raised,
    and the cursor stays. More than a dozen such rows at its start are not told from that.

    Args:
        ask: Reads rows by position and count; fewer than asked end the list.
        offset: Position of the first row, from 1.
    """
    rows: list[Any] = []
    reached = offset
    spans = [(offset, PAGE)]
    trouble: TaglineError | None = None
    for _ in range(REQUESTS):
        if not spans:
            break
        first, limit = spans.pop()
        try:
            page = ask(first, limit)
        except TaglineError as error:
            if error.code not in OWN_TROUBLE:
                raise
            trouble = trouble or error
            if limit > 1:
                half = limit // 2
                spans += [(first + half, limit - half), (first, half)]
            continue
        rows += page
        reached = first + len(page)
        if len(page) < limit:
            return Stretch(tuple(rows), reached - offset, is_last=True)
    if trouble is not None and reached == offset:
        raise trouble
    return Stretch(tuple(rows), reached - offset, is_last=False)


def name_of(answer: Answer) -> Mapping[str, Any] | None:
    """Number and version of the one order in an answer that breaks the bounds of JSON; None where they do not show."""
    try:
        told = json_values.glance(answer.body)
    except ValueError:
        return None
    row = told[0] if isinstance(told, list) and len(told) == 1 else told
    if not isinstance(row, Mapping) or order_id(row.get("OrderID")) is None:
        return None
    return {name: row.get(name) for name in ("OrderID", "LastUpdate")}
