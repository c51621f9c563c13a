"""The effects journal in the state database: intents fenced and encrypted, ends with their cross-references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tagline.domain.exchange import Row, WriteKind
from tagline.errors import Disposition, RefusedError
from tagline.flow.effects import Reversibility, Verb
from tagline.runtime.database import insert
from tagline.runtime.images import key_from_text, to_text
from tagline.runtime.journal import Doubt, Intent, Settled
from tagline.runtime.key_ring import Key
from tagline.runtime.leases import Leases
from tagline.runtime.rotation import sealing_key
from tagline.runtime.store import Store
from tagline.runtime.tables import cross_references, deployments, effects

LOOKED_AT: Final = "looked-at"
"""Code of an entry whose end was found out by looking at the row."""
PLACE: Final = ("integration", "flow", "record", "system", "entity", "target_id")
"""What a cross-reference is about: a record, and a row it stands in."""


class SqlJournal:
    """
    The journal of one deployment's worker; implements `runtime.journal.Journal`.

    Args:
        deployment: Id of the deployment.
        fence: As `Store.activate` gave it out; an older one than the active deployment's is refused.
        leases: Of its worker; what another worker may have taken over is refused. None where there are no other workers.
    """

    def __init__(self, store: Store, deployment: str, fence: int, leases: Leases | None = None) -> None:
        self._database = store.database
        self._images = store.images
        self._clock = store.clock
        self._deployment = deployment
        self._fence = fence
        self._leases = leases

    def intend(self, intents: Sequence[Intent]) -> Sequence[int]:
        if not intents:
            return ()
        # Encrypted before the write lock is taken, under the key that is almost always the active one still.
        guessed = self._images.ring.newest
        columns = [self._columns(intent, guessed) for intent in intents]
        with self._database.write() as conn:
            self._check_fence(conn)
            if self._leases:
                self._leases.check(conn, [intent.record for intent in intents])
            now = self._clock.now()
            key = sealing_key(conn, self._images.ring, now)
            if key != guessed:
                columns = [self._columns(intent, key) for intent in intents]
            query = sa.insert(effects).returning(effects.c.id, sort_by_parameter_order=True)
            stored = conn.execute(query, [{**each, "intended_at": now} for each in columns])
            return tuple(stored.scalars())

    def settle(self, settled: Sequence[Settled]) -> None:
        if not settled:
            return
        now = self._clock.now()
        done = [s for s in settled if s.disposition is Disposition.DONE]
        with self._database.write() as conn:
            conn.execute(
                sa.update(effects)
                .where(effects.c.id == sa.bindparam("entry"))
                .values(
                    state=sa.bindparam("end"),
                    code=sa.bindparam("why"),
                    etag_after=sa.bindparam("etag"),
                    target_id=sa.func.coalesce(sa.bindparam("target"), effects.c.target_id),
                    settled_at=now,
                ),
                [
                    {
                        "entry": s.entry,
                        "end": "done" if s.disposition is Disposition.DONE else "failed",
                        "why": s.code,
                        "etag": s.etag,
                        "target": s.id,
                    }
                    for s in settled
                ],
            )
            self._refer(conn, [s.entry for s in done])

    def in_doubt(self, records: Sequence[str]) -> Sequence[Doubt]:
        """The unsettled entries of these records, also of earlier deployments of the integration."""
        mine = sa.select(deployments.c.integration).where(deployments.c.id == self._deployment)
        with self._database.read() as conn:
            rows = [
                row
                for start in range(0, len(records), 500)
                for row in conn.execute(
                    sa.select(effects)
                    .where(
                        effects.c.integration == mine.scalar_subquery(),
                        effects.c.record.in_(records[start : start + 500]),
                        sa.text("state = 'intended'"),
                    )
                    .order_by(effects.c.id)
                )
            ]
        return [Doubt(row.id, self._intent(row)) for row in sorted(rows, key=lambda row: row.id)]

    def resolve(self, entry: int, happened: bool, row: Row | None = None) -> None:
        with self._database.write() as conn:
            conn.execute(
                sa.update(effects)
                .where(effects.c.id == entry)
                .values(
                    state="happened" if happened else "not-happened",
                    code=LOOKED_AT,
                    target_id=sa.func.coalesce(effects.c.target_id, row.id if row else None),
                    etag_after=row.etag if row and happened else None,
                    settled_at=self._clock.now(),
                )
            )
            if happened:
                self._refer(conn, [entry])

    def _check_fence(self, conn: sa.Connection) -> None:
        active = conn.execute(
            sa.select(deployments.c.fence).where(
                deployments.c.id == self._deployment, deployments.c.state == "active"
            )
        ).scalar()
        if active != self._fence:
            raise RefusedError(
                f"deployment {self._deployment} is no longer the one that runs",
                code="fenced",
                where={"deployment": self._deployment},
                hint="nothing was written; the deployment that runs now takes the record over",
            )

    def _refer(self, conn: sa.Connection, entries: Sequence[int]) -> None:
        """Keep which target rows a record stands in; a deleted row is forgotten."""
        written = conn.execute(
            sa.select(*(effects.c[name] for name in (*PLACE, "key", "kind"))).where(
                effects.c.id.in_(entries), effects.c.target_id.is_not(None)
            )
        ).mappings()
        gone: list[dict[str, Any]] = []
        stands: list[dict[str, Any]] = []
        for row in written:
            place = {name: row[name] for name in PLACE}
            if row["kind"] == WriteKind.DELETE:
                gone.append({f"of_{name}": value for name, value in place.items()})
            else:
                stands.append({**place, "key": row["key"], "written_at": self._clock.now()})
        if stands:
            new = insert(conn, cross_references)
            latest = {"key": new.excluded.key, "written_at": new.excluded.written_at}
            conn.execute(new.on_conflict_do_update(index_elements=PLACE, set_=latest), stands)
        if gone:
            here = (cross_references.c[name] == sa.bindparam(f"of_{name}") for name in PLACE)
            conn.execute(sa.delete(cross_references).where(*here), gone)

    def _columns(self, intent: Intent, key: Key) -> dict[str, Any]:
        return {
            "deployment": intent.deployment,
            "integration": intent.integration,
            "flow": intent.flow,
            "record": intent.record,
            "system": intent.system,
            "entity": intent.entity,
            "verb": intent.verb.value,
            "kind": intent.kind.value,
            "key": to_text(intent.key),
            "target_id": intent.target_id,
            "etag_before": intent.etag,
            "action": intent.action,
            "reversibility": intent.reversibility.value,
            "state": "intended",
            "code": "",
            "before": self._images.seal(intent.before, key),
            "after": self._images.seal(intent.after, key),
            "key_id": key.id,
        }

    def _intent(self, row: sa.Row[Any]) -> Intent:
        return Intent(
            deployment=row.deployment,
            integration=row.integration,
            flow=row.flow,
            record=row.record,
            system=row.system,
            entity=row.entity,
            verb=Verb(row.verb),
            kind=WriteKind(row.kind),
            key=key_from_text(row.key),
            target_id=row.target_id,
            etag=row.etag_before,
            before=self._images.unseal(row.before, row.key_id),
            after=self._images.unseal(row.after, row.key_id) or {},
            action=row.action,
            reversibility=Reversibility(row.reversibility),
        )
