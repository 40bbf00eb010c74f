"""Leads that wait for the agent who served them before, while he is on line and busy, or who promised them a call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from contact_center.options import CampaignOptions
from contact_center.seat import Seat
from contact_center.terms import AgentState, AgentStatus

BUSY = (AgentState.OFFERED, AgentState.TALKING, AgentState.WRAP_UP)
"""What an agent is who will be free by and by."""


def promised_to(lead: Any) -> str:
    """The agent with whom a call to a lead was promised, while it was not made; empty where anybody may make it."""
    return str(lead.callback_agent) if lead.callback_at is not None else ""


@dataclass(frozen=True, slots=True)
class OwnAgents:
    """Extensions of the agents on line, and which of them are ``busy``; leads due after ``since`` wait for these.

    Leads that were promised a call due after ``promised_since`` wait for their agent unless he is ``free``.
    """

    on_line: frozenset[str]
    busy: frozenset[str]
    since: datetime
    free: frozenset[str]
    promised_since: datetime

    @classmethod
    def of(
        cls, options: CampaignOptions, team: str, seats: Iterable[Seat], expected: Iterable[str], now: datetime
    ) -> Self | None:
        """``expected``: for whom calls are under way already. None where leads do not wait."""
        served_seconds = options.sticky_seconds if options.sticky else 0.0
        if not served_seconds and not options.promise_seconds:
            return None
        there = [seat for seat in seats if seat.serves(team) and seat.status is AgentStatus.ONLINE]
        on_line = frozenset(seat.ext for seat in there)
        busy = frozenset(seat.ext for seat in there if seat.state in BUSY) | (on_line & frozenset(expected))
        free = frozenset(seat.ext for seat in there if seat.state is AgentState.IDLE) - busy
        since, promised = (now - timedelta(seconds=span) for span in (served_seconds, options.promise_seconds))
        return cls(on_line, busy, since, free, promised)

    def keep(self, ext: str, due_at: datetime | None, promised_to: str = "") -> bool:
        """Whether a lead that ``ext`` served, due then, is kept for him now, or for whom it is ``promised_to``."""
        if due_at is None:
            return False
        if promised_to and promised_to not in self.free and due_at > self.promised_since:
            return True
        return ext in self.busy and due_at > self.since

    def with_call_for(self, ext: str) -> OwnAgents:
        """The same once a call is under way that is meant for ``ext``."""
        if ext not in self.on_line:
            return self
        return replace(self, busy=self.busy | {ext}, free=self.free - {ext})
