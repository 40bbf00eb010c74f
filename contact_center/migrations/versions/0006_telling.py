"""Who is told how much: cursors, webhooks, analytics, and the marketing match."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = depends_on = None


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tell_cursor",
        _text("name", 60),
        sa.Column("last_id", sa.Integer(), nullable=False),
        _at("at"),
        sa.PrimaryKeyConstraint("name"),
    )
    _webhooks()
    _analytics()
    _tracking()


def _webhooks() -> None:
    op.create_table(
        "webhook",
        _key(),
        _text("name", 40),
        _text("url", 400),
        _text("secret", 120),
        _text("old_secret", 120),
        _at("old_until_at", nullable=True),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("masked", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        _at("created_at"),
        _at("last_ok_at", nullable=True),
        _at("disabled_at", nullable=True),
        _text("reason", 200),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "webhook_retry",
        _key(),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        _text("entity", 16),
        _text("entity_id", 60),
        _text("state", 8),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _at("next_at"),
        _at("first_at"),
        _text("error", 200),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("webhook_id", "event_id", name="uq_webhook_retry_event"),
    )
    op.create_index("ix_webhook_retry_due", "webhook_retry", ["webhook_id", "state", "next_at"])
    op.create_index("ix_webhook_retry_entity", "webhook_retry", ["webhook_id", "entity", "entity_id"])


def _analytics() -> None:
    op.create_table(
        "analytics",
        _key(),
        _text("name", 40),
        _text("measurement_id", 20),
        _text("api_secret", 120),
        _text("event_name", 40),
        sa.Column("ratings", sa.JSON(), nullable=False),
        _text("value", 12),
        _at("created_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )


def _tracking() -> None:
    op.create_table(
        "tracking_number",
        _text("number", 20),
        _text("pool", 40),
        _at("free_at"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_tracking_number_pool", "tracking_number", ["pool", "free_at"])
    op.create_table(
        "tracking_visit",
        _key(),
        _text("context_id", 100),
        _text("pool", 40),
        _text("number", 20),
        _text("url", 2000),
        _text("source", 100),
        _text("client_id", 100),
        _text("session_id", 40),
        _at("handed_at"),
        _at("until_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tracking_visit_number", "tracking_visit", ["number", "handed_at"])
    op.create_index("ix_tracking_visit_context", "tracking_visit", ["context_id", "handed_at"])
    op.create_table(
        "call_match",
        _text("call_id", 40),
        _at("at"),
        _text("did", 20),
        _text("pool", 40),
        sa.Column("visit_id", sa.Integer(), nullable=True),
        _text("context_id", 100),
        _text("source", 100),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        _text("transaction_id", 60),
        _text("total", 14),
        _text("currency", 3),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index("ix_call_match_at", "call_match", ["at"])
    op.create_index("ix_call_match_context", "call_match", ["context_id", "at"])


def downgrade() -> None:
    """Drop them."""
    for table in (
        *("call_match", "tracking_visit", "tracking_number"),
        *("analytics", "webhook_retry", "webhook", "tell_cursor"),
    ):
        op.drop_table(table)
