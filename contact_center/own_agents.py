"""Leads that wait for the agent who served them before, while he is on line and busy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from contact_center.options import CampaignOptions
from contact_center.seat import Seat
from contact_center.terms import AgentState, AgentStatus

BUSY = (AgentState.OFFERED, AgentState.TALKING, AgentState.WRAP_UP)
"""What an agent is who will be free by and by."""


@dataclass(frozen=True, slots=True)
class OwnAgents:
    """Extensions of the agents on line, and which of them are ``busy``; leads due after ``since`` wait for these."""

    on_line: frozenset[str]
    busy: frozenset[str]
    since: datetime

    @classmethod
    def of(
        cls, options: CampaignOptions, team: str, seats: Iterable[Seat], expected: Iterable[str], now: datetime
    ) -> Self | None:
        """``expected``: for whom calls are under way already. None where leads do not wait."""
        if not options.sticky or not options.sticky_seconds:
            return None
        there = [seat for seat in seats if seat.serves(team) and seat.status is AgentStatus.ONLINE]
        on_line = frozenset(seat.ext for seat in there)
        busy = frozenset(seat.ext for seat in there if seat.state in BUSY) | (on_line & frozenset(expected))
        return cls(on_line, busy, now - timedelta(seconds=options.sticky_seconds))

    def keep(self, ext: str, due_at: datetime | None) -> bool:
        """Whether a lead that ``ext`` served, due then, is kept for him now."""
        return ext in self.busy and due_at is not None and due_at > self.since

    def with_call_for(self, ext: str) -> OwnAgents:
        """The same once a call is under way that is meant for ``ext``."""
        return OwnAgents(self.on_line, self.busy | {ext}, self.since) if ext in self.on_line else self
