"""The tables of those who are told: how far each has been told, webhooks, analytics, and the marketing match."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from contact_center.models import Instant


def _instant(*, nullable: bool = False) -> Any:
    if nullable:
        return Field(default=None, sa_column=Column(Instant(), nullable=True))
    return Field(sa_column=Column(Instant(), nullable=False))


def _words() -> Any:
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False))


class TellCursor(SQLModel, table=True):
    """How far a consumer of the outbox has got: it has every event up to ``last_id``."""

    __tablename__ = "tell_cursor"
    name: str = Field(primary_key=True, max_length=60)
    last_id: int = 0
    at: datetime = _instant()


class Webhook(SQLModel, table=True):
    """Somebody who is told by HTTP. ``types``: which events, as ``call.ended`` or ``call.*``; empty means all.

    ``secret`` signs, and until ``old_until_at`` ``old_secret`` signs beside it. ``disabled_at``: nothing is
    sent since then, for ``reason``. ``revision`` rises with every change that a running ``serve`` must see.
    """

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=40)
    url: str = Field(max_length=400)
    secret: str = Field(max_length=120)
    old_secret: str = Field(default="", max_length=120)
    old_until_at: datetime | None = _instant(nullable=True)
    types: list[str] = _words()
    masked: bool = False
    revision: int = 1
    created_at: datetime = _instant()
    last_ok_at: datetime | None = _instant(nullable=True)
    disabled_at: datetime | None = _instant(nullable=True)
    reason: str = Field(default="", max_length=200)


class WebhookRetry(SQLModel, table=True):
    """A message put aside: it failed, waits behind one of the same entity that did, or is to be sent again.

    ``state``: waiting, or dead when all its attempts were used up.
    """

    __tablename__ = "webhook_retry"
    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id", name="uq_webhook_retry_event"),
        Index("ix_webhook_retry_due", "webhook_id", "state", "next_at"),
        Index("ix_webhook_retry_entity", "webhook_id", "entity", "entity_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    webhook_id: int = Field(foreign_key="webhook.id")
    event_id: int
    entity: str = Field(max_length=16)
    entity_id: str = Field(max_length=60)
    state: str = Field(max_length=8)
    attempts: int = 0
    next_at: datetime = _instant()
    first_at: datetime = _instant()
    error: str = Field(default="", max_length=200)


class Analytics(SQLModel, table=True):
    """A Google Analytics property that is told of ratings. ``ratings``: names of options; empty means all.

    ``value``: how a rating's value is carried: not at all (none), by the event, or as a transaction.
    """

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=40)
    measurement_id: str = Field(max_length=20)
    api_secret: str = Field(max_length=120)
    event_name: str = Field(max_length=40)
    ratings: list[str] = _words()
    value: str = Field(max_length=12)
    created_at: datetime = _instant()


class TrackingNumber(SQLModel, table=True):
    """A number that visitors of a site are shown. ``free_at``: since when, or from when on, nobody holds it."""

    __tablename__ = "tracking_number"
    __table_args__ = (Index("ix_tracking_number_pool", "pool", "free_at"),)
    number: str = Field(primary_key=True, max_length=20)
    pool: str = Field(max_length=40)
    free_at: datetime = _instant()


class TrackingVisit(SQLModel, table=True):
    """A visitor to whom a number was shown: a call to it from ``handed_at`` and before ``until_at`` is his.

    ``number`` is empty when none was free, and for visits told without one. ``client_id`` and ``session_id`` are
    those of Google Analytics, where the site tells them.
    """

    __tablename__ = "tracking_visit"
    __table_args__ = (
        Index("ix_tracking_visit_number", "number", "handed_at"),
        Index("ix_tracking_visit_context", "context_id", "handed_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    context_id: str = Field(max_length=100)
    pool: str = Field(default="", max_length=40)
    number: str = Field(default="", max_length=20)
    url: str = Field(default="", max_length=2000)
    source: str = Field(default="", max_length=100)
    client_id: str = Field(default="", max_length=100)
    session_id: str = Field(default="", max_length=40)
    handed_at: datetime = _instant()
    until_at: datetime = _instant()


class CallMatch(SQLModel, table=True):
    """Whose call it was. ``usable``: something is known of whoever the context id names.

    ``transaction_id``, ``total`` (a decimal string) and ``currency``: an order taken in the call.
    """

    __tablename__ = "call_match"
    __table_args__ = (Index("ix_call_match_at", "at"), Index("ix_call_match_context", "context_id", "at"))
    call_id: str = Field(primary_key=True, max_length=40)
    at: datetime = _instant()
    did: str = Field(max_length=20)
    pool: str = Field(default="", max_length=40)
    visit_id: int | None = None
    context_id: str = Field(default="", max_length=100)
    source: str = Field(default="", max_length=100)
    matched: bool = False
    offline: bool = True
    usable: bool = False
    transaction_id: str = Field(default="", max_length=60)
    total: str = Field(default="", max_length=14)
    currency: str = Field(default="", max_length=3)
