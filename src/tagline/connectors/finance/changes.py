"""
What changed in an entity since a cursor.

Finance has no change tracking over OData. Where an environment exposes when a row was modified, that is what is read; rows that never
change are found by their date; all others are compared with what they were like, which alone tells of rows that are gone.

Source: reference/dataverse-api.md section 17.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from tagline.connectors.finance.comparing import MARK, Likeness, digest_of
from tagline.connectors.finance.entities import MODIFIED, Entity, Noticing, entity_of
from tagline.connectors.finance.reader import every_row, rows_by_id
from tagline.connectors.finance.session import Session
from tagline.connectors.finance.wire import CROSS, ROOT, fields_of, named, of_company, row_id, since
from tagline.connectors.odata.cursors import Cursor
from tagline.connectors.unread import unread_row
from tagline.domain.exchange import Change, Changes, Unread
from tagline.domain.model import Model
from tagline.errors import RecordError, UsageError

OVERLAP: Final = timedelta(minutes=10)
"""How far before a known instant reading begins: rows that were stamped and committed later, and a clock of ours that is ahead."""

MAX_COMPARED: Final = 50_000
"""Rows of an entity that are compared; more would take Finance minutes at each sweep."""


def read_changes(session: Session, company: str, model: type[Model], cursor: str | None) -> Changes:
    """
    One page of changes; a cursor of None starts now.

    A row may be told of twice, never skipped; one without an id is told of as unread. Its version is a digest of it. That it is gone is told where rows are compared.

    Raises:
        UsageError: The entity's changes are those of the row it belongs to (code `not-supported`), or it has too many rows to
            compare (code `table-too-large`).
    """
    entity = entity_of(model)
    if entity.noticing is Noticing.WITH_OWNER:
        raise UsageError(
            f"{model.remote.entity} is not swept by itself",
            code="not-supported",
            where={"connection": session.name, "entity": model.remote.entity},
            hint="sweep the order or journal that its rows belong to",
        )
    if cursor is None:
        return _start(session, company, entity)
    if MARK in cursor:
        return _compared(session, company, entity, Likeness.of(cursor, model.remote.entity))
    return _since(session, company, entity, Cursor.of(cursor, model.remote.entity))


def _start(session: Session, company: str, entity: Entity) -> Changes:
    name = entity.model.remote.entity
    if entity.noticing is Noticing.BY_DATE or _exposes_modified(session, entity):
        return Changes((), Cursor(name, session.clock.now()).text(), more=False)
    digests, _ = _digests(session, company, entity)
    return Changes((), Likeness(name, digests).text(), more=False)


def _exposes_modified(session: Session, entity: Entity) -> bool:
    url = f"{ROOT}/{entity.model.remote.collection}?{CROSS}&$select={MODIFIED}&$top=1"
    answer = session.send("GET", url)
    if answer.status == 400:
        return False
    session.judge(answer, _doing(entity))
    return True


def _since(session: Session, company: str, entity: Entity, at: Cursor) -> Changes:
    at = at.begun(session.clock.now())
    url = at.page or _first_page(entity, company, at)
    page = session.get(url, _doing(entity))
    items: list[Change] = []
    unread: list[Unread] = []
    for raw in session.items_of(page, _doing(entity)):
        if isinstance(found := _change(entity, raw, items[-1].key if items else ""), Change):
            items.append(found)
        else:
            unread.append(found)
    link = page.get("@odata.nextLink")
    if not isinstance(link, str):
        return Changes(tuple(items), at.ended("").text(), more=False, unread=tuple(unread))
    if link == at.page:
        session.malformed(f"{_doing(entity)}: its pages do not end")
    return Changes(tuple(items), at.at_page(link).text(), more=True, unread=tuple(unread))


def _first_page(entity: Entity, company: str, at: Cursor) -> str:
    by_date = entity.noticing is Noticing.BY_DATE
    column = entity.dated_by if by_date else MODIFIED
    start = at.good_at - ((entity.window if by_date else None) or OVERLAP)
    order = f"$orderby={','.join((column, *(n for n in entity.key if n != column)))}"
    # The column is asked for, so that a change of nothing that the model has is another version all the same.
    names = _asked(entity) if by_date else (*_asked(entity), MODIFIED)
    test = since(entity, company, column, start)
    return f"{ROOT}/{entity.model.remote.collection}?{CROSS}&{test}&{order}&$select={','.join(names)}"


def _compared(session: Session, company: str, entity: Entity, before: Likeness) -> Changes:
    digests, unread = _digests(session, company, entity)
    if unread:
        # Each of them may be one that is known: none is told of as gone.
        digests = {**before.digests, **digests}
    changed = [
        Change(entity.model, key, version)
        for key, version in digests.items()
        if before.digests.get(key) != version
    ]
    gone = [
        Change(entity.model, key, is_gone=True)
        for key in _gone(session, company, entity, [key for key in before.digests if key not in digests])
    ]
    return Changes((*changed, *gone), Likeness(before.entity, digests).text(), more=False, unread=unread)


def _gone(session: Session, company: str, entity: Entity, missing: Sequence[str]) -> list[str]:
    """
    Which rows that no list names any more are really gone.

    The others have become too old to be listed, or moved between two pages while those were read; such a one is new to the next
    sweep.
    """
    there = rows_by_id(session, company, entity, missing, ())
    return [key for key in missing if key not in there]


def _digests(session: Session, company: str, entity: Entity) -> tuple[Mapping[str, str], tuple[Unread, ...]]:
    """What each row is like by its id, and the rows without one."""
    if entity.window is None:
        test = of_company(entity, company)
    else:
        test = since(entity, company, entity.dated_by, session.clock.now() - entity.window)
    found: dict[str, str] = {}
    unread: list[Unread] = []
    before = ""
    for raw in every_row(session, entity, _asked(entity), test, _doing(entity)):
        change = _change(entity, raw, before)
        if isinstance(change, Unread):
            unread.append(change)
            continue
        found[change.key], before = change.version, change.key
        if len(found) > MAX_COMPARED:
            raise UsageError(
                f"{entity.model.remote.collection} has more than {MAX_COMPARED} rows to compare",
                code="table-too-large",
                where={"connection": session.name, "entity": entity.model.remote.entity},
                hint=f"let the entity expose {MODIFIED}, or start the flow by a business event and sweep something smaller",
            )
    return found, tuple(unread)


def _asked(entity: Entity) -> tuple[str, ...]:
    return named(entity, tuple(fields_of(entity.model)))


def _change(entity: Entity, raw: Any, after: str) -> Change | Unread:
    """
    A row of a list.

    Args:
        after: Key of the record before it.
    """
    if not isinstance(raw, Mapping):
        return unread_row(raw, entity.key[0], None, after)
    for column in entity.key:
        if raw.get(column) is None or (entity.key == (column,) and raw[column] == ""):
            return unread_row(raw, column, raw.get(column), after)
    row = {name: value for name, value in raw.items() if not name.startswith("@")}
    try:
        return Change(entity.model, row_id(entity, raw), digest_of(row))
    except RecordError as error:
        column = error.details[0].get("field", entity.key[0]) if error.details else entity.key[0]
        return unread_row(raw, column, raw.get(column), after)


def _doing(entity: Entity) -> str:
    return f"reading changed {entity.model.remote.collection}"
