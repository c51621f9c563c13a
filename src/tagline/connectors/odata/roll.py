"""A collection's rows page by page, where the next page may be asked for by another process, days later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tagline.connectors.odata.session import Session
from tagline.domain.exchange import Listed
from tagline.errors import Disposition, TryAgainError, UsageError

EXPIRED: Final = (400, 410)
"""Answers to a link of ours that is no longer good; the list is then begun anew, which adds no record twice."""
RESTARTS: Final = 3


def page(
    session: Session,
    first: str,
    position: str | None,
    key_of: Callable[[Mapping[str, Any]], str],
    *,
    doing: str,
    prefer: str | None = None,
) -> Listed:
    """
    The page at a position, with the link to the next one as the position behind it.

    Args:
        first: Address of the first page.
        key_of: A row's key as text.

    Raises:
        UsageError: The position is none of ours (code `cursor-unreadable`).
        TryAgainError: Links expired again and again (code `list-moved`).
    """
    link, restarts = _read(position)
    answer = session.send("GET", link or first, {"Prefer": prefer} if prefer else {})
    if link and answer.status in EXPIRED:
        if restarts == RESTARTS:
            raise TryAgainError(
                f"{doing}: the remote took none of {RESTARTS + 1} of its own links to a next page",
                code="list-moved",
                where={"connection": session.name},
                hint="run the same command again, without long stops between",
                disposition=Disposition.RETRY,
            )
        restarts += 1
        answer = session.send("GET", first, {"Prefer": prefer} if prefer else {})
    session.judge(answer, doing)
    told = session.object_of(answer.json({"connection": session.name}), doing)
    keys = [key_of(raw) for raw in session.values_of(told, doing)]
    following = told.get("@odata.nextLink")
    if not isinstance(following, str):
        return Listed(keys, "", more=False)
    if following == link:
        session.malformed(f"{doing}: its pages do not end")
    return Listed(keys, json.dumps({"link": following, "restarts": restarts}), more=True)


def _read(position: str | None) -> tuple[str, int]:
    if not position:
        return "", 0
    try:
        told = json.loads(position)
        return str(told["link"]), int(told["restarts"])
    except (ValueError, TypeError, KeyError):
        raise UsageError(
            "the place in the list cannot be read",
            code="cursor-unreadable",
            hint="it was written by another connector or release; begin the back-fill anew",
        ) from None
