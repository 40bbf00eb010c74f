"""One caller's life, in the order he hears it: greeting, music, an agent, the talk, and what is written down of it."""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from ari_app.after_call import After, Asked
from ari_app.agent_leg import Leg
from ari_app.callback_caller import CallerOrders
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.inbound_outside import Outside, put_through
from ari_app.inbound_talk import Talk
from ari_app.inbound_told import InboundTold
from ari_app.inbound_words import Words
from ari_app.parting import customer_left
from ari_app.queue_music import DeadMan, Hold, Music
from ari_app.queue_patience import Patience, patience
from ari_app.queue_place import Place, SentOn
from ari_app.queue_rings import QueueRing, Rings, Taken
from ari_app.reception import Caller, Reception
from ari_app.scope import at_once, finish, until_hangup
from ari_app.services import Services
from contact_center import story
from contact_center.crash_points import reached
from contact_center.queues.board import Waiting
from contact_center.queues.rules import QueueRules
from contact_center.roster import Offer
from contact_center.store.queries_queues import OpenVisit
from contact_center.terms import CallKind, Direction, Party, VisitEnd
from contact_center.timeline import fold

log = structlog.get_logger(__name__)


class InboundCall:
    """What one caller's call has come to so far; its coroutine is :meth:`live`."""

    def __init__(
        self, channel: Channel, caller: Caller, rules: QueueRules, env: Services, desk: Reception, told: InboundTold
    ) -> None:
        self.channel, self.caller = channel, caller
        self._env, self._desk, self._told_to = env, desk, told
        self._first = rules
        self._language = rules.options.language or env.settings.site.language
        self._clock = DeadMan(channel, float(env.settings.asterisk.dead_man_seconds))
        self._music = Music(channel)
        self._visits = 0
        self._been_in: set[str] = set()
        self._left_from = 1
        self._wrap_up_seconds = 0.0
        self._offered_at: dict[str, datetime] = {}
        self._agent, self._refused_by = "", ""
        self._is_over = False
        self._orders = CallerOrders(env, desk, channel, caller, self._music, self._clock, self._language)
        self.log = story.CallLog(
            story.Header(
                id=caller.call_id,
                kind=CallKind.INBOUND,
                direction=Direction.INBOUND,
                started_at=caller.started_at,
                caller_number=caller.number,
                queue=rules.name,
                did=caller.did,
                language=env.settings.site.language,
            )
        )
        self._words = Words(channel, self._clock, env.clock, self.log, env.ari.spawn)

    # -- the story ------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Greet him, let him wait with music, find an agent, let them talk, write it down."""
        self._told_to.arrived(self.caller.started_at, self.caller.did, self.caller.number, self._first.name)
        await self._told(self._through_queues(self._first))

    async def _told(self, life: Coroutine[Any, Any, None]) -> None:
        try:
            await life
        except HungUp as hangup:
            self._left(hangup)
        finally:
            self._end()
            if not self.channel.gone.happened:
                await finish(self.channel.hang_up())

    def _end(self) -> None:
        """What came of the call is written down, once."""
        if not self._is_over:
            self._is_over = True
            at = self._ended_at()
            self.log.add(story.Over(at))
            self._told_to.finished(at, self._left_from, self._wrap_up_seconds, fold(self.log))
            self._orders.over(self.log)

    def _ended_by(self, hangup: HungUp) -> None:
        self._left(hangup)
        self._end()

    def _asked(self) -> Asked:
        return Asked.of_queue(self.caller.call_id, self._rules.options, self._language)

    async def _through_queues(self, rules: QueueRules, adopted: OpenVisit | None = None) -> None:
        following: QueueRules | None = rules
        while following is not None:
            following = await self._in_queue(following, adopted)
            adopted = self._orders.kept_place()
            self._visits -= 1 if adopted else 0

    async def _in_queue(self, rules: QueueRules, adopted: OpenVisit | None) -> QueueRules | None:
        """His stay in one queue and his talk; where he goes on if nobody takes him here, else None."""
        async with (
            AsyncExitStack() as agent_side,
            After(self._env.after, self.channel, self._ended_by) as after,
            until_hangup(self.channel),
        ):
            async with self._place(rules, adopted) as place:
                if self._visits == 0 and adopted is None and not await self._received(rules, place):
                    return None
                try:
                    taken = await self._wait(place, agent_side, adopted)
                except SentOn as rule:
                    place.leave()
                    if rule.end is VisitEnd.CALLBACK or self._orders.is_overflow(place):
                        await self._words.until_answered()
                        following = await self._orders.ask(place, self.log, self._told_to, rule.end)
                        if following is None or rule.end is VisitEnd.CALLBACK:
                            return following
                    return await self._send_on(place.rules, rule.end)
                finally:
                    self._left_from = place.board.position(place.entry)
            after.talks(taken.leg.channel, taken.offer, self._asked())
            return await self._talk(taken.leg, agent_side, after)

    def _place(self, rules: QueueRules, adopted: OpenVisit | None) -> Place:
        now = self._now()
        entered_at = adopted.entered_at if adopted else now
        entry = Waiting(
            call_id=self.caller.call_id,
            queue=rules.name,
            priority=adopted.priority if adopted else rules.options.priority,
            entered_at=entered_at,
            entered=self._env.clock.monotonic() - (now - entered_at).total_seconds(),
            take=lambda offer: offer.close(),
        )
        if self._refused_by:
            entry.missed[self._refused_by] = self._env.clock.monotonic()
            self._refused_by = ""
        return Place(self._desk.board, entry)

    # -- before he waits ------------------------------------------------------------------------------

    async def _received(self, rules: QueueRules, place: Place) -> bool:
        """Answered and greeted; False where he only heard that the queue is closed."""
        is_open = rules.is_open(self._env.settings.site.timezone, self._now())
        if is_open:
            place.expect()
        return await self._words.receive(self._desk.prompts, rules, self._language, is_open=is_open)

    def _ended_at(self) -> datetime:
        return self.channel.gone.value.at if self.channel.gone.happened else self._now()

    # -- in line --------------------------------------------------------------------------------------

    async def _wait(self, place: Place, agent_side: AsyncExitStack, adopted: OpenVisit | None) -> Taken:
        """Music until an agent is on the line. Raises SentOn when a rule of the queue ends the wait."""
        self._enter(place, adopted)
        options = place.rules.options
        if adopted is None and options.max_length and place.board.length(place.rules.name) >= options.max_length:
            raise SentOn(VisitEnd.FULL)
        rings = self._rings()
        async with self._waits(place) as waits, self._hold(place) as hold:
            if not self._env.ari.live:
                await self._env.ari.until_live()  # before that it is not known which agents talk
            await self._env.known(self.caller.number)
            place.stand()
            while True:
                taken = await rings.until_taken(place)
                agent_side.push_async_callback(taken.closing.aclose)
                waits.pause()  # who has an agent is not sent on any more
                await hold.hush()
                if await self._connect(taken, place):
                    return taken
                await agent_side.aclose()
                waits.resume()
                hold.resume()
                place.stand()

    def _enter(self, place: Place, adopted: OpenVisit | None) -> None:
        self._visits += 1
        self._been_in.add(place.rules.name)
        if adopted is None:
            place.entry.entered_at, place.entry.entered = self._now(), self._env.clock.monotonic()
        before: story.Entered | None = self.log.last(story.Entered)
        is_back = before is not None and before.n == self._visits
        entered_at = self._now() if is_back else place.entry.entered_at
        self._orders.called_in(place)
        position = adopted.position if adopted else place.board.position(place.entry)
        visit = story.Entered(entered_at, place.rules.name, self._visits, position)
        if adopted is None:
            self._told_to.queued(visit, place.entry.priority, self.log)
        else:
            self._told_to.known(visit, "", 0.0)
        self.log.add(visit)

    def _waits(self, place: Place) -> AbstractAsyncContextManager[Patience]:
        """As long as the queue keeps him, or until he asks to be called back; then SentOn."""
        since: story.Entered | None = self.log.last(story.Entered)
        waited = (self._now() - since.at).total_seconds() if since else 0.0
        return patience(self.channel, place, waited, partial(self._orders.offered, place))

    def _hold(self, place: Place) -> Hold:
        def said(seconds: float) -> None:
            self._told_to.said(self._now(), seconds)

        offer = partial(self._orders.offer, place)
        return Hold(self.channel, place, self._desk.prompts, self._language, self._clock, self._music, said, offer)

    def _rings(self) -> Rings:
        call_id = self.caller.call_id
        parts = (self._env, self._desk.lines, self.channel, self._ring, f"cw-{call_id}")
        return Rings(*parts, offered=self._offered, missed=self._not_answered)

    def _ring(self, seconds: float) -> QueueRing:
        number = self.caller.number
        return QueueRing(self.caller.call_id, number, seconds, self._env.hides(number))

    def _offered(self, offer: Offer) -> None:
        now = self._now()
        self._offered_at[offer.ext] = now
        self.log.add(story.Offered(now, offer.seat.name))

    def _not_answered(self, offer: Offer, reason: str) -> None:
        self.log.add(story.Missed(self._now(), offer.seat.name, reason))
        self._told_to.not_answered(offer.ext, self._rung_seconds(offer.ext))

    def _rung_seconds(self, ext: str) -> float:
        return (self._now() - self._offered_at.get(ext, self._now())).total_seconds()

    async def _connect(self, taken: Taken, place: Place) -> bool:
        """Let both hear each other; False where the agent has gone again. The music ends in the same moment."""
        await self._words.until_answered()
        silence = [self._music.stop()] if self._music.on else []
        for failure in await at_once(taken.leg.join(self.channel), *silence):
            if isinstance(failure, HungUp) and failure.channel is self.channel:
                raise failure
            if isinstance(failure, AriError):
                log.warning("not connected", action="connect", call_id=self.caller.call_id, reason=str(failure))
                gone = isinstance(failure, HungUp)
                place.missed(taken.offer.ext, self._env.clock.monotonic())
                taken.offer.missed("no_answer" if gone else "line_down")
                self._not_answered(taken.offer, "no_answer")
                return False
            if failure is not None:
                raise failure
        reached("bridge_joined")
        self._connected(taken, place)
        return True

    def _connected(self, taken: Taken, place: Place) -> None:
        at, offer, options = self._now(), taken.offer, place.rules.options
        self._agent, self._wrap_up_seconds = offer.ext, options.wrap_up_seconds
        offer.connected(options.wrap_up_seconds)
        self.log.add(story.Connected(at, offer.seat.name))
        rung = self._rung_seconds(offer.ext)
        self._told_to.connected(at, offer.ext, taken.leg.channel.id, taken.leg.bridge_id, rung)
        self._desk.board.served(place.rules.name, offer.ext)
        self._orders.served()
        self._env.ari.spawn(self._clock.stop(), f"no clock {self.channel.id}")

    # -- the talk -------------------------------------------------------------------------------------

    async def _talk(
        self, leg: Leg, agent_side: AsyncExitStack, after: After, *, welcome: bool = True
    ) -> QueueRules | None:
        """Until one of them leaves; the queue where he waits again when nobody took him over from his agent."""
        rules, options = self._rules, self._rules.options
        may_force = options.force_hangup or self._desk.lines.by_channel(leg.channel.id) is not None
        message = self._desk.prompts.message
        media = message("welcome_message", options.welcome_message, self._language) if welcome else ()
        began = self._env.clock.monotonic()
        try:
            talk = Talk(
                *(self._env, self.channel, self.log, self._agent),
                side=agent_side,
                after=after,
                moved=self._told_to.moved,
                wrap_up=options.wrap_up_seconds,
                music=options.music,
                record=options,
            )
            served = await talk.until_over(leg, may_force=may_force, welcome=media)
            if not served:
                self._music.on, self._refused_by = True, talk.refused_by
            return None if served else rules
        finally:
            self._desk.board.handled(rules.name, self._env.clock.monotonic() - began + self._wrap_up_seconds)

    @property
    def _rules(self) -> QueueRules:
        return self._desk.board.queues.get(self._queue, self._first)

    @property
    def _queue(self) -> str:
        visit: story.Entered | None = self.log.last(story.Entered)
        return visit.queue if visit else self._first.name

    # -- where he goes on -----------------------------------------------------------------------------

    async def _send_on(self, rules: QueueRules, end: VisitEnd) -> QueueRules | None:
        """The overflow of a queue: another queue, a number outside, or a message and the end."""
        way, queues = rules.overflow, self._desk.board.queues
        following = queues.get(way.target) if way.kind == "queue" and way.target not in self._been_in else None
        target = f"{way.kind}:{way.target}" if way.target else way.kind
        now = self._now()
        self.log.add(story.WaitOver(now, rules.name, end, target))
        self._told_to.sent_on(now, end, target, self._left_from)
        if following is not None:
            return following
        await self._words.until_answered()
        await self._music.stop()
        if way.kind == "number" and await self._outside(way.target, rules.options.trunk):
            return None
        await self._words.say(
            "overflow_message", self._desk.prompts.overflow(rules.options.overflow_message, self._language)
        )
        self.log.add(story.Left(self._now(), Party.SYSTEM))
        return None

    async def _outside(self, number: str, trunks: tuple[str, ...]) -> bool:
        to = Outside(number, trunks)
        return await put_through(self._env, self.channel, self.caller, to, self._clock, self.log)

    # -- the end --------------------------------------------------------------------------------------

    def ended_by_supervisor(self) -> None:
        """`call hangup`: the story says that the system ended it."""
        self.log.add(story.Left(self._now(), Party.SYSTEM))

    def _left(self, hangup: HungUp) -> None:
        if hangup.channel is not self.channel:
            self.log.add(story.Left(self._now(), Party.AGENT))
            return
        customer_left(self.channel.gone.value, self.log)

    def _now(self) -> datetime:
        return self._env.clock.now()
