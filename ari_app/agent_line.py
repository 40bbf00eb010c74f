"""Persistent agents: their own call stays up and customers arrive in it after a tone.

A line begins when the agent dials ``*48``, or when we ring an agent who is on line and whose way of being
connected is ``persistent``. Hanging up leaves the line.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import structlog

from ari_app.agent_leg import AUTO_ANSWER
from ari_app.bridge import Bridge
from ari_app.channel import Channel, GoneKind
from ari_app.errors import AriError, HungUp, NoAnswer
from ari_app.scope import until_hangup
from ari_app.services import Services
from contact_center.seat import Seat
from contact_center.terms import AgentConnect, AgentState, AgentStatus

LINE_BRIDGE = "callwright-line"  # name of every line's bridge, by which an earlier process's are known
TONE = "sound:beep"
CHECK_SECONDS = 1.0  # how often it is looked whether a persistent agent's phone must be rung
AGAIN_SECONDS = 15.0  # between two rings of a phone that did not answer

log = structlog.get_logger(__name__)


class LineLeg:
    """The agent's own call, for as long as one customer is in it."""

    def __init__(self, channel: Channel, bridge: Bridge) -> None:
        self.channel, self._bridge = channel, bridge

    @property
    def bridge_id(self) -> str:
        """The bridge of the line."""
        return self._bridge.id

    async def join(self, customer: Channel) -> None:
        """A tone for the agent, and the customer is there."""
        await asyncio.gather(self._bridge.add(customer), self.channel.play(TONE))


class AgentLines:
    """All lines that are up."""

    def __init__(self, env: Services) -> None:
        self._env = env
        self._lines: dict[str, LineLeg] = {}
        self._rung_at: dict[str, float] = {}
        self._wake = asyncio.Event()
        env.roster.listeners.append(self._wake.set)

    def get(self, ext: str) -> LineLeg | None:
        """The line of an agent, while it is up."""
        return self._lines.get(ext)

    def by_channel(self, channel_id: str) -> LineLeg | None:
        """The line that is this channel, or None."""
        return next((leg for leg in self._lines.values() if leg.channel.id == channel_id), None)

    async def hold(self, channel: Channel, seat: Seat, by: str) -> None:
        """A line's life: from the agent's answer to his hanging up, or his going off line."""
        bridge = self._env.ari.bridge(f"{LINE_BRIDGE}-{seat.ext}-{uuid4().hex[:8]}", name=LINE_BRIDGE)
        try:
            async with until_hangup(channel), bridge:
                await bridge.add(channel, absorb_dtmf=True)
                self._env.roster.set_status(seat.ext, AgentStatus.ONLINE, "", by=by)
                await self._stand_by(channel, seat, bridge)
        except HungUp:
            log.info("line ended", action="line", agent=seat.ext)
        finally:
            self._end(channel, seat)
            await channel.hang_up()

    async def resume(self, channel: Channel, seat: Seat, bridge: Bridge) -> None:
        """A line found up when control was regained."""
        try:
            async with until_hangup(channel), bridge:
                await self._stand_by(channel, seat, bridge)
        except HungUp:
            log.info("line ended", action="line", agent=seat.ext)
        finally:
            self._end(channel, seat)
            await channel.hang_up()

    async def _stand_by(self, channel: Channel, seat: Seat, bridge: Bridge) -> None:
        self._lines[seat.ext] = LineLeg(channel, bridge)
        self._env.roster.line(seat, channel.id)
        while seat.status is not AgentStatus.OFFLINE or seat.engaged is AgentState.TALKING:
            self._wake.clear()
            await self._wake.wait()

    def _end(self, channel: Channel, seat: Seat) -> None:
        self._lines.pop(seat.ext, None)
        self._env.roster.line(seat, "")
        lost = channel.gone.happened and channel.gone.value.kind is GoneKind.LOST
        if seat.status is not AgentStatus.OFFLINE and not (lost and seat.connect is AgentConnect.PERSISTENT):
            self._env.roster.set_status(seat.ext, AgentStatus.OFFLINE, "", by=f"agent:{seat.ext}")

    async def run(self) -> None:
        """Ring every agent who is on line, persistent and has no line. Runs until cancelled."""
        async with asyncio.TaskGroup() as rings:
            while True:
                for seat in self._env.roster:
                    if self._must_ring(seat):
                        self._rung_at[seat.ext] = self._env.clock.monotonic()
                        rings.create_task(self._ring(seat), name=f"line {seat.ext}")
                await asyncio.sleep(CHECK_SECONDS)

    def _must_ring(self, seat: Seat) -> bool:
        if seat.connect is not AgentConnect.PERSISTENT or seat.line or seat.status is AgentStatus.OFFLINE:
            return False
        waited = self._env.clock.monotonic() - self._rung_at.get(seat.ext, float("-inf"))
        return self._env.ari.live and seat.reachable and waited >= AGAIN_SECONDS

    async def _ring(self, seat: Seat) -> None:
        dialled = self._env.ari.dial(
            seat.endpoint,
            channel_id=f"cw-line-{seat.ext}-{uuid4().hex[:8]}",
            ring_seconds=float(self._env.settings.agents.ring_seconds),
            app_args=("line", seat.ext),
            caller_id=self._env.settings.site.name,
            variables=AUTO_ANSWER,
        )
        try:
            async with dialled as channel:
                self._rung_at.pop(seat.ext, None)
                await self.hold(channel, seat, by="system")
        except NoAnswer:
            log.info("line not answered", action="line", agent=seat.ext)
        except AriError as error:
            log.warning("line not rung", action="line", agent=seat.ext, reason=str(error))
