"""Visits of callers in queues; skills and penalties of agents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = depends_on = None

_OPEN_CALL = sa.text("ended_at IS NULL")
_OPEN_VISIT = sa.text("left_at IS NULL")


def upgrade() -> None:
    """Make the table, and the columns that agents lack."""
    for name in ("skills", "penalties"):
        op.add_column("agent", sa.Column(name, sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
    op.create_index("ix_call_open", "call", ["started_at"], sqlite_where=_OPEN_CALL, postgresql_where=_OPEN_CALL)
    _queue_visit()


def downgrade() -> None:
    """Take them away."""
    op.drop_table("queue_visit")
    op.drop_index("ix_call_open", table_name="call")
    for name in ("penalties", "skills"):
        op.drop_column("agent", name)


def _queue_visit() -> None:
    op.create_table(
        "queue_visit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("queue", sa.String(40), nullable=False),
        sa.Column("channel_id", sa.String(60), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("said_seconds", sa.Float(), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("agent", sa.String(20), nullable=False),
        sa.Column("agent_channel_id", sa.String(60), nullable=False),
        sa.Column("bridge_id", sa.String(60), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("wait_seconds", sa.Float(), nullable=False),
        sa.Column("talk_seconds", sa.Float(), nullable=False),
        sa.Column("wrap_up_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("call_id", "n", name="uq_queue_visit_call_n"),
    )
    op.create_index("ix_queue_visit_queue", "queue_visit", ["queue", "entered_at"])
    op.create_index(
        "ix_queue_visit_open",
        "queue_visit",
        ["queue", "entered_at"],
        sqlite_where=_OPEN_VISIT,
        postgresql_where=_OPEN_VISIT,
    )
