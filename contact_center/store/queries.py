"""Campaigns as people and JSON see them. Everything that a live view asks is a scan of one index at most."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import NotFound
from contact_center.models import Agent, Attempt, Campaign, Outbox, PaceNote
from contact_center.options import CampaignOptions
from contact_center.store.carriage import not_carried_count
from contact_center.store.claims import lead_counts
from contact_center.terms import AgentState, AttemptState, LeadState, Outcome

OCCUPANCY_SECONDS = 900.0
"""How far back an occupancy looks, unless the campaign was started later."""

_EVENTS_LOOKED_AT = 400
_RINGING = (AttemptState.INTENT, AttemptState.DIALING, AttemptState.RINGING)
_OPEN = (*_RINGING, AttemptState.ANSWERED, AttemptState.CONNECTED)
_BUSY = (AgentState.TALKING, AgentState.WRAP_UP)


def find_campaign(session: Session, name: str) -> Campaign:
    """The campaign of a name. Raises NotFound."""
    campaign = session.scalars(select(Campaign).where(col(Campaign.name) == name)).first()
    if campaign is None:
        raise NotFound("campaign", name)
    return campaign


def list_campaigns(session: Session) -> list[Campaign]:
    """All campaigns by name."""
    return list(session.scalars(select(Campaign).order_by(col(Campaign.name))))


def campaign_id(campaign: Campaign) -> int:
    """The key of a stored campaign."""
    assert campaign.id is not None
    return campaign.id


def campaign_options(campaign: Campaign) -> CampaignOptions:
    """A campaign's options; keys that are gone from the program are forgotten."""
    known = {key: value for key, value in campaign.options.items() if key in CampaignOptions.model_fields}
    return CampaignOptions.model_validate(known)


def live_counts(session: Session, campaign: int) -> dict[str, int]:
    """Calls in progress: ``ringing`` (or about to), ``waiting`` (answered, no agent yet) and ``talking``."""
    # Asked for all campaigns at once: the open attempts are few, those of one campaign may be a million.
    rows = session.execute(
        select(col(Attempt.campaign_id), col(Attempt.state), func.count())
        .where(col(Attempt.live_number) > "", col(Attempt.state).in_(_OPEN))  # > "": so SQLite seeks in its index
        .group_by(col(Attempt.campaign_id), col(Attempt.state))
    )
    by_state = {AttemptState(state): count for owner, state, count in rows if owner == campaign}
    return {
        "ringing": sum(by_state.get(state, 0) for state in _RINGING),
        "waiting": by_state.get(AttemptState.ANSWERED, 0),
        "talking": by_state.get(AttemptState.CONNECTED, 0),
    }


def result_counts(session: Session, campaign: int) -> dict[str, float]:
    """Dials so far: dialled, answered, connected, dropped, abandonment = dropped / (dropped + connected)."""
    rows = session.execute(
        select(col(Attempt.outcome), func.count(), func.count(col(Attempt.answered_at)))
        .where(col(Attempt.campaign_id) == campaign)
        .group_by(col(Attempt.outcome))
    ).all()
    total = {outcome: dials for outcome, dials, _ in rows}
    connected = total.get(Outcome.CONNECTED, 0)
    dropped = total.get(Outcome.NO_FREE_OPERATORS, 0)
    return {
        "dialled": sum(total.values()),
        "answered": sum(answered for _, _, answered in rows),
        "connected": connected,
        "dropped": dropped,
        "abandonment": round(dropped / (dropped + connected), 6) if dropped + connected else 0.0,
    }


def team_agents(session: Session, team: str) -> list[Agent]:
    """The agents that a campaign of this team may use; an empty team means everybody."""
    query = select(Agent).order_by(func.length(col(Agent.ext)), col(Agent.ext))
    return list(session.scalars(query.where(col(Agent.team) == team) if team else query))


def occupancy(session: Session, agents: Collection[Agent], since: datetime, until: datetime) -> float:
    """(talk + wrap-up) / (on line, not paused) of these agents between two instants, from their state events.

    ``offered`` and ``idle`` are time on line in which an agent is free.
    """
    busy = on_line = 0.0
    for agent in agents:
        for state, start, end in _spans(session, agent, since, until):
            seconds = (end - start).total_seconds()
            busy += seconds if state in _BUSY else 0.0
            on_line += seconds if state in (*_BUSY, AgentState.IDLE, AgentState.OFFERED) else 0.0
    return round(busy / on_line, 4) if on_line else 0.0


def _spans(session: Session, agent: Agent, since: datetime, until: datetime) -> list[tuple[str, datetime, datetime]]:
    """How long an agent was in which state, newest first."""
    spans, end = [], until
    moments = [(agent.since_at, str(agent.state)), *_moments(session, agent.ext)]
    for at, state in moments:
        if at < end:
            spans.append((state, max(at, since), end))
            end = at
        if end <= since:
            break
    return spans


def _moments(session: Session, ext: str) -> list[tuple[datetime, str]]:
    events = session.scalars(
        select(Outbox)
        .where(col(Outbox.entity) == "agent", col(Outbox.entity_id) == ext)
        .order_by(col(Outbox.seq).desc())
        .limit(_EVENTS_LOOKED_AT)
    )
    moments = []
    for event in events:
        state, since = event.payload.get("state"), event.payload.get("since_at")
        if isinstance(state, str) and isinstance(since, str):
            moments.append((datetime.fromisoformat(since), state))
    return moments


def pace_decisions(session: Session, campaign: int) -> list[dict[str, Any]]:
    """The last pacing decisions, newest first."""
    note = session.get(PaceNote, campaign)
    return list(note.decisions) if note else []


def campaign_document(session: Session, campaign: Campaign, now: datetime) -> dict[str, Any]:
    """The contract's `campaign`, with team, options and instants; ``not_carried``: of its closed leads."""
    key = campaign_id(campaign)
    leads, results = lead_counts(session, key), result_counts(session, key)
    return {
        "name": campaign.name,
        "mode": str(campaign.mode),
        "state": str(campaign.state),
        "multiplier": campaign.multiplier,
        "leads": leads,
        "not_carried": not_carried_count(session, key) if leads[LeadState.CLOSED] else 0,
        "live": live_counts(session, key),
        "answered": results["answered"],
        "connected": results["connected"],
        "dropped": results["dropped"],
        "abandonment": results["abandonment"],
        "occupancy": campaign_occupancy(session, campaign, now),
        "dialled": results["dialled"],
        "team": campaign.team,
        "options": campaign_options(campaign).model_dump(mode="json"),
        "created_at": iso(campaign.created_at),
        "started_at": iso(campaign.started_at),
        "ended_at": iso(campaign.ended_at),
    }


def campaign_occupancy(session: Session, campaign: Campaign, now: datetime) -> float:
    """Occupancy of the campaign's team in its last quarter of an hour; 0 before its first start."""
    if campaign.started_at is None:
        return 0.0
    until = campaign.ended_at or now
    since = max(campaign.started_at, until - timedelta(seconds=OCCUPANCY_SECONDS))
    return occupancy(session, team_agents(session, campaign.team), since, until)
