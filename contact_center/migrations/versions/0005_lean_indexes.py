"""Leads due without a time are found at once; two indexes of attempts that only cost are gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = depends_on = None

_TIMELESS = sa.text("state = 'due' AND next_attempt_at IS NULL")


def upgrade() -> None:
    """Attempts of a lead are found by uq_attempt_lead_n, open ones by their live number."""
    op.create_index("ix_lead_timeless", "lead", ["id"], sqlite_where=_TIMELESS, postgresql_where=_TIMELESS)
    op.drop_index("ix_attempt_lead_id", "attempt")
    op.drop_index("ix_attempt_state", "attempt")


def downgrade() -> None:
    """As they were."""
    op.create_index("ix_attempt_state", "attempt", ["state"])
    op.create_index("ix_attempt_lead_id", "attempt", ["lead_id"])
    op.drop_index("ix_lead_timeless", "lead")
