"""Queues, agents and campaigns as others are shown them: how each stands now."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Call, QueueVisit
from contact_center.store.queries import campaign_document, list_campaigns
from contact_center.store.queries_agents import agent_document, list_agents, list_queues, queue_document

Key = tuple[str, str]
"""Kind (queue, agent or campaign) and name."""


def states(session: Session, now: datetime, wanted: Collection[Key] | None = None) -> dict[Key, dict[str, Any] | None]:
    """The documents of these, of all when None; None for one that does not exist (any more)."""
    found: dict[Key, dict[str, Any] | None] = dict.fromkeys(wanted or (), None)
    agents = list_agents(session)
    for agent in agents:
        if wanted is None or ("agent", agent.ext) in found:
            found["agent", agent.ext] = {"at": iso(now), **agent_document(agent)}
    waiting = _waiting(session)
    for queue in list_queues(session):
        if wanted is None or ("queue", queue.name) in found:
            document = queue_document(session, queue, agents)
            found["queue", queue.name] = {"at": iso(now), **document, "waiting": waiting.get(queue.name, 0)}
    for campaign in list_campaigns(session):
        if wanted is None or ("campaign", campaign.name) in found:
            found["campaign", campaign.name] = {"at": iso(now), **campaign_document(session, campaign, now)}
    return found


def _waiting(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(col(QueueVisit.queue), func.count())
        .where(col(QueueVisit.left_at).is_(None), col(QueueVisit.connected_at).is_(None))
        .group_by(col(QueueVisit.queue))
    )
    return {row[0]: int(row[1]) for row in rows}


def places_of_calls(session: Session, call_ids: Collection[str]) -> set[Key]:
    """The queues and campaigns that these calls belong to."""
    rows = session.execute(select(col(Call.queue), col(Call.campaign)).where(col(Call.id).in_(call_ids)))
    found = set[Key]()
    for queue, campaign in rows:
        found |= {("queue", queue)} if queue else set()
        found |= {("campaign", campaign)} if campaign else set()
    return found
