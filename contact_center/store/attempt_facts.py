"""What happens to one attempt, from the first ring to its place in the records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.models import Attempt, Call, Instant, Lead
from contact_center.store.changes import add_event
from contact_center.store.fact import Fact
from contact_center.store.next_steps import next_step
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.store.talk_facts import TALK
from contact_center.terms import AttemptState, LeadState, Outcome

_ATTEMPT, _LEAD, _CALL = table_of(Attempt), table_of(Lead), table_of(Call)
_OPEN = (_ATTEMPT.c.channel_id == bindparam("p_channel")) & _ATTEMPT.c.ended_at.is_(None)
_AT = bindparam("p_at", type_=Instant())
_TOLD = (_ATTEMPT.c.call_id, _ATTEMPT.c.id, _ATTEMPT.c.n, _ATTEMPT.c.lead_id, _ATTEMPT.c.number)

_RECORD_COLUMNS = ("hung_up_by", "call_state", "agents", "timeline", "answer_to_agent_seconds")
_RECORD_SECONDS = ("wait_seconds", "ring_seconds", "talk_seconds")
_IN_COLUMNS = frozenset(
    (
        *_RECORD_COLUMNS,
        *_RECORD_SECONDS,
        *("id", "kind", "direction", "queue", "campaign", "lead_id", "did", "caller_number"),
        *("started_at", "answered_at", "ended_at", "disposition"),
    )
)


def _is_one_of(column: str, *states: AttemptState | LeadState) -> ColumnElement[bool]:
    """Spelled out in SQL: an IN over parameters is worked out anew at each execution."""
    return literal_column(f"{column} IN ({', '.join(repr(state.value) for state in states)})", Boolean)


def _moved_on(state: AttemptState, *before: AttemptState) -> ColumnElement[str]:
    """``state``, unless the attempt is further already: facts of one instant may come in any order."""
    return case((_is_one_of("attempt.state", *before), literal(state.value)), else_=_ATTEMPT.c.state)


_RINGING = Prepared(
    update(_ATTEMPT)
    .where(_OPEN, _ATTEMPT.c.ringing_at.is_(None))
    .values(
        ringing_at=_AT,
        state=_moved_on(AttemptState.RINGING, AttemptState.INTENT, AttemptState.DIALING),
    )
    .returning(*_TOLD)
)
_ANSWERED = Prepared(
    update(_ATTEMPT)
    .where(_OPEN, _ATTEMPT.c.answered_at.is_(None))
    .values(
        answered_at=_AT,
        state=_moved_on(AttemptState.ANSWERED, AttemptState.INTENT, AttemptState.DIALING, AttemptState.RINGING),
    )
    .returning(*_TOLD)
)
_CONNECTED = Prepared(
    update(_ATTEMPT)
    .where(
        _OPEN,
        _ATTEMPT.c.connected_at.is_(None) | (_ATTEMPT.c.agent_channel_id != bindparam("p_agent_channel")),
    )
    .values(
        connected_at=func.coalesce(_ATTEMPT.c.connected_at, _AT),
        state=AttemptState.CONNECTED.value,
        agent=bindparam("p_agent"),
        agent_channel_id=bindparam("p_agent_channel"),
        bridge_id=bindparam("p_bridge"),
    )
    .returning(*_TOLD)
)
_TALKING = Prepared(
    update(_LEAD)
    .where(_LEAD.c.id == bindparam("p_lead"), _LEAD.c.state == LeadState.DIALING.value)
    .values(state=LeadState.TALKING.value)
)
_SETTLED = Prepared(
    update(_ATTEMPT)
    .where(_OPEN)
    .values(
        state=bindparam("p_state"),
        outcome=bindparam("p_outcome"),
        sip_code=bindparam("p_sip_code"),
        counted=bindparam("p_counted"),
        agent=case((bindparam("p_agent") != "", bindparam("p_agent")), else_=_ATTEMPT.c.agent),
        ended_at=_AT,
        live_number=None,
    )
    .returning(*_TOLD, _ATTEMPT.c.campaign_id, _ATTEMPT.c.agent)
)


def _while_up(name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """``value``, unless somebody has moved the lead on since it was dialled."""
    is_up = _is_one_of("lead.state", LeadState.DIALING, LeadState.TALKING)
    return case((is_up, value), else_=_LEAD.c[name])


_LEAD_SETTLED = Prepared(
    update(_LEAD)
    .where(_LEAD.c.id == bindparam("p_lead"))
    .values(
        attempts=_LEAD.c.attempts - bindparam("p_given_back"),
        last_agent=func.coalesce(bindparam("p_last_agent"), _LEAD.c.last_agent),
        state=_while_up("state", bindparam("p_lead_state")),
        disposition=_while_up("disposition", bindparam("p_disposition")),
        next_attempt_at=_while_up("next_attempt_at", bindparam("p_next_at", type_=Instant())),
        closed_at=_while_up("closed_at", bindparam("p_closed_at", type_=Instant())),
        reason=_while_up("reason", bindparam("p_reason")),
        callback_at=_while_up("callback_at", case((bindparam("p_promise_stays") == 1, _LEAD.c.callback_at))),
    )
    .returning(_LEAD.c.state, _LEAD.c.attempts, _LEAD.c.next_attempt_at, _LEAD.c.disposition)
)
_SET_ON_CALL = ("answered_at", "ended_at", *_RECORD_COLUMNS, *_RECORD_SECONDS)
_THIS_CALL = _CALL.c.id == bindparam("p_call")
_A_DISPOSITION = bindparam("p_disposition", type_=_CALL.c.disposition.type)
_A_RECORD = bindparam("p_record", type_=_CALL.c.record.type)
_CALL_BEFORE = Prepared(select(_CALL.c.disposition, _CALL.c.record).where(_THIS_CALL))
_CALL_SETTLED = Prepared(
    update(_CALL)
    .where(_THIS_CALL)
    .values(
        **{name: bindparam(f"p_{name}", type_=_CALL.c[name].type) for name in _SET_ON_CALL},
        disposition=case((_CALL.c.disposition != "", _CALL.c.disposition), else_=_A_DISPOSITION),
        record=case((cast(_CALL.c.record, Text) == "{}", _A_RECORD), else_=_CALL.c.record),
    )
    .returning(_CALL.c.disposition, _CALL.c.record)
)
_CALL_CORRECTED = Prepared(update(_CALL).where(_THIS_CALL).values(disposition=_A_DISPOSITION, record=_A_RECORD))


def _tell(session: Session, type: str, at: datetime, row: Any, **more: Any) -> None:
    payload = {
        "call_id": row.call_id,
        "attempt_id": row.id,
        "n": row.n,
        "lead_id": row.lead_id,
        "number": row.number,
        "at": iso(at),
    }
    add_event(session, at=at, entity="call", entity_id=row.call_id, type=type, payload={**payload, **more})


@dataclass(frozen=True, slots=True)
class AttemptRinging(Fact):
    """The customer's phone rings."""

    channel_id: str
    at: datetime

    def apply(self, session: Session) -> None:
        """Write it, unless the attempt is over or rang before."""
        row = _RINGING.first(session, {"p_channel": self.channel_id, "p_at": self.at})
        if row is not None:
            _tell(session, "attempt.ringing", self.at, row)


@dataclass(frozen=True, slots=True)
class AttemptAnswered(Fact):
    """The customer answered."""

    channel_id: str
    at: datetime

    def apply(self, session: Session) -> None:
        """Write it, unless the attempt is over or was answered before."""
        row = _ANSWERED.first(session, {"p_channel": self.channel_id, "p_at": self.at})
        if row is not None:
            _tell(session, "attempt.answered", self.at, row)


@dataclass(frozen=True, slots=True)
class AttemptConnected(Fact):
    """Customer and agent hear each other; the last agent's channel is the one to adopt after a crash."""

    channel_id: str
    at: datetime
    agent: str
    agent_channel_id: str
    bridge_id: str

    def apply(self, session: Session) -> None:
        """Write it; the lead is talking from now on."""
        parameters = {
            "p_channel": self.channel_id,
            "p_at": self.at,
            "p_agent": self.agent,
            "p_agent_channel": self.agent_channel_id,
            "p_bridge": self.bridge_id,
        }
        row = _CONNECTED.first(session, parameters)
        if row is not None:
            _TALKING.run(session, {"p_lead": row.lead_id})
            _tell(session, "attempt.connected", self.at, row, agent=self.agent)


@dataclass(frozen=True, slots=True)
class AttemptSettled(Fact):
    """The attempt is over: what came of it, for the attempt, the lead and the call's record.

    ``state``: done or unknown. ``counted`` False gives the lead back the attempt that the claim took.
    ``last_agent`` None leaves the lead's as it is. ``record`` is the contract's ``call show``. What follows it is what
    :func:`contact_center.store.next_steps.next_step` asks for.

    What a person did meanwhile wins: a lead that is no longer dialing or talking stays where he put it,
    and a disposition or a comment that stands in the call's row already is kept.
    """

    channel_id: str
    attempt_id: int
    lead_id: int
    outcome: str
    sip_code: int | None
    counted: bool
    agent: str
    ended_at: datetime
    state: str
    lead_state: str
    disposition: str
    next_attempt_at: datetime | None
    last_agent: str | None
    reason: str
    record: dict[str, Any]
    alternate: bool = False
    alternate_at: datetime | None = None
    day_parts: str = ""
    attempts_per_part: int = 1

    def apply(self, session: Session) -> None:
        """Write it, unless the attempt is over already."""
        attempt = _SETTLED.first(session, self._attempt_parameters())
        if attempt is None:
            return
        disposition, call = self._finish_call(session, attempt.call_id)
        lead = _LEAD_SETTLED.first(session, next_step(session, attempt, self, self._lead_parameters(disposition)))
        told = {
            "campaign_id": attempt.campaign_id,
            "campaign": self.record.get("campaign"),
            "kind": self.record.get("kind"),
            "outcome": self.outcome,
            "sip_code": self.sip_code,
            "counted": self.counted,
            "agent": attempt.agent,
            "disposition": disposition,
            **{key: call[key] for key in (*_RECORD_SECONDS, "hung_up_by", "call_state", "agents")},
            "answered_at": iso(call["answered_at"]),
            "ended_at": iso(self.ended_at),
            "lead": None
            if lead is None
            else {
                "state": lead.state,
                "attempts": lead.attempts,
                "next_attempt_at": iso(lead.next_attempt_at),
                "disposition": lead.disposition,
            },
        }
        _tell(session, "call.ended", self.ended_at, attempt, **told)

    def _attempt_parameters(self) -> dict[str, Any]:
        return {
            "p_channel": self.channel_id,
            "p_at": self.ended_at,
            "p_state": self.state,
            "p_outcome": self.outcome,
            "p_sip_code": self.sip_code,
            "p_counted": self.counted,
            "p_agent": self.agent,
        }

    def _lead_parameters(self, disposition: str) -> dict[str, Any]:
        gone = self.lead_state in (LeadState.DONE, LeadState.CLOSED, LeadState.DNC)
        return {
            "p_lead": self.lead_id,
            "p_given_back": 0 if self.counted else 1,
            "p_promise_stays": int(not self.counted or (self.outcome, self.sip_code) == (Outcome.TECHNICAL_ERROR, 503)),
            "p_last_agent": self.last_agent,
            "p_lead_state": self.lead_state,
            "p_disposition": disposition,
            "p_next_at": self.next_attempt_at,
            "p_closed_at": self.ended_at if gone else None,
            "p_reason": self.reason,
        }

    def _finish_call(self, session: Session, call_id: str) -> tuple[str, dict[str, Any]]:
        """Finish the call's row; gives the disposition in force and the columns."""
        answered = self.record.get("answered_at")
        columns: dict[str, Any] = {
            "answered_at": datetime.fromisoformat(answered) if answered else None,
            "ended_at": self.ended_at,
            "hung_up_by": self.record.get("hung_up_by"),
            "call_state": self.record.get("call_state") or "",
            "answer_to_agent_seconds": self.record.get("answer_to_agent_seconds"),
            "agents": self.record.get("agents") or [],
            "timeline": self.record.get("timeline") or [],
            **{key: float(self.record.get(key) or 0.0) for key in _RECORD_SECONDS},
        }
        rest = {key: value for key, value in self.record.items() if key not in _IN_COLUMNS}
        parameters = {f"p_{key}": value for key, value in columns.items()}
        parameters |= {"p_call": call_id, "p_disposition": self.disposition, "p_record": rest}
        now = _CALL_SETTLED.first(session, parameters)
        if now is None:
            return self.disposition, columns
        if now.record != rest:  # something stood there already
            record = {**rest, **{key: value for key, value in now.record.items() if key != TALK}}
            _CALL_CORRECTED.run(session, {"p_call": call_id, "p_disposition": now.disposition, "p_record": record})
        return now.disposition, columns


@dataclass(frozen=True, slots=True)
class AttemptUncounted(Fact):
    """These dials were the trunk's failure, as is known now; their leads get their attempts back.

    A lead that has been dialled again or that a person has moved since stays where it is.
    """

    attempt_ids: tuple[int, ...]
    next_attempt_at: datetime
    reason: str
    at: datetime

    def apply(self, session: Session) -> None:
        """Write it for those that are over and still count."""
        for attempt_id in self.attempt_ids:
            self._give_back(session, attempt_id)

    def _give_back(self, session: Session, attempt_id: int) -> None:
        connection = session.connection()
        counted = (_ATTEMPT.c.id == attempt_id) & _ATTEMPT.c.counted & _ATTEMPT.c.ended_at.is_not(None)
        before = connection.execute(select(*_TOLD, _ATTEMPT.c.outcome).where(counted)).first()
        if before is None:
            self._wake_up(session, attempt_id)
            return
        outcome = Outcome.NOT_ATTEMPTED.value
        connection.execute(update(_ATTEMPT).where(_ATTEMPT.c.id == attempt_id).values(counted=False, outcome=outcome))
        this_lead = _LEAD.c.id == before.lead_id
        connection.execute(update(_LEAD).where(this_lead).values(attempts=_LEAD.c.attempts - 1))
        untouched = (
            (_LEAD.c.dials == before.n)
            & _LEAD.c.state.in_((LeadState.DUE.value, LeadState.CLOSED.value))
            & ((_LEAD.c.disposition == before.outcome) & (_LEAD.c.number != ""))  # empty: he was erased
        )
        connection.execute(
            update(_LEAD)
            .where(this_lead, untouched)
            .values(
                state=LeadState.DUE.value,
                number=before.number,
                next_attempt_at=self.next_attempt_at,
                disposition=outcome,
                closed_at=None,
                reason=self.reason,
            )
        )
        self._correct_call(session, before)
        _tell(session, "attempt.uncounted", self.at, before, reason=self.reason)

    def _wake_up(self, session: Session, attempt_id: int) -> None:
        """A dial that never counted: its lead no longer waits for a delay, but for the trunk."""
        connection = session.connection()
        swallowed = (_ATTEMPT.c.id == attempt_id) & (_ATTEMPT.c.outcome == Outcome.NOT_ATTEMPTED.value)
        row = connection.execute(select(_ATTEMPT.c.lead_id, _ATTEMPT.c.n).where(swallowed)).first()
        if row is not None:
            waiting = (_LEAD.c.id == row.lead_id) & (_LEAD.c.dials == row.n) & (_LEAD.c.state == LeadState.DUE.value)
            values = {"next_attempt_at": self.next_attempt_at, "reason": self.reason}
            connection.execute(update(_LEAD).where(waiting).values(**values))

    def _correct_call(self, session: Session, before: Any) -> None:
        call = _CALL_BEFORE.first(session, {"p_call": before.call_id})
        if call is None:
            return
        outcome = Outcome.NOT_ATTEMPTED.value
        record = dict(call.record)
        record["attempts"] = [
            {**entry, "outcome": outcome} if entry.get("n") == before.n else entry
            for entry in record.get("attempts") or []
        ]
        disposition = outcome if call.disposition == before.outcome else call.disposition
        _CALL_CORRECTED.run(session, {"p_call": before.call_id, "p_disposition": disposition, "p_record": record})
