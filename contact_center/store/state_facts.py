"""How agents, campaigns and trunks stand, as a running ``serve`` sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.models import Agent, Campaign, Instant, PaceNote, TrunkNote
from contact_center.store.changes import add_audit, add_event
from contact_center.store.fact import Fact
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.terms import CampaignState

PACE_DECISIONS = 20
"""How many pacing decisions of a campaign are kept."""

_AGENT, _CAMPAIGN = table_of(Agent), table_of(Campaign)
_PACE, _TRUNK = table_of(PaceNote), table_of(TrunkNote)

_INSTANTS = frozenset(("since_at", "idle_since_at", "wrap_up_until_at"))


def _set_agent(*names: str) -> Prepared:
    """Set these columns of one agent if any of them differs: applied twice it is told once."""
    new = {name: bindparam(f"p_{name}", type_=Instant() if name in _INSTANTS else None) for name in names}
    differs = or_(*(_AGENT.c[name].is_distinct_from(value) for name, value in new.items()))
    return Prepared(update(_AGENT).where(_AGENT.c.ext == bindparam("p_ext"), differs).values(new))


_AGENT_STATUS = _set_agent("status", "pause_reason")
_AGENT_STATE = _set_agent("state", "since_at", "idle_since_at", "wrap_up_until_at", "call_id", "misses")


class _Keep:
    """Insert or replace one row; nobody else writes these tables, so no upsert of a dialect is needed."""

    def __init__(self, table: Table, key: str) -> None:
        columns = {column.name: bindparam(f"p_{column.name}", type_=column.type) for column in table.columns}
        self._update = Prepared(update(table).where(table.c[key] == columns[key]).values(columns))
        self._insert = Prepared(insert(table).values(columns).inline())

    def put(self, session: Session, row: dict[str, Any]) -> None:
        """``row`` has every column."""
        parameters = {f"p_{name}": value for name, value in row.items()}
        if self._update.run(session, parameters) == 0:
            self._insert.run(session, parameters)


_PACE_KEPT = Prepared(select(_PACE.c.decisions).where(_PACE.c.campaign_id == bindparam("p_campaign")))
_KEEP_PACE = _Keep(_PACE, "campaign_id")
_TRUNK_KEPT = Prepared(select(_TRUNK).where(_TRUNK.c.name == bindparam("p_name")))
_KEEP_TRUNK = _Keep(_TRUNK, "name")


@dataclass(frozen=True, slots=True)
class AgentStatusChanged(Fact):
    """What the agent chose, or somebody for him: ``status`` is an AgentStatus, ``actor`` who did it."""

    ext: str
    status: str
    pause_reason: str
    actor: str
    at: datetime

    def apply(self, session: Session) -> None:
        """Write it if it is a change."""
        parameters = {"p_ext": self.ext, "p_status": self.status, "p_pause_reason": self.pause_reason}
        if _AGENT_STATUS.run(session, parameters) == 0:
            return
        told = {"status": self.status, "pause_reason": self.pause_reason}
        add_event(
            session,
            at=self.at,
            entity="agent",
            entity_id=self.ext,
            type="agent.status",
            payload={"ext": self.ext, **told},
        )
        add_audit(
            session,
            at=self.at,
            actor=self.actor,
            action="status",
            entity="agent",
            entity_id=self.ext,
            detail=told,
        )


@dataclass(frozen=True, slots=True)
class AgentStateChanged(Fact):
    """What the system sees of an agent: ``state`` is an AgentState, in force since ``since_at``."""

    ext: str
    state: str
    since_at: datetime
    idle_since_at: datetime | None
    wrap_up_until_at: datetime | None
    call_id: str
    misses: int

    def apply(self, session: Session) -> None:
        """Write it if it is a change."""
        parameters = {
            "p_ext": self.ext,
            "p_state": self.state,
            "p_since_at": self.since_at,
            "p_idle_since_at": self.idle_since_at,
            "p_wrap_up_until_at": self.wrap_up_until_at,
            "p_call_id": self.call_id,
            "p_misses": self.misses,
        }
        if _AGENT_STATE.run(session, parameters) == 0:
            return
        payload = {
            "ext": self.ext,
            "state": self.state,
            "since_at": iso(self.since_at),
            "wrap_up_until_at": iso(self.wrap_up_until_at),
            "call_id": self.call_id,
        }
        add_event(session, at=self.since_at, entity="agent", entity_id=self.ext, type="agent.state", payload=payload)


@dataclass(frozen=True, slots=True)
class CampaignStateChanged(Fact):
    """``state`` is a CampaignState. With ``was`` it holds only if the campaign is still in that state:
    a person may have started it again while the end was being noticed.
    """

    name: str
    state: str
    at: datetime
    actor: str
    was: str = ""

    holds_back = True  # a claim looks at the campaign's state

    def apply(self, session: Session) -> None:
        """Write it if it is a change."""
        values: dict[str, Any] = {"state": self.state, "ended_at": None}
        if self.state in (CampaignState.STOPPED, CampaignState.FINISHED):
            values["ended_at"] = self.at
        elif self.state == CampaignState.RUNNING:
            values["started_at"] = func.coalesce(_CAMPAIGN.c.started_at, self.at)
        wanted = (_CAMPAIGN.c.name == self.name) & (_CAMPAIGN.c.state != self.state)
        if self.was:
            wanted &= _CAMPAIGN.c.state == self.was
        if session.connection().execute(update(_CAMPAIGN).where(wanted).values(values)).rowcount == 0:
            return
        told = {"state": self.state}
        add_event(
            session,
            at=self.at,
            entity="campaign",
            entity_id=self.name,
            type="campaign.state",
            payload={"name": self.name, **told},
        )
        if self.actor:
            add_audit(
                session,
                at=self.at,
                actor=self.actor,
                action="state",
                entity="campaign",
                entity_id=self.name,
                detail=told,
            )


@dataclass(frozen=True, slots=True)
class PaceNoted(Fact):
    """A pacing decision. Others are not told: one a second of each campaign would drown the rest."""

    campaign_id: int
    at: datetime
    decision: dict[str, Any]

    def apply(self, session: Session) -> None:
        """Keep it as the newest of the last twenty."""
        row = _PACE_KEPT.first(session, {"p_campaign": self.campaign_id})
        newest = {"at": iso(self.at), **self.decision}
        decisions = list(row.decisions) if row is not None else []
        if decisions[:1] == [newest]:
            return
        _KEEP_PACE.put(
            session,
            {
                "campaign_id": self.campaign_id,
                "at": self.at,
                "decisions": [newest, *decisions][:PACE_DECISIONS],
            },
        )


@dataclass(frozen=True, slots=True)
class TrunkNoted(Fact):
    """A trunk is up or down since ``since_at``, for ``reason``."""

    name: str
    state: str
    reason: str
    since_at: datetime

    def apply(self, session: Session) -> None:
        """Write it if it is a change."""
        row = {"name": self.name, "state": self.state, "reason": self.reason, "since_at": self.since_at}
        now = _TRUNK_KEPT.first(session, {"p_name": self.name})
        if now is not None and now._asdict() == row:
            return
        _KEEP_TRUNK.put(session, row)
        payload = {**row, "since_at": iso(self.since_at)}
        add_event(
            session,
            at=self.since_at,
            entity="trunk",
            entity_id=self.name,
            type="trunk.state",
            payload=payload,
        )
