"""Which records a list of the shop holds, page by page in the order of their ids, for a back-fill."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tagline.connectors.shift4shop.changes import read_page
from tagline.connectors.shift4shop.cursors import Place
from tagline.connectors.shift4shop.resources import Noticing, Resource, not_supported
from tagline.connectors.shift4shop.store import Store
from tagline.domain.exchange import Days, Listed
from tagline.errors import UsageError


def keys(store: Store, resource: Resource, days: Days, position: str | None) -> Listed:
    """
    One page of keys; rows that moved while pages are read start the list anew, a few times at most.

    Raises:
        UsageError: The model has no list of its own, or none by day (code `not-supported`), or the position is none of
            ours (`cursor-unreadable`).
    """
    query = _query(store, resource, days)
    page = read_page(store, resource, query, resource.name, _place(position))
    told = json.dumps(page.behind.told())
    unread = page.unread + len(page.unnamed)
    return Listed([each.key for each in page.items], told, more=not page.is_last, unread=unread)


def count(store: Store, resource: Resource, days: Days) -> int:
    return store.wire.count(resource.path, resource.name, _query(store, resource, days))


def _query(store: Store, resource: Resource, days: Days) -> Mapping[str, str]:
    if resource.owner or resource.noticing is Noticing.WITH_OWNER:
        raise not_supported(store.name, f"listing {resource.name} without the record they belong to")
    ends = {"datestart": days.since, "dateend": days.until}
    query = {name: f"{day:%m/%d/%Y}" for name, day in ends.items() if day is not None}
    if query and not resource.has_days:
        raise not_supported(store.name, f"listing {resource.name} by the day they were made")
    return query


def _place(position: str | None) -> Place:
    if not position:
        return Place()
    try:
        return Place.of(json.loads(position))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(
            "the place in the shop's list cannot be read",
            code="cursor-unreadable",
            hint="it was written by another connector or release; begin the back-fill anew",
        ) from None
