"""The story of one attempt, folded into what the record of the ordering call gets of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contact_center.clock import iso
from contact_center.labels import label
from contact_center.story import (
    Answered,
    CallLog,
    Connected,
    Ended,
    Left,
    Offered,
    Rang,
    Span,
    agents_of,
    seconds_between,
    talk_and_messages,
    talked_seconds,
)
from contact_center.terms import CallState, Outcome, Party, TimelineKind
from contact_center.timeline import call_state


def fold_attempt(log: CallLog, dialled_at: datetime) -> dict[str, Any]:
    """Timeline entries, the entry of ``attempts``, and the keys of the record that an attempt sets.

    ``log.header.started_at`` is when this wait began: the order, or the end of the attempt before. Never raises.
    """
    ended: Ended = log.last(Ended) or Ended(log.header.started_at, Outcome.TECHNICAL_ERROR)
    answered: Answered | None = log.find(Answered)
    connected: Connected | None = log.find(Connected)
    rang: Rang | None = log.find(Rang)
    left: Left | None = log.find(Left)
    rung: Offered | None = log.last(Offered)
    agent = rung.agent if rung else None
    until = answered.at if answered else ended.at
    span = Span(
        TimelineKind.QUEUE_CALLBACK,
        "" if answered else label("unanswered", log.header.language),
        log.header.started_at,
        seconds_between(log.header.started_at, until),
        agent,
    )
    return {
        "spans": [part.as_json() for part in (span, *talk_and_messages(log, ended.at))],
        "attempt": {
            "n": log.header.attempt,
            "at": iso(dialled_at),
            "outcome": ended.outcome.value,
            "sip_code": ended.sip_code,
            "agent": agent,
        },
        "agents": list(dict.fromkeys([*agents_of(log), *([agent] if agent else [])])),
        "talk_seconds": round(talked_seconds(log, ended.at), 3),
        "ring_seconds": round(seconds_between(rang.at, until), 3) if rang else 0.0,
        "answer_to_agent_seconds": round(seconds_between(answered.at, connected.at), 3)
        if answered and connected
        else None,
        "hung_up_by": (left.party if left else Party.SYSTEM).value,
        "call_state": _state(log, ended, left).value,
        "disposition": ended.outcome.value,
        "ended_at": iso(ended.at),
    }


def _state(log: CallLog, ended: Ended, left: Left | None) -> CallState:
    if not log.find(Answered) and left is not None and left.party is Party.AGENT:
        return CallState.ORIGINATOR_CANCEL_B
    return call_state(log, ended.outcome)


def deleted_last(entry: dict[str, Any]) -> bool:
    """How the entries of a record are sorted: the red one stands last."""
    return bool(entry.get("kind") == TimelineKind.DELETED)


def deleted_entry(at: datetime, language: str) -> dict[str, Any]:
    """The red entry of a callback that was taken out of the queue."""
    return Span(TimelineKind.DELETED, label("deleted", language), at, 0.0).as_json()
