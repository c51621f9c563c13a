"""
Overrides: what a person says a field of a source record should have held, put over it each time it is read.

A flow re-reads its source, so a corrected payload would be gone with the next event. An override is kept by record and field,
encrypted like an image, and stands until somebody withdraws it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.domain.model import Model
from tagline.errors import RecordError, TaglineError, UsageError
from tagline.runtime.database import Database
from tagline.runtime.images import Images
from tagline.runtime.paths import replaced
from tagline.runtime.rotation import sealing_key
from tagline.runtime.tables import STANDING, overrides


@dataclass(frozen=True)
class Override:
    """One field of one record; the value is asked for apart, with `Overrides.value`."""

    id: int
    integration: str
    flow: str
    key: str
    path: str
    """Of the field in the source record, elements of a list counted from 0: `OrderItemList.0.ItemID`."""
    set_at: datetime
    set_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str


RecordId = tuple[str, str, str]
"""Integration, flow and key of a record."""


class Overrides:
    """The overrides of one state database."""

    def __init__(self, database: Database, images: Images, clock: Clock) -> None:
        self._database = database
        self._images = images
        self._clock = clock

    def list(self, *, every: bool = False) -> Sequence[Override]:
        """Those that stand, oldest first; with `every` also those that were withdrawn."""
        query = sa.select(*_COLUMNS).order_by(overrides.c.id)
        with self._database.read() as conn:
            found = conn.execute(query if every else query.where(STANDING)).mappings()
            return [Override(**row) for row in found]

    def value(self, number: int) -> Any:
        """
        What an override puts in place; None where it clears the field, or was erased.

        Raises:
            UsageError: There is none of that number (code `override-unknown`), or as `Images.unseal` raises.
        """
        query = sa.select(overrides.c.value, overrides.c.key_id).where(overrides.c.id == number)
        with self._database.read() as conn:
            row = conn.execute(query).one_or_none()
        if row is None:
            raise _unknown(number)
        return (self._images.unseal(row.value, row.key_id) or {}).get("value")

    def withdraw(self, numbers: Sequence[int], *, by: str) -> int:
        """
        Apply them no longer; their rows stay, with who and when. Returns how many stood until now.

        Raises:
            UsageError: One of the numbers is unknown (code `override-unknown`); nothing is withdrawn then.
        """
        with self._database.write() as conn:
            known = set(conn.execute(sa.select(overrides.c.id).where(overrides.c.id.in_(numbers))).scalars())
            for number in numbers:
                if number not in known:
                    raise _unknown(number)
            return _withdraw(conn, overrides.c.id.in_(numbers), by, self._clock.now())

    def overridden(
        self, integration: str, flow: str, records: Mapping[str, Model], key_of: Callable[[Model], str]
    ) -> tuple[Mapping[str, Model], Mapping[str, TaglineError]]:
        """
        Records with their overrides applied, by key, and why those cannot go on whose overrides do not fit.

        Args:
            key_of: Tells a record's key, which no override may change.
        """
        found: dict[str, dict[str, Any]] = {}
        keys = list(records)
        query = sa.select(overrides.c.key, overrides.c.path, overrides.c.value, overrides.c.key_id).where(
            overrides.c.integration == integration, overrides.c.flow == flow, STANDING
        )
        with self._database.read() as conn:
            for start in range(0, len(keys), 500):
                part = query.where(overrides.c.key.in_(keys[start : start + 500])).order_by(overrides.c.id)
                for row in conn.execute(part):
                    value = (self._images.unseal(row.value, row.key_id) or {}).get("value")
                    found.setdefault(row.key, {})[row.path] = value
        errors: dict[str, TaglineError] = {}
        changed = dict(records)
        for key, values in found.items():
            try:
                changed[key] = applied(records[key], values, key, key_of)
            except MisfitError as error:
                errors[key] = _misfit(flow, key, error)
                del changed[key]
        return changed, errors


class MisfitError(ValueError):
    """Overrides that a record cannot take; says why and never a value."""

    def __init__(self, reason: str, paths: Sequence[str]) -> None:
        super().__init__(reason)
        self.paths = paths
        """Of those that do not fit."""


def applied(
    record: Model, values: Mapping[str, Any], key: str, key_of: Callable[[Model], str] | None
) -> Model:
    """
    The record with values at their paths.

    Raises:
        MisfitError: A path is not there, a value does not fit, or the record would be another one.
    """
    moving = []
    for path, value in values.items():
        try:
            changed = replaced(record, path, value)
        except ValueError as error:
            raise MisfitError(f"{path}: {error}", [path]) from None
        if key_of is not None and key_of(changed) != key_of(record):
            moving.append(path)
        record = changed
    if key_of is not None and key_of(record) != key:
        raise MisfitError("with its overrides it would be another record", moving)
    return record


def lay(
    conn: sa.Connection,
    images: Images,
    records: Sequence[RecordId],
    values: Mapping[str, Any],
    by: str,
    now: datetime,
) -> None:
    """Set the same fields of these records in a writing transaction; what stood there before is withdrawn."""
    if not records or not values:
        return
    sealing = sealing_key(conn, images.ring, now)
    place = overrides.c
    of_record = (
        place.integration == sa.bindparam("of_integration"),
        place.flow == sa.bindparam("of_flow"),
        place.key == sa.bindparam("of_key"),
        place.path == sa.bindparam("of_path"),
    )
    rows = [
        {"integration": integration, "flow": flow, "key": key, "path": path}
        for integration, flow, key in records
        for path in values
    ]
    conn.execute(
        sa.update(overrides).where(*of_record, STANDING).values(withdrawn_at=now, withdrawn_by=by),
        [{f"of_{name}": value for name, value in row.items()} for row in rows],
    )
    conn.execute(
        sa.insert(overrides),
        [
            {
                **row,
                "value": images.seal({"value": values[row["path"]]}, sealing),
                "key_id": sealing.id,
                "set_at": now,
                "set_by": by,
            }
            for row in rows
        ],
    )


_COLUMNS: Final = tuple(overrides.c[name] for name in Override.__dataclass_fields__)


def _withdraw(conn: sa.Connection, which: sa.ColumnElement[bool], by: str, now: datetime) -> int:
    ended = sa.update(overrides).where(which, STANDING).values(withdrawn_at=now, withdrawn_by=by)
    return conn.execute(ended).rowcount


def _misfit(flow: str, key: str, misfit: MisfitError) -> RecordError:
    return RecordError(
        f"an override does not fit record {key}: {misfit}",
        code="override-not-fitting",
        where={"flow": flow, "record": key},
        hint="`tagline dead-letters overrides list` shows it; withdraw it or set it anew, then redrive",
        details=tuple({"field": path, "reason": "the override does not fit"} for path in misfit.paths),
    )


def _unknown(number: int) -> UsageError:
    return UsageError(
        f"there is no override {number}",
        code="override-unknown",
        hint="`tagline dead-letters overrides list` shows those that stand",
    )
