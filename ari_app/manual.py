"""An agent's own call to a number outside, from his order to the last line of its timeline."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from ari_app import caller_ids, formats
from ari_app.after_call import After, Asked
from ari_app.agent_leg import AdoptedLeg, Leg, NotTaken
from ari_app.agent_line import LineLeg
from ari_app.channel import Channel, GoneKind
from ari_app.errors import AriDown, AriError, HungUp, Refused, Uncertain
from ari_app.given_outside import GivenOutside, talk_outside
from ari_app.inbound_talk import Talk, say_sorry
from ari_app.own_parts import OwnParts, finished
from ari_app.own_phone import OwnLeg, no_ringback, own_leg_id, own_side, ringback, tell_failure
from ari_app.parting import customer_left
from ari_app.scope import finish, heard_late, until_hangup
from ari_app.trunk_line import take_line
from contact_center import story
from contact_center.labels import label
from contact_center.options import OUTBOUND_QUEUE, QueueOptions
from contact_center.outcomes import classify, gave_up
from contact_center.outside_calls import OutsideNumber
from contact_center.roster import Offer
from contact_center.store.facts import OwnCallAnswered, OwnCallPlaced
from contact_center.story_kept import Talked
from contact_center.terms import CallKind, Direction, Outcome, Party
from contact_center.timeline import fold
from contact_center.trunks import NoLine

SAFETY_SECONDS = 10.0  # Asterisk's own timeout is so much longer than ours
_BUSY, _NO_ANSWER, _CONGESTION = 17, 19, 34
_CAUSES = {Outcome.MISSED: _NO_ANSWER, Outcome.NOT_ATTEMPTED: _CONGESTION, Outcome.BUSY: _BUSY}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """Who calls whom, and since when.

    ``by``: the name of who ordered it, where another agent has the number now.
    ``ring_seconds``: how long it rang there, where an earlier process has connected it.
    """

    call_id: str
    outside: OutsideNumber
    at: datetime
    by: str = ""
    ring_seconds: float = 0.0


def customer_id(call_id: str) -> str:
    """The channel of the number that an agent calls."""
    return f"cw-{call_id}-c"


class ManualCall:
    """What one own call has come to so far; its coroutine is :meth:`live`."""

    def __init__(self, order: OwnOrder, offer: Offer, parts: OwnParts) -> None:
        self.order, self.call_id = order, order.call_id
        self._offer, self._parts, self._env = offer, parts, parts.env
        self.customer: Channel = self._env.ari.channel(customer_id(order.call_id))
        language = self._env.settings.site.language
        self.log = story.CallLog(
            story.Header(
                id=order.call_id,
                kind=CallKind.MANUAL,
                direction=Direction.OUTBOUND,
                started_at=order.at,
                caller_number=order.outside.number,
                queue=label("outbound", language),
                language=language,
            )
        )
        self.log.add(story.Offered(order.at, order.by or offer.seat.name))
        self._outcome: Outcome | None = None
        self._words: tuple[str, ...] = ()  # what he hears where nothing came of it, besides the busy tone
        self._written = False

    # -- the story ------------------------------------------------------------------------------------

    async def live(self, phone: Channel | None) -> None:
        """Reach the agent, call the number, let them talk, write it down. ``phone``: with which he dialled."""
        self._parts.post(
            OwnCallPlaced(
                call_id=self.call_id,
                kind=CallKind.MANUAL.value,
                direction=Direction.OUTBOUND.value,
                queue=self.log.header.queue,
                number=self.order.outside.number,
                at=self.order.at,
                ext=self._offer.ext,
                agent_channel_id=phone.id if phone else own_leg_id(self.call_id),
                channel_id=self.customer.id,
            )
        )
        await self._told(self._through(phone))

    async def resume_talk(self, agent: Channel, bridge_id: str, talk: Sequence[Talked]) -> None:
        """Go on with a talk that an earlier process had connected; ``talk`` is what is known of it, not empty."""
        self._known(talk)
        await self._told(self._talk_on(agent, bridge_id))

    async def resume_outside(self, to: GivenOutside, talk: Sequence[Talked]) -> None:
        """Go on with a customer who was given to another number outside."""
        self._known(talk)
        await self._told(talk_outside(self._env, self.customer, to, self.log, self._options))

    def _known(self, talk: Sequence[Talked]) -> None:
        self._outcome = Outcome.CONNECTED
        if self.order.ring_seconds:
            self.log.add(story.Rang(talk[0].at - timedelta(seconds=self.order.ring_seconds)))
        self.log.add(story.Answered(talk[0].at))
        for event in talk:
            self.log.add(event)

    async def _told(self, life: Coroutine[Any, Any, None]) -> None:
        try:
            await life
        except HungUp as hangup:
            self._left(hangup)
        finally:
            self._write()
            if not self.customer.gone.happened:
                await finish(self.customer.hang_up())

    async def _through(self, phone: Channel | None) -> None:
        async with AsyncExitStack() as agent_side:
            agent_side.callback(self._offer.close)
            leg: OwnLeg | LineLeg | None = None
            try:
                async with self._after() as after, until_hangup(self.customer):
                    leg = await self._agent_there(agent_side, phone)
                    if leg is not None and await self._reached(leg):
                        await self._talk(leg, agent_side, after)
                        return
            except HungUp as hangup:
                self._left(hangup)
            if leg is not None and self._outcome is not Outcome.CONNECTED:
                self._write()
                await tell_failure(leg, self._cause(), self._words)

    async def _agent_there(self, agent_side: AsyncExitStack, phone: Channel | None) -> OwnLeg | LineLeg | None:
        lines, number = self._parts.lines, self.order.outside.number
        side = own_side(self._env, lines, self._offer.seat, self.call_id, phone, number)
        try:
            return await agent_side.enter_async_context(side)
        except HungUp:
            raise
        except (NotTaken, AriError) as missed:
            self.log.add(story.Left(self._now(), Party.AGENT))
            self._outcome = Outcome.NOT_ATTEMPTED
            log.info("own call without its agent", action="own_call", call_id=self.call_id, reason=str(missed))
            return None

    # -- ringing --------------------------------------------------------------------------------------

    async def _reached(self, leg: OwnLeg | LineLeg) -> bool:
        """Whether he and the number hear each other; the agent may hang up meanwhile."""
        self.customer.ringing.add_done_callback(self._on_ringing)
        seconds = float(self._env.settings.agents.dial_seconds)
        async with until_hangup(leg.channel):
            await ringback(leg)
            try:
                async with asyncio.timeout(seconds) as limit:
                    await self._place(seconds)
                    await self.customer.entered
            except TimeoutError:
                await heard_late(limit, self.customer.entered, self.customer.gone)
                if not self.customer.entered.happened:
                    self._outcome = gave_up(rang=self.customer.ringing.happened)
                    return False
            except NoLine as error:
                self._outcome, self._words = Outcome.NOT_ATTEMPTED, self._env.spoken(error.word)
                log.info("own call refused", action="own_call", call_id=self.call_id, reason=str(error))
                return False
            except (Refused, AriDown, Uncertain) as error:
                self._outcome = Outcome.NOT_ATTEMPTED
                log.warning("not placed", action="own_call", call_id=self.call_id, reason=str(error))
                return False
            return await self._connect(leg)

    async def _place(self, seconds: float) -> None:
        outside = self.order.outside
        trunk = await take_line(self._env, self.customer, outside.trunks)
        await self.customer.originate(
            self._env.trunks.dial_string(trunk, outside.number),
            ring_seconds=seconds + SAFETY_SECONDS,
            app_args=("own", self.call_id),
            caller_id=caller_ids.shown(self._env.settings, trunk, outside.caller_id),
            formats=formats.of_trunk(self._env.settings, trunk),
        )

    async def _connect(self, leg: OwnLeg | LineLeg) -> bool:
        self.log.add(story.Answered(self.customer.answered.at or self._now()))
        try:
            if leg.channel.answered.happened:
                await no_ringback(leg)
            await leg.join(self.customer)
        except HungUp:
            raise
        except AriError as error:
            self._outcome = Outcome.TECHNICAL_ERROR
            log.warning("not connected", action="own_call", call_id=self.call_id, reason=str(error))
            return False
        at, name = self._now(), self._offer.seat.name
        self._outcome = Outcome.CONNECTED
        self._offer.connected(self._options.wrap_up_seconds)
        self.log.add(story.Connected(at, name))
        rang = round(story.seconds_between(self.customer.ringing.at, self.customer.answered.at), 3)
        self._parts.post(OwnCallAnswered(self.call_id, at, (name,), leg.channel.id, self.customer.id, rang))
        return True

    def _on_ringing(self, _: object) -> None:
        self.log.add(story.Rang(self.customer.ringing.at or self._now()))

    # -- the talk -------------------------------------------------------------------------------------

    def _after(self) -> After:
        return After(self._env.after, self.customer, self._ended_by)

    def _ended_by(self, hangup: HungUp) -> None:
        """The number's line is free: its record is written before the agent is asked anything."""
        self._left(hangup)
        self._write()

    async def _talk(self, leg: Leg, agent_side: AsyncExitStack, after: After) -> None:
        may_force = self._options.force_hangup or self._parts.lines.by_channel(leg.channel.id) is not None
        options, language = self._options, self._options.language or self._env.settings.site.language
        after.talks(leg.channel, self._offer, Asked.of_queue(self.call_id, options, language))
        agent, wrap_up = self._offer.ext, options.wrap_up_seconds
        parties = (self._env, self.customer, self.log, agent)
        talk = Talk(*parties, side=agent_side, after=after, wrap_up=wrap_up, record=options)
        if not await talk.until_over(leg, may_force=may_force, welcome=()):
            await say_sorry(self.customer)
            self.log.add(story.Left(self._now(), Party.SYSTEM))

    async def _talk_on(self, agent: Channel, bridge_id: str) -> None:
        self._offer.connected(self._options.wrap_up_seconds)
        async with AsyncExitStack() as agent_side:
            agent_side.callback(self._offer.close)
            if self._parts.lines.by_channel(agent.id) is None:
                agent_side.push_async_callback(_end, agent)
            async with self._after() as after, until_hangup(self.customer):
                await self._talk(AdoptedLeg(agent, bridge_id), agent_side, after)

    @property
    def _options(self) -> QueueOptions:
        rules = self._parts.board.queues.get(OUTBOUND_QUEUE)
        return rules.options if rules else _DEFAULTS

    # -- the end --------------------------------------------------------------------------------------

    async def ended_by_command(self, by: Party) -> None:
        """`call hangup`: taken away before the answer, ended by the system, or by the agent, after it."""
        if self._outcome is not Outcome.CONNECTED:
            self.log.add(story.Removed(self._now()))
            self._outcome = gave_up(rang=self.customer.ringing.happened)
        self.log.add(story.Left(self._now(), by))
        await self.customer.hang_up()

    def _left(self, hangup: HungUp) -> None:
        at = hangup.channel.gone.value.at
        if hangup.channel is not self.customer:
            self.log.add(story.Left(at, Party.AGENT))
            return
        gone = self.customer.gone.value
        if gone.kind is GoneKind.REFUSED:  # nothing was sent
            self._outcome = self._outcome or Outcome.NOT_ATTEMPTED
            return
        customer_left(gone, self.log)

    def _cause(self) -> int:
        """What his phone is told of a call that came to nothing."""
        gone = self.customer.gone.value if self.customer.gone.happened else None
        if gone is not None and gone.cause and not gone.asked:
            return gone.cause
        return _CAUSES.get(self._outcome or Outcome.NOT_ATTEMPTED, _CONGESTION)

    def _write(self) -> None:
        """The record, once."""
        if self._written:
            return
        self._written = True
        gone = self.customer.gone.value if self.customer.gone.happened else None
        at = gone.at if gone else self._now()
        is_answered = self.customer.answered.happened or self._outcome is Outcome.CONNECTED
        sip_code = 200 if is_answered else gone.tech_cause if gone and not gone.asked else None
        self.log.add(story.Ended(at, self._result(), sip_code))
        finished(self._parts, self.call_id, at, self._options.wrap_up_seconds, fold(self.log))

    def _result(self) -> Outcome:
        if self._outcome is not None:
            return self._outcome
        gone = self.customer.gone.value if self.customer.gone.happened else None
        if gone is not None and gone.kind is GoneKind.DESTROYED and not gone.asked:
            return classify(gone.tech_cause, gone.cause)
        if gone is not None and gone.kind is GoneKind.REFUSED:
            return Outcome.NOT_ATTEMPTED
        return gave_up(rang=self.customer.ringing.happened)

    def _now(self) -> datetime:
        return self._env.clock.now()


async def _end(agent: Channel) -> None:
    await finish(agent.hang_up())


_DEFAULTS = QueueOptions()
