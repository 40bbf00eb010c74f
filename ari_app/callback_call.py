"""One turn of one callback: an agent is held, called first and told, then the customer is dialled and both talk."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from ari_app import prompts
from ari_app.after_call import After, Asked
from ari_app.agent_leg import AdoptedLeg, DialledLeg, Leg, NotTaken
from ari_app.callback_dial import CustomerDial
from ari_app.callback_parts import CallbackParts
from ari_app.callback_told import CallbackTold
from ari_app.callback_turn import agent_there, claimed, forbidden, may_begin
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.inbound_talk import Talk, say_sorry
from ari_app.parting import customer_left
from ari_app.queue_music import Music
from ari_app.queue_place import Place, SentOn
from ari_app.queue_rings import QueueRing, Rings, let_go
from ari_app.scope import finish, until_hangup
from contact_center import story
from contact_center.callbacks.fold import fold_attempt
from contact_center.callbacks.plan import Kept, Step, after
from contact_center.crash_points import reached
from contact_center.errors import CallwrightError
from contact_center.options import QueueOptions
from contact_center.queues.board import Waiting
from contact_center.roster import Offer
from contact_center.store.callback_claims import NotAllowed, begin_dial
from contact_center.store.callback_facts import CallbackDialEnded, CallbackReleased
from contact_center.terms import CallKind, Direction, Party

log = structlog.get_logger(__name__)


class CallbackCall:
    """A callback whose turn has come; ``waits`` while no agent is held for it. ``step``: what the dial led to.

    ``held_back``: the customer has called in himself, so he must not be dialled. ``at_agent``: one is rung or told.
    """

    def __init__(self, kept: Kept, parts: CallbackParts, dialled_at: datetime | None = None) -> None:
        self.kept, self._parts, self._env = kept, parts, parts.env
        self.waits, self.lost, self.held_back, self.at_agent = True, False, False, False
        self.step: Step | None = None
        self.dial: CustomerDial | None = None
        self._n, self._dialled_at = 0, dialled_at or kept.since_at
        self._is_over = self._withdrawn = False
        self._told = CallbackTold(kept, parts)
        self.log = story.CallLog(
            story.Header(
                id=kept.call_id,
                kind=CallKind.CALLBACK,
                direction=Direction.OUTBOUND,
                started_at=kept.since_at,
                caller_number=kept.number,
                queue=kept.queue,
                did=kept.did,
                attempt=kept.attempt + 1,
                language=parts.env.settings.site.language,
            )
        )

    @property
    def _options(self) -> QueueOptions:
        return self._parts.board.queues[self.kept.queue].options

    async def live(self) -> None:
        """Stand in line at the place of the order until an agent is free and one dial is made."""
        async with Place(self._parts.board, self._entry()) as place:
            place.stand()
            while True:
                async with AsyncExitStack() as side:
                    offer = await place.turn()
                    side.callback(offer.close)
                    self.waits = False
                    if await self._turn(place, offer, side):
                        return
                self.waits = True
                await self._env.ari.until_live()
                place.stand()

    def _entry(self) -> Waiting:
        waited = (self._env.clock.now() - self.kept.entered_at).total_seconds()
        return Waiting(
            call_id=self.kept.call_id,
            queue=self.kept.queue,
            priority=self.kept.priority,
            entered_at=self.kept.entered_at,
            entered=self._env.clock.monotonic() - waited,
            take=lambda offer: offer.close(),
            called_back=True,
        )

    # -- the agent ------------------------------------------------------------------------------------

    async def _turn(self, place: Place, offer: Offer, side: AsyncExitStack) -> bool:
        """One agent, held by ``side``; False where he did not take it, so that the next one is called."""
        kept, now = self.kept, self._now()
        if not may_begin(self._parts, kept, now):
            return True  # no agent is rung for a customer who cannot be
        if not await claimed(self._parts, kept, now):
            self.lost = True
            return True
        reached("callback_claimed")
        if self._options.callback_first == "customer":
            return await self._call(place, None, offer, side)
        try:
            self.at_agent = True
            leg = await side.enter_async_context(agent_there(self._parts, kept, offer, self._options.ring_seconds))
            async with until_hangup(leg.channel):
                await self._tell(leg)
            self.at_agent = False
            return await self._call(place, leg, offer, side)
        except (NotTaken, HungUp) as refusal:
            reason = refusal.reason if isinstance(refusal, NotTaken) else "rejected"
            place.missed(offer.ext, self._env.clock.monotonic())
            offer.missed(reason)
            self._told.not_taken(offer, (self._now() - now).total_seconds())
            self._parts.post(CallbackReleased(callback_id=kept.id, at=self._now()))
            return False

    async def _tell(self, leg: Leg) -> None:
        """What the agent hears: that a customer is called back."""
        language = self._options.language or self._env.settings.site.language
        await prompts.play(leg.channel, *self._parts.prompts.callback("callback_agent", language))
        if isinstance(leg, DialledLeg):
            await _quietly(leg.channel.ring())

    # -- the customer ---------------------------------------------------------------------------------

    async def _call(self, place: Place, leg: Leg | None, offer: Offer, side: AsyncExitStack) -> bool:
        """Dial the customer once, the dial being committed before; True, for the turn is over."""
        if self.held_back:
            self._parts.post(CallbackReleased(callback_id=self.kept.id, at=self._now()))
            return True
        if not await self._begin(offer):
            return True
        self.log.add(story.Offered(self._now(), offer.seat.name))
        dial = self.dial = CustomerDial(self._env, self.kept, self._channel_id, self.log)
        try:
            async with until_hangup(*([leg.channel] if leg is not None else [])):
                is_there = await dial.answered(self._options.callback_ring_seconds, self._options.trunk)
            if is_there:
                await self._serve(place, leg, offer, side)
            elif leg is not None:
                await self._unanswered(dial, leg, offer)
        except HungUp as hangup:
            self._left(hangup)
        finally:
            if not dial.channel.gone.happened:
                await finish(dial.channel.hang_up())
            self._ended(dial)
        return True

    @property
    def _channel_id(self) -> str:
        return f"cw-{self.kept.id}-{self.kept.dials + 1}"

    async def _begin(self, offer: Offer) -> bool:
        kept, parts, now = self.kept, self._parts, self._now()
        most = self._options.callback_attempts
        try:
            self._n = await parts.commit(
                lambda session: begin_dial(session, kept.id, parts.owner, self._channel_id, offer.ext, most, now)
            )
        except NotAllowed as why:
            forbidden(parts, kept, why, now)
            self._n = 0
        except CallwrightError as error:
            log.warning("no dial without its intent", action="callback", callback=kept.id, reason=str(error))
            parts.post(CallbackReleased(callback_id=kept.id, at=now))
            return False
        self.lost = self._n == 0
        self._dialled_at = now
        reached("callback_dialled")
        return self._n > 0

    async def _serve(self, place: Place, leg: Leg | None, offer: Offer, side: AsyncExitStack) -> None:
        """He is there: he talks to the agent who waits for him, else to the first who can be found."""
        assert self.dial is not None
        customer = self.dial.channel
        self._told.answered(self._n, self._now(), customer.id)
        async with self._after(self.dial) as after, until_hangup(customer):
            if leg is None or not await self._joined(leg, offer, customer, side, after):
                await self._search(place, customer, side, after)

    async def _unanswered(self, dial: CustomerDial, leg: Leg, offer: Offer) -> None:
        """The agent, who is still on the line, is asked about the attempt as soon as it is written down."""
        await finish(dial.channel.hang_up())
        self._ended(dial)
        counted = self.step is not None and self.step.counted
        if self._env.after is None or self._withdrawn or not counted:
            return
        if isinstance(leg, DialledLeg):
            await finish(_quietly(leg.channel.ring_stop()))
        await self._env.after.after(leg.channel, offer, self._asked(), customer_ended=False)

    def _asked(self) -> Asked:
        language = self._options.language or self._env.settings.site.language
        return Asked.of_queue(self.kept.call_id, self._options, language)

    def _after(self, dial: CustomerDial) -> After:
        def over(hangup: HungUp) -> None:
            """His line is free: it is written down before the agent is asked anything."""
            self._left(hangup)
            self._ended(dial)

        return After(self._env.after, dial.channel, over)

    async def _joined(self, leg: Leg, offer: Offer, customer: Channel, side: AsyncExitStack, after: After) -> bool:
        """The whole talk; False where they could not be brought to hear each other."""
        try:
            if isinstance(leg, DialledLeg):
                await _quietly(leg.channel.ring_stop())
            await leg.join(customer)
        except AriError as failure:
            if isinstance(failure, HungUp) and failure.channel is customer:
                raise
            log.warning("not connected", action="callback", call_id=self.kept.call_id, reason=str(failure))
            return False
        reached("bridge_joined")
        self._connected(leg, offer, customer)
        await self._talk(leg, offer, customer, side, after)
        return True

    async def _search(self, place: Place, customer: Channel, side: AsyncExitStack, after: After) -> None:
        """Nobody is there for him yet: he hears music at the head of the line, as a caller does."""
        music, hidden = Music(customer), self._env.hides(self.kept.number)
        ring = partial(QueueRing, self.kept.call_id, self.kept.number, hide_number=hidden)
        parts = (self._env, self._parts.lines, customer, ring, f"{customer.id}-s")
        rings = Rings(*parts, offered=self._offered, missed=self._missed)
        await music.start(self._options.music)
        place.stand()
        await side.aclose()  # he stands in line by now, so this agent is his, unless somebody came before him
        while True:
            try:
                taken = await rings.until_taken(place)
            except SentOn:
                self.log.add(story.Left(self._now(), Party.SYSTEM))
                return
            side.push_async_callback(taken.closing.aclose)
            await music.stop()
            if await self._joined(taken.leg, taken.offer, customer, side, after):
                return
            place.missed(taken.offer.ext, self._env.clock.monotonic())
            await side.aclose()
            await music.start(self._options.music)
            place.stand()

    def _offered(self, offer: Offer) -> None:
        self.log.add(story.Offered(self._now(), offer.seat.name))

    def _missed(self, offer: Offer, reason: str) -> None:
        self.log.add(story.Missed(self._now(), offer.seat.name, reason))

    def _connected(self, leg: Leg, offer: Offer, customer: Channel) -> None:
        at = self._now()
        offer.connected(self._options.wrap_up_seconds)
        self.log.add(story.Connected(at, offer.seat.name))
        self._told.connected(self._n, at, customer.id, leg, offer)
        self._parts.board.served(self.kept.queue, offer.ext)

    async def _talk(self, leg: Leg, offer: Offer, customer: Channel, side: AsyncExitStack, after: After) -> None:
        options = self._options
        language = options.language or self._env.settings.site.language
        welcome = self._parts.prompts.message("welcome_message", options.welcome_message, language)
        may_force = options.force_hangup or self._parts.lines.by_channel(leg.channel.id) is not None
        calls, moved, wrap_up, music = self.log, self._told.moved, options.wrap_up_seconds, options.music
        parties = (self._env, customer, calls, offer.ext)
        after.talks(leg.channel, offer, self._asked())
        talk = Talk(*parties, side=side, after=after, moved=moved, wrap_up=wrap_up, music=music, record=options)
        began = self._env.clock.monotonic()
        try:
            if not await talk.until_over(
                leg, may_force=may_force, welcome=() if isinstance(leg, AdoptedLeg) else welcome
            ):
                await say_sorry(customer)
                self.log.add(story.Left(self._now(), Party.SYSTEM))
        finally:
            spent = self._env.clock.monotonic() - began + options.wrap_up_seconds
            self._parts.board.handled(self.kept.queue, spent)

    async def resume_talk(self, n: int, customer: Channel, agent: Channel, ext: str, bridge: str, at: datetime) -> None:
        """Go on with a talk that an earlier process had connected."""
        self._n, self.waits = n, False
        dial = self.dial = CustomerDial(self._env, self.kept, customer.id, self.log)
        async with AsyncExitStack() as side:
            adopted = self._env.roster.adopt(ext, self.kept.call_id, self._options.wrap_up_seconds)
            offer = side.enter_context(adopted)
            if self._parts.lines.by_channel(agent.id) is None:
                side.push_async_callback(let_go, agent)
            name = offer.seat.name if offer else ext
            self._told.known(n, at, customer.id, offer.seat.endpoint if offer else name)
            self.log.add(story.Offered(at, name))
            self.log.add(story.Answered(at))
            self.log.add(story.Connected(at, name))
            try:
                async with self._after(dial) as after, until_hangup(customer):
                    if offer is not None:
                        await self._talk(AdoptedLeg(agent, bridge), offer, customer, side, after)
            except HungUp as hangup:
                self._left(hangup)
            finally:
                await finish(customer.hang_up())
                self._ended(dial)

    # -- the end --------------------------------------------------------------------------------------

    def withdraw(self) -> None:
        """It was cancelled: a customer who has not answered is not rung any more."""
        self._withdrawn = True
        self.log.add(story.Left(self._now(), Party.SYSTEM))
        if self.dial is not None:
            self.dial.withdraw()

    async def hang_up(self) -> None:
        """End the talk by a supervisor's wish."""
        self.withdraw()
        if self.dial is not None:
            await self.dial.channel.hang_up()

    def _left(self, hangup: HungUp) -> None:
        customer = self.dial.channel if self.dial is not None else None
        if hangup.channel is not customer:
            self.log.add(story.Left(self._now(), Party.AGENT))
            return
        customer_left(hangup.channel.gone.value, self.log)

    def _ended(self, dial: CustomerDial) -> None:
        """What the dial came to is written down, once, and with it what is next."""
        if self._is_over:
            return
        self._is_over = True
        gone, options = dial.channel.gone, self._options
        at, outcome = gone.value.at if gone.happened else self._now(), dial.over()
        self.log.add(story.Ended(at, outcome, dial.sip_code))
        step = self.step = after(
            outcome,
            attempt=self.kept.attempt + 1,
            dials=self._n,
            most=options.callback_attempts,
            delays=options.callback_delays,
            ended_at=at,
            certain=dial.certain,
        )
        told = fold_attempt(self.log, self._dialled_at)
        self._parts.post(
            CallbackDialEnded(
                callback_id=self.kept.id,
                n=self._n,
                at=at,
                outcome=outcome.value,
                sip_code=dial.sip_code,
                counted=step.counted,
                state=step.state.value,
                due_at=step.due_at,
                reason=step.reason,
                story=told,
            )
        )
        self._parts.meters.calls.labels(CallKind.CALLBACK.value, told["call_state"]).inc()
        self._told.ended(self.log, told, dial.channel.id)

    def _now(self) -> datetime:
        return self._env.clock.now()


async def _quietly(command: Any) -> None:
    """A tone that cannot be begun or ended keeps nobody; that the agent has gone is seen by his scope."""
    with suppress(AriError):
        await asyncio.shield(asyncio.ensure_future(command))
