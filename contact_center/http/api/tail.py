"""The end of the outbox, read once for all who follow it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import CallwrightError
from contact_center.http.api.masking import Hidden, masked_event, plain_event
from contact_center.models import Outbox
from contact_center.store.changes import Event, read_events

POLL_SECONDS = 0.1
KEPT = 2000
"""Events kept in memory: who is no further behind asks the database nothing."""
PAGE = 500

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Read(Protocol):
    """ApiDesk.read."""

    def __call__(self, fn: Callable[[Session], T]) -> Awaitable[T]:
        """What ``fn`` gives in a reading transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """An event ready to be sent, in the clear and with hidden numbers masked."""

    id: int
    entity: str
    entity_id: str
    masked_id: str
    type: str
    clear: bytes
    masked: bytes


def newest_id(session: Session) -> int:
    """The id of the newest event; 0 when there is none."""
    return session.scalar(select(func.max(col(Outbox.id)))) or 0


def page_after(session: Session, after_id: int) -> list[Told]:
    """The next events, ready to be sent."""
    events = read_events(session, after_id=after_id, limit=PAGE)
    if not events:
        return []
    hidden = Hidden.of(session)
    campaigns = hidden.campaigns_of_calls(session, events)
    return [_told(event, hidden, campaigns) for event in events]


def _told(event: Event, hidden: Hidden, campaigns: dict[str, str]) -> Told:
    numbers = hidden.in_event(event, campaigns)
    masked = None if numbers is None else masked_event(event, numbers)
    clear = plain_event(event)
    masked_id = event.entity_id if event.entity != "dnc" or masked is None else ""
    shown = clear if masked is None else masked
    return Told(event.id, event.entity, event.entity_id, masked_id, event.type, clear, shown)


class OutboxTail:
    """Polls the outbox while somebody follows it, and only then."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._events: deque[Told] = deque()
        self._floor: int | None = None  # every event after this id is in `_events`; None: not known yet
        self._newest = 0
        self._followers = 0
        self._wanted, self._news = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            if not self._followers:
                self._floor = None
                self._events.clear()
                self._wanted.clear()
                await self._wanted.wait()
            try:
                await self._poll()
            except CallwrightError as error:
                log.info("events wait", action="api", reason=str(error))
            except Exception:
                log.exception("events could not be read", action="api")
            await asyncio.sleep(POLL_SECONDS)

    async def _poll(self) -> None:
        if self._floor is None:
            self._floor = self._newest = await self._read(newest_id)
            self._tell()
        while page := await self._read(lambda session: page_after(session, self._newest)):
            self._events.extend(page)
            self._newest = page[-1].id
            while len(self._events) > KEPT:
                self._floor = self._events.popleft().id
            self._tell()
            if len(page) < PAGE:
                return

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    @contextmanager
    def _following(self) -> Iterator[None]:
        self._followers += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._followers -= 1

    async def follow(self, after_id: int | None, beat_seconds: float) -> AsyncGenerator[tuple[int, list[Told]]]:
        """Events after an id (None: after now), as (where he stands, events); no events at each beat.

        Raises Unreachable when the database is asked and away.
        """
        with self._following():
            while self._floor is None:
                await asyncio.wait_for(self._news.wait(), beat_seconds)
            at = await self._begin(after_id)
            yield at, []
            while True:
                news = self._news
                page = await self._after(at)
                if not page:
                    try:
                        async with asyncio.timeout(beat_seconds):
                            await news.wait()
                    except TimeoutError:
                        yield at, []
                    continue
                at = page[-1].id
                yield at, page

    async def _begin(self, after_id: int | None) -> int:
        """Where a reader begins. An id that is not there yet came from another database: then at the end."""
        if after_id is None or after_id <= self._newest:
            return self._newest if after_id is None else after_id
        return min(after_id, await self._read(newest_id))  # he may have read further than the poll has come

    async def _after(self, at: int) -> list[Told]:
        if self._floor is None or at < self._floor:
            return await self._read(lambda session: page_after(session, at))
        start = bisect_right(self._events, at, key=lambda told: told.id)
        return [self._events[n] for n in range(start, min(start + PAGE, len(self._events)))]
