"""
Trails: everything that the state database knows about one record, in time order.

A record is followed from either side: by the key it has in its source, by a name people give it, by the id or the alternate
key of a row that it stands in at the target. Every step is by an index, so that a trail is found as fast among millions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from tagline.errors import TaglineError
from tagline.flow.decide import same
from tagline.runtime import notes
from tagline.runtime.database import Database
from tagline.runtime.images import Images, key_from_text
from tagline.runtime.overrides import RecordId
from tagline.runtime.privacy import ERASED
from tagline.runtime.tables import (
    ENDED,
    cross_references,
    dead_letters,
    deployments,
    effects,
    inbox,
    overrides,
    record_names,
)

MOST: Final = 20
"""Records that one row is followed back to; an account has thousands of orders."""
LONGEST: Final = 500
"""Rows of one kind that a record's trail shows, the newest; a record that was run more often has nothing new to tell."""


@dataclass(frozen=True)
class Source:
    """Where a flow's records come from."""

    integration: str
    flow: str
    system: str
    entity: str
    """The remote's singular name."""


@dataclass(frozen=True)
class Sought:
    """What somebody looks for."""

    system: str
    entity: str
    """The remote's singular name."""
    key: str
    """A key of the source, a name, the id of a target's row, or the value of one of its alternate keys."""
    target_keys: tuple[str, ...] = ()
    """That value as each alternate key of the entity, as `images.to_text` writes it."""


@dataclass(frozen=True)
class Change:
    """One field of an effect, before and after; the values stand there only where they are asked for."""

    field: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Step:
    """One thing that happened."""

    at: datetime
    kind: str
    """`deployment`, `event`, `run`, `effect`, `letter`, `note`, `assigned`, `redriven`, `discarded`, `override` or `withdrawn`."""
    record: RecordId | None
    """The source record it is about; None for a deployment."""
    what: str
    outcome: str = ""
    """How it ended, with the code where there is one."""
    deployment: str = ""
    version: str = ""
    """Of the release."""
    author: str = ""
    fields: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Trail:
    """A found trail."""

    records: tuple[RecordId, ...]
    """The source records it follows."""
    rows: tuple[tuple[str, str, str, str], ...]
    """System, entity, id and key of the target rows that these records stand in; of a row that many share, that row's."""
    steps: tuple[Step, ...]
    """Oldest first."""
    more: bool = False
    """Whether the row has more records than are followed."""
    nearest: tuple[str, ...] = field(default=())
    """Where nothing was found: keys that come next to the one that was looked for."""


class Trails:
    """Finds trails in one state database."""

    def __init__(self, database: Database, images: Images) -> None:
        self._database = database
        self._images = images

    def integrations(self) -> Sequence[str]:
        """Names of those that ever ran on this database."""
        query = sa.select(deployments.c.integration).distinct().order_by(deployments.c.integration)
        with self._database.read() as conn:
            return list(conn.execute(query).scalars())

    def follow(self, sought: Sought, sources: Sequence[Source], *, values: bool = False) -> Trail:
        """
        The trail of what is sought; without records, and with the nearest keys, where there is none.

        Args:
            sources: Of the flows that are known here.
            values: Whether changes hold what the fields held.
        """
        own = [s for s in sources if (s.system, s.entity) == (sought.system, sought.entity)]
        with self._database.read() as conn:
            found = list(_as_source(conn, sought.key, own))
            ids = _row_ids(conn, sought)
            records = list(dict.fromkeys((*found, *_as_target(conn, sought, ids))))
            if not records:
                return Trail((), (), (), nearest=tuple(dict.fromkeys(_nearest(conn, sought, own))))
            more, records = len(records) > MOST, records[:MOST]
            if found or len(records) == 1:
                rows = [row for record in records for row in _rows_of(conn, record)]
                steps = [step for record in records for step in self._steps(conn, record, values)]
            else:
                # A row that many records share, a customer for one: what was done to it, not each record's whole life.
                written = _effects_on(conn, sought, ids)
                rows = [(row["system"], row["entity"], row["target_id"], row["key"]) for row in written]
                steps = [
                    self._effect((row["integration"], row["flow"], row["record"]), row, values)
                    for row in written
                ]
            versions = _deployments(conn, {step.deployment for step in steps if step.deployment})
        steps += [
            Step(at, "deployment", None, f"release {version} took over", deployment=name, version=version)
            for name, (version, at) in versions.items()
        ]
        named = [_versioned(step, versions) for step in steps]
        return Trail(tuple(records), tuple(dict.fromkeys(rows)), tuple(sorted(named, key=_order)), more)

    def _steps(self, conn: sa.Connection, record: RecordId, values: bool) -> Iterator[Step]:
        yield from _events(conn, record)
        for row in _of_record(conn, effects, record, effects.c.record):
            yield self._effect(record, row, values)
        letters = list(_of_record(conn, dead_letters, record, dead_letters.c.key))
        for row in letters:
            yield from _letter(record, row)
        numbers = {row["id"]: row for row in letters}
        for note in notes.of(conn, self._images, list(numbers)):
            what = f"letter {note.letter}" + (f": {note.text}" if note.text else "")
            yield Step(note.at, note.what, record, what, author=note.author)
        yield from self._overrides(record, _of_record(conn, overrides, record, overrides.c.key), values)

    def _effect(self, record: RecordId, row: sa.RowMapping, values: bool) -> Step:
        settled = row["settled_at"]
        outcome = {"intended": "in doubt: its answer was never seen"}.get(row["state"], row["state"])
        target = row["target_id"] or row["key"]
        return Step(
            row["intended_at"],
            "effect",
            record,
            f"{row['kind']} {row['system']} {row['entity']} {target}"
            + (f" {row['action']}" if row["action"] else ""),
            outcome
            + (f" ({row['code']})" if row["code"] else "")
            + (f" after {(settled - row['intended_at']).total_seconds():.3f} s" if settled else "")
            + (
                f"; values erased {row['erased_at']:%Y-%m-%d %H:%M:%S}Z by {row['erased_by']}"
                if row["erased_at"]
                else ""
            ),
            row["deployment"],
            fields=self._changes(row, values),
        )

    def _changes(self, row: sa.RowMapping, values: bool) -> tuple[Change, ...]:
        try:
            before = self._images.unseal(row["before"], row["key_id"]) or {}
            after = self._images.unseal(row["after"], row["key_id"]) or {}
        except TaglineError:
            return (Change("(its images cannot be read: their key is gone)"),)
        return tuple(
            Change(name, before.get(name), after.get(name)) if values else Change(name)
            for name in sorted({*before, *after})
            if not (name in before and name in after and same(before[name], after[name]))
        )

    def _overrides(self, record: RecordId, rows: Sequence[sa.RowMapping], values: bool) -> Iterator[Step]:
        # Set anew is one transaction: the former is withdrawn at the instant at which the new one is set.
        earlier = {(row["path"], row["withdrawn_at"]): row["id"] for row in rows}
        later = {(row["path"], row["set_at"]): row["id"] for row in rows}
        for row in rows:
            what = f"override {row['id']}"
            former = earlier.get((row["path"], row["set_at"]), row["id"])
            told = f"{what} in place of {former}" if former < row["id"] else what
            fields = (Change(row["path"], after=self._put(row) if values else None),)
            yield Step(row["set_at"], "override", record, told, author=row["set_by"], fields=fields)
            ended = row["withdrawn_at"]
            if ended is not None and later.get((row["path"], ended), 0) <= row["id"]:
                yield Step(ended, "withdrawn", record, what, author=row["withdrawn_by"])

    def _put(self, row: sa.RowMapping) -> Any:
        """What an override puts in place, or why that cannot be told."""
        if row["value"] is None:
            return ERASED
        try:
            return (self._images.unseal(row["value"], row["key_id"]) or {}).get("value")
        except TaglineError:
            return notes.UNREADABLE


def _as_source(conn: sa.Connection, key: str, sources: Sequence[Source]) -> Iterator[RecordId]:
    """Records that have this key or name, and of which anything is known."""
    for source in sources:
        name = sa.select(record_names.c.key).where(
            record_names.c.name == key,
            record_names.c.integration == source.integration,
            record_names.c.flow == source.flow,
        )
        for candidate in (key, *conn.execute(name.order_by(record_names.c.key).limit(MOST)).scalars()):
            record = (source.integration, source.flow, candidate)
            if any(conn.execute(query).first() for query in _traces(record)):
                yield record


def _traces(record: RecordId) -> Iterator[sa.Select[Any]]:
    """Queries that find one row where there is anything about a record."""
    integration, flow, key = record
    for states in _INBOX_STATES:
        yield (
            sa.select(inbox.c.id)
            .where(inbox.c.integration == integration, inbox.c.flow == flow, inbox.c.key == key, states)
            .limit(1)
        )
    for table, column in (
        (effects, effects.c.record),
        (dead_letters, dead_letters.c.key),
        (overrides, overrides.c.key),
    ):
        yield (
            sa.select(table.c.id)
            .where(table.c.integration == integration, table.c.flow == flow, column == key)
            .limit(1)
        )


def _row_ids(conn: sa.Connection, sought: Sought) -> Sequence[str]:
    """Ids of the rows that the key may mean: itself, in either case, and what stands under it as an alternate key."""
    ids = [sought.key, sought.key.lower(), sought.key.upper()]
    place = cross_references.c
    for key in sought.target_keys:
        query = sa.select(place.target_id).where(
            place.system == sought.system, place.entity == sought.entity, place.key == key
        )
        ids += conn.execute(query.distinct().limit(MOST)).scalars()
    return list(dict.fromkeys(ids))


def _as_target(conn: sa.Connection, sought: Sought, ids: Sequence[str]) -> Iterator[RecordId]:
    """Records that wrote one of these rows, the newest first."""
    for table in (cross_references, effects):
        newest = table.c.written_at if table is cross_references else table.c.id
        query = (
            sa.select(table.c.integration, table.c.flow, table.c.record)
            .where(
                table.c.system == sought.system, table.c.entity == sought.entity, table.c.target_id.in_(ids)
            )
            .order_by(newest.desc())
            .limit(10 * MOST)
        )
        for row in conn.execute(query):
            yield (row.integration, row.flow, row.record)


def _effects_on(conn: sa.Connection, sought: Sought, ids: Sequence[str]) -> Sequence[sa.RowMapping]:
    query = sa.select(effects).where(
        effects.c.system == sought.system, effects.c.entity == sought.entity, effects.c.target_id.in_(ids)
    )
    return conn.execute(query.order_by(effects.c.id.desc()).limit(LONGEST)).mappings().all()[::-1]


def _nearest(conn: sa.Connection, sought: Sought, sources: Sequence[Source]) -> Iterator[str]:
    """Keys on either side of the one that was looked for."""
    for source in sources:
        here = sa.and_(effects.c.integration == source.integration, effects.c.flow == source.flow)
        below = sa.select(effects.c.record).where(here, effects.c.record < sought.key)
        above = sa.select(effects.c.record).where(here, effects.c.record > sought.key)
        for query in (below.order_by(effects.c.record.desc()), above.order_by(effects.c.record)):
            yield from conn.execute(query.limit(1)).scalars()
    place = cross_references.c
    standing = sa.and_(place.system == sought.system, place.entity == sought.entity)
    for key in sought.target_keys:
        before = sa.select(place.key).where(standing, place.key < key).order_by(place.key.desc())
        after = sa.select(place.key).where(standing, place.key > key).order_by(place.key)
        for query in (before, after):
            for text in conn.execute(query.limit(1)).scalars():
                yield ", ".join(str(value) for _, value in key_from_text(text))


def _rows_of(conn: sa.Connection, record: RecordId) -> Iterator[tuple[str, str, str, str]]:
    place = cross_references.c
    query = sa.select(place.system, place.entity, place.target_id, place.key).where(
        place.integration == record[0], place.flow == record[1], place.record == record[2]
    )
    for row in conn.execute(query.order_by(place.system, place.entity, place.target_id).limit(LONGEST)):
        yield (row.system, row.entity, row.target_id, row.key)


def _of_record(
    conn: sa.Connection, table: sa.Table, record: RecordId, column: sa.Column[str]
) -> Sequence[sa.RowMapping]:
    query = (
        sa.select(table)
        .where(table.c.integration == record[0], table.c.flow == record[1], column == record[2])
        .order_by(table.c.id.desc())
        .limit(LONGEST)
    )
    return conn.execute(query).mappings().all()[::-1]


_INBOX_STATES: Final = (
    ENDED,
    sa.text("state = 'received' AND claimed IS NULL"),
    sa.text("state = 'received' AND claimed IS NOT NULL"),
)
"""As the partial indexes have them, which together hold every row."""


def _events(conn: sa.Connection, record: RecordId) -> Iterator[Step]:
    integration, flow, key = record
    for states in _INBOX_STATES:
        query = (
            sa.select(inbox)
            .where(inbox.c.integration == integration, inbox.c.flow == flow, inbox.c.key == key, states)
            .order_by(inbox.c.id.desc())
            .limit(LONGEST)
        )
        for row in conn.execute(query).mappings():
            yield from _event(record, row)


def _event(record: RecordId, row: sa.RowMapping) -> Iterator[Step]:
    told = f"{row['source']} from {row['connection'] or 'nobody'}" + (
        f", version {row['version']}" if row["version"] else ""
    )
    if row["ended_at"] is not None:
        yield Step(row["received_at"], "event", record, told)
        ended = row["state"] + (f" ({row['code']})" if row["code"] else "")
        yield Step(row["ended_at"], "run", record, _runs(row), ended, row["deployment"] or "")
        return
    if row["state"] == "done":
        outcome = f"done ({row['code']})"
    elif row["claimed"] is not None:
        outcome = f"in hand, {_runs(row)}"
    else:
        waits = f"waits, due {row['due_at']:%Y-%m-%d %H:%M:%S}Z"
        outcome = waits + (f", {_runs(row)}, last {row['code'] or 'interrupted'}" if row["runs"] else "")
    yield Step(row["received_at"], "event", record, told, outcome)


def _runs(row: sa.RowMapping) -> str:
    """`run once`, `run 4 times: 2 retries, 1 death of the worker`."""
    apart = [
        f"{number} {one if number == 1 else many}"
        for number, one, many in (
            (row["attempts"], "retry", "retries"),
            (row["crashes"], "death of the worker", "deaths of the worker"),
        )
        if number
    ]
    runs = {0: "never run", 1: "run once"}.get(row["runs"], f"run {row['runs']} times")
    return runs + (f": {', '.join(apart)}" if apart else "")


def _letter(record: RecordId, row: sa.RowMapping) -> Iterator[Step]:
    by = {"deployment": row["deployment"], "version": row["version"]}
    what = f"letter {row['id']}: {row['cause']}: {row['message']}"
    if row["attempts"] > 1:
        yield Step(row["first_at"], "letter", record, f"letter {row['id']} opened")
        what += f" (time {row['attempts']})"
    wrong = tuple(Change(detail["field"]) for detail in row["details"] if detail.get("field"))
    yield Step(row["last_at"], "letter", record, what, f"now {row['state']}", **by, fields=wrong)


def _deployments(conn: sa.Connection, ids: Iterable[str]) -> Mapping[str, tuple[str, datetime]]:
    table = deployments.c
    query = sa.select(table.id, table.version, table.activated_at).where(table.id.in_(sorted(ids)))
    return {row.id: (row.version, row.activated_at) for row in conn.execute(query)}


def _versioned(step: Step, versions: Mapping[str, tuple[str, datetime]]) -> Step:
    if step.version or step.deployment not in versions:
        return step
    return Step(**{**vars(step), "version": versions[step.deployment][0]})


_KINDS: Final = ("deployment", "override", "redriven", "event", "effect", "run", "letter")
"""In this order where they happened at one instant."""


def _order(step: Step) -> tuple[datetime, int]:
    return step.at, _KINDS.index(step.kind) if step.kind in _KINDS else len(_KINDS)
