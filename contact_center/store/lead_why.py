"""Why a campaign's own choice of leads leaves some of them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.lead_filter import lead_filter
from contact_center.models import Agent, Lead
from contact_center.options import CampaignOptions
from contact_center.store.expiry import end_of
from contact_center.store.filter_sql import clause
from contact_center.terms import AgentState, LeadState

COUNTED_OUT = 100_000
"""Leads that are left out are counted no further than this."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that speaks. ``binds``: it holds the lead back; otherwise it only explains."""

    rule: str
    detail: str
    binds: bool = True

    def as_json(self) -> dict[str, str]:
        """The contract's form."""
        return {"rule": self.rule, "detail": self.detail}


def left_out(lead: Lead, options: CampaignOptions) -> Iterator[Reason]:
    """Where the campaign's filter leaves this lead out: the first part of it that is not true of him."""
    wanted = lead_filter(options.filter)
    if wanted is not None and (words := wanted.against(lead)):
        yield Reason("filter", f"The campaign's filter leaves it out: {words}.")


def ended(lead: Lead, options: CampaignOptions, now: datetime) -> Iterator[Reason]:
    """Where it has expired and nobody has come by yet to close it."""
    end = end_of(lead, options.lead_expires)
    if end is not None and end <= now:
        yield Reason("expired", f"It expired at {iso(end)} and is closed when its turn comes.")


def promised(session: Session, lead: Lead, options: CampaignOptions, now: datetime, site_zone: str) -> Iterator[Reason]:
    """Where it is kept for the agent with whom a call was promised."""
    if not (options.promise_seconds and lead.callback_at and lead.callback_agent and lead.next_attempt_at):
        return
    until = lead.next_attempt_at + timedelta(seconds=options.promise_seconds)
    agent = session.scalars(select(Agent).where(col(Agent.ext) == lead.callback_agent)).first()
    if lead.next_attempt_at <= now < until and (agent is None or agent.state != AgentState.IDLE):
        state = f"is {agent.state}" if agent is not None else "is no agent any more"
        when = f"{until.astimezone(ZoneInfo(site_zone)):%Y-%m-%d %H:%M:%S} {site_zone}"
        told = f"The call is promised with agent {lead.callback_agent}, who {state}; until {when} nobody else has it."
        yield Reason("promised", told)


def left_out_of(session: Session, campaign: int, options: CampaignOptions) -> Iterator[Reason]:
    """How many of a campaign's waiting leads its filter leaves out; it binds where these are all that wait."""
    if not options.filter:
        return
    waits = (col(Lead.campaign_id) == campaign, col(Lead.state).in_((LeadState.NEW, LeadState.DUE)))
    dialect = session.get_bind().dialect.name
    wanted, unwanted = clause(options.filter, dialect), clause(options.filter, dialect, negated=True)
    ids = select(col(Lead.id)).where(*waits)
    held = len(session.scalars(ids.where(unwanted).limit(COUNTED_OUT)).all())
    if not held:
        return
    number = f"{COUNTED_OUT} or more" if held >= COUNTED_OUT else str(held)
    noun = "lead that waits is" if held == 1 else "leads that wait are"
    is_all = session.scalars(ids.where(wanted).limit(1)).first() is None
    yield Reason("filter", f"{number} {noun} left out by the filter: {options.filter}.", binds=is_all)
