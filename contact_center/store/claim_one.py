"""Taking one lead that an agent has seen and wants to be called: the intent of a preview."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.attempt_rules import NO_RULES, AttemptRules
from contact_center.lead_filter import lead_filter
from contact_center.models import Attempt, Campaign, Lead
from contact_center.store.admin_dnc import blocked_numbers
from contact_center.store.claims import Claim, take_row
from contact_center.store.expiry import lead_expires
from contact_center.terms import CallKind, CampaignState, LeadState


def claim_one(
    session: Session,
    *,
    campaign_id: int,
    lead_id: int,
    now: datetime,
    open_zones: Collection[str],
    trunk: str,
    max_attempts: int,
    profile: str,
    queued_at: datetime,
    own: AttemptRules = NO_RULES,
    number: str = "",
) -> Claim | None:
    """Take this lead, inside the caller's writing transaction; None where it may not be called now after all.

    ``queued_at``: when the agent was shown it. ``number``: what he was shown, and what ``trunk`` may carry; a lead
    that was turned to another one since is not called. Empty: whichever it has.
    """
    campaign, lead = session.get(Campaign, campaign_id), session.get(Lead, lead_id)
    if campaign is None or lead is None or campaign.state != CampaignState.RUNNING:
        return None
    if number and lead.number != number:
        return None
    due = lead.state == LeadState.NEW or (
        lead.state == LeadState.DUE and lead.next_attempt_at is not None and lead.next_attempt_at <= now
    )
    on_line = session.scalars(select(col(Attempt.id)).where(col(Attempt.live_number) == lead.number)).first()
    wanted = lead_filter(str(campaign.options.get("filter", "")))
    if wanted is not None and not wanted.takes(lead):
        return None
    if not due or on_line is not None or lead.zones not in open_zones:
        return None
    row = _Row(lead, bool(blocked_numbers(session, [lead.number], campaign_id)))
    expires = lead_expires(campaign)
    session.expunge(lead)  # what follows is written past the session
    return take_row(
        session,
        row,
        campaign_id=campaign_id,
        campaign=campaign.name,
        now=now,
        trunk=trunk,
        max_attempts=max_attempts,
        kind=CallKind.PREVIEW,
        profile=profile,
        queued_at=queued_at,
        expires=expires,
        own=own,
    )


class _Row:
    """A lead as the claim's own query would give it."""

    def __init__(self, lead: Lead, is_forbidden: bool) -> None:
        self.id, self.number, self.zones, self.priority = lead.id, lead.number, lead.zones, lead.priority
        self.attempts, self.dials, self.last_agent = lead.attempts, lead.dials, lead.last_agent
        self.fields, self.is_forbidden = dict(lead.fields), is_forbidden
        self.created_at, self.expires_at = lead.created_at, lead.expires_at
        self.callback_at, self.callback_agent = lead.callback_at, lead.callback_agent
