"""
Back-fills: records of a source that a person asks for, listed page by page into the inbox's own lane.

Each page of keys and the place behind it are one commit, so that whoever is killed goes on where it was; a record that
waits already is not added a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.runtime.database import Database, insert
from tagline.runtime.inbox import Hint, receive
from tagline.runtime.tables import back_fills, inbox


@dataclass(frozen=True)
class BackFill:
    """How far the listing of one selection of a flow's records has come."""

    integration: str
    flow: str
    selection: str
    """What was asked for, as text: the same text goes on with the same listing."""
    position: str
    """Where the listing goes on; empty at its start."""
    found: int
    """Records listed so far."""
    added: int
    """Of these, ones that did not wait in the inbox already."""
    unread: int
    """Rows that the source did not hand out."""
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    """When all of it was in the inbox."""


@dataclass(frozen=True)
class Progress:
    """What became of the records of a back-fill since an instant."""

    waiting: int
    done: int
    dead: int


class BackFills:
    """The back-fills of one state database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, integration: str, flow: str, selection: str) -> BackFill:
        """The back-fill of this selection that was not listed to its end, or a new one from the start."""
        now = self._clock.now()
        fresh = BackFill(integration, flow, selection, "", 0, 0, 0, now, now, None)
        with self._database.write() as conn:
            found = conn.execute(sa.select(*_COLUMNS).where(*_of(fresh))).mappings().one_or_none()
            if found is not None and found["ended_at"] is None:
                return BackFill(**found)
            values = {name: getattr(fresh, name) for name in _NAMES}
            conn.execute(
                insert(conn, back_fills)
                .values(**values)
                .on_conflict_do_update(index_elements=_NAMES[:3], set_=values)
            )
        return fresh

    def take_in(
        self,
        fill: BackFill,
        connection: str,
        keys: Sequence[str],
        *,
        position: str,
        unread: int = 0,
        is_last: bool,
    ) -> BackFill:
        """
        Put a page of keys into the inbox and remember the place behind it, in one commit.

        Args:
            connection: Of the flow's source, by the integration's own name.
        """
        now = self._clock.now()
        hints = [
            Hint(fill.integration, fill.flow, key, "back-fill", connection) for key in dict.fromkeys(keys)
        ]
        with self._database.write() as conn:
            added = receive(conn, hints, now)
            behind = replace(
                fill,
                position=position,
                found=fill.found + len(hints),
                added=fill.added + added,
                unread=fill.unread + unread,
                updated_at=now,
                ended_at=now if is_last else None,
            )
            conn.execute(
                sa.update(back_fills)
                .where(*_of(fill))
                .values(**{name: getattr(behind, name) for name in _NAMES[3:]})
            )
        return behind

    def unfinished(self, integration: str, flow: str) -> Sequence[BackFill]:
        """Those that were not listed to their end, oldest first."""
        query = (
            sa.select(*_COLUMNS)
            .where(
                back_fills.c.integration == integration,
                back_fills.c.flow == flow,
                back_fills.c.ended_at.is_(None),
            )
            .order_by(back_fills.c.started_at)
        )
        with self._database.read() as conn:
            return [BackFill(**row) for row in conn.execute(query).mappings()]

    def progress(self, integration: str, flow: str, since: datetime) -> Progress:
        """Of the records that people asked for: how many are not run yet, and how those ended that were run since then."""
        asked = sa.and_(inbox.c.integration == integration, inbox.c.flow == flow, inbox.c.asked)
        ended = sa.and_(asked, inbox.c.ended_at >= since)
        queries = (
            sa.and_(asked, inbox.c.state == "received"),
            sa.and_(ended, inbox.c.state == "done"),
            sa.and_(ended, inbox.c.state == "dead"),
        )
        with self._database.read() as conn:
            counts = [
                conn.execute(sa.select(sa.func.count()).select_from(inbox).where(query)).scalar_one()
                for query in queries
            ]
        return Progress(*counts)


_NAMES: Final = tuple(BackFill.__dataclass_fields__)
_COLUMNS: Final = tuple(back_fills.c[name] for name in _NAMES)


def _of(fill: BackFill) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(back_fills.c[name] == getattr(fill, name) for name in _NAMES[:3])
