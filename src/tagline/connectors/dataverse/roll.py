"""Which rows a table holds, page by page, for a back-fill."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import quote

from tagline.connectors.dataverse.reader import row_id
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import ROOT
from tagline.connectors.odata import roll
from tagline.domain.exchange import Days, Listed
from tagline.domain.model import Model

PAGE: Final = "odata.maxpagesize=1000"
"""Less than the 5000 that a page may have: between two pages the place is remembered, and others have their turn."""
MAX_COUNT: Final = 5000
"""`$count` counts no further. Source: reference/dataverse-api.md section 5."""


def keys(session: Session, model: type[Model], days: Days, position: str | None) -> Listed:
    """
    A page of primary ids, in the table's own order: each page begins behind the last row of the one before.

    Days are those of UTC, by the time a row was created.
    """
    first = f"{ROOT}/{model.remote.collection}?{_query(model, days)}"
    doing = f"listing {model.remote.collection}"
    return roll.page(
        session, first, position, lambda raw: row_id(session, model, raw), doing=doing, prefer=PAGE
    )


def count(session: Session, model: type[Model], days: Days) -> int | None:
    doing = f"counting {model.remote.collection}"
    url = f"{ROOT}/{model.remote.collection}?{_query(model, days)}&$count=true&$top=1"
    told = session.get(url, doing).get("@odata.count")
    if isinstance(told, bool) or not isinstance(told, int):
        session.malformed(f"{doing}: it holds no count")
    return None if told >= MAX_COUNT else told


def _query(model: type[Model], days: Days) -> str:
    tests = []
    if days.since is not None:
        tests.append(f"createdon ge {days.since}T00:00:00Z")
    if days.until is not None:
        tests.append(f"createdon lt {days.until + timedelta(days=1)}T00:00:00Z")
    filtered = f"&$filter={quote(' and '.join(tests))}" if tests else ""
    return f"$select={model.remote.primary_id}{filtered}"
