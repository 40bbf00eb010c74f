"""Leads that have an end: after it nobody calls them, and they are closed with that reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import bindparam, column, func, select, text
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import UsageError
from contact_center.models import Campaign, Instant, Lead
from contact_center.options import parse_span
from contact_center.store.changes import add_event
from contact_center.terms import LeadState

EXPIRED = "expired"
"""The reason of a lead that was closed for that."""
FEW = 500
"""Leads that are closed in one transaction."""

_BY_OWN = (
    text(
        "SELECT id FROM lead WHERE campaign_id = :campaign AND expires_at <= :now"
        " AND expires_at IS NOT NULL AND state IN ('new', 'due') ORDER BY expires_at LIMIT :few"
    )
    .bindparams(bindparam("now", type_=Instant()))
    .columns(column("id"))
)


class Ending(Protocol):
    """What is looked at of a lead."""

    @property
    def created_at(self) -> datetime:
        """When it was imported."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """Its own end, if it has one."""
        ...


def lead_expires(campaign: Campaign) -> float:
    """So many seconds after their import the leads of a campaign end; 0: never."""
    return parse_span(campaign.options.get("lead_expires", 0))


def end_of(lead: Ending, seconds: float) -> datetime | None:
    """When a lead ends: its own instant or ``seconds`` (0: never) after its import, whichever comes first."""
    ends = [lead.expires_at] if lead.expires_at else []
    if seconds:
        ends.append(lead.created_at + timedelta(seconds=seconds))
    return min(ends, default=None)


def is_over(lead: Ending, seconds: float, now: datetime) -> bool:
    """Whether it has ended."""
    end = end_of(lead, seconds)
    return end is not None and end <= now


def check_promise(callback_at: datetime | None, seconds: float, now: datetime) -> None:
    """Raises UsageError where a lead that comes now ends, ``seconds`` from now (0: never), before it is called back."""
    if seconds and callback_at is not None and callback_at >= now + timedelta(seconds=seconds):
        raise UsageError("callback_at is not before the lead's end by lead_expires, so nobody would call back.")


def expired_leads(session: Session, campaign_id: int, now: datetime) -> list[int]:
    """Some leads that wait although they have ended, by their ids. Seeks only: the oldest are looked at first."""
    campaign = session.get(Campaign, campaign_id)
    found = list(session.connection().execute(_BY_OWN, {"campaign": campaign_id, "now": now, "few": FEW}).scalars())
    seconds = lead_expires(campaign) if campaign is not None else 0.0
    if not seconds:
        return found
    for state in (LeadState.NEW, LeadState.DUE):
        query = select(col(Lead.id), col(Lead.created_at)).where(
            col(Lead.campaign_id) == campaign_id, col(Lead.state) == state
        )
        rows = session.execute(query.order_by(col(Lead.id)).limit(FEW))
        found += [id_ for id_, at in rows if at + timedelta(seconds=seconds) <= now]
    return list(dict.fromkeys(found))


def close_expired(session: Session, campaign_id: int, now: datetime) -> int:
    """Close some leads that have ended; how many."""
    ids = expired_leads(session, campaign_id, now)
    for lead in session.scalars(select(Lead).where(col(Lead.id).in_(ids))):
        lead.state, lead.reason, lead.closed_at, lead.next_attempt_at = LeadState.CLOSED, EXPIRED, now, None
        payload = {"lead_id": lead.id, "number": lead.number, "state": LeadState.CLOSED.value, "reason": EXPIRED}
        add_event(session, at=now, entity="lead", entity_id=str(lead.id), type="lead.state", payload=payload)
    session.flush()
    return len(ids)


def expired_count(session: Session, campaign_id: int) -> int:
    """How many leads of a campaign were closed because they had ended."""
    closed = (col(Lead.campaign_id) == campaign_id, col(Lead.state) == LeadState.CLOSED)
    return session.scalar(select(func.count()).where(*closed, col(Lead.reason) == EXPIRED)) or 0
