"""Who takes calls: every agent's state, decided in one place and without an await.

Choosing an agent and marking him taken is one synchronous step, so no agent can be given two calls. What
changes is told to the store as facts (never waited for), and of each seat to the dialer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from contact_center.clock import Clock
from contact_center.desk import AgentCard
from contact_center.errors import NotFound
from contact_center.models import Agent
from contact_center.seat import Seat, no_line
from contact_center.store.facts import AgentStateChanged, AgentStatusChanged, Fact
from contact_center.terms import AgentConnect, AgentState, AgentStatus
from contact_center.waiters import Callers, Waiter, may_offer, note_refusal, wait_seconds


class Offer:
    """One agent held for one call. Leaving the ``with`` block frees him, whatever happened inside."""

    def __init__(self, roster: Roster, seat: Seat, call_id: str) -> None:
        self._roster, self.seat, self.call_id = roster, seat, call_id
        self._wrap_up_seconds = 0.0
        self._missed = ""

    @property
    def ext(self) -> str:
        """The agent's extension."""
        return self.seat.ext

    def connected(self, wrap_up_seconds: float) -> None:
        """He talks; afterwards he wraps up for so long."""
        self._wrap_up_seconds = wrap_up_seconds
        self._roster.change(self.seat, engaged=AgentState.TALKING, misses=0, wrap_up_until_at=None)

    @contextmanager
    def menu(self) -> Iterator[None]:
        """He is asked about the call that is over: wrap-up, which nothing ends before the block does."""
        self.seat.in_menu = True
        self._roster.change(self.seat, engaged=AgentState.WRAP_UP)
        try:
            yield
        finally:
            self.seat.in_menu = False

    def missed(self, reason: str) -> None:
        """He did not take the call: ``no_answer`` or ``rejected``, or his phone did not: ``failed``, ``silent``."""
        self._missed = reason

    def close(self) -> None:
        """The call is over for him."""
        self._roster.release(self.seat, self._missed, self._wrap_up_seconds)


class Roster:
    """All agents of this contact centre; implements :class:`contact_center.desk.Desk`."""

    def __init__(self, clock: Clock, post: Callable[[Fact], None], *, max_misses: int = 2) -> None:
        self._clock, self._post, self._max_misses = clock, post, max_misses
        self._seats: dict[str, Seat] = {}
        self._waiters: list[Waiter] = []
        self._wake = asyncio.Event()
        self.on_seat: list[Callable[[Seat], None]] = []
        self.on_status: list[Callable[[Seat], None]] = []
        self.callers: Callers | None = None
        self.end_old_line: Callable[[str], Coroutine[None, None, bool]] = no_line

    # -- what others ask ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats.values())

    def get(self, ext: str) -> Seat | None:
        """The seat of an extension."""
        return self._seats.get(ext)

    def seat_of(self, endpoint: str) -> Seat | None:
        """The seat whose phone is ``PJSIP/name``."""
        return next((seat for seat in self._seats.values() if seat.endpoint == endpoint), None)

    def by_endpoint(self, endpoint: str) -> AgentCard | None:
        """Desk: whose authenticated endpoint this is."""
        seat = self.seat_of(endpoint)
        return seat.card() if seat else None

    def idle(self, team: str) -> int:
        """How many agents of a team (empty: of all) could take a campaign's call this instant.

        Those whom callers in the queues need are left out.
        """
        needed = self._spoken_for()
        idle = (s for s in self._seats.values() if s.serves(team) and s.state is AgentState.IDLE)
        return sum(1 for seat in idle if seat.ext not in needed)

    def on_line(self, team: str) -> list[Seat]:
        """Those who take a campaign's calls now or after the one they have; who is needed by a queue is left out."""
        needed = self._spoken_for()
        there = (s for s in self._seats.values() if s.serves(team) and s.is_on_line)
        return [seat for seat in there if seat.ext not in needed]

    def _spoken_for(self) -> set[str]:
        return self.callers.spoken_for() if self.callers is not None else set()

    # -- taking an agent ------------------------------------------------------------------------------

    def reserve(self, team: str, call_id: str, prefer: str = "") -> Offer | None:
        """Hold the preferred agent if idle, else the longest idle one; not who has just refused this very call."""
        seat = self._choose(team, call_id, prefer)
        if seat is None:
            return None
        self.hold(seat, call_id)
        return Offer(self, seat, call_id)

    def hold(self, seat: Seat, call_id: str) -> None:
        """Mark a free agent as held for a call: whoever chose him makes the offer of it."""
        self.change(seat, engaged=AgentState.OFFERED, call_id=call_id, wrap_up_until_at=None)

    async def reserve_within(self, seconds: float, team: str, call_id: str, prefer: str = "") -> Offer | None:
        """As :meth:`reserve`, waiting for the first agent who becomes free; None when time is up.

        Waiting calls are served in the order they came.
        """
        ends = self._clock.monotonic() + max(seconds, 0.0)
        while (offer := self.reserve(team, call_id, prefer)) is None:
            left = ends - self._clock.monotonic()
            again = self._again_seconds(team, call_id)
            seat = await self._freed(min(left, again), team, call_id, prefer)
            if seat is not None:
                self.hold(seat, call_id)
                return Offer(self, seat, call_id)
            if again >= left:
                return None
        return offer

    def _again_seconds(self, team: str, call_id: str) -> float:
        """Until an idle agent may be offered again what he has refused; endless where none has."""
        now = self._clock.monotonic()
        idle = (s for s in self._seats.values() if s.serves(team) and s.state is AgentState.IDLE)
        waits = (wait_seconds(seat.refused, call_id, now) for seat in idle)
        return min((wait for wait in waits if wait is not None), default=float("inf"))

    async def _freed(self, seconds: float, team: str, call_id: str, prefer: str) -> Seat | None:
        """The first agent who becomes free for a call; None when time is up."""
        waiter = Waiter(team, call_id, prefer)
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                return await waiter.seat
        except TimeoutError:
            if not waiter.seat.done() or waiter.seat.cancelled():
                return None
            return waiter.seat.result()  # he became free in the very turn in which time ran out
        except asyncio.CancelledError:
            if waiter.seat.done() and not waiter.seat.cancelled():
                self.release(waiter.seat.result(), "", 0.0)
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    @contextmanager
    def adopt(self, ext: str, call_id: str, wrap_up_seconds: float) -> Iterator[Offer | None]:
        """Take back an agent who was found talking when control was regained."""
        seat = self._seats.get(ext)
        if seat is None:
            yield None
            return
        offer = Offer(self, seat, call_id)
        self.change(seat, call_id=call_id, wrap_up_until_at=None)
        offer.connected(wrap_up_seconds)
        try:
            yield offer
        finally:
            offer.close()

    def _choose(self, team: str, call_id: str, prefer: str) -> Seat | None:
        now = self._clock.monotonic()
        seats = (seat for seat in self._seats.values() if seat.engaged is None and seat.serves(team))
        idle = [s for s in seats if s.state is AgentState.IDLE and (not s.refused or may_offer(s, call_id, now))]
        preferred = next((seat for seat in idle if seat.ext == prefer), None)
        return preferred or min(idle, key=lambda seat: (seat.idle_since_at, seat.ext), default=None)

    def release(self, seat: Seat, missed: str, wrap_up_seconds: float) -> None:
        """End an offer or a talk: next is wrap-up, the end of the idle line, or a pause after too many misses."""
        now = self._clock.now()
        served = seat.engaged in (AgentState.TALKING, AgentState.WRAP_UP) or missed not in ("", "line_down")
        if missed in ("failed", "silent"):  # not his doing
            seat.reachable = False
            seat.doubted_at = now if missed == "silent" else None
        elif missed and missed != "line_down":
            again = note_refusal(seat, seat.call_id, self._clock.monotonic())
            if not again or missed != "rejected":  # one customer whom he does not want is one miss
                self._count_miss(seat, "calls not answered")
        seat.last_call_id = seat.call_id
        until = now + timedelta(seconds=wrap_up_seconds) if wrap_up_seconds > 0 and not missed else None
        seat.wrap_up_ends = self._clock.monotonic() + wrap_up_seconds
        self.change(
            seat,
            engaged=AgentState.WRAP_UP if until else None,
            wrap_up_until_at=until,
            call_id="",
            idle_since_at=now if served else seat.idle_since_at,  # who got nothing keeps his place
        )
        if until:
            self._wake.set()

    def _count_miss(self, seat: Seat, reason: str) -> None:
        seat.misses += 1
        if seat.misses >= self._max_misses and seat.status is AgentStatus.ONLINE:
            self._choose_status(seat, AgentStatus.PAUSED, reason, by="system")

    @contextmanager
    def calling(self, endpoint: str, channel_id: str) -> Iterator[None]:
        """Desk: the agent's phone is in a call of its own while the block lasts."""
        seat = self.seat_of(endpoint)
        if seat is None:
            yield
            return
        seat.own_calls.append(channel_id)
        try:
            yield
        finally:
            seat.own_calls.remove(channel_id)

    # -- what agents and supervisors choose (Desk) ----------------------------------------------------

    async def go_online(self, ext: str, *, by: str) -> AgentCard:
        """Desk: on line."""
        return self.set_status(ext, AgentStatus.ONLINE, "", by=by)

    async def go_offline(self, ext: str, *, by: str) -> AgentCard:
        """Desk: off line."""
        return self.set_status(ext, AgentStatus.OFFLINE, "", by=by)

    async def pause(self, ext: str, reason: str, *, by: str) -> AgentCard:
        """Desk: on line, but no calls."""
        return self.set_status(ext, AgentStatus.PAUSED, reason, by=by)

    async def unpause(self, ext: str, *, by: str) -> AgentCard:
        """Desk: calls may come again."""
        return self.set_status(ext, AgentStatus.ONLINE, "", by=by)

    def set_status(self, ext: str, status: AgentStatus, reason: str, *, by: str) -> AgentCard:
        """What the agent chose. Raises NotFound."""
        seat = self._seats.get(ext)
        if seat is None:
            raise NotFound("agent", ext)
        self._choose_status(seat, status, reason, by=by)
        self.change(seat, misses=0)
        return seat.card()

    def _choose_status(self, seat: Seat, status: AgentStatus, reason: str, *, by: str) -> None:
        if status is AgentStatus.ONLINE and seat.status is not AgentStatus.ONLINE:
            seat.idle_since_at = self._clock.now()
        seat.status, seat.pause_reason, seat.chose_at = status, reason, self._clock.now()
        self._post(AgentStatusChanged(ext=seat.ext, status=status, pause_reason=reason, actor=by, at=seat.chose_at))
        self._tell_status(seat)

    def _tell_status(self, seat: Seat) -> None:
        for tell in self.on_status:
            tell(seat)

    # -- what the system sees -------------------------------------------------------------------------

    def phone(self, endpoint: str, reachable: bool) -> None:
        """The phone behind ``PJSIP/name`` registered, or was lost. That it is back proves nothing of its line."""
        seat = self.seat_of(endpoint)
        if seat is None:
            return
        seat.phone_news += 1
        if seat.reachable != reachable:
            doubted = bool(seat.line) and (seat.line_doubted or not reachable)
            self.change(seat, reachable=reachable, line_doubted=doubted, doubted_at=None)

    def line(self, seat: Seat, channel_id: str) -> None:
        """A persistent agent's own call came up, or went (empty)."""
        misses = 0 if channel_id else seat.misses
        self.change(seat, line=channel_id, line_doubted=False, misses=misses, idle_since_at=self._clock.now())

    def line_lives(self, seat: Seat) -> None:
        """His own call was proven to live although his phone does not answer Asterisk."""
        self.change(seat, line_doubted=False)

    def line_missed(self, seat: Seat) -> None:
        """His phone was rung to connect him for good, and he did not answer."""
        self._count_miss(seat, "line not answered")
        self.change(seat)

    def change(self, seat: Seat, **values: object) -> None:
        """Set system fields of a seat; tell store and whoever hears of seats (`on_seat`)."""
        for name, value in values.items():
            setattr(seat, name, value)
        self._settle(seat)
        seat.watch()
        self._tell_seat(seat)

    def _tell_seat(self, seat: Seat) -> None:
        for tell in self.on_seat:
            tell(seat)

    def _settle(self, seat: Seat) -> None:
        if seat.status is AgentStatus.OFFLINE and seat.engaged is AgentState.WRAP_UP and not seat.in_menu:
            seat.engaged, seat.wrap_up_until_at = None, None  # who has left need not wait for the end of it
        self._serve_waiter(seat)
        if seat.state != seat.shown_state:
            seat.shown_state, seat.since_at = seat.state, self._clock.now()
        shown = seat.fingerprint()
        if shown != seat.told:
            seat.told = shown
            self._post(_state_fact(seat))

    def _serve_waiter(self, seat: Seat) -> None:
        """Callers in the queues first, then the answered calls of campaigns."""
        if seat.state is not AgentState.IDLE:
            return
        if self.callers is not None and (call_id := self.callers.take(seat)):
            seat.engaged, seat.call_id = AgentState.OFFERED, call_id
            return
        fitting = [w for w in self._waiters if w.may_have(seat, self._clock.monotonic())]
        if not fitting:
            return
        waiter = next((w for w in fitting if w.prefer == seat.ext), fitting[0])
        self._waiters.remove(waiter)
        seat.engaged = AgentState.OFFERED
        waiter.seat.set_result(seat)

    # -- rows and time --------------------------------------------------------------------------------

    def load(self, rows: Iterable[Agent], now: datetime) -> None:
        """Take the agents as the store knows them; talks are adopted later, wrap-ups go on."""
        for row in rows:
            seat = self._seats[row.ext] = Seat.of(row)
            if row.wrap_up_until_at and row.wrap_up_until_at > now:
                seat.engaged, seat.wrap_up_until_at = AgentState.WRAP_UP, row.wrap_up_until_at
                seat.wrap_up_ends = self._clock.monotonic() + (row.wrap_up_until_at - now).total_seconds()
            seat.told = seat.fingerprint_of(row)
            seat.shown_state = AgentState(row.state)
            self.change(seat)
        self._wake.set()

    def sync(self, ext: str, row: Agent | None, *, chose_at: datetime | None = None) -> None:
        """Obey what a supervisor changed in the agent's row, at ``chose_at`` his status; None: he was removed."""
        seat = self._seats.get(ext)
        if row is None:
            if seat:
                del self._seats[ext]
                seat.status = AgentStatus.OFFLINE  # whoever holds a line of his lets it go
                seat.watch()
                self._tell_seat(seat)
        elif seat is None:
            self.load([row], self._clock.now())
        else:
            was = seat.status
            seat.take_settings(row)
            if seat.take_status(row, chose_at):
                self._tell_status(seat)
            came = was != AgentStatus.ONLINE == seat.status
            self.change(seat, **({"misses": 0, "idle_since_at": self._clock.now()} if came else {}))

    async def run(self) -> None:
        """End each wrap-up at its time. Runs until cancelled; owned by ``serve``."""
        while True:
            now = self._clock.monotonic()  # the hands of the other clock may be turned meanwhile
            for seat in [s for s in self._seats.values() if s.wrap_up_until_at and s.wrap_up_ends <= now]:
                self.end_wrap_up(seat)
            ends = [s.wrap_up_ends for s in self._seats.values() if s.wrap_up_until_at]
            delay = min(ends) - now if ends else None
            self._wake.clear()
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def end_wrap_up(self, seat: Seat) -> None:
        """The agent is ready again, by time or because his work after the call is done."""
        if seat.engaged is AgentState.WRAP_UP and not seat.in_menu:
            self.change(seat, engaged=None, wrap_up_until_at=None, idle_since_at=self._clock.now())

    def is_persistent(self, seat: Seat) -> bool:
        """Whether customers reach this agent in a call of his own that stays up."""
        return bool(seat.line) or seat.connect is AgentConnect.PERSISTENT


def _state_fact(seat: Seat) -> AgentStateChanged:
    return AgentStateChanged(
        ext=seat.ext,
        state=seat.shown_state,
        since_at=seat.since_at,
        idle_since_at=seat.idle_since_at,
        wrap_up_until_at=seat.wrap_up_until_at,
        call_id=seat.call_id,
        misses=seat.misses,
    )
