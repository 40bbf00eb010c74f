"""Leads: added one by one, and erased for good when a person asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, delete, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.carriers import ANY_TRUNK, Carriers
from contact_center.errors import CallwrightError, NotFound, UsageError
from contact_center.models import (
    Attempt,
    Audit,
    Call,
    Campaign,
    Control,
    DncEntry,
    Lead,
    LeadBatch,
    Outbox,
)
from contact_center.models_api import ApiAnswer
from contact_center.models_callbacks import Callback
from contact_center.models_telling import WebhookRetry
from contact_center.store.admin import By, shown
from contact_center.store.admin_dnc import blocked_numbers
from contact_center.store.api_answers import ERASED
from contact_center.store.carriage import NOT_CARRIED, state_of_new
from contact_center.store.expiry import check_promise, lead_expires
from contact_center.store.lead_numbers import (
    add_numbers,
    all_numbers,
    first_callable,
    forget,
    known_among,
    leads_with,
)
from contact_center.store.previews import forget_shown
from contact_center.store.queries import campaign_id
from contact_center.store.queries_agents import find_agent
from contact_center.store.tables import table_of
from contact_center.store.tracking import forget_visitors
from contact_center.store.webhooks import DEAD
from contact_center.terms import CallbackState, LeadState

_LEAD = table_of(Lead)
_ADD_LEADS = insert(_LEAD).returning(_LEAD.c.id, sort_by_parameter_order=True)
PRIORITIES = range(-1000, 1001)
_ERASED_KEYS = ("caller_number", "comment", "recording", "matching")


@dataclass(frozen=True, slots=True)
class LeadDraft:
    """A checked row: ``number`` is E.164, ``zones`` the key that law.places.place_key gives.

    ``others``: further numbers, E.164, in the order in which they are to be dialled.
    ``callback_at``: a call was promised for then, by agent ``callback_agent`` or by anyone.
    """

    number: str
    zones: str
    priority: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    callback_at: datetime | None = None
    callback_agent: str = ""
    expires_at: datetime | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """All of them, the first one first."""
        return (self.number, *self.others)

    def waiting(self, state: LeadState) -> dict[str, Any]:
        """The columns that say when it is called; ``state``: whether it may be called at all.

        A promise is kept in mind of who may not be called now: he may be later.
        """
        promised = self.callback_at is not None and state is LeadState.NEW
        return {
            "state": LeadState.DUE.value if promised else state.value,
            "next_attempt_at": self.callback_at if promised else None,
            "callback_at": self.callback_at,
            "callback_agent": self.callback_agent,
            "expires_at": self.expires_at,
        }


def checked_priority(text: str) -> int:
    """A lead's priority. Raises UsageError."""
    try:
        value = int(text.strip() or "0")
    except ValueError:
        value = PRIORITIES.stop
    if value not in PRIORITIES:
        raise UsageError(f"priority={shown(text)} is not allowed: a whole number from -1000 to 1000 is wanted.")
    return value


def add_lead(session: Session, by: By, campaign: Campaign, draft: LeadDraft, carriers: Carriers = ANY_TRUNK) -> Lead:
    """One new lead. A number on the do-not-call list, or that no trunk may carry, is a lead that is not dialled.

    Raises UsageError when the campaign has the number already or the lead ends before it is called back, NotFound when
    there is no agent ``callback_agent``.
    """
    key = campaign_id(campaign)
    if draft.callback_agent:
        find_agent(session, draft.callback_agent)
    check_promise(draft.callback_at, lead_expires(campaign), by.at)
    has_it = or_(col(Lead.number) == draft.number, col(Lead.id).in_(leads_with(session, [draft.number])))
    twin = session.scalars(select(Lead).where(has_it, col(Lead.campaign_id) == key)).first()
    if twin:
        raise UsageError(f"{draft.number} is already in campaign {campaign.name}: it is lead {twin.id}.")
    lead = Lead(**_row(key, draft, by, blocked_numbers(session, draft.numbers, key), carriers))
    session.add(lead)
    session.flush()
    add_numbers(session, {lead.id or 0: draft.numbers})
    payload = {"leads": [lead.id], "imported": 1}
    by.note(session, "campaign", campaign.name, "leads", payload, obey=True)
    return lead


@dataclass(frozen=True, slots=True)
class LeadsAdded:
    """What came of many leads: ids of the new ones in the order given, how many of them are on the do-not-call list
    or may be carried by no trunk, and how many were there already.
    """

    ids: list[int]
    dnc: int
    not_carried: int
    duplicates: int


def add_leads(
    session: Session,
    by: By,
    campaign: Campaign,
    drafts: Sequence[LeadDraft],
    dedupe: str,
    carriers: Carriers = ANY_TRUNK,
) -> LeadsAdded:
    """Many new leads at once; ``dedupe`` (campaign, system or none) says whose numbers are passed over.

    At most some hundred in one call: the write lock is held meanwhile. Raises as :func:`add_lead`, but of duplicates.
    """
    key, numbers = campaign_id(campaign), [draft.number for draft in drafts]
    for ext in {draft.callback_agent for draft in drafts if draft.callback_agent}:
        find_agent(session, ext)
    for draft in drafts:
        check_promise(draft.callback_at, lead_expires(campaign), by.at)
    known = _known_numbers(session, key, numbers, dedupe)
    blocked = blocked_numbers(session, [number for draft in drafts for number in draft.numbers], key)
    fresh: list[LeadDraft] = []
    for draft in drafts:
        if dedupe == "none" or draft.number not in known:
            known.update(draft.numbers)
            fresh.append(draft)
    rows = [_row(key, draft, by, blocked, carriers) for draft in fresh]
    ids = add_rows(session, rows, [draft.numbers for draft in fresh])
    if ids:
        by.note(session, "campaign", campaign.name, "leads", {"leads": ids, "imported": len(ids)}, obey=True)
    listed = sum(row["state"] == LeadState.DNC for row in rows)
    not_carried = sum(row["reason"] == NOT_CARRIED for row in rows)
    return LeadsAdded(ids, listed, not_carried, len(drafts) - len(fresh))


def _known_numbers(session: Session, key: int, numbers: Sequence[str], dedupe: str) -> set[str]:
    if dedupe == "none":
        return set()
    return known_among(session, numbers, None if dedupe == "system" else key)


def add_rows(session: Session, rows: Sequence[dict[str, Any]], numbers: Sequence[Sequence[str]]) -> list[int]:
    """New rows of leads, each with all of its numbers; their ids."""
    ids = list(session.connection().execute(_ADD_LEADS, rows).scalars()) if rows else []
    add_numbers(session, dict(zip(ids, numbers, strict=True)))
    return ids


def _row(campaign: int, draft: LeadDraft, by: By, blocked: Collection[str], carriers: Carriers) -> dict[str, Any]:
    number = first_callable(draft.numbers, blocked, carriers.carry)
    state, reason = state_of_new(number, is_blocked=number in blocked, carriers=carriers)
    return {
        "campaign_id": campaign,
        "number": number,
        "zones": draft.zones,
        "priority": draft.priority,
        "fields": draft.fields,
        **draft.waiting(state),
        "reason": reason,
        "disposition": "",
        "attempts": 0,
        "dials": 0,
        "last_agent": "",
        "created_at": by.at,
        "closed_at": by.at if reason else None,
    }


def erase_number(session: Session, by: By, number: str) -> dict[str, int]:
    """Forget a person: his number, fields and comments go from leads, dials, calls, callbacks and events.

    His are all numbers of a lead that has this one. Rows stay, so that counts stay true; his visits to a site, and
    that they were his, do not. His entry on the do-not-call list stays too: without the number nobody could keep the
    promise not to call him. A running serve deletes recordings of his calls. Raises CallwrightError while he is on a
    call, NotFound when nobody knows him.
    """
    has_it = or_(col(Lead.number) == number, col(Lead.id).in_(leads_with(session, [number])))
    leads = list(session.scalars(select(Lead).where(has_it)))
    own = sorted({number, *(other for lead in leads for other in all_numbers(session, lead) if other)})
    if session.scalars(select(col(Attempt.id)).where(col(Attempt.live_number).in_(own))).first():
        raise CallwrightError(f"{number} is on a call now; wait for its end, then erase it.")
    lead_ids = [lead.id for lead in leads]
    calls = list(
        session.scalars(select(Call).where(or_(col(Call.caller_number).in_(own), col(Call.lead_id).in_(lead_ids))))
    )
    callbacks = list(session.scalars(select(col(Callback.id)).where(col(Callback.number).in_(own))))
    counts = {
        "leads": len(leads),
        "calls": len(calls),
        "attempts": _forget_attempts(session, lead_ids),
        "callbacks": sum(_forget_callbacks(session, one, by) for one in own),
        "staged": sum(_forget_staged(session, one) for one in own),
        "visits": forget_visitors(session, [call.id for call in calls]),
    }
    for one in own:
        _forget_answers(session, one)
    kept = session.scalars(select(col(DncEntry.id)).where(col(DncEntry.number).in_(own))).all()
    if not any(counts.values()) and not kept:
        raise NotFound("lead with number", number)
    for lead in leads:
        lead.number, lead.fields, lead.zones, lead.next_attempt_at, lead.callback_at = "", {}, "", None, None
        lead.state, lead.reason, lead.closed_at = LeadState.CLOSED, "erased", lead.closed_at or by.at
    forget(session, lead_ids)
    recorded = [call.id for call in calls if call.record.get("recording")]
    _forget_calls(session, calls)
    entities = [("lead", str(i)) for i in lead_ids] + [("call", call.id) for call in calls]
    entities += [("callback", callback_id) for callback_id in callbacks]
    _forget_events(session, entities)
    forget_shown(session, lead_ids)
    for call_id in recorded:
        by.note(session, "call", call_id, "unrecord", {"call_id": call_id}, obey=True)
    by.note(session, "lead", "erased", "erase", counts, obey=False)
    return {**counts, "dnc_entries_kept": len(kept)}


def _forget_calls(session: Session, calls: Collection[Call]) -> None:
    for call in calls:
        call.caller_number = ""
        call.record = {k: v for k, v in call.record.items() if k not in _ERASED_KEYS}
    session.flush()


def _forget_attempts(session: Session, lead_ids: Collection[int | None]) -> int:
    statement = update(Attempt).where(col(Attempt.lead_id).in_(lead_ids)).values(number="")
    return int(session.connection().execute(statement).rowcount) if lead_ids else 0


def _forget_callbacks(session: Session, number: str, by: By) -> int:
    waiting = session.scalars(select(Callback).where(col(Callback.number) == number)).all()
    for callback in waiting:
        callback.number, callback.live_key = "", None
        if callback.ended_at is None:
            callback.state, callback.reason, callback.ended_at = CallbackState.CANCELLED, "erased", by.at
    return len(waiting)


def _forget_staged(session: Session, number: str) -> int:
    batches = session.scalars(select(LeadBatch).where(cast(col(LeadBatch.rows), String).contains(number))).all()
    gone = 0
    for batch in batches:
        kept = [row for row in batch.rows if number not in (row["number"], *row.get("others", ()))]
        gone += len(batch.rows) - len(kept)
        batch.rows = kept
    return gone


def _forget_answers(session: Session, number: str) -> None:
    """What the API remembers to have answered; a day's answers at most."""
    told = update(ApiAnswer).where(col(ApiAnswer.body).contains(number))
    session.connection().execute(told.values(body=ERASED))


def _forget_events(session: Session, entities: Collection[tuple[str, str]]) -> None:
    """What happened stays without its words. Who is still to be told is told that, so that no number is missing."""
    connection = session.connection()
    for entity, key in entities:
        aside = (col(WebhookRetry.entity) == entity, col(WebhookRetry.entity_id) == key)
        connection.execute(delete(WebhookRetry).where(*aside, col(WebhookRetry.state) == DEAD))
        connection.execute(update(WebhookRetry).where(*aside).values(error=""))
        for model, column in ((Outbox, "payload"), (Audit, "detail"), (Control, "payload")):
            statement = update(model).where(col(model.entity) == entity, col(model.entity_id) == key)
            connection.execute(statement.values({column: {"erased": True}}))
