"""A caller's call that is up, as far as it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center import story
from contact_center.models import Agent, Call, QueueVisit
from contact_center.terms import CallKind, Direction, VisitEnd
from contact_center.timeline import fold

_TOLD = ("answered_at", "agents", "wait_seconds", "talk_seconds", "answer_to_agent_seconds", "timeline")


def told_by(session: Session, visits: Sequence[QueueVisit]) -> list[story.Event]:
    """What stays in queues tell of a call, in order; who got an agent and left the queue again had lost him."""
    told: list[story.Event] = []
    for visit in visits:
        told.append(story.Entered(visit.entered_at, visit.queue, visit.n, visit.position))
        if visit.connected_at is not None:
            agent = session.scalars(select(Agent).where(col(Agent.ext) == visit.agent)).first()
            told.append(story.Connected(visit.connected_at, agent.name if agent else visit.agent))
            if visit.left_at is not None:
                told.append(story.Alone(visit.left_at))
        elif visit.left_at is not None:
            told.append(story.WaitOver(visit.left_at, visit.queue, VisitEnd(visit.outcome or VisitEnd.TIMEOUT)))
    return told


def caller_so_far(session: Session, call: Call, now: datetime, language: str) -> dict[str, Any]:
    """Those keys of `call show` that grow while a caller waits and talks; spans are counted up to now."""
    log = story.CallLog(
        story.Header(
            id=call.id,
            kind=CallKind(call.kind),
            direction=Direction(call.direction),
            started_at=call.started_at,
            caller_number=call.caller_number,
            queue=call.queue,
            did=call.did,
            language=language,
        )
    )
    visits = session.scalars(
        select(QueueVisit).where(col(QueueVisit.call_id) == call.id).order_by(col(QueueVisit.n))
    ).all()
    if visits:
        log.add(story.Answered(call.started_at))
    log.events += told_by(session, visits)
    log.add(story.Over(now))
    so_far = fold(log)
    return {key: so_far[key] for key in _TOLD}
