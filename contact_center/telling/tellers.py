"""Everybody who is told, in one running ``serve``: started, restarted when changed, ended with it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Hashable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import structlog
from sqlalchemy.orm import Session

from contact_center.clock import Clock
from contact_center.http.metrics import Meters
from contact_center.matching.matcher import Matcher, TransactionTeller
from contact_center.settings import Settings
from contact_center.store.analytics import Property, live_properties
from contact_center.store.telling import oldest_cursor, who_is_told
from contact_center.store.webhooks import Hook, live_hooks
from contact_center.store.writer import Writer
from contact_center.telling.books import Books
from contact_center.telling.feed import News
from contact_center.telling.google import GoogleTeller
from contact_center.telling.mqtt import MqttTeller
from contact_center.telling.post import Post
from contact_center.telling.webhooks import HookSender

LOOK_SECONDS = 0.3
"""How often it is looked for new events, and for webhooks that were changed."""
IDLE_SECONDS = 0.8
"""The same while nobody wants to be told: whoever is added is told within a second."""
HELD_SECONDS = 60.0
"""How often it is looked which events somebody still has to be told of."""
START_SECONDS = 3.0
"""How long a start waits for the places where those that are told go on."""
AGAIN_SECONDS = 5.0
"""Before a part that failed is started once more."""

log = structlog.get_logger(__name__)


class Teller(Protocol):
    """One who is told."""

    async def run(self) -> None:
        """Runs until cancelled, or until nothing is to be told any more."""
        ...


@dataclass(frozen=True, slots=True)
class _Running:
    wanted: Hashable
    teller: Teller
    task: asyncio.Task[None]


class Tellers:
    """``async with Tellers(settings, books)``: everybody is told meanwhile.

    ``mqtt``: the broker's teller, None without a broker.
    """

    def __init__(self, settings: Settings, books: Books, dice: random.Random | None = None) -> None:
        self.news = News()
        self.mqtt: MqttTeller | None = None
        self._settings, self._books = settings, books
        self._dice = dice or random.Random()
        self._running: dict[str, _Running] = {}
        self._held: int = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._books)
        hosts = self._settings.webhooks.allow_hosts
        self._post = await self._stack.enter_async_context(Post(hosts))
        await self._start_fixed()
        self._work = asyncio.create_task(_lasting("all", self.run), name="tell")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._work.cancel()
        await asyncio.wait({self._work})
        for name in list(self._running):
            await self._end(name)
        await self._stack.aclose()

    @property
    def held(self) -> int:
        """Everybody has the events up to here; for ``Writer.keep_events_for``. Read from any thread."""
        return self._held

    @property
    def mqtt_backlog(self) -> int:
        """Events the broker does not have yet."""
        return self.mqtt.backlog if self.mqtt is not None else 0

    async def run(self) -> None:
        """Tell everybody. Runs until cancelled."""
        loop = asyncio.get_running_loop()
        next_held = loop.time()
        while True:
            newest, hooks, properties, has_pools = await self._books.read(_wanted)
            self.news.tell(newest)
            await self._keep({"matching": None} if has_pools else {}, "matching")
            await self._keep({f"webhook:{hook.id}": hook for hook in hooks}, "webhook:")
            await self._keep({f"analytics:{item.id}": item for item in properties}, "analytics:")
            if loop.time() >= next_held:
                next_held = loop.time() + HELD_SECONDS
                await self._look_what_is_held(newest)
            await asyncio.sleep(LOOK_SECONDS if self._running else IDLE_SECONDS)

    async def _start_fixed(self) -> None:
        """Those that the settings name. Who is new is told everything from here on."""
        settings, found = self._settings, list[tuple[str, MqttTeller | TransactionTeller]]()
        if settings.mqtt.url:
            self.mqtt = MqttTeller(settings.mqtt, self._books, self.news, self._dice)
            found.append(("mqtt", self.mqtt))
        if settings.tracking.url:
            country, send = settings.site.country, self._post.send
            teller = TransactionTeller(settings.tracking, country, self._books, self.news, send, self._dice)
            found.append(("transactions", teller))
        with suppress(TimeoutError):  # the database is away: they begin when it is back
            async with asyncio.timeout(START_SECONDS):
                for _, one in found:
                    await one.follower.start()
        for name, one in found:
            self._start(name, "", one)

    async def _look_what_is_held(self, newest: int) -> None:
        names = set(self._running)
        found = await self._books.read(lambda session: oldest_cursor(session, names=names))
        self._held = newest if found is None else found

    # -- parts ----------------------------------------------------------------------------------------

    async def _keep(self, wanted: dict[str, Any], prefix: str) -> None:
        """Those that are wanted run, as they are wanted now; others do not."""
        for name in [name for name in self._running if name.startswith(prefix)]:
            if name not in wanted or self._running[name].wanted != wanted[name]:
                await self._end(name)
        for name, what in wanted.items():
            if name not in self._running:
                self._start(name, what, self._teller(what))

    def _teller(self, what: Hook | Property | None) -> Teller:
        if what is None:
            return Matcher(self._books, self.news, self._settings.site.country)
        if isinstance(what, Hook):
            return HookSender(what, self._books, self.news, self._post.send, self._dice)
        url, currency = self._settings.analytics.url, self._settings.site.currency
        return GoogleTeller(what, url, currency, self._books, self.news, self._post.send, self._dice)

    def _start(self, name: str, wanted: Hashable, teller: Teller) -> None:
        task = asyncio.create_task(_lasting(name, teller.run), name=f"tell {name}")
        self._running[name] = _Running(wanted, teller, task)

    async def _end(self, name: str) -> None:
        task = self._running.pop(name).task
        task.cancel()
        await asyncio.wait({task})


def _wanted(session: Session) -> tuple[int, list[Hook], list[Property], bool]:
    """What is there to be told, and who wants to be; one small statement where nobody does."""
    there = who_is_told(session)
    hooks = live_hooks(session)[1] if there.has_hooks else []
    return there.newest, hooks, live_properties(session) if there.has_properties else [], there.has_pools


async def _lasting(name: str, run: Any) -> None:
    """A defect in telling one must neither end the telling of others nor any call."""
    while True:
        try:
            work: Coroutine[Any, Any, None] = run()
            await work
            return
        except Exception:
            log.exception("telling failed", action="tell", who=name)
        await asyncio.sleep(AGAIN_SECONDS)


@asynccontextmanager
async def telling(settings: Settings, clock: Clock, writer: Writer, meters: Meters) -> AsyncIterator[Tellers]:
    """Everybody is told while the block lasts, and nothing that somebody still has to be told of is pruned."""
    async with Tellers(settings, Books(settings.database.url, clock, writer.commit)) as tellers:
        writer.keep_events_for(lambda: tellers.held)
        meters.mqtt_backlog.set_function(lambda: tellers.mqtt_backlog)
        if tellers.mqtt is not None:
            broker = tellers.mqtt
            meters.live.labels("mqtt").set_function(lambda: broker.live)
        yield tellers
