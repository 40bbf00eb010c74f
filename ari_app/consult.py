"""A consult: the customer waits with music while his agent speaks with somebody else, and then as the agent keys.

Every step is taken here, one after the other, by the task that lives through the call: keys, answers and hang-ups are
put into one inbox. That the customer hangs up is his own scope's matter: it ends all of this at the current await.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import datetime

import structlog

from ari_app.agent_keys import InConsult
from ari_app.agent_leg import NotTaken
from ari_app.channel import Channel
from ari_app.consult_words import Back, End, Given, News, Step, Talking, Unserved
from ari_app.errors import AriDown, AriError, HungUp, Uncertain
from ari_app.queue_music import Music
from ari_app.ringback import Ringback
from ari_app.scope import finish
from ari_app.services import Services
from ari_app.transfer import Reached, Target, Wish
from contact_center import story
from contact_center.store.talk_facts import TalkMoved
from contact_center.story_kept import to_keep
from contact_center.trunks import CAPPED, NO_LINE

FAILED_SOUND = "sound:beeperr"
FAILED_SECONDS = 0.7  # how long the agent hears that nobody was reached
WORDS_SECONDS = 5.0  # how long it may take to say why there is no line
AGAIN_SECONDS = 10.0  # how long Asterisk may be in doubt before a step of a consult is given up

log = structlog.get_logger(__name__)


class Consult:
    """One consult, or one transfer (``give``: the agent leaves as soon as somebody answers)."""

    def __init__(
        self,
        env: Services,
        talking: Talking,
        calls: story.CallLog,
        music: str = "",
        *,
        give: bool = False,
    ) -> None:
        self._env, self._talk, self._log, self._klass, self._give = env, talking, calls, music, give
        self.step, self.is_over = Step.RINGING, False
        self._music = Music(talking.customer)
        self._inbox: asyncio.Queue[InConsult | News] = asyncio.Queue()
        self._other: Reached | None = None
        self._other_music: Music | None = None
        self._ringback = Ringback(talking.agent, env.ari)
        self._why = self._dialled = ""  # why nobody was reached; who was to be
        self._interrupted = False  # whether the customer's conversation is, on the timeline

    def key(self, key: InConsult) -> None:
        """The agent keyed something that a consult understands."""
        self._inbox.put_nowait(key)

    @property
    def listeners(self) -> list[Channel]:
        """Whom keys are for that are no codes of ours: customers and numbers outside who hear the agent now."""
        outside = [self._other.leg.channel] if self._other is not None and not self._other.agent else []
        match self.step:
            case Step.CONSULT:
                return outside
            case Step.SWAPPED:
                return [self._talk.customer]
            case Step.THREE_WAY:
                return [self._talk.customer, *outside]
        return []

    # -- the story ------------------------------------------------------------------------------------

    async def live(self, target: Target, wish: Wish) -> End:
        """Hold the customer, reach the other, obey the keys; how it ended."""
        async with AsyncExitStack() as side:
            try:
                self._dialled = target.dialled or target.name
                with self._watched(self._talk.agent, News.AGENT_GONE):
                    await self._try(self._hold_customer)
                    async with self._ringing(target, wish, side):
                        end = await self._steps()
            finally:
                await finish(self._hush())
            if isinstance(end, Given):
                return Given(end.to, side.pop_all())
        return end

    async def _hush(self) -> None:
        """Agent and other may stay on lines of their own: what they heard of this does not go on there."""
        with suppress(AriError):
            await self._ringback.end()
        with suppress(AriError):
            if self._other_music is not None:
                await self._other_music.stop()

    async def _steps(self) -> End:
        while True:
            news = await self._inbox.get()
            end = await self._next(news)
            if end is not None:
                return end

    async def _next(self, news: InConsult | News) -> End | None:
        """One step of the table; None where the consult goes on."""
        if self.step is Step.ALONE:
            return await self._while_alone(news)
        if news in (News.NOT_REACHED, News.OTHER_GONE) and self._talk.agent.gone.happened:
            return await self._nobody()
        if self.step is Step.RINGING:
            return await self._while_ringing(news)
        return await self._while_there(news)

    async def _while_alone(self, news: InConsult | News) -> End | None:
        if news is News.ANSWERED:
            return await self._complete()
        return Unserved() if news is News.NOT_REACHED else None

    async def _while_ringing(self, news: InConsult | News) -> End | None:
        match news:
            case News.ANSWERED if self._give:
                await tell_phone(self._talk.agent, "channel_answered")
                return await self._complete()
            case News.ANSWERED:
                self.step = Step.CONSULT
                await self._try(self._talk_to_other)
            case News.AGENT_GONE:
                self.step = Step.ALONE
                self._left_alone()
                await self._talk.release()
            case News.NOT_REACHED | InConsult.BACK:
                return await self._come_back(news)
        return None

    async def _while_there(self, news: InConsult | News) -> End | None:
        match self.step, news:
            case _, (InConsult.BACK | News.OTHER_GONE):
                return await self._come_back(news)
            case _, News.AGENT_GONE:
                return await self._complete()
            case ((Step.CONSULT | Step.SWAPPED), InConsult.THREE_WAY):
                await self._try(self._all_three)
            case Step.CONSULT, InConsult.SWAP:
                await self._try(self._swap_to_customer)
            case ((Step.SWAPPED | Step.THREE_WAY), InConsult.SWAP):
                await self._try(self._swap_to_other)
        return None

    # -- reaching the other ---------------------------------------------------------------------------

    @asynccontextmanager
    async def _ringing(self, target: Target, wish: Wish, side: AsyncExitStack) -> AsyncIterator[None]:
        """While the block lasts the other is rung, and watched once he is there."""
        work = asyncio.create_task(self._reach(target, wish, side), name=f"consult {wish.call_id}")
        try:
            yield
        finally:
            if self._other is not None:
                self._other.leg.channel.gone.remove_done_callback(self._other_gone)
            work.cancel()
            await finish(_ended(work))

    async def _reach(self, target: Target, wish: Wish, side: AsyncExitStack) -> None:
        assert self._env.targets is not None
        try:
            self._other = await self._env.targets.reach(target, wish, side)
        except NotTaken as missed:
            self._why = missed.reason
            log.info("nobody reached", action="consult", call_id=wish.call_id, reason=missed.reason)
            self._inbox.put_nowait(News.NOT_REACHED)
        except AriError as error:
            log.warning("nobody reached", action="consult", call_id=wish.call_id, reason=str(error))
            self._inbox.put_nowait(News.NOT_REACHED)
        else:
            self._other.leg.channel.gone.add_done_callback(self._other_gone)
            self._inbox.put_nowait(News.ANSWERED)

    def _other_gone(self, _: object) -> None:
        self._inbox.put_nowait(News.OTHER_GONE)

    @contextmanager
    def _watched(self, channel: Channel, news: News) -> Iterator[None]:
        def gone(_: object) -> None:
            self._inbox.put_nowait(news)

        channel.gone.add_done_callback(gone)
        try:
            yield
        finally:
            channel.gone.remove_done_callback(gone)

    # -- who hears whom -------------------------------------------------------------------------------

    async def _hold_customer(self) -> None:
        await self._talk.bridge.remove(self._talk.customer)
        await self._music.start(self._klass)
        if self.step is Step.RINGING and not self._give:
            await self._ringback.begin()

    async def _talk_to_other(self) -> None:
        other = self._there
        await self._ringback.end()
        await self._talk.bridge.add(other.leg.channel, absorb_dtmf=bool(other.agent))
        self._consulted()

    async def _customer_in(self) -> None:
        """The customer hears his agent; the music ends in the same moment."""
        await asyncio.gather(self._talk.bridge.add(self._talk.customer), self._music.stop())

    async def _other_in(self) -> None:
        other = self._there
        held, self._other_music = self._other_music, None
        await self._talk.bridge.add(other.leg.channel, absorb_dtmf=bool(other.agent))
        if held is not None:
            await held.stop()

    async def _other_out(self) -> None:
        channel = self._there.leg.channel
        await self._talk.bridge.remove(channel)
        self._other_music = Music(channel)
        await self._other_music.start(self._klass)

    async def _all_three(self) -> None:
        if self.step is Step.CONSULT:
            await self._customer_in()
            self._resumed()
        else:
            await self._other_in()
        self.step = Step.THREE_WAY
        if self._there.agent:
            self._log.add(story.Joined(self._now(), self._there.name))
            self._keep()

    async def _swap_to_customer(self) -> None:
        await self._other_out()
        await self._customer_in()
        self.step = Step.SWAPPED
        self._resumed()

    async def _swap_to_other(self) -> None:
        was, self.step = self.step, Step.CONSULT
        await self._hold_customer()
        if was is Step.SWAPPED:
            await self._other_in()
        self._consulted()

    async def _come_back(self, news: InConsult | News) -> End:
        """The customer hears his agent again; the other is let go when the block around this ends."""
        if self.step in (Step.RINGING, Step.CONSULT):
            await self._try(self._to_customer)
        if self.step is Step.CONSULT:
            self._resumed()
        elif self.step is Step.THREE_WAY and self._other is not None:
            await self._try(self._without_other)
        if news is not InConsult.BACK and self._talk.agent.gone.happened:
            return await self._nobody()
        if news is News.NOT_REACHED and self._give:
            await tell_phone(self._talk.agent, "channel_unavailable")
        elif news is News.NOT_REACHED:
            self._say_nobody()
        return Back()

    def _say_nobody(self) -> None:
        words = self._env.spoken(self._why) if self._why in (NO_LINE, CAPPED) else ()
        self._env.ari.spawn(_tell(self._talk.agent, words), f"nobody reached {self._talk.agent.id}")

    async def _to_customer(self) -> None:
        if self.step is Step.RINGING:
            await self._ringback.end()
        elif self._other is not None and not self._other.leg.channel.gone.happened:
            await self._talk.bridge.remove(self._other.leg.channel)
        await self._customer_in()

    async def _without_other(self) -> None:
        if not self._there.leg.channel.gone.happened:
            await self._talk.bridge.remove(self._there.leg.channel)

    async def _complete(self) -> End:
        """The agent has gone, or goes: customer and other meet in a place of their own."""
        other = self._there
        joined = await self._try(self._join_other)
        if not joined or other.leg.channel.gone.happened:
            return await self._nobody()
        at = self._now()
        self._log.add(story.Connected(at, other.name) if other.agent else story.Diverted(at, other.name))
        await self._talk.release()
        is_blind = self.step in (Step.RINGING, Step.ALONE)
        return Given(replace(other, blind=self._dialled if is_blind else ""), AsyncExitStack())

    async def _join_other(self) -> None:
        leg, customer = self._there.leg, self._talk.customer
        await leg.bridge.add(leg.channel, absorb_dtmf=bool(self._there.agent))
        await leg.bridge.add(customer)
        await self._music.stop()
        if self._other_music is not None:
            await self._other_music.stop()

    async def _nobody(self) -> End:
        """Agent and other have gone: the customer waits with music."""
        if not self._music.on:
            await self._try(self._alone_with_music)
        if self.step is not Step.ALONE:
            self._left_alone()
        await self._talk.release()
        return Unserved()

    async def _alone_with_music(self) -> None:
        await self._talk.bridge.remove(self._talk.customer)
        if self._other is not None:
            await self._other.leg.bridge.remove(self._talk.customer)
        await self._music.start(self._klass)

    @property
    def _there(self) -> Reached:
        assert self._other is not None
        return self._other

    async def _try(self, step: Callable[[], Awaitable[None]]) -> bool:
        """One step; while Asterisk is in doubt it is tried again. False where it could not be taken."""
        for _ in range(2):
            try:
                await step()
                return True
            except HungUp as hangup:
                if hangup.channel is self._talk.customer:
                    raise
                return False  # of the others' end the inbox is told
            except (AriDown, Uncertain) as error:
                log.warning("a step of a consult is taken again", action="consult", reason=str(error))
                if not await self._live_again():
                    return False
            except AriError as error:
                log.warning("a step of a consult failed", action="consult", step=str(self.step), reason=str(error))
                return False
        return False

    async def _live_again(self) -> bool:
        try:
            async with asyncio.timeout(AGAIN_SECONDS):
                await self._env.ari.until_live()
        except TimeoutError:
            return False
        return True

    def _consulted(self) -> None:
        other = self._there
        self._interrupted = True
        self._log.add(story.Consulted(self._now(), self._talk.name, other.name, other.agent_name))
        self._keep()

    def _resumed(self) -> None:
        """The agent speaks with the customer again."""
        if self._interrupted:
            self._interrupted = False
            self._log.add(story.Connected(self._now(), self._talk.name))
            self._keep()

    def _keep(self) -> None:
        self._env.post(TalkMoved(call_id=self._log.header.id, talk=to_keep(self._log)))

    def _left_alone(self) -> None:
        self._log.add(story.Alone(self._talk.agent.gone.at or self._now()))

    def _now(self) -> datetime:
        return self._env.clock.now()


async def tell_phone(agent: Channel, state: str) -> None:
    """What became of the transfer that his phone asked for."""
    try:
        await agent.transfer_progress(state)
    except AriError as error:
        log.info("the phone is not told", action="transfer", reason=str(error))


async def _tell(agent: Channel, words: tuple[str, ...]) -> None:
    """What the agent alone hears: the sentence that says why, else a beep."""
    try:
        if words:
            await agent.whisper(words[0], WORDS_SECONDS)
        else:
            await agent.whisper(FAILED_SOUND, FAILED_SECONDS)
    except AriError as error:
        log.info("the agent is not told", action="consult", reason=str(error))


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a consult's ringing ended by an error", action="consult", error=repr(error))
