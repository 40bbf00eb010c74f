"""Why a lead of a preview campaign is shown to nobody: the agents who are free have let it pass a moment ago."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.models import Campaign, Lead, Outbox
from contact_center.store.lead_why import Reason
from contact_center.store.previews import ALONE_SECONDS, OVER, SKIPPED_SECONDS
from contact_center.store.queries import team_agents
from contact_center.store.queries_pace import coming_leads
from contact_center.terms import AgentState

_FEW = 200
"""Events of an agent that are looked at; each lead that he is shown makes a handful."""


def let_pass(session: Session, campaign: Campaign, lead: Lead, now: datetime, zone: str) -> Iterator[Reason]:
    """Who of the agents that are free let this lead pass; it binds where nobody else is free and it is too soon."""
    passed = _passed(session, campaign, now)
    mine = {ext: leads[lead.id] for ext, leads in passed.items() if lead.id in leads}
    for ext, at in sorted(mine.items()):
        again, first = (_local(at + timedelta(seconds=span), zone) for span in (ALONE_SECONDS, SKIPPED_SECONDS))
        binds = len(mine) == len(passed) and now - max(mine.values()) < timedelta(seconds=ALONE_SECONDS)
        others = f"until {first} he is shown others first, and this one from {again} on"
        yield Reason("let_pass", f"Agent {ext} let it pass at {_local(at, zone)}: {others}.", binds=binds)


def all_let_pass(
    session: Session, campaign: Campaign, open_zones: Collection[str], now: datetime, zone: str
) -> Iterator[Reason]:
    """Where the agents who are free have all let pass, a moment ago, whatever there is to be shown."""
    soon = timedelta(seconds=ALONE_SECONDS)
    passed = {
        ext: {lead: at for lead, at in leads.items() if now - at < soon}
        for ext, leads in _passed(session, campaign, now).items()
    }
    most = max((len(leads) for leads in passed.values()), default=0)
    coming = coming_leads(session, campaign.id or 0, open_zones, now, most + 1) if most and open_zones else []
    if not coming or not all(lead.id in leads for leads in passed.values() for lead in coming):
        return
    again = min(min(leads[lead.id] for lead in coming) for leads in passed.values()) + soon
    noun = "the lead that is" if len(coming) == 1 else f"all {len(coming)} leads that are"
    yield Reason("let_pass", f"Who is free has let pass {noun} due; shown again from {_local(again, zone)} on.")


def _passed(session: Session, campaign: Campaign, now: datetime) -> dict[str, dict[int, datetime]]:
    """Of each agent who is free the leads that he let pass not long ago, and when."""
    since = now - timedelta(seconds=SKIPPED_SECONDS)
    found: dict[str, dict[int, datetime]] = {}
    for agent in team_agents(session, campaign.team):
        if agent.state != AgentState.IDLE:
            continue
        told = select(Outbox).where(col(Outbox.entity) == "agent", col(Outbox.entity_id) == agent.ext)
        events = session.scalars(told.order_by(col(Outbox.seq).desc()).limit(_FEW))
        over = [event for event in events if event.type == OVER and event.at > since and "lead_id" in event.payload]
        found[agent.ext] = {
            event.payload["lead_id"]: event.at
            for event in reversed(over)
            if event.payload.get("over") in ("skipped", "lapsed")
        }
    return found


def _local(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M:%S}"
