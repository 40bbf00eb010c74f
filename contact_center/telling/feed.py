"""The outbox as it is followed: news for all, and one loop for consumers that take events strictly in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from contact_center.store.changes import Event, read_events
from contact_center.store.telling import cursor_of, move_cursor, open_cursor
from contact_center.telling.books import Books

PAGE = 200
Take = Callable[[Session, Sequence[Event]], object]


class News:
    """Wakes whoever follows the outbox. ``newest``: the id of the newest event that is known of."""

    def __init__(self) -> None:
        self.newest = 0
        self._changed = asyncio.Event()

    def tell(self, newest: int) -> None:
        """There is something new up to here."""
        if newest > self.newest:
            self.newest = newest
            self.stir()

    def stir(self) -> None:
        """Let everybody look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def after(self, event_id: int, within: float) -> bool:
        """Wait until there is an event after this one; False when there was none in time."""
        try:
            async with asyncio.timeout(within):
                while self.newest <= event_id:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def stirred(self, within: float) -> None:
        """Wait until anything changed, at most so long."""
        try:
            async with asyncio.timeout(within):
                await self._changed.wait()
        except TimeoutError:
            return


class Follower:
    """Hands a consumer every event after its cursor, page by page, and moves the cursor when it has taken them.

    At least once: what was taken and not yet written down when the process ended comes again. ``has``: the last
    event it surely has.
    """

    TOUCH_SECONDS = 600.0
    MARK_SECONDS = 0.5

    def __init__(self, name: str, books: Books, news: News) -> None:
        self.name, self.has = name, 0
        self._books, self._news = books, news
        self._is_open, self._marked_at = False, 0.0

    async def start(self) -> None:
        """Find the cursor, or make it."""
        if self._is_open:
            return
        now = self._books.clock.now()
        found = await self._books.read(lambda session: cursor_of(session, self.name))
        if found is None:
            found = await self._books.commit(lambda session: open_cursor(session, self.name, now))
        self.has, self._is_open = found, True

    async def follow(self, take: Callable[[list[Event]], Awaitable[None]]) -> None:
        """Runs until cancelled, or until ``take`` raises: then the same events come again next time."""
        await self.start()
        while True:
            page = await self._books.read(lambda session: read_events(session, after_id=self.has, limit=PAGE))
            if page:
                self._news.tell(page[-1].id)
                await take(page)
                await self._move(page[-1].id, self._books.clock.now())
            elif not await self._news.after(self.has, self.TOUCH_SECONDS):
                await self._move(self.has, self._books.clock.now())

    async def mark(self, last_id: int) -> None:
        """Of the page being taken, everything up to here is taken: so much less comes twice after a crash."""
        if asyncio.get_running_loop().time() >= self._marked_at + self.MARK_SECONDS:
            await self._move(last_id, self._books.clock.now())

    async def _move(self, last_id: int, now: datetime) -> None:
        self._marked_at = asyncio.get_running_loop().time()
        await self._books.commit(lambda session: move_cursor(session, self.name, last_id, now))
        self.has = last_id
