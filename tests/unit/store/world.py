"""A small world to test the store on: one campaign, some leads, and what happens to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.models import Agent, Attempt, Call, Campaign, DncEntry, Lead, Outbox
from contact_center.store.claims import Claim, claim
from contact_center.store.engine import reading, writing
from contact_center.store.facts import AttemptSettled
from contact_center.store.tables import table_of
from contact_center.terms import CallKind

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONDON = "Europe/London"


def add_campaign(session: Session, name: str = "spring", state: str = "running") -> int:
    row = {"name": name, "mode": "power", "multiplier": 1.0, "team": "", "state": state, "options": {}}
    statement = insert(table_of(Campaign)).returning(table_of(Campaign).c.id)
    return int(session.connection().execute(statement, {**row, "created_at": NOON}).scalar_one())


def add_lead(session: Session, campaign_id: int, number: str, **more: Any) -> int:
    row: dict[str, Any] = {
        "campaign_id": campaign_id,
        "number": number,
        "zones": LONDON,
        "state": "new",
        "disposition": "",
        "attempts": 0,
        "dials": 0,
        "next_attempt_at": None,
        "last_agent": "",
        "priority": 0,
        "fields": {},
        "created_at": NOON,
        "reason": "",
    }
    statement = insert(table_of(Lead)).returning(table_of(Lead).c.id)
    return int(session.connection().execute(statement, {**row, **more}).scalar_one())


def due(session: Session, campaign_id: int, number: str, minutes: float = 0, **more: Any) -> int:
    """A lead that is due ``minutes`` before noon."""
    at = NOON - timedelta(minutes=minutes)
    return add_lead(session, campaign_id, number, state="due", next_attempt_at=at, **more)


def add_agent(session: Session, ext: str) -> None:
    row = {
        "ext": ext,
        "name": f"Agent {ext}",
        "endpoint": f"PJSIP/{ext}",
        "password": "",
        "team": "",
        "queues": [],
        "connect": "on_demand",
        "status": "online",
        "pause_reason": "",
        "state": "idle",
        "since_at": NOON,
        "call_id": "",
        "misses": 0,
    }
    session.connection().execute(insert(table_of(Agent)), row)


def forbid(session: Session, number: str, campaign_id: int = 0) -> None:
    row = {"number": number, "campaign_id": campaign_id, "reason": "asked", "at": NOON}
    session.connection().execute(insert(table_of(DncEntry)), row)


def take(session: Session, campaign_id: int, want: int = 1, **more: Any) -> list[Claim]:
    arguments: dict[str, Any] = {
        "now": NOON,
        "open_zones": None,
        "trunks": ["main"],
        "max_attempts": 0,
        "kind": CallKind.POWER,
    }
    return claim(session, campaign_id=campaign_id, want=want, **{**arguments, **more})


def settled(taken: Claim, **more: Any) -> AttemptSettled:
    """The end of a call that rang and was not answered; the lead is due again in 90 minutes."""
    ended_at = taken.intent_at + timedelta(seconds=30)
    arguments: dict[str, Any] = {
        "channel_id": taken.channel_id,
        "attempt_id": taken.attempt_id,
        "lead_id": taken.lead_id,
        "outcome": "missed",
        "sip_code": 480,
        "counted": True,
        "agent": "",
        "ended_at": ended_at,
        "state": "done",
        "lead_state": "due",
        "disposition": "missed",
        "next_attempt_at": ended_at + timedelta(minutes=90),
        "last_agent": None,
        "reason": "",
        "record": record_of(taken, ended_at),
    }
    return AttemptSettled(**{**arguments, **more})


def record_of(taken: Claim, ended_at: datetime) -> dict[str, Any]:
    return {
        "id": taken.call_id,
        "kind": "power",
        "campaign": taken.campaign,
        "lead_id": taken.lead_id,
        "caller_number": taken.number,
        "agents": [],
        "started_at": iso(taken.intent_at),
        "answered_at": None,
        "ended_at": iso(ended_at),
        "wait_seconds": 30.0,
        "ring_seconds": 28.5,
        "talk_seconds": 0.0,
        "answer_to_agent_seconds": None,
        "hung_up_by": "system",
        "call_state": "NO_ANSWER_A",
        "disposition": "missed",
        "attempts": [{"n": taken.n, "at": iso(taken.intent_at), "outcome": "missed", "sip_code": 480, "agent": None}],
        "rating": None,
        "categories": [],
        "comment": None,
        "timeline": [{"kind": "queue", "label": taken.campaign, "seconds": 0.0}],
    }


def rows(engine: Engine, model: Any) -> list[Mapping[str, Any]]:
    """All rows of a table, as mappings, in the order of their keys."""
    table = table_of(model)
    with reading(engine) as session:
        found = session.connection().execute(select(table).order_by(*table.primary_key.columns))
        return [dict(row._mapping) for row in found]


def row(engine: Engine, model: Any, **wanted: Any) -> Mapping[str, Any]:
    """The one row that has these values."""
    found = [one for one in rows(engine, model) if all(one[key] == value for key, value in wanted.items())]
    assert len(found) == 1, found
    return found[0]


def events(engine: Engine, entity: str | None = None) -> list[tuple[str, str, int]]:
    """(type, entity_id, seq) of the outbox, in order."""
    return [
        (one["type"], one["entity_id"], one["seq"]) for one in rows(engine, Outbox) if entity in (None, one["entity"])
    ]


def story_of(engine: Engine) -> dict[str, Any]:
    """Everything that a fact may have changed, to compare before and after."""
    return {model.__name__: rows(engine, model) for model in (Agent, Campaign, Lead, Attempt, Call, Outbox)}


def one_call(engine: Engine, number: str = "+441632960001") -> Claim:
    """A campaign with one lead, claimed and committed."""
    with writing(engine) as session:
        campaign_id = add_campaign(session)
        add_lead(session, campaign_id, number)
        (taken,) = take(session, campaign_id)
    return taken
