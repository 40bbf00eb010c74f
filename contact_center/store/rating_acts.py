"""What is written of a rating, whoever gave it: its row, the call's record, and the event that others are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Attempt, Call, QueueVisit, Rating
from contact_center.store.changes import add_event

RATED = "call.rated"


@dataclass(frozen=True, slots=True)
class RatingAct:
    """One act of rating. ``source``: ivr, cli, api or portal; ``agent``: the extension of whose call it was."""

    option: str
    digit: int
    value: Decimal | None
    group: str
    goal: str
    source: str
    agent: str
    at: datetime


def put_rating(session: Session, call: Call, act: RatingAct) -> None:
    """Make it the call's rating; the ones before stay in its history, and each is told as an event of its own."""
    before = call.record.get("rating") or {}
    session.add(
        Rating(
            call_id=call.id, option=act.option, digit=act.digit, value=act.value, source=act.source, agent=act.agent,
            at=act.at, group_name=act.group, goal=act.goal,
        )
    )  # fmt: skip
    session.flush()
    call.record = {**call.record, "rating": rating_document(session, call.id)}
    payload = {**_act(act), "call_id": call.id, "was": before.get("option"), "queue": call.queue or None}
    payload |= {"campaign": call.campaign or None}
    add_event(session, at=act.at, entity="call", entity_id=call.id, type=RATED, payload=payload)


def rating_document(session: Session, call_id: str) -> dict[str, Any] | None:
    """The contract's ``rating`` of a call: the newest act, and all of them under ``history``, the oldest first."""
    rows = session.scalars(select(Rating).where(col(Rating.call_id) == call_id).order_by(col(Rating.id))).all()
    if not rows:
        return None
    history = [_entry(row) for row in rows]
    newest = history[-1]
    return {**{key: newest[key] for key in ("option", "digit", "value", "source", "at")}, "history": history}


def _entry(row: Rating) -> dict[str, Any]:
    return {
        "option": row.option,
        "digit": row.digit,
        "value": None if row.value is None else f"{row.value:.2f}",
        "source": row.source,
        "agent": row.agent or None,
        "goal": row.goal or None,
        "at": iso(row.at),
    }


def _act(act: RatingAct) -> dict[str, Any]:
    return {
        "option": act.option,
        "digit": act.digit,
        "value": None if act.value is None else f"{act.value:.2f}",
        "group": act.group,
        "goal": act.goal or None,
        "source": act.source,
        "agent": act.agent or None,
        "at": iso(act.at),
    }


def agent_of_call(session: Session, call_id: str) -> str:
    """The extension of the agent who was on the call last; empty where nobody was."""
    dialled = select(col(Attempt.agent)).where(col(Attempt.call_id) == call_id)
    queued = select(col(QueueVisit.agent)).where(col(QueueVisit.call_id) == call_id, col(QueueVisit.agent) != "")
    found = session.scalars(dialled).first() or session.scalars(queued.order_by(col(QueueVisit.n).desc())).first()
    return found or ""
