"""
Orders by the page: the shop has no list of ids to filter by, but those asked for are nearly always its newest, or, in a
back-fill, stand close together somewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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


def find_listed(wire: Wire, numbers: Collection[str]) -> Mapping[str, Any]:
    """
    Those of the asked orders that stand on the last pages, by number and as the shop sends them.

    What is not found may exist all the same: it is older, or rows moved while pages were read. A page that the shop
    cannot hand out ends the search.
    """
    missing = {int(number) for number in numbers}
    found: dict[str, Any] = {}
    if len(missing) < WORTH:
        return found
    total = wire.count(ORDERS.path, ORDERS.name)
    span: Span | None = last_page(total)
    points: list[tuple[int, int]] = []
    wrong = 0
    while span is not None:
        try:
            page, _ = _page(wire, ORDERS, span)
        except TaglineError as error:
            if error.code in OWN_TROUBLE or isinstance(error, RecordError):
                break
            raise
        hits = missing & page.keys()
        found.update({str(number): page[number] for number in hits})
        missing -= hits
        wrong += span.is_guess and len(hits) < WORTH
        if page:
            points += [(min(page), span.offset), (max(page), span.offset + len(page) - 1)]
        span = page_before(span, page.keys(), missing, len(hits))
        if span is None and missing and wrong < WRONG_JUMPS:
            span = jump(total, points, missing)
    return found


def find_newest(wire: Wire, resource: Resource, count: int) -> tuple[list[str], int]:
    """Ids of a list's newest rows, oldest first, and how many rows have none; one added while pages are read is left out."""
    if count < 1:
        return [], 0
    spans = newest(wire.count(resource.path, resource.name), count, resource.cap)
    pages = [_page(wire, resource, span) for span in spans]
    numbers = dict.fromkeys(number for page, _ in pages for number in page)
    return [str(number) for number in numbers], sum(unnamed for _, unnamed in pages)


def _page(wire: Wire, resource: Resource, span: Span) -> tuple[dict[int, Any], int]:
    """Rows by id, and how many name none and so cannot be asked for."""
    rows = wire.rows(resource.path, f"listing {resource.name}", offset=span.offset, limit=span.limit)
    numbers = [
        whole_id(lifted(row).get(resource.id_column)) if isinstance(row, Mapping) else None for row in rows
    ]
    found = {int(number): row for number, row in zip(numbers, rows, strict=True) if number}
    return found, numbers.count(None)
