"""How agents spent their time, stretch by stretch, and how much of it was a campaign's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center import metrics
from contact_center.models import Agent, Attempt, Audit, Campaign, Outbox
from contact_center.store.pruning import KEEP
from contact_center.store.queries import campaign_id, team_agents
from contact_center.store.tables import table_of
from contact_center.terms import AgentState, CampaignState

_OUTBOX, _ATTEMPT = table_of(Outbox), table_of(Attempt)
_STATE, _CALL_ID = (_OUTBOX.c.payload[key].as_string() for key in ("state", "call_id"))
_BUSY = (AgentState.TALKING, AgentState.WRAP_UP)
_FREE = (AgentState.IDLE, AgentState.OFFERED)
_RUNS = (CampaignState.RUNNING, CampaignState.ENDING)


@dataclass(frozen=True, slots=True)
class AgentSpan:
    """An agent was in ``state`` from ``begin`` to ``end``; ``call_id``: of the talk, or the one wrapped up."""

    ext: str
    state: str
    call_id: str
    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return max((self.end - self.begin).total_seconds(), 0.0)


@dataclass(slots=True)
class TeamTime:
    """Seconds that agents were there for a campaign: its own talks and wrap-ups, and free time while it ran.

    ``other_seconds``: talks and wrap-ups of other calls while it ran.
    """

    talk_seconds: float = 0.0
    wrap_up_seconds: float = 0.0
    free_seconds: float = 0.0
    other_seconds: float = 0.0

    def add(self, span: AgentSpan, is_own: bool) -> None:
        """Count one stretch."""
        if span.state in _FREE:
            self.free_seconds += span.seconds
        elif not is_own:
            self.other_seconds += span.seconds
        elif span.state == AgentState.TALKING:
            self.talk_seconds += span.seconds
        else:
            self.wrap_up_seconds += span.seconds

    @property
    def hours(self) -> float:
        """Hours on line for the campaign: talk, wrap-up and free."""
        return (self.talk_seconds + self.wrap_up_seconds + self.free_seconds) / 3600.0

    @property
    def occupancy(self) -> float | None:
        """See :func:`metrics.occupancy`."""
        return metrics.occupancy(self.talk_seconds, 0.0, self.wrap_up_seconds, self.free_seconds)

    @property
    def utilisation(self) -> float | None:
        """See :func:`metrics.utilisation`."""
        return metrics.utilisation(self.talk_seconds, 0.0, self.wrap_up_seconds, self.free_seconds)


def known_since(since: datetime, now: datetime) -> datetime:
    """From when on agents' states are known: older events than the store keeps are gone."""
    return max(since, now - KEEP)


def agent_spans(session: Session, exts: Collection[str], since: datetime, until: datetime) -> Iterator[AgentSpan]:
    """The stretches of each agent between two instants in which a state was told, oldest first, agent by agent."""
    for ext in sorted(exts):
        about = (_OUTBOX.c.entity == "agent", _OUTBOX.c.entity_id == ext, _OUTBOX.c.type == "agent.state")
        read = select(_OUTBOX.c.at, _STATE.label("state"), _CALL_ID.label("call_id")).where(*about)
        before = session.execute(read.where(_OUTBOX.c.at <= since).order_by(_OUTBOX.c.seq.desc()).limit(2)).all()
        state, begin = (before[0].state or "" if before else ""), since
        call_id = next((row.call_id for row in before if row.state != AgentState.WRAP_UP), "") or ""
        within = read.where(_OUTBOX.c.at > since, _OUTBOX.c.at < until).order_by(_OUTBOX.c.seq)
        for row in session.execute(within.execution_options(yield_per=1000)):
            yield AgentSpan(ext, state, call_id, begin, row.at)
            state, begin = row.state or "", row.at
            if state != AgentState.WRAP_UP:  # it wraps up the talk before it
                call_id = row.call_id or ""
        yield AgentSpan(ext, state, call_id, begin, until)


def runs(session: Session, campaign: Campaign, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """When a campaign ran between two instants, its ending included, by the audit log."""
    noted = session.execute(
        select(col(Audit.at), col(Audit.detail))
        .where(col(Audit.entity) == "campaign", col(Audit.entity_id) == campaign.name, col(Audit.at) < until)
        .order_by(col(Audit.id))
    )
    found, begun = [], None
    for at, detail in noted:
        state = detail.get("state")
        if state in _RUNS:
            begun = begun or at
        elif state and begun is not None:
            found.append((begun, at))
            begun = None
    if begun is not None:
        found.append((begun, until))
    return [(max(begin, since), end) for begin, end in found if end > since]


def campaign_spans(
    session: Session, campaign: Campaign, since: datetime, until: datetime
) -> Iterator[tuple[AgentSpan, bool]]:
    """What its agents did for a campaign, each with whether it was its own call.

    Its agents are those of its team and whoever talked for it. Their free time and other calls count while it ran.
    """
    key = campaign_id(campaign)
    still = or_(_ATTEMPT.c.ended_at.is_(None), _ATTEMPT.c.ended_at > since - timedelta(hours=1))
    talked = and_(_ATTEMPT.c.campaign_id == key, _ATTEMPT.c.connected_at < until, still)
    own, exts = set(), {agent.ext for agent in team_agents(session, campaign.team)}
    for call_id, ext in session.execute(select(_ATTEMPT.c.call_id, _ATTEMPT.c.agent).where(talked)):
        own.add(call_id)
        exts.add(ext)
    ran = runs(session, campaign, since, until)
    for span in agent_spans(session, exts - {""}, since, until):
        if span.state in _BUSY and span.call_id in own:
            yield span, True
        elif span.state in (*_BUSY, *_FREE):
            for piece in _pieces(span, ran):
                yield piece, False


def on_line_spans(session: Session, since: datetime, until: datetime) -> Iterator[tuple[AgentSpan, bool]]:
    """The time on line of all agents, whoever they talked to; all of it is their own."""
    exts = set(session.scalars(select(col(Agent.ext))))
    for span in agent_spans(session, exts, since, until):
        if span.state in (*_BUSY, *_FREE):
            yield span, True


def _pieces(span: AgentSpan, ran: Sequence[tuple[datetime, datetime]]) -> Iterator[AgentSpan]:
    """What of a stretch lies within these times."""
    for begin, end in ran:
        first, last = max(begin, span.begin), min(end, span.end)
        if first < last:
            yield AgentSpan(span.ext, span.state, span.call_id, first, last)
