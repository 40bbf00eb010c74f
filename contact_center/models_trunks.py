"""The tables of what trunks may carry, and have carried."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel

from contact_center.models import Instant


class TrunkUse(SQLModel, table=True):
    """What a trunk carried out in one minute: calls sent, seconds of talk; counted up to ``at``."""

    __tablename__ = "trunk_use"
    name: str = Field(primary_key=True, max_length=40)
    minute_at: datetime = Field(sa_column=Column(Instant(), primary_key=True, nullable=False))
    calls: int = 0
    seconds: float = 0.0
    at: datetime = Field(sa_column=Column(Instant(), nullable=False))


class TrunkCap(SQLModel, table=True):
    """Caps of a trunk that hold in place of those of the settings, by key."""

    __tablename__ = "trunk_cap"
    name: str = Field(primary_key=True, max_length=40)
    caps: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_column=Column(Instant(), nullable=False))
    actor: str = Field(default="", max_length=80)
