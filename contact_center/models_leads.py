"""Further numbers of a lead: a table of its own, so that leads with one number cost nothing more."""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel


class LeadNumber(SQLModel, table=True):
    """One number of a lead that has more than one; ``Lead.number`` is the one that is dialled next.

    ``position`` counts from 1, in the order in which they were given. ``left_out``: why it is not dialled any more,
    empty while it is.
    """

    __tablename__ = "lead_number"
    __table_args__ = (
        UniqueConstraint("lead_id", "position", name="uq_lead_number_position"),
        Index("ix_lead_number_number", "number"),
    )
    id: int | None = Field(default=None, primary_key=True)
    lead_id: int = Field(foreign_key="lead.id")
    position: int
    number: str = Field(max_length=16)
    left_out: str = Field(default="", max_length=120)
