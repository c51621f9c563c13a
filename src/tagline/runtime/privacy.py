"""
What data subjects may ask for: everything that is stored about them as one document, and its erasure.

Erasing takes away what records held: images, overrides, notes. It leaves that a record of this key was written to that row at
that time, which is the journal's truth, and holds nothing of a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from tagline.domain.environment import RetentionSection
from tagline.errors import TaglineError
from tagline.runtime.places import Place, SqliteFile
from tagline.runtime.store import Store
from tagline.runtime.subjects import Found, RecordId, Subject, opened, plain
from tagline.runtime.tables import (
    cross_references,
    dead_letters,
    effects,
    inbox,
    letter_notes,
    overrides,
    record_names,
    seen,
)

STEP: Final = 50
"""Records whose contents one transaction erases."""
ERASED: Final = "erased on request of a data subject"


@dataclass(frozen=True)
class Standing:
    """A row of a system of record that still tells of the subject."""

    system: str
    entity: str
    id: str


@dataclass(frozen=True)
class Erasure:
    """What an erasure takes away, or took, and what stays."""

    records: int
    images: int
    overrides: int
    notes: int
    letters: int
    """Dead letters whose text held the subject's value, and names of records that did."""
    in_doubt: int
    """Journal entries whose outcome is not known yet: their images decide it, so they stay until the record has run again."""


@dataclass(frozen=True)
class Account:
    """What a report of an erasure has to say beside what was erased."""

    standing: tuple[Standing, ...]
    sources: tuple[tuple[str, str], ...]
    """(connection, key) of the records, at the system they are read from."""
    backups_until: datetime | None
    """When the last backup with the erased is gone; None where `retention.backup_days` does not say."""


def export(store: Store, found: Found) -> Iterator[Mapping[str, Any]]:
    """Everything stored about each record, ready for JSON."""
    for record in found.records:
        with store.database.read() as conn:
            letters = _rows(conn, dead_letters, "key", record)
            notes = [
                dict(row)
                for row in conn.execute(
                    sa.select(letter_notes).where(letter_notes.c.letter.in_([each["id"] for each in letters]))
                ).mappings()
            ]
            yield {
                "integration": record[0],
                "flow": record[1],
                "key": record[2],
                "effects": [
                    _open(store, row, "before", "after") for row in _rows(conn, effects, "record", record)
                ],
                "dead_letters": letters,
                "notes": [_open(store, row, "text") for row in notes],
                "overrides": [_open(store, row, "value") for row in _rows(conn, overrides, "key", record)],
                "inbox": _rows(conn, inbox, "key", record),
                "seen": _rows(conn, seen, "key", record),
                "names": [row["name"] for row in _rows(conn, record_names, "key", record)],
                "stands_in": _rows(conn, cross_references, "record", record),
            }


def account(store: Store, found: Found, keep: RetentionSection, now: datetime) -> Account:
    """Where the subject still stands when all here is erased; to be asked before, since it reads what is erased."""
    standing: set[Standing] = set()
    sources: set[tuple[str, str]] = set()
    with store.database.read() as conn:
        for record in found.records:
            for row in _rows(conn, cross_references, "record", record):
                standing.add(Standing(row["system"], row["entity"], row["target_id"]))
            for table in (inbox, dead_letters):
                own = _own(table, "key", record)
                told = conn.execute(sa.select(table.c.connection).where(own).distinct()).scalars()
                sources.update((connection, record[2]) for connection in told if connection)
    until = None if keep.backup_days is None else now + timedelta(days=keep.backup_days)
    return Account(
        tuple(sorted(standing, key=lambda s: (s.system, s.entity, s.id))), tuple(sorted(sources)), until
    )


def count(store: Store, found: Found, subject: Subject) -> Erasure:
    """What an erasure would take away now."""
    total = _nothing(found)
    with store.database.read() as conn:
        for record in found.records:
            total = _sum(total, _counted(conn, record, subject))
    return total


def erase(store: Store, found: Found, subject: Subject, by: str) -> Erasure:
    """
    Erase, in transactions of some records; the same call again goes on where one was killed.

    Args:
        by: Who does it, `Name <mail>`; stands beside each erased entry.
    """
    total = _nothing(found)
    for start in range(0, len(found.records), STEP):
        with store.database.write() as conn, _overwriting(conn):
            for record in found.records[start : start + STEP]:
                total = _sum(total, _counted(conn, record, subject))
                _erase(conn, record, subject, by, store.clock.now())
    _forget_log(store.database.place)
    return total


def _erase(conn: sa.Connection, record: RecordId, subject: Subject, by: str, now: datetime) -> None:
    conn.execute(
        sa.update(effects)
        .where(_own(effects, "record", record), _FULL, effects.c.state != "intended")
        .values(before=None, after=None, erased_at=now, erased_by=by)
    )
    put = overrides.c
    mine = _own(overrides, "key", record)
    # One that stands without its value would clear the field at the next run.
    conn.execute(
        sa.update(overrides)
        .where(mine, put.value.is_not(None), put.withdrawn_at.is_(None))
        .values(withdrawn_at=now, withdrawn_by=by)
    )
    conn.execute(sa.update(overrides).where(mine, put.value.is_not(None)).values(value=None))
    conn.execute(
        sa.update(letter_notes)
        .where(
            letter_notes.c.letter.in_(sa.select(dead_letters.c.id).where(_own(dead_letters, "key", record)))
        )
        .values(text=None)
    )
    telling = [row["id"] for row in _telling(conn, record, subject)]
    conn.execute(
        sa.update(dead_letters)
        .where(dead_letters.c.id.in_(telling))
        .values(message=ERASED, hint="", details=[])
    )
    for name in _names(conn, record, subject):
        named = _own(record_names, "key", record)
        conn.execute(sa.delete(record_names).where(named, record_names.c.name == name))


def _counted(conn: sa.Connection, record: RecordId, subject: Subject) -> Erasure:
    def number(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        return int(
            conn.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()
        )

    entries = _own(effects, "record", record)
    full = conn.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(sa.case((effects.c.before.is_not(None), 1), else_=0)), 0)
            + sa.func.coalesce(sa.func.sum(sa.case((effects.c.after.is_not(None), 1), else_=0)), 0)
        ).where(entries, effects.c.state != "intended")
    ).scalar_one()
    letters = sa.select(dead_letters.c.id).where(_own(dead_letters, "key", record))
    return Erasure(
        records=0,
        images=int(full),
        overrides=number(overrides, _own(overrides, "key", record), overrides.c.value.is_not(None)),
        notes=number(letter_notes, letter_notes.c.letter.in_(letters), letter_notes.c.text.is_not(None)),
        letters=len(_telling(conn, record, subject)) + len(_names(conn, record, subject)),
        in_doubt=number(effects, entries, _FULL, effects.c.state == "intended"),
    )


_FULL: Final = sa.or_(effects.c.before.is_not(None), effects.c.after.is_not(None))


def _telling(conn: sa.Connection, record: RecordId, subject: Subject) -> Sequence[Mapping[str, Any]]:
    """The letters of a record whose text holds the subject's value."""
    return [
        row
        for row in _rows(conn, dead_letters, "key", record)
        if any(subject.is_in(str(row[name])) for name in ("message", "hint", "details"))
    ]


def _names(conn: sa.Connection, record: RecordId, subject: Subject) -> Sequence[str]:
    rows = _rows(conn, record_names, "key", record)
    return [row["name"] for row in rows if subject.is_in(row["name"])]


def _own(table: sa.Table, name: str, record: RecordId) -> sa.ColumnElement[bool]:
    return sa.and_(
        *(table.c[n] == value for n, value in zip(("integration", "flow", name), record, strict=True))
    )


def _rows(conn: sa.Connection, table: sa.Table, name: str, record: RecordId) -> list[dict[str, Any]]:
    query = sa.select(table).where(_own(table, name, record)).order_by(*table.primary_key.columns)
    return [dict(row) for row in conn.execute(query).mappings()]


def _open(store: Store, row: Mapping[str, Any], *blobs: str) -> Mapping[str, Any]:
    """A row with its encrypted columns as plain JSON; what cannot be read says so."""
    shown = {name: value for name, value in row.items() if name != "key_id"}
    for name in blobs:
        try:
            shown[name] = plain(opened(store.images, row[name], row["key_id"]))
        except TaglineError as error:
            shown[name] = f"cannot be read: {error.code}"
    return shown


def _nothing(found: Found) -> Erasure:
    return Erasure(len(found.records), 0, 0, 0, 0, 0)


def _sum(one: Erasure, other: Erasure) -> Erasure:
    return Erasure(*(getattr(one, name) + getattr(other, name) for name in Erasure.__dataclass_fields__))


@contextmanager
def _overwriting(conn: sa.Connection) -> Iterator[None]:
    """On SQLite: what is taken away is overwritten in the file, where else only its place would be given free."""
    if conn.dialect.name != "sqlite":
        yield
        return
    conn.exec_driver_sql("PRAGMA secure_delete=ON")
    try:
        yield
    finally:
        conn.exec_driver_sql("PRAGMA secure_delete=OFF")


def _forget_log(place: Place) -> None:
    """Empty SQLite's write-ahead log, which holds pages as they were; waits for readers, as long as any statement does."""
    if not isinstance(place, SqliteFile):
        return
    engine = place.engine()
    try:
        raw = engine.raw_connection()
        cursor = raw.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()
        raw.close()
    finally:
        engine.dispose()
