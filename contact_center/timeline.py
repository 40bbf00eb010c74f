"""The story of one call, folded into the record that people read.

The events (contact_center/story.py) are the call's only state. :func:`fold` decides once, at the end, what the story
means: who hung up, how long each part lasted, which state the call ended in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contact_center.clock import iso
from contact_center.labels import label
from contact_center.story import (
    COLORS,
    Announced,
    Answered,
    CallLog,
    Closed,
    Connected,
    Consulted,
    Diverted,
    Ended,
    Entered,
    Event,
    Forced,
    Header,
    Joined,
    Left,
    Missed,
    Offered,
    Over,
    Rang,
    Removed,
    Span,
    SwitchLost,
    WaitOver,
    agents_of,
    rest_of_record,
    seconds_between,
    talk_and_messages,
    talked_seconds,
)
from contact_center.terms import CallKind, CallState, Direction, Outcome, Party, TimelineKind
from contact_center.timeline_inbound import fold_inbound
from contact_center.timeline_own import fold_internal, own_call

__all__ = [
    "COLORS",
    "Announced",
    "Answered",
    "CallLog",
    "Closed",
    "Connected",
    "Consulted",
    "Diverted",
    "Ended",
    "Entered",
    "Event",
    "Forced",
    "Header",
    "Joined",
    "Left",
    "Missed",
    "Offered",
    "Over",
    "Rang",
    "Removed",
    "Span",
    "SwitchLost",
    "WaitOver",
    "call_state",
    "dialled_spans",
    "fold",
]

_DIAL_STATES = {
    Outcome.MISSED: CallState.NO_ANSWER_A,
    Outcome.UNAVAILABLE: CallState.UNAVAILABLE_A,
    Outcome.BUSY: CallState.USER_BUSY_A,
    Outcome.INVALID_NUMBER: CallState.INVALID_NUMBER_A,
    Outcome.BLOCKED: CallState.REJECTED_A,
    Outcome.TECHNICAL_ERROR: CallState.NETWORK_FAILURE,
    Outcome.NOT_ATTEMPTED: CallState.NETWORK_FAILURE,
    Outcome.NO_FREE_OPERATORS: CallState.NO_FREE_OPERATORS,
    Outcome.MACHINE: CallState.ANSWERING_MACHINE_A,
}


def dialled_spans(log: CallLog, ended_at: datetime) -> list[Span]:
    """The timeline of a call that a campaign placed: queue (0 s), queue_callback, then what followed."""
    header = log.header
    answered: Answered | None = log.find(Answered)
    waited_until = answered.at if answered else ended_at
    unanswered = "" if answered else label("unanswered", header.language)
    spans = [
        Span(TimelineKind.QUEUE, header.campaign or header.queue, header.started_at, 0.0),
        Span(
            TimelineKind.QUEUE_CALLBACK,
            unanswered,
            header.started_at,
            seconds_between(header.started_at, waited_until),
        ),
    ]
    spans += talk_and_messages(log, ended_at)
    return spans


def call_state(log: CallLog, outcome: Outcome) -> CallState:
    """How the line ended and whose doing it was."""
    connected, answered = log.find(Connected), log.find(Answered)
    left: Left | None = log.find(Left)
    party = left.party if left else Party.SYSTEM
    if connected and log.find(Forced):
        return CallState.FORCED_CLEARING_B
    if connected and log.find(SwitchLost):
        return CallState.SWITCH_LOST
    if connected:
        return {
            Party.CALLER: CallState.NORMAL_CLEARING_A,
            Party.AGENT: CallState.NORMAL_CLEARING_B,
            Party.SYSTEM: CallState.NORMAL_CLEARING_S,
        }[party]
    if answered and party is Party.CALLER and outcome is not Outcome.MACHINE:
        return CallState.ORIGINATOR_CANCEL_A
    return _DIAL_STATES.get(outcome, CallState.NETWORK_FAILURE)


def fold(log: CallLog) -> dict[str, Any]:
    """The contract's record of a finished call. Never raises, whatever the order of events."""
    if log.header.direction is Direction.INBOUND:
        return fold_inbound(log)
    if log.header.kind is CallKind.INTERNAL:
        return fold_internal(log)
    record = _fold_dialled(log)
    return own_call(record, log) if log.header.kind is CallKind.MANUAL else record


def _fold_dialled(log: CallLog) -> dict[str, Any]:
    ended: Ended = log.last(Ended) or Ended(log.header.started_at, Outcome.TECHNICAL_ERROR)
    answered: Answered | None = log.find(Answered)
    rang: Rang | None = log.find(Rang)
    connected: Connected | None = log.find(Connected)
    left: Left | None = log.find(Left)
    header, agents = log.header, agents_of(log)
    return {
        "id": header.id,
        "kind": header.kind.value,
        "direction": header.direction.value,
        "queue": header.queue or None,
        "campaign": header.campaign or None,
        "lead_id": header.lead_id,
        "did": header.did or None,
        "caller_number": header.caller_number,
        "agents": agents,
        "started_at": iso(header.started_at),
        "answered_at": iso(answered.at) if answered else None,
        "ended_at": iso(ended.at),
        "wait_seconds": round(seconds_between(header.started_at, answered.at if answered else ended.at), 3),
        "ring_seconds": round(seconds_between(rang.at, answered.at if answered else ended.at) if rang else 0.0, 3),
        "talk_seconds": round(talked_seconds(log, ended.at), 3),
        "answer_to_agent_seconds": round(seconds_between(answered.at, connected.at), 3)
        if answered and connected
        else None,
        "hung_up_by": (left.party if left else Party.SYSTEM).value,
        "call_state": call_state(log, ended.outcome).value,
        "disposition": ended.outcome.value,
        "attempts": [_attempt(log, ended, agents)],
        **rest_of_record(),
        "timeline": [span.as_json() for span in dialled_spans(log, ended.at)],
    }


def _attempt(log: CallLog, ended: Ended, agents: list[str]) -> dict[str, Any]:
    return {
        "n": log.header.attempt,
        "at": iso(log.header.dialled_at or log.header.started_at),
        "outcome": ended.outcome.value,
        "sip_code": ended.sip_code,
        "agent": agents[0] if agents else None,
    }
