"""Leads as people, files and JSON see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import NotFound, UsageError
from contact_center.law.places import Places
from contact_center.lead_filter import checked_filter
from contact_center.models import Attempt, Campaign, DncEntry, Lead
from contact_center.store.filter_sql import clause
from contact_center.store.lead_numbers import leads_with, numbers_document
from contact_center.store.queries import campaign_id, find_campaign
from contact_center.terms import LeadState

PAGE_ROWS = 2000
SORTS = ("id", "number", "priority", "attempts", "next_attempt_at", "state")


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads; empty fields mean all. ``sort``: one of SORTS, with ``-`` in front for the other way.

    ``wanted``: an expression, as of a campaign's ``filter``.
    """

    campaign: str = ""
    state: str = ""
    number: str = ""
    sort: str = "id"
    wanted: str = ""


def find_lead(session: Session, lead_id: int) -> Lead:
    """The lead of an id. Raises NotFound."""
    lead = session.get(Lead, lead_id) if 0 < lead_id < 2**31 else None
    if lead is None:
        raise NotFound("lead", lead_id)
    return lead


def campaign_names(session: Session) -> dict[int, str]:
    """Name by key."""
    return {campaign_id(campaign): campaign.name for campaign in session.scalars(select(Campaign))}


def list_leads(session: Session, wanted: LeadFilter, limit: int) -> list[Lead]:
    """At most ``limit`` leads in the order asked for. Raises NotFound and UsageError."""
    return list(session.scalars(_filtered(session, wanted).order_by(*_order(wanted.sort)).limit(limit)))


def lead_pages(session: Session, wanted: LeadFilter, after_id: int) -> list[Lead]:
    """The next PAGE_ROWS leads by id, for a walk through all of them in short transactions."""
    query = _filtered(session, wanted).where(col(Lead.id) > after_id).order_by(col(Lead.id))
    return list(session.scalars(query.limit(PAGE_ROWS)))


def lead_document(lead: Lead, campaign: str) -> dict[str, Any]:
    """The contract's `lead`, with zones, dials and the reason of its state."""
    return {
        "id": lead.id,
        "campaign": campaign,
        "number": lead.number,
        "state": str(lead.state),
        "disposition": lead.disposition or None,
        "attempts": lead.attempts,
        "next_attempt_at": iso(lead.next_attempt_at),
        "last_agent": lead.last_agent or None,
        "priority": lead.priority,
        "fields": lead.fields,
        "dials": lead.dials,
        "timezones": list(Places.of_key(lead.zones).zones) if lead.zones else [],
        "reason": lead.reason or None,
        "callback_at": iso(lead.callback_at),
        "callback_agent": lead.callback_agent or None if lead.callback_at else None,
        "expires_at": iso(lead.expires_at),
        "created_at": iso(lead.created_at),
        "closed_at": iso(lead.closed_at),
    }


def lead_story(session: Session, lead: Lead, campaign: str) -> dict[str, Any]:
    """One lead with all of its numbers and its dials, as `lead show` has it."""
    document = lead_document(lead, campaign) | {"numbers": numbers_document(session, lead)}
    return document | {"history": lead_attempts(session, lead.id or 0)}


def lead_attempts(session: Session, lead_id: int) -> list[dict[str, Any]]:
    """The dials of a lead, oldest first."""
    rows = session.scalars(select(Attempt).where(col(Attempt.lead_id) == lead_id).order_by(col(Attempt.n)).limit(1000))
    return [
        {
            "n": row.n,
            "number": row.number,
            "call_id": row.call_id,
            "at": iso(row.intent_at),
            "outcome": row.outcome or str(row.state),
            "sip_code": row.sip_code,
            "agent": row.agent or None,
            "counted": row.counted,
        }
        for row in rows
    ]


def list_dnc(session: Session, campaign: int | None, number: str, limit: int) -> list[DncEntry]:
    """Entries of the do-not-call list, newest first; ``campaign`` None means every list."""
    query = select(DncEntry).order_by(col(DncEntry.id).desc()).limit(limit)
    if campaign is not None:
        query = query.where(col(DncEntry.campaign_id) == campaign)
    if number:
        query = query.where(col(DncEntry.number) == number)
    return list(session.scalars(query))


def dnc_document(entry: DncEntry, names: dict[int, str]) -> dict[str, Any]:
    """One entry; ``campaign`` None holds for everybody."""
    return {
        "number": entry.number,
        "campaign": names.get(entry.campaign_id),
        "reason": entry.reason,
        "at": iso(entry.at),
    }


def _filtered(session: Session, wanted: LeadFilter) -> Select[Lead]:
    query = select(Lead)
    if wanted.campaign:
        key = campaign_id(find_campaign(session, wanted.campaign))
        query = query.where(col(Lead.campaign_id) == key)
    if wanted.state:
        if wanted.state not in list(LeadState):
            raise UsageError(f"The state {wanted.state!r} is not known; one of {', '.join(LeadState)} is wanted.")
        query = query.where(col(Lead.state) == wanted.state)
    if wanted.number:
        with_it = col(Lead.id).in_(leads_with(session, [wanted.number]))
        query = query.where(or_(col(Lead.number) == wanted.number, with_it))
    if wanted.wanted:
        query = query.where(clause(_checked(wanted.wanted), session.get_bind().dialect.name))
    return query


def _checked(words: str) -> str:
    try:
        return checked_filter(words)
    except ValueError as error:
        raise UsageError(f"The filter {words[:40]!r} is not allowed: {error}.") from None


def _order(sort: str) -> Iterator[Any]:
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise UsageError(f"Leads cannot be sorted by {name!r}; one of {', '.join(SORTS)} is wanted.")
    column = col(getattr(Lead, name))
    yield column.desc() if sort.startswith("-") else column
    if name != "id":
        yield col(Lead.id)
