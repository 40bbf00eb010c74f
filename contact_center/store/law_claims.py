"""What the law says of one lead at the moment of the claim: caps on calls to a person, and lock-outs after a call
that was abandoned or that machine detection took for a machine's. What the campaign itself asks of attempts
(``person_cap``, ``day_parts``) is asked with it, with or without a law.

Asked in the transaction that also writes the intent: only one writes at a time, so what is counted here cannot
change before the intent is committed. Counted are all calls we made to the number, by whatever campaign or
agent, and all to the same lead by another of his numbers; calls that a trunk swallowed or that were taken back
before his phone rang do not count, nor do calls back that he ordered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import bindparam, column, func, or_, select, text, update
from sqlalchemy.orm import Session

from contact_center.attempt_rules import NO_RULES, AttemptRules
from contact_center.clock import iso
from contact_center.law.force import Cap, RulesInForce, rules_for
from contact_center.models import Attempt, Call, Instant, Lead
from contact_center.store.changes import add_event
from contact_center.store.lead_numbers import any_has_several, people
from contact_center.store.next_steps import PART_USED, free_in_parts_at
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
        AND (coalesce(attempt.outcome, '') <> 'not_attempted' OR attempt.ringing_at IS NOT NULL)
)"""
"""SQL over ``lead``: how many calls the person has got since ``:law_since``; compare it with a cap."""

_LEAD, _CALL, _ATTEMPT = table_of(Lead), table_of(Call), table_of(Attempt)
_WAITS = or_(_LEAD.c.state == LeadState.NEW.value, _LEAD.c.state == LeadState.DUE.value)
_DIALLED = func.coalesce(_ATTEMPT.c.intent_at, _CALL.c.started_at, type_=Instant())
_EARLIER = Prepared(
    select(
        *(_CALL.c.id, _DIALLED.label("dialled_at"), _CALL.c.ended_at, _ATTEMPT.c.outcome, _ATTEMPT.c.ringing_at),
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

    ``rule``: ``cap``, ``lockout`` (his call was abandoned), ``machine_lockout`` (he was taken for a machine),
    ``person_cap`` or ``day_parts`` (of the campaign itself).
    """

    rule: str
    until: datetime
    reason: str


def held_by_law(
    session: Session,
    leads: Iterable[Claimable],
    *,
    profile: str,
    now: datetime,
    agent_is_sure: bool = False,
    own: AttemptRules = NO_RULES,
) -> dict[int, Hold]:
    """Which of these leads the law keeps from being called now, by their keys, each with its longest hold.

    Costs nothing where no rule of the lead's place has a cap or a lock-out. ``agent_is_sure``: an agent is held
    for this very call before it is dialled (preview), so no lock-out holds. ``own``: what the campaign asks besides.
    """
    held: dict[int, Hold] = {}
    several = (bool(own.caps) or profile != "none") and any_has_several(session)
    for lead in leads:
        if lead.id is None:
            continue
        rules = rules_for(lead.zones, now, profile=profile)
        holds = _holds(session, lead, rules, own, now, agent_is_sure, several=several)
        free_at = free_in_parts_at(session, lead, own, now)
        if free_at > now:
            holds.append(Hold("day_parts", free_at, PART_USED))
        if holds:
            held[lead.id] = max(holds, key=lambda hold: hold.until)
    return held


def put_off(session: Session, lead_id: int, hold: Hold, now: datetime) -> None:
    """Let a lead that waits wait until its hold is over, and tell others why."""
    reason = f"{hold.reason}"[:120]
    if _PUT_OFF.run(session, {"p_id": lead_id, "p_until": hold.until, "p_reason": reason}):
        payload = {"lead_id": lead_id, "state": "due", "reason": reason, "next_attempt_at": iso(hold.until)}
        add_event(session, at=now, entity="lead", entity_id=str(lead_id), type="lead.state", payload=payload)


def _holds(
    session: Session,
    lead: Claimable,
    rules: RulesInForce,
    own: AttemptRules,
    now: datetime,
    agent_is_sure: bool,
    *,
    several: bool,
) -> list[Hold]:
    """By calls to the person; ``several``: some leads have more numbers than one."""
    lockout, machine = (0.0, 0.0) if agent_is_sure else (rules.lockout_seconds, rules.machine_lockout_seconds)
    longest = max([lockout, machine, *(cap.seconds for cap in (*rules.caps, *own.caps))])
    if not longest:
        return []
    # A call began before it was abandoned, and a preview before it was dialled: look a little further back.
    since = now - timedelta(seconds=longest + 3600.0)
    calls = _calls_to(session, people(session, lead) if several else [(lead.number, lead.id)], since)
    holds = [
        Hold("cap", until, f"{made} calls in {cap.seconds / 3600:g} h, {cap.calls} are allowed")
        for cap, made, until in _used_up(calls, rules.caps, now)
    ]
    holds += [
        Hold("person_cap", until, f"{made} of {cap.calls} calls in {cap.seconds / 3600:g} h (person_cap)")
        for cap, made, until in _used_up(calls, own.caps, now)
    ]
    for call in calls:
        ended = call.ended_at or now
        if lockout and call.outcome == Outcome.NO_FREE_OPERATORS:
            told = f"a call was abandoned; locked out for {lockout / 3600:g} h"
            holds.append(Hold("lockout", ended + timedelta(seconds=lockout), told))
        elif machine and _was_a_machine(call):
            told = f"a call was taken for a machine's; locked out for {machine / 3600:g} h"
            holds.append(Hold("machine_lockout", ended + timedelta(seconds=machine), told))
    return [hold for hold in holds if hold.until > now]


def _calls_to(session: Session, person: Iterable[tuple[str, int | None]], since: datetime) -> list[_Earlier]:
    """Those to any of a person's numbers, and to any lead that is he."""
    calls: dict[str, _Earlier] = {}
    for number, lead_id in person:
        for call in _EARLIER.rows(session, {"p_number": number, "p_lead": lead_id, "p_since": since}):
            calls[call.id] = call
    return list(calls.values())


def _was_a_machine(call: _Earlier) -> bool:
    """By the verdict; with whom an agent has talked all the same, he was no silent call to."""
    return call.outcome == Outcome.MACHINE or (call.verdict == AmdStatus.MACHINE and call.outcome != Outcome.CONNECTED)


def _used_up(calls: Iterable[_Earlier], caps: Iterable[Cap], now: datetime) -> Iterable[tuple[Cap, int, datetime]]:
    """Caps that hold, with the calls that were made, and until when.

    One of three holds until the third-last call is no longer inside its window.
    """
    starts = sorted(c.dialled_at for c in calls if c.outcome != Outcome.NOT_ATTEMPTED or c.ringing_at is not None)
    for cap in caps:
        window = timedelta(seconds=cap.seconds)
        inside = [start for start in starts if start > now - window]
        if len(inside) >= cap.calls:
            yield cap, len(inside), inside[-cap.calls] + window


class _Earlier(Protocol):
    id: str
    dialled_at: datetime
    ended_at: datetime | None
    outcome: str | None
    ringing_at: datetime | None
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
