"""One look at a campaign for the live view."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Campaign, TrunkNote
from contact_center.store.claim_sql import CLASSES, soonest, zones_in
from contact_center.store.claims import lead_counts
from contact_center.store.queries import (
    campaign_id,
    campaign_occupancy,
    live_counts,
    pace_decisions,
    result_counts,
    team_agents,
)

NEXT_RETRIES = 5


@dataclass(frozen=True, slots=True)
class Totals:
    """What costs a scan of an index: counted less often than the rest when leads are many."""

    leads: dict[str, int]
    results: dict[str, float]


def totals(session: Session, campaign: Campaign) -> Totals:
    """Leads by state and results so far."""
    key = campaign_id(campaign)
    return Totals(lead_counts(session, key), result_counts(session, key))


def snapshot(session: Session, campaign: Campaign, counted: Totals, now: datetime) -> dict[str, Any]:
    """The campaign now; ``counted`` may be some seconds old."""
    key = campaign_id(campaign)
    results, leads = counted.results, counted.leads
    dialled = results["dialled"] - sum(live_counts(session, key).values())
    return {
        "at": iso(now),
        "name": campaign.name,
        "mode": str(campaign.mode),
        "state": str(campaign.state),
        "multiplier": campaign.multiplier,
        "agents": dict(Counter(str(agent.state) for agent in team_agents(session, campaign.team))),
        "live": live_counts(session, key),
        "leads": leads,
        "left": leads["new"] + leads["due"] + leads["dialing"] + leads["talking"],
        "dialled": results["dialled"],
        "answered": results["answered"],
        "answer_rate": round(min(results["answered"] / dialled, 1.0), 4) if dialled > 0 else 0.0,
        "connected": results["connected"],
        "dropped": results["dropped"],
        "abandonment": results["abandonment"],
        "occupancy": campaign_occupancy(session, campaign, now),
        "next_retries_at": [iso(at) for at in next_retries(session, key)],
        "trunks_down": [
            {"name": note.name, "state": note.state, "reason": note.reason}
            for note in session.scalars(select(TrunkNote).where(col(TrunkNote.state) != "up"))
        ],
        "decisions": pace_decisions(session, key)[:5],
    }


def next_retries(session: Session, campaign: int) -> list[datetime]:
    """When leads that wait are due next."""
    timed = [one for one in CLASSES if one.is_timed]
    places = {one.index: zones_in(session, one, campaign) for one in timed}
    coming = [soonest(session, one, campaign, places[one.index], NEXT_RETRIES) for one in timed]
    return sorted(at for moments in coming for at in moments)[:NEXT_RETRIES]
