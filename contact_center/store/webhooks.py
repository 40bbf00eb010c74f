"""Webhooks: who is told by HTTP, and which messages were put aside for each."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import NotFound, UsageError
from contact_center.models import Outbox
from contact_center.models_telling import Webhook, WebhookRetry
from contact_center.store.admin import By, checked_name
from contact_center.store.telling import cursor_of, drop_cursor, newest_event_id, open_cursor, webhook_cursor

WAITING, DEAD = "waiting", "dead"
ROTATION = timedelta(hours=24)
"""So long the old secret signs beside the new one."""
MOST_WEBHOOKS = 50
MOST_REPLAYED = 100_000
_TYPE = re.compile(r"[a-z_]+\.([a-z_]+|\*)\Z")


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook as whoever sends needs it. Equal ones send the same."""

    id: int
    name: str
    url: str
    secret: str
    old_secret: str
    old_until_at: datetime | None
    types: tuple[str, ...]
    masked: bool
    revision: int

    def secrets(self, now: datetime) -> list[str]:
        """Those that sign now."""
        both = bool(self.old_secret and self.old_until_at and now < self.old_until_at)
        return [self.secret, *([self.old_secret] if both else [])]


def checked_types(types: Sequence[str]) -> list[str]:
    """Types of events, as call.ended or call.*. Raises UsageError."""
    for type_ in types:
        if len(type_) > 40 or not _TYPE.match(type_):
            raise UsageError(f"{type_[:40]!r} is not a type of event; call.ended or call.* is the form that is wanted.")
    return list(dict.fromkeys(types))


def add_webhook(
    session: Session, by: By, name: str, url: str, *, secret: str, types: Sequence[str] = (), masked: bool = False
) -> Webhook:
    """A new webhook, told what happens from now on. ``url`` and ``secret`` were checked. Raises UsageError."""
    checked_name(name, "webhook")
    if session.scalars(select(Webhook).where(col(Webhook.name) == name)).first():
        raise UsageError(f"There is already a webhook {name}; choose another name, or remove that one first.")
    if (session.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST_WEBHOOKS:
        raise UsageError(f"There are {MOST_WEBHOOKS} webhooks already; remove one first.")
    row = Webhook(name=name, url=url, secret=secret, types=checked_types(types), masked=masked, created_at=by.at)
    session.add(row)
    session.flush()
    by.note(session, "webhook", name, "add", {"name": name, "types": row.types}, obey=False)
    open_cursor(session, webhook_cursor(_id(row)), by.at)
    return row


def find_webhook(session: Session, name: str) -> Webhook:
    """The webhook of a name. Raises NotFound."""
    row = session.scalars(select(Webhook).where(col(Webhook.name) == name)).first()
    if row is None:
        raise NotFound("webhook", name[:60])
    return row


def list_webhooks(session: Session) -> list[Webhook]:
    """All webhooks by name."""
    return list(session.scalars(select(Webhook).order_by(col(Webhook.name))))


def remove_webhook(session: Session, by: By, name: str) -> Webhook:
    """It is told nothing any more. Raises NotFound."""
    row = find_webhook(session, name)
    session.execute(delete(WebhookRetry).where(col(WebhookRetry.webhook_id) == row.id))
    drop_cursor(session, webhook_cursor(_id(row)))
    session.delete(row)
    by.note(session, "webhook", name, "remove", {"name": name}, obey=False)
    return row


def rotate_secret(session: Session, by: By, name: str, secret: str) -> Webhook:
    """A new secret; the old one signs beside it for a day. Raises NotFound."""
    row = find_webhook(session, name)
    row.old_secret, row.old_until_at, row.secret = row.secret, by.at + ROTATION, secret
    row.revision += 1
    by.note(session, "webhook", name, "rotate", {"name": name}, obey=False)
    return row


def enable_webhook(session: Session, by: By, name: str) -> Webhook:
    """It is told again, from where it was: what was put aside, and what died, is sent at once. Raises NotFound."""
    row = find_webhook(session, name)
    row.disabled_at, row.reason = None, ""
    row.revision += 1
    session.execute(
        update(WebhookRetry)
        .where(col(WebhookRetry.webhook_id) == row.id)
        .values(state=WAITING, attempts=0, next_at=by.at, first_at=by.at)
    )
    by.note(session, "webhook", name, "enable", {"name": name}, obey=False)
    return row


def disable_webhook(session: Session, webhook_id: int, by: By, reason: str) -> None:
    """Nothing is sent to it any more, until somebody enables it."""
    row = session.get(Webhook, webhook_id)
    if row is not None and row.disabled_at is None:
        row.disabled_at, row.reason = by.at, reason[:200]
        row.revision += 1
        by.note(session, "webhook", row.name, "disable", {"name": row.name, "reason": row.reason}, obey=False)


def replay(session: Session, by: By, name: str, *, after_id: int | None, since: datetime | None) -> int:
    """Send again: events after an id, or since an instant, or (neither) those that died. Gives how many.

    They come with the ids they had. Raises NotFound, and UsageError when they are too many for one time.
    """
    row = find_webhook(session, name)
    if after_id is None and since is None:
        wanted = update(WebhookRetry).where(col(WebhookRetry.webhook_id) == row.id, col(WebhookRetry.state) == DEAD)
        count = session.connection().execute(wanted.values(state=WAITING, attempts=0, next_at=by.at)).rowcount
    else:
        count = _replay_events(session, by, row, after_id, since)
    row.revision += 1
    by.note(session, "webhook", name, "replay", {"name": name, "events": count}, obey=False)
    return count


def _replay_events(session: Session, by: By, row: Webhook, after_id: int | None, since: datetime | None) -> int:
    told = cursor_of(session, webhook_cursor(_id(row))) or 0
    query = select(col(Outbox.id), col(Outbox.entity), col(Outbox.entity_id), col(Outbox.type)).where(
        col(Outbox.id) <= told, col(Outbox.id) > (after_id or 0)
    )
    if since is not None:
        query = query.where(col(Outbox.at) >= since)
    found = [event for event in session.execute(query.order_by(col(Outbox.id))) if takes(row.types, event.type)]
    if len(found) > MOST_REPLAYED:
        raise UsageError(f"That is {len(found)} events, more than {MOST_REPLAYED}; begin later.")
    ids = {event.id for event in found}
    aside = set(session.scalars(select(col(WebhookRetry.event_id)).where(col(WebhookRetry.webhook_id) == row.id)))
    session.execute(
        update(WebhookRetry)
        .where(col(WebhookRetry.webhook_id) == row.id, col(WebhookRetry.event_id) > (after_id or 0))
        .where(col(WebhookRetry.state) == DEAD)
        .values(state=WAITING, attempts=0, next_at=by.at)
    )
    rows = [aside_row(_id(row), event, by.at, by.at) for event in found if event.id not in aside]
    if rows:
        session.execute(insert(WebhookRetry), rows)
    return len(ids)


def takes(types: Collection[str], type_: str) -> bool:
    """Whether somebody who asked for these types (none: all; ``call.*``: all of calls) wants this one."""
    return not types or type_ in types or f"{type_.partition('.')[0]}.*" in types


def aside_row(
    webhook_id: int, event: Any, now: datetime, next_at: datetime, *, attempts: int = 0, error: str = ""
) -> dict[str, Any]:
    """A message put aside, as a row."""
    return {
        "webhook_id": webhook_id,
        "event_id": event.id,
        "entity": event.entity,
        "entity_id": event.entity_id,
        "state": WAITING,
        "attempts": attempts,
        "next_at": next_at,
        "first_at": now,
        "error": error[:200],
    }


def live_hooks(session: Session) -> tuple[int, list[Hook]]:
    """The newest event's id, and the webhooks that are told."""
    rows = session.scalars(select(Webhook).where(col(Webhook.disabled_at).is_(None)).order_by(col(Webhook.id)))
    return newest_event_id(session), [
        Hook(
            id=_id(row), name=row.name, url=row.url, secret=row.secret, old_secret=row.old_secret,
            old_until_at=row.old_until_at, types=tuple(row.types), masked=row.masked, revision=row.revision,
        )
        for row in rows
    ]  # fmt: skip


def webhook_document(session: Session, row: Webhook) -> dict[str, Any]:
    """A webhook as people see it: never its secret."""
    states = session.execute(
        select(col(WebhookRetry.state), func.count())
        .where(col(WebhookRetry.webhook_id) == row.id)
        .group_by(col(WebhookRetry.state))
    )
    counts = {row[0]: int(row[1]) for row in states}
    last = session.scalars(
        select(col(WebhookRetry.error))
        .where(col(WebhookRetry.webhook_id) == row.id, col(WebhookRetry.error) != "")
        .order_by(col(WebhookRetry.id).desc())
        .limit(1)
    ).first()
    told = cursor_of(session, webhook_cursor(_id(row))) or 0
    return {
        "name": row.name,
        "url": row.url,
        "types": list(row.types),
        "masked": row.masked,
        "state": "disabled" if row.disabled_at else "enabled",
        "reason": row.reason or None,
        "told_up_to": told,
        "behind": max(newest_event_id(session) - told, 0),
        "retrying": counts.get(WAITING, 0),
        "dead": counts.get(DEAD, 0),
        "last_error": last,
        "last_ok_at": iso(row.last_ok_at),
        "created_at": iso(row.created_at),
    }


def _id(row: Webhook) -> int:
    assert row.id is not None
    return row.id
