"""What happens to a call that an agent makes himself. Posted, never waited for; its end is CallFinished."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.models import Call, Instant
from contact_center.store.changes import add_event
from contact_center.store.fact import Fact
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of

CUSTOMER, AGENT, EXT = "channel_id", "agent_channel_id", "ext"
"""Keys of an open call's record: the two legs, by which a next process finds them, and whose call it is."""

_CALL = table_of(Call)
_THIS = _CALL.c.id == bindparam("p_call")
_COLUMNS = (
    *("id", "kind", "direction", "queue", "campaign", "did", "caller_number", "started_at"),
    *("wait_seconds", "ring_seconds", "talk_seconds", "call_state", "disposition", "agents", "timeline", "record"),
)
_HAS = Prepared(select(_CALL.c.id).where(_THIS))
_OPEN = Prepared(select(_CALL.c.record).where(_THIS, _CALL.c.answered_at.is_(None), _CALL.c.ended_at.is_(None)))
_ADD = Prepared(insert(_CALL).inline(), columns=_COLUMNS)
_ANSWERED = Prepared(
    update(_CALL)
    .where(_THIS)
    .values(
        answered_at=bindparam("p_at", type_=Instant()),
        ring_seconds=bindparam("p_ring"),
        agents=bindparam("p_agents", type_=_CALL.c.agents.type),
        record=bindparam("p_record", type_=_CALL.c.record.type),
    )
)


@dataclass(frozen=True, slots=True)
class OwnCallPlaced(Fact):
    """An agent (``ext``) calls ``number``: a CallKind and a Direction, the queue, and the ids of both legs."""

    call_id: str
    kind: str
    direction: str
    queue: str
    number: str
    at: datetime
    ext: str
    agent_channel_id: str
    channel_id: str

    def apply(self, session: Session) -> None:
        """Make the call's row, unless it is there."""
        if _HAS.first(session, {"p_call": self.call_id}) is not None:
            return
        row: dict[str, Any] = {
            "id": self.call_id,
            "kind": self.kind,
            "direction": self.direction,
            "queue": self.queue,
            "campaign": "",
            "did": "",
            "caller_number": self.number,
            "started_at": self.at,
            **dict.fromkeys(("wait_seconds", "ring_seconds", "talk_seconds"), 0.0),
            "call_state": "",
            "disposition": "",
            "agents": [],
            "timeline": [],
            "record": {CUSTOMER: self.channel_id, AGENT: self.agent_channel_id, EXT: self.ext},
        }
        _ADD.run(session, row)
        told = {"kind": self.kind, "number": self.number, "queue": self.queue, "agent": self.ext}
        payload = {"call_id": self.call_id, "at": iso(self.at), **told}
        add_event(session, at=self.at, entity="call", entity_id=self.call_id, type="call.placed", payload=payload)


@dataclass(frozen=True, slots=True)
class OwnCallAnswered(Fact):
    """Both hear each other; ``agents`` are the names of those who speak.

    The legs are those that were joined: an agent's may be his line, which nobody knew when the call was placed.
    """

    call_id: str
    at: datetime
    agents: tuple[str, ...]
    agent_channel_id: str = ""
    channel_id: str = ""
    ring_seconds: float = 0.0

    def apply(self, session: Session) -> None:
        """Write it, unless it is written."""
        found = _OPEN.first(session, {"p_call": self.call_id})
        if found is None:
            return
        legs = {key: id_ for key, id_ in ((AGENT, self.agent_channel_id), (CUSTOMER, self.channel_id)) if id_}
        values = {
            "p_at": self.at,
            "p_ring": self.ring_seconds,
            "p_agents": list(self.agents),
            "p_record": {**found.record, **legs},
        }
        _ANSWERED.run(session, {"p_call": self.call_id, **values})
        payload = {"call_id": self.call_id, "at": iso(self.at), "agents": list(self.agents)}
        add_event(session, at=self.at, entity="call", entity_id=self.call_id, type="call.connected", payload=payload)
