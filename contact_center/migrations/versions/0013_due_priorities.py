"""The indexes of leads that wait by place and time hold the priority, too, so that no lead is read for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = depends_on = None

_INDEXES = {
    "ix_lead_served_due": sa.text("state = 'due' AND (last_agent <> '' OR callback_at IS NOT NULL)"),
    "ix_lead_retry_due": sa.text("state = 'due' AND last_agent = '' AND callback_at IS NULL"),
}
_COLUMNS = ["campaign_id", "zones", "next_attempt_at"]


def upgrade() -> None:
    """Make them anew."""
    _make([*_COLUMNS, "priority"])


def downgrade() -> None:
    """As they were."""
    _make(_COLUMNS)


def _make(columns: list[str]) -> None:
    for name, where in _INDEXES.items():
        op.drop_index(name, "lead")
        op.create_index(name, "lead", columns, sqlite_where=where, postgresql_where=where)
