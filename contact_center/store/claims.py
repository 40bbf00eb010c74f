"""Taking leads to dial: each at most once, and never two open calls to one number.

A claim is the intent of "write the attempt before dialing": attempt, call and lead are changed in one
writing transaction, and only when it is committed may anything be sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import cycle, islice
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from contact_center.attempt_rules import NO_RULES, AttemptRules
from contact_center.carriers import Hand
from contact_center.clock import iso
from contact_center.crash_points import reached
from contact_center.ids import new_id
from contact_center.models import Attempt, Call, Instant, Lead
from contact_center.own_agents import promised_to
from contact_center.store.carriage import NOT_CARRIED
from contact_center.store.changes import add_event, add_first_events
from contact_center.store.claim_heads import Again, better_first, first, heads
from contact_center.store.claim_sql import CLASSES, any_new, asked_of, mark_dialling, soonest, zones_in
from contact_center.store.expiry import EXPIRED, is_over
from contact_center.store.law_claims import held_by_law, put_off
from contact_center.store.lead_numbers import one_of_each, turn_away
from contact_center.store.lead_search import LeadSearch
from contact_center.store.prepared import Prepared
from contact_center.store.prepared_rows import PreparedRows
from contact_center.store.tables import table_of
from contact_center.terms import AttemptState, CallKind, Direction, LeadState

SET_ASIDE_LIMIT = 500
"""How many leads (do-not-call, attempts used up) one claim sets aside before it leaves the rest for later."""

CHOSEN_FROM = 64
"""Leads of equal rank among which a claim chooses by their odds, or as many as it wants."""

_LEAD = table_of(Lead)
_WAITING = (LeadState.NEW.value, LeadState.DUE.value)

_SET_ASIDE = Prepared(
    update(_LEAD)
    .where(_LEAD.c.id == bindparam("p_id"))
    .values(state=bindparam("p_state"), closed_at=bindparam("p_at", type_=Instant()), reason=bindparam("p_reason"))
)
_ADD_ATTEMPTS = PreparedRows(
    table_of(Attempt),
    (
        *("call_id", "channel_id", "lead_id", "campaign_id", "n", "number", "live_number", "trunk", "state"),
        *("counted", "outcome", "agent", "agent_channel_id", "bridge_id", "intent_at"),
    ),
    returning="id",
    key="call_id",
)
_ADD_CALLS = PreparedRows(
    table_of(Call),
    (
        *("id", "kind", "direction", "queue", "campaign", "lead_id", "did", "caller_number", "started_at"),
        *("wait_seconds", "ring_seconds", "talk_seconds", "call_state", "disposition", "agents", "timeline", "record"),
    ),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A lead taken, with its attempt and call: what a DialOrder needs of the store.

    ``last_agent``: with whom a call was promised (``promised``), else who served him last.

    ``n`` numbers this dial among all of the lead's, ``attempts`` counts those used up, this one included.
    ``queued_at``: when an agent was shown the lead, where one was.
    """

    attempt_id: int
    call_id: str
    channel_id: str
    n: int
    lead_id: int
    campaign_id: int
    campaign: str
    kind: CallKind
    number: str
    trunk: str
    last_agent: str
    priority: int
    zones: str
    fields: dict[str, Any]
    attempts: int
    intent_at: datetime
    queued_at: datetime | None = None
    promised: str = ""


def claim(
    session: Session,
    *,
    campaign_id: int,
    want: int,
    now: datetime,
    open_zones: Collection[str] | None,
    trunks: Sequence[str] | Hand,
    max_attempts: int,
    kind: CallKind,
    odds: Mapping[int, float] | None = None,
    profile: str = "none",
    own: AttemptRules = NO_RULES,
    search: LeadSearch | None = None,
) -> list[Claim]:
    """Take up to ``want`` leads in the contract's order, inside the caller's writing transaction.

    ``open_zones``: the ``zones`` keys in which it may ring now, None for all. ``trunks``: lines taken, of
    which each lead gets the first that may carry its number; named alone, the i-th lead goes to
    ``trunks[i % len(trunks)]``. ``max_attempts``: 0 for no limit. Nothing is taken unless the campaign is
    running in this very transaction. Leads on a do-not-call list, those whose attempts are used up and those that
    no trunk may carry are set aside on the way, and those whom the law of ``profile`` protects for now are put off,
    as are those whom the campaign's ``own`` rules do. Who has another number is turned to it instead of set aside.
    ``odds``: that a person answers, by lead's id, where the campaign chooses by them. ``search``: goes over the leads
    of a campaign with a filter in pieces, where they are many; without it they are all gone over at once.
    """
    if want <= 0 or not trunks:
        return []
    hand = trunks if isinstance(trunks, Hand) else Hand(list(islice(cycle(trunks), want)))
    zones = None if open_zones is None else frozenset(open_zones)
    asked = asked_of(session, campaign_id)
    if not asked.running:
        return []
    looked = Again(heads(session, campaign_id, asked, zones, now))
    claims: list[Claim] = []
    set_aside = 0
    passed: set[int] = set()  # no line is left that may carry them
    while len(claims) < want and max(set_aside, len(passed)) < SET_ASIDE_LIMIT:
        few = want - len(claims) + 2 * (set_aside + len(passed))
        rows = search.leads(session, campaign_id, asked, zones, now, few) if search is not None else None
        if rows is None:
            rows = _candidates(session, campaign_id, looked, now, few, odds)
        reasons = _expired(rows, asked.expires, now) | _reasons_against(rows, max_attempts, hand)
        turned = turn_away(session, rows, reasons, campaign_id, hand.may_carry)
        aside = turned | _set_aside(session, rows, reasons, profile, now, kind, own)
        may_be = [row for row in rows if row.id not in aside and row.id not in passed]
        if own.caps or profile != "none":
            may_be = one_of_each(session, may_be)
        by_number, without = hand.deal(may_be, want - len(claims))
        if not by_number and not aside and not without:
            break
        new = [_new_claim(row, campaign_id, asked.running, kind, line, now) for row, line in by_number]
        claims += _dial(session, new)
        set_aside += len(aside)
        passed |= without
        if not aside and len(by_number) + len(passed) == len(rows) < few:
            break  # there are no more
    if claims:
        reached("intent_chosen")
    return claims


def _candidates(
    session: Session,
    campaign_id: int,
    looked: Again,
    now: datetime,
    few: int,
    odds: Mapping[int, float] | None,
) -> list[Any]:
    """The first ``few`` leads in the dialling order.

    With ``odds`` the better ones of the first ``CHOSEN_FROM`` of a class and priority go first. Nobody waits for
    ever: those who are passed over come to stand at the front, until there is nobody else to choose.
    """
    rows: list[Any] = []
    for head in looked:
        left = few - len(rows)
        found = first(session, campaign_id, head, now, left if odds is None else max(left, CHOSEN_FROM))
        rows += found[:left] if odds is None else better_first(found, odds)[:left]
        if len(rows) >= few:
            break
    return rows


def take_row(
    session: Session,
    row: Any,
    *,
    campaign_id: int,
    campaign: str,
    now: datetime,
    trunk: str,
    max_attempts: int,
    kind: CallKind,
    profile: str,
    queued_at: datetime,
    own: AttemptRules = NO_RULES,
    expires: float = 0.0,
) -> Claim | None:
    """Take this very lead, shown since ``queued_at``, unless a list, its attempts or the law hold it back."""
    reasons = _expired([row], expires, now) | _reasons_against([row], max_attempts)
    if turn_away(session, [row], reasons, campaign_id) or _set_aside(session, [row], reasons, profile, now, kind, own):
        return None
    taken = replace(_new_claim(row, campaign_id, campaign, kind, trunk, now), queued_at=queued_at)
    return _dial(session, [taken])[0]


def _set_aside(
    session: Session,
    rows: Sequence[Any],
    against: Mapping[int, tuple[LeadState, str]],
    profile: str,
    now: datetime,
    kind: CallKind,
    own: AttemptRules,
) -> set[int]:
    """Take those out who must not be dialled, any more for the reasons ``against`` or for now by law; their ids."""
    for row in rows:
        if row.id in against:
            _put_aside(session, row, now, *against[row.id])
    if profile == "none" and not own:
        return set(against)
    rest = [row for row in rows if row.id not in against]
    is_sure = kind is CallKind.PREVIEW
    held = held_by_law(session, rest, profile=profile, now=now, agent_is_sure=is_sure, own=own)
    for lead, hold in held.items():
        put_off(session, lead, hold, now)
    return set(against) | set(held)


def _expired(rows: Sequence[Any], seconds: float, now: datetime) -> dict[int, tuple[LeadState, str]]:
    return {row.id: (LeadState.CLOSED, EXPIRED) for row in rows if is_over(row, seconds, now)}


def _reasons_against(
    rows: Sequence[Any], max_attempts: int, hand: Hand | None = None
) -> dict[int, tuple[LeadState, str]]:
    """Which of these leads must not be dialled any more, with their new state and the reason."""
    against: dict[int, tuple[LeadState, str]] = {}
    for row in rows:
        if row.is_forbidden:
            against[row.id] = (LeadState.DNC, "on a do-not-call list")
        elif max_attempts and row.attempts >= max_attempts:
            against[row.id] = (LeadState.CLOSED, f"all {max_attempts} attempts used")
        elif hand is not None and not hand.may_carry(row.number):
            against[row.id] = (LeadState.CLOSED, NOT_CARRIED)
    return against


def _put_aside(session: Session, row: Any, now: datetime, state: LeadState, reason: str) -> None:
    _SET_ASIDE.run(session, {"p_id": row.id, "p_state": state.value, "p_at": now, "p_reason": reason})
    add_event(
        session,
        at=now,
        entity="lead",
        entity_id=str(row.id),
        type="lead.state",
        payload={"lead_id": row.id, "number": row.number, "state": state.value, "reason": reason},
    )


def _new_claim(row: Any, campaign_id: int, campaign: str, kind: CallKind, trunk: str, now: datetime) -> Claim:
    return Claim(
        attempt_id=0,
        call_id=new_id("call"),
        channel_id=new_id("cw"),
        n=row.dials + 1,
        lead_id=row.id,
        campaign_id=campaign_id,
        campaign=campaign,
        kind=kind,
        number=row.number,
        trunk=trunk,
        last_agent=promised_to(row) or row.last_agent,
        promised=promised_to(row),
        priority=row.priority,
        zones=row.zones,
        fields=dict(row.fields),
        attempts=row.attempts + 1,
        intent_at=now,
    )


def _dial(session: Session, claims: list[Claim]) -> list[Claim]:
    """Mark the leads, insert the attempts, the open calls and what others are told."""
    if not claims:
        return []
    mark_dialling(session, [claim.lead_id for claim in claims])
    ids = _ADD_ATTEMPTS.run(session, [_attempt_row(claim) for claim in claims])
    claims = [replace(claim, attempt_id=id) for claim, id in zip(claims, ids, strict=True)]
    _ADD_CALLS.run(session, [_call_row(claim) for claim in claims])
    add_first_events(session, [_intent_event(claim) for claim in claims])
    return claims


def _attempt_row(claim: Claim) -> dict[str, Any]:
    return {
        "call_id": claim.call_id,
        "channel_id": claim.channel_id,
        "lead_id": claim.lead_id,
        "campaign_id": claim.campaign_id,
        "n": claim.n,
        "number": claim.number,
        "live_number": claim.number,
        "trunk": claim.trunk,
        "state": AttemptState.INTENT.value,
        "counted": True,
        "outcome": "",
        "agent": "",
        "agent_channel_id": "",
        "bridge_id": "",
        "intent_at": claim.intent_at,
    }


def _call_row(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.call_id,
        "kind": claim.kind.value,
        "direction": Direction.OUTBOUND.value,
        "queue": "",
        "campaign": claim.campaign,
        "lead_id": claim.lead_id,
        "did": "",
        "caller_number": claim.number,
        "started_at": claim.queued_at or claim.intent_at,
        "wait_seconds": 0.0,
        "ring_seconds": 0.0,
        "talk_seconds": 0.0,
        "call_state": "",
        "disposition": "",
        "agents": [],
        "timeline": [],
        "record": {},
    }


def _intent_event(claim: Claim) -> dict[str, Any]:
    payload = {
        "call_id": claim.call_id,
        "attempt_id": claim.attempt_id,
        "n": claim.n,
        "lead_id": claim.lead_id,
        "number": claim.number,
        "campaign_id": claim.campaign_id,
        "campaign": claim.campaign,
        "kind": claim.kind.value,
        "trunk": claim.trunk,
        "at": iso(claim.intent_at),
    }
    return {
        "at": claim.intent_at,
        "entity": "call",
        "entity_id": claim.call_id,
        "seq": 1,
        "type": "attempt.intent",
        "version": 1,
        "payload": payload,
    }


def zones_of(session: Session, campaign_id: int) -> list[str]:
    """The ``zones`` keys that occur among leads still waiting to be dialled, sorted."""
    return sorted({zones for lead_class in CLASSES for zones in zones_in(session, lead_class, campaign_id)})


def next_due_at(
    session: Session, campaign_id: int, open_zones: Collection[str] | None, now: datetime
) -> datetime | None:
    """When a lead in these zones can be dialled: ``now``, later, or None when none waits there."""
    zones = zones_of(session, campaign_id) if open_zones is None else list(open_zones)
    wanted = asked_of(session, campaign_id).wanted
    if any_new(session, campaign_id, zones, wanted=wanted):
        return now
    timed = [one for one in CLASSES if one.is_timed]
    moments = [at for one in timed for at in soonest(session, one, campaign_id, zones, wanted=wanted)]
    return max(min(moments), now) if moments else None


def lead_counts(session: Session, campaign_id: int) -> dict[str, int]:
    """How many leads of a campaign are in each state; every LeadState is a key."""
    rows = session.connection().execute(
        select(_LEAD.c.state, func.count()).where(_LEAD.c.campaign_id == campaign_id).group_by(_LEAD.c.state)
    )
    return {state.value: 0 for state in LeadState} | {state: int(count) for state, count in rows}


def has_leads(session: Session, campaign_id: int) -> bool:
    """Whether a campaign has any lead at all."""
    row = session.connection().execute(select(_LEAD.c.id).where(_LEAD.c.campaign_id == campaign_id).limit(1))
    return row.first() is not None


def campaign_exhausted(session: Session, campaign_id: int) -> bool:
    """Whether no lead is left that waits or is on the line."""
    alive = (*_WAITING, LeadState.DIALING.value, LeadState.TALKING.value)
    row = session.connection().execute(
        select(_LEAD.c.id).where(_LEAD.c.campaign_id == campaign_id, _LEAD.c.state.in_(alive)).limit(1)
    )
    return row.first() is None
