"""Who may call a customer back, decided in the database: each turn is one process's, each attempt is made once.

All functions run inside the caller's transaction; those that change something inside a writing one. A claim is a
conditional update, and a dial is a row whose number is unique, so it does not matter how many processes ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.callbacks.plan import USED_UP, Kept
from contact_center.clock import iso
from contact_center.models import DncEntry
from contact_center.models_callbacks import Callback, CallbackAttempt
from contact_center.store.changes import add_event
from contact_center.store.tables import table_of
from contact_center.terms import CallbackState

_CALLBACK, _ATTEMPT = table_of(Callback), table_of(CallbackAttempt)


ON_THE_LIST = "the number is on the do-not-call list"


class NotAllowed(Exception):
    """This customer must not be called any more; the text says why."""


@dataclass(frozen=True, slots=True)
class OpenDial:
    """A dial whose end was never written: it is adopted if the talk goes on, else it is closed, never repeated."""

    callback: Kept
    attempt_id: int
    n: int
    channel_id: str
    agent: str
    agent_channel_id: str
    intent_at: datetime
    answered_at: datetime | None
    connected_at: datetime | None


def live_key(queue: str, number: str) -> str:
    """What an open callback is unique by."""
    return f"{queue}|{number}"


def kept_of(row: Callback) -> Kept:
    """A row as the rules see it."""
    return Kept(
        id=row.id,
        call_id=row.call_id,
        queue=row.queue,
        number=row.number,
        did=row.did,
        state=CallbackState(row.state),
        attempt=row.attempt,
        dials=row.dials,
        priority=row.priority,
        entered_at=row.entered_at,
        ordered_at=row.ordered_at,
        since_at=row.since_at,
        due_at=row.due_at,
        expires_at=row.expires_at,
    )


def open_callbacks(session: Session) -> list[Kept]:
    """All that are open, in the order of their places."""
    rows = session.scalars(
        select(Callback)
        .where(col(Callback.ended_at).is_(None))
        .order_by(col(Callback.priority).desc(), col(Callback.entered_at), col(Callback.id))
    )
    return [kept_of(row) for row in rows]


def due_callbacks(session: Session, now: datetime, limit: int) -> list[str]:
    """Ids of those that wait and are due, in the order of their places."""
    query = (
        select(col(Callback.id))
        .where(
            col(Callback.state) == CallbackState.WAITING.value,
            col(Callback.due_at) <= now,
            col(Callback.expires_at) > now,
        )
        .order_by(col(Callback.priority).desc(), col(Callback.entered_at), col(Callback.id))
        .limit(limit)
    )
    return list(session.scalars(query))


def is_forbidden(session: Session, number: str) -> bool:
    """Whether nobody of us may call this number."""
    query = select(col(DncEntry.id)).where(col(DncEntry.number) == number, col(DncEntry.campaign_id) == 0)
    return session.scalars(query).first() is not None


def claim_callback(session: Session, callback_id: str, owner: str, now: datetime) -> bool:
    """Take a callback whose turn it is; False where it is another's, not due, or over. Raises NotAllowed."""
    waits = select(_CALLBACK.c.number).where(
        _CALLBACK.c.id == callback_id, _CALLBACK.c.state == CallbackState.WAITING.value
    )
    number = session.connection().execute(waits).scalar()
    if number is not None and is_forbidden(session, number):
        raise NotAllowed(ON_THE_LIST)
    taken = (
        update(_CALLBACK)
        .where(
            _CALLBACK.c.id == callback_id,
            _CALLBACK.c.state == CallbackState.WAITING.value,
            _CALLBACK.c.due_at <= now,
            _CALLBACK.c.expires_at > now,
        )
        .values(state=CallbackState.CALLING_AGENT.value, owner=owner)
    )
    return bool(session.connection().execute(taken).rowcount)


def still_waiting(session: Session, callback_id: str, owner: str) -> Kept | None:
    """A callback whose turn has ended without a dial, if it waits on; None where it is over or another's.

    A claim of ``owner`` is given back: it was made, though its answer was lost.
    """
    this = _CALLBACK.c.id == callback_id
    mine = this & (_CALLBACK.c.state == CallbackState.CALLING_AGENT.value) & (_CALLBACK.c.owner == owner)
    given_back = update(_CALLBACK).where(mine).values(state=CallbackState.WAITING.value, owner="")
    session.connection().execute(given_back)
    row = session.get(Callback, callback_id, populate_existing=True)
    return kept_of(row) if row is not None and row.state == CallbackState.WAITING else None


def begin_dial(
    session: Session, callback_id: str, owner: str, channel_id: str, agent: str, most: int, now: datetime
) -> int:
    """Write down that the customer is dialled now; the number of the dial, or 0 where the claim is lost.

    Nothing may be sent to him before this is committed. Of one claim only one dial can come, and never more attempts
    than ``most``. Raises NotAllowed.
    """
    row = session.connection().execute(select(_CALLBACK).where(_CALLBACK.c.id == callback_id)).first()
    if row is None or row.state != CallbackState.CALLING_AGENT or row.owner != owner:
        return 0
    if row.attempt >= most:
        raise NotAllowed(USED_UP)
    if is_forbidden(session, row.number):
        raise NotAllowed(ON_THE_LIST)
    begun = (
        update(_CALLBACK)
        .where(
            _CALLBACK.c.id == callback_id,
            _CALLBACK.c.state == CallbackState.CALLING_AGENT.value,
            _CALLBACK.c.owner == owner,
            _CALLBACK.c.dials == row.dials,
        )
        .values(
            state=CallbackState.CALLING_CUSTOMER.value, attempt=_CALLBACK.c.attempt + 1, dials=_CALLBACK.c.dials + 1
        )
    )
    if not session.connection().execute(begun).rowcount:
        return 0
    dial = {"callback_id": callback_id, "n": row.dials + 1, "channel_id": channel_id, "agent": agent}
    empty = {"agent_channel_id": "", "bridge_id": "", "outcome": "", "counted": True}
    session.connection().execute(insert(_ATTEMPT).values(**dial, **empty, intent_at=now))
    told = {"callback_id": callback_id, "call_id": row.call_id, "queue": row.queue, "attempt": row.attempt + 1}
    add_event(
        session,
        at=now,
        entity="callback",
        entity_id=callback_id,
        type="callback.dialled",
        payload={**told, "agent": agent, "at": iso(now)},
    )
    return int(row.dials) + 1


def release_claims(session: Session, owner: str | None = None, keep: frozenset[str] = frozenset()) -> int:
    """Give back claims from which no dial came: of one owner, or (None) of everybody; not those of ``keep``."""
    where = [_CALLBACK.c.state == CallbackState.CALLING_AGENT.value]
    if owner is not None:
        where.append(_CALLBACK.c.owner == owner)
    if keep:
        where.append(_CALLBACK.c.id.not_in(keep))
    free = update(_CALLBACK).where(*where).values(state=CallbackState.WAITING.value, owner="")
    return int(session.connection().execute(free).rowcount)


def open_dials(session: Session, owner: str | None = None) -> list[OpenDial]:
    """Dials without an end, oldest first: of one owner, or (None) of everybody."""
    query = (
        select(CallbackAttempt, Callback)
        .join(Callback, col(Callback.id) == col(CallbackAttempt.callback_id))
        .where(col(CallbackAttempt.ended_at).is_(None))
        .order_by(col(CallbackAttempt.id))
    )
    if owner is not None:
        query = query.where(col(Callback.owner) == owner)
    return [
        OpenDial(
            callback=kept_of(row),
            attempt_id=dial.id or 0,
            n=dial.n,
            channel_id=dial.channel_id,
            agent=dial.agent,
            agent_channel_id=dial.agent_channel_id,
            intent_at=dial.intent_at,
            answered_at=dial.answered_at,
            connected_at=dial.connected_at,
        )
        for dial, row in session.execute(query).all()
    ]
