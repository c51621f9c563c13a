"""
The state database as the runtime uses it: each method is one transaction.

What the methods do to the tables stands in `inbox`, `dead_letters` and `sql_journal`; here they are put together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.connectors.pace import Lane
from tagline.domain.exchange import Change, Changes, Unread
from tagline.domain.lifecycle import Deployment
from tagline.errors import RecordError, TaglineError
from tagline.runtime import inbox, names
from tagline.runtime.back_fills import BackFills
from tagline.runtime.database import Database, insert
from tagline.runtime.dead_letters import DeadLetters, Refused, bury, resolve
from tagline.runtime.images import Images
from tagline.runtime.inbox import Dead, Done, Finished, Hint, InboxRow, Later
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.names import Named
from tagline.runtime.notices import notify
from tagline.runtime.overrides import Overrides
from tagline.runtime.partitions import ALL
from tagline.runtime.places import Place, PostgresSchema
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

UNSWEPT: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When a sweep began that has not come to its end yet, and is the flow's first."""


@dataclass(frozen=True)
class Active:
    """What runs now for one integration."""

    deployment: Deployment
    fence: int
    """Grows with every activation; a journal with an older one is refused."""
    routes: Routes


@dataclass(frozen=True)
class Cursor:
    """Where the next sweep of a flow starts."""

    value: str
    updated: datetime
    """When the last whole sweep began, or `UNSWEPT`: what the next due time is counted from."""


class Store:
    """One state database; made by `Store.open`, closed by `close`."""

    def __init__(self, database: Database, images: Images, clock: Clock) -> None:
        self.database = database
        self.images = images
        self.clock = clock
        self.dead_letters = DeadLetters(database, images, clock)
        self.overrides = Overrides(database, images, clock)
        self.back_fills = BackFills(database, clock)

    @classmethod
    def open(cls, where: Path | Place, *, ring: KeyRing, clock: Clock) -> Store:
        """
        Open or create the state database.

        Args:
            where: A path means a SQLite file; its folder is made.
            ring: Keys of the images.

        Raises:
            UsageError: `state-newer`, `state-not-a-database`.
            TryAgainError: `state-unavailable`.
        """
        return cls(Database.open(where), Images(ring), clock)

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
                insert(conn, deployments)
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
            added = inbox.receive(conn, hints, self.clock.now())
            if isinstance(self.database.place, PostgresSchema):
                for integration in sorted({hint.integration for hint in hints}):
                    notify(conn, self.database.place, integration)
        return added

    def ready(
        self,
        integration: str,
        now: datetime,
        limit: int,
        lane: Lane = Lane.LIVE,
        partitions: Collection[int] = ALL,
        without: Collection[str] = (),
    ) -> Sequence[InboxRow]:
        """
        Waiting rows of a lane and of these partitions that are due at `now`, oldest due first, at most one a record.

        Args:
            without: Names of flows whose rows are left where they are.
        """
        with self.database.read() as conn:
            return inbox.ready(conn, integration, now, limit, lane, partitions, without)

    def next_due(
        self,
        integration: str,
        *lanes: Lane,
        partitions: Collection[int] = ALL,
        without: Collection[str] = (),
    ) -> datetime | None:
        """When the earliest waiting row of these lanes, or of all, is due, but for those of some flows; it may be past."""
        with self.database.read() as conn:
            found = [inbox.next_due(conn, integration, lane, partitions, without) for lane in lanes or Lane]
        return min((due for due in found if due is not None), default=None)

    def claim(self, ids: Sequence[int], holder: str) -> Sequence[InboxRow]:
        """Take rows in hand for a worker; what ended or was taken meanwhile is left out."""
        with self.database.write() as conn:
            return inbox.claim(conn, ids, holder)

    def finish(
        self,
        finished: Sequence[Finished],
        *,
        holder: str,
        deployment: str,
        read_at: datetime,
        named: Sequence[Named] = (),
    ) -> Sequence[Finished]:
        """
        Record how rows in hand ended: rows, dead letters and seen versions in one commit.

        Args:
            holder: The worker that ran them.
            deployment: Of that worker.
            read_at: An instant before their source was read.
            named: What the records that were read are called.

        Returns:
            What was recorded: rows that ended before, or that another worker took over, stay as they are.
        """
        now = self.clock.now()
        with self.database.write() as conn:
            mine = inbox.in_hand(conn, [f.row.id for f in finished], holder)
            finished = [f for f in finished if f.row.id in mine]
            inbox.end(conn, finished, deployment, now)
            inbox.remember(conn, [f.row for f in finished if not isinstance(f, Later)], read_at)
            refused = [
                Refused(f.row.integration, f.row.flow, f.row.key, f.row.connection, f.error)
                for f in finished
                if isinstance(f, Dead)
            ]
            bury(conn, refused, deployment, now)
            resolve(conn, [f.row for f in finished if isinstance(f, Done)])
            names.remember(conn, named)
        return finished

    def reject(self, integration: str, flow: str, key: str, error: TaglineError) -> None:
        """Open a dead letter for what never became a row, for example an unreadable webhook."""
        with self.database.write() as conn:
            _bury(conn, [Refused(integration, flow, key, "", error)], self.clock.now())

    def check(self) -> None:
        """
        Prove that the database takes a write now.

        Raises:
            TryAgainError: It does not (code `state-unavailable`).
        """
        with self.database.write() as conn:
            # A page is really written: taking the lock alone succeeds on a full or read-only disk.
            conn.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))

    def cursor(self, integration: str, flow: str) -> Cursor | None:
        query = sa.select(cursors.c.value, cursors.c.updated).where(
            cursors.c.integration == integration, cursors.c.flow == flow
        )
        with self.database.read() as conn:
            row = conn.execute(query).one_or_none()
        return None if row is None else Cursor(row.value, row.updated)

    def sweep(
        self, integration: str, flow: str, connection: str, page: Changes, *, begun_at: datetime | None = None
    ) -> int:
        """
        Take in one page of changes: hints for what no run has seen, and the cursor, in one commit.

        A row that names no record becomes a dead letter, once; whatever a person made of that letter stands.

        Args:
            begun_at: When the sweep began whose last page this is; None while more pages follow, so that a sweep that breaks
                off stays due.

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
            _set_aside(conn, integration, flow, connection, page.unread, now)
            whole = {} if begun_at is None else {"updated": begun_at}
            position = {"value": page.cursor, **whole}
            conn.execute(
                insert(conn, cursors)
                .values(integration=integration, flow=flow, **{"updated": UNSWEPT, **position})
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


def _bury(conn: sa.Connection, refused: Sequence[Refused], now: datetime) -> None:
    """Open letters for what never became a row, in the name of the deployment that runs; all of one integration."""
    running = sa.select(deployments.c.id).where(
        deployments.c.integration == refused[0].integration, deployments.c.state == "active"
    )
    bury(conn, refused, conn.execute(running).scalar() or "", now)


def _set_aside(
    conn: sa.Connection,
    integration: str,
    flow: str,
    connection: str,
    rows: Sequence[Unread],
    now: datetime,
) -> None:
    """Open a letter for each row that was not found before."""
    by_key = {f"unread-{row.mark}": row for row in rows}
    known = _seen(conn, integration, flow, list(by_key))
    new = {key: row for key, row in by_key.items() if key not in known}
    if not new:
        return
    _bury(conn, [Refused(integration, flow, k, connection, _unnamed(row)) for k, row in new.items()], now)
    conn.execute(
        insert(conn, seen),
        [
            {"integration": integration, "flow": flow, "key": key, "version": row.mark, "read_at": now}
            for key, row in new.items()
        ],
    )


def _unnamed(row: Unread) -> RecordError:
    place = f"{row.field}: " if row.field else ""
    return RecordError(
        f"a row of the source's list names no record ({place}{row.reason})",
        code="row-without-id",
        hint="find the record at its source and correct it there, then discard this letter: the sweep reads it when it changes",
        details=({"field": row.field, "reason": row.reason},),
    )


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
