"""What happens in the life of a call, as frozen events: the call's only state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from contact_center.clock import iso
from contact_center.labels import label
from contact_center.terms import CallKind, Direction, Outcome, Party, TimelineKind, VisitEnd

T = TypeVar("T")

COLORS = {
    TimelineKind.MENU: "blue",
    TimelineKind.QUEUE: "yellow",
    TimelineKind.QUEUE_CALLBACK: "orange",
    TimelineKind.CONVERSATION: "green",
    TimelineKind.CONSULT: "cyan",
    TimelineKind.DELETED: "red",
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
class Consulted:
    """From now on the agent speaks with ``other`` (an agent's name, or a number) instead of the customer.

    ``other_agent``: the name of the other when he is an agent, who then has spoken too.
    """

    at: datetime
    agent: str
    other: str
    other_agent: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody else hears the customer too: all three hear each other."""

    at: datetime
    agent: str


@dataclass(frozen=True, slots=True)
class Alone:
    """Who talked to the customer has left him to somebody who is not there yet, or whom nobody reached."""

    at: datetime


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
class CutOff:
    """A party's line had lasted as long as its trunk lets a call last, and the system ended it."""

    at: datetime


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


@dataclass(frozen=True, slots=True)
class Entered:
    """A caller stands in a queue's line since ``at``; ``n`` counts the queues he came to."""

    at: datetime
    queue: str
    n: int = 1
    position: int = 1


@dataclass(frozen=True, slots=True)
class WaitOver:
    """He left the line without an agent: ``end`` says why; where a rule sent him on, ``target`` says where."""

    at: datetime
    queue: str
    end: VisitEnd
    target: str = ""


@dataclass(frozen=True, slots=True)
class CallbackOrdered:
    """He leaves the line and is called back; ``merged``: a callback that he ordered before stands for this one too."""

    at: datetime
    number: str
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The queue was closed when he came."""

    at: datetime
    queue: str


@dataclass(frozen=True, slots=True)
class Diverted:
    """He is connected with a number outside, as the overflow of a queue."""

    at: datetime
    number: str


@dataclass(frozen=True, slots=True)
class Over:
    """A caller's line is free."""

    at: datetime


Event = (
    Rang
    | Answered
    | Offered
    | Missed
    | Connected
    | Consulted
    | Joined
    | Alone
    | Announced
    | Left
    | CutOff
    | Forced
    | Removed
    | SwitchLost
    | Ended
    | Entered
    | WaitOver
    | CallbackOrdered
    | Closed
    | Diverted
    | Over
)


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a call from its first moment.

    ``dialled_at``: when it was dialled, where it had waited in the dialer's queue since ``started_at``.
    """

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
    dialled_at: datetime | None = None


@dataclass(slots=True)
class CallLog:
    """One call's events in order; what a coroutine writes while it lives through the call."""

    header: Header
    events: list[Event] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Write down what happened."""
        self.events.append(event)

    def all(self, kind: type[T]) -> list[T]:
        """All events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def find(self, kind: type[Any]) -> Any:
        """The first event of a kind, or None."""
        for event in self.events:
            if isinstance(event, kind):
                return event
        return None

    def last(self, kind: type[Any]) -> Any:
        """The last event of a kind, or None."""
        for event in reversed(self.events):
            if isinstance(event, kind):
                return event
        return None


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


def seconds_between(start: datetime | None, end: datetime | None) -> float:
    """The span between two instants, never negative; 0 where one is missing."""
    return max((end - start).total_seconds(), 0.0) if start and end else 0.0


def agents_of(log: CallLog) -> list[str]:
    """Names of those who spoke, in order."""
    names: list[str] = []
    for event in log.events:
        if isinstance(event, (Connected, Joined)):
            names.append(event.agent)
        elif isinstance(event, Consulted):
            names += [event.agent, event.other_agent]
    return list(dict.fromkeys(name for name in names if name))


def talk_and_messages(log: CallLog, ended_at: datetime) -> list[Span]:
    """Conversations, messages and what was taken away, by time; a message within a talk comes after its beginning."""
    spans: list[Span] = []
    for talk, until in _parts(log, ended_at):
        if not isinstance(talk, Alone):
            spans.append(_talk_span(talk, seconds_between(talk.at, until), log.header.language))
    for event in log.events:
        if isinstance(event, Announced):
            text = label(event.word, log.header.language)
            spans.append(Span(TimelineKind.MENU, text, event.at, seconds_between(event.at, event.until)))
        elif isinstance(event, CutOff):
            spans.append(Span(TimelineKind.MENU, label("cut_off", log.header.language), event.at, 0.0))
        elif isinstance(event, Removed):
            spans.append(Span(TimelineKind.DELETED, label("deleted", log.header.language), event.at, 0.0))
    return sorted(spans, key=lambda span: span.at)


def talked_seconds(log: CallLog, ended_at: datetime) -> float:
    """From the first connection, with an agent or a number outside, without the time in which nobody had him."""
    talks = [event.at for event in log.events if isinstance(event, (Connected, Diverted))]
    if not talks:
        return 0.0
    alone = sum(seconds_between(part.at, until) for part, until in _parts(log, ended_at) if isinstance(part, Alone))
    return max(seconds_between(talks[0], ended_at) - alone, 0.0)


def _parts(log: CallLog, ended_at: datetime) -> list[tuple[Connected | Consulted | Diverted | Alone, datetime]]:
    """Whom the customer, or his agent, is with, and until when."""
    parts = [event for event in log.events if isinstance(event, (Connected, Consulted, Diverted, Alone))]
    return list(zip(parts, [*(part.at for part in parts[1:]), ended_at], strict=False))


def _talk_span(talk: Connected | Consulted | Diverted, seconds: float, language: str) -> Span:
    match talk:
        case Consulted():
            return Span(TimelineKind.CONSULT, label("consult", language), talk.at, seconds, talk.other)
        case Diverted():
            return Span(TimelineKind.CONVERSATION, talk.number, talk.at, seconds)
    return Span(TimelineKind.CONVERSATION, label("conversation", language), talk.at, seconds, talk.agent)


def rest_of_record() -> dict[str, Any]:
    """The keys of a record that are filled in later."""
    return {
        "rating": None,
        "categories": [],
        "comment": None,
        "call_score": None,
        "agent_score": None,
        "keyed": None,
        "matching": None,
        "recording": None,
    }
