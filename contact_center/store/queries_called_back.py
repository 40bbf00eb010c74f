"""A customer who is being called back: his attempt that goes on, as far as it is written down."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center import story
from contact_center.callbacks.fold import deleted_last, fold_attempt
from contact_center.models import Agent, Call
from contact_center.models_callbacks import Callback, CallbackAttempt
from contact_center.store.talk_facts import talk_of_record
from contact_center.story_kept import kept
from contact_center.terms import CallKind, Direction, Outcome, Reception

OURS = frozenset({"", *(word.value for word in (*Outcome, *Reception))})
"""Dispositions that no person has set."""
_OPEN = col(CallbackAttempt.ended_at).is_(None)


def being_called_back(session: Session) -> set[str]:
    """The calls whose callback is being made now."""
    query = select(col(Callback.call_id)).join(CallbackAttempt, col(CallbackAttempt.callback_id) == col(Callback.id))
    return set(session.scalars(query.where(_OPEN)))


def callback_so_far(session: Session, call: Call, now: datetime, language: str) -> dict[str, Any]:
    """What `call show` says of the attempt that goes on, its spans counted up to now; empty where none does."""
    query = (
        select(CallbackAttempt, Callback)
        .join(Callback, col(Callback.id) == col(CallbackAttempt.callback_id))
        .where(col(Callback.call_id) == call.id, _OPEN)
        .order_by(col(CallbackAttempt.n).desc())
    )
    found = session.execute(query).first()
    if found is None:
        return {}
    attempt, callback = found
    told = fold_attempt(_story(session, call, attempt, callback, now, language), attempt.intent_at)
    attempts = call.record.get("attempts") or []
    return {
        "ended_at": None,
        "hung_up_by": None,
        "call_state": None,
        "disposition": None if call.disposition in OURS else call.disposition,
        "agents": list(dict.fromkeys([*call.agents, *told["agents"]])),
        **{key: told[key] for key in ("talk_seconds", "ring_seconds", "answer_to_agent_seconds")},
        "attempts": [*attempts, {**told["attempt"], "outcome": None}],
        "timeline": sorted([*call.timeline, *told["spans"]], key=deleted_last),
    }


def _story(
    session: Session, call: Call, attempt: CallbackAttempt, callback: Callback, now: datetime, language: str
) -> story.CallLog:
    log = story.CallLog(
        story.Header(
            id=call.id,
            kind=CallKind.CALLBACK,
            direction=Direction.OUTBOUND,
            started_at=callback.since_at,
            caller_number=callback.number,
            queue=callback.queue,
            attempt=callback.attempt,
            language=language,
        )
    )
    agent = session.scalars(select(Agent).where(col(Agent.ext) == attempt.agent)).first()
    name = agent.name if agent else attempt.agent
    log.add(story.Offered(attempt.intent_at, name))
    if attempt.answered_at is not None:
        log.add(story.Answered(attempt.answered_at))
    if attempt.connected_at is not None:
        for event in kept(talk_of_record(call.record)) or [story.Connected(attempt.connected_at, name)]:
            log.add(event)
    log.add(story.Ended(now, Outcome.CONNECTED if attempt.answered_at else Outcome.TECHNICAL_ERROR))
    return log
