"""
The state database as the runtime uses it: each method is one transaction.

What the methods do to the tables stands in `inbox`, `dead_letters` and `sql_journal`; here they are put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from tagline.clock import Clock
from tagline.domain.exchange import Change, Changes
from tagline.domain.lifecycle import Deployment
from tagline.errors import TaglineError
from tagline.runtime import inbox
from tagline.runtime.database import Database
from tagline.runtime.dead_letters import DeadLetters, Refused, bury, resolve
from tagline.runtime.images import Images
from tagline.runtime.inbox import Dead, Done, Finished, Hint, InboxRow, Later
from tagline.runtime.tables import cursors, deployments, seen
from tagline.runtime.tables import inbox as inbox_table

__all__ = ["Active", "Cursor", "Dead", "Done", "Finished", "Hint", "InboxRow", "Later", "Routes", "Store"]

Routes = Mapping[tuple[str, str], Sequence[str]]
"""(connection, event) -> names of the flows it starts."""

CHANGE_MARGIN: Final = timedelta(seconds=60)
"""
A version counts as seen only when the run read the source this long after the change.

Remotes stamp versions by the second, so a second change may carry the version of the first; the margin also
covers the difference between their clock and ours. Too early a read costs one more comparison, no write.
"""


@dataclass(frozen=True)
class Active:
    """What runs now for one integration."""

    deployment: Deployment
    fence: int
    """Grows with every activation; a journal with an older one is refused."""
    routes: Routes


@dataclass(frozen=True)
class Cursor:
    """Where the next sweep of a flow starts, and when the last one moved it."""

    value: str
    updated: datetime


class Store:
    """One state database; made by `Store.open`, closed by `close`."""

    def __init__(self, database: Database, images: Images, clock: Clock) -> None:
        self.database = database
        self.images = images
        self.clock = clock
        self.dead_letters = DeadLetters(database, clock)

    @classmethod
    def open(cls, path: Path, *, key: bytes, clock: Clock) -> Store:
        """
        Open or create the state database.

        Args:
            path: The SQLite file; its folder is made.
            key: Fernet key that encrypts images.

        Raises:
            UsageError: `state-key-invalid`, `state-newer`, `state-not-a-database`.
            TryAgainError: `state-unavailable`.
        """
        images = Images(key)
        return cls(Database.open(path), images, clock)

    def close(self) -> None:
        self.database.close()

    def activate(self, deployment: Deployment, routes: Routes) -> int:
        """Make this the deployment that runs; returns its fence. The one that runs already keeps its fence."""
        with self.database.write() as conn:
            mine = deployments.c.integration == deployment.integration
            running = conn.execute(
                sa.select(deployments.c.id, deployments.c.fence).where(mine, deployments.c.state == "active")
            ).one_or_none()
            if running is not None and running.id == deployment.id:
                return int(running.fence)
            highest = sa.select(sa.func.coalesce(sa.func.max(deployments.c.fence), 0))
            fence = conn.execute(highest).scalar_one() + 1
            conn.execute(sa.update(deployments).where(mine).values(state="retired"))
            activation = {
                "integration": deployment.integration,
                "version": deployment.version,
                "closure": deployment.closure,
                "decision": deployment.model_dump(mode="json"),
                "fence": fence,
                "state": "active",
                "routes": [[c, e, list(flows)] for (c, e), flows in sorted(routes.items())],
                "activated_at": self.clock.now(),
            }
            conn.execute(
                insert(deployments)
                .values(id=deployment.id, **activation)
                .on_conflict_do_update(index_elements=["id"], set_=activation)
            )
            return int(fence)

    def active(self, integration: str) -> Active | None:
        """The deployment that runs for this integration, if any."""
        query = sa.select(deployments.c.decision, deployments.c.fence, deployments.c.routes).where(
            deployments.c.integration == integration, deployments.c.state == "active"
        )
        with self.database.read() as conn:
            row = conn.execute(query).one_or_none()
        if row is None:
            return None
        return Active(
            Deployment.model_validate(row.decision),
            row.fence,
            {(connection, event): tuple(flows) for connection, event, flows in row.routes},
        )

    def receive(self, hints: Sequence[Hint]) -> int:
        """Store hints in one commit; returns how many rows were added, the rest merged into waiting ones."""
        if not hints:
            return 0
        with self.database.write() as conn:
            return inbox.receive(conn, hints, self.clock.now())

    def ready(self, integration: str, now: datetime, limit: int) -> Sequence[InboxRow]:
        """Waiting rows that are due at `now`, oldest due first, at most one a record."""
        with self.database.read() as conn:
            return inbox.ready(conn, integration, now, limit)

    def next_due(self, integration: str) -> datetime | None:
        """When the earliest waiting row is due; it may be past."""
        with self.database.read() as conn:
            return inbox.next_due(conn, integration)

    def claim(self, ids: Sequence[int], deployment: str) -> Sequence[InboxRow]:
        """Take rows in hand for a deployment's worker; what ended or was taken meanwhile is left out."""
        with self.database.write() as conn:
            return inbox.claim(conn, ids, deployment)

    def release_claims(self, integration: str) -> int:
        """Give back what a dead worker had in hand; only for the one process that works this integration."""
        with self.database.write() as conn:
            return inbox.release_claims(conn, integration)

    def finish(self, finished: Sequence[Finished], *, deployment: str, read_at: datetime) -> None:
        """
        Record how claimed rows ended: rows, dead letters and seen versions in one commit.

        Args:
            deployment: Whose worker ran them.
            read_at: An instant before their source was read.
        """
        now = self.clock.now()
        with self.database.write() as conn:
            inbox.end(conn, finished, deployment, now)
            inbox.remember(conn, [f.row for f in finished if not isinstance(f, Later)], read_at)
            refused = [
                Refused(f.row.integration, f.row.flow, f.row.key, f.row.connection, f.error)
                for f in finished
                if isinstance(f, Dead)
            ]
            bury(conn, refused, deployment, now)
            resolve(conn, [f.row for f in finished if isinstance(f, Done)])

    def reject(self, integration: str, flow: str, key: str, error: TaglineError) -> None:
        """Open a dead letter for what never became a row, for example an unreadable webhook."""
        running = sa.select(deployments.c.id).where(
            deployments.c.integration == integration, deployments.c.state == "active"
        )
        with self.database.write() as conn:
            deployment = conn.execute(running).scalar() or ""
            bury(conn, [Refused(integration, flow, key, "", error)], deployment, self.clock.now())

    def check(self) -> None:
        """
        Prove that the database takes a write now.

        Raises:
            TryAgainError: It does not (code `state-unavailable`).
        """
        with self.database.write() as conn:
            # A page is really written: taking the lock alone succeeds on a full or read-only disk.
            conn.execute(sa.text("PRAGMA user_version = 1"))

    def cursor(self, integration: str, flow: str) -> Cursor | None:
        query = sa.select(cursors.c.value, cursors.c.updated).where(
            cursors.c.integration == integration, cursors.c.flow == flow
        )
        with self.database.read() as conn:
            row = conn.execute(query).one_or_none()
        return None if row is None else Cursor(row.value, row.updated)

    def sweep(self, integration: str, flow: str, connection: str, page: Changes) -> int:
        """
        Take in one page of changes: hints for what no run has seen, and the cursor, in one commit.

        Returns:
            How many changes became hints.
        """
        now = self.clock.now()
        with self.database.write() as conn:
            known = _seen(conn, integration, flow, [change.key for change in page.items])
            hints = [
                Hint(integration, flow, change.key, "sweep", connection, change.version)
                for change in page.items
                if not _is_seen(change, known.get(change.key))
            ]
            inbox.receive(conn, hints, now)
            position = {"value": page.cursor, "updated": now}
            conn.execute(
                insert(cursors)
                .values(integration=integration, flow=flow, **position)
                .on_conflict_do_update(index_elements=["integration", "flow"], set_=position)
            )
        return len(hints)

    def counts(self, integration: str) -> Mapping[str, int]:
        """How many inbox rows are `received`, `done` and `dead`."""
        query = (
            sa.select(inbox_table.c.state, sa.func.count().label("number"))
            .where(inbox_table.c.integration == integration)
            .group_by(inbox_table.c.state)
        )
        with self.database.read() as conn:
            found = {row.state: row.number for row in conn.execute(query)}
        return {state: found.get(state, 0) for state in ("received", "done", "dead")}


@dataclass(frozen=True)
class _Seen:
    version: str
    read_at: datetime


def _seen(conn: sa.Connection, integration: str, flow: str, keys: Sequence[str]) -> Mapping[str, _Seen]:
    found: dict[str, _Seen] = {}
    for start in range(0, len(keys), 500):
        query = sa.select(seen.c.key, seen.c.version, seen.c.read_at).where(
            seen.c.integration == integration,
            seen.c.flow == flow,
            seen.c.key.in_(keys[start : start + 500]),
        )
        found.update((row.key, _Seen(row.version, row.read_at)) for row in conn.execute(query))
    return found


def _is_seen(change: Change, known: _Seen | None) -> bool:
    if known is None or not change.version or known.version != change.version:
        return False
    return change.at is None or known.read_at - change.at >= CHANGE_MARGIN
