"""A consult in a second call of the agent's phone: he holds his customer there, calls somebody, and transfers by REFER.

The customer stays where he is as long as the phone holds him, and hears Asterisk's music; a phone that calls without
holding him leaves him to music of ours. Whatever ends the second call brings the customer back to where he was; if the
phone asks to join both, or its first call ends, he is the other's, as with ``*7``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ari_app.agent_keys import InConsult
from ari_app.channel import Channel
from ari_app.consult import Consult, tell_phone
from ari_app.consult_words import End, News, Step, Talking
from ari_app.events import ChannelTransfer
from ari_app.line_pulse import is_on_hold
from ari_app.moment import Moment
from ari_app.queue_music import rejoin
from ari_app.ringback import Ringback
from ari_app.scope import finish
from ari_app.services import Services
from ari_app.transfer import Target, Wish
from contact_center import story

HELD_SECONDS = 0.3  # how long the phone's word that it holds the customer may come after its second call
BOTH_SECONDS = 0.3  # how far apart both calls of a phone may end that leaves
_BUSY, _NO_ANSWER, _REJECTED, _CONGESTION = 17, 19, 21, 34
_CAUSES = {"busy": _BUSY, "rejected": _BUSY, "no_answer": _NO_ANSWER, "silent": _NO_ANSWER, "forbidden": _REJECTED}


class PhoneConsult(Consult):
    """One consult in ``phone``, the agent's second call, which ends with it."""

    def __init__(
        self, env: Services, talking: Talking, calls: story.CallLog, music: str = "", *, phone: Channel
    ) -> None:
        super().__init__(env, talking, calls, music)
        self._phone, self._asks = phone, talking.agent
        self._cause: int | None = None
        self._ringback = Ringback(phone, env.ari)

    def give(self, asks: Channel, event: ChannelTransfer) -> bool:
        """One of the phone's calls asks to be replaced by its other one; False where it means none of them."""
        if {asks.id, event.replaces} != {self._talk.agent.id, self._phone.id} or self.step is Step.ALONE or self._give:
            return False
        self._asks = asks
        self._inbox.put_nowait(News.PHONE_GIVES)
        return True

    @property
    def listeners(self) -> list[Channel]:
        """What he keys in his first call is for his customer, as ever."""
        return [self._talk.customer]

    # -- the story ------------------------------------------------------------------------------------

    async def live(self, target: Target, wish: Wish) -> End:
        """As any consult; the second call is over afterwards."""
        try:
            with self._heard_of_phone():
                return await super().live(target, wish)
        finally:
            self.is_over = True
            cause = None if self._phone.answered.happened else self._cause
            # Not awaited: who is given the customer must not be lost where he hangs up in this moment.
            self._env.ari.spawn(self._phone.hang_up(reason_code=cause), f"end {self._phone.id}")

    @contextmanager
    def _heard_of_phone(self) -> Iterator[None]:
        def refers(wanted: asyncio.Future[ChannelTransfer]) -> None:
            self._phone.transfer_wanted = Moment()
            self._phone.transfer_wanted.add_done_callback(refers)
            if not self.give(self._phone, wanted.result()):
                self._env.ari.spawn(tell_phone(self._phone, "channel_declined"), f"no transfer {self._phone.id}")

        def holds(held: bool) -> None:
            self._inbox.put_nowait(News.HELD if held else News.UNHELD)

        self._phone.transfer_wanted.add_done_callback(refers)
        with ExitStack() as hearing:
            hearing.callback(lambda: self._phone.transfer_wanted.remove_done_callback(refers))
            hearing.enter_context(self._watched(self._phone, News.PHONE_BACK))
            hearing.enter_context(self._talk.agent.on_hold.told(holds))
            yield

    async def _next(self, news: InConsult | News) -> End | None:
        match news:
            case InConsult():
                return None
            case News.PHONE_BACK:
                return await self._phone_back()
            case News.PHONE_GIVES:
                return await self._gives()
            case News.HELD | News.UNHELD:
                await self._on_hold(held=news is News.HELD)
                return None
            case News.AGENT_GONE if self.step is Step.RINGING and not self._music.on:
                await self._try(self._customer_out)
        return await super()._next(news)

    async def _phone_back(self) -> End | None:
        """He has ended his second call; where his phone is gone altogether, the end of the first counts."""
        if self._give or self.step is Step.ALONE or await self._talk.agent.gone_within(BOTH_SECONDS):
            return None
        return await self._come_back(InConsult.BACK)

    async def _gives(self) -> End | None:
        """His phone leaves: at once where the other is there, else as soon as he is."""
        match self.step:
            case Step.RINGING:
                self._give = True
                await self._try(self._customer_out)
                await finish(self._phone.hang_up())
            case Step.CONSULT if self._there.leg.channel.gone.happened:
                await tell_phone(self._asks, "channel_unavailable")
            case Step.CONSULT:
                await tell_phone(self._asks, "channel_answered")
                return await self._complete()
        return None

    async def _on_hold(self, *, held: bool) -> None:
        """His phone goes from one of its calls to the other."""
        if not held and self._music.on and self.step is not Step.ALONE and not self._give:
            await self._try(self._customer_in)
        if held and self.step is Step.CONSULT and not self._interrupted:
            self._consulted()
        elif not held:
            self._resumed()

    # -- who hears whom -------------------------------------------------------------------------------

    async def _hold_customer(self) -> None:
        if not await self._is_held():
            await self._customer_out()
        await self._ringback.begin()

    async def _is_held(self) -> bool:
        hold = self._talk.agent.on_hold
        if hold.now or await is_on_hold(self._talk.agent):
            return True
        if not self._talk.agent.gone.happened:
            await self._talk.agent.gone_within(HELD_SECONDS)
        return hold.now

    async def _customer_out(self) -> None:
        await self._talk.bridge.remove(self._talk.customer)
        await self._music.start(self._klass)

    async def _talk_to_other(self) -> None:
        await self._ringback.end()
        if not self._phone.answered.happened:
            await self._phone.answer()
        await self._there.leg.join(self._phone)
        self._consulted()

    async def _to_customer(self) -> None:
        """He is where he was; one whom the phone has put on hold since comes back when it takes him off."""
        if not self._music.on:
            return
        if not self._talk.agent.on_hold.now:
            await self._customer_in()
            return
        hold, back = self._talk.agent.on_hold, ExitStack()

        def taken_off(held: bool) -> None:
            if not held:
                back.close()
                self._env.ari.spawn(rejoin(self._talk.customer, self._talk.bridge), f"back {self._talk.customer.id}")

        back.enter_context(hold.told(taken_off))

    async def _join_other(self) -> None:
        if not self._phone.gone.happened:
            await self._there.leg.bridge.remove(self._phone)
        await super()._join_other()

    def _say_nobody(self) -> None:
        self._cause = _CAUSES.get(self._why, _CONGESTION)
