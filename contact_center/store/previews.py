"""Leads that agents are shown before they are called: which come next, and what is told of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Agent, Lead, Outbox
from contact_center.store.admin_dnc import blocked_numbers
from contact_center.store.changes import add_event
from contact_center.store.fact import Fact
from contact_center.store.law_claims import held_by_law
from contact_center.store.queries_pace import coming_leads
from contact_center.terms import AgentState

SHOWN, OVER = "agent.preview", "agent.preview_over"


@dataclass(frozen=True, slots=True)
class PreviewLead:
    """What an agent is shown. ``last_agent``: who served him before; ``due_at``: since when it may be called again."""

    id: int
    number: str
    last_agent: str
    due_at: datetime | None
    fields: dict[str, Any]


def preview_leads(
    session: Session, *, campaign_id: int, open_zones: Collection[str], profile: str, now: datetime, few: int
) -> list[PreviewLead]:
    """The first leads in the dialling order that may be called now. Nothing is locked: the claim asks again."""
    ids = [lead.id for lead in coming_leads(session, campaign_id, open_zones, now, few)]
    rows = {row.id: row for row in session.scalars(select(Lead).where(col(Lead.id).in_(ids)))}
    leads = [rows[id_] for id_ in ids if id_ in rows]
    listed = blocked_numbers(session, [lead.number for lead in leads], campaign_id)
    held = held_by_law(session, leads, profile=profile, now=now, agent_is_sure=True)
    return [
        PreviewLead(lead.id or 0, lead.number, lead.last_agent, lead.next_attempt_at, dict(lead.fields))
        for lead in leads
        if lead.number not in listed and lead.id not in held
    ]


@dataclass(frozen=True, slots=True)
class PreviewNoted(Fact):
    """An agent is shown a lead, or (``over``: taken, skipped, lapsed, withdrawn, gone) is not any more.

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
    if event is None or event.type == OVER or datetime.fromisoformat(event.payload["until_at"]) < now:
        return {}
    keys = ("lead_id", "campaign", "number", "fields", "until_at")
    return {"preview": {key: event.payload[key] for key in keys}}
