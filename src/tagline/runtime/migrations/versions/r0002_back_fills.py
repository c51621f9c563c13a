"""Lanes of the inbox, records that a person asked for, and how far each back-fill has come."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

INSTANT = sa.String(27)
WAITING = sa.text("state = 'received' AND claimed IS NULL")


def upgrade() -> None:
    # Added with defaults, in place: an inbox of any size is not copied.
    op.add_column("inbox", sa.Column("lane", sa.String, nullable=False, server_default="live"))
    op.add_column("inbox", sa.Column("asked", sa.Boolean, nullable=False, server_default=sa.false()))
    inbox = sa.table("inbox", *(sa.column(name) for name in ("asked", "source", "state")))
    redriven = sa.and_(inbox.c.source == "redrive", inbox.c.state == "received")
    op.execute(sa.update(inbox).where(redriven).values(asked=sa.true()))
    op.drop_index("inbox_due", "inbox")
    op.create_index(
        "inbox_due",
        "inbox",
        ["integration", "lane", "due_at"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "back_fills",
        sa.Column("integration", sa.String, primary_key=True),
        sa.Column("flow", sa.String, primary_key=True),
        sa.Column("selection", sa.String, primary_key=True),
        sa.Column("position", sa.String, nullable=False),
        sa.Column("found", sa.Integer, nullable=False),
        sa.Column("added", sa.Integer, nullable=False),
        sa.Column("unread", sa.Integer, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
    )
