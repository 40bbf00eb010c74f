"""Recycling: leads of a campaign that came to an end wait again, with all attempts before them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.models import Campaign, Lead
from contact_center.outcomes import USED_UP
from contact_center.store.admin import By
from contact_center.store.queries import campaign_id
from contact_center.terms import LeadState

FEW = 500
"""Leads that are changed in one transaction."""
_OVER = (LeadState.CLOSED.value, LeadState.DONE.value)


def recycle_some(
    session: Session, by: By, campaign: Campaign, dispositions: Collection[str], after_id: int
) -> tuple[int, int | None]:
    """Let some leads behind ``after_id`` wait again: how many, and behind which to go on (None: there are no more).

    ``dispositions``: what they came to, in any spelling of capitals; empty: those whose attempts were used up. Who was
    erased or is on a do-not-call list stays out; who may not be called for another reason is set aside at his turn.
    """
    of_campaign = col(Lead.campaign_id) == campaign_id(campaign)
    ids = list(
        session.scalars(
            select(col(Lead.id))
            .where(of_campaign, col(Lead.id) > after_id, col(Lead.number) != "", _wanted(dispositions))
            .order_by(col(Lead.id))
            .limit(FEW)
        )
    )
    if not ids:
        return 0, None
    values: dict[str, Any] = {"state": LeadState.DUE, "attempts": 0, "next_attempt_at": by.at, "callback_at": None}
    session.execute(
        update(Lead)
        .where(col(Lead.id).in_(ids))
        .values(**values, reason="recycled", closed_at=None)
        .execution_options(synchronize_session=False)
    )
    by.note(session, "campaign", campaign.name, "leads", {"leads": ids, "recycled": len(ids)}, obey=True)
    return len(ids), ids[-1] if len(ids) == FEW else None


def _wanted(dispositions: Collection[str]) -> ColumnElement[bool]:
    if not dispositions:
        reason = col(Lead.reason)
        return (col(Lead.state) == LeadState.CLOSED) & or_(reason == USED_UP, reason.like("all % attempts used"))
    spelled = [code.strip().lower() for code in dispositions]
    return col(Lead.state).in_(_OVER) & func.lower(col(Lead.disposition)).in_(spelled)
