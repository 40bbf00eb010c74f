"""The story of one call: frozen events as they happen, folded into the record that people read.

The events are the call's only state. :func:`fold` decides once, at the end, what the story means: who
hung up, how long each part lasted, which state the call ended in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contact_center.clock import iso
from contact_center.labels import label
from contact_center.terms import CallKind, CallState, Direction, Outcome, Party, TimelineKind

COLORS = {
    TimelineKind.MENU: "blue",
    TimelineKind.QUEUE: "yellow",
    TimelineKind.QUEUE_CALLBACK: "orange",
    TimelineKind.CONVERSATION: "green",
    TimelineKind.CONSULT: "cyan",
    TimelineKind.DELETED: "red",
}

_DIAL_STATES = {
    Outcome.MISSED: CallState.NO_ANSWER_A,
    Outcome.UNAVAILABLE: CallState.UNAVAILABLE_A,
    Outcome.BUSY: CallState.USER_BUSY_A,
    Outcome.INVALID_NUMBER: CallState.INVALID_NUMBER_A,
    Outcome.BLOCKED: CallState.REJECTED_A,
    Outcome.TECHNICAL_ERROR: CallState.NETWORK_FAILURE,
    Outcome.NOT_ATTEMPTED: CallState.NETWORK_FAILURE,
    Outcome.NO_FREE_OPERATORS: CallState.NO_FREE_OPERATORS,
}


@dataclass(frozen=True, slots=True)
class Rang:
    """The customer's phone began to ring."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """The customer answered."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Offered:
    """An agent's phone was asked to ring for this call."""

    at: datetime
    agent: str


@dataclass(frozen=True, slots=True)
class Missed:
    """The agent did not take the call: ``reason`` is no_answer, rejected or failed."""

    at: datetime
    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class Connected:
    """Customer and agent hear each other."""

    at: datetime
    agent: str


@dataclass(frozen=True, slots=True)
class Announced:
    """A message was heard: ``word`` names it in labels."""

    at: datetime
    until: datetime
    word: str


@dataclass(frozen=True, slots=True)
class Left:
    """A party left, or the system ended the call; the first one decides who hung up."""

    at: datetime
    party: Party


@dataclass(frozen=True, slots=True)
class Forced:
    """The agent ended the customer's leg by his key (``*2``)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody took the call away before it was answered."""

    at: datetime


@dataclass(frozen=True, slots=True)
class SwitchLost:
    """Asterisk went away under the call, or the call ended unseen while nobody listened."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """The line is free; ``sip_code`` is the far end's final answer where there was one."""

    at: datetime
    outcome: Outcome
    sip_code: int | None = None


Event = Rang | Answered | Offered | Missed | Connected | Announced | Left | Forced | Removed | SwitchLost | Ended


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a call from its first moment."""

    id: str
    kind: CallKind
    direction: Direction
    started_at: datetime
    caller_number: str
    queue: str = ""
    campaign: str = ""
    lead_id: int | None = None
    did: str = ""
    attempt: int = 1
    language: str = "en"


@dataclass(slots=True)
class CallLog:
    """One call's events in order; what a coroutine writes while it lives through the call."""

    header: Header
    events: list[Event] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Write down what happened."""
        self.events.append(event)

    def find(self, kind: type[Any]) -> Any:
        """The first event of a kind, or None."""
        return next((event for event in self.events if isinstance(event, kind)), None)

    def last(self, kind: type[Any]) -> Any:
        """The last event of a kind, or None."""
        return next((event for event in reversed(self.events) if isinstance(event, kind)), None)


@dataclass(frozen=True, slots=True)
class Span:
    """One entry of a timeline."""

    kind: TimelineKind
    label: str
    at: datetime
    seconds: float
    agent: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The contract's form."""
        return {
            "kind": self.kind.value,
            "label": self.label,
            "agent": self.agent,
            "at": iso(self.at),
            "seconds": round(max(self.seconds, 0.0), 3),
            "color": COLORS[self.kind],
        }


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return max((end - start).total_seconds(), 0.0) if start and end else 0.0


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
            _seconds(header.started_at, waited_until),
        ),
    ]
    spans += _talk_and_messages(log, ended_at)
    return spans


def _talk_and_messages(log: CallLog, ended_at: datetime) -> list[Span]:
    spans: list[Span] = []
    talks = [event for event in log.events if isinstance(event, Connected)]
    for index, talk in enumerate(talks):
        until = talks[index + 1].at if index + 1 < len(talks) else ended_at
        spans.append(
            Span(
                TimelineKind.CONVERSATION,
                label("conversation", log.header.language),
                talk.at,
                _seconds(talk.at, until),
                talk.agent,
            )
        )
    for event in log.events:
        if isinstance(event, Announced):
            text = label(event.word, log.header.language)
            spans.append(Span(TimelineKind.MENU, text, event.at, _seconds(event.at, event.until)))
        elif isinstance(event, Removed):
            spans.append(Span(TimelineKind.DELETED, label("deleted", log.header.language), event.at, 0.0))
    return sorted(spans, key=lambda span: span.at)


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
    if answered and party is Party.CALLER:
        return CallState.ORIGINATOR_CANCEL_A
    return _DIAL_STATES.get(outcome, CallState.NETWORK_FAILURE)


def fold(log: CallLog) -> dict[str, Any]:
    """The contract's record of a finished call. Never raises, whatever the order of events."""
    ended: Ended = log.last(Ended) or Ended(log.header.started_at, Outcome.TECHNICAL_ERROR)
    answered: Answered | None = log.find(Answered)
    rang: Rang | None = log.find(Rang)
    connected: Connected | None = log.find(Connected)
    left: Left | None = log.find(Left)
    header, agents = log.header, _agents(log)
    talk_seconds = _seconds(connected.at, ended.at) if connected else 0.0
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
        "wait_seconds": round(_seconds(header.started_at, answered.at if answered else ended.at), 3),
        "ring_seconds": round(_seconds(rang.at, answered.at if answered else ended.at) if rang else 0.0, 3),
        "talk_seconds": round(talk_seconds, 3),
        "answer_to_agent_seconds": round(_seconds(answered.at, connected.at), 3) if answered and connected else None,
        "hung_up_by": (left.party if left else Party.SYSTEM).value,
        "call_state": call_state(log, ended.outcome).value,
        "disposition": ended.outcome.value,
        "attempts": [
            {
                "n": header.attempt,
                "at": iso(header.started_at),
                "outcome": ended.outcome.value,
                "sip_code": ended.sip_code,
                "agent": agents[0] if agents else None,
            }
        ],
        "rating": None,
        "categories": [],
        "comment": None,
        "call_score": None,
        "agent_score": None,
        "keyed": None,
        "matching": None,
        "recording": None,
        "timeline": [span.as_json() for span in dialled_spans(log, ended.at)],
    }


def _agents(log: CallLog) -> list[str]:
    names: list[str] = []
    for event in log.events:
        if isinstance(event, Connected) and event.agent not in names:
            names.append(event.agent)
    return names
