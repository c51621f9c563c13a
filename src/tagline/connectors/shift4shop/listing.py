"""
Orders by the page: the shop has no list of ids to filter by, but those asked for are nearly always its newest, or, in a
back-fill, stand close together somewhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from tagline.connectors.shift4shop.models import Order
from tagline.connectors.shift4shop.models.product import lifted
from tagline.connectors.shift4shop.parse import whole_id
from tagline.connectors.shift4shop.resources import RESOURCES, Resource
from tagline.connectors.shift4shop.wire import Wire
from tagline.errors import RecordError, TaglineError

ORDERS: Final = RESOURCES[Order]
PAGE: Final = ORDERS.cap
"""Orders the shop hands out at most in one answer."""
WORTH: Final = 3
"""Asked orders from which on pages pay: a count and a page cost two requests, each order by itself one."""
FEWEST: Final = 2
"""Asked orders from which on a page pays whose place is known."""
JUMP_WORTH: Final = 12
"""Asked orders close together from which on it pays to guess where they stand."""
WRONG_JUMPS: Final = 3
"""Guesses that may fail; each tells the next one more about how ids lie along the list."""

OWN_TROUBLE: Final = frozenset({"remote-failed", "answer-malformed", "answer-too-large"})
"""
Codes of errors that one broken order can cause, by itself or by standing on a page.

A shop that is away, throttles or does not know us answers in other ways (reference/shift4shop-api.md section 2).
"""


@dataclass(frozen=True)
class Span:
    """A stretch of the list of orders, which ascends by OrderID: the newest are last."""

    offset: int
    """Position of its first row, from 1."""
    limit: int
    is_guess: bool = False
    """Whether only the ids of the page after it speak for reading it."""


@dataclass(frozen=True)
class Page:
    """What the shop handed out of its list."""

    rows: Mapping[int, Any]
    """By id."""
    ids: tuple[int, ...]
    """In the order of the list."""
    places: tuple[int, ...]
    """Their positions, from 1."""
    unnamed: int
    """Rows that name no id and so cannot be asked for."""


def last_page(total: int) -> Span:
    """The newest orders; its limit leaves room for those placed since they were counted."""
    return Span(max(1, total - PAGE + 1), PAGE)


def newest(total: int, count: int, cap: int = PAGE) -> list[Span]:
    """The spans of the newest `count` of `total` rows, oldest first, at most `cap` rows each."""
    first = max(1, total - count + 1)
    return [Span(offset, min(cap, total - offset + 1)) for offset in range(first, total + 1, cap)]


def page_before(span: Span, listed: Collection[int], missing: Collection[int], delivered: int) -> Span | None:
    """
    The page before this one, where reading it pays.

    It does when enough missing ids lie where its ids are, if they are as dense as on this page. A guess that came wrong
    is the last of these, so that a count, the pages and a request for each order not on them never exceed the number of
    asked orders by more than three, or five where it pays to jump.

    Args:
        listed: Ids on this page.
        missing: Asked ids not delivered yet.
        delivered: How many asked orders this page held.
    """
    if span.offset == 1 or not listed or (span.is_guess and delivered < WORTH):
        return None
    lowest = min(listed)
    reach = (max(listed) - lowest + 1) * PAGE // len(listed)
    if sum(lowest - reach <= number < lowest for number in missing) < WORTH:
        return None
    return Span(max(1, span.offset - PAGE), min(PAGE, span.offset - 1), is_guess=True)


def jump(total: int, points: Sequence[tuple[int, int]], missing: Collection[int]) -> Span | None:
    """
    The page on which the oldest missing orders ought to stand, where enough of them are close together.

    Args:
        points: Id and position of orders that were seen.
    """
    first = min(missing)
    close = sum(number < first + PAGE // 2 for number in missing)
    above = sorted(point for point in points if point[0] > first)
    if close < JUMP_WORTH or len(above) < 2:
        return None
    # On a line through the orders on both sides; where none older was seen, through the two next newer ones.
    (number, place), (other, there) = above[0], max((p for p in points if p[0] < first), default=above[1])
    if number == other:
        return None
    at = round(place + (first - number) * (there - place) / (other - number))
    # Some room before it, since orders that were deleted or never completed lie between.
    return Span(min(max(1, at - PAGE // 4), max(1, total - PAGE + 1)), PAGE, is_guess=True)


@dataclass(frozen=True)
class Positions:
    """Where orders stood in the list when it was last read: ids and positions, both ascending."""

    ids: tuple[int, ...] = ()
    places: tuple[int, ...] = ()

    def after(self, page: Page) -> Positions:
        """
        What is known once a page was read.

        Of what was known before only the newest order is kept: whatever comes next stands behind it.
        """
        ids, places = page.ids, page.places
        if not ids or any(one >= other for one, other in pairwise(ids)):
            return self  # no list that ascends
        if self.ids and self.ids[-1] > ids[-1] and self.places[-1] > places[-1]:
            return Positions((*ids, self.ids[-1]), (*places, self.places[-1]))
        return Positions(ids, places)

    def covering(self, numbers: Sequence[int]) -> Span | None:
        """
        A stretch on which all of these ids stand unless the list has changed before them; None where it were too long.

        An id stands at most as far behind another one as the two differ, since the list ascends.

        Args:
            numbers: Two or more, ascending.
        """
        at, end = bisect_left(self.ids, numbers[0]), bisect_left(self.ids, numbers[-1])
        if self.ids[at : at + 1] == (numbers[0],):
            offset = self.places[at]
        elif at:
            offset = self.places[at - 1] + 1
        else:
            return None
        below = self.places[end - 1] + numbers[-1] - self.ids[end - 1]
        limit = min([below, *self.places[end : end + 1]]) - offset + 1
        return Span(offset, limit) if limit <= PAGE else None

    def newest_of(self, missing: Collection[int]) -> Span | None:
        """The stretch that holds as many as one page can of the newest asked orders; None where a page is not worth it."""
        numbers = sorted(missing)
        spans = (self.covering(numbers[first:]) for first in range(len(numbers) - FEWEST + 1))
        return next((span for span in spans if span), None)


class Listing:
    """
    The list of orders as one client reads it.

    Where orders stood is remembered, never what stood there, so that a batch of new orders costs one page as short as the
    batch. One that is not where it ought to be, since others were deleted, is asked for by itself.
    """

    def __init__(self) -> None:
        self._known = Positions()

    def find(self, wire: Wire, numbers: Collection[str]) -> Mapping[str, Any]:
        """
        Those of the asked orders that stand on pages that pay, by number and as the shop sends them.

        What is not found may exist all the same: it is older, or rows moved while pages were read. A page that the shop
        cannot hand out ends the search.
        """
        missing = {int(number) for number in numbers}
        found: dict[str, Any] = {}
        try:
            span = self._known.newest_of(missing)
            hits = self._take(self._read(wire, span), missing, found) if span else 0
            if not hits:
                self._known = Positions()
            # What is left then is older than a page that was read: the list's end would be read in vain.
            if len(missing) >= (JUMP_WORTH if hits else WORTH):
                self._search(wire, missing, found)
        except TaglineError as error:
            if error.code not in OWN_TROUBLE and not isinstance(error, RecordError):
                raise
        return found

    def _search(self, wire: Wire, missing: set[int], found: dict[str, Any]) -> None:
        """Read the list from its end, as far back as pages pay."""
        total = wire.count(ORDERS.path, ORDERS.name)
        span: Span | None = last_page(total)
        points: list[tuple[int, int]] = []
        wrong = 0
        while span is not None:
            page = self._read(wire, span)
            hits = self._take(page, missing, found)
            wrong += span.is_guess and hits < WORTH
            if page.ids:
                points += [(min(page.ids), span.offset), (max(page.ids), span.offset + len(page.rows) - 1)]
            span = page_before(span, page.ids, missing, hits)
            if span is None and missing and wrong < WRONG_JUMPS:
                span = jump(total, points, missing)

    def _read(self, wire: Wire, span: Span) -> Page:
        page = _page(wire, ORDERS, span)
        self._known = self._known.after(page)
        return page

    @staticmethod
    def _take(page: Page, missing: set[int], found: dict[str, Any]) -> int:
        """Move what is on the page from the missing to the found; returns how many that were."""
        hits = missing & page.rows.keys()
        found.update({str(number): page.rows[number] for number in hits})
        missing -= hits
        return len(hits)


def find_newest(wire: Wire, resource: Resource, count: int) -> tuple[list[str], int]:
    """Ids of a list's newest rows, oldest first, and how many rows have none; one added while pages are read is left out."""
    if count < 1:
        return [], 0
    spans = newest(wire.count(resource.path, resource.name), count, resource.cap)
    pages = [_page(wire, resource, span) for span in spans]
    numbers = dict.fromkeys(number for page in pages for number in page.ids)
    return [str(number) for number in numbers], sum(page.unnamed for page in pages)


def _page(wire: Wire, resource: Resource, span: Span) -> Page:
    rows = wire.rows(resource.path, f"listing {resource.name}", offset=span.offset, limit=span.limit)
    numbers = [
        whole_id(lifted(row).get(resource.id_column)) if isinstance(row, Mapping) else None for row in rows
    ]
    named = [(int(number), place) for place, number in enumerate(numbers, span.offset) if number]
    return Page(
        {number: rows[place - span.offset] for number, place in named},
        tuple(number for number, _ in named),
        tuple(place for _, place in named),
        numbers.count(None),
    )
