"""What changed in a table: by change tracking where the table has it, else by the time of change.

Source: reference/dataverse-api.md section 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import ROOT, is_guid, to_text
from tagline.connectors.odata.cursors import Cursor, Round
from tagline.connectors.odata.session import MAX_PAGES
from tagline.connectors.odata.versions import etag_of
from tagline.connectors.unread import unread_row
from tagline.domain.exchange import Change, Changes, Unread
from tagline.domain.model import Model

TRACKED: Final = "odata.track-changes"
PLAIN: Final = "odata.maxpagesize=5000"
"""Rows by their time of change; pages are followed with the preference they began with."""

OVERLAP: Final = timedelta(minutes=10)
"""
How far before a known instant a reread begins.

Covers rows that were stamped and committed later (a transaction lasts two minutes at most) and a clock of ours that is
ahead of the organisation's (beyond five minutes nobody could sign in).
"""

EXPIRED: Final = (400, 410)
"""
Answers to a link of ours that is no longer good. Which of the two an expired token gets is not documented; whatever else
is wrong with a link, a new one and a reread are safe, and trouble of another cause meets them too.
"""


def read_changes(session: Session, model: type[Model], cursor: str | None) -> Changes:
    """
    One page of changes, deletions included where the table tracks them.

    A cursor of None starts now: the rows are listed once, by id alone and without telling of any, for the link behind
    the last page. A link that expired is replaced by a new one, and the rows changed since the old one was last good are
    read by their time of change: nothing is skipped, except that a deletion in that gap leaves no trace. Reading the
    keys that the caller knows tells of those.

    A row may be told of twice, never skipped; one without an id is told of as unread. Its version is its ETag.
    """
    now = session.clock.now()
    if cursor is None:
        start = Cursor(model.remote.entity, now)
        return Changes((), start.ended(_delta_link(session, model)).text(), more=False)
    at = Cursor.of(cursor, model.remote.entity).begun(now)
    link = at.page or (at.delta if at.round is Round.DELTA else "")
    page = _follow(session, model, link, at.round) if link else None
    if link and page is None:
        delta = _delta_link(session, model) if at.round is Round.DELTA else at.delta
        at = at.rereading(delta, now)
    if page is None:
        page = session.get(_by_time(model, at.good_at), _doing(model), PLAIN)
    return _told(session, model, at, page)


def _told(session: Session, model: type[Model], at: Cursor, page: Mapping[str, Any]) -> Changes:
    doing = _doing(model)
    items, unread = _sorted(model, session.items_of(page, doing))
    link = page.get("@odata.nextLink")
    if isinstance(link, str):
        if link == at.page or at.pages >= MAX_PAGES:
            session.malformed(f"{doing}: its pages do not end")
        return Changes(items, at.at_page(link).text(), more=True, unread=unread)
    if at.round is Round.REREAD:
        # The rest of what happened since the reread began stands behind the link, if there is one.
        return Changes(items, at.ended(at.delta).text(), more=bool(at.delta), unread=unread)
    return Changes(items, at.ended(_delta_of(session, page, doing)).text(), more=False, unread=unread)


def _follow(session: Session, model: type[Model], link: str, of: Round) -> Mapping[str, Any] | None:
    """The page at a link; None where the link is no longer good."""
    answer = session.send("GET", link, {"Prefer": TRACKED if of is Round.DELTA else PLAIN})
    if answer.status in EXPIRED:
        return None
    session.judge(answer, _doing(model))
    return session.object_of(answer.json({"connection": session.name}), _doing(model))


def _delta_link(session: Session, model: type[Model]) -> str:
    """A link that tells what changes from now on; empty where the table does not track its changes."""
    remote = model.remote
    doing = f"starting to follow {remote.collection}"
    table = session.get(
        f"{ROOT}/EntityDefinitions(LogicalName='{remote.entity}')?$select=ChangeTrackingEnabled", doing
    )
    if table.get("ChangeTrackingEnabled") is not True:
        return ""
    page = session.get(f"{ROOT}/{remote.collection}?$select={remote.primary_id}", doing, TRACKED)
    for _ in range(MAX_PAGES):
        link = page.get("@odata.nextLink")
        if not isinstance(link, str):
            return _delta_of(session, page, doing)
        page = session.get(link, doing, TRACKED)
    return session.malformed(f"{doing}: its pages do not end")


def _delta_of(session: Session, page: Mapping[str, Any], doing: str) -> str:
    delta = page.get("@odata.deltaLink")
    if not isinstance(delta, str):
        session.malformed(f"{doing}: its last page has no link to what comes after it")
    return delta


def _doing(model: type[Model]) -> str:
    return f"reading changed {model.remote.collection}"


def _by_time(model: type[Model], good_at: datetime) -> str:
    remote = model.remote
    since = to_text(good_at - OVERLAP)
    return (
        f"{ROOT}/{remote.collection}?$select={remote.primary_id}"
        f"&$filter={quote(f'modifiedon ge {since}')}&$orderby={quote(f'modifiedon,{remote.primary_id}', safe=',')}"
    )


def _sorted(model: type[Model], rows: Sequence[Any]) -> tuple[tuple[Change, ...], tuple[Unread, ...]]:
    """Rows that name a record, and those that do not."""
    items: list[Change] = []
    unread: list[Unread] = []
    for raw in rows:
        if change := _change(model, raw):
            items.append(change)
        else:
            column = "id" if _is_gone(model, raw) else model.remote.primary_id
            value = raw.get(column) if isinstance(raw, Mapping) else None
            unread.append(unread_row(raw, column, value, items[-1].key if items else ""))
    return tuple(items), tuple(unread)


def _change(model: type[Model], raw: Any) -> Change | None:
    if not isinstance(raw, Mapping):
        return None
    is_gone = _is_gone(model, raw)
    found = raw.get("id" if is_gone else model.remote.primary_id)
    if not is_guid(found):
        return None
    return Change(model, str(found), "" if is_gone else etag_of(raw) or "", is_gone=is_gone)


def _is_gone(model: type[Model], raw: Any) -> bool:
    return isinstance(raw, Mapping) and model.remote.primary_id not in raw and "reason" in raw
