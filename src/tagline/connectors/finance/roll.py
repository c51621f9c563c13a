"""Which rows an entity holds, page by page, for a back-fill."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from tagline.connectors.finance.entities import Entity, Noticing, entity_of
from tagline.connectors.finance.session import Session
from tagline.connectors.finance.wire import CROSS, ROOT, of_company, row_id, select, within
from tagline.connectors.odata import roll
from tagline.domain.exchange import Days, Listed
from tagline.domain.model import Model
from tagline.errors import UsageError


def keys(session: Session, company: str, model: type[Model], days: Days, position: str | None) -> Listed:
    """
    A page of ids, in the order of the entity's key.

    Days are those of UTC, by the date that the entity's rows have. Rows deleted while pages are read may hide others,
    since Finance may count pages off.
    """
    entity = entity_of(model)
    order = f"$orderby={','.join(entity.key)}"
    parts = (CROSS, _test(session, company, entity, days), order, select(entity, ()))
    first = f"{ROOT}/{model.remote.collection}?{'&'.join(filter(None, parts))}"
    return roll.page(
        session,
        first,
        position,
        lambda raw: row_id(entity, raw),
        doing=f"listing {model.remote.collection}",
    )


def count(session: Session, company: str, model: type[Model], days: Days) -> int:
    entity = entity_of(model)
    doing = f"counting {model.remote.collection}"
    parts = (CROSS, _test(session, company, entity, days), select(entity, ()), "$count=true&$top=1")
    told = session.get(f"{ROOT}/{model.remote.collection}?{'&'.join(filter(None, parts))}", doing)
    found = told.get("@odata.count")
    if isinstance(found, bool) or not isinstance(found, int):
        session.malformed(f"{doing}: it holds no count")
    return found


def _test(session: Session, company: str, entity: Entity, days: Days) -> str:
    if entity.noticing is Noticing.WITH_OWNER:
        raise _not_supported(session, entity, "listed without the row they belong to")
    if days == Days():
        return of_company(entity, company)
    if not entity.dated_by:
        raise _not_supported(session, entity, "listed by the day they were made")
    start, end = days.since, days.until
    return within(
        entity,
        company,
        entity.dated_by,
        None if start is None else datetime.combine(start, time(), UTC),
        None if end is None else datetime.combine(end, time(), UTC) + timedelta(days=1),
    )


def _not_supported(session: Session, entity: Entity, doing: str) -> UsageError:
    return UsageError(
        f"rows of {entity.model.remote.entity} cannot be {doing}",
        code="not-supported",
        where={"connection": session.name, "entity": entity.model.remote.entity},
        hint="name their keys, or list all of them",
    )
