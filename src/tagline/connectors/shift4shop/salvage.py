"""A page that one broken row keeps from being read: halved until every other row is, and the broken one named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.messages import Answer
from tagline.connectors.shift4shop.listing import OWN_TROUBLE
from tagline.connectors.shift4shop.models.product import lifted
from tagline.connectors.shift4shop.parse import whole_id
from tagline.errors import TaglineError

REQUESTS: Final = 40
"""For one stretch, below the shop's bucket of 50; halving a page down to its first row takes nine."""


@dataclass(frozen=True)
class Stretch:
    """What could be read of a list from some place on, without a gap that is not named."""

    rows: Mapping[int, Any]
    """By position, ascending."""
    reached: int
    """Position behind the last row that was read, or asked for twice in vain."""
    unread: tuple[int, ...]
    """Positions asked for twice in vain, while the shop answered for a row behind them."""
    had_trouble: bool
    """Whether any request failed; the rows of several requests need not be of one moment."""
    is_last: bool
    """Whether the list ends here."""


def read_stretch(
    ask: Callable[[int, int], list[Any]], offset: int, cap: int, *, is_first_known: bool = False
) -> Stretch:
    """
    One page of a list, or as much of it as a bounded number of requests gets around its broken rows.

    A row that fails alone is asked for once more as soon as the shop answers for one behind it, so that a shop in
    trouble is not taken for a list of broken rows. The stretch ends before the first row that neither was read nor
    failed twice. Where nothing new is read, the page's own error is raised, and the cursor stays: a dozen broken rows at
    its start may be too many to be told from a shop in trouble.

    Args:
        ask: Reads rows by position and count; fewer than asked end the list.
        offset: Position of the first row, from 1.
        cap: Rows of a page.
        is_first_known: Whether the first row is read again only to see that it is still there.
    """
    rows: dict[int, Any] = {}
    failed: list[int] = []  # alone, and once
    unread: set[int] = set()
    spans = [(offset, cap)]
    again: set[int] = set()
    end = offset + cap
    is_last = False
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
            elif first in again:
                unread.add(first)
            else:
                failed.append(first)
            continue
        rows.update(enumerate(page, first))
        if first in again:
            continue
        if len(page) < limit:
            is_last, end, spans = True, first + len(page), []
        spans += [(position, 1) for position in reversed(failed)]
        again.update(failed)
        failed = []
    reached = min([end, *failed, *(first for first, _ in spans)])
    if trouble is not None and reached <= offset + is_first_known and not (is_last and reached == end):
        raise trouble
    return Stretch(
        {position: rows[position] for position in sorted(rows) if position < reached},
        reached,
        tuple(sorted(position for position in unread if position < reached)),
        had_trouble=trouble is not None,
        is_last=is_last and reached == end,
    )


def name_of(answer: Answer, id_column: str) -> Mapping[str, Any] | None:
    """Id and version of the one record in an answer that breaks the bounds of JSON; None where they do not show."""
    try:
        told = json_values.glance(answer.body)
    except ValueError:
        return None
    row = lifted(told[0] if isinstance(told, list) and len(told) == 1 else told)
    if not isinstance(row, Mapping) or whole_id(row.get(id_column)) is None:
        return None
    return {name: row.get(name) for name in (id_column, "LastUpdate")}
