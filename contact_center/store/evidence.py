"""What proves how a campaign called: its settings, the rules in force, every call, and the ledgers.

The bodies of the lines of `report evidence`, read in short transactions a page at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.law.abandonment import Stretch
from contact_center.law.books import library
from contact_center.law.force import rule_document
from contact_center.models import Attempt, Audit, Call, Campaign, DncEntry, Lead
from contact_center.store.admin_dnc import EVERYBODY, last_import_at
from contact_center.store.evidence_call import Settings, call_line
from contact_center.store.ledgers import Ledger, abandonment_document, campaign_rules, tally
from contact_center.store.queries import campaign_id, campaign_options

PAGE_ROWS = 500
FORMAT = 1
Reading = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose evidence, of which time. ``telemarketer``: who places the calls; ``made_by``: who asks."""

    campaign: str
    stretch: Stretch
    site_zone: str
    telemarketer: str
    made_by: str
    made_at: datetime
    program: str


@dataclass(slots=True)
class Found:
    """What the lines amount to, counted while they are made."""

    calls: int = 0
    outside_hours: int = 0
    short_rings: int = 0
    missing_items: dict[str, int] = field(default_factory=dict)


def evidence(reading: Reading, campaign: Campaign, asked: Asked) -> Iterator[dict[str, Any]]:
    """The bodies of all lines but the last, in order: header, settings, rules, lists, calls, ledgers, findings."""
    found = Found()
    with reading() as session:
        history = settings_history(session, campaign)
        yield _header(campaign, asked)
    yield from ({"kind": "settings", **one.as_json()} for one in history)
    yield from _rules(asked.stretch)
    with reading() as session:
        lists = _lists(session, campaign, asked)
    yield lists
    yield from _calls(reading, campaign, asked, history, found)
    with reading() as session:
        yield from _ledgers(session, campaign, asked)
    yield _findings(found, lists)


def settings_history(session: Session, campaign: Campaign) -> list[Settings]:
    """The campaign's settings since it was made, each from an instant on, oldest first."""
    rows = session.scalars(
        select(Audit)
        .where(
            col(Audit.entity_id) == campaign.name,
            col(Audit.entity) == "campaign",
            col(Audit.action).in_(("add", "set")),
        )
        .order_by(col(Audit.id))
    )
    history = [
        Settings(row.at, str(row.detail.get("mode", "")), dict(row.detail.get("options") or {}), row.actor)
        for row in rows
        if isinstance(row.detail, dict) and "options" in row.detail
    ]
    if not history:
        options = campaign_options(campaign).model_dump(mode="json")
        history = [Settings(campaign.created_at, str(campaign.mode), options, "")]
    return history


def _header(campaign: Campaign, asked: Asked) -> dict[str, Any]:
    return {
        "kind": "evidence",
        "format": FORMAT,
        "campaign": campaign.name,
        "from_at": iso(asked.stretch.since),
        "to_at": iso(asked.stretch.until),
        "made_at": iso(asked.made_at),
        "made_by": asked.made_by,
        "program": asked.program,
        "lawbooks": {book.book: book.version for book in library().books},
        "lawbooks_digest": library().digest,
        "note": "Numbers are E.164, instants UTC, spans seconds, shares fractions. This is no legal advice.",
    }


def _rules(stretch: Stretch) -> Iterator[dict[str, Any]]:
    """Every rule that was in force on some day of the stretch, wherever the leads were."""
    first, last = stretch.since.date() - timedelta(days=1), stretch.until.date() + timedelta(days=1)
    for rule in library().rules:
        if rule.since <= last and (rule.until is None or rule.until > first):
            yield {"kind": "rule", "version": library().version_of(rule), "rule": rule_document(rule)}


def _lists(session: Session, campaign: Campaign, asked: Asked) -> dict[str, Any]:
    """How long the do-not-call lists are, and how old the last import for the whole company is."""
    count = select(func.count()).select_from(DncEntry)
    imported = last_import_at(session)
    days = campaign_rules(campaign_options(campaign).profile, asked.made_at, asked.site_zone).list_days
    age = (asked.made_at - imported).total_seconds() if imported else None
    return {
        "kind": "lists",
        "company_numbers": session.scalars(count.where(col(DncEntry.campaign_id) == EVERYBODY)).one(),
        "campaign_numbers": session.scalars(count.where(col(DncEntry.campaign_id) == campaign_id(campaign))).one(),
        "last_import_at": iso(imported),
        "age_seconds": age,
        "allowed_days": days,
        "fresh": None if days is None else age is not None and age <= days * 86400,
    }


def _calls(
    reading: Reading, campaign: Campaign, asked: Asked, history: list[Settings], found: Found
) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        with reading() as session:
            page = _page(session, campaign_id(campaign), asked.stretch, after)
        for attempt, call, lead in page:
            line = call_line(attempt, call, lead, settings=_settings_at(history, attempt.intent_at), asked=asked)
            _count(found, line)
            yield line
        if len(page) < PAGE_ROWS:
            return
        after = page[-1][0].id or 0


def _page(session: Session, campaign: int, stretch: Stretch, after: int) -> list[tuple[Attempt, Call, Lead]]:
    rows = session.execute(
        select(Attempt, Call, Lead)
        .join(Call, col(Call.id) == col(Attempt.call_id))
        .join(Lead, col(Lead.id) == col(Attempt.lead_id))
        .where(
            col(Attempt.campaign_id) == campaign,
            col(Attempt.id) > after,
            col(Attempt.intent_at) >= stretch.since,
            col(Attempt.intent_at) < stretch.until,
        )
        .order_by(col(Attempt.id))
        .limit(PAGE_ROWS)
    )
    return [(attempt, call, lead) for attempt, call, lead in rows]


def _settings_at(history: list[Settings], at: datetime) -> Settings:
    """The settings in force at an instant; a campaign has none before it was made."""
    return next((one for one in reversed(history) if one.since_at <= at), history[0])


def _count(found: Found, line: Mapping[str, Any]) -> None:
    found.calls += 1
    found.outside_hours += line["inside_hours"] is False
    found.short_rings += line["rang_long_enough"] is False
    for item in line["missing"]:
        found.missing_items[item] = found.missing_items.get(item, 0) + 1


def _ledgers(session: Session, campaign: Campaign, asked: Asked) -> Iterator[dict[str, Any]]:
    document = abandonment_document(session, campaign, asked.stretch.until, asked.site_zone, asked.stretch)
    for line in [document["asked"], *document["windows"], *document["periods"]]:
        yield {"kind": "ledger", "profile": document["profile"], "rules": document["rules"], **line}
    if document["first_answer_at"]:
        yield from _days(session, campaign, asked, datetime.fromisoformat(document["first_answer_at"]))


def _days(session: Session, campaign: Campaign, asked: Asked, first_answer: datetime) -> Iterator[dict[str, Any]]:
    """Each 24 hours of the stretch, from its end back to the first answer."""
    rules = campaign_rules(campaign_options(campaign).profile, asked.stretch.until, asked.site_zone)
    until, first = asked.stretch.until, max(asked.stretch.since, first_answer)
    while until > first:
        since = max(until - timedelta(hours=24), asked.stretch.since)
        stretch = Stretch("day", since, until)
        counted = tally(session, campaign_id(campaign), stretch, rules.message_seconds)
        yield {"kind": "ledger", **Ledger(stretch, None, counted).as_json()}
        until = since


def _findings(found: Found, lists: Mapping[str, Any]) -> dict[str, Any]:
    """What the lines show to be missing or out of order; nothing is left out of the file for it."""
    return {
        "kind": "findings",
        "calls": found.calls,
        "outside_hours": found.outside_hours,
        "short_rings": found.short_rings,
        "missing_items": found.missing_items,
        "list_is_fresh": lists["fresh"],
    }
