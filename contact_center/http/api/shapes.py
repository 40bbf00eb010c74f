"""What the API answers, for /openapi.json: the documents are those of the command line's ``--json``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

Responses = dict[int | str, dict[str, Any]]


class Document(BaseModel):
    """Further keys may come; those named are always there."""

    model_config = ConfigDict(extra="allow")


class Campaign(Document):
    """The contract's `campaign`."""

    name: str
    mode: str
    state: str
    multiplier: float
    leads: dict[str, int]
    not_carried: int
    live: dict[str, int]
    answered: int
    connected: int
    dropped: int
    abandonment: float
    occupancy: float
    team: str
    options: dict[str, Any]


class Lead(Document):
    """The contract's `lead`."""

    id: int
    campaign: str
    number: str
    state: str
    disposition: str | None
    attempts: int
    next_attempt_at: str | None
    last_agent: str | None
    priority: int
    fields: dict[str, Any]


class LeadWithHistory(Lead):
    """With all of its numbers, and its dials, oldest first."""

    numbers: list[dict[str, Any]]
    history: list[dict[str, Any]]


class LeadsPushed(Document):
    """What came of many leads; ``leads`` are the ids of the new ones, in their order."""

    imported: int
    duplicates: int
    rejected: int
    dnc: int
    not_carried: int
    leads: list[int]
    rejects: list[dict[str, Any]]


class Agent(Document):
    """The contract's `agent`."""

    ext: str
    name: str
    endpoint: str
    state: str
    since_at: str
    queues: list[str]
    team: str
    connect: str
    status: str
    pause_reason: str
    call_id: str = ""


class Call(Document):
    """The contract's `call show`."""

    id: str
    kind: str
    direction: str
    queue: str | None
    campaign: str | None
    lead_id: int | None
    did: str | None
    caller_number: str
    agents: list[str]
    started_at: str
    answered_at: str | None
    ended_at: str | None
    wait_seconds: float
    ring_seconds: float
    talk_seconds: float
    answer_to_agent_seconds: float | None
    hung_up_by: str | None
    call_state: str | None
    disposition: str | None
    attempts: list[dict[str, Any]]
    timeline: list[dict[str, Any]]


class AgentWithPreview(Agent):
    """With the lead that he is shown now, where a preview campaign shows him one."""

    preview: dict[str, Any] | None = None


class CallPlaced(Document):
    """``call_id`` is the id that the call will have."""

    call_id: str
    place: str


class Listening(Document):
    """Whose phone is rung, and for which call."""

    call_id: str
    ext: str
    ear: str


class Callback(Document):
    """The contract's `callback`; ``call_id`` is the call that ordered it."""

    id: str
    call_id: str
    queue: str
    number: str
    state: str
    attempt: int
    due_at: str
    did: str
    priority: int
    entered_at: str
    ordered_at: str
    expires_at: str
    ended_at: str | None
    reason: str


class CallbackWithDials(Callback):
    """With every dial that was made, those that used up no attempt included."""

    dials: list[dict[str, Any]]


class DncEntry(Document):
    """A number that must not be called; ``campaign`` null: by anybody."""

    number: str
    campaign: str | None
    reason: str
    at: str


class Queue(Document):
    """A queue with its settings."""

    name: str
    agents: list[str]
    options: dict[str, Any]


def ok(model: Any) -> Responses:
    """A route whose 200 is such a document."""
    return {200: {"model": model}}


def asked(model: Any) -> Responses:
    """A route that answers 202 with such a document: `serve` obeys within a second."""
    return {202: {"model": model, "description": "Asked for; it is done within a second."}}


PUSHED: Responses = {
    201: {"model": Lead, "description": "One lead was pushed."},
    200: {"model": LeadsPushed, "description": "Many leads were pushed."},
}
STREAM: Responses = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events."}
}
