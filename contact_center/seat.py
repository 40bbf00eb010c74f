"""One agent's place at the roster: what he chose, what the system sees, and the state that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contact_center.desk import AgentCard
from contact_center.models import Agent
from contact_center.terms import AgentConnect, AgentState, AgentStatus

Fingerprint = tuple[object, ...]


def _nobody() -> None:
    """Nobody watches this seat."""


async def no_line(ext: str) -> bool:
    """Nobody has a line."""
    return False


@dataclass(slots=True)
class Seat:
    """An agent in a running ``serve``.

    ``engaged`` is OFFERED, TALKING, WRAP_UP or None; ``line`` is the channel of a persistent agent's own
    call, ``line_doubted`` whether his phone was lost under it; ``doubted_at``: when a call to his phone
    got no sign of life; ``wrap_up_ends``: ``wrap_up_until_at`` by the monotonic clock;
    ``phone_news`` counts what was said of it; ``own_calls``: channels on which his phone hears what a code has
    done, cut short when a customer comes; ``in_menu``: he is asked about his last call;
    ``refused``: the last calls that he did not take, and when (monotonic);
    ``skills`` are levels by name, ``penalties`` numbers by queue;
    ``shown_state`` is the state last told to others, since ``since_at``; ``watch`` is told of each change.
    """

    ext: str
    name: str
    endpoint: str
    team: str
    queues: tuple[str, ...]
    connect: AgentConnect
    status: AgentStatus
    pause_reason: str
    since_at: datetime
    idle_since_at: datetime
    engaged: AgentState | None = None
    wrap_up_until_at: datetime | None = None
    wrap_up_ends: float = 0.0
    call_id: str = ""
    misses: int = 0
    reachable: bool = True
    phone_news: int = 0
    line: str = ""
    line_doubted: bool = False
    doubted_at: datetime | None = None
    last_call_id: str = ""
    in_menu: bool = False
    own_calls: list[str] = field(default_factory=list)
    refused: dict[str, float] = field(default_factory=dict)
    skills: Mapping[str, int] = field(default_factory=dict)
    penalties: Mapping[str, int] = field(default_factory=dict)
    watch: Callable[[], None] = _nobody
    shown_state: AgentState = AgentState.OFFLINE
    told: Fingerprint = ()
    chose_at: datetime | None = None

    @classmethod
    def of(cls, row: Agent) -> Seat:
        """A seat from an agent's row."""
        return cls(
            ext=row.ext,
            name=row.name,
            endpoint=row.endpoint,
            team=row.team,
            queues=tuple(row.queues),
            connect=AgentConnect(row.connect),
            status=AgentStatus(row.status),
            pause_reason=row.pause_reason,
            since_at=row.since_at,
            idle_since_at=row.idle_since_at or row.since_at,
            misses=row.misses,
            skills=dict(row.skills or {}),
            penalties=dict(row.penalties or {}),
            reachable=row.state != AgentState.UNREACHABLE,
        )

    def take_settings(self, row: Agent) -> None:
        """What a supervisor may change while the agent works; his status apart."""
        self.name, self.endpoint, self.team = row.name, row.endpoint, row.team
        self.queues, self.connect = tuple(row.queues), AgentConnect(row.connect)
        self.skills, self.penalties = dict(row.skills or {}), dict(row.penalties or {})

    def take_status(self, row: Agent, at: datetime | None) -> bool:
        """The status a supervisor chose then, unless the agent chose later: his word may not be stored yet.

        Whether it is another one. ``at`` None: the supervisor chose none.
        """
        was = (self.status, self.pause_reason)
        if at and (self.chose_at is None or at > self.chose_at):
            self.status, self.pause_reason = AgentStatus(row.status), row.pause_reason
        return was != (self.status, self.pause_reason)

    @property
    def state(self) -> AgentState:
        """What the system sees: a call first, then the agent's choice, then his phone."""
        if self.engaged is not None:
            return self.engaged
        if self.status is AgentStatus.OFFLINE:
            return AgentState.OFFLINE
        if self.status is AgentStatus.PAUSED:
            return AgentState.PAUSED
        if self.line:
            return AgentState.UNREACHABLE if self.line_doubted else AgentState.IDLE
        if not self.reachable or self.connect is AgentConnect.PERSISTENT:
            return AgentState.UNREACHABLE
        return AgentState.IDLE

    @property
    def is_on_line(self) -> bool:
        """Takes calls now, or will after the one he has."""
        return self.status is AgentStatus.ONLINE and self.state is not AgentState.UNREACHABLE

    def serves(self, team: str) -> bool:
        """Whether he belongs to a team; an empty team means everybody."""
        return not team or self.team == team

    def card(self) -> AgentCard:
        """The agent as others see him."""
        return AgentCard(
            ext=self.ext,
            name=self.name,
            endpoint=self.endpoint,
            team=self.team,
            queues=self.queues,
            connect=self.connect,
            status=self.status,
            state=self.state,
            since_at=self.since_at,
            pause_reason=self.pause_reason,
        )

    def fingerprint(self) -> Fingerprint:
        """What the store must know; a change of it is a fact."""
        return (self.state, self.wrap_up_until_at, self.call_id, self.misses, self.idle_since_at)

    @staticmethod
    def fingerprint_of(row: Agent) -> Fingerprint:
        """The same of a row."""
        state = AgentState(row.state)
        return (state, row.wrap_up_until_at, row.call_id, row.misses, row.idle_since_at)
