"""A desk on paper: one agent, and every change written down with its instant."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from contact_center.desk import AgentCard
from contact_center.errors import NotFound
from contact_center.terms import AgentConnect, AgentState, AgentStatus

STATE_OF = {
    AgentStatus.OFFLINE: AgentState.OFFLINE,
    AgentStatus.ONLINE: AgentState.IDLE,
    AgentStatus.PAUSED: AgentState.PAUSED,
}


def card(ext: str = "1001", status: AgentStatus = AgentStatus.OFFLINE) -> AgentCard:
    return AgentCard(
        ext,
        "Ann",
        f"PJSIP/{ext}",
        "",
        (),
        AgentConnect.ON_DEMAND,
        status,
        STATE_OF[status],
        datetime.now(UTC),
    )


@dataclass
class PaperDesk:
    cards: dict[str, AgentCard] = field(default_factory=lambda: {"1001": card()})
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    has_dead_line: bool = False
    looked_at: list[str] = field(default_factory=list)

    def by_endpoint(self, endpoint: str) -> AgentCard | None:
        return next((c for c in self.cards.values() if c.endpoint == endpoint), None)

    def calling(self, endpoint: str, channel_id: str) -> AbstractContextManager[None]:
        return nullcontext()

    async def end_old_line(self, ext: str, /) -> bool:
        self.looked_at.append(ext)
        return self.has_dead_line

    async def go_online(self, ext: str, *, by: str) -> AgentCard:
        return self._change("online", ext, AgentStatus.ONLINE, by)

    async def go_offline(self, ext: str, *, by: str) -> AgentCard:
        return self._change("offline", ext, AgentStatus.OFFLINE, by)

    async def pause(self, ext: str, reason: str, *, by: str) -> AgentCard:
        return replace(self._change("pause", ext, AgentStatus.PAUSED, by), pause_reason=reason)

    async def unpause(self, ext: str, *, by: str) -> AgentCard:
        return self._change("unpause", ext, AgentStatus.ONLINE, by)

    def _change(self, what: str, ext: str, status: AgentStatus, by: str) -> AgentCard:
        if self.failure is not None:
            raise self.failure
        if ext not in self.cards:
            raise NotFound("agent", ext)
        self.changes.append((what, ext, by))
        self.cards[ext] = replace(self.cards[ext], status=status, state=STATE_OF[status])
        self.changed.set()
        return self.cards[ext]
