"""What an agent may do about himself, from whichever side it is asked: phone, CLI, API.

The roster of a running ``serve`` is the only implementation; the AGI scripts see no more than this.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contact_center.terms import AgentConnect, AgentState, AgentStatus


@dataclass(frozen=True, slots=True)
class AgentCard:
    """One agent as others see him now. ``endpoint`` is ``PJSIP/name``; ``since_at`` is when ``state`` began."""

    ext: str
    name: str
    endpoint: str
    team: str
    queues: tuple[str, ...]
    connect: AgentConnect
    status: AgentStatus
    state: AgentState
    since_at: datetime
    pause_reason: str = ""


class Desk(Protocol):
    """An agent's own commands. The change is committed when the call returns."""

    def by_endpoint(self, endpoint: str) -> AgentCard | None:
        """Whose authenticated endpoint this is; caller ID is never asked."""
        ...

    def calling(self, endpoint: str, channel_id: str) -> AbstractContextManager[None]:
        """While the block lasts, this phone is in a call of its own, which a customer who comes may cut short."""
        ...

    async def end_old_line(self, ext: str, /) -> bool:
        """End his open line if no sound comes from it any more: his phone was restarted. Whether there was one."""
        ...

    async def go_online(self, ext: str, *, by: str) -> AgentCard:
        """On line, calls may come; ends a pause."""
        ...

    async def go_offline(self, ext: str, *, by: str) -> AgentCard:
        """Off line; a call that talks goes on."""
        ...

    async def pause(self, ext: str, reason: str, *, by: str) -> AgentCard:
        """On line but no calls; a call that talks goes on."""
        ...

    async def unpause(self, ext: str, *, by: str) -> AgentCard:
        """Calls may come again."""
        ...
