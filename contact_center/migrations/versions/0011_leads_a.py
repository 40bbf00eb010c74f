"""Promised calls that anybody may make, and leads that expire."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = depends_on = None

_SERVED, _RETRY = (
    "state = 'due' AND (last_agent <> '' OR callback_at IS NOT NULL)",
    ("state = 'due' AND last_agent = '' AND callback_at IS NULL"),
)
_SERVED_BEFORE, _RETRY_BEFORE = "state = 'due' AND last_agent <> ''", "state = 'due' AND last_agent = ''"
_EXPIRES = sa.text("expires_at IS NOT NULL AND state IN ('new', 'due')")


def _classes(served: str, retry: str) -> None:
    """The indexes of the dialling order whose classes have changed."""
    for name, where in (("served", served), ("retry", retry)):
        is_member = sa.text(where)
        for index, columns in (
            (f"ix_lead_{name}", ["campaign_id", "zones", "priority", "next_attempt_at", "id"]),
            (f"ix_lead_{name}_due", ["campaign_id", "zones", "next_attempt_at"]),
        ):
            op.drop_index(index, "lead")
            op.create_index(index, "lead", columns, sqlite_where=is_member, postgresql_where=is_member)


def upgrade() -> None:
    """The columns, and what finds the leads by them."""
    op.add_column("lead", sa.Column("callback_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("lead", sa.Column("callback_agent", sa.String(length=20), nullable=False, server_default=""))
    op.add_column("lead", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    _classes(_SERVED, _RETRY)
    op.create_index(
        "ix_lead_expires", "lead", ["campaign_id", "expires_at"], sqlite_where=_EXPIRES, postgresql_where=_EXPIRES
    )
    op.drop_index("ix_lead_state", "lead")
    op.create_index("ix_lead_state", "lead", ["campaign_id", "state", "id"])


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_lead_state", "lead")
    op.create_index("ix_lead_state", "lead", ["campaign_id", "state"])
    op.drop_index("ix_lead_expires", "lead")
    _classes(_SERVED_BEFORE, _RETRY_BEFORE)
    for column in ("callback_at", "callback_agent", "expires_at"):
        op.drop_column("lead", column)
