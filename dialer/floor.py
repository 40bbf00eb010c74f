"""The agents by team as pacing sees them, kept up to date seat by seat, and what their changes mean to a pacer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from contact_center.clock import Clock
from contact_center.roster import Roster
from contact_center.seat import Seat
from contact_center.terms import AgentState, AgentStatus

EVERYBODY = ""
_READY = (AgentState.IDLE, AgentState.OFFERED)
_AT_WORK = (*_READY, AgentState.TALKING, AgentState.WRAP_UP)


def agent_number(ext: str) -> int:
    """An agent as pacers know him: the digits of his extension after a 1, so that leading zeros count."""
    return int(f"1{ext}") if ext.isdecimal() else 0


@dataclass(slots=True)
class Crew:
    """The agents of one team who are on line; spans begin at instants of the monotonic clock."""

    idle: int = 0
    on_line: int = 0
    talking: dict[str, float] = field(default_factory=dict)
    wrapping: dict[str, float] = field(default_factory=dict)

    def ages(self, now: float) -> tuple[list[float], list[float]]:
        """Seconds of the talks and of the wrap-ups under way."""
        return [now - at for at in self.talking.values()], [now - at for at in self.wrapping.values()]


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """``kind``: hangup, ready, login or logout, as :meth:`dialer.pacing.Pacer.observe` has them."""

    kind: str
    ext: str
    team: str


class _Place(NamedTuple):
    team: str
    state: AgentState
    on_line: bool


_NOWHERE = _Place(EVERYBODY, AgentState.OFFLINE, False)


class Floor:
    """Hears of every seat. ``tell`` gets what pacers learn from; ``stir`` the team that may now want more calls."""

    def __init__(
        self, roster: Roster, clock: Clock, tell: Callable[[AgentEvent], None], stir: Callable[[str], None]
    ) -> None:
        self.roster, self._clock, self._tell, self._stir = roster, clock, tell, stir
        self._crews: defaultdict[str, Crew] = defaultdict(Crew)
        self._places: dict[str, _Place] = {}
        self.offered: set[str] = set()
        self._offered_to: dict[str, str] = {}
        self._needed: set[str] = set()
        for seat in roster:
            self.hear(seat)
        roster.on_seat.append(self.hear)

    def whole(self, team: str) -> Crew:
        """The agents of a team who are on line; an empty team means everybody."""
        return self._crews[team]

    def look(self) -> None:
        """Ask whom the callers in the queues need for themselves: they come before campaigns."""
        callers = self.roster.callers
        self._needed = callers.spoken_for() if callers is not None else set()

    def crew(self, team: str) -> Crew:
        """Those of them whom a campaign may use, by the last look."""
        whole, needed = self._crews[team], self._needed
        if not needed:
            return whole
        places = [place for ext in needed if (place := self._places.get(ext)) and place.on_line]
        theirs = [place for place in places if team in (EVERYBODY, place.team)]
        return Crew(
            whole.idle - sum(place.state is AgentState.IDLE for place in theirs),
            whole.on_line - len(theirs),
            {ext: at for ext, at in whole.talking.items() if ext not in needed},
            {ext: at for ext, at in whole.wrapping.items() if ext not in needed},
        )

    def hear(self, seat: Seat) -> None:
        """A seat has changed, perhaps."""
        self._follow_offer(seat)
        state = seat.state
        on_line = seat.status is AgentStatus.ONLINE and state is not AgentState.UNREACHABLE
        place = _Place(seat.team, state, on_line)
        before = self._places.get(seat.ext, _NOWHERE)
        if place == before:
            return
        self._places[seat.ext] = place
        self._leave(seat.ext, before)
        self._enter(seat, place)
        for event in _meaning(seat.ext, before, place):
            self._tell(event)
        if place.on_line and (not before.on_line or place.state in (AgentState.IDLE, AgentState.WRAP_UP)):
            self._stir(place.team)

    def _follow_offer(self, seat: Seat) -> None:
        """Which calls an agent's phone rings for: their customers wait for nobody else."""
        self.offered.discard(self._offered_to.pop(seat.ext, ""))
        if seat.engaged is AgentState.OFFERED and seat.call_id:
            self._offered_to[seat.ext] = seat.call_id
            self.offered.add(seat.call_id)

    def _leave(self, ext: str, place: _Place) -> None:
        if not place.on_line:
            return
        for crew in self._crews_of(place.team):
            crew.on_line -= 1
            crew.idle -= place.state is AgentState.IDLE
            crew.talking.pop(ext, None)
            crew.wrapping.pop(ext, None)

    def _enter(self, seat: Seat, place: _Place) -> None:
        if not place.on_line:
            return
        crews = self._crews_of(place.team)
        for crew in crews:
            crew.on_line += 1
            crew.idle += place.state is AgentState.IDLE
        if place.state in (AgentState.TALKING, AgentState.WRAP_UP):
            since = self._clock.monotonic() - max((self._clock.now() - seat.since_at).total_seconds(), 0.0)
            for crew in crews:
                (crew.talking if place.state is AgentState.TALKING else crew.wrapping)[seat.ext] = since

    def _crews_of(self, team: str) -> list[Crew]:
        return [self._crews[EVERYBODY], self._crews[team]] if team != EVERYBODY else [self._crews[EVERYBODY]]


def _meaning(ext: str, before: _Place, after: _Place) -> list[AgentEvent]:
    """What a pacer is told of one change. A pause is a logout: nothing tells when it ends."""
    events: list[AgentEvent] = []
    moved = before.team != after.team
    was_here, is_here = before.state in _AT_WORK, after.state in _AT_WORK
    if before.state is AgentState.TALKING and after.state is not AgentState.TALKING:
        events.append(AgentEvent("hangup", ext, before.team))
    if was_here and (moved or not is_here):
        events.append(AgentEvent("logout", ext, before.team))
    if is_here and (moved or not was_here):
        events.append(AgentEvent("login", ext, after.team))
    elif is_here and before.state not in _READY and after.state in _READY:
        events.append(AgentEvent("ready", ext, after.team))
    return events
