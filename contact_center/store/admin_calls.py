"""Calls: what the agent says came of them, and the wish to hang up."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import CallwrightError, UsageError
from contact_center.models import Attempt, Call, Campaign, Lead
from contact_center.models_callbacks import Callback, CallbackAttempt
from contact_center.outcomes import USED_UP
from contact_center.store.admin import By, shown
from contact_center.store.admin_dnc import DNC_REASON, EVERYBODY, add_dnc, blocked_numbers
from contact_center.store.expiry import end_of, lead_expires
from contact_center.store.lead_numbers import all_numbers, persons_numbers
from contact_center.store.queries import campaign_options, find_campaign
from contact_center.store.queries_agents import find_agent
from contact_center.store.queries_calls import find_call
from contact_center.terms import AgentState, CallKind, Ear, LeadState, RecordWish

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ -]{0,39}\Z")

KEYED_CODES = {
    "1": "SALE",
    "2": "NI",
    "3": "CALLBK",
    "4": "DNC",
    "5": "NP",
    "6": "A",
    "7": "DC",
    "8": "XFER",
}
"""What the digits of ``*8CODE#`` mean: sale, not interested, call back, do not call, no pitch, answering
machine, disconnected number, transferred. Any other digits stand as they were keyed."""

_DNC_CODES = ("DNC", "DNCL", "DNCC")
_CALLBACK_CODES = ("CALLBK", "CBHOLD")
_LONGEST_PROMISE = timedelta(days=3653)
_USED_UP = re.compile(rf"{re.escape(USED_UP)}|all \d+ attempts used")
_OPEN_LEAD = (LeadState.NEW, LeadState.DUE, LeadState.DIALING, LeadState.TALKING, LeadState.DONE)


def checked_code(text: str) -> str:
    """A disposition as it is stored. Raises UsageError."""
    code = KEYED_CODES.get(text.strip(), text.strip())
    if not _CODE.match(code):
        raise UsageError(
            f"The code {shown(text)} is not allowed: up to 40 letters, digits, spaces, _ and - are wanted, as SALE."
        )
    return code


def dispose_call(
    session: Session,
    by: By,
    call_id: str,
    text: str,
    *,
    callback_at: datetime | None = None,
    anyone: bool = False,
    dnc: bool = False,
) -> Call:
    """Set a call's disposition and move its lead.

    The lead is done, unless it is to be called back (``callback_at``; CALLBK without a time means after the
    campaign's retry_missed) by the same agent, or by whoever is free (``anyone``), or must not be called again
    (``dnc``, or code DNC). A promised call is made even where ``max_attempts`` is used up: the customer asked for it.
    Raises NotFound and UsageError, the latter where a call at ``callback_at`` would never be made.
    """
    call, code = find_call(session, call_id), checked_code(text)
    lead = session.get(Lead, call.lead_id) if call.lead_id else None
    forbid = dnc or code.upper() in _DNC_CODES
    if forbid and callback_at:
        raise UsageError("A number that must not be called cannot be called back; leave --dnc or --callback-at out.")
    if callback_at:
        _check_promise(session, by, call_id, lead, callback_at)
    was = call.disposition
    call.disposition = code
    if lead is not None:
        lead.disposition = code
        _move(session, by, lead, call, code, callback_at, anyone=anyone)
    if forbid:
        _forbid(session, by, lead, call, code)
    session.flush()
    by.note(session, "call", call_id, "dispose", _payload(call, lead, was, forbid), obey=True)
    return call


def _check_promise(session: Session, by: By, call_id: str, lead: Lead | None, callback_at: datetime) -> None:
    """Raises UsageError where nobody would call back then."""
    out = "leave --callback-at out"
    if lead is None:
        raise UsageError(f"Call {call_id} has no lead, so nobody would call back; {out}.")
    if lead.state == LeadState.DNC or blocked_numbers(session, [lead.number], lead.campaign_id):
        raise UsageError(f"The number of call {call_id} is on the do-not-call list, so nobody calls back; {out}.")
    if not _may_be_due(lead):
        why = f" ({lead.reason})" if lead.reason else ""
        raise UsageError(f"The lead of call {call_id} is {lead.state}{why}, so nobody would call back; {out}.")
    if callback_at <= by.at:
        raise UsageError("The time of --callback-at is past; give one that comes.")
    if callback_at - by.at > _LONGEST_PROMISE:
        raise UsageError("The time of --callback-at is more than ten years away; give an earlier one.")
    campaign = session.get_one(Campaign, lead.campaign_id)
    end = end_of(lead, lead_expires(campaign))
    if end is not None and callback_at >= end:
        raise UsageError(f"The lead of call {call_id} expires at {iso(end)}, so nobody would call back; {out}.")


def _may_be_due(lead: Lead) -> bool:
    """Whether a promise can make it due: also where only its attempts are used up."""
    used_up = lead.state == LeadState.CLOSED and _USED_UP.fullmatch(lead.reason or "") is not None
    return lead.state in _OPEN_LEAD or used_up


def _move(
    session: Session, by: By, lead: Lead, call: Call, code: str, callback_at: datetime | None, *, anyone: bool
) -> None:
    promised = callback_at is not None or code.upper() in _CALLBACK_CODES
    if lead.state not in _OPEN_LEAD and not (promised and _may_be_due(lead)):
        return
    if not promised:
        lead.state, lead.next_attempt_at, lead.callback_at = LeadState.DONE, None, None
        lead.closed_at = by.at
        return
    options = campaign_options(find_campaign(session, call.campaign))
    lead.state = LeadState.DUE
    lead.next_attempt_at = callback_at or by.at + timedelta(seconds=options.retry_missed)
    lead.closed_at, lead.reason = None, "the agent promised to call back"
    if options.max_attempts:
        lead.attempts = min(lead.attempts, options.max_attempts - 1)
    agent = session.scalars(select(col(Attempt.agent)).where(col(Attempt.call_id) == call.id)).first()
    if agent:
        lead.last_agent = agent
    lead.callback_at, lead.callback_agent = lead.next_attempt_at, "" if anyone else agent or lead.last_agent


def _forbid(session: Session, by: By, lead: Lead | None, call: Call, code: str) -> None:
    known = [number for number in (all_numbers(session, lead) if lead else [call.caller_number]) if number]
    if not known:
        raise UsageError(f"Call {call.id} has no number to put on the do-not-call list.")
    session.flush()
    add_dnc(session, by, persons_numbers(session, known), EVERYBODY, f"{code} of call {call.id}"[:120])
    if lead is not None:
        session.refresh(lead)
        lead.state, lead.reason, lead.next_attempt_at = LeadState.DNC, DNC_REASON, None
        lead.disposition, lead.closed_at = code, by.at


def _payload(call: Call, lead: Lead | None, was: str, forbid: bool) -> dict[str, Any]:
    due = lead.next_attempt_at.isoformat() if lead and lead.next_attempt_at else None
    return {
        "disposition": call.disposition,
        "was": was,
        "lead_id": call.lead_id,
        "lead_state": str(lead.state) if lead else None,
        "next_attempt_at": due,
        "dnc": forbid,
    }


def listen_to_call(session: Session, by: By, call_id: str, ext: str, ear: Ear) -> None:
    """Ask a running serve to let the phone of ``ext`` into a call's talk. Raises CallwrightError when it is over."""
    call = find_call(session, call_id)
    if not _is_up(session, call):
        raise CallwrightError(f"Call {call_id} is over; there is nothing to listen to.")
    find_agent(session, ext)
    by.note(session, "call", call_id, "listen", {"call_id": call_id, "ext": ext, "ear": ear.value}, obey=True)


def pause_recording(session: Session, by: By, call_id: str, wish: RecordWish) -> None:
    """Ask a running serve to pause a talk's recording, or to go on. Raises CallwrightError where there is none."""
    call = find_call(session, call_id)
    if not _is_up(session, call):
        raise CallwrightError(f"Call {call_id} is over, and so is its recording.")
    if not call.record.get("recording"):
        raise CallwrightError(f"Call {call_id} is not being recorded; `record` of its campaign or queue decides that.")
    by.note(session, "call", call_id, "record", {"call_id": call_id, "record": wish.value}, obey=True)


def _is_up(session: Session, call: Call) -> bool:
    """Whether somebody is on the line: a customer who is called back counts, though the call of his order is over."""
    if call.ended_at is None:
        return True
    dials = select(col(CallbackAttempt.id)).join(Callback, col(Callback.id) == col(CallbackAttempt.callback_id))
    now_up = dials.where(col(Callback.call_id) == call.id, col(CallbackAttempt.ended_at).is_(None))
    return session.scalars(now_up).first() is not None


def hang_up_call(session: Session, by: By, call_id: str, ext: str = "") -> int:
    """Ask a running serve to end a call; the id of the control row. ``ext``: the agent who ends it, in person.

    Raises CallwrightError when it is over, or when that agent is not on it.
    """
    call = find_call(session, call_id)
    if not _is_up(session, call):
        raise CallwrightError(f"Call {call_id} is over; there is nothing to hang up.")
    wish: dict[str, Any] = {"call_id": call_id}
    if ext:
        agent = find_agent(session, ext)
        is_his = call.kind in (CallKind.MANUAL, CallKind.INTERNAL)
        if agent.call_id != call_id or not (is_his or agent.state == AgentState.TALKING):
            raise CallwrightError(f"Agent {ext} does not talk in call {call_id} now; only who talks can hang it up.")
        wish["ext"] = ext
    asked = by.note(session, "call", call_id, "hangup", wish, obey=True)
    assert asked is not None
    return asked
