"""What the sender of a webhook asks of the store, and what it writes down after each bundle of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.models import Outbox
from contact_center.models_telling import Webhook, WebhookRetry
from contact_center.store.changes import Event, read_events
from contact_center.store.telling import move_cursor, webhook_cursor
from contact_center.store.webhooks import DEAD, WAITING, aside_row

PAGE = 100
ATTEMPTS = 10
"""All attempts of a message that is dead."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A message that was put aside and is due."""

    attempts: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be sent next: messages put aside that are due, else fresh ones (``asides`` is empty then).

    ``blocked``: entities that have a message put aside; ``next_at``: when the next one put aside is due.
    """

    events: list[Event]
    asides: dict[int, Aside]
    blocked: frozenset[tuple[str, str]]
    next_at: datetime | None


@dataclass(slots=True)
class Results:
    """What came of a bundle: the ids delivered from among those put aside, rows to put aside, attempts that failed."""

    last_id: int | None = None
    any_delivered: bool = False
    done: list[int] = field(default_factory=list)
    put_aside: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[int, tuple[int, datetime, str]] = field(default_factory=dict)
    dead: dict[int, str] = field(default_factory=dict)
    freed: set[tuple[str, str]] = field(default_factory=set)
    bring_forward: bool = False
    gone: bool = False

    def put(self, webhook_id: int, event: Event, now: datetime, next_at: datetime, attempts: int, error: str) -> None:
        """Put a fresh message aside."""
        self.put_aside.append(aside_row(webhook_id, event, now, next_at, attempts=attempts, error=error))


def next_work(session: Session, webhook_id: int, after_id: int, now: datetime, *, rests: bool) -> Work:
    """What to send now. While the receiver ``rests`` only what was tried before and is due again."""
    mine = (col(WebhookRetry.webhook_id) == webhook_id) & (col(WebhookRetry.state) == WAITING)
    due = select(WebhookRetry).where(mine, col(WebhookRetry.next_at) <= now)
    if rests:
        due = due.where(col(WebhookRetry.attempts) > 0)
    rows = session.scalars(due.order_by(col(WebhookRetry.event_id)).limit(PAGE)).all()
    if rows:
        asides = {row.event_id: Aside(row.attempts, row.first_at) for row in rows}
        return Work(_events(session, list(asides)), asides, frozenset(), now)
    following = select(func.min(col(WebhookRetry.next_at))).where(mine)
    if rests:
        following = following.where(col(WebhookRetry.attempts) > 0)
        return Work([], {}, frozenset(), session.scalar(following))
    rows_aside = session.execute(select(col(WebhookRetry.entity), col(WebhookRetry.entity_id)).where(mine).distinct())
    blocked = [(entity, entity_id) for entity, entity_id in rows_aside]
    events = read_events(session, after_id=after_id, limit=PAGE)
    return Work(events, {}, frozenset(blocked), session.scalar(following))


def _events(session: Session, ids: Sequence[int]) -> list[Event]:
    rows = session.scalars(select(Outbox).where(col(Outbox.id).in_(ids)).order_by(col(Outbox.id)))
    return [
        Event(row.id or 0, row.at, row.entity, row.entity_id, row.seq, row.type, row.version, row.payload)
        for row in rows
    ]


def forget(session: Session, webhook_id: int, event_ids: Sequence[int]) -> None:
    """Messages put aside whose events exist no more."""
    session.execute(delete(WebhookRetry).where(_these(webhook_id, event_ids)))


def store_results(session: Session, webhook_id: int, results: Results, now: datetime) -> None:
    """Write down what came of a bundle. May be run again after a rollback."""
    if results.done:
        session.execute(delete(WebhookRetry).where(_these(webhook_id, results.done)))
    for event_id, (attempts, next_at, error) in results.failed.items():
        values = {"attempts": attempts, "next_at": next_at, "error": error[:200]}
        session.execute(update(WebhookRetry).where(_these(webhook_id, [event_id])).values(values))
    for event_id, error in results.dead.items():
        values = {"attempts": ATTEMPTS, "state": DEAD, "error": error[:200]}
        session.execute(update(WebhookRetry).where(_these(webhook_id, [event_id])).values(values))
    if results.put_aside:
        session.execute(delete(WebhookRetry).where(_these(webhook_id, [row["event_id"] for row in results.put_aside])))
        session.execute(insert(WebhookRetry), results.put_aside)
    for entity, entity_id in results.freed:
        _free_next(session, webhook_id, entity, entity_id, now)
    if results.bring_forward:
        session.execute(
            update(WebhookRetry)
            .where(col(WebhookRetry.webhook_id) == webhook_id, col(WebhookRetry.state) == WAITING)
            .where(col(WebhookRetry.attempts) > 0, col(WebhookRetry.next_at) > now)
            .values(next_at=now)
        )
    if results.any_delivered:
        session.execute(update(Webhook).where(col(Webhook.id) == webhook_id).values(last_ok_at=now))
    if results.last_id is not None:
        move_cursor(session, webhook_cursor(webhook_id), results.last_id, now)


def _free_next(session: Session, webhook_id: int, entity: str, entity_id: str, now: datetime) -> None:
    """The next message of an entity has nobody in front of it any more."""
    first = (
        select(func.min(col(WebhookRetry.event_id)))
        .where(
            col(WebhookRetry.webhook_id) == webhook_id,
            col(WebhookRetry.state) == WAITING,
            col(WebhookRetry.entity) == entity,
            col(WebhookRetry.entity_id) == entity_id,
        )
        .scalar_subquery()
    )
    session.execute(
        update(WebhookRetry)
        .where(col(WebhookRetry.webhook_id) == webhook_id, col(WebhookRetry.event_id) == first)
        .where(col(WebhookRetry.attempts) == 0, col(WebhookRetry.next_at) > now)
        .values(next_at=now)
    )


def got_through_since(session: Session, webhook_id: int, since: datetime) -> bool:
    """Whether anything was delivered since then."""
    last = session.scalar(select(col(Webhook.last_ok_at)).where(col(Webhook.id) == webhook_id))
    return last is not None and last >= since


def _these(webhook_id: int, event_ids: Sequence[int]) -> Any:
    return (col(WebhookRetry.webhook_id) == webhook_id) & col(WebhookRetry.event_id).in_(event_ids)
