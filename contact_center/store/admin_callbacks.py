"""Callbacks as people see them, and their cancelling."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.callbacks.fold import deleted_entry
from contact_center.clock import iso
from contact_center.errors import CallwrightError, NotFound, UsageError
from contact_center.models_callbacks import Callback, CallbackAttempt
from contact_center.store.admin import By
from contact_center.store.callback_facts import close_callback
from contact_center.terms import CallbackState


def find_callback(session: Session, callback_id: str) -> Callback:
    """The callback of an id, its own or that of the call that ordered it. Raises NotFound."""
    row = session.get(Callback, callback_id)
    if row is None:
        row = session.scalars(select(Callback).where(col(Callback.call_id) == callback_id)).first()
    if row is None:
        raise NotFound("callback", callback_id[:60])
    return row


def list_callbacks(session: Session, *, queue: str = "", state: str = "", limit: int = 1000) -> list[Callback]:
    """At most ``limit`` callbacks: those that are open first, in the order of their places, then the newest.

    Raises UsageError.
    """
    if state and state not in list(CallbackState):
        raise UsageError(f"The state {state!r} is not known; one of {', '.join(CallbackState)} is wanted.")
    query = select(Callback)
    if queue:
        query = query.where(col(Callback.queue) == queue)
    if state:
        query = query.where(col(Callback.state) == state)
    is_open = query.where(col(Callback.ended_at).is_(None))
    is_over = query.where(col(Callback.ended_at).is_not(None))
    waiting = is_open.order_by(col(Callback.priority).desc(), col(Callback.entered_at), col(Callback.id))
    rows = list(session.scalars(waiting.limit(limit)))
    newest = is_over.order_by(col(Callback.ended_at).desc(), col(Callback.id))
    return rows + list(session.scalars(newest.limit(limit - len(rows))))


def callback_document(row: Callback) -> dict[str, Any]:
    """A callback as JSON shows it."""
    return {
        "id": row.id,
        "call_id": row.call_id,
        "queue": row.queue,
        "number": row.number,
        "state": str(row.state),
        "attempt": row.attempt,
        "due_at": iso(row.due_at),
        "did": row.did,
        "priority": row.priority,
        "entered_at": iso(row.entered_at),
        "ordered_at": iso(row.ordered_at),
        "expires_at": iso(row.expires_at),
        "ended_at": iso(row.ended_at),
        "reason": row.reason,
    }


def callback_with_dials(session: Session, row: Callback) -> dict[str, Any]:
    """The same with every dial that was made, those that used up no attempt included."""
    dials = session.scalars(
        select(CallbackAttempt).where(col(CallbackAttempt.callback_id) == row.id).order_by(col(CallbackAttempt.n))
    )
    return {
        **callback_document(row),
        "dials": [
            {
                "n": dial.n,
                "at": iso(dial.intent_at),
                "agent": dial.agent,
                "outcome": dial.outcome or None,
                "sip_code": dial.sip_code,
                "counted": dial.counted,
                "answered_at": iso(dial.answered_at),
                "ended_at": iso(dial.ended_at),
            }
            for dial in dials
        ],
    }


def cancel_callback(session: Session, by: By, callback_id: str, language: str) -> Callback:
    """Take a callback out of its queue; a running serve stops ringing the customer. Raises NotFound, CallwrightError.

    The record of the call that ordered it gets its red entry in the same transaction.
    """
    row = find_callback(session, callback_id)
    entry = deleted_entry(by.at, language)
    if not close_callback(session, row.id, CallbackState.CANCELLED, f"cancelled by {by.actor}"[:120], by.at, entry):
        raise CallwrightError(f"Callback {row.id} is {row.state}; there is nothing to cancel.")
    by.note(session, "callback", row.id, "cancel", {"callback_id": row.id, "call_id": row.call_id}, obey=True)
    session.refresh(row)
    return row
