"""Leads that wait are found by place and time, too, of whatever priority."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = depends_on = None

_INDEXES = {
    "ix_lead_served_due": sa.text("state = 'due' AND last_agent <> ''"),
    "ix_lead_retry_due": sa.text("state = 'due' AND last_agent = ''"),
}


def upgrade() -> None:
    """One for each class of the dialling order that is timed."""
    for name, where in _INDEXES.items():
        op.create_index(
            name, "lead", ["campaign_id", "zones", "next_attempt_at"], sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    """Without them."""
    for name in _INDEXES:
        op.drop_index(name, "lead")
