"""A call from one agent to another: the first one's phone is answered at once, and hears the other's ring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from ari_app.agent_leg import Leg, NotTaken, ring_agent
from ari_app.agent_line import LineLeg
from ari_app.channel import Channel, GoneKind
from ari_app.errors import AriError, HungUp
from ari_app.own_parts import OwnParts, finished
from ari_app.own_phone import OwnLeg, back_to_line, no_ringback, own_leg_id, own_side, ringback, tell_failure
from ari_app.queue_rings import QueueRing
from ari_app.scope import finish, until_hangup
from contact_center import story
from contact_center.own_seat import take_seat
from contact_center.roster import Offer
from contact_center.seat import Seat
from contact_center.store.facts import OwnCallAnswered, OwnCallPlaced
from contact_center.terms import CallKind, Direction, Outcome, Party
from contact_center.timeline import fold
from contact_center.timeline_own import HIDDEN

RING_SECONDS = 45.0  # how long the other agent's phone may ring
_CAUSES = {Outcome.BUSY: 17, Outcome.MISSED: 19}
_MISSED = {"busy": Outcome.BUSY, "rejected": Outcome.BUSY, "no_answer": Outcome.MISSED}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InternalOrder:
    """Which agent is called, and since when. ``ring_seconds``: where an earlier process has connected them."""

    call_id: str
    other: Seat
    at: datetime
    ring_seconds: float = 0.0


class InternalCall:
    """What one call between agents has come to so far; its coroutine is :meth:`live`."""

    def __init__(self, order: InternalOrder, offer: Offer, parts: OwnParts) -> None:
        self.order, self.call_id = order, order.call_id
        self._offer, self._parts, self._env = offer, parts, parts.env
        self.log = story.CallLog(
            story.Header(
                id=order.call_id,
                kind=CallKind.INTERNAL,
                direction=Direction.INTERNAL,
                started_at=order.at,
                caller_number=HIDDEN,
                language=self._env.settings.site.language,
            )
        )
        self._outcome = Outcome.NOT_ATTEMPTED
        self._other_leg = self._env.legs.next(f"cw-{order.call_id}")
        self._limit: asyncio.Timeout | None = None

    # -- the story ------------------------------------------------------------------------------------

    async def live(self, phone: Channel | None) -> None:
        """Reach the first agent, ring the other, let them talk, write it down. ``phone``: with which he dialled."""
        self._parts.post(
            OwnCallPlaced(
                call_id=self.call_id,
                kind=CallKind.INTERNAL.value,
                direction=Direction.INTERNAL.value,
                queue="",
                number=HIDDEN,
                at=self.order.at,
                ext=self._offer.ext,
                agent_channel_id=phone.id if phone else own_leg_id(self.call_id),
                channel_id=self._other_leg,
            )
        )
        await self._told(self._through(phone))

    async def resume_talk(self, first: Channel, other: Channel, since: datetime) -> None:
        """Go on with a talk that an earlier process had connected."""
        await self._told(self._talk_on(first, other, since))

    async def _told(self, life: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(None) as self._limit:
                await life
        except HungUp as hangup:
            self._left(hangup)
        except TimeoutError:
            if self._limit is None or not self._limit.expired():
                raise
        finally:
            at = self._now()
            self.log.add(story.Ended(at, self._outcome))
            finished(self._parts, self.call_id, at, 0.0, fold(self.log))

    async def _through(self, phone: Channel | None) -> None:
        name = self._offer.seat.name
        async with AsyncExitStack() as first_side:
            first_side.callback(self._offer.close)
            side = own_side(self._env, self._parts.lines, self._offer.seat, self.call_id, phone, self.order.other.ext)
            try:
                leg = await first_side.enter_async_context(side)
            except HungUp:
                raise
            except (NotTaken, AriError) as missed:
                log.info("own call without its agent", action="own_call", call_id=self.call_id, reason=str(missed))
                self.log.add(story.Left(self._now(), Party.AGENT))
                return
            async with until_hangup(leg.channel):
                if isinstance(leg, OwnLeg):
                    await leg.answer()
                now = self._now()
                self.log.add(story.Answered(now))
                self.log.add(story.Connected(now, name))
                self._offer.connected(0.0)
                await self._call_other(leg)

    # -- the other agent ------------------------------------------------------------------------------

    async def _call_other(self, leg: OwnLeg | LineLeg) -> None:
        await ringback(leg)
        try:
            async with self._other_side(leg) as other:
                await no_ringback(leg)
                await other.join(leg.channel)
                await self._talk(leg.channel, other.channel, self._now())
                return
        except NotTaken as missed:
            self.log.add(story.Missed(self._now(), self.order.other.name, missed.reason))
            self._outcome = _MISSED.get(missed.reason, Outcome.UNAVAILABLE)
        except HungUp as hangup:
            if hangup.channel is leg.channel:
                raise
            self.log.add(story.Missed(self._now(), self.order.other.name, "rejected"))
        except AriError as error:
            log.warning("not connected", action="own_call", call_id=self.call_id, reason=str(error))
            self.log.add(story.Missed(self._now(), self.order.other.name, "failed"))
            self._outcome = Outcome.TECHNICAL_ERROR
        await tell_failure(leg, _CAUSES.get(self._outcome, 20))

    @asynccontextmanager
    async def _other_side(self, leg: OwnLeg | LineLeg) -> AsyncIterator[Leg]:
        """The other agent, held for this call, and his phone answered. Raises NotTaken."""
        seat = self.order.other
        offer = take_seat(self._env.roster, seat, self.call_id)
        if offer is None or seat.ext == self._offer.ext:
            raise NotTaken("busy")
        self.log.add(story.Offered(self._now(), seat.name))
        self._outcome = Outcome.MISSED  # until he answers: also where the first one hangs up while it rings
        ring = QueueRing(self.call_id, self._offer.ext, RING_SECONDS)
        async with AsyncExitStack() as side:
            side.callback(offer.close)
            other: Leg | None = self._parts.lines.get(seat.ext)
            if other is None:
                rung = ring_agent(offer, ring, leg.channel, self._other_leg, self._env, queued=True)
                other = await side.enter_async_context(rung)
            offer.connected(0.0)
            yield other

    async def _talk(self, first: Channel, other: Channel, at: datetime) -> None:
        names = (self._offer.seat.name, self.order.other.name)
        self._outcome = Outcome.CONNECTED
        self.log.add(story.Consulted(at, names[0], names[1], names[1]))
        rung: story.Offered | None = self.log.last(story.Offered)
        rang = round(story.seconds_between(rung.at if rung else None, at), 3)
        self._parts.post(OwnCallAnswered(self.call_id, at, names, first.id, other.id, rang))
        await other.left()
        self.log.add(story.Left(self._now(), Party.AGENT))

    async def _talk_on(self, first: Channel, other: Channel, since: datetime) -> None:
        seat = self.order.other
        rung_at = since - timedelta(seconds=self.order.ring_seconds)  # at once when the first one's phone was answered
        self.log.add(story.Answered(rung_at))
        self.log.add(story.Connected(rung_at, self._offer.seat.name))
        self.log.add(story.Offered(rung_at, self.order.other.name))
        self._offer.connected(0.0)
        with self._env.roster.adopt(seat.ext, self.call_id, 0.0):
            try:
                async with until_hangup(first):
                    await self._talk(first, other, since)
            finally:
                for channel in (first, other):
                    line = self._parts.lines.by_channel(channel.id)
                    await finish(channel.hang_up() if line is None else back_to_line(line))
                self._offer.close()

    # -- the end --------------------------------------------------------------------------------------

    async def ended_by_command(self, by: Party) -> None:
        """`call hangup`: the system or the agent ended it; whose line stands anyway is in it again."""
        self.log.add(story.Left(self._now(), by))
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def _left(self, hangup: HungUp) -> None:
        gone = hangup.channel.gone.value
        if gone.kind is GoneKind.LOST:
            self.log.add(story.SwitchLost(gone.at))
        self.log.add(story.Left(gone.at, Party.SYSTEM if gone.kind is GoneKind.LOST else Party.AGENT))

    def _now(self) -> datetime:
        return self._env.clock.now()
