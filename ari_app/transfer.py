"""Whom an agent can consult, and give his customer to: a colleague, a queue, or a number outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum

import structlog

from ari_app import caller_ids, formats
from ari_app.agent_leg import DialledLeg, NotTaken, ring_agent
from ari_app.agent_line import AgentLines, LineLeg
from ari_app.channel import Channel
from ari_app.errors import AriError
from ari_app.leg_ids import OUTSIDE
from ari_app.own_phone import back_to_line
from ari_app.queue_place import Place, SentOn
from ari_app.queue_rings import QueueRing
from ari_app.scope import finish
from ari_app.services import Services
from ari_app.trunk_line import take_line
from contact_center.errors import CallwrightError
from contact_center.outside_calls import OutsideNumber
from contact_center.own_seat import take_seat
from contact_center.queues.board import QueueBoard, Waiting
from contact_center.roster import Offer
from contact_center.trunks import NoLine

AGENT_CONTEXT = "callwright-agent"
QUEUE_SECONDS = 60.0
"""How long an agent of a queue is waited for."""

log = structlog.get_logger(__name__)


class TargetKind(StrEnum):
    """What the digits of ``*7`` DIGITS ``#`` stand for."""

    AGENT = "agent"
    QUEUE = "queue"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Target:
    """Who is meant: an extension, a queue's name, or a number as it was keyed. ``dialled``: what leads to the queue."""

    kind: TargetKind
    name: str
    dialled: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """Who answered. ``agent``: his extension, and ``offer`` what holds him; none of a number outside.

    ``blind``: by what extension or number he was given the customer, where the agent had not spoken with him.
    """

    leg: DialledLeg | LineLeg
    name: str
    agent: str = ""
    offer: Offer | None = None
    blind: str = ""

    @property
    def agent_name(self) -> str:
        """His name, where he is an agent."""
        return self.name if self.agent else ""

    @property
    def told(self) -> tuple[str, str, str]:
        """The event of queue_log that says he has the customer now, and its first two data."""
        if self.blind:
            return "BLINDTRANSFER", self.blind, AGENT_CONTEXT
        return "ATTENDEDTRANSFER", "BRIDGE", self.leg.bridge_id


@dataclass(frozen=True, slots=True)
class Wish:
    """For whom somebody is to be reached: the call, the number that is shown, and the customer who waits meanwhile."""

    call_id: str
    number: str
    customer: Channel


class Targets:
    """Finds and reaches them. ``allowed`` checks a number outside, raising CallwrightError where it must not be."""

    def __init__(
        self,
        env: Services,
        lines: AgentLines,
        board: QueueBoard,
        allowed: Callable[[str], Awaitable[OutsideNumber]],
    ) -> None:
        self._env, self._lines, self._board, self._allowed = env, lines, board, allowed

    def find(self, digits: str) -> Target:
        """An agent's extension, else a number that leads to a queue, else a number outside."""
        if self._env.roster.get(digits) is not None:
            return Target(TargetKind.AGENT, digits)
        if (rules := self._board.by_did(digits)) is not None:
            return Target(TargetKind.QUEUE, rules.name, digits)
        return Target(TargetKind.NUMBER, digits)

    async def reach(self, target: Target, wish: Wish, side: AsyncExitStack) -> Reached:
        """Ring until somebody answers; what holds him is pushed on ``side``. Raises NotTaken."""
        self._env.look_up(wish.number)
        await self._env.known(wish.number)
        match target.kind:
            case TargetKind.AGENT:
                return await self._colleague(target.name, wish, side)
            case TargetKind.QUEUE:
                return await self._of_queue(target.name, wish, side)
        return await self._outside(target.name, wish, side)

    async def _colleague(self, ext: str, wish: Wish, side: AsyncExitStack) -> Reached:
        seat = self._env.roster.get(ext)
        offer = take_seat(self._env.roster, seat, wish.call_id) if seat is not None else None
        if offer is None:
            raise NotTaken("busy")
        return await self._ring(offer, float(self._env.settings.agents.ring_seconds), wish, side)

    async def _ring(self, offer: Offer, seconds: float, wish: Wish, side: AsyncExitStack) -> Reached:
        async with AsyncExitStack() as attempt:
            attempt.callback(offer.close)
            leg: DialledLeg | LineLeg
            if (line := self._lines.get(offer.ext)) is None:
                ring = QueueRing(wish.call_id, wish.number, seconds, self._env.hides(wish.number))
                leg_id = self._env.legs.next(f"cw-{wish.call_id}")
                rung = ring_agent(offer, ring, wish.customer, leg_id, self._env, queued=True)
                leg = await attempt.enter_async_context(rung)
            else:
                leg = line
                attempt.push_async_callback(finish_back, line)
            offer.connected(0.0)
            side.push_async_exit(attempt.pop_all())
        return Reached(leg, offer.seat.name, offer.ext, offer)

    async def _of_queue(self, name: str, wish: Wish, side: AsyncExitStack) -> Reached:
        """The next agent of a queue, as if the one who asks stood in its line."""
        rules, clock = self._board.queues[name], self._env.clock
        entry = Waiting(
            call_id=wish.call_id,
            queue=name,
            priority=rules.options.priority,
            entered_at=clock.now(),
            entered=clock.monotonic(),
            take=lambda offer: offer.close(),
        )
        try:
            async with asyncio.timeout(QUEUE_SECONDS), Place(self._board, entry) as place:
                while True:
                    place.stand()
                    offer = await place.turn()
                    try:
                        return await self._ring(offer, rules.options.ring_seconds, wish, side)
                    except NotTaken:
                        place.missed(offer.ext, clock.monotonic())
        except (TimeoutError, SentOn):
            raise NotTaken("no_answer") from None

    async def _outside(self, digits: str, wish: Wish, side: AsyncExitStack) -> Reached:
        try:
            number = await self._allowed(digits)
        except CallwrightError as error:
            log.info("not consulted", action="consult", call_id=wish.call_id, reason=str(error))
            raise NotTaken("forbidden") from None
        channel_id = self._env.legs.next(f"cw-{wish.call_id}", OUTSIDE)
        leg = self._env.ari.channel(channel_id)
        side.push_async_callback(leg.hang_up)  # its line is free when it has gone, also where it is never dialled
        try:
            trunk = await take_line(self._env, leg, number.trunks)
        except NoLine as error:
            log.info("not consulted", action="consult", call_id=wish.call_id, reason=str(error))
            raise NotTaken(error.word) from None
        dialled = self._env.ari.dial(
            self._env.trunks.dial_string(trunk, number.number),
            channel_id=channel_id,
            ring_seconds=float(self._env.settings.agents.dial_seconds),
            app_args=("outside", number.number),
            caller_id=caller_ids.shown(self._env.settings, trunk, number.caller_id),
            formats=formats.of_trunk(self._env.settings, trunk),
        )
        try:
            bridge = await side.enter_async_context(self._env.bridges.take())
            channel = await side.enter_async_context(dialled)
        except AriError as error:
            log.info("the number outside was not reached", action="consult", reason=str(error))
            raise NotTaken("no_answer") from None
        return Reached(DialledLeg(channel, bridge), number.number)


async def finish_back(line: LineLeg) -> None:
    """A line that was lent goes back to itself."""
    await finish(back_to_line(line))
