"""Callers and queues as a starting ``serve`` finds them, and as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center import story
from contact_center.clock import iso
from contact_center.models import Agent, Call, Queue, QueueVisit
from contact_center.queues.figures import Visit, figures, header
from contact_center.store.call_facts import CHANNEL
from contact_center.store.queries_agents import queue_document, queue_options
from contact_center.store.queries_callers import told_by
from contact_center.store.talk_facts import HEARD, talk_of_record
from contact_center.story_kept import heard
from contact_center.terms import Direction


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """The queue in which a caller waits, or through which he came to the agent he talks to."""

    n: int
    queue: str
    entered_at: datetime
    priority: int
    position: int
    connected_at: datetime | None
    agent: str
    agent_channel_id: str
    bridge_id: str


@dataclass(frozen=True, slots=True)
class OpenInbound:
    """A caller's call whose end was never written: he is adopted if his channel lives, else his story is closed.

    ``talk``: who had him so far (story_kept), where he was given away.
    ``before``: what is known of the time before ``visit``. ``ring_seconds``: how long his agent's phone rang.
    """

    call_id: str
    channel_id: str
    did: str
    caller_number: str
    started_at: datetime
    queue: str
    visit: OpenVisit | None
    visits: int
    talk: tuple[dict[str, str], ...] = ()
    before: tuple[story.Event, ...] = ()
    ring_seconds: float = 0.0


def open_inbound(session: Session) -> list[OpenInbound]:
    """Callers' calls without an end, oldest first."""
    calls = session.scalars(
        select(Call)
        .where(col(Call.ended_at).is_(None), col(Call.direction) == Direction.INBOUND.value)
        .order_by(col(Call.started_at), col(Call.id))
    ).all()
    found = []
    for call in calls:
        visits = session.scalars(
            select(QueueVisit).where(col(QueueVisit.call_id) == call.id).order_by(col(QueueVisit.n))
        ).all()
        last = visits[-1] if visits and visits[-1].left_at is None else None
        found.append(
            OpenInbound(
                call_id=call.id,
                channel_id=str(call.record.get(CHANNEL) or ""),
                did=call.did,
                caller_number=call.caller_number,
                started_at=call.started_at,
                queue=call.queue,
                visit=_open_visit(last) if last else None,
                visits=len(visits),
                talk=talk_of_record(call.record),
                ring_seconds=call.ring_seconds,
                before=(*heard(call.record.get(HEARD) or ()), *told_by(session, visits[:-1] if last else visits)),
            )
        )
    return found


def _open_visit(row: QueueVisit) -> OpenVisit:
    return OpenVisit(
        n=row.n,
        queue=row.queue,
        entered_at=row.entered_at,
        priority=row.priority,
        position=row.position,
        connected_at=row.connected_at,
        agent=row.agent,
        agent_channel_id=row.agent_channel_id,
        bridge_id=row.bridge_id,
    )


def visits_between(
    session: Session, since: datetime, until: datetime, *, queue: str = "", agent: str = ""
) -> list[Visit]:
    """The stays that began in a stretch of time (its end exclusive), oldest first; empty filters mean all."""
    query = (
        select(QueueVisit)
        .where(col(QueueVisit.entered_at) >= since, col(QueueVisit.entered_at) < until)
        .order_by(col(QueueVisit.entered_at), col(QueueVisit.id))
    )
    if queue:
        query = query.where(col(QueueVisit.queue) == queue)
    if agent:
        query = query.where(col(QueueVisit.agent) == agent)
    return [_visit(row, until) for row in session.scalars(query)]


def _visit(row: QueueVisit, now: datetime) -> Visit:
    waits = row.left_at is None and row.connected_at is None
    return Visit(
        queue=row.queue,
        entered_at=row.entered_at,
        connected_at=row.connected_at,
        left_at=row.left_at,
        outcome=row.outcome,
        wait_seconds=max((now - row.entered_at).total_seconds(), 0.0) if waits else row.wait_seconds,
        talk_seconds=row.talk_seconds,
        wrap_up_seconds=row.wrap_up_seconds,
        agent=row.agent,
        said_seconds=row.said_seconds,
        said_at=row.said_at,
    )


def midnight(zone: str, at: datetime) -> datetime:
    """When the local day of an instant began."""
    local = at.astimezone(ZoneInfo(zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def live_queue(session: Session, queue: Queue, agents: Sequence[Agent], zone: str, now: datetime) -> dict[str, Any]:
    """A queue as it is now: its settings, its agents, who waits, and the figures of the local day."""
    options = queue_options(queue)
    today = visits_between(session, midnight(zone, now), now + timedelta(seconds=1), queue=queue.name)
    members = [agent for agent in agents if queue.name in agent.queues]
    last = {visit.agent: visit for visit in today if visit.is_answered}
    return {
        **queue_document(session, queue, agents),
        "at": iso(now),
        "header": header(queue.name, options, today),
        "figures": figures(today, options.service_level_seconds).as_json(),
        "members": [_member(agent, queue.name, today, last.get(agent.ext), now) for agent in members],
        "callers": _callers(session, queue.name, now),
    }


def _member(agent: Agent, queue: str, today: Sequence[Visit], last: Visit | None, now: datetime) -> dict[str, Any]:
    ended = last.left_at if last else None
    return {
        "ext": agent.ext,
        "name": agent.name,
        "endpoint": agent.endpoint,
        "state": str(agent.state),
        "since_at": iso(agent.since_at),
        "penalty": agent.penalties.get(queue, 0),
        "taken": sum(1 for visit in today if visit.agent == agent.ext),
        "last_call_seconds_ago": round((now - ended).total_seconds(), 1) if ended else None,
    }


def _callers(session: Session, queue: str, now: datetime) -> list[dict[str, Any]]:
    rows = session.execute(
        select(QueueVisit, col(Call.caller_number))
        .join(Call, col(Call.id) == col(QueueVisit.call_id))
        .where(
            col(QueueVisit.left_at).is_(None),
            col(QueueVisit.connected_at).is_(None),
            col(QueueVisit.queue) == queue,
        )
        .order_by(col(QueueVisit.priority).desc(), col(QueueVisit.entered_at))
    )
    return [
        {
            "position": place,
            "call_id": visit.call_id,
            "number": number,
            "priority": visit.priority,
            "entered_at": iso(visit.entered_at),
            "wait_seconds": round((now - visit.entered_at).total_seconds(), 1),
        }
        for place, (visit, number) in enumerate(rows, 1)
    ]
