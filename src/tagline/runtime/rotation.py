"""
Which key encrypts images, said by the state database to every process, and how one key follows another under load.

The table `keys` is the fence: whoever encrypts reads the active key in the transaction that stores the image, under the write
lock. So from the commit on that makes another key active no image is added under the one before it, on any machine, and what
is left under it can be moved in peace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.errors import RefusedError, TryAgainError, UsageError
from tagline.runtime.database import Database
from tagline.runtime.key_ring import Key, KeyRing, RingFile, make_key
from tagline.runtime.tables import keys, metadata

ACTIVE: Final = "active"
FORMER: Final = "former"
RETIRED: Final = "retired"
UNUSED: Final = "unused"
"""Of a key that stands in the ring and never was active."""
STEP: Final = 300
"""Rows that one transaction moves to the active key; it holds the write lock for some ten milliseconds."""
BREATH_S: Final = 0.01
"""Between two such transactions, so that who waits for the lock gets it."""


@dataclass(frozen=True)
class KeyUse:
    """What is known about one key."""

    id: str
    state: str
    """`active` encrypts, `former` decrypts what is left under it, `retired` has nothing left; `unused` never was active."""
    since: datetime | None
    rows: int
    """Rows that hold something encrypted under it."""
    in_ring: bool
    """Whether the ring of this machine holds it."""


def sealing_key(conn: sa.Connection, ring: KeyRing, now: datetime) -> Key:
    """
    The key that encrypts in this writing transaction; the first to ask makes the ring's newest the active one.

    Raises:
        TryAgainError: The ring of this machine does not hold the active key (code `key-ring-behind`).
    """
    active = _active(conn)
    if active is None:
        _make_active(conn, ring.newest.id, now)
        return ring.newest
    key = ring.get(active)
    if key is None:
        raise _behind(active)
    return key


def check(database: Database, ring: KeyRing) -> None:
    """
    See that a ring holds the key that encrypts now, where there is one yet.

    Raises:
        TryAgainError: It does not (code `key-ring-behind`).
    """
    with database.read() as conn:
        active = _active(conn)
    if active is not None and ring.get(active) is None:
        raise _behind(active)


def rotate(database: Database, ring: KeyRing, file: Callable[[], RingFile], clock: Clock) -> KeyUse:
    """
    Make another key the active one: the ring's first where it never was active before, else a new one.

    The key stands in the ring before it is activated, so that whoever is killed in between leaves a key that the next call
    adopts.

    Args:
        file: The ring's file, asked for where a key has to be made; raises where there is none.

    Raises:
        TryAgainError: The ring does not hold the key that is active now (code `key-ring-behind`).
        RefusedError: A key has to be made and the ring cannot be changed from here (code `key-ring-fixed`).
    """
    ring.reread()
    with database.write() as conn:
        if _active(conn) is None:
            # Nothing was written since keys are counted: the ring's oldest is the one in use until now.
            _make_active(conn, ring.keys[-1].id, clock.now())
        sealing_key(conn, ring, clock.now())
        known = {row.id for row in conn.execute(sa.select(keys.c.id))}
    if ring.newest.id in known:
        new = make_key()
        file().add(new)
        ring.reread()
    else:
        new = ring.newest
    with database.write() as conn:
        _make_active(conn, new.id, clock.now())
    return KeyUse(new.id, ACTIVE, clock.now(), 0, in_ring=True)


def retire(
    database: Database, ring: KeyRing, file: Callable[[], RingFile], identity: str, clock: Clock
) -> int:
    """
    Move what is left under a key to the active one, then take the key out of the ring; the same call again goes on.

    Returns:
        How many rows were moved.

    Raises:
        RefusedError: It is the active key (`key-active`), or the ring cannot be changed from here (`key-ring-fixed`): then
            nothing is left under the key, and its line may be taken out.
        UsageError: Neither the ring nor the database knows it (code `key-unknown`).
        TryAgainError: The ring holds not all it takes (`state-key-wrong`, `key-ring-behind`).
    """
    _stop_using(database, ring, identity, clock.now())
    moved = 0
    for table, blobs in sealed_tables().items():
        while count := _move(database, ring, table, blobs, identity, clock.now()):
            moved += count
            clock.sleep(BREATH_S)
    with database.write() as conn:
        conn.execute(
            sa.update(keys)
            .where(keys.c.id == identity, keys.c.state != RETIRED)
            .values(state=RETIRED, since=clock.now())
        )
    if ring.get(identity) is not None:
        file().remove(identity)
        ring.reread()
    return moved


def status(database: Database, ring: KeyRing) -> Sequence[KeyUse]:
    """Every key that the ring or the database knows, the active one first, then by age."""
    ring.reread()
    held = [key.id for key in ring.keys]
    with database.read() as conn:
        known = {row.id: row for row in conn.execute(sa.select(keys).order_by(keys.c.since.desc()))}
        rows = _rows(conn)
    order = sorted(known, key=lambda identity: known[identity].state != ACTIVE)
    return [
        KeyUse(
            identity,
            known[identity].state if identity in known else FORMER if identity in rows else UNUSED,
            known[identity].since if identity in known else None,
            rows.get(identity, 0),
            identity in held,
        )
        for identity in dict.fromkeys((*order, *held, *sorted(rows)))
    ]


def sealed_tables() -> Mapping[sa.Table, Sequence[sa.Column[Any]]]:
    """The tables that hold something encrypted, each with those columns; the key's id stands beside them as `key_id`."""
    return {
        table: [column for column in table.c if isinstance(column.type, sa.LargeBinary)]
        for table in metadata.sorted_tables
        if "key_id" in table.c
    }


def _active(conn: sa.Connection) -> str | None:
    return conn.execute(sa.select(keys.c.id).where(keys.c.state == ACTIVE)).scalar()


def _make_active(conn: sa.Connection, identity: str, now: datetime) -> None:
    if _active(conn) == identity:
        return
    conn.execute(sa.update(keys).where(keys.c.state == ACTIVE).values(state=FORMER, since=now))
    conn.execute(sa.insert(keys).values(id=identity, state=ACTIVE, since=now))


def _stop_using(database: Database, ring: KeyRing, identity: str, now: datetime) -> None:
    """See that a key is known and not active, and write that down, so that nobody adopts it meanwhile."""
    with database.write() as conn:
        state = conn.execute(sa.select(keys.c.state).where(keys.c.id == identity)).scalar()
        if state == ACTIVE:
            raise RefusedError(
                f"key {identity} is the one that encrypts now",
                code="key-active",
                where={"key": identity},
                hint="`tagline keys rotate` makes another one active; then retire this one",
            )
        if state is not None:
            return
        if ring.get(identity) is None and identity not in _rows(conn):
            raise UsageError(
                f"neither the key ring nor the state database knows key {identity}",
                code="key-unknown",
                where={"key": identity},
                hint="`tagline keys status` shows those they know",
            )
        conn.execute(sa.insert(keys).values(id=identity, state=FORMER, since=now))


def _move(
    database: Database,
    ring: KeyRing,
    table: sa.Table,
    blobs: Sequence[sa.Column[Any]],
    identity: str,
    now: datetime,
) -> int:
    """Encrypt some rows of a table anew, in one transaction; returns how many."""
    own = list(table.primary_key.columns)
    with database.write() as conn:
        query = sa.select(*own, *blobs).where(table.c.key_id == identity).limit(STEP)
        found = conn.execute(query).mappings().all()
        if not found:
            return 0
        old, new = ring.key(identity), sealing_key(conn, ring, now)
        conn.execute(
            sa.update(table)
            .where(*(column == sa.bindparam(f"own_{column.name}") for column in own))
            .values(
                {column.name: sa.bindparam(f"new_{column.name}") for column in blobs} | {"key_id": new.id}
            ),
            [
                {f"own_{column.name}": row[column.name] for column in own}
                | {
                    f"new_{column.name}": None
                    if row[column.name] is None
                    else new.seal(old.unseal(row[column.name]))
                    for column in blobs
                }
                for row in found
            ],
        )
    return len(found)


def _rows(conn: sa.Connection) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    for table, blobs in sealed_tables().items():
        something = sa.or_(*(column.is_not(None) for column in blobs))
        query = sa.select(table.c.key_id, sa.func.count()).where(something).group_by(table.c.key_id)
        for identity, number in conn.execute(query):
            counted[identity] = counted.get(identity, 0) + number
    return counted


def _behind(active: str) -> TryAgainError:
    return TryAgainError(
        f"the key ring of this machine does not hold key {active}, under which the state is encrypted now",
        code="key-ring-behind",
        where={"key": active},
        hint="copy the key ring from the machine where `tagline keys rotate` was run, and work goes on by itself; where `agent.state_key` "
        "was changed, `tagline deploy` again, since workers read the deployed configuration",
    )
