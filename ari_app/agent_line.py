"""Persistent agents: their own call stays up and customers arrive in it after a tone.

A line begins when the agent dials ``*48``, or when we ring an agent who is on line and whose way of being
connected is ``persistent``. Hanging up leaves the line. A line that is lost with its phone, or with Asterisk,
is nobody's wish: the agent stays on line and is reached again as soon as his phone is.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from uuid import uuid4

import structlog

from ari_app import formats
from ari_app.agent_keys import Action, Dispose, obeyed_keys
from ari_app.agent_leg import AUTO_ANSWER, TRANSFERS
from ari_app.bridge import Bridge
from ari_app.channel import Channel, GoneKind
from ari_app.client import AriClient
from ari_app.errors import AriError, HungUp, NoAnswer
from ari_app.line_pulse import Pulse, is_heard, is_on_hold, next_look, packets
from ari_app.preview_code import CodeOnLine
from ari_app.scope import finish, until_hangup
from ari_app.services import Services
from contact_center.errors import CallwrightError
from contact_center.seat import Seat
from contact_center.terms import AgentConnect, AgentState, AgentStatus

LINE_BRIDGE = "callwright-line"  # name of every line's bridge, by which an earlier process's are known
TONE = "sound:beep"
TONE_SECONDS = 0.25  # its beginning is enough, and the customer is heard beneath it
NO_SOUND = "sound:silence/1"
ON_LINE = "sound:agent-loginok"  # "Agent logged in."
CHECK_SECONDS = 1.0  # how often it is looked whether a persistent agent's phone must be rung
AGAIN_SECONDS = 15.0  # between two rings of a phone that did not answer
BEGIN_SECONDS = 0.5  # how long a sound that nobody hears may take to begin
LET_OUT_SECONDS = 5.0  # how long an agent is not free because a customer of another may be in his line
CLOSE_SECONDS = 2.0  # how long the end of a line may take that another one replaces
_NO_SOUND = 44  # the cause Asterisk gives when it ends a call because no RTP has come for long

log = structlog.get_logger(__name__)


class LineLeg:
    """The agent's own call, for as long as it is up. ``silent``: his phone has stopped sending."""

    def __init__(self, channel: Channel, bridge: Bridge, ari: AriClient) -> None:
        self.channel, self.bridge, self._ari = channel, bridge, ari
        self.closed = asyncio.Event()
        self.changed = asyncio.Event()
        self.silent = False
        self._joined = False
        self._own_format = ""
        self._translated = False
        self._speaking = asyncio.Lock()  # a sound can be stopped only when Asterisk has heard of it

    @property
    def bridge_id(self) -> str:
        """The bridge of the line."""
        return self.bridge.id

    async def join(self, customer: Channel) -> None:
        """A tone for the agent, and the customer is there. A tone that fails keeps nobody away.

        Played to the channel itself, the tone would cut both off from each other until its end. A customer who may or
        may not have come in is let out again: the line goes on with others, who must not hear him.
        """
        self._joined = True
        self._ari.spawn(self._tone(), f"tone {self.channel.id}")
        await self._hush()
        await self.bridge.remove_unsure(keep=self.channel)
        try:
            await self.bridge.add(customer)
        except AriError:
            if not customer.gone.happened:
                await finish(self._let_out(customer), within=LET_OUT_SECONDS)
            raise
        self._translated = True  # until it is known better
        self._ari.spawn(self._look_at_formats(), f"formats of {self.channel.id}")

    async def _let_out(self, customer: Channel) -> None:
        await self._ari.until_live()
        await self.bridge.remove(customer)

    async def _look_at_formats(self) -> None:
        """Whether this customer's voice is translated for the agent; to be seen only while both are joined."""
        try:
            if not self._own_format:
                self._own_format = (await self.channel.get_var("CHANNEL(audionativeformat)")).strip("()")
            heard = await self.channel.get_var("CHANNEL(audiowriteformat)")
        except AriError as error:
            log.debug("formats unknown", action="line", reason=str(error))
            return
        self._translated = heard != self._own_format

    async def _hush(self) -> None:
        async with self._speaking:
            await self.channel.stop_sounds()

    async def _tone(self) -> None:
        try:
            await self.channel.whisper(TONE, TONE_SECONDS)
        except AriError as error:
            log.warning("no tone for the agent", action="line", reason=str(error))

    async def forget_talker(self) -> None:
        """Make Asterisk's transcoder of this channel anew, where the last talk had one.

        It knows the RTP sequence numbers of who spoke last, and takes the next customer's for late ones of his where
        they are lower: half of all customers were not heard (22.10.1, agent alaw, customer ulaw). A sound that
        is played to the channel has the transcoder replaced.
        """
        if not self._translated:
            return
        self._translated = False
        try:
            async with self._speaking:
                sound = await self.channel.play(NO_SOUND)
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEGIN_SECONDS):
                        await sound.begun  # stopped before, it would have replaced nothing
                await sound.stop()
        except AriError as error:
            log.debug("transcoder not renewed", action="line", reason=str(error))

    async def greet(self) -> None:
        """Tell the agent that he is on line, unless a customer is there already; that it fails matters to nobody."""
        try:
            async with self._speaking:
                if not self._joined:
                    await self.channel.play(ON_LINE)
        except HungUp:
            raise
        except AriError as error:
            log.warning("nothing said to the agent", action="line", reason=str(error))


class AgentLines:
    """All lines that are up."""

    def __init__(self, env: Services) -> None:
        self._env = env
        self._lines: dict[str, LineLeg] = {}
        self._coming: set[str] = set()
        self._rung_at: dict[str, float] = {}
        env.roster.end_old_line = self.end_if_old

    def get(self, ext: str) -> LineLeg | None:
        """The line of an agent, while it is up."""
        return self._lines.get(ext)

    def by_channel(self, channel_id: str) -> LineLeg | None:
        """The line that is this channel, or None."""
        return next((leg for leg in self._lines.values() if leg.channel.id == channel_id), None)

    # -- a line's life --------------------------------------------------------------------------------

    async def hold(self, channel: Channel, seat: Seat, by: str, *, lent: bool = False) -> None:
        """A line's life: from the agent's answer to his hanging up, or his going off line.

        ``lent``: found in a call of its agent's, where it stays until that is over.
        """
        bridge = self._env.ari.bridge(f"{LINE_BRIDGE}-{seat.ext}-{uuid4().hex[:8]}", name=LINE_BRIDGE)
        leg = LineLeg(channel, bridge, self._env.ari)
        self._coming.add(seat.ext)
        try:
            async with until_hangup(channel):
                await self._give_way(seat)
                await bridge.create()
                if not lent:
                    await bridge.add(channel, absorb_dtmf=True)
                self._open(leg, seat)
                if seat.status is not AgentStatus.ONLINE:
                    self._env.roster.set_status(seat.ext, AgentStatus.ONLINE, "", by=by)
                if not lent:
                    await leg.greet()
                await self._stand_by(leg, seat)
        except HungUp:
            log.info("line ended", action="line", agent=seat.ext)
        finally:
            self._coming.discard(seat.ext)
            await self._close(leg, seat)

    async def resume(self, channel: Channel, seat: Seat, bridge: Bridge) -> None:
        """A line found up, in its bridge, when control was regained."""
        leg = LineLeg(channel, bridge, self._env.ari)
        self._open(leg, seat)
        try:
            async with until_hangup(channel):
                await self._stand_by(leg, seat)
        except HungUp:
            log.info("line ended", action="line", agent=seat.ext)
        finally:
            await self._close(leg, seat)

    async def may_replace(self, seat: Seat) -> bool:
        """Whether a line that is up may make way for a new one: not while its agent is heard in a talk."""
        leg = self._lines.get(seat.ext)
        if leg is None or seat.engaged not in (AgentState.OFFERED, AgentState.TALKING):
            return True
        return not await is_heard(leg.channel)

    async def end_if_old(self, ext: str) -> bool:
        """His phone is heard of: a line of his from which no sound comes any more ends now; whether there was one.

        A phone that was switched off and on again in a moment is never missed by Asterisk, and its old call stays up.
        A line that the phone has put on hold is no old one.
        """
        leg, seat = self._lines.get(ext), self._env.roster.get(ext)
        if leg is None or seat is None or await is_heard(leg.channel) or await is_on_hold(leg.channel):
            return False
        log.warning("line lost with its phone", action="line", agent=ext)
        await self._give_way(seat, leg)
        return True

    async def _give_way(self, seat: Seat, older: LineLeg | None = None) -> None:
        """The agent's older line ends: his phone has been restarted, or he dialled the code twice."""
        leg = older or self._lines.get(seat.ext)
        if leg is None:
            return
        await leg.channel.hang_up()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await leg.closed.wait()

    def _open(self, leg: LineLeg, seat: Seat) -> None:
        self._lines[seat.ext] = leg
        seat.watch = leg.changed.set
        self._env.roster.line(seat, leg.channel.id)

    async def _stand_by(self, leg: LineLeg, seat: Seat) -> None:
        """While the agent is on line, or talks; ``*49`` calls the lead that he is shown."""
        watching = self._env.ari.spawn(self._feel(leg, seat), f"pulse of line {seat.ext}")
        try:
            with leg.channel.on_keys(CodeOnLine(seat.ext, leg.channel, self._env).key):
                await self._until_off_line(leg, seat)
        finally:
            watching.cancel()

    async def _feel(self, leg: LineLeg, seat: Seat) -> None:
        """Look whether sound comes while nobody talks: a dead line would take customers until Asterisk ends it."""
        pulse = Pulse()
        while not pulse.pauses:
            await asyncio.sleep(next_look(asyncio.get_running_loop().time()))
            if seat.engaged is AgentState.TALKING or not self._env.ari.live:
                pulse.skip()
                continue
            try:
                pulse.note(await packets(leg.channel), self._env.clock.monotonic())
            except HungUp:
                return
            except AriError as error:
                log.debug("line not looked at", action="line", agent=seat.ext, reason=str(error))
                pulse.skip()
            if pulse.is_gone:
                if not await is_on_hold(leg.channel):
                    leg.silent = True
                    leg.changed.set()
                    return
                pulse.skip()

    async def _until_off_line(self, leg: LineLeg, seat: Seat) -> None:
        """While the agent is on line, or talks."""
        forgotten = ""
        async with obeyed_keys(leg.channel, partial(self._obey, seat), may_force=False):
            while seat.status is not AgentStatus.OFFLINE or seat.engaged is AgentState.TALKING:
                leg.changed.clear()
                if seat.last_call_id != forgotten and seat.engaged is not AgentState.TALKING:
                    forgotten = seat.last_call_id
                    self._env.ari.spawn(leg.forget_talker(), f"transcoder of line {seat.ext}")
                if leg.silent and seat.engaged is not AgentState.TALKING:
                    log.warning("line lost with its phone", action="line", agent=seat.ext)
                    return
                if seat.line_doubted and seat.engaged is not AgentState.TALKING:
                    if not await is_heard(leg.channel):
                        log.warning("line lost with its phone", action="line", agent=seat.ext)
                        return
                    self._env.roster.line_lives(seat)
                    continue
                await leg.changed.wait()

    async def _obey(self, seat: Seat, action: Action) -> None:
        """``*8`` CODE ``#`` keyed after the talk, for the customer who was there last."""
        call_id = seat.call_id if seat.in_menu else seat.last_call_id
        if isinstance(action, Dispose) and call_id and seat.engaged is not AgentState.TALKING:
            await self._store(seat, call_id, action.code)

    async def _store(self, seat: Seat, call_id: str, code: str) -> None:
        try:
            await self._env.dispose(call_id, code, f"agent:{seat.ext}")
        except CallwrightError as error:
            log.info("disposition refused", action="dispose", call_id=call_id, reason=str(error))

    async def _close(self, leg: LineLeg, seat: Seat) -> None:
        if self._lines.get(seat.ext) is leg:
            del self._lines[seat.ext]
            seat.watch = lambda: None
            self._env.roster.line(seat, "")
        if _hung_up_by_agent(leg.channel) and seat.status is not AgentStatus.OFFLINE:
            self._env.roster.set_status(seat.ext, AgentStatus.OFFLINE, "", by=f"agent:{seat.ext}")
        leg.closed.set()
        await finish(leg.channel.hang_up())
        await finish(leg.bridge.destroy())

    # -- phones that we ring --------------------------------------------------------------------------

    async def run(self) -> None:
        """Ring every agent who is on line, persistent and has no line. Runs until cancelled."""
        async with asyncio.TaskGroup() as rings:
            while True:
                for seat in self._env.roster:
                    if self._must_ring(seat):
                        self._coming.add(seat.ext)
                        self._rung_at[seat.ext] = self._env.clock.monotonic()
                        rings.create_task(self._ring(seat), name=f"line {seat.ext}")
                await asyncio.sleep(CHECK_SECONDS)

    def _must_ring(self, seat: Seat) -> bool:
        if seat.connect is not AgentConnect.PERSISTENT or seat.status is not AgentStatus.ONLINE:
            return False
        if seat.line or seat.own_calls or seat.engaged is AgentState.TALKING or seat.ext in self._coming:
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
            variables=AUTO_ANSWER | TRANSFERS,
            formats=formats.of_phones(self._env.settings),
        )
        try:
            async with dialled as channel:
                self._rung_at.pop(seat.ext, None)
                await self.hold(channel, seat, by="system")
        except NoAnswer as error:
            log.info("line not answered", action="line", agent=seat.ext)
            if error.gone.kind is GoneKind.DESTROYED:
                self._env.roster.line_missed(seat)
        except AriError as error:
            log.warning("line not rung", action="line", agent=seat.ext, reason=str(error))
        except Exception:  # one agent's line must not end everybody's
            log.exception("a line ended by an error", action="line", agent=seat.ext)
        finally:
            self._coming.discard(seat.ext)


def _hung_up_by_agent(channel: Channel) -> bool:
    """Whether the line's end was the agent's own doing."""
    if not channel.gone.happened:
        return False
    gone = channel.gone.value
    return gone.kind is not GoneKind.LOST and not gone.asked and gone.cause != _NO_SOUND
