"""Many agents on one database: budgets in rows, partitions of the inbox and who has them."""

import sqlalchemy as sa
from alembic import op

from tagline.runtime.causes import fingerprint
from tagline.runtime.partitions import partition_of

revision = "0003"
down_revision = "0002"

INSTANT = sa.String(27)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _budgets()
    _leases()
    _alerts()
    _letters()
    _trails()
    _keys()
    _schedules()


def _budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("pace", sa.String, nullable=False),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
    )
    active = sa.text("state = 'active'")
    op.create_index(
        "one_active_key", "keys", ["state"], unique=True, sqlite_where=active, postgresql_where=active
    )
    op.create_index("effects_of_key", "effects", ["key_id"])
    op.add_column("effects", sa.Column("erased_at", sa.String(27)))
    op.add_column("effects", sa.Column("erased_by", sa.String))


def _leases() -> None:
    op.create_table(
        "workers",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("holder", sa.String, primary_key=True),
        sa.Column("life", sa.String, nullable=False),
        sa.Column("beats", ROW_NUMBER, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String, nullable=False),
    )
    # Added with a default, in place; only what still waits has to have the right one.
    op.add_column("inbox", sa.Column("partition", sa.Integer, nullable=False, server_default="0"))
    inbox = sa.table("inbox", *(sa.column(name) for name in ("id", "key", "state", "partition")))
    conn = op.get_bind()
    waiting = conn.execute(sa.select(inbox.c.id, inbox.c.key).where(inbox.c.state == "received")).all()
    for row in waiting:
        conn.execute(sa.update(inbox).where(inbox.c.id == row.id).values(partition=partition_of(row.key)))


def _letters() -> None:
    op.add_column("dead_letters", sa.Column("fingerprint", sa.String, nullable=False, server_default=""))
    op.add_column("dead_letters", sa.Column("assigned", sa.String, nullable=False, server_default=""))
    conn = op.get_bind()
    texts = ("integration", "flow", "key", "cause", "message", "fingerprint")
    letters = sa.table("dead_letters", *map(sa.column, ("id", *texts)), sa.column("details", sa.JSON))
    for row in conn.execute(sa.select(letters)).all():
        mark = fingerprint(row.integration, row.flow, row.cause, row.message, row.details, key=row.key)
        conn.execute(sa.update(letters).where(letters.c.id == row.id).values(fingerprint=mark))
    record = ["integration", "flow", "key"]
    unresolved = sa.text("state IN ('open', 'redriven')")
    op.drop_index("one_unresolved_letter", "dead_letters")
    op.create_index(
        "one_unresolved_letter",
        "dead_letters",
        record,
        unique=True,
        sqlite_where=unresolved,
        postgresql_where=unresolved,
    )
    op.create_index("letters_of_record", "dead_letters", record)
    op.create_index("letters_by_cause", "dead_letters", ["fingerprint"])
    op.create_table(
        "letter_notes",
        sa.Column("id", ROW_NUMBER, primary_key=True),
        sa.Column("letter", ROW_NUMBER, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("text", sa.LargeBinary),
        sa.Column("key_id", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("notes_of_letter", "letter_notes", ["letter"])
    op.create_table(
        "overrides",
        sa.Column("id", ROW_NUMBER, primary_key=True),
        sa.Column("integration", sa.String, nullable=False),
        sa.Column("flow", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("value", sa.LargeBinary),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("set_at", INSTANT, nullable=False),
        sa.Column("set_by", sa.String, nullable=False),
        sa.Column("withdrawn_at", INSTANT),
        sa.Column("withdrawn_by", sa.String, nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    standing = sa.text("withdrawn_at IS NULL")
    op.create_index(
        "one_standing_override",
        "overrides",
        [*record, "path"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    op.create_index("overrides_of_record", "overrides", record)


def _trails() -> None:
    """What a trail is followed by; of the inbox only what has ended, so that the intake writes no entry more."""
    ended = sa.text("state IN ('done', 'dead')")
    record = ["integration", "flow", "key"]
    op.create_index("inbox_ended", "inbox", record, sqlite_where=ended, postgresql_where=ended)
    op.create_index("references_of_key", "cross_references", ["system", "entity", "key"])
    op.create_table(
        "record_names",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("flow", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
    )
    op.create_index("records_by_name", "record_names", ["name"])


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("observer", sa.String, primary_key=True),
        sa.Column("teller", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
        sa.Column("ended", sa.String(27)),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("told", sa.String, nullable=False),
        sa.Column("told_at", sa.String(27)),
    )
    op.create_table(
        "arrivals",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("flow", sa.String, primary_key=True),
        sa.Column("hour", sa.String(27), primary_key=True),
        sa.Column("longest_s", sa.Float, nullable=False),
        sa.Column("last_at", sa.String(27), nullable=False),
        sa.Column("up_to", ROW_NUMBER, nullable=False),
    )
    op.create_table(
        "agents",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("beats", ROW_NUMBER, nullable=False),
        sa.Column("beat_at", sa.String(27), nullable=False),
        sa.Column("health", sa.JSON, nullable=False),
    )
    op.create_index("inbox_ended_at", "inbox", ["ended_at"])


def _schedules() -> None:
    op.create_table(
        "breakers",
        sa.Column("connection", sa.String, primary_key=True),
        sa.Column("asking", sa.String, primary_key=True),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("again_at", INSTANT, nullable=False),
        sa.Column("trials", sa.Integer, nullable=False),
    )
    op.create_table(
        "compares",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("flow", sa.String, primary_key=True),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("position", sa.String),
        sa.Column("found", sa.Integer, nullable=False),
    )
