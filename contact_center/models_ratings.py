"""The tables of ratings and categories: what may be chosen, and who was asked. Acts of rating: models.Rating."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, Numeric, text
from sqlmodel import Field, SQLModel

from contact_center.models import Instant

_IN_USE = "removed_at IS NULL"


def _instant(*, nullable: bool = False) -> Any:
    if nullable:
        return Field(default=None, sa_column=Column(Instant(), nullable=True))
    return Field(sa_column=Column(Instant(), nullable=False))


def _unique_in_use(name: str, *columns: str) -> Index:
    return Index(name, *columns, unique=True, sqlite_where=text(_IN_USE), postgresql_where=text(_IN_USE))


class RatingGroupRow(SQLModel, table=True):
    """A set of options that queues and campaigns use. ``speech``: the options are spoken in the menu."""

    __tablename__ = "rating_group"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=40)
    speech: bool = True


class RatingOptionRow(SQLModel, table=True):
    """What a digit means in a group. A removed one stays, for its history; its digit may be used again."""

    __tablename__ = "rating_option"
    __table_args__ = (_unique_in_use("uq_rating_option_digit", "group_id", "digit"),)
    id: int | None = Field(default=None, primary_key=True)
    group_id: int = Field(foreign_key="rating_group.id")
    digit: int
    name: str = Field(max_length=80)
    asks_value: bool = False
    goal: str = Field(default="", max_length=80)
    added_at: datetime = _instant()
    removed_at: datetime | None = _instant(nullable=True)


class RatingAskedRow(SQLModel, table=True):
    """An agent was asked to rate a call on the phone; ``result``: a ratings.menu.Result."""

    __tablename__ = "rating_asked"
    __table_args__ = (Index("ix_rating_asked_call", "call_id"), Index("ix_rating_asked_at", "at"))
    id: int | None = Field(default=None, primary_key=True)
    call_id: str = Field(max_length=40)
    agent: str = Field(default="", max_length=20)
    at: datetime = _instant()
    result: str = Field(max_length=12)


class CategoryRow(SQLModel, table=True):
    """A kind of call by its number; ``value`` is what a call of this kind is worth where no sum is known."""

    __tablename__ = "category"
    __table_args__ = (_unique_in_use("uq_category_number", "number"),)
    id: int | None = Field(default=None, primary_key=True)
    number: int
    name: str = Field(max_length=80)
    value: Decimal = Field(default=Decimal(0), sa_column=Column(Numeric(9, 2), nullable=False))
    removed_at: datetime | None = _instant(nullable=True)
