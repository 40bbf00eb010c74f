"""Ratings and categories: groups, options, who was asked, categories; a rating keeps its group and its goal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = depends_on = None

_IN_USE = sa.text("removed_at IS NULL")


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rating_group",
        _key(),
        _text("name", 40),
        sa.Column("speech", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "rating_option",
        _key(),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("digit", sa.Integer(), nullable=False),
        _text("name", 80),
        sa.Column("asks_value", sa.Boolean(), nullable=False),
        _text("goal", 80),
        _at("added_at"),
        _at("removed_at", nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["rating_group.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    _unique_in_use("uq_rating_option_digit", "rating_option", "group_id", "digit")
    op.create_table(
        "rating_asked",
        _key(),
        _text("call_id", 40),
        _text("agent", 20),
        _at("at"),
        _text("result", 12),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_rating_asked_call", "rating_asked", ["call_id"])
    op.create_index("ix_rating_asked_at", "rating_asked", ["at"])
    op.create_table(
        "category",
        _key(),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("name", 80),
        sa.Column("value", sa.Numeric(9, 2), nullable=False),
        _at("removed_at", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    _unique_in_use("uq_category_number", "category", "number")
    for name, length in (("group_name", 40), ("goal", 80)):
        op.add_column("rating", sa.Column(name, sa.String(length), nullable=False, server_default=""))


def _unique_in_use(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, list(columns), unique=True, sqlite_where=_IN_USE, postgresql_where=_IN_USE)


def downgrade() -> None:
    """Drop them."""
    op.drop_column("rating", "goal")
    op.drop_column("rating", "group_name")
    for table in ("category", "rating_asked", "rating_option", "rating_group"):
        op.drop_table(table)
