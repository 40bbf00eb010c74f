"""An agent who is taken for a call that no queue and no campaign has for him: his own, or a colleague's."""

from __future__ import annotations

from contact_center.roster import Offer, Roster
from contact_center.seat import Seat
from contact_center.terms import AgentState


def take_seat(roster: Roster, seat: Seat, call_id: str) -> Offer | None:
    """Hold an agent in whatever state he is, but for one whom another call has: None. Synchronous.

    A wrap-up that runs is over with that: he has gone on to something else. While he is asked about a call, that
    call still has him.
    """
    if seat.in_menu or seat.engaged in (AgentState.OFFERED, AgentState.TALKING):
        return None
    roster.change(seat, engaged=AgentState.OFFERED, call_id=call_id, wrap_up_until_at=None)
    return Offer(roster, seat, call_id)
