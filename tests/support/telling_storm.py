"""Broker and receivers away while events pour in and the process that tells is killed: who has what afterwards."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import orjson
from aiohttp import web
from sqlalchemy import Engine

from contact_center.clock import SystemClock
from contact_center.store.admin import By
from contact_center.store.analytics import add_analytics
from contact_center.store.call_facts import CallArrived, CallFinished
from contact_center.store.changes import add_event, gathering_events, read_events
from contact_center.store.engine import reading, writing
from contact_center.store.tracking import add_numbers
from contact_center.store.webhooks import add_webhook
from tests.support.mqtt_broker import Broker
from tests.support.receivers import HttpReceiver, Request
from tests.support.telling import SECRET

DID = "442079460001"
EVENTS_PER_CALL = 4


@dataclass
class Found:
    """Ids by consumer, each as often as it came."""

    wanted: set[int]
    rated: set[int]
    calls: set[str]
    webhook: Counter[int] = field(default_factory=Counter)
    broker: Counter[int] = field(default_factory=Counter)
    google: Counter[int] = field(default_factory=Counter)
    platform: Counter[str] = field(default_factory=Counter)
    gaps: list[str] = field(default_factory=list)

    @property
    def missing(self) -> dict[str, int]:
        """How many each does not have."""
        return {
            "webhook": len(self.wanted - set(self.webhook)),
            "broker": len(self.wanted - set(self.broker)),
            "google": len(self.rated - set(self.google)),
            "platform": len(self.calls - set(self.platform)),
        }

    @property
    def duplicates(self) -> dict[str, int]:
        """How many came more than once."""
        parts: dict[str, Iterable[int]] = {
            "webhook": self.webhook.values(), "broker": self.broker.values(), "google": self.google.values(),
            "platform": self.platform.values(),
        }  # fmt: skip
        return {name: sum(count - 1 for count in counts) for name, counts in parts.items()}


@dataclass
class Storm:
    """``events`` in all, broker and receivers away for ``away_seconds``, ``kills`` of the process meanwhile."""

    engine: Engine
    events: int
    away_seconds: float
    kills: int
    within_seconds: float = 60.0

    async def run(self) -> Found:
        """Blow it over; what everybody has afterwards."""
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(Broker())
            receiver = await stack.enter_async_context(HttpReceiver(lambda request: web.Response(status=204)))
            self._prepare(receiver)
            url = self.engine.url.render_as_string(hide_password=False)
            words = (sys.executable, "-m", "tests.support.telling_process", url, broker.url, receiver.host)
            await self._blow(words, broker, receiver)
            process = await _started(words)
            try:
                found = await self._until_all(broker, receiver)
            finally:
                process.kill()
                await process.wait()
        return found

    def _prepare(self, receiver: HttpReceiver) -> None:
        by = By("test", SystemClock().now())
        with writing(self.engine) as session:
            add_numbers(session, by, "shop", [DID], "GB")
            add_webhook(session, by, "crm", receiver.url, secret=SECRET)
            keys = {"measurement_id": "G-ABC1234567", "api_secret": "hush", "event_name": "call_rated"}
            add_analytics(session, by, "shop", **keys)

    async def _blow(self, words: tuple[str, ...], broker: Broker, receiver: HttpReceiver) -> None:
        dice, calls, lives = random.Random(5), self.events // EVENTS_PER_CALL, self.kills + 1
        done = 0
        for life in range(lives):
            process = await _started(words)
            if life == 0:
                await self._add(done, done := calls // (lives + 1))
                await _until_some(receiver)
                await broker.kill()
                await receiver.stop()
            share = calls - done if life == lives - 1 else (calls - done) // (lives - life)
            for _ in range(4):
                await self._add(done, done + share // 4)
                done += share // 4
                await asyncio.sleep(self.away_seconds / lives / 4 * (0.5 + dice.random()))
            process.send_signal(signal.SIGKILL)
            await process.wait()
        await self._add(done, calls)
        await broker.start()
        await receiver.start()

    async def _add(self, first: int, last: int) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._add_calls, first, last)

    def _add_calls(self, first: int, last: int) -> None:
        now = SystemClock().now()
        with writing(self.engine) as session, gathering_events(session):
            for n in range(first, last):
                call = f"c-{n}"
                CallArrived(call, f"ch-{n}", now, DID, f"+4474000{n:05}", "sales").apply(session)
                CallFinished(call, now, "abandoned", 0.0, {"queue": "sales", "call_state": "x"}).apply(session)
                payload = {"call_id": call, "option": "Sale", "digit": 1, "value": "9.99", "agent": "1001"}
                add_event(session, at=now, entity="call", entity_id=call, type="call.rated", payload=payload)

    async def _until_all(self, broker: Broker, receiver: HttpReceiver) -> Found:
        try:
            async with asyncio.timeout(self.within_seconds):
                while True:
                    found = self._look(broker, receiver)
                    if not any(found.missing.values()):
                        return found
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return self._look(broker, receiver)

    def _look(self, broker: Broker, receiver: HttpReceiver) -> Found:
        events, after = [], 0
        with reading(self.engine) as session:
            while page := read_events(session, after_id=after, limit=5000):
                events += page
                after = page[-1].id
        told = [event for event in events if event.entity == "call"]
        found = Found(
            {event.id for event in told},
            {event.id for event in told if event.type == "call.rated"},
            {event.entity_id for event in told},
        )
        for message in broker.of("callwright/event/call."):
            found.broker[orjson.loads(message.payload)["id"]] += 1
        for request in receiver.got:
            _count(found, request)
        seqs: dict[str, list[int]] = {}
        for event in told:
            seqs.setdefault(event.entity_id, []).append(event.seq)
        found.gaps = [call for call, numbers in seqs.items() if numbers != list(range(1, len(numbers) + 1))]
        return found


def _count(found: Found, request: Request) -> None:
    if request.path == "/hook":
        data = request.json["data"]
        if data["entity"] == "call":
            found.webhook[data["id"]] += 1
    elif request.path == "/mp/collect":
        found.google[request.json["events"][0]["params"]["event_id"]] += 1
    else:
        found.platform[request.json["events"][0]["transaction"]["id"]] += 1


async def _started(words: tuple[str, ...]) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(15):
        assert await process.stdout.readline() == b"telling\n"
    return process


async def _until_some(receiver: HttpReceiver) -> None:
    async with asyncio.timeout(15):
        while True:
            if receiver.got:
                return
            await asyncio.sleep(0.02)
