"""One dialled attempt's life, from the INVITE to the last line of its timeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import structlog

from ari_app import caller_ids, detection, formats, machine_message, silent_message
from ari_app.after_call import After, Asked
from ari_app.agent_leg import AdoptedLeg, HeldLeg, Leg, NotTaken, ring_agent
from ari_app.agent_line import AgentLines
from ari_app.channel import Channel
from ari_app.errors import AriDown, AriError, HungUp, Refused, Uncertain
from ari_app.given_outside import GivenOutside, talk_outside
from ari_app.inbound_talk import Talk, say_sorry
from ari_app.outbound_end import CallEnd
from ari_app.patience import Patience
from ari_app.scope import finish, heard_late, until_hangup
from ari_app.services import Services
from contact_center import timeline
from contact_center.crash_points import reached
from contact_center.dialling import DialOrder
from contact_center.outcomes import gave_up
from contact_center.roster import Offer
from contact_center.story_kept import Talked
from contact_center.terms import Direction, Outcome, Party

SAFETY_SECONDS = 10.0  # Asterisk's own timeout is so much longer than ours, which counts from the ringing

log = structlog.get_logger(__name__)


class OutboundCall:
    """What one attempt has come to so far; its coroutine is :meth:`live`."""

    def __init__(self, order: DialOrder, env: Services, lines: AgentLines) -> None:
        self.order, self._env, self._lines = order, env, lines
        self.customer: Channel = env.ari.channel(order.channel_id)
        self.log = timeline.CallLog(
            timeline.Header(
                id=order.call_id,
                kind=order.kind,
                direction=Direction.OUTBOUND,
                started_at=order.started_at,
                caller_number=order.number,
                campaign=order.campaign,
                lead_id=order.lead_id,
                attempt=order.n,
                language=env.settings.site.language,
                dialled_at=order.ordered_at,
            )
        )
        self._end = CallEnd(order, self.customer, self.log, env, self._on_answer)
        self._limit: asyncio.Timeout | None = None
        self._held: Offer | None = None
        self._own_call: Channel | None = None
        self._is_over = False

    def hold(self, offer: Offer, own_call: Channel | None) -> None:
        """The agent who has asked for this call. It is taken back when he leaves his own call before the answer."""
        self._held, self._own_call = offer, own_call
        if own_call is not None:
            own_call.gone.add_done_callback(lambda _: self.withdraw())

    # -- the story ------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Dial, find an agent, let them talk, write it down."""
        await self._told(self._dial_and_serve())

    async def resume_ringing(self) -> None:
        """Go on with a call that an earlier process had placed."""
        await self._told(self._wait_and_serve())

    async def resume_talk(self, agent: Channel, ext: str, bridge_id: str, talk: Sequence[Talked]) -> None:
        """Go on with a talk that an earlier process had connected; ``talk`` is what is known of it."""
        self._talked(talk)
        await self._told(self._talk_on(agent, ext, bridge_id))

    async def resume_outside(self, to: GivenOutside, ext: str, talk: Sequence[Talked]) -> None:
        """Go on with a customer whom his agent (``ext``) had given to a number outside."""
        self._end.outcome, self._end.agent = Outcome.CONNECTED, ext
        self._talked(talk)
        await self._told(talk_outside(self._env, self.customer, to, self.log, self.order))

    def known(self, ringing_at: datetime | None, answered_at: datetime | None) -> None:
        """What an earlier process wrote down of this call."""
        if ringing_at:
            self.log.add(timeline.Rang(ringing_at))
        if answered_at:
            self.log.add(timeline.Answered(answered_at))

    def _is_known(self, kind: type[timeline.Rang] | type[timeline.Answered]) -> bool:
        return self.log.find(kind) is not None

    async def _told(self, story: Coroutine[Any, Any, None]) -> None:
        try:
            await story
        except HungUp as hangup:
            self._end.left(hangup)
        finally:
            self._over()
            if self._held is not None:
                self._held.close()
            if self._own_call is not None and not self._own_call.gone.happened:
                self._env.ari.spawn(self._own_call.hang_up(), f"end {self._own_call.id}")
            if not self.customer.gone.happened:
                await finish(self.customer.hang_up())

    def _after(self) -> After:
        return After(self._env.after, self.customer, self._ended_by)

    def _asked(self) -> Asked:
        order, language = self.order, self._env.settings.site.language
        return Asked(order.call_id, order.rating_group, order.rating_ivr, language=language)

    async def _dial_and_serve(self) -> None:
        if await self._ring(place=True):
            with self._patience() as patience:
                if not await self._is_machine():
                    await self._serve(patience)

    async def _wait_and_serve(self) -> None:
        if await self._ring(place=False):
            with self._patience() as patience:
                await self._without_music()
                if not (self.order.detect and await self._was_machine()):
                    await self._serve(patience)

    def _patience(self) -> Patience:
        self._end.patience = Patience(self.order, self.customer, self._env)
        return self._end.patience

    async def _without_music(self) -> None:
        """A consult of an earlier process may have put him on hold."""
        try:
            await self.customer.stop_moh()
        except HungUp:
            raise
        except AriError as error:
            log.info("music may go on", action="adopt", call_id=self.order.call_id, reason=str(error))

    def _talked(self, talk: Sequence[Talked]) -> None:
        for event in talk:
            self.log.add(event)

    async def _talk_on(self, agent: Channel, ext: str, bridge_id: str) -> None:
        async with AsyncExitStack() as agent_side:
            adopted = self._env.roster.adopt(ext, self.order.call_id, self.order.wrap_up_seconds)
            offer = agent_side.enter_context(adopted)
            if self._lines.by_channel(agent.id) is None:
                agent_side.push_async_callback(_end, agent)
            self._end.outcome, self._end.agent = Outcome.CONNECTED, ext  # also if he hangs up in this very moment
            async with self._after() as after, until_hangup(self.customer):
                after.talks(agent, offer, self._asked())
                await self._talk(AdoptedLeg(agent, bridge_id), agent_side, after)

    # -- ringing --------------------------------------------------------------------------------------

    async def _ring(self, *, place: bool) -> bool:
        """Whether the customer answered. His phone may ring for ring_seconds, counted from its ringing."""
        self.customer.ringing.add_done_callback(self._on_ringing)
        late = place and self.order.is_late(self._now(), self._env.clock.monotonic())
        if self._end.withdrawn or late:
            self._end.outcome, self._end.withdrawn = Outcome.NOT_ATTEMPTED, True
            return False
        self._end.placed_at = asyncio.get_running_loop().time()
        try:
            async with until_hangup(self.customer), asyncio.timeout(self.order.ring_seconds) as self._limit:
                if place:
                    await self._place()
                await self.customer.entered
        except TimeoutError:
            await heard_late(self._limit, self.customer.entered, self.customer.gone)
            if self.customer.gone.happened:
                raise HungUp(self.customer) from None
            if not self.customer.entered.happened:
                rang = self.customer.ringing.happened and not self._end.withdrawn
                self._end.outcome = gave_up(rang=rang)
                self.log.add(timeline.Left(self._now(), Party.SYSTEM))
                return False
        except (Refused, AriDown) as error:
            self._end.outcome = Outcome.NOT_ATTEMPTED
            self._end.withdrawn = isinstance(error, AriDown)
            log.warning("not placed", action="dial", call_id=self.order.call_id, reason=str(error))
            return False
        except Uncertain as error:
            self._end.certain = False
            log.warning("placed or not", action="dial", call_id=self.order.call_id, reason=str(error))
            return False
        finally:
            self._limit = None
        self._on_answer()
        return True

    async def _place(self) -> None:
        await self.customer.originate(
            self.order.endpoint,
            ring_seconds=2 * self.order.ring_seconds + SAFETY_SECONDS,
            app_args=("dialer", self.order.call_id),
            caller_id=caller_ids.shown(self._env.settings, self.order.trunk, self.order.caller_id),
            formats=formats.of_trunk(self._env.settings, self.order.trunk),
        )
        reached("originate_sent")

    def _on_ringing(self, _: object) -> None:
        at = self.customer.ringing.at or self._now()
        if not self._is_known(timeline.Rang):
            self.log.add(timeline.Rang(at))
            self._env.progress.ringing(self.order, at)
        if self._limit is not None and not self._limit.expired() and not self._end.withdrawn:
            self._limit.reschedule(asyncio.get_running_loop().time() + self.order.ring_seconds)

    def withdraw(self) -> None:
        """Take the call back unless it is answered."""
        if self.customer.entered.happened or self.customer.gone.happened:
            return
        self._end.withdrawn = True
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def ended_by_supervisor(self) -> None:
        """`call hangup`: the story says that the system ended it."""
        if not self.customer.entered.happened:
            self.log.add(timeline.Removed(self._now()))
            self._end.outcome = Outcome.MISSED if self.customer.ringing.happened else Outcome.TECHNICAL_ERROR
            self._end.withdrawn = True
        self.log.add(timeline.Left(self._now(), Party.SYSTEM))

    def _on_answer(self) -> None:
        if not self._is_known(timeline.Answered):
            at = self.customer.answered.at or self._now()
            self.log.add(timeline.Answered(at))
            self._env.progress.answered(self.order, at)

    # -- a machine ------------------------------------------------------------------------------------

    async def _is_machine(self) -> bool:
        """Whether a machine answered and needs no agent; then it is done with. An agent who waits hears it himself."""
        order = self.order
        if not order.detect or self._held is not None:
            return False
        verdict = await detection.judge(self.customer, order, self._env)
        self._end.verdict = verdict
        log.info("who answered", action="amd", call_id=order.call_id, verdict=verdict.status, cause=verdict.cause)
        to_agent = not verdict.is_machine or verdict.sampled or order.machine_action == "agent"
        self._env.progress.judged(order, self._now(), machine=not to_agent)
        if to_agent:
            return False
        self._end.outcome = Outcome.MACHINE
        if order.machine_action == "message":
            self._end.message_left = await machine_message.leave(self.customer, order, self._env, self.log, verdict)
        self.log.add(timeline.Left(self._now(), Party.SYSTEM))
        return True

    async def _was_machine(self) -> bool:
        """Whether an earlier process knew it for a machine: what it had begun to say is not begun again."""
        self._end.verdict = await machine_message.begun(self.customer)
        if self._end.verdict is None:
            return False
        self._end.outcome = Outcome.MACHINE
        self._env.progress.judged(self.order, self._now(), machine=True)
        self.log.add(timeline.Left(self._now(), Party.SYSTEM))
        return True

    # -- an agent -------------------------------------------------------------------------------------

    async def _serve(self, patience: Patience) -> None:
        """Offer the call to agents, one after the other, until one talks or the customer must be let go."""
        prefer = self.order.prefer_agent
        await patience.begin()
        in_time = True
        while in_time:
            async with AsyncExitStack() as agent_side, self._after() as after, until_hangup(self.customer):
                if patience.left <= 0 and self.order.message_required:
                    break
                offer, self._held = self._held, None
                if offer is None:
                    offer = await patience.reserve(prefer)
                if offer is None:
                    break
                agent_side.callback(offer.close)
                reached("agent_reserved")
                self.log.add(timeline.Offered(self._now(), offer.seat.name))
                try:
                    async with patience.limit():
                        leg = await agent_side.enter_async_context(self._agent_leg(offer))
                    await self._connect(leg, offer)
                except TimeoutError:
                    in_time = False
                    self.log.add(timeline.Missed(self._now(), offer.seat.name, "too_late"))
                except NotTaken as missed:
                    prefer = ""
                    offer.missed(missed.reason)
                    self.log.add(timeline.Missed(self._now(), offer.seat.name, missed.reason))
                else:
                    patience.over()
                    after.talks(leg.channel, offer, self._asked())
                    await self._talk(leg, agent_side, after)
                    return
            if in_time:
                await patience.until_live()
        await self._let_go()

    async def _let_go(self) -> None:
        """Nobody is free for him: he hears who called, where that is to be said, and the call ends."""
        self._end.outcome = Outcome.NO_FREE_OPERATORS
        if self.order.message:
            self._env.progress.let_go(self.order, self._now())
            async with until_hangup(self.customer):
                self._end.opted_out = await silent_message.say(self.customer, self.order, self._env, self.log)
        self.log.add(timeline.Left(self._now(), Party.SYSTEM))

    @asynccontextmanager
    async def _agent_leg(self, offer: Offer) -> AsyncIterator[Leg]:
        if offer.seat.line:
            line = self._lines.get(offer.ext)
            if line is None:
                raise NotTaken("failed")
            yield line
            return
        seat_early = not self.order.message_required  # he may have to leave before the agent answers
        if (own_call := self._own_call) is not None and not own_call.gone.happened:
            async with self._env.bridges.take() as bridge:
                try:
                    yield HeldLeg(own_call, bridge)
                finally:  # it was for this customer only, and its agent may give him away
                    await finish(own_call.hang_up())
            return
        leg_id = self._env.legs.next(self.order.channel_id)
        async with ring_agent(offer, self.order, self.customer, leg_id, self._env, seat_early=seat_early) as leg:
            yield leg

    async def _connect(self, leg: Leg, offer: Offer) -> None:
        try:
            await leg.join(self.customer)
        except HungUp as hangup:
            if hangup.channel is self.customer:
                raise
            raise NotTaken("no_answer") from None
        except AriError as error:
            log.warning("not connected", action="connect", call_id=self.order.call_id, reason=str(error))
            raise NotTaken("line_down") from None
        reached("bridge_joined")
        at = self._now()
        self._end.outcome, self._end.agent = Outcome.CONNECTED, offer.ext
        offer.connected(self.order.wrap_up_seconds)
        self.log.add(timeline.Connected(at, offer.seat.name))
        self._env.progress.connected(self.order, at, offer.ext, leg.channel.id, leg.bridge_id)

    # -- the talk -------------------------------------------------------------------------------------

    async def _talk(self, leg: Leg, agent_side: AsyncExitStack, after: After) -> None:
        """Until one of them leaves; the agent's codes are obeyed meanwhile."""
        may_force = self.order.force_hangup or self._lines.by_channel(leg.channel.id) is not None
        agent, wrap_up = self._end.agent, self.order.wrap_up_seconds
        parties = (self._env, self.customer, self.log, agent)
        talk = Talk(*parties, side=agent_side, after=after, wrap_up=wrap_up, record=self.order)
        if not await talk.until_over(leg, may_force=may_force, welcome=()):
            await say_sorry(self.customer)
            self.log.add(timeline.Left(self._now(), Party.SYSTEM))

    # -- the end --------------------------------------------------------------------------------------

    def _over(self) -> None:
        """What came of the call is written down, once."""
        if not self._is_over:
            self._is_over = True
            self._env.progress.ended(self.order, self._end.result())

    def _ended_by(self, hangup: HungUp) -> None:
        """The customer's line is free: his record is written before his agent is asked anything."""
        self._end.left(hangup)
        self._over()

    def _now(self) -> datetime:
        return self._env.clock.now()


async def _end(agent: Channel) -> None:
    await finish(agent.hang_up())
