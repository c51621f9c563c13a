"""Whole lists of the shop, page by page, each row once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tagline.connectors.shift4shop.resources import Resource
from tagline.connectors.shift4shop.store import Address, Store, address_of_row
from tagline.errors import Disposition, TryAgainError, UsageError

MAX_ROWS: Final = 20_000
"""
Of a list that is read whole: 41 pages of 500, 67 of orders, 101 of products, which is twice the shop's bucket of 50
requests. The governor spreads them over its refill.
"""
ATTEMPTS: Final = 4
"""At a list whose rows move while its pages are read."""


def all_rows(
    store: Store,
    resource: Resource,
    path: str,
    query: Mapping[str, object] | None = None,
    *,
    owner: str = "",
) -> list[tuple[Address | None, Any]]:
    """
    Every row of a list with its address, in the list's order; none that stands there from start to end is missed.

    The shop has no snapshot, but a fixed order. Each page begins at a row of the one before: while a page holds any row
    that is known, nothing between them moved out of sight. Otherwise rows were deleted, and the list is read anew. What
    comes again is left out. A page on which nothing is new ends the list, whatever its length: a shop that ignores the
    position would never end.

    Raises:
        UsageError: The list has more than `MAX_ROWS` rows (code `table-too-large`).
        TryAgainError: Rows were deleted during each of a few attempts (code `list-moved`).
    """
    for _ in range(ATTEMPTS):
        found = _attempt(store, resource, path, query, owner)
        if found is not None:
            return found
    raise TryAgainError(
        f"{resource.name} were deleted each of {ATTEMPTS} times that their list was read",
        code="list-moved",
        where={"connection": store.name},
        hint="nothing to do unless it lasts; then see what deletes them in the shop without a pause",
        disposition=Disposition.RETRY,
    )


def _attempt(
    store: Store, resource: Resource, path: str, query: Mapping[str, object] | None, owner: str
) -> list[tuple[Address | None, Any]] | None:
    """The whole list; None where rows may have moved out of sight."""
    found: list[tuple[Address | None, Any]] = []
    seen: set[Address] = set()
    offset = 1
    while True:
        rows = store.wire.rows(
            path, f"listing {resource.name}", offset=offset, limit=resource.cap, query=query
        )
        page = [(address_of_row(resource, row, owner), row) for row in rows]
        if seen and not any(address in seen for address, _ in page):
            return None
        # Within one page a repeated address is the shop's own: some shipments of one order share theirs.
        fresh = [(address, row) for address, row in page if address not in seen]
        named = [place for place, (address, _) in enumerate(page) if address is not None]
        if len(found) + len(fresh) > MAX_ROWS:
            raise UsageError(
                f"the shop has more than {MAX_ROWS} {resource.name}",
                code="table-too-large",
                where={"connection": store.name},
                hint="read them by key, or beneath another record; the list cannot be read whole",
            )
        if len(rows) < resource.cap or all(address is None for address, _ in fresh):
            return found + fresh
        # Rows behind the last one with an address come again with the next page, and could not be known again.
        behind = len(page) - 1 - named[-1]
        found += fresh[: len(fresh) - behind]
        seen |= {address for address, _ in fresh if address is not None}
        offset += named[-1]
