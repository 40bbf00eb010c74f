"""The rows of `report queues` and `report agents`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Attempt
from contact_center.queues.figures import figures
from contact_center.store.agent_times import agent_times, all_times
from contact_center.store.queries_agents import find_agent, find_queue, list_agents, list_queues, queue_options
from contact_center.store.queries_queues import visits_between


def queue_rows(session: Session, name: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """One row for each queue (an empty name means all), for callers who came between the two. Raises NotFound."""
    rows = [find_queue(session, name)] if name else list_queues(session)
    visits = visits_between(session, since, until, queue=name)
    documents = []
    for row in rows:
        threshold = queue_options(row).service_level_seconds
        own = [visit for visit in visits if visit.queue == row.name]
        times = all_times(session, list_agents(session, queue=row.name), since, until)
        documents.append(
            {
                "queue": row.name,
                "since_at": iso(since),
                "until_at": iso(until),
                "service_level_seconds": threshold,
                **figures(own, threshold).as_json(),
                "occupancy": round(times.occupancy, 4),
            }
        )
    return documents


def agent_rows(session: Session, queue: str, ext: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """One row for each agent; empty filters mean all. Raises NotFound.

    ``taken``: callers of queues. ``connected``: customers of campaigns whose calls are over; none with a ``queue``.
    """
    if queue:
        find_queue(session, queue)
    agents = [find_agent(session, ext)] if ext else list_agents(session, queue=queue)
    visits = visits_between(session, since, until, queue=queue, agent=ext)
    connected = {} if queue else _connected(session, since, until)
    documents = []
    for agent in agents:
        taken = figures([visit for visit in visits if visit.agent == agent.ext], 0.0)
        times = agent_times(session, agent, since, until)
        documents.append(
            {
                "ext": agent.ext,
                "name": agent.name,
                "since_at": iso(since),
                "until_at": iso(until),
                "taken": taken.answered,
                "connected": connected.get(agent.ext, 0),
                "aht_seconds": round(taken.aht_seconds, 1),
                "talking_seconds": round(times.talking, 1),
                "wrap_up_seconds": round(times.wrap_up, 1),
                "free_seconds": round(times.idle + times.offered, 1),
                "paused_seconds": round(times.paused, 1),
                "occupancy": round(times.occupancy, 4),
            }
        )
    return documents


def _connected(session: Session, since: datetime, until: datetime) -> dict[str, int]:
    """By extension: how many calls of campaigns an agent spoke in that began to be talked in a stretch of time."""
    query = (
        select(col(Attempt.agent), func.count())
        .where(col(Attempt.ended_at) >= since, col(Attempt.connected_at) >= since, col(Attempt.connected_at) < until)
        .group_by(col(Attempt.agent))
    )
    return {str(ext): int(count) for ext, count in session.execute(query)}
