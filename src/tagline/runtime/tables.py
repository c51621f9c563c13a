"""
The tables of the state database: the truth of every run.

Keys, codes and times stand in plain columns; what a record holds stands only in `effects.before` and
`effects.after`, encrypted. The migrations build the same tables; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect


class Instant(sa.TypeDecorator[datetime]):
    """An aware datetime as UTC text of fixed width, so that its order as text is its order in time."""

    impl = sa.String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the state database holds aware datetimes only")
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else datetime.fromisoformat(value)


metadata: Final = sa.MetaData()

deployments: Final = sa.Table(
    "deployments",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("integration", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("closure", sa.String, nullable=False),
    sa.Column("decision", sa.JSON, nullable=False),  # the whole `Deployment`, secret-free
    sa.Column("fence", sa.Integer, nullable=False, unique=True),  # grows with each activation
    sa.Column("state", sa.String, nullable=False),  # active | retired
    sa.Column("routes", sa.JSON, nullable=False),  # [[connection, event, [flow, ...]], ...]
    sa.Column("activated_at", Instant, nullable=False),
)
sa.Index(
    "one_active_deployment",
    deployments.c.integration,
    unique=True,
    sqlite_where=sa.text("state = 'active'"),
)

inbox: Final = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("integration", sa.String, nullable=False),
    sa.Column("flow", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),  # webhook | sweep | redrive
    sa.Column("connection", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),  # of the record, where the remote tells one
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # received | done | dead
    sa.Column("claimed", sa.String),  # deployment whose worker has it in hand
    sa.Column("runs", sa.Integer, nullable=False),  # times it was claimed
    sa.Column("attempts", sa.Integer, nullable=False),  # runs that ended in a retry
    sa.Column("crashes", sa.Integer, nullable=False),  # runs during which the worker died
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("code", sa.String, nullable=False),  # of its last end
    sa.Column("deployment", sa.String),  # that ended it
    sa.Column("ended_at", Instant),
    sqlite_autoincrement=True,
)
WAITING: Final = sa.text("state = 'received' AND claimed IS NULL")
"""A row nobody works on: one per record, into which later hints are merged."""
sa.Index(
    "one_waiting_row",
    inbox.c.integration,
    inbox.c.flow,
    inbox.c.key,
    unique=True,
    sqlite_where=WAITING,
)
sa.Index("inbox_due", inbox.c.integration, inbox.c.due_at, sqlite_where=WAITING)
sa.Index(
    "inbox_claimed",
    inbox.c.integration,
    inbox.c.flow,
    inbox.c.key,
    sqlite_where=sa.text("state = 'received' AND claimed IS NOT NULL"),
)

effects: Final = sa.Table(
    "effects",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("deployment", sa.String, nullable=False),
    sa.Column("integration", sa.String, nullable=False),
    sa.Column("flow", sa.String, nullable=False),
    sa.Column("record", sa.String, nullable=False),
    sa.Column("system", sa.String, nullable=False),
    sa.Column("entity", sa.String, nullable=False),
    sa.Column("verb", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),  # the target's key, as `images.to_text` writes it
    sa.Column("target_id", sa.String),
    sa.Column("etag_before", sa.String),
    sa.Column("etag_after", sa.String),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("reversibility", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # intended | done | failed | happened | not-happened
    sa.Column("code", sa.String, nullable=False),
    sa.Column("before", sa.LargeBinary),
    sa.Column("after", sa.LargeBinary),
    sa.Column("key_id", sa.String, nullable=False),  # of the key that encrypted the images
    sa.Column("intended_at", Instant, nullable=False),
    sa.Column("settled_at", Instant),
    sqlite_autoincrement=True,
)
sa.Index(
    "effects_in_doubt",
    effects.c.integration,
    effects.c.record,
    sqlite_where=sa.text("state = 'intended'"),
)
sa.Index("effects_of_record", effects.c.integration, effects.c.flow, effects.c.record)
sa.Index("effects_of_target", effects.c.system, effects.c.entity, effects.c.target_id)
sa.Index("effects_of_deployment", effects.c.deployment)

cursors: Final = sa.Table(
    "cursors",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("flow", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
    sa.Column("updated", Instant, nullable=False),
)

seen: Final = sa.Table(
    "seen",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("flow", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("read_at", Instant, nullable=False),  # before the source was read
)

cross_references: Final = sa.Table(
    "cross_references",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("flow", sa.String, primary_key=True),
    sa.Column("record", sa.String, primary_key=True),
    sa.Column("system", sa.String, primary_key=True),
    sa.Column("entity", sa.String, primary_key=True),
    sa.Column("target_id", sa.String, primary_key=True),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("written_at", Instant, nullable=False),
)
sa.Index(
    "references_of_target",
    cross_references.c.system,
    cross_references.c.entity,
    cross_references.c.target_id,
)

dead_letters: Final = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("integration", sa.String, nullable=False),
    sa.Column("flow", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("connection", sa.String, nullable=False),
    sa.Column("cause", sa.String, nullable=False),
    sa.Column("message", sa.String, nullable=False),
    sa.Column("hint", sa.String, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("deployment", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),  # the release that refused the record
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # open | redriven | resolved
    sqlite_autoincrement=True,
)
UNRESOLVED: Final = sa.text("state <> 'resolved'")
sa.Index(
    "one_unresolved_letter",
    dead_letters.c.integration,
    dead_letters.c.flow,
    dead_letters.c.key,
    unique=True,
    sqlite_where=UNRESOLVED,
)
