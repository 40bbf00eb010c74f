"""What happens to a caller, from his arrival to his place in the records. Posted, never waited for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, func, insert, select, update
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.models import Call, Instant, QueueVisit
from contact_center.store.changes import add_event
from contact_center.store.fact import Fact
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.store.talk_facts import HEARD, TALK, keep
from contact_center.terms import CallKind, Direction, VisitEnd

CHANNEL = "channel_id"
"""Key of an open call's record: the caller's channel, by which a next process finds him again."""

_OF_OPEN_CALLS = (CHANNEL, "agent_channel_id", "ext", TALK, HEARD)
_CALL, _VISIT = table_of(Call), table_of(QueueVisit)
_THIS_CALL = _CALL.c.id == bindparam("p_call")
_THIS_VISIT = (_VISIT.c.call_id == bindparam("p_call")) & (_VISIT.c.n == bindparam("p_n"))
_AT = bindparam("p_at", type_=Instant())

_CALL_COLUMNS = (
    *("id", "kind", "direction", "queue", "campaign", "did", "caller_number", "started_at"),
    *("wait_seconds", "ring_seconds", "talk_seconds", "call_state", "disposition", "agents", "timeline", "record"),
)
_VISIT_COLUMNS = (
    *("call_id", "n", "queue", "channel_id", "entered_at", "priority", "position"),
    *("agent", "agent_channel_id", "bridge_id", "outcome", "wait_seconds", "talk_seconds", "wrap_up_seconds"),
)
_SECONDS = ("wait_seconds", "ring_seconds", "talk_seconds")
_SET_AT_END = (
    *("queue", "answered_at", "ended_at", "answer_to_agent_seconds", "hung_up_by", "call_state"),
    *("agents", "timeline", "record", *_SECONDS),
)
_IN_COLUMNS = frozenset(_SET_AT_END) | frozenset(_CALL_COLUMNS) | {"lead_id", "answered_at", "ended_at"}

_HAS_CALL = Prepared(select(_CALL.c.id).where(_THIS_CALL))
_HAS_VISIT = Prepared(select(_VISIT.c.id).where(_THIS_VISIT))
_ADD_CALL = Prepared(insert(_CALL).inline(), columns=_CALL_COLUMNS)
_ADD_VISIT = Prepared(insert(_VISIT).inline(), columns=_VISIT_COLUMNS)
_SET_QUEUE = Prepared(update(_CALL).where(_THIS_CALL).values(queue=bindparam("p_queue")))
_SAID = Prepared(
    update(_VISIT)
    .where(_THIS_VISIT, _VISIT.c.said_at.is_(None))
    .values(said_at=_AT, said_seconds=bindparam("p_seconds"))
)
_CONNECTED = Prepared(
    update(_VISIT)
    .where(_THIS_VISIT, _VISIT.c.left_at.is_(None), _VISIT.c.agent_channel_id != bindparam("p_agent_channel"))
    .values(
        connected_at=func.coalesce(_VISIT.c.connected_at, _AT),
        agent=bindparam("p_agent"),
        agent_channel_id=bindparam("p_agent_channel"),
        bridge_id=bindparam("p_bridge"),
        wait_seconds=bindparam("p_wait"),
    )
)
_LEFT = Prepared(
    update(_VISIT)
    .where(_VISIT.c.call_id == bindparam("p_call"), _VISIT.c.left_at.is_(None))
    .values(
        left_at=_AT,
        outcome=case(
            (_VISIT.c.connected_at.is_not(None), VisitEnd.CONNECTED.value),
            else_=bindparam("p_outcome"),
        ),
        wait_seconds=case((_VISIT.c.connected_at.is_not(None), _VISIT.c.wait_seconds), else_=bindparam("p_wait")),
        talk_seconds=bindparam("p_talk"),
        wrap_up_seconds=bindparam("p_wrap_up"),
    )
)
_RANG = Prepared(update(_CALL).where(_THIS_CALL, _CALL.c.ended_at.is_(None)).values(ring_seconds=bindparam("p_ring")))
_OPEN_VISIT = Prepared(
    select(_VISIT.c.n, _VISIT.c.entered_at, _VISIT.c.connected_at).where(
        _VISIT.c.call_id == bindparam("p_call"), _VISIT.c.left_at.is_(None)
    )
)
_BEFORE = Prepared(select(_CALL.c.disposition, _CALL.c.record, _CALL.c.ended_at).where(_THIS_CALL))
_FINISH = Prepared(
    update(_CALL)
    .where(_THIS_CALL)
    .values(
        **{name: bindparam(f"p_{name}", type_=_CALL.c[name].type) for name in _SET_AT_END},
        disposition=bindparam("p_disposition"),
    )
)


def _tell(session: Session, type: str, at: datetime, call_id: str, **more: Any) -> None:
    payload = {"call_id": call_id, "at": iso(at), **more}
    add_event(session, at=at, entity="call", entity_id=call_id, type=type, payload=payload)


@dataclass(frozen=True, slots=True)
class CallArrived(Fact):
    """Somebody called in on ``did``; ``queue`` is where the number leads."""

    call_id: str
    channel_id: str
    at: datetime
    did: str
    caller_number: str
    queue: str

    def apply(self, session: Session) -> None:
        """Make the call's row, unless it is there."""
        if _HAS_CALL.first(session, {"p_call": self.call_id}) is not None:
            return
        row: dict[str, Any] = {
            "id": self.call_id,
            "kind": CallKind.INBOUND.value,
            "direction": Direction.INBOUND.value,
            "queue": self.queue,
            "campaign": "",
            "did": self.did,
            "caller_number": self.caller_number,
            "started_at": self.at,
            **dict.fromkeys(_SECONDS, 0.0),
            "call_state": "",
            "disposition": "",
            "agents": [],
            "timeline": [],
            "record": {CHANNEL: self.channel_id},
        }
        _ADD_CALL.run(session, row)
        told = {"kind": CallKind.INBOUND.value, "did": self.did, "number": self.caller_number, "queue": self.queue}
        _tell(session, "call.arrived", self.at, self.call_id, **told)


@dataclass(frozen=True, slots=True)
class CallQueued(Fact):
    """He stands in line; ``n`` counts the queues of this call, ``heard`` is what he was told so far (story_kept)."""

    call_id: str
    n: int
    queue: str
    channel_id: str
    at: datetime
    priority: int
    position: int
    heard: tuple[dict[str, str], ...] = ()

    def apply(self, session: Session) -> None:
        """Make the visit's row, unless it is there; a stay whose agent has lost him is over by then."""
        if _HAS_VISIT.first(session, {"p_call": self.call_id, "p_n": self.n}) is not None:
            return
        _close_visit(session, self.call_id, self.at, VisitEnd.LOST.value)
        row: dict[str, Any] = {
            "call_id": self.call_id,
            "n": self.n,
            "queue": self.queue,
            "channel_id": self.channel_id,
            "entered_at": self.at,
            "priority": self.priority,
            "position": self.position,
            **dict.fromkeys(("agent", "agent_channel_id", "bridge_id", "outcome"), ""),
            **dict.fromkeys(("wait_seconds", "talk_seconds", "wrap_up_seconds"), 0.0),
        }
        _ADD_VISIT.run(session, row)
        if self.heard:
            keep(session, self.call_id, HEARD, list(self.heard))
        if self.n > 1:
            _SET_QUEUE.run(session, {"p_call": self.call_id, "p_queue": self.queue})
        _tell(session, "call.queued", self.at, self.call_id, queue=self.queue, position=self.position)


@dataclass(frozen=True, slots=True)
class WaitSaid(Fact):
    """He was told how long he will wait; the first such word is kept, to be held against the real wait."""

    call_id: str
    n: int
    at: datetime
    seconds: float

    def apply(self, session: Session) -> None:
        """Write it if it is the first."""
        _SAID.run(session, {"p_call": self.call_id, "p_n": self.n, "p_at": self.at, "p_seconds": self.seconds})


@dataclass(frozen=True, slots=True)
class CallConnected(Fact):
    """He hears an agent; the last agent's channel is the one to adopt after a crash."""

    call_id: str
    n: int
    queue: str
    at: datetime
    agent: str
    agent_channel_id: str
    bridge_id: str
    wait_seconds: float
    ring_seconds: float = 0.0

    def apply(self, session: Session) -> None:
        """Write it, unless this agent is written there already; how long the first one's phone rang is kept."""
        parameters = {
            "p_call": self.call_id,
            "p_n": self.n,
            "p_at": self.at,
            "p_agent": self.agent,
            "p_agent_channel": self.agent_channel_id,
            "p_bridge": self.bridge_id,
            "p_wait": self.wait_seconds,
        }
        if _CONNECTED.run(session, parameters):
            if self.ring_seconds:
                _RANG.run(session, {"p_call": self.call_id, "p_ring": self.ring_seconds})
            _tell(session, "call.connected", self.at, self.call_id, queue=self.queue, agent=self.agent)


@dataclass(frozen=True, slots=True)
class CallLeftQueue(Fact):
    """A rule sent him on: ``outcome`` is a VisitEnd, ``target`` where he goes."""

    call_id: str
    n: int
    queue: str
    at: datetime
    outcome: str
    target: str
    wait_seconds: float

    def apply(self, session: Session) -> None:
        """Close the visit, unless it is closed."""
        changed = _LEFT.run(session, _left(self.call_id, self.at, self.outcome, self.wait_seconds))
        if changed:
            told = {"queue": self.queue, "outcome": self.outcome, "target": self.target}
            _tell(session, "call.sent_on", self.at, self.call_id, **told)


@dataclass(frozen=True, slots=True)
class CallFinished(Fact):
    """The caller's call is over. ``record`` is the contract's ``call show``; ``outcome`` a VisitEnd.

    A disposition or a comment that stands in the call's row already is kept. ``wrap_up_seconds``: of the agent.
    """

    call_id: str
    at: datetime
    outcome: str
    wrap_up_seconds: float
    record: dict[str, Any]

    def apply(self, session: Session) -> None:
        """Write it, unless the call is over already."""
        before = _BEFORE.first(session, {"p_call": self.call_id})
        if before is None or before.ended_at is not None:
            return
        _close_visit(session, self.call_id, self.at, self.outcome, self.wrap_up_seconds)
        standing = {key: value for key, value in before.record.items() if key not in _OF_OPEN_CALLS}
        rest = {key: value for key, value in self.record.items() if key not in _IN_COLUMNS}
        answered = self.record.get("answered_at")
        columns: dict[str, Any] = {
            "queue": self.record.get("queue") or "",
            "answered_at": datetime.fromisoformat(answered) if answered else None,
            "ended_at": self.at,
            "answer_to_agent_seconds": self.record.get("answer_to_agent_seconds"),
            "hung_up_by": self.record.get("hung_up_by"),
            "call_state": self.record.get("call_state") or "",
            "agents": self.record.get("agents") or [],
            "timeline": self.record.get("timeline") or [],
            "record": {**rest, **standing},
            **{key: float(self.record.get(key) or 0.0) for key in _SECONDS},
        }
        disposition = before.disposition or self.record.get("disposition") or ""
        parameters = {f"p_{key}": value for key, value in columns.items()}
        _FINISH.run(session, {**parameters, "p_call": self.call_id, "p_disposition": disposition})
        told = {key: self.record.get(key) for key in (*_SECONDS, "kind", "queue", "did", "hung_up_by", "call_state")}
        told |= {"agents": columns["agents"], "number": self.record.get("caller_number"), "disposition": disposition}
        told |= {"answered_at": answered, "ended_at": iso(self.at)}
        _tell(session, "call.ended", self.at, self.call_id, **told)


def _close_visit(session: Session, call_id: str, at: datetime, outcome: str, wrap_up_seconds: float = 0.0) -> None:
    """End the stay that is open; ``outcome`` and ``wrap_up_seconds`` as far as they are known."""
    visit = _OPEN_VISIT.first(session, {"p_call": call_id})
    if visit is None:
        return
    waited = ((visit.connected_at or at) - visit.entered_at).total_seconds()
    talked = (at - visit.connected_at).total_seconds() if visit.connected_at else 0.0
    wrap_up = wrap_up_seconds if visit.connected_at else 0.0
    _LEFT.run(session, _left(call_id, at, outcome, waited, talked, wrap_up))


def _left(
    call_id: str, at: datetime, outcome: str, waited: float, talked: float = 0.0, wrap_up: float = 0.0
) -> dict[str, Any]:
    return {
        "p_call": call_id,
        "p_at": at,
        "p_outcome": outcome,
        "p_wait": max(waited, 0.0),
        "p_talk": max(talked, 0.0),
        "p_wrap_up": wrap_up,
    }
