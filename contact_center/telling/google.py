"""Telling Google Analytics of ratings, each one in turn, until it has it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from urllib.parse import urlencode

import orjson
import structlog

from contact_center.store.analytics import Property, analytics_cursor, rated_calls
from contact_center.store.changes import Event
from contact_center.telling.books import Books
from contact_center.telling.feed import Follower, News
from contact_center.telling.measurement import document
from contact_center.telling.post import Send

PER_SECOND = 200.0
"""Requests a second to one receiver that has to catch up: calls share this process."""
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 60.0

log = structlog.get_logger(__name__)


class GoogleTeller:
    """One property. Google answers 2xx to whatever it gets, so anything else is a reason to try again."""

    def __init__(
        self, property_: Property, url: str, currency: str, books: Books, news: News, send: Send, dice: random.Random
    ) -> None:
        self.property = property_
        self.follower = Follower(analytics_cursor(property_.id), books, news)
        keys = {"measurement_id": property_.measurement_id, "api_secret": property_.api_secret}
        self._url, self._currency = f"{url}?{urlencode(keys)}", currency
        self._books, self._send, self._dice = books, send, dice

    async def run(self) -> None:
        """Runs until cancelled."""
        await self.follower.follow(self._tell)

    async def _tell(self, events: Sequence[Event]) -> None:
        found = await self._books.read(lambda session: rated_calls(session, events, self._currency))
        mine = self.property
        for rated, visitor in found:
            if mine.ratings and rated.option not in mine.ratings:
                continue
            body = document(
                rated, visitor,
                event_name=mine.event_name, value=mine.value, now=self._books.clock.now(),
            )  # fmt: skip
            await deliver(self._send, self._url, orjson.dumps(body), f"analytics {mine.name}", self._dice)
            await self.follower.mark(rated.event_id)


async def deliver(send: Send, url: str, body: bytes, who: str, dice: random.Random) -> None:
    """Post until it is taken."""
    delay, failures = FIRST_DELAY_SECONDS, 0
    while True:
        reply = await send(url, {"content-type": "application/json"}, body)
        if reply.is_ok:
            await asyncio.sleep(1.0 / PER_SECOND)
            return
        failures += 1
        if failures == 1:
            log.warning("not told yet", action="tell", who=who, reason=reply.why)
        await asyncio.sleep(delay * (1 + 0.2 * dice.random()))
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)
