"""Callbacks from the queue, and the dials that are made for them.

No callback could be ordered before this revision, so the table of the first one is made anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = depends_on = None

_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Make both tables."""
    op.drop_table("callback")
    _callback()
    _attempt()


def downgrade() -> None:
    """The table as it was."""
    op.drop_table("callback_attempt")
    op.drop_table("callback")
    op.create_table(
        "callback",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("queue", sa.String(40), nullable=False),
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("call_id"),
    )
    op.create_index("ix_callback_queue", "callback", ["queue"])
    op.create_index("ix_callback_state", "callback", ["state"])


def _callback() -> None:
    op.create_table(
        "callback",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("queue", sa.String(40), nullable=False),
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("did", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("dials", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("live_key", sa.String(60), nullable=True),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(120), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("call_id"),
        sa.UniqueConstraint("live_key"),
    )
    op.create_index("ix_callback_queue", "callback", ["queue"])
    op.create_index("ix_callback_due", "callback", ["state", "due_at"])


def _attempt() -> None:
    op.create_table(
        "callback_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("callback_id", sa.String(40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.String(60), nullable=False),
        sa.Column("agent", sa.String(20), nullable=False),
        sa.Column("agent_channel_id", sa.String(60), nullable=False),
        sa.Column("bridge_id", sa.String(60), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("sip_code", sa.Integer(), nullable=True),
        sa.Column("intent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["callback_id"], ["callback.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id"),
        sa.UniqueConstraint("callback_id", "n", name="uq_callback_attempt_n"),
    )
    op.create_index(
        "ix_callback_attempt_open", "callback_attempt", ["callback_id"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
