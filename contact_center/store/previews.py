"""Leads that agents are shown before they are called: which come next, and what is told of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.attempt_rules import NO_RULES, AttemptRules
from contact_center.clock import iso
from contact_center.models import Agent, Campaign, Lead, Outbox
from contact_center.own_agents import promised_to
from contact_center.store.admin_dnc import blocked_numbers
from contact_center.store.changes import add_event
from contact_center.store.expiry import is_over, lead_expires
from contact_center.store.fact import Fact
from contact_center.store.law_claims import held_by_law, put_off
from contact_center.store.queries_pace import coming_leads
from contact_center.terms import AgentState

SHOWN, OVER = "agent.preview", "agent.preview_over"
SKIPPED_SECONDS = 300.0
"""How long an agent is shown others before a lead that he let pass, or has just had."""
ALONE_SECONDS = 30.0
"""How long he is not shown it even where there is nothing else for him."""


@dataclass(frozen=True, slots=True)
class PreviewLead:
    """What an agent is shown. ``last_agent``: with whom a call was promised (``promised_to``), else who served him
    before; ``due_at``: since when it may be called again.
    """

    id: int
    number: str
    last_agent: str
    due_at: datetime | None
    fields: dict[str, Any]
    promised_to: str = ""


def preview_leads(
    session: Session,
    *,
    campaign_id: int,
    open_zones: Collection[str],
    profile: str,
    now: datetime,
    few: int,
    own: AttemptRules = NO_RULES,
) -> list[PreviewLead]:
    """The first leads in the dialling order that may be called now. Nothing is locked: the claim asks again."""
    ids = [lead.id for lead in coming_leads(session, campaign_id, open_zones, now, few)]
    rows = {row.id: row for row in session.scalars(select(Lead).where(col(Lead.id).in_(ids)))}
    leads = [rows[id_] for id_ in ids if id_ in rows]
    listed = blocked_numbers(session, [lead.number for lead in leads], campaign_id)
    held = held_by_law(session, leads, profile=profile, now=now, agent_is_sure=True, own=own)
    campaign = session.get(Campaign, campaign_id)
    expires = lead_expires(campaign) if campaign is not None else 0.0
    return [
        _shown(lead)
        for lead in leads
        if lead.number not in listed and lead.id not in held and not is_over(lead, expires, now)
    ]


def _shown(lead: Lead) -> PreviewLead:
    promised = promised_to(lead)
    return PreviewLead(
        lead.id or 0, lead.number, promised or lead.last_agent, lead.next_attempt_at, dict(lead.fields), promised
    )


def put_off_held(
    session: Session,
    *,
    campaign_id: int,
    open_zones: Collection[str],
    profile: str,
    now: datetime,
    few: int,
    own: AttemptRules = NO_RULES,
) -> int:
    """Put those of the first leads off that the law or the campaign's caps hold back, so that others come; how many."""
    ids = [lead.id for lead in coming_leads(session, campaign_id, open_zones, now, few)]
    leads = session.scalars(select(Lead).where(col(Lead.id).in_(ids))).all()
    held = held_by_law(session, leads, profile=profile, now=now, agent_is_sure=True, own=own)
    for lead_id, hold in held.items():
        put_off(session, lead_id, hold, now)
    return len(held)


@dataclass(frozen=True, slots=True)
class PreviewNoted(Fact):
    """An agent is shown a lead, or (``over``: taken, skipped, lapsed, withdrawn, gone) is not any more.

    Withdrawn: the campaign rests; gone: the agent is paused or off line.
    ``number`` is masked where the campaign hides it.
    """

    ext: str
    call_id: str
    lead_id: int
    campaign: str
    number: str
    fields: dict[str, Any]
    until_at: datetime
    at: datetime
    over: str = ""

    def apply(self, session: Session) -> None:
        """Tell others; nothing else is kept of it."""
        payload: dict[str, Any] = {
            "ext": self.ext,
            "call_id": self.call_id,
            "lead_id": self.lead_id,
            "campaign": self.campaign,
            "at": iso(self.at),
        }
        if self.over:
            payload["over"] = self.over
        else:
            payload |= {"number": self.number, "fields": self.fields, "until_at": iso(self.until_at)}
        kind = OVER if self.over else SHOWN
        add_event(session, at=self.at, entity="agent", entity_id=self.ext, type=kind, payload=payload)


def forget_shown(session: Session, lead_ids: Collection[int | None]) -> None:
    """Take those who are erased out of what agents were shown."""
    shown = (col(Outbox.entity) == "agent", col(Outbox.type) == SHOWN)
    his = update(Outbox).where(*shown, col(Outbox.payload)["lead_id"].as_integer().in_(lead_ids))
    session.connection().execute(his.values(payload={"erased": True}))


def preview_document(session: Session, agent: Agent, now: datetime) -> dict[str, Any]:
    """``{"preview": {...}}`` while an agent is shown a lead, else nothing."""
    if agent.state != AgentState.OFFERED:
        return {}
    event = session.scalars(
        select(Outbox)
        .where(col(Outbox.entity) == "agent", col(Outbox.entity_id) == agent.ext, col(Outbox.type).in_((SHOWN, OVER)))
        .order_by(col(Outbox.seq).desc())
        .limit(1)
    ).first()
    if event is None or event.type == OVER or "until_at" not in event.payload:  # the last: he was erased
        return {}
    if datetime.fromisoformat(event.payload["until_at"]) < now:
        return {}
    keys = ("lead_id", "campaign", "number", "fields", "until_at")
    return {"preview": {key: event.payload[key] for key in keys}}
