"""The first schema: deployments, inbox, effects journal, cursors, seen versions, cross-references, dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INSTANT = sa.String(27)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
WAITING = sa.text("state = 'received' AND claimed IS NULL")


def upgrade() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("integration", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("closure", sa.String, nullable=False),
        sa.Column("decision", sa.JSON, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False, unique=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("routes", sa.JSON, nullable=False),
        sa.Column("activated_at", INSTANT, nullable=False),
    )
    op.create_index(
        "one_active_deployment",
        "deployments",
        ["integration"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "inbox",
        sa.Column("id", ROW_NUMBER, primary_key=True),
        sa.Column("integration", sa.String, nullable=False),
        sa.Column("flow", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("connection", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("claimed", sa.String),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("deployment", sa.String),
        sa.Column("ended_at", INSTANT),
        sqlite_autoincrement=True,
    )
    record = ["integration", "flow", "key"]
    op.create_index(
        "one_waiting_row", "inbox", record, unique=True, sqlite_where=WAITING, postgresql_where=WAITING
    )
    op.create_index(
        "inbox_due", "inbox", ["integration", "due_at"], sqlite_where=WAITING, postgresql_where=WAITING
    )
    op.create_index(
        "inbox_claimed",
        "inbox",
        record,
        sqlite_where=sa.text("state = 'received' AND claimed IS NOT NULL"),
        postgresql_where=sa.text("state = 'received' AND claimed IS NOT NULL"),
    )
    op.create_table(
        "effects",
        sa.Column("id", ROW_NUMBER, primary_key=True),
        sa.Column("deployment", sa.String, nullable=False),
        sa.Column("integration", sa.String, nullable=False),
        sa.Column("flow", sa.String, nullable=False),
        sa.Column("record", sa.String, nullable=False),
        sa.Column("system", sa.String, nullable=False),
        sa.Column("entity", sa.String, nullable=False),
        sa.Column("verb", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("target_id", sa.String),
        sa.Column("etag_before", sa.String),
        sa.Column("etag_after", sa.String),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("reversibility", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("before", sa.LargeBinary),
        sa.Column("after", sa.LargeBinary),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("intended_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "effects_in_doubt",
        "effects",
        ["integration", "record"],
        sqlite_where=sa.text("state = 'intended'"),
        postgresql_where=sa.text("state = 'intended'"),
    )
    op.create_index("effects_of_record", "effects", ["integration", "flow", "record"])
    op.create_index("effects_of_target", "effects", ["system", "entity", "target_id"])
    op.create_index("effects_of_deployment", "effects", ["deployment"])
    op.create_table(
        "cursors",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("flow", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
        sa.Column("updated", INSTANT, nullable=False),
    )
    op.create_table(
        "seen",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("flow", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("read_at", INSTANT, nullable=False),
    )
    op.create_table(
        "cross_references",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("flow", sa.String, primary_key=True),
        sa.Column("record", sa.String, primary_key=True),
        sa.Column("system", sa.String, primary_key=True),
        sa.Column("entity", sa.String, primary_key=True),
        sa.Column("target_id", sa.String, primary_key=True),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("written_at", INSTANT, nullable=False),
    )
    op.create_index("references_of_target", "cross_references", ["system", "entity", "target_id"])
    op.create_table(
        "dead_letters",
        sa.Column("id", ROW_NUMBER, primary_key=True),
        sa.Column("integration", sa.String, nullable=False),
        sa.Column("flow", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("connection", sa.String, nullable=False),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("hint", sa.String, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("deployment", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_at", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "one_unresolved_letter",
        "dead_letters",
        record,
        unique=True,
        sqlite_where=sa.text("state <> 'resolved'"),
        postgresql_where=sa.text("state <> 'resolved'"),
    )
