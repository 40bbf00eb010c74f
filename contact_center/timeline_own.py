"""The records of calls that agents make themselves: to numbers outside, and to each other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contact_center.clock import iso
from contact_center.story import (
    Answered,
    CallLog,
    Connected,
    Consulted,
    Ended,
    Left,
    Missed,
    Offered,
    SwitchLost,
    agents_of,
    rest_of_record,
    seconds_between,
    talk_and_messages,
)
from contact_center.terms import CallState, Outcome, Party

HIDDEN = "xxxxxxxx"
"""What stands as the caller's number of a call between agents."""


def own_call(record: dict[str, Any], log: CallLog) -> dict[str, Any]:
    """The record of a dialled call, made that of an agent's own: his name stands, whether he spoke or not."""
    placed: Offered | None = log.find(Offered)
    connected: Connected | None = log.find(Connected)
    left: Left | None = log.find(Left)
    agents = list(record["agents"])
    if placed is not None and placed.agent not in agents:
        agents.insert(0, placed.agent)
    state = record["call_state"]
    if connected is None and log.find(SwitchLost):
        state = CallState.SWITCH_LOST.value
    elif connected is None and left is not None:
        state = {
            Party.AGENT: CallState.ORIGINATOR_CANCEL_B.value,
            Party.SYSTEM: CallState.NORMAL_CLEARING_S.value,
        }.get(left.party, state)
    attempts = [{**attempt, "agent": agents[0] if agents else None} for attempt in record["attempts"]]
    return {**record, "agents": agents, "call_state": state, "attempts": attempts}


def fold_internal(log: CallLog) -> dict[str, Any]:
    """The record of a call between agents. Never raises, whatever the order of events.

    The first agent's conversation begins when his own phone is answered and ends when the other one answers.
    """
    header = log.header
    ended: Ended = log.last(Ended) or Ended(header.started_at, Outcome.TECHNICAL_ERROR)
    answered: Answered | None = log.find(Answered)
    there: Connected | None = log.find(Connected)
    consulted: Consulted | None = log.find(Consulted)
    return {
        "id": header.id,
        "kind": header.kind.value,
        "direction": header.direction.value,
        "queue": None,
        "campaign": None,
        "lead_id": None,
        "did": None,
        "caller_number": HIDDEN,
        "agents": agents_of(log),
        "started_at": iso(header.started_at),
        "answered_at": iso(answered.at) if answered else None,
        "ended_at": iso(ended.at),
        "wait_seconds": round(seconds_between(header.started_at, answered.at if answered else ended.at), 3),
        "ring_seconds": round(_rang_seconds(log, ended.at), 3),
        "talk_seconds": round(seconds_between(there.at, ended.at) if there else 0.0, 3),
        "answer_to_agent_seconds": round(seconds_between(answered.at, consulted.at), 3)
        if answered and consulted
        else None,
        "hung_up_by": (log.find(Left) or Left(ended.at, Party.SYSTEM)).party.value,
        "call_state": internal_state(log).value,
        "disposition": ended.outcome.value,
        "attempts": [],
        **rest_of_record(),
        "timeline": [span.as_json() for span in talk_and_messages(log, ended.at)],
    }


def _rang_seconds(log: CallLog, ended_at: datetime) -> float:
    """How long the other's phone rang: until it was answered, or was not any more, or the caller gave up."""
    rung: Offered | None = log.find(Offered)
    over: Consulted | Missed | None = log.find(Consulted) or log.find(Missed)
    return seconds_between(rung.at, over.at if over else ended_at) if rung else 0.0


def internal_state(log: CallLog) -> CallState:
    """How a call between agents ended; both sides are B, the agents'."""
    left: Left | None = log.find(Left)
    missed: Missed | None = log.last(Missed)
    if log.find(SwitchLost):
        return CallState.SWITCH_LOST
    if left is not None and left.party is Party.SYSTEM and missed is None:
        return CallState.NORMAL_CLEARING_S
    if log.find(Consulted):
        return CallState.NORMAL_CLEARING_B
    if missed is not None:
        return CallState.USER_BUSY_B if missed.reason in ("busy", "rejected") else CallState.NO_ANSWER_B
    return CallState.ORIGINATOR_CANCEL_B
