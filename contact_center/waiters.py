"""Who waits at the roster for an agent, and which agent has just refused whom."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from contact_center.seat import Seat

AGAIN_SECONDS = 5.0
"""An agent who did not take a customer is not offered the same one before so long; others may be."""
REFUSALS_KEPT = 20
"""Calls of which it is known who did not take them, for each agent."""


class Callers(Protocol):
    """Whoever waits in the queues; they come before calls that campaigns have placed."""

    def take(self, seat: Seat) -> str:
        """This agent has become free; the id of the call that he is held for from now on, or nothing."""
        ...

    def spoken_for(self) -> set[str]:
        """Extensions of the agents whom those who wait need for themselves."""
        ...


class Waiter:
    """A call that waits for an agent of a team."""

    def __init__(self, team: str, call_id: str, prefer: str) -> None:
        self.team, self.call_id, self.prefer = team, call_id, prefer
        self.seat: asyncio.Future[Seat] = asyncio.get_running_loop().create_future()

    def may_have(self, seat: Seat, now: float) -> bool:
        """Whether this agent is offered the call when he is free."""
        return seat.serves(self.team) and not self.seat.done() and may_offer(seat, self.call_id, now)


def may_offer(seat: Seat, call_id: str, now: float) -> bool:
    """Whether an agent may be offered a call at the monotonic ``now``: not while he has just refused it."""
    return now - seat.refused.get(call_id, float("-inf")) >= AGAIN_SECONDS


def wait_seconds(refused: Mapping[str, float], call_id: str, now: float) -> float | None:
    """Seconds until an agent may be offered a call again; None: he has not refused it lately."""
    since = refused.get(call_id)
    return since + AGAIN_SECONDS - now if since is not None and since + AGAIN_SECONDS > now else None


def note_refusal(seat: Seat, call_id: str, now: float) -> bool:
    """He did not take a call; whether he had refused the same one before."""
    again = seat.refused.pop(call_id, None) is not None
    seat.refused[call_id] = now
    while len(seat.refused) > REFUSALS_KEPT:
        del seat.refused[next(iter(seat.refused))]
    return again
