"""How far everybody has been told: a cursor of each consumer of the outbox, moved after it has the events."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.models import Outbox
from contact_center.models_telling import Analytics, TellCursor, TrackingNumber, Webhook, WebhookRetry
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of

FORGOTTEN_AFTER = timedelta(days=30)
"""A cursor that nobody has touched for so long belongs to nobody."""


_OUTBOX, _WEBHOOK, _TOLD = table_of(Outbox), table_of(Webhook), table_of(Analytics)
_WHO_IS_TOLD = Prepared(
    select(
        select(func.coalesce(func.max(_OUTBOX.c.id), 0)).scalar_subquery().label("newest"),
        exists(select(_WEBHOOK.c.id).where(_WEBHOOK.c.disabled_at.is_(None))).label("has_hooks"),
        exists(select(_TOLD.c.id)).label("has_properties"),
        exists(select(table_of(TrackingNumber).c.number)).label("has_pools"),
    )
)


class Told(Protocol):
    """The newest event's id, and who there is to be told of events, if anybody."""

    newest: int
    has_hooks: bool
    has_properties: bool
    has_pools: bool


def who_is_told(session: Session) -> Told:
    """Whether anybody is; asked more than once a second, so without loading them."""
    found: Told = _WHO_IS_TOLD.first(session, {})
    return found


def newest_event_id(session: Session) -> int:
    """The id of the newest event; 0 when there is none."""
    return session.scalar(select(func.max(col(Outbox.id)))) or 0


def cursor_of(session: Session, name: str) -> int | None:
    """How far this consumer has got; None when it was never told anything."""
    return session.scalar(select(col(TellCursor.last_id)).where(col(TellCursor.name) == name))


def open_cursor(session: Session, name: str, at: datetime) -> int:
    """How far this consumer has got; a new one is told what happens from now on."""
    found = cursor_of(session, name)
    if found is None:
        found = newest_event_id(session)
        session.execute(insert(TellCursor).values(name=name, last_id=found, at=at))
    return found


def move_cursor(session: Session, name: str, last_id: int, at: datetime) -> None:
    """It has everything up to ``last_id``. Cursors only go forward."""
    session.execute(
        update(TellCursor)
        .where(col(TellCursor.name) == name, col(TellCursor.last_id) <= last_id)
        .values(last_id=last_id, at=at)
    )


def drop_cursor(session: Session, name: str) -> None:
    """This consumer is no more."""
    session.execute(delete(TellCursor).where(col(TellCursor.name) == name))


def webhook_cursor(webhook_id: int) -> str:
    """The name of a webhook's cursor."""
    return f"webhook:{webhook_id}"


def oldest_cursor(session: Session, now: datetime | None = None, names: Collection[str] | None = None) -> int | None:
    """The last event that every consumer has; None without consumers. Younger ones must not be pruned.

    A webhook that is disabled holds nothing back, and with ``now`` neither does a cursor that nobody has touched
    for a month. ``names``: only these consumers, all when None.
    """
    off = {
        webhook_cursor(key)
        for key in session.scalars(select(col(Webhook.id)).where(col(Webhook.disabled_at).is_not(None)))
        if key is not None
    }
    rows = session.execute(select(col(TellCursor.name), col(TellCursor.last_id), col(TellCursor.at))).all()
    ids = [
        row.last_id
        for row in rows
        if row.name not in off
        and (names is None or row.name in names)
        and (now is None or now - row.at < FORGOTTEN_AFTER)
    ]
    aside = session.scalar(
        select(func.min(col(WebhookRetry.event_id)))
        .join(Webhook, col(Webhook.id) == col(WebhookRetry.webhook_id))
        .where(col(WebhookRetry.state) == "waiting", col(Webhook.disabled_at).is_(None))
    )
    if aside is not None:
        ids.append(aside - 1)
    return min(ids, default=None)
