"""The do-not-call list: for everybody (campaign 0) or for one campaign. It wins over every lead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import NotFound
from contact_center.models import Audit, DncEntry, Lead
from contact_center.store.admin import By
from contact_center.store.lead_numbers import leads_with, turn_waiting_from
from contact_center.terms import LeadState

EVERYBODY = 0
"""The campaign key of an entry that holds for the whole company."""

DNC_REASON = "on the do-not-call list"
_HELD = (DNC_REASON, "on a do-not-call list")
_WAITING = (LeadState.NEW, LeadState.DUE)


@dataclass(frozen=True, slots=True)
class DncChange:
    """``numbers`` entries were added or removed; ``leads`` changed their state with them."""

    numbers: int
    leads: int


def blocked_numbers(session: Session, numbers: Sequence[str], campaign: int) -> set[str]:
    """Which of these a campaign must not call."""
    rows = session.scalars(
        select(col(DncEntry.number)).where(
            col(DncEntry.number).in_(numbers), col(DncEntry.campaign_id).in_((EVERYBODY, campaign))
        )
    )
    return set(rows)


def add_dnc(session: Session, by: By, numbers: Sequence[str], campaign: int, reason: str = "") -> DncChange:
    """Put E.164 numbers on the list; their waiting leads are never dialled, by this number or at all
    where they have no other. Known numbers stay as they are.

    At most some hundred numbers in one call: the write lock is held meanwhile.
    """
    fresh, change = _put(session, by, numbers, campaign, reason)
    for number in fresh:
        by.note(session, "dnc", number, "add", {"campaign_id": campaign, "reason": reason}, obey=True)
    return change


def _put(session: Session, by: By, numbers: Sequence[str], campaign: int, reason: str) -> tuple[list[str], DncChange]:
    """The numbers that were not on the list yet, put on it; waiting leads of all of them are held."""
    known = session.scalars(
        select(col(DncEntry.number)).where(col(DncEntry.number).in_(numbers), col(DncEntry.campaign_id) == campaign)
    )
    fresh = sorted(set(numbers) - set(known))
    connection = session.connection()
    if fresh:
        rows = [{"number": n, "campaign_id": campaign, "reason": reason, "at": by.at} for n in fresh]
        connection.execute(insert(DncEntry), rows)
    turn_waiting_from(session, numbers, campaign if campaign != EVERYBODY else None)
    stop = update(Lead).where(col(Lead.number).in_(numbers), col(Lead.state).in_(_WAITING))
    if campaign != EVERYBODY:
        stop = stop.where(col(Lead.campaign_id) == campaign)
    stopped = connection.execute(stop.values(**_held(by.at)))
    return fresh, DncChange(len(fresh), int(stopped.rowcount))


def import_dnc(session: Session, by: By, numbers: Sequence[str], campaign: int, reason: str = "") -> DncChange:
    """Put a batch of E.164 numbers on the list, as :func:`add_dnc`, told of as one change.

    A file of a million numbers becomes some thousand events instead of a million: each says how many numbers
    came, and a running serve looks by :func:`listed_among` whether one of its calls is among them.
    """
    change = _put(session, by, numbers, campaign, reason)[1]
    key = "company" if campaign == EVERYBODY else str(campaign)
    payload = {"campaign_id": campaign, "numbers": change.numbers, "leads": change.leads, "reason": reason}
    by.note(session, "dnc", key, "import", payload, obey=change.numbers > 0)
    return change


def listed_among(session: Session, calls: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Which of these (number, campaign) pairs are forbidden: what a running serve asks of the calls that ring."""
    asked = set(calls)
    rows = session.execute(
        select(col(DncEntry.number), col(DncEntry.campaign_id)).where(
            col(DncEntry.number).in_({number for number, _ in asked})
        )
    )
    listed = {(number, campaign) for number, campaign in rows}
    return {(number, campaign) for number, campaign in asked if {(number, EVERYBODY), (number, campaign)} & listed}


def last_import_at(session: Session) -> datetime | None:
    """When a list of numbers was last imported for the whole company: the age of the national list, if it is one."""
    return session.scalars(
        select(func.max(col(Audit.at))).where(
            col(Audit.entity_id) == "company", col(Audit.entity) == "dnc", col(Audit.action) == "import"
        )
    ).one()


def wait_again(lead: Lead, at: datetime) -> None:
    """A lead that was held back waits as before: for the call it was promised, for a retry at once, or as a new one."""
    was_tried = lead.dials > 0 or lead.callback_at is not None
    lead.state = LeadState.DUE if was_tried else LeadState.NEW
    lead.next_attempt_at = max(lead.callback_at or at, at) if was_tried else None
    lead.reason, lead.closed_at = "", None


def _held(at: datetime) -> dict[str, Any]:
    return {"state": LeadState.DNC, "reason": DNC_REASON, "next_attempt_at": None, "closed_at": at}


def remove_dnc(session: Session, by: By, number: str, campaign: int) -> DncChange:
    """Take a number off the list; leads that only the list held back may be dialled again.

    Raises NotFound when it is not on this list.
    """
    connection = session.connection()
    gone = connection.execute(
        delete(DncEntry).where(col(DncEntry.number) == number, col(DncEntry.campaign_id) == campaign)
    )
    if not gone.rowcount:
        raise NotFound("dnc entry", number)
    released = 0
    has_it = or_(col(Lead.number) == number, col(Lead.id).in_(leads_with(session, [number])))
    held = session.scalars(
        select(Lead).where(has_it, col(Lead.state) == LeadState.DNC, col(Lead.reason).in_(_HELD))
    ).all()
    for lead in held:
        if not blocked_numbers(session, [number], lead.campaign_id):
            lead.number = number
            wait_again(lead, by.at)
            released += 1
    session.flush()
    by.note(session, "dnc", number, "remove", {"campaign_id": campaign}, obey=True)
    return DncChange(1, released)
