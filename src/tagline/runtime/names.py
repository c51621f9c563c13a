"""What people call a record beside its key: an order by its invoice number. Kept so that a trail can be found by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from tagline.domain.model import Model, columns
from tagline.runtime.database import insert
from tagline.runtime.tables import record_names


@dataclass(frozen=True)
class Named:
    """One name of one record."""

    integration: str
    flow: str
    key: str
    name: str


def names_of(record: Model, key: str) -> Sequence[str]:
    """
    The values of a record's alternate keys, each whole and by its last part: `AB-41001` and `41001`.

    What describes a person is no name that may stand unencrypted, so a key with such a column gives none.
    """
    facts = columns(type(record))
    found: list[str] = []
    for alternate in type(record).remote.keys:
        if any(facts[name].personal or facts[name].secret for name in alternate if name in facts):
            continue
        parts = [
            str(value) for name in alternate if (value := getattr(record, name, None)) not in (None, "", 0)
        ]
        if parts:
            found += ["".join(parts), parts[-1]]
    return [name for name in dict.fromkeys(found) if name != key]


def remember(conn: sa.Connection, named: Sequence[Named]) -> None:
    """Keep names in a writing transaction; those that are known stay."""
    if named:
        conn.execute(insert(conn, record_names).on_conflict_do_nothing(), [vars(each) for each in named])
