"""The record of a caller: menus, the time in each queue, the talk, and what came after it began."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contact_center.clock import iso
from contact_center.story import (
    Answered,
    CallbackOrdered,
    CallLog,
    Closed,
    Connected,
    Diverted,
    Ended,
    Entered,
    Forced,
    Left,
    Offered,
    Over,
    Span,
    SwitchLost,
    WaitOver,
    agents_of,
    rest_of_record,
    seconds_between,
    talk_and_messages,
    talked_seconds,
)
from contact_center.terms import CallKind, CallState, Party, Reception, TimelineKind


def fold_inbound(log: CallLog) -> dict[str, Any]:
    """The contract's record of a caller's call. Never raises, whatever the order of events."""
    ended_at, header = _ended_at(log), log.header
    answered: Answered | None = log.find(Answered)
    connected: Connected | None = log.find(Connected)
    left: Left | None = log.find(Left)
    rung: Offered | None = log.last(Offered) if connected else None
    visits = log.all(Entered)
    return {
        "id": header.id,
        "kind": (CallKind.CALLBACK if _ordered(log) else header.kind).value,
        "direction": header.direction.value,
        "queue": (visits[-1].queue if visits else header.queue) or None,
        "campaign": None,
        "lead_id": None,
        "did": header.did or None,
        "caller_number": header.caller_number,
        "agents": agents_of(log),
        "started_at": iso(header.started_at),
        "answered_at": iso(answered.at) if answered else None,
        "ended_at": iso(ended_at),
        "wait_seconds": round(sum(_waited(log, ended_at).values()), 3),
        "ring_seconds": round(seconds_between(rung.at, connected.at) if rung and connected else 0.0, 3),
        "talk_seconds": round(talked_seconds(log, ended_at), 3),
        "answer_to_agent_seconds": round(seconds_between(answered.at, connected.at), 3)
        if answered and connected
        else None,
        "hung_up_by": (left.party if left else Party.SYSTEM).value,
        "call_state": call_state(log).value,
        "disposition": reception(log).value,
        "attempts": [],
        **rest_of_record(),
        "timeline": [span.as_json() for span in inbound_spans(log, ended_at)],
    }


def _ordered(log: CallLog) -> bool:
    """Whether a callback of its own came of this call."""
    order: CallbackOrdered | None = log.find(CallbackOrdered)
    return order is not None and not order.merged


def _ended_at(log: CallLog) -> datetime:
    over: Over | Ended | None = log.last(Over) or log.last(Ended)
    return over.at if over else (log.events[-1].at if log.events else log.header.started_at)


def _left_line_at(log: CallLog, index: int, ended_at: datetime) -> datetime:
    """When the wait that began with event ``index`` was over."""
    for event in log.events[index + 1 :]:
        if isinstance(event, (Connected, Diverted, WaitOver, Left, SwitchLost)):
            return event.at
    return ended_at


def _waited(log: CallLog, ended_at: datetime) -> dict[int, float]:
    """Seconds in line, by the number of the event with which each wait began."""
    return {
        index: seconds_between(event.at, _left_line_at(log, index, ended_at))
        for index, event in enumerate(log.events)
        if isinstance(event, Entered)
    }


def inbound_spans(log: CallLog, ended_at: datetime) -> list[Span]:
    """The timeline: menu, queue, then conversation or the target's events; what begins first stands first."""
    waits = [
        Span(TimelineKind.QUEUE, event.queue, event.at, seconds)
        for index, seconds in _waited(log, ended_at).items()
        if isinstance(event := log.events[index], Entered)
    ]
    order = {TimelineKind.QUEUE: 1, TimelineKind.CONVERSATION: 2}
    spans = [*waits, *talk_and_messages(log, ended_at)]
    return sorted(spans, key=lambda span: (span.at, order.get(span.kind, 0 if span.at < _talk_at(log, span.at) else 3)))


def _talk_at(log: CallLog, otherwise: datetime) -> datetime:
    """When the talk began: a message of that very instant is one that came after it."""
    connected: Connected | None = log.find(Connected)
    return connected.at if connected else datetime.max.replace(tzinfo=otherwise.tzinfo)


def reception(log: CallLog) -> Reception:
    """What came of the caller."""
    left: Left | None = log.find(Left)
    if log.find(Connected):
        return Reception.ANSWERED
    if log.find(CallbackOrdered) or log.find(Closed):
        return Reception.CALLBACK if log.find(CallbackOrdered) else Reception.CLOSED
    if log.find(SwitchLost):
        return Reception.ABANDONED if log.find(Entered) else Reception.TECHNICAL_ERROR
    gave_up = left is not None and left.party is Party.CALLER
    sent_on: WaitOver | None = log.last(WaitOver)
    waits: Entered | None = log.last(Entered)
    if sent_on and waits and log.events.index(sent_on) > log.events.index(waits):
        return Reception.OVERFLOW
    if left is not None and left.party is Party.SYSTEM:
        return Reception.REMOVED
    return Reception.ABANDONED if gave_up else Reception.TECHNICAL_ERROR


def call_state(log: CallLog) -> CallState:
    """How the line ended and whose doing it was."""
    left: Left | None = log.find(Left)
    party = left.party if left else Party.SYSTEM
    if log.find(Connected) and log.find(Forced):
        return CallState.FORCED_CLEARING_B
    if log.find(SwitchLost):
        return CallState.SWITCH_LOST
    if log.find(Connected):
        return {
            Party.CALLER: CallState.NORMAL_CLEARING_A,
            Party.AGENT: CallState.NORMAL_CLEARING_B,
            Party.SYSTEM: CallState.NORMAL_CLEARING_S,
        }[party]
    by_reception = {
        Reception.CLOSED: CallState.QUEUE_CLOSED,
        Reception.OVERFLOW: CallState.QUEUE_OVERFLOW,
        Reception.CALLBACK: CallState.CALLBACK_ORDERED,
        Reception.ABANDONED: CallState.ORIGINATOR_CANCEL_A,
        Reception.REMOVED: CallState.NORMAL_CLEARING_S,
    }
    return by_reception.get(reception(log), CallState.NETWORK_FAILURE)
