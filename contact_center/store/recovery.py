"""What a starting ``serve`` finds: attempts to adopt or close, agents to seat again, leads to put right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.orm import Session

from contact_center.models import TIMELESS, Agent, Attempt, Call, Campaign, Lead
from contact_center.own_agents import promised_to
from contact_center.store.changes import add_event
from contact_center.store.tables import table_of
from contact_center.store.talk_facts import talk_of_record
from contact_center.terms import AgentConnect, AgentState, AgentStatus, AttemptState, CallKind, LeadState

_LEAD, _ATTEMPT, _CALL = table_of(Lead), table_of(Attempt), table_of(Call)
_AGENT, _CAMPAIGN = table_of(Agent), table_of(Campaign)


_HAS_ATTEMPT = (
    select(_ATTEMPT.c.id).where(_ATTEMPT.c.lead_id == _LEAD.c.id, _ATTEMPT.c.live_number.is_not(None))
).exists()
_NEEDED = (_LEAD.c.id, _LEAD.c.number, _LEAD.c.state)
# Asked campaign by campaign, and spelled as the indexes are: both databases then read these few leads and no others.
ORPHANED = select(*_NEEDED).where(
    _LEAD.c.campaign_id == bindparam("p_campaign"), text("lead.state IN ('dialing', 'talking')"), ~_HAS_ATTEMPT
)
TIMELESS_LEADS = select(*_NEEDED).where(text(TIMELESS))


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt whose end was never written: adopt it if its channel lives, else close it; never repeat it.

    ``attempts`` are those the lead has used, this one included; ``last_agent`` and ``zones`` are the lead's.
    ``queued_at``: when it came into the dialer's queue. ``talk``: who had the customer so far (story_kept), where
    he was given away. ``promised``: the agent with whom this very call was promised.
    """

    attempt_id: int
    call_id: str
    channel_id: str
    n: int
    lead_id: int
    campaign_id: int
    campaign: str
    number: str
    trunk: str
    kind: CallKind
    state: AttemptState
    agent: str
    agent_channel_id: str
    bridge_id: str
    last_agent: str
    attempts: int
    intent_at: datetime
    ringing_at: datetime | None
    answered_at: datetime | None
    connected_at: datetime | None
    fields: dict[str, Any]
    zones: str
    queued_at: datetime | None = None
    talk: tuple[dict[str, str], ...] = ()
    promised: str = ""


@dataclass(frozen=True, slots=True)
class AgentSeat:
    """An agent as he was last seen: what the roster begins with."""

    ext: str
    name: str
    endpoint: str
    team: str
    queues: tuple[str, ...]
    connect: AgentConnect
    status: AgentStatus
    pause_reason: str
    state: AgentState
    since_at: datetime
    idle_since_at: datetime | None
    wrap_up_until_at: datetime | None
    call_id: str
    misses: int


@dataclass(frozen=True, slots=True)
class Mended:
    """A lead that said it was on the line without an open attempt, and the state it has now."""

    lead_id: int
    number: str
    was: LeadState
    state: LeadState


def open_attempts(session: Session) -> list[OpenAttempt]:
    """Attempts without an end, oldest first."""
    rows = session.connection().execute(
        select(
            _ATTEMPT,
            _CAMPAIGN.c.name.label("campaign"),
            _CALL.c.kind,
            _CALL.c.record.label("call_record"),
            _CALL.c.started_at.label("queued_at"),
            _LEAD.c.last_agent,
            _LEAD.c.attempts,
            _LEAD.c.fields,
            _LEAD.c.zones,
            _LEAD.c.callback_at,
            _LEAD.c.callback_agent,
        )
        .join(_CAMPAIGN, _CAMPAIGN.c.id == _ATTEMPT.c.campaign_id)
        .join(_LEAD, _LEAD.c.id == _ATTEMPT.c.lead_id)
        .join(_CALL, _CALL.c.id == _ATTEMPT.c.call_id)
        .where(_ATTEMPT.c.live_number > "")  # spelled so that SQLite, too, seeks in the index
        .order_by(_ATTEMPT.c.id)
    )
    return [
        OpenAttempt(
            attempt_id=row.id,
            call_id=row.call_id,
            channel_id=row.channel_id,
            n=row.n,
            lead_id=row.lead_id,
            campaign_id=row.campaign_id,
            campaign=row.campaign,
            number=row.number,
            trunk=row.trunk,
            kind=CallKind(row.kind),
            state=AttemptState(row.state),
            agent=row.agent,
            agent_channel_id=row.agent_channel_id,
            bridge_id=row.bridge_id,
            last_agent=row.last_agent,
            attempts=row.attempts,
            intent_at=row.intent_at,
            ringing_at=row.ringing_at,
            answered_at=row.answered_at,
            connected_at=row.connected_at,
            fields=dict(row.fields),
            zones=row.zones,
            queued_at=row.queued_at,
            talk=talk_of_record(row.call_record),
            promised=promised_to(row),
        )
        for row in rows
    ]


def restore_agents(session: Session) -> list[AgentSeat]:
    """All agents as they were last seen, by extension."""
    rows = session.connection().execute(select(_AGENT).order_by(_AGENT.c.ext))
    return [
        AgentSeat(
            ext=row.ext,
            name=row.name,
            endpoint=row.endpoint,
            team=row.team,
            queues=tuple(row.queues),
            connect=AgentConnect(row.connect),
            status=AgentStatus(row.status),
            pause_reason=row.pause_reason,
            state=AgentState(row.state),
            since_at=row.since_at,
            idle_since_at=row.idle_since_at,
            wrap_up_until_at=row.wrap_up_until_at,
            call_id=row.call_id,
            misses=row.misses,
        )
        for row in rows
    ]


def mend_leads(session: Session, at: datetime) -> list[Mended]:
    """Leads that are dialing or talking without an open attempt, or due without a time, become due at once.

    The attempts they used stay used. Call it after the open attempts have been settled or adopted; the
    change is committed by the caller.
    """
    connection = session.connection()
    campaigns = connection.execute(select(_CAMPAIGN.c.id)).scalars().all()
    rows = [row for campaign in campaigns for row in connection.execute(ORPHANED, {"p_campaign": campaign})]
    rows += connection.execute(TIMELESS_LEADS).all()
    for row in rows:
        connection.execute(
            update(_LEAD)
            .where(_LEAD.c.id == row.id)
            .values(state=LeadState.DUE.value, next_attempt_at=at, reason="found without an open attempt")
        )
        payload = {"lead_id": row.id, "number": row.number, "state": LeadState.DUE.value, "was": row.state}
        add_event(session, at=at, entity="lead", entity_id=str(row.id), type="lead.state", payload=payload)
    return [Mended(row.id, row.number, LeadState(row.state), LeadState.DUE) for row in sorted(rows)]
