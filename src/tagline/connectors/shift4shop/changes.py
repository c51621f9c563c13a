"""
What changed in the shop since a cursor, in the way that each model allows; `resources.py` says which.

By day and by time the cursor stays behind the clock and moves only at the end of a round, so that neither a change during
paging nor a shop clock a little behind ours is lost. The shop has no snapshot, but rows stand in the order of their ids, and
the filter lets them join a round, not leave it; only deletion moves rows forward. So each page begins at the last row of the
one before: where that row is not on it, the round starts anew, a few times at most.

A round that met trouble is not taken for complete, though all its rows may have come in the end: the cursor is held, and the
next round reads the same stretch again, for a day at most from the first such round on. A row that the shop then still does
not hand out is passed over, which is logged; it is found again when it next changes.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.shift4shop.cursors import (
    PATIENCE,
    RESTARTS,
    DayCursor,
    DigestCursor,
    Place,
    TimeCursor,
    filter_from,
)
from tagline.connectors.shift4shop.models.product import lifted
from tagline.connectors.shift4shop.paging import all_rows
from tagline.connectors.shift4shop.parse import to_instant
from tagline.connectors.shift4shop.resources import Noticing, Resource, not_supported
from tagline.connectors.shift4shop.salvage import Stretch, name_of, read_stretch
from tagline.connectors.shift4shop.store import Store, address_of_row
from tagline.connectors.unread import unread_row
from tagline.domain.exchange import Change, Changes, Unread
from tagline.domain.scrub import scrub

log = logging.getLogger("tagline.shift4shop")

BEHIND_BY_DAY: Final = timedelta(hours=1)
BEHIND_BY_TIME: Final = timedelta(minutes=5)
"""How far a cursor stays behind our clock. What it makes come twice is known by its version."""


def changes(store: Store, resource: Resource, now: datetime, cursor: str | None) -> Changes:
    """
    Read one page of changes; without a cursor only where to begin.

    Raises:
        UsageError: The model's changes are those of the record it stands in (code `not-supported`).
    """
    match resource.noticing:
        case Noticing.BY_DAY:
            return _by_day(store, resource, now - BEHIND_BY_DAY, cursor)
        case Noticing.BY_TIME:
            return _by_time(store, resource, now - BEHIND_BY_TIME, cursor)
        case Noticing.BY_COMPARING:
            return _by_comparing(store, resource, now, cursor)
        case Noticing.WITH_OWNER:
            raise not_supported(store.name, f"sweeping {resource.name} by themselves")


def _by_day(store: Store, resource: Resource, now: datetime, cursor: str | None) -> Changes:
    """The shop filters by day, so that each round reads its day again; whoever asks remembers what it has seen."""
    today = now.astimezone(store.zone).date()
    if cursor is None:
        return Changes((), DayCursor(today, today).text(), more=False)
    at = DayCursor.of(cursor, today)
    page = _changed(store, resource, f"{at.day:%m/%d/%Y}", at.place)
    return _moved(store, resource, page, at.at(page.behind), now)


def _by_time(store: Store, resource: Resource, now: datetime, cursor: str | None) -> Changes:
    if cursor is None:
        return Changes((), TimeCursor(now, now).text(), more=False)
    at = TimeCursor.of(cursor, now)
    page = _changed(store, resource, filter_from(at.since, store.zone), at.place)
    return _moved(store, resource, page, at.at(page.behind), now)


def _moved(
    store: Store, resource: Resource, page: Page, at: DayCursor | TimeCursor, now: datetime
) -> Changes:
    """A page with the cursor behind it."""
    if not page.is_last:
        return Changes(page.items, at.text(), more=True, unread=page.unnamed)
    following = at.ended(now)
    if at.place.has_trouble and following.place.until is None:
        log.error(
            "%s: reading changed %s met trouble in every round of %s; what was not read is passed over until it changes again",
            store.name,
            resource.name,
            PATIENCE,
        )
    return Changes(page.items, following.text(), more=False, unread=page.unnamed)


def _changed(store: Store, resource: Resource, since: str, place: Place) -> Page:
    return read_page(store, resource, {"lastupdatestart": since}, f"changed {resource.name}", place)


@dataclass(frozen=True)
class Page:
    """Rows of a list from a place on."""

    items: tuple[Change, ...]
    behind: Place
    """The place behind them."""
    is_last: bool
    """Whether the round ends there."""
    unread: int
    """Rows between them that the shop did not hand out."""
    unnamed: tuple[Unread, ...]
    """Rows between them that name no record."""


def read_page(store: Store, resource: Resource, query: Mapping[str, str], what: str, place: Place) -> Page:
    """
    The rows of a filtered list from a place on.

    Args:
        what: The rows, for errors, in the plural.
    """

    def ask(position: int, limit: int) -> list[Any]:
        return store.wire.rows(
            resource.path,
            f"reading {what}",
            offset=position,
            limit=limit,
            query=query,
            otherwise=(lambda answer: name_of(answer, resource.id_column)) if limit == 1 else lambda _: None,
        )

    read = read_stretch(ask, place.offset, resource.cap, is_first_known=bool(place.last))
    if read.unread:
        log.warning(
            "%s: %d %s cannot be read, the first at position %d of those of %s",
            store.name,
            len(read.unread),
            what,
            read.unread[0],
            dict(query),
        )
    found: dict[int, Change] = {}
    unnamed: dict[int, Unread] = {}
    before = place.last
    for at, row in read.rows.items():
        if change := to_change(store, resource, row):
            found[at], before = change, change.key
        else:
            unnamed[at] = _unnamed(resource, row, before)
    news = tuple({each.key: each for each in found.values() if each.key != place.last}.values())
    behind, is_last = _place_behind(place, read, {at: change.key for at, change in found.items()})
    # Those behind the place come again with the next page.
    passed = tuple(each for at, each in unnamed.items() if is_last or at < behind.offset)
    return Page(news, behind, is_last, len(read.unread), passed)


def _place_behind(place: Place, read: Stretch, keys: Mapping[int, str]) -> tuple[Place, bool]:
    """
    The place behind a stretch, and whether the round ends there.

    Args:
        keys: By position, of those rows that have one.
    """
    has_trouble = place.has_trouble or read.had_trouble
    last_at, last = max(keys.items(), default=(read.reached, ""))
    # A full page with nothing behind the known row: as many rows joined, or the shop ignores the position.
    is_stuck = bool(place.last) and last == place.last and not read.is_last and not read.had_trouble
    if (place.last and place.last not in keys.values()) or is_stuck:
        if place.restarts < RESTARTS:
            return Place(restarts=place.restarts + 1, until=place.until), False
        return replace(place, has_trouble=True), True
    if last == place.last:
        last_at, last = read.reached, ""
    return replace(place, offset=last_at, last=last, has_trouble=has_trouble), read.is_last


def to_change(store: Store, resource: Resource, row: Any) -> Change | None:
    """A changed record, by its list row; None when the row names no record and so cannot be asked for."""
    address = address_of_row(resource, row)
    if address is None:
        return None
    version = lifted(row).get("LastUpdate")
    try:
        at = to_instant(version, store.zone)
    except ValueError:
        at = None
    if "LastUpdate" not in resource.model.model_fields:
        version = _digest(row)
    return Change(resource.model, str(address), version if isinstance(version, str) else "", at)


def _unnamed(resource: Resource, row: Any, after: str = "") -> Unread:
    value = lifted(row).get(resource.id_column) if isinstance(row, Mapping) else None
    return unread_row(row, resource.id_column, value, after)


def _by_comparing(store: Store, resource: Resource, now: datetime, cursor: str | None) -> Changes:
    """Rows that are new or not as their digest says, and those gone; the cursor is what all of them are like now."""
    query = {}
    if resource.window is not None:
        query = {"datestart": f"{(now - resource.window).astimezone(store.zone):%m/%d/%Y}"}
    listed = all_rows(store, resource, resource.path, query)
    digests = {str(address): _digest(row) for address, row in listed if address is not None}
    before = DigestCursor.of(cursor).digests if cursor is not None else {}
    unnamed = tuple(_unnamed(resource, row) for address, row in listed if address is None)
    if unnamed:
        # Each row without an id may be one that is known: none is told of as gone.
        digests = {**before, **digests}
    found = DigestCursor(digests).text()
    if cursor is None:
        return Changes((), found, more=False)
    changed = [key for key, digest in digests.items() if before.get(key) != digest]
    # Behind a window rows leave the list by growing old, which is no change.
    gone = [key for key in before if key not in digests] if resource.window is None else []
    items = [Change(resource.model, key, digests.get(key, "")) for key in (*changed, *gone)]
    return Changes(tuple(items), found, more=False, unread=unnamed)


def _digest(row: Mapping[str, Any]) -> str:
    """Of a row as it stands; the shop's order of fields is fixed."""
    return hashlib.sha256(json_values.dump(scrub(row)).encode()).hexdigest()[:12]
