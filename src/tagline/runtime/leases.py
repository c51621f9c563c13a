"""
Which worker has which records: partitions of an integration, leased by the workers of all its agents.

A record belongs to the partition that its key gives it, and a partition to one worker at a time, so that the order per key is
kept whatever the number of machines. Nobody's clock is compared with another's: a worker counts its beats in its row, and is
taken for dead by whoever has seen the same count for `DEAD_AFTER`. A worker that was taken for dead in error writes nothing
more: the journal looks for its lease in the transaction that notes the intent.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.errors import RefusedError
from tagline.runtime import inbox
from tagline.runtime.database import Database, insert
from tagline.runtime.partitions import ALL, partition_of
from tagline.runtime.tables import leases, workers

BEAT: Final = timedelta(seconds=5)
DEAD_AFTER: Final = timedelta(seconds=20)
"""Four beats: a pause of the machine or of the database costs no take-over."""


def shares(holders: Iterable[str]) -> Mapping[str, frozenset[int]]:
    """
    The partitions of each worker: rendezvous hashing, so that one who comes or goes moves only its own.

    Each partition goes to the worker with the highest hash; everybody who knows the same workers finds the same shares.
    """
    names = sorted(set(holders))
    dealt: dict[str, set[int]] = {name: set() for name in names}
    for partition in ALL if names else ():
        dealt[max(names, key=lambda name: (_weight(name, partition), name))].add(partition)
    return {name: frozenset(mine) for name, mine in dealt.items()}


def _weight(name: str, partition: int) -> bytes:
    return hashlib.sha256(f"{name} {partition}".encode()).digest()


@dataclass(frozen=True)
class Beat:
    """How far a worker's count was, and since when an observer has seen it so."""

    count: int
    since: datetime


def observed(before: Mapping[str, Beat], counts: Mapping[str, int], now: datetime) -> Mapping[str, Beat]:
    """What an observer knows of the others' beats after it has looked again."""
    return {
        name: before[name] if name in before and before[name].count == count else Beat(count, now)
        for name, count in counts.items()
    }


def dead(beats: Mapping[str, Beat], now: datetime) -> frozenset[str]:
    """Workers whose count has stood still for too long."""
    return frozenset(name for name, beat in beats.items() if now - beat.since >= DEAD_AFTER)


class Leases:
    """
    The leases of one worker.

    Args:
        holder: Names the worker among those of all agents, the same in each of its lives: the next one takes at once what
            the one before it had, and that one writes nothing more if it should still live.
    """

    def __init__(self, database: Database, integration: str, holder: str, clock: Clock) -> None:
        self.holder = holder
        self._life = ""
        self._database = database
        self._integration = integration
        self._clock = clock
        self._beats: Mapping[str, Beat] = {}
        self._held: frozenset[int] = frozenset()
        self._balanced_at: datetime | None = None

    @property
    def held(self) -> frozenset[int]:
        """The partitions this worker has, as of its last look."""
        return self._held

    def begin(self) -> None:
        """Take part; what an earlier life of this worker had in hand goes back to the inbox, and counts as a crash."""
        life = secrets.token_hex(8)
        with self._database.write() as conn:
            gone = [self.holder]
            if not self._database.place.is_shared:
                # On a file of one machine there is one worker, and no heart has to beat: the others' lives have ended.
                gone += [name for name in self._counts(conn) if name != self.holder]
            inbox.release_claims(conn, self._integration, gone)
            self._forget(conn, gone)
            conn.execute(
                sa.insert(workers).values(
                    integration=self._integration, holder=self.holder, life=life, beats=0
                )
            )
        self._life = life
        self.balance()

    def beat(self) -> None:
        """Say that this worker lives; on a shared database, every `BEAT`."""
        with self._database.beside() as conn:
            conn.execute(sa.update(workers).where(*self._mine()).values(beats=workers.c.beats + 1))

    def balance(self) -> frozenset[int]:
        """
        Bury the dead, give up what is another's share, take what is free of the own; returns the partitions held.

        Only between batches: what is given up may not be in hand.

        Raises:
            RefusedError: This worker was taken for dead (code `lease-lost`); `begin` takes part again.
        """
        now = self._clock.now()
        with self._database.write() as conn:
            self._check_life(conn)
            counts = self._counts(conn)
            others = {name: count for name, count in counts.items() if name != self.holder}
            self._beats = observed(self._beats, others, now)
            gone = sorted(dead(self._beats, now))
            inbox.release_claims(conn, self._integration, gone)
            self._forget(conn, gone)
            mine = shares({*counts} - {*gone})[self.holder]
            here = leases.c.integration == self._integration
            conn.execute(
                sa.delete(leases).where(
                    here, leases.c.holder == self.holder, leases.c.partition.not_in(sorted(mine))
                )
            )
            if mine:
                rows = [
                    {"integration": self._integration, "partition": each, "holder": self.holder}
                    for each in sorted(mine)
                ]
                conn.execute(
                    insert(conn, leases).on_conflict_do_nothing(index_elements=["integration", "partition"]),
                    rows,
                )
            held = conn.execute(
                sa.select(leases.c.partition).where(here, leases.c.holder == self.holder)
            ).scalars()
            self._held = frozenset(held)
        self._balanced_at = now
        return self._held

    def next_balance(self) -> datetime | None:
        """When to balance again; None where nobody else can be."""
        if not self._database.place.is_shared:
            return None
        return self._clock.now() if self._balanced_at is None else self._balanced_at + BEAT

    def end(self) -> None:
        """Leave; what this worker had is free at once. Nothing may be in hand."""
        self._held = frozenset()
        with self._database.write() as conn:
            if conn.execute(sa.select(workers.c.beats).where(*self._mine())).first():
                inbox.release_claims(conn, self._integration, [self.holder], crashed=False)
                self._forget(conn, [self.holder])

    def check(self, conn: sa.Connection, records: Iterable[str]) -> None:
        """
        Refuse, in the transaction that would write, what another worker may have taken over.

        Args:
            records: Keys of the records about to be written for.

        Raises:
            RefusedError: The lease of one of them is not this worker's (code `lease-lost`).
        """
        self._check_life(conn)
        wanted = sorted({partition_of(record) for record in records})
        held = conn.execute(
            sa.select(sa.func.count()).where(
                leases.c.integration == self._integration,
                leases.c.holder == self.holder,
                leases.c.partition.in_(wanted),
            )
        ).scalar_one()
        if held != len(wanted):
            raise self._lost()

    def _check_life(self, conn: sa.Connection) -> None:
        if conn.execute(sa.select(workers.c.beats).where(*self._mine())).first() is None:
            raise self._lost()

    def _lost(self) -> RefusedError:
        self._held, self._balanced_at = frozenset(), None
        return RefusedError(
            f"worker {self.holder} was taken for dead, and its records are another one's now",
            code="lease-lost",
            where={"worker": self.holder, "integration": self._integration},
            hint="nothing was written; it takes part again by itself. See whether its machine or the database stood still",
        )

    def _mine(self) -> Sequence[sa.ColumnElement[bool]]:
        return (
            workers.c.integration == self._integration,
            workers.c.holder == self.holder,
            workers.c.life == self._life,
        )

    def _counts(self, conn: sa.Connection) -> Mapping[str, int]:
        query = sa.select(workers.c.holder, workers.c.beats).where(workers.c.integration == self._integration)
        return {row.holder: row.beats for row in conn.execute(query)}

    def _forget(self, conn: sa.Connection, holders: Sequence[str]) -> None:
        for table in (leases, workers):
            conn.execute(
                sa.delete(table).where(table.c.integration == self._integration, table.c.holder.in_(holders))
            )
