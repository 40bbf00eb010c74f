"""Leads that no trunk of their campaign may carry: closed with this reason, and open again once one may."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.carriers import Carriers
from contact_center.models import Lead
from contact_center.store.admin_dnc import DNC_REASON, wait_again
from contact_center.store.changes import add_event
from contact_center.store.lead_numbers import turn_from
from contact_center.store.queries_pace import coming_leads
from contact_center.terms import LeadState

NOT_CARRIED = "no trunk of the campaign may carry the number (allowed_prefixes)"
"""The reason of a lead that was closed for that and nothing else."""

FEW = 500
"""Leads that are looked at in one transaction."""


def state_of_new(number: str, *, is_blocked: bool, carriers: Carriers) -> tuple[LeadState, str]:
    """The state that a lead begins in, with the reason where it is not to be dialled."""
    if is_blocked:
        return LeadState.DNC, DNC_REASON
    return (LeadState.NEW, "") if carriers.carry(number) else (LeadState.CLOSED, NOT_CARRIED)


def not_carried_count(session: Session, campaign_id: int) -> int:
    """How many leads of a campaign are closed because no trunk may carry their number."""
    query = select(func.count()).where(
        col(Lead.campaign_id) == campaign_id, col(Lead.state) == LeadState.CLOSED, col(Lead.reason) == NOT_CARRIED
    )
    return session.scalar(query) or 0


def close_not_carried(
    session: Session, campaign_id: int, open_zones: Collection[str], carriers: Carriers, now: datetime
) -> int:
    """Close those of the next leads that no trunk may carry; how many. Who has another number is turned to it."""
    leads = coming_leads(session, campaign_id, open_zones, now, FEW)
    held = [lead for lead in leads if not carriers.carry(lead.number)]
    ids = [lead.id for lead in held if not turn_from(session, lead, campaign_id, carry=carriers.carry)]
    values = {"state": LeadState.CLOSED, "reason": NOT_CARRIED, "closed_at": now, "next_attempt_at": None}
    session.execute(update(Lead).where(col(Lead.id).in_(ids)).values(**values))
    for lead_id in ids:
        _tell(session, lead_id, now, LeadState.CLOSED, NOT_CARRIED)
    return len(ids)


def open_carried(
    session: Session, campaign_id: int, carriers: Carriers, now: datetime, after_id: int
) -> tuple[int, int | None]:
    """Open those of some closed leads behind ``after_id`` again that a trunk may carry by now.

    How many, and behind which to look next; None: there are no more.
    """
    held = session.scalars(
        select(Lead)
        .where(
            col(Lead.campaign_id) == campaign_id,
            col(Lead.state) == LeadState.CLOSED,
            col(Lead.reason) == NOT_CARRIED,
            col(Lead.id) > after_id,
        )
        .order_by(col(Lead.id))
        .limit(FEW)
    ).all()
    carry = carriers.carry
    opened = [lead for lead in held if carry(lead.number) or turn_from(session, lead, campaign_id, carry=carry)]
    for lead in opened:
        wait_again(lead, now)
        _tell(session, lead.id or 0, now, lead.state, "a trunk may carry the number now")
    session.flush()
    return len(opened), (held[-1].id if len(held) == FEW else None)


def _tell(session: Session, lead_id: int, now: datetime, state: str, reason: str) -> None:
    payload: dict[str, Any] = {"lead_id": lead_id, "state": str(state), "reason": reason}
    add_event(session, at=now, entity="lead", entity_id=str(lead_id), type="lead.state", payload=payload)
