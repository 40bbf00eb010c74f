"""What a caller hears while he waits: music, and now and then how long it will take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from ari_app import prompts
from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.queue_place import Place
from ari_app.queue_prompts import QueuePrompts

FIRST_SECONDS = 2.0
"""The first announcement comes so long after he began to wait: who is served at once hears none."""
MUSIC_AFTER_SECONDS = 0.1
"""Music begins so long after he is answered, unless an agent is there by then."""
RENEW_SHARE = 3
"""Asterisk's dead man's clock is wound up so many times before it would run out."""

log = structlog.get_logger(__name__)


class DeadMan:
    """Asterisk's own clock on a caller: were we away for so long, it would send him to the fallback."""

    def __init__(self, caller: Channel, seconds: float) -> None:
        self._caller, self.seconds = caller, seconds

    async def wind(self, more: float = 0.0) -> None:
        """Another ``seconds`` from now, and ``more`` for a sound that cannot be interrupted by it."""
        await self._set(self.seconds + more)

    async def stop(self) -> None:
        """He talks: no clock of ours ends that."""
        with suppress(HungUp):
            await self._set(0)

    async def _set(self, seconds: float) -> None:
        try:
            await self._caller.set_var("TIMEOUT(absolute)", f"{seconds:g}")
        except HungUp:
            raise
        except AriError as error:
            log.warning("the dead man's clock is not wound up", action="queue", reason=str(error))


class Music:
    """The music of one caller; ``on`` from the moment it is asked for."""

    def __init__(self, caller: Channel, *, on: bool = False) -> None:
        self._caller, self.on = caller, on

    async def start(self, klass: str) -> None:
        """Music, of the class that the queue wants; a caller who has gone needs none."""
        self.on = True
        try:
            await self._caller.start_moh(klass)
        except HungUp:
            return
        except AriError as error:
            log.warning("no music", action="queue", music=klass, reason=str(error))

    async def stop(self) -> None:
        """No music, if there is any. Raises HungUp."""
        if not self.on:
            return
        self.on = False
        try:
            await self._caller.stop_moh()
        except HungUp:
            raise
        except AriError as error:
            log.warning("the music may go on", action="queue", reason=str(error))


class Hold:
    """``async with Hold(...) as hold``: music begins; ``await hold.hush()`` before he is joined to somebody.

    The music itself is ended by whoever joins him: it must not fall silent before the other is heard.
    """

    def __init__(
        self,
        caller: Channel,
        place: Place,
        book: QueuePrompts,
        language: str,
        clock: DeadMan,
        music: Music,
        said: Callable[[float], None],
        offer: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._caller, self._place, self._book = caller, place, book
        self._language, self._clock, self._music, self._said = language, clock, music, said
        self._offer = offer
        self._task: asyncio.Task[None] | None = None
        self._begin: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []

    async def __aenter__(self) -> Self:
        self.resume()
        return self

    def resume(self) -> None:
        """Music, and announcements from now on; nobody waits for their beginning, so an agent is rung meanwhile.

        Who is answered by an agent at once hears no scrap of music, and costs no task.
        """
        loop, renew = asyncio.get_running_loop(), self._clock.seconds / RENEW_SHARE
        begins, now = 0.0 if self._music.on else MUSIC_AFTER_SECONDS, loop.time()
        self._timers = [
            loop.call_later(begins, self._begin_music),
            loop.call_later(min(FIRST_SECONDS, renew), self._begin_words, now + FIRST_SECONDS, now + renew),
        ]

    def _begin_music(self) -> None:
        self._begin = asyncio.create_task(
            self._music.start(self._place.rules.options.music), name=f"music {self._caller.id}"
        )

    def _begin_words(self, announce_at: float, renew_at: float) -> None:
        self._task = asyncio.create_task(self._go_on(announce_at, renew_at), name=f"hold {self._caller.id}")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hush()

    async def hush(self) -> None:
        """No more announcements; one that is being made is cut short."""
        for timer in self._timers:
            timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._begin is not None:
            if not self._music.on:
                self._begin.cancel()
            await asyncio.wait([self._begin])  # music that begins after its end would never end
            self._begin = None

    async def _go_on(self, announce_at: float, renew_at: float) -> None:
        """Wind up the clock, and say what there is to say, until cancelled."""
        loop, renew = asyncio.get_running_loop(), self._clock.seconds / RENEW_SHARE
        try:
            while True:
                await asyncio.sleep(max(min(announce_at, renew_at) - loop.time(), 0.0))
                if loop.time() >= renew_at:
                    await self._clock.wind()
                    renew_at = loop.time() + renew
                if loop.time() >= announce_at:
                    await self._announce()
                    announce_at = loop.time() + self._place.rules.options.announce_every
        except HungUp:
            log.debug("he left", action="queue", call_id=self._place.entry.call_id)
        except Exception:
            log.exception("announcements ended", action="queue", call_id=self._place.entry.call_id)

    async def _announce(self) -> None:
        """His place and his wait, with the music paused; nothing while a phone rings for him."""
        options, board = self._place.rules.options, self._place.board
        if not board.stands(self._place.entry):
            return
        media: list[str] = []
        if options.announce_position:
            media += self._book.position(board.position(self._place.entry), self._language)
        if options.announce_wait and (wait := board.expected_wait(self._place.entry)) is not None:
            media += self._book.wait(wait, self._language)
            self._said(wait)
        media += self._offer()
        if not media:
            return
        await self._clock.wind()
        await prompts.play(self._caller, *media)
        self._begin = asyncio.create_task(self._music.start(options.music), name=f"music {self._caller.id}")
        await asyncio.wait([self._begin])


async def rejoin(customer: Channel, bridge: Bridge) -> None:
    """Somebody on hold hears who is in a bridge again; that he has gone meanwhile is his call's matter."""
    try:
        await bridge.add(customer)
        await Music(customer, on=True).stop()
    except AriError as error:
        log.info("not taken off hold", action="adopt", channel=customer.id, reason=str(error))
