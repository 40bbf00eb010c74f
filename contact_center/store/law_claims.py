"""What the law says of one lead at the moment of the claim: caps on calls to a person, and lock-outs after a call
that was abandoned or that machine detection took for a machine's.

Asked in the transaction that also writes the intent: only one writes at a time, so what is counted here cannot
change before the intent is committed. Counted are all calls we made to the number, by whatever campaign or
agent, and all to the same lead by another of his numbers; calls that a trunk swallowed never rang and do not
count, nor do calls back that he ordered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import bindparam, column, func, or_, select, text, update
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.law.force import RulesInForce, rules_for
from contact_center.models import Attempt, Call, Instant, Lead
from contact_center.store.changes import add_event
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.terms import AmdStatus, CallKind, Direction, LeadState, Outcome

FORBIDDEN = "EXISTS (SELECT 1 FROM dnc WHERE dnc.number = lead.number AND dnc.campaign_id IN (0, lead.campaign_id))"
"""SQL over ``lead``: the number is on the company's or the campaign's do-not-call list. Two seeks in one index."""

CALLS_SINCE = """(
    SELECT count(*) FROM call LEFT JOIN attempt ON attempt.call_id = call.id
    WHERE (call.caller_number = lead.number OR call.lead_id = lead.id)
        AND coalesce(attempt.intent_at, call.started_at) > :law_since
        AND call.direction = 'outbound' AND call.kind <> 'callback'
        AND coalesce(attempt.outcome, '') <> 'not_attempted'
)"""
"""SQL over ``lead``: how many calls the person has got since ``:law_since``; compare it with a cap."""

_LEAD, _CALL, _ATTEMPT = table_of(Lead), table_of(Call), table_of(Attempt)
_WAITS = or_(_LEAD.c.state == LeadState.NEW.value, _LEAD.c.state == LeadState.DUE.value)
_DIALLED = func.coalesce(_ATTEMPT.c.intent_at, _CALL.c.started_at, type_=Instant())
_EARLIER = Prepared(
    select(
        *(_CALL.c.id, _DIALLED.label("dialled_at"), _CALL.c.ended_at, _ATTEMPT.c.outcome),
        _CALL.c.record["amd"]["status"].as_string().label("verdict"),
    )
    .select_from(_CALL.outerjoin(_ATTEMPT, _ATTEMPT.c.call_id == _CALL.c.id))
    .where(
        or_(_CALL.c.caller_number == bindparam("p_number"), _CALL.c.lead_id == bindparam("p_lead")),
        _CALL.c.started_at > bindparam("p_since", type_=Instant()),
        _CALL.c.direction == Direction.OUTBOUND.value,
        _CALL.c.kind != CallKind.CALLBACK.value,
    )
)
_PUT_OFF = Prepared(
    update(_LEAD)
    .where(_LEAD.c.id == bindparam("p_id"), _WAITS)
    .values(
        state=LeadState.DUE.value,
        next_attempt_at=bindparam("p_until", type_=Instant()),
        reason=bindparam("p_reason"),
    )
)


class Claimable(Protocol):
    """What is looked at of a lead: a row of the claim, or a Lead itself. ``zones`` is the key of his place."""

    @property
    def id(self) -> int | None:
        """The lead's key."""
        ...

    @property
    def number(self) -> str:
        """E.164."""
        ...

    @property
    def zones(self) -> str:
        """The key of law.places."""
        ...


@dataclass(frozen=True, slots=True)
class Hold:
    """A person must not be called before ``until``; ``reason`` in words.

    ``rule``: ``cap``, ``lockout`` (his call was abandoned) or ``machine_lockout`` (he was taken for a machine).
    """

    rule: str
    until: datetime
    reason: str


def held_by_law(
    session: Session, leads: Iterable[Claimable], *, profile: str, now: datetime, agent_is_sure: bool = False
) -> dict[int, Hold]:
    """Which of these leads the law keeps from being called now, by their keys, each with its strictest hold.

    Costs nothing where no rule of the lead's place has a cap or a lock-out. ``agent_is_sure``: an agent is held
    for this very call before it is dialled (preview), so no lock-out holds.
    """
    held: dict[int, Hold] = {}
    for lead in leads:
        rules = rules_for(lead.zones, now, profile=profile)
        if lead.id is not None and (hold := _hold(session, lead, rules, now, agent_is_sure)):
            held[lead.id] = hold
    return held


def put_off(session: Session, lead_id: int, hold: Hold, now: datetime) -> None:
    """Let a lead that waits wait until its hold is over, and tell others why."""
    reason = f"{hold.reason}"[:120]
    if _PUT_OFF.run(session, {"p_id": lead_id, "p_until": hold.until, "p_reason": reason}):
        payload = {"lead_id": lead_id, "state": "due", "reason": reason, "next_attempt_at": iso(hold.until)}
        add_event(session, at=now, entity="lead", entity_id=str(lead_id), type="lead.state", payload=payload)


def _hold(session: Session, lead: Claimable, rules: RulesInForce, now: datetime, agent_is_sure: bool) -> Hold | None:
    lockout, machine = (0.0, 0.0) if agent_is_sure else (rules.lockout_seconds, rules.machine_lockout_seconds)
    longest = max([lockout, machine, *(cap.seconds for cap in rules.caps)])
    if not longest:
        return None
    # A call began before it was abandoned, and a preview before it was dialled: look a little further back.
    since = now - timedelta(seconds=longest + 3600.0)
    calls = _EARLIER.rows(session, {"p_number": lead.number, "p_lead": lead.id, "p_since": since})
    holds = list(_caps(calls, rules, now))
    for call in calls:
        ended = call.ended_at or now
        if lockout and call.outcome == Outcome.NO_FREE_OPERATORS:
            told = f"a call was abandoned; locked out for {lockout / 3600:g} h"
            holds.append(Hold("lockout", ended + timedelta(seconds=lockout), told))
        elif machine and _was_a_machine(call):
            told = f"a call was taken for a machine's; locked out for {machine / 3600:g} h"
            holds.append(Hold("machine_lockout", ended + timedelta(seconds=machine), told))
    return max((hold for hold in holds if hold.until > now), key=lambda hold: hold.until, default=None)


def _was_a_machine(call: _Earlier) -> bool:
    """By the verdict; with whom an agent has talked all the same, he was no silent call to."""
    return call.outcome == Outcome.MACHINE or (call.verdict == AmdStatus.MACHINE and call.outcome != Outcome.CONNECTED)


def _caps(calls: Iterable[_Earlier], rules: RulesInForce, now: datetime) -> Iterable[Hold]:
    """A cap of three holds until the third-last call is no longer inside its window."""
    starts = sorted(call.dialled_at for call in calls if call.outcome != Outcome.NOT_ATTEMPTED)
    for cap in rules.caps:
        window = timedelta(seconds=cap.seconds)
        inside = [start for start in starts if start > now - window]
        if len(inside) >= cap.calls:
            until = inside[-cap.calls] + window
            yield Hold("cap", until, f"{len(inside)} calls in {cap.seconds / 3600:g} h, {cap.calls} are allowed")


class _Earlier(Protocol):
    dialled_at: datetime
    ended_at: datetime | None
    outcome: str | None
    verdict: str | None


def calls_since(session: Session, lead_ids: Iterable[int], since: datetime) -> dict[int, int]:
    """How many calls each of these leads' persons has got, by :data:`CALLS_SINCE` in one statement."""
    statement = text(f"SELECT lead.id, {CALLS_SINCE} AS calls FROM lead WHERE lead.id IN :law_ids").bindparams(
        bindparam("law_ids", expanding=True), bindparam("law_since", type_=Instant())
    )
    rows = session.connection().execute(
        statement.columns(column("id"), column("calls")), {"law_ids": list(lead_ids), "law_since": since}
    )
    return {row.id: row.calls for row in rows}
