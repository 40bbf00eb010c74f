"""Ringing agents for a caller who waits: one after the other, or all at once with one winner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ari_app.agent_leg import Leg, NotTaken, ring_agent
from ari_app.agent_line import AgentLines
from ari_app.channel import Channel
from ari_app.queue_place import Place
from ari_app.scope import finish
from ari_app.services import Services
from contact_center.roster import Offer

FREE_SECONDS = 0.5
"""An agent is free when his phone has been told that the call is over: one that is busy would refuse the next."""


@dataclass(frozen=True, slots=True)
class QueueRing:
    """What an agent's phone is told of a caller; an agent_leg.ToRing."""

    call_id: str
    number: str
    agent_ring_seconds: float
    hide_number: bool = False


@dataclass(slots=True)
class Taken:
    """An agent who took the caller; ``closing`` frees him and ends his leg."""

    offer: Offer
    leg: Leg
    closing: AsyncExitStack


class Rings:
    """The phones that ring for one caller, whose legs begin with ``name``; ``offered``, ``missed`` are told of each."""

    def __init__(
        self,
        env: Services,
        lines: AgentLines,
        caller: Channel,
        ring: Callable[[float], QueueRing],
        name: str,
        *,
        offered: Callable[[Offer], None],
        missed: Callable[[Offer, str], None],
    ) -> None:
        self._env, self._lines, self._caller, self._ring, self._name = env, lines, caller, ring, name
        self._offered, self._missed = offered, missed

    async def until_taken(self, place: Place) -> Taken:
        """Ring whoever the board holds for the caller until somebody takes him. Raises SentOn.

        While nobody takes him he keeps his place; whoever missed him is not rung again at once.
        """
        while True:
            if place.rules.options.strategy == "ring_all":
                taken = await self._ring_all(place)
            else:
                taken = await self._ring_one(place)
            if taken is not None:
                return taken

    async def _ring_one(self, place: Place) -> Taken | None:
        offer = await place.turn()
        taken = await self._try(place, offer)
        if taken is None:
            await self._env.ari.until_live()
            place.stand()
        return taken

    async def _try(self, place: Place, offer: Offer) -> Taken | None:
        """Ring one agent; None where he did not take the caller."""
        async with AsyncExitStack() as attempt:
            attempt.callback(offer.close)
            self._offered(offer)
            try:
                leg = await attempt.enter_async_context(self._leg(offer, place.rules.options.ring_seconds))
            except NotTaken as refusal:
                place.missed(offer.ext, self._env.clock.monotonic())
                offer.missed(refusal.reason)
                self._missed(offer, refusal.reason)
                return None
            return Taken(offer, leg, attempt.pop_all())

    @asynccontextmanager
    async def _leg(self, offer: Offer, ring_seconds: float) -> AsyncIterator[Leg]:
        if offer.seat.line:
            line = self._lines.get(offer.ext)
            if line is None:
                raise NotTaken("failed")
            yield line
            return
        ring, leg_id = self._ring(ring_seconds), self._env.legs.next(self._name)
        try:
            async with ring_agent(offer, ring, self._caller, leg_id, self._env, queued=True) as leg:
                yield leg
        finally:
            phone = self._env.ari.find(leg_id)
            if phone is not None and phone.sent and not phone.gone.happened:
                await finish(phone.gone_within(FREE_SECONDS))

    # -- all at once ----------------------------------------------------------------------------------

    async def _ring_all(self, place: Place) -> Taken | None:
        """All who are free, and whoever becomes free meanwhile; the first one to answer wins.

        The losers' phones stop at once, and their agents are as free as before.
        """
        first = await place.turn()
        won: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        tasks = {asyncio.create_task(self._race(place, first, won))}
        more = asyncio.create_task(self._join_race(place, won, tasks))
        try:
            while not won.done() and any(not task.done() for task in tasks):
                ringing = [task for task in tasks if not task.done()]
                waits: list[asyncio.Future[Any]] = [won, *ringing]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await finish(_all_ended(more, *tasks))
            if won.done():
                await finish(won.result().closing.aclose())
            raise
        await finish(_all_ended(more, *tasks))
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        place.leave()
        if won.done():
            return won.result()
        place.stand()
        return None

    async def _join_race(self, place: Place, won: asyncio.Future[Taken], tasks: set[asyncio.Task[None]]) -> None:
        while True:
            offer = await place.turn()
            tasks.add(asyncio.create_task(self._race(place, offer, won)))

    async def _race(self, place: Place, offer: Offer, won: asyncio.Future[Taken]) -> None:
        taken = await self._try(place, offer)
        if taken is None:
            return
        if won.done():
            await finish(taken.closing.aclose())  # two answered at one instant
        else:
            won.set_result(taken)


async def _all_ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def let_go(agent: Channel) -> None:
    """An agent's leg ends, and his phone has been told so."""
    await finish(agent.hang_up())
    await finish(agent.gone_within(FREE_SECONDS))
