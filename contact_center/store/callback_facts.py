"""What happens to a callback, from the order to its end. Posted, never waited for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, insert, select, update
from sqlalchemy.orm import Session

from contact_center.callbacks.fold import deleted_last
from contact_center.clock import iso
from contact_center.models import Call
from contact_center.models_callbacks import Callback, CallbackAttempt
from contact_center.store.callback_claims import live_key
from contact_center.store.changes import add_event
from contact_center.store.fact import Fact
from contact_center.store.queries_called_back import OURS
from contact_center.store.tables import table_of
from contact_center.terms import CallbackState, CallKind

_CALL, _CALLBACK, _ATTEMPT = table_of(Call), table_of(Callback), table_of(CallbackAttempt)
_IN_COLUMNS = ("agents", "talk_seconds", "ring_seconds", "answer_to_agent_seconds", "hung_up_by", "call_state")


def tell(session: Session, at: datetime, type_: str, callback_id: str, **more: Any) -> None:
    """Tell others what became of a callback."""
    payload = {"callback_id": callback_id, "at": iso(at), **more}
    add_event(session, at=at, entity="callback", entity_id=callback_id, type=f"callback.{type_}", payload=payload)


@dataclass(frozen=True, slots=True)
class CallbackOrdered(Fact):
    """A caller asked to be called back; one who waits for a callback of this queue already keeps that one."""

    callback_id: str
    call_id: str
    queue: str
    number: str
    did: str
    priority: int
    entered_at: datetime
    at: datetime
    expires_at: datetime

    def apply(self, session: Session) -> None:
        """Make the row, unless it, or one of the same number and queue, is there."""
        connection, key = session.connection(), live_key(self.queue, self.number)
        same = (
            (_CALLBACK.c.id == self.callback_id) | (_CALLBACK.c.live_key == key) | (_CALLBACK.c.call_id == self.call_id)
        )
        if connection.execute(select(_CALLBACK.c.id).where(same)).first() is not None:
            return
        connection.execute(
            insert(_CALLBACK).values(
                id=self.callback_id,
                call_id=self.call_id,
                queue=self.queue,
                number=self.number,
                did=self.did,
                state=CallbackState.WAITING.value,
                attempt=0,
                dials=0,
                priority=self.priority,
                entered_at=self.entered_at,
                ordered_at=self.at,
                since_at=self.at,
                due_at=self.at,
                expires_at=self.expires_at,
                live_key=key,
                owner="",
                reason="",
            )
        )
        connection.execute(update(_CALL).where(_CALL.c.id == self.call_id).values(kind=CallKind.CALLBACK.value))
        tell(session, self.at, "ordered", self.callback_id, call_id=self.call_id, queue=self.queue, number=self.number)


@dataclass(frozen=True, slots=True)
class CallbackReleased(Fact):
    """No agent took it, so nobody was dialled: it waits in its place again."""

    callback_id: str
    at: datetime

    def apply(self, session: Session) -> None:
        """Write it, unless the customer is being dialled already."""
        free = (_CALLBACK.c.id == self.callback_id) & (_CALLBACK.c.state == CallbackState.CALLING_AGENT.value)
        session.connection().execute(update(_CALLBACK).where(free).values(state=CallbackState.WAITING.value, owner=""))


@dataclass(frozen=True, slots=True)
class CallbackAnswered(Fact):
    """The customer, or his machine, answered: no further attempt, whatever happens from now on."""

    callback_id: str
    n: int
    at: datetime

    def apply(self, session: Session) -> None:
        """Write it, unless the dial is over or was answered before."""
        this = _dial(self.callback_id, self.n) & _ATTEMPT.c.answered_at.is_(None)
        if session.connection().execute(update(_ATTEMPT).where(this).values(answered_at=self.at)).rowcount:
            close_callback(session, self.callback_id, CallbackState.DONE, "answered", self.at)


@dataclass(frozen=True, slots=True)
class CallbackConnected(Fact):
    """Customer and agent hear each other; no ``agent``: the one before has given him to a number outside."""

    callback_id: str
    n: int
    at: datetime
    agent: str
    agent_channel_id: str
    bridge_id: str

    def apply(self, session: Session) -> None:
        """Write it, unless the dial is over."""
        values = {"agent_channel_id": self.agent_channel_id, "bridge_id": self.bridge_id}
        if self.agent:
            values["agent"] = self.agent
        since = case((_ATTEMPT.c.connected_at.is_(None), self.at), else_=_ATTEMPT.c.connected_at)
        this = update(_ATTEMPT).where(_dial(self.callback_id, self.n))
        session.connection().execute(this.values(connected_at=since, **values))


@dataclass(frozen=True, slots=True)
class CallbackDialEnded(Fact):
    """A dial is over. ``story`` is what callbacks.fold.fold_attempt makes of it; ``state``, ``due_at``: what is next.

    A dial that does not count leaves no trace in the record, for the customer's phone has not rung.
    """

    callback_id: str
    n: int
    at: datetime
    outcome: str
    sip_code: int | None
    counted: bool
    state: str
    due_at: datetime | None
    reason: str
    story: dict[str, Any]

    def apply(self, session: Session) -> None:
        """Write it, unless the dial is over already."""
        ended = {"ended_at": self.at, "outcome": self.outcome, "sip_code": self.sip_code, "counted": self.counted}
        this = update(_ATTEMPT).where(_dial(self.callback_id, self.n)).values(**ended)
        if not session.connection().execute(this).rowcount:
            return
        row = session.connection().execute(select(_CALLBACK).where(_CALLBACK.c.id == self.callback_id)).one()
        if self.counted:
            _amend(session, row.call_id, self.story, self.at)
        self._move(session)
        told = {"call_id": row.call_id, "queue": row.queue, "outcome": self.outcome, "counted": self.counted}
        tell(session, self.at, "dial_ended", self.callback_id, n=self.n, **told)

    def _move(self, session: Session) -> None:
        connection, this = session.connection(), _CALLBACK.c.id == self.callback_id
        if not self.counted:
            connection.execute(update(_CALLBACK).where(this).values(attempt=_CALLBACK.c.attempt - 1))
        else:
            connection.execute(update(_CALLBACK).where(this).values(since_at=self.at))
        if self.due_at is None:
            close_callback(session, self.callback_id, CallbackState(self.state), self.reason, self.at)
            return
        dialled = this & (_CALLBACK.c.state == CallbackState.CALLING_CUSTOMER.value)
        next_ = {"state": self.state, "due_at": self.due_at, "owner": "", "reason": self.reason}
        connection.execute(update(_CALLBACK).where(dialled).values(**next_))


@dataclass(frozen=True, slots=True)
class CallbackClosed(Fact):
    """No dial follows: expired, cancelled, failed, or done because he called in himself.

    ``entry``: what the timeline of the ordering call gets, or nothing.
    """

    callback_id: str
    at: datetime
    state: str
    reason: str
    entry: dict[str, Any] | None = None

    def apply(self, session: Session) -> None:
        """Write it, unless it is over already."""
        close_callback(session, self.callback_id, CallbackState(self.state), self.reason, self.at, self.entry)


def close_callback(
    session: Session,
    callback_id: str,
    state: CallbackState,
    reason: str,
    at: datetime,
    entry: dict[str, Any] | None = None,
) -> bool:
    """End a callback that is open; False where it was over."""
    row = session.connection().execute(select(_CALLBACK).where(_CALLBACK.c.id == callback_id)).first()
    if row is None or row.ended_at is not None:
        return False
    over = {"state": state.value, "reason": reason, "ended_at": at, "live_key": None}
    session.connection().execute(update(_CALLBACK).where(_CALLBACK.c.id == callback_id).values(**over))
    if entry is not None:
        call = session.connection().execute(select(_CALL.c.timeline).where(_CALL.c.id == row.call_id)).first()
        if call is not None:
            longer = update(_CALL).where(_CALL.c.id == row.call_id).values(timeline=[*call.timeline, entry])
            session.connection().execute(longer)
    told = {"call_id": row.call_id, "queue": row.queue, "state": state.value, "reason": reason}
    tell(session, at, "closed", callback_id, **told)
    return True


def _dial(callback_id: str, n: int) -> Any:
    return (_ATTEMPT.c.callback_id == callback_id) & (_ATTEMPT.c.n == n) & _ATTEMPT.c.ended_at.is_(None)


def _amend(session: Session, call_id: str, story: dict[str, Any], at: datetime) -> None:
    """What an attempt adds to the record of the call that ordered it; a disposition of a person stays."""
    call = session.connection().execute(select(_CALL).where(_CALL.c.id == call_id)).first()
    if call is None:
        return
    values = {key: story[key] for key in _IN_COLUMNS if key in story}
    values["agents"] = list(dict.fromkeys([*call.agents, *story.get("agents", ())]))
    values["timeline"] = sorted([*call.timeline, *story.get("spans", ())], key=deleted_last)
    attempts = [*(call.record.get("attempts") or ()), *([story["attempt"]] if "attempt" in story else ())]
    values["record"] = {**call.record, "attempts": attempts}
    values["kind"], values["ended_at"] = CallKind.CALLBACK.value, at
    if call.disposition in OURS and "disposition" in story:
        values["disposition"] = story["disposition"]
    session.connection().execute(update(_CALL).where(_CALL.c.id == call_id).values(**values))
