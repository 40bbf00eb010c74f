"""Telling an MQTT broker: every event once at least, and how queues, agents and campaigns stand now.

Topics, below the prefix of the settings:
    event/TYPE              each event, QoS 1, not retained; numbers are masked
    queue/NAME/state, agent/EXT/state, campaign/NAME/state      retained JSON, QoS 1; empty when it was removed
    engine/online           retained: true, and false as the last will
    resync                  whoever publishes here is sent all states anew
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import aiomqtt
import orjson
import structlog

from contact_center.ids import new_id
from contact_center.settings import Mqtt
from contact_center.store.changes import Event
from contact_center.store.told_states import Key, places_of_calls, states
from contact_center.telling import MQTT, NOT_YET
from contact_center.telling.books import Books
from contact_center.telling.broker import Broker
from contact_center.telling.envelope import MOST_BYTES, messages
from contact_center.telling.feed import Follower, News

KEEPALIVE_SECONDS = 15
ANSWER_SECONDS = 10.0
"""How long the broker may take to acknowledge."""
AT_ONCE = 20
"""Messages that may be unacknowledged at a time."""
PER_SECOND = 1000.0
"""Messages a second to a broker that has to catch up: calls share this process."""
SETTLE_SECONDS = 0.5
"""States that change again and again are told this often at most."""
CAMPAIGN_SECONDS = 5.0
"""The figures of campaigns, of which each costs a count of its leads, are told this often at most."""
RESYNC_SECONDS = 5.0
"""Requests for all states are granted this often at most."""
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 30.0
STATEFUL = ("queue", "agent", "campaign")

log = structlog.get_logger(__name__)


class MqttTeller:
    """``live``: whether the broker is connected, ``status``: the same in words. ``backlog``: events it has not yet."""

    def __init__(self, settings: Mqtt, books: Books, news: News, dice: random.Random) -> None:
        self.live = False
        self.status = NOT_YET
        self.follower = Follower(MQTT, books, news)
        self._broker, self._prefix = Broker.of(settings.url), settings.prefix
        self._books, self._news, self._dice = books, news, dice
        self._stale: set[Key] = set()
        self._campaigns_at = 0.0
        self._all_stale = asyncio.Event()
        self._is_stale = asyncio.Event()

    @property
    def backlog(self) -> int:
        """Events the broker does not have yet."""
        return max(self._news.newest - self.follower.has, 0)

    async def run(self) -> None:
        """Tell it, and come back for ever. Runs until cancelled."""
        await self.follower.start()
        delay, was_away = FIRST_DELAY_SECONDS, False
        while True:
            try:
                async with self._client() as client:
                    log.info("broker connected", action="mqtt", broker=self._broker.host)
                    delay, was_away = FIRST_DELAY_SECONDS, False
                    await self._serve(client)
            except aiomqtt.MqttError as error:
                self.status = self._broker.trouble(error)
                if not was_away:
                    log.warning("broker away", action="mqtt", broker=self._broker.host, reason=self.status)
                was_away = True
            finally:
                self.live = False
            await asyncio.sleep(delay * (1 + 0.2 * self._dice.random()))
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    def _client(self) -> aiomqtt.Client:
        client = self._broker.client(
            new_id("callwright"),
            ANSWER_SECONDS,
            keepalive=KEEPALIVE_SECONDS,
            will=aiomqtt.Will(self._topic("engine", "online"), b"false", qos=1, retain=True),
            max_inflight_messages=AT_ONCE,
            max_queued_incoming_messages=1,
        )
        client.pending_calls_threshold = 4 * AT_ONCE
        return client

    async def _serve(self, client: aiomqtt.Client) -> None:
        """One connection. Raises MqttError when it is over."""
        await client.subscribe(self._topic("resync"), qos=1)
        await client.publish(self._topic("engine", "online"), b"true", qos=1, retain=True)
        self._all_stale.set()
        self._is_stale.set()
        self.live, self.status = True, f"connected to {self._broker.place}"
        work = [
            asyncio.create_task(part, name=name)
            for name, part in (
                ("mqtt-states", self._tell_states(client)),
                ("mqtt-events", self.follower.follow(lambda events: self._tell_events(client, events))),
                ("mqtt-requests", self._hear(client)),
            )
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        for task in done:
            task.result()

    # -- events ---------------------------------------------------------------------------------------

    async def _tell_events(self, client: aiomqtt.Client, events: Sequence[Event]) -> None:
        told = await self._books.read(lambda session: messages(session, events))
        letters = [(self._topic("event", letter.event.type), _document(letter.masked)) for letter in told]
        sent = 0
        for some in _bundles(letters):
            await asyncio.gather(*(client.publish(topic, body, qos=1) for topic, body in some))
            sent += len(some)
            await self.follower.mark(events[sent - 1].id)
            await asyncio.sleep(len(some) / PER_SECOND)
        await self._note_stale(events)

    async def _note_stale(self, events: Sequence[Event]) -> None:
        calls = {event.entity_id for event in events if event.entity == "call"}
        if calls:
            self._stale |= await self._books.read(lambda session: places_of_calls(session, calls))
        for event in events:
            if event.entity in STATEFUL:
                self._stale.add((event.entity, event.entity_id))
            if event.entity == "campaign":
                self._campaigns_at = 0.0  # started, stopped or set: that is told at once
            self._stale |= {
                (kind, name) for kind in STATEFUL if isinstance(name := event.payload.get(kind), str) and name
            }
        if self._stale:
            self._is_stale.set()

    # -- states ---------------------------------------------------------------------------------------

    async def _tell_states(self, client: aiomqtt.Client) -> None:
        while True:
            await self._is_stale.wait()
            self._is_stale.clear()
            letters = await self._states()
            for some in _bundles(letters):
                await asyncio.gather(*(client.publish(topic, body, qos=1, retain=True) for topic, body in some))
            await asyncio.sleep(SETTLE_SECONDS)
            if self._stale:
                self._is_stale.set()

    async def _states(self) -> list[tuple[str, bytes]]:
        """What is stale, as it is now."""
        wanted = None if self._all_stale.is_set() else set(self._stale)
        self._all_stale.clear()
        self._stale.clear()
        seconds = asyncio.get_running_loop().time()
        if wanted is not None and seconds < self._campaigns_at + CAMPAIGN_SECONDS:
            self._stale = {key for key in wanted if key[0] == "campaign"}
            wanted -= self._stale
        elif wanted is None or any(key[0] == "campaign" for key in wanted):
            self._campaigns_at = seconds
        if wanted is not None and not wanted:
            return []
        now = self._books.clock.now()
        found = await self._books.read(lambda session: states(session, now, wanted))
        return [
            (self._topic(kind, name, "state"), b"" if document is None else orjson.dumps(document))
            for (kind, name), document in found.items()
        ]

    async def _hear(self, client: aiomqtt.Client) -> None:
        """Whoever asks is sent all states; what he sends with it is not looked at."""
        async for _ in client.messages:
            self._all_stale.set()
            self._is_stale.set()
            await asyncio.sleep(RESYNC_SECONDS)

    def _topic(self, *levels: str) -> str:
        return "/".join((self._prefix, *(_level(level) for level in levels)))


def _level(text: str) -> str:
    """A level of a topic: what means something in topics means nothing in names."""
    return re.sub(r"[/+#$\x00-\x1f\x7f]", "_", text) or "_"


def _document(document: dict[str, Any]) -> bytes:
    body = orjson.dumps(document)
    if len(body) < MOST_BYTES:
        return body
    return orjson.dumps({**document, "payload": {}, "payload_left_out": True})


def _bundles(letters: Sequence[tuple[str, bytes]]) -> Iterator[Sequence[tuple[str, bytes]]]:
    for start in range(0, len(letters), AT_ONCE):
        yield letters[start : start + AT_ONCE]
