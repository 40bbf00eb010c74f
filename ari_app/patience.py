"""By when a customer who answered must have an agent, or hear who called: from his answer, or his greeting's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self

import structlog

from ari_app.channel import Channel
from ari_app.errors import AriError
from ari_app.scope import until_hangup
from ari_app.services import Services
from contact_center.dialling import DialOrder
from contact_center.roster import Offer

LIVE_SECONDS = 5.0  # how long an answered customer may wait for Asterisk to be out of doubt
DECIDE_SHARE = 0.9  # of the deadline: 1.8 s of 2.0 s, so that the customer is gone by the deadline itself
SILENCE_SECONDS = 0.5  # after so much silence a greeting is over
WORD_MS = 100  # a sound that is shorter is no greeting
FOR_EVER = 1e6

log = structlog.get_logger(__name__)


class Patience:
    """To be made at the answer. ``at``: seconds of the loop's clock at which he is let go if no agent is there.

    Where the order's ``greeting_seconds`` say so, the law's seconds count from the end of his first words: while he
    speaks, ``at`` moves on, never by more than those. Who says nothing, or is not heard, is not waited for.
    """

    def __init__(self, order: DialOrder, customer: Channel, env: Services) -> None:
        self._order, self._customer, self._env = order, customer, env
        self._answered = asyncio.get_running_loop().time()
        self._span = DECIDE_SHARE * order.deadline_seconds
        self.at = self._answered + self._span
        self._ended: float | None = None
        self._listens = self._is_complete = False
        self._limits: set[asyncio.Timeout] = set()

    def __enter__(self) -> Self:
        if self._order.greeting_seconds:
            self._listens = True
            self._customer.voice.listeners.add(self._hear)
            self._env.ari.spawn(self._detect("set", self._parameters), f"hear {self._customer.id}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over()

    @property
    def left(self) -> float:
        """Seconds until he is let go; below 0: he should have been."""
        return self.at - asyncio.get_running_loop().time()

    @property
    def greeting_seconds(self) -> float | None:
        """When his greeting was over, in seconds after the answer; None: not asked, or he said nothing."""
        return None if self._ended is None else round(self._ended - self._answered, 3)

    def over(self) -> None:
        """His greeting is of no interest any more."""
        if not self._listens:
            return
        self._listens = False
        self._customer.voice.listeners.discard(self._hear)
        if self._ended is not None:
            self._ended = min(self._ended, asyncio.get_running_loop().time())
        if not self._customer.gone.happened:
            self._env.ari.spawn(self._detect("remove", ""), f"hear {self._customer.id} no more")

    # -- waiting --------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Agents are looked for from now on, as soon as Asterisk is out of doubt, for which no law waits."""
        heard_for = asyncio.get_running_loop().time() - self._answered
        await self.until_live()
        if not self._order.message_required:
            self.at = asyncio.get_running_loop().time() + self._span - heard_for

    async def reserve(self, prefer: str) -> Offer | None:
        """The first agent who is free in time. Raises nothing when time is up."""
        order, roster = self._order, self._env.roster
        if not self._listens:
            return await roster.reserve_within(self.left, order.team, order.call_id, prefer)
        with suppress(TimeoutError):
            async with self.limit():
                return await roster.reserve_within(FOR_EVER, order.team, order.call_id, prefer)
        return None

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """The block ends by TimeoutError when he must be let go; without a law it has no limit."""
        async with asyncio.timeout_at(self.at if self._order.message_required else None) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    async def until_live(self) -> None:
        """While Asterisk is in doubt, or a new process has only begun, no agent can be rung; wait a little."""
        if self._env.ari.live:
            return
        longest = asyncio.get_running_loop().time() + LIVE_SECONDS
        with suppress(TimeoutError):
            until = min(longest, self.at) if self._order.message_required else longest
            async with until_hangup(self._customer), asyncio.timeout_at(until):
                await self._env.ari.until_live()

    # -- his greeting ---------------------------------------------------------------------------------

    @property
    def _parameters(self) -> str:
        return f"{round(1000 * SILENCE_SECONDS)},{self._env.settings.amd.silence_threshold}"

    async def _detect(self, act: str, parameters: str) -> None:
        try:
            await self._customer.set_var(f"TALK_DETECT({act})", parameters)
        except AriError as error:
            log.info("his greeting is not heard", action="greeting", call_id=self._order.call_id, reason=str(error))

    def _hear(self, talking: bool, duration_ms: int) -> None:
        """A short sound is no greeting; there are Asterisks that take his first frame for talk, be it silence."""
        if self._is_complete:
            return
        longest = self._answered + self._order.greeting_seconds
        if talking:
            self._ended = longest
        else:
            ended = asyncio.get_running_loop().time() - SILENCE_SECONDS
            self._ended = min(max(ended, self._answered), longest)
            self._is_complete = duration_ms >= WORD_MS
        self.at = self._ended + self._span
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(self.at)
