"""Forgetting visits, matches, messages that nobody will send again, and kept answers, each a few rows at a time.

What a rating or a transaction still has to be told with stays, however old: the visit and the match of a call of
which somebody has not had an event, and every visit in whose time such an event lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from contact_center.models import Call, Outbox
from contact_center.models_api import ApiAnswer
from contact_center.models_telling import CallMatch, TrackingVisit, Webhook, WebhookRetry
from contact_center.store.api_answers import KEPT_SECONDS
from contact_center.store.tables import table_of
from contact_center.store.webhooks import DEAD

KEEP_TRACKING = timedelta(days=400)
"""Of visits and matches, unless the settings say another time: a year can be compared with the one before."""
KEEP_RETRIES = timedelta(days=30)
"""Of messages that nobody will send again unless somebody asks for it; as long as of the events themselves."""

_OUTBOX, _CALL, _MATCH = table_of(Outbox), table_of(Call), table_of(CallMatch)
_VISIT, _RETRY, _HOOK, _ANSWER = table_of(TrackingVisit), table_of(WebhookRetry), table_of(Webhook), table_of(ApiAnswer)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What one step did: rows gone, the last visit looked at (0 when all were), and whether there is more to do."""

    visits: int
    matches: int
    retries: int
    answers: int
    last_visit_id: int
    more: bool

    @property
    def rows(self) -> int:
        """All rows that are gone."""
        return self.visits + self.matches + self.retries + self.answers


def forget_told(
    session: Session,
    *,
    now: datetime,
    limit: int,
    keep_tracking: timedelta = KEEP_TRACKING,
    after_visit_id: int = 0,
    told_up_to: int | None = None,
) -> Forgotten:
    """Forget at most ``limit`` rows of each kind.

    Visits up to ``after_visit_id`` were looked at before. ``told_up_to``: the last event that every consumer has;
    None when there is no consumer.
    """
    before = _tracking_before(session, now - keep_tracking, told_up_to)
    matches = _forget_matches(session, before, told_up_to, limit)
    visits, last_visit_id, more_visits = _forget_visits(session, before, after_visit_id, limit)
    retries = _forget_retries(session, now - KEEP_RETRIES, limit)
    answers = _forget_answers(session, now - timedelta(seconds=KEPT_SECONDS), limit)
    more = more_visits or limit in (matches, retries, answers)
    return Forgotten(visits, matches, retries, answers, last_visit_id, more)


def _tracking_before(session: Session, before: datetime, told_up_to: int | None) -> datetime:
    """Not younger than the first event that somebody has not had: the call it tells of may not be matched yet."""
    if told_up_to is None:
        return before
    waiting = select(_OUTBOX.c.at).where(_OUTBOX.c.id > told_up_to).order_by(_OUTBOX.c.id).limit(1)
    first: datetime | None = session.connection().execute(waiting).scalar()
    return before if first is None else min(before, first)


def _forget_matches(session: Session, before: datetime, told_up_to: int | None, limit: int) -> int:
    is_up = select(_CALL.c.id).where(_CALL.c.id == _MATCH.c.call_id, _CALL.c.ended_at.is_(None)).exists()
    old = select(_MATCH.c.call_id).where(_MATCH.c.at < before, ~is_up)
    if told_up_to is not None:
        events = (_OUTBOX.c.entity == "call", _OUTBOX.c.entity_id == _MATCH.c.call_id, _OUTBOX.c.id > told_up_to)
        old = old.where(~select(_OUTBOX.c.id).where(*events).exists())
    some = old.order_by(_MATCH.c.at).limit(limit)
    return session.connection().execute(delete(_MATCH).where(_MATCH.c.call_id.in_(some))).rowcount


def _forget_visits(session: Session, before: datetime, after_id: int, limit: int) -> tuple[int, int, bool]:
    """Rows gone, the last id looked at, and whether there may be more that are old.

    A visit is found to be somebody's by its context id, of which there is an index; by its own id there is none.
    """
    connection = session.connection()
    page = select(_VISIT.c.id, _VISIT.c.until_at).where(_VISIT.c.id > after_id).order_by(_VISIT.c.id).limit(limit)
    seen = connection.execute(page).all()
    old = [row.id for row in seen if row.until_at < before]
    is_whose = select(_MATCH.c.call_id).where(
        _MATCH.c.context_id == _VISIT.c.context_id, _MATCH.c.visit_id == _VISIT.c.id
    )
    gone = connection.execute(delete(_VISIT).where(_VISIT.c.id.in_(old), ~is_whose.exists())).rowcount if old else 0
    more = len(seen) == limit and bool(old)
    return gone, seen[-1].id if more else 0, more


def _forget_retries(session: Session, before: datetime, limit: int) -> int:
    """Dead ones, and those of a webhook that is disabled for so long; what waits to be sent stays however old."""
    is_off = and_(_HOOK.c.disabled_at.is_not(None), _HOOK.c.disabled_at < before)
    old = (
        select(_RETRY.c.id)
        .join(_HOOK, _HOOK.c.id == _RETRY.c.webhook_id)
        .where(_RETRY.c.next_at < before, or_(_RETRY.c.state == DEAD, is_off))
        .order_by(_RETRY.c.id)
        .limit(limit)
    )
    return session.connection().execute(delete(_RETRY).where(_RETRY.c.id.in_(old))).rowcount


def _forget_answers(session: Session, before: datetime, limit: int) -> int:
    old = select(_ANSWER.c.id).where(_ANSWER.c.at < before).order_by(_ANSWER.c.at).limit(limit)
    return session.connection().execute(delete(_ANSWER).where(_ANSWER.c.id.in_(old))).rowcount
