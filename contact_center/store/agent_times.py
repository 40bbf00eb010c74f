"""How long agents were in which state, from the events that told of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.models import Agent, Outbox
from contact_center.terms import AgentState


@dataclass(frozen=True, slots=True)
class AgentTimes:
    """Seconds in each state between two instants."""

    talking: float = 0.0
    wrap_up: float = 0.0
    idle: float = 0.0
    offered: float = 0.0
    paused: float = 0.0

    @property
    def on_line(self) -> float:
        """Talking, wrapping up, or free."""
        return self.talking + self.wrap_up + self.idle + self.offered

    @property
    def occupancy(self) -> float:
        """(talk + wrap-up) / (talk + wrap-up + free), from 0 to 1."""
        return (self.talking + self.wrap_up) / self.on_line if self.on_line else 0.0

    def __add__(self, other: AgentTimes) -> AgentTimes:
        return AgentTimes(
            self.talking + other.talking,
            self.wrap_up + other.wrap_up,
            self.idle + other.idle,
            self.offered + other.offered,
            self.paused + other.paused,
        )


_COUNTED = (AgentState.TALKING, AgentState.WRAP_UP, AgentState.IDLE, AgentState.OFFERED, AgentState.PAUSED)


def agent_times(session: Session, agent: Agent, since: datetime, until: datetime) -> AgentTimes:
    """One agent's times; a state goes on until the next event tells of another one."""
    about = (col(Outbox.entity) == "agent", col(Outbox.entity_id) == agent.ext, col(Outbox.type) == "agent.state")
    before = session.scalars(select(Outbox).where(*about, col(Outbox.at) <= since).order_by(col(Outbox.seq).desc()))
    first = before.first()
    within = session.scalars(
        select(Outbox).where(*about, col(Outbox.at) > since, col(Outbox.at) < until).order_by(col(Outbox.seq))
    )
    seconds = dict.fromkeys(_COUNTED, 0.0)
    state, begun = (str(first.payload.get("state")) if first else ""), since
    for event in within:
        _count(seconds, state, (event.at - begun).total_seconds())
        state, begun = str(event.payload.get("state")), event.at
    _count(seconds, state, (until - begun).total_seconds())
    return AgentTimes(**{counted.value: seconds[counted] for counted in _COUNTED})


def all_times(session: Session, agents: Collection[Agent], since: datetime, until: datetime) -> AgentTimes:
    """The times of several agents together."""
    return sum((agent_times(session, agent, since, until) for agent in agents), AgentTimes())


def _count(seconds: dict[AgentState, float], state: str, span: float) -> None:
    if state in seconds:
        seconds[AgentState(state)] += max(span, 0.0)
