"""
The tables of the state database: the truth of every run.

Keys, codes and times stand in plain columns; what a record holds stands only in `effects.before` and
`effects.after`, encrypted. The migrations build the same tables; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

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


RowNumber: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Rows are counted beyond what 32 bits hold; SQLite counts by itself only where the type is INTEGER."""

metadata: Final = sa.MetaData()


def _partial(name: str, *columns: sa.Column[Any], where: sa.TextClause, unique: bool = False) -> sa.Index:
    """An index of the rows for which `where` holds."""
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


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
_partial(
    "one_active_deployment",
    deployments.c.integration,
    unique=True,
    where=sa.text("state = 'active'"),
)

inbox: Final = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", RowNumber, primary_key=True),
    sa.Column("integration", sa.String, nullable=False),
    sa.Column("flow", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),  # webhook | sweep | redrive | back-fill
    sa.Column("connection", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),  # of the record, where the remote tells one
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # received | done | dead
    sa.Column("claimed", sa.String),  # the worker that has it in hand
    sa.Column("runs", sa.Integer, nullable=False),  # times it was claimed
    sa.Column("attempts", sa.Integer, nullable=False),  # runs that ended in a retry
    sa.Column("crashes", sa.Integer, nullable=False),  # runs during which the worker died
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("code", sa.String, nullable=False),  # of its last end
    sa.Column("deployment", sa.String),  # that ended it
    sa.Column("ended_at", Instant),
    sa.Column("lane", sa.String, nullable=False, server_default="live"),  # live | back-fill
    sa.Column("asked", sa.Boolean, nullable=False, server_default=sa.false()),  # for, by a person
    sa.Column("partition", sa.Integer, nullable=False, server_default="0"),  # of its key
    sqlite_autoincrement=True,
)
WAITING: Final = sa.text("state = 'received' AND claimed IS NULL")
"""A row nobody works on: one per record, into which later hints are merged."""
_partial(
    "one_waiting_row",
    inbox.c.integration,
    inbox.c.flow,
    inbox.c.key,
    unique=True,
    where=WAITING,
)
_partial("inbox_due", inbox.c.integration, inbox.c.lane, inbox.c.due_at, where=WAITING)
ENDED: Final = sa.text("state IN ('done', 'dead')")
_partial("inbox_ended", inbox.c.integration, inbox.c.flow, inbox.c.key, where=ENDED)
sa.Index("inbox_ended_at", inbox.c.ended_at)
_partial(
    "inbox_claimed",
    inbox.c.integration,
    inbox.c.flow,
    inbox.c.key,
    where=sa.text("state = 'received' AND claimed IS NOT NULL"),
)

effects: Final = sa.Table(
    "effects",
    metadata,
    sa.Column("id", RowNumber, primary_key=True),
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
    sa.Column("erased_at", Instant),  # when its images were erased for a data subject
    sa.Column("erased_by", sa.String),
    sqlite_autoincrement=True,
)
_partial(
    "effects_in_doubt",
    effects.c.integration,
    effects.c.record,
    where=sa.text("state = 'intended'"),
)
sa.Index("effects_of_record", effects.c.integration, effects.c.flow, effects.c.record)
sa.Index("effects_of_target", effects.c.system, effects.c.entity, effects.c.target_id)
sa.Index("effects_of_deployment", effects.c.deployment)
sa.Index("effects_of_key", effects.c.key_id)

cursors: Final = sa.Table(
    "cursors",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("flow", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
    sa.Column("updated", Instant, nullable=False),
)

back_fills: Final = sa.Table(
    "back_fills",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("flow", sa.String, primary_key=True),
    sa.Column("selection", sa.String, primary_key=True),  # what was asked for, as text
    sa.Column("position", sa.String, nullable=False),  # where its listing goes on
    sa.Column("found", sa.Integer, nullable=False),
    sa.Column("added", sa.Integer, nullable=False),  # rows of the inbox; the others waited already
    sa.Column("unread", sa.Integer, nullable=False),  # rows that the source did not hand out
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
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
sa.Index("references_of_key", cross_references.c.system, cross_references.c.entity, cross_references.c.key)

dead_letters: Final = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", RowNumber, primary_key=True),
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
    sa.Column("state", sa.String, nullable=False),  # open | redriven | resolved | discarded
    sa.Column("fingerprint", sa.String, nullable=False, server_default=""),  # of its cause
    sa.Column("assigned", sa.String, nullable=False, server_default=""),  # to a person
    sqlite_autoincrement=True,
)
UNRESOLVED: Final = sa.text("state IN ('open', 'redriven')")
_partial(
    "one_unresolved_letter",
    dead_letters.c.integration,
    dead_letters.c.flow,
    dead_letters.c.key,
    unique=True,
    where=UNRESOLVED,
)

sa.Index("letters_of_record", dead_letters.c.integration, dead_letters.c.flow, dead_letters.c.key)
sa.Index("letters_by_cause", dead_letters.c.fingerprint)

letter_notes: Final = sa.Table(
    "letter_notes",
    metadata,
    sa.Column("id", RowNumber, primary_key=True),
    sa.Column("letter", RowNumber, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("author", sa.String, nullable=False),
    sa.Column("what", sa.String, nullable=False),  # note | assigned | redriven | discarded
    sa.Column("text", sa.LargeBinary),  # encrypted: people write what they like
    sa.Column("key_id", sa.String, nullable=False),
    sqlite_autoincrement=True,
)
sa.Index("notes_of_letter", letter_notes.c.letter)

overrides: Final = sa.Table(
    "overrides",
    metadata,
    sa.Column("id", RowNumber, primary_key=True),
    sa.Column("integration", sa.String, nullable=False),
    sa.Column("flow", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("path", sa.String, nullable=False),  # of the field, `OrderItemList.0.ItemID`
    sa.Column("value", sa.LargeBinary),  # encrypted; gone where it was erased
    sa.Column("key_id", sa.String, nullable=False),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", sa.String, nullable=False),
    sa.Column("withdrawn_at", Instant),
    sa.Column("withdrawn_by", sa.String, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
STANDING: Final = sa.text("withdrawn_at IS NULL")
"""An override that is applied; one a field of a record."""
_partial(
    "one_standing_override",
    overrides.c.integration,
    overrides.c.flow,
    overrides.c.key,
    overrides.c.path,
    unique=True,
    where=STANDING,
)
sa.Index("overrides_of_record", overrides.c.integration, overrides.c.flow, overrides.c.key)

record_names: Final = sa.Table(
    "record_names",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("flow", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),  # what people call it, an invoice number for one
)
sa.Index("records_by_name", record_names.c.name)

budgets: Final = sa.Table(
    "budgets",
    metadata,
    sa.Column("name", sa.String, primary_key=True),  # one for each remote and whoever asks it
    sa.Column("pace", sa.String, nullable=False),  # JSON, as `connectors.pace` writes it
)

workers: Final = sa.Table(
    "workers",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("holder", sa.String, primary_key=True),
    sa.Column("life", sa.String, nullable=False),  # of the process that has the name now
    sa.Column("beats", RowNumber, nullable=False),  # counted up while it lives
)

keys: Final = sa.Table(
    "keys",
    metadata,
    sa.Column(
        "id", sa.String, primary_key=True
    ),  # as `key_ring.Key.id` names it; the key itself is never here
    sa.Column(
        "state", sa.String, nullable=False
    ),  # active: encrypts | former: decrypts | retired: nothing is left under it
    sa.Column("since", Instant, nullable=False),
)
_partial("one_active_key", keys.c.state, unique=True, where=sa.text("state = 'active'"))

leases: Final = sa.Table(
    "leases",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("holder", sa.String, nullable=False),
)

alerts: Final = sa.Table(
    "alerts",
    metadata,
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("subject", sa.String, primary_key=True),
    sa.Column(
        "observer", sa.String, primary_key=True
    ),  # the agent that judges it; empty for what all see alike
    sa.Column("teller", sa.String, nullable=False),  # the agent that tells people of it
    sa.Column("state", sa.String, nullable=False),  # firing | resolved
    sa.Column("since", Instant, nullable=False),
    sa.Column("ended", Instant),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("command", sa.String, nullable=False),
    sa.Column("told", sa.String, nullable=False),  # what people were told last: nothing | firing | resolved
    sa.Column("told_at", Instant),
)

arrivals: Final = sa.Table(
    "arrivals",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("flow", sa.String, primary_key=True),
    sa.Column("hour", Instant, primary_key=True),
    sa.Column("longest_s", sa.Float, nullable=False),  # of the waits for a record that ended in it
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("up_to", RowNumber, nullable=False),  # the highest row of the inbox that was counted with it
)

agents: Final = sa.Table(
    "agents",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("beats", RowNumber, nullable=False),  # counted up while it lives
    sa.Column("beat_at", Instant, nullable=False),  # by its own clock, for people
    sa.Column("health", sa.JSON, nullable=False),  # as `health.Health.plain` tells it
)

breakers: Final = sa.Table(
    "breakers",
    metadata,
    sa.Column("connection", sa.String, primary_key=True),  # as the environment names it
    sa.Column("asking", sa.String, primary_key=True),  # list | read | write
    sa.Column("since", Instant, nullable=False),
    sa.Column("code", sa.String, nullable=False),  # of its first failure
    sa.Column("again_at", Instant, nullable=False),  # nobody asks before; whoever then tries moves it on
    sa.Column("trials", sa.Integer, nullable=False),
)

compares: Final = sa.Table(
    "compares",
    metadata,
    sa.Column("integration", sa.String, primary_key=True),
    sa.Column("flow", sa.String, primary_key=True),
    sa.Column("begun_at", Instant, nullable=False),  # what the next due time is counted from
    sa.Column("position", sa.String),  # where its listing goes on; null once it was listed to its end
    sa.Column("found", sa.Integer, nullable=False),
)
