"""Broker and receivers away for ten minutes of calls, kills meanwhile: everybody has every event afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from sqlalchemy import Engine, func, select
from sqlmodel import col

from contact_center.models import Outbox
from contact_center.store.engine import open_engine, reading
from tests.asterisk.callers import Callers
from tests.asterisk.floor import Floor
from tests.asterisk.web import Web
from tests.lab.centre import Centre
from tests.lab.farend.phones import Phone
from tests.lab.until import until
from tests.prove import told
from tests.prove.proof import Figure, Proof, Round
from tests.support.mqtt_broker import Broker
from tests.support.receivers import HttpReceiver
from tests.support.telling import SECRET

EVENTS, AWAY_SECONDS, KILLS, LANES = 10_000, 600.0, 8, 2
BEFORE_SECONDS = 15.0
CAUGHT_UP_SECONDS = 300.0
TICK_SECONDS = 0.5
LOOK_SECONDS = 2.0  # a look reads everything that came
MOST_A_TICK = 25
DID = "442079460001"


@dataclass
class Storm:
    """Calls, ratings and kills on one centre. ``wanted``: events in all, spread evenly over the time."""

    centre: Centre
    callers: Callers
    web: Web
    engine: Engine
    wanted: int
    seconds: float
    kills: int
    after_id: int = 0
    calls: int = 0
    rerated: int = 0
    rings: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    killed_at: float = 0.0
    is_over: bool = False

    def newest(self) -> int:
        """The id of the newest event."""
        with reading(self.engine) as session:
            return session.scalar(select(func.max(col(Outbox.id)))) or 0

    def count(self) -> int:
        """Events since the beginning."""
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).where(col(Outbox.id) > self.after_id)) or 0

    # -- calls ----------------------------------------------------------------------------------------

    async def lane(self, n: int, phone: Phone) -> None:
        """One caller after the other for one agent."""
        while not self.is_over:
            self.calls += 1
            clock, began = self.callers.far.clock, self.callers.far.clock.now()
            caller = self.callers.call(f"{DID[:-1]}{n}", f"+4474{n}{self.calls:07}")
            try:
                agent = await phone.incoming(8.0)
                if self.killed_at < began:
                    self.rings.append(agent.record.invite_at - began)
                await caller.until_hears(phone.name, 8.0)
                await self.callers.talk(1.0)
            except (TimeoutError, ConnectionError):  # `serve` was killed under him
                pass
            caller.hangup()
            await caller.until_over(10.0)
            with suppress(TimeoutError):
                await self.callers.floor.until_state(phone.name, "idle", 10.0)
            await self.callers.talk(max(0.0, 2.0 - (clock.now() - began)))

    # -- ratings --------------------------------------------------------------------------------------

    async def rate(self) -> None:
        """So many ratings anew, by API, that the events of the whole are spread evenly."""
        loop = asyncio.get_running_loop()
        began, dice = loop.time(), random.Random(3)
        while not self.is_over or self.count() < self.wanted:
            share = min((loop.time() - began) / self.seconds, 1.0)
            due = min(int(self.wanted * share) - await asyncio.to_thread(self.count), MOST_A_TICK)
            if due > 0:
                await self._look()
            for _ in range(max(due, 0) if self.ids else 0):
                await self._rate(dice.choice(self.ids), dice.choice(("Lost", "Callback")))
            await asyncio.sleep(TICK_SECONDS)

    async def _look(self) -> None:
        with suppress(aiohttp.ClientError, TimeoutError):
            _, calls = await self.web.request("GET", "/v1/calls?limit=200&kind=inbound")
            self.ids = [call["id"] for call in calls if call["ended_at"]] or self.ids

    async def _rate(self, call_id: str, option: str) -> None:
        """Once, however often it has to be asked for."""
        self.rerated += 1
        key = f"storm-{self.rerated}"
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                status, _ = await self.web.request("POST", f"/v1/calls/{call_id}/rate", {"option": option}, key=key)
                if status == 200:
                    return
            await asyncio.sleep(0.2)

    # -- kills ----------------------------------------------------------------------------------------

    async def kill(self) -> None:
        """`kill -9` of `serve` now and then, and a new one each time."""
        dice, each = random.Random(4), self.seconds / (self.kills + 1)
        for _ in range(self.kills):
            await asyncio.sleep(each * (0.7 + 0.6 * dice.random()))
            self.centre.serve.kill()
            await self.centre.serve.ended()
            await self.centre.serve.start()
            self.killed_at = self.callers.far.clock.now()

    async def blow(self, phones: list[Phone], broker: Broker, receiver: HttpReceiver) -> None:
        """Everybody is there, then away, and at the end back again."""
        async with asyncio.TaskGroup() as work:
            for n, phone in enumerate(phones):
                work.create_task(self.lane(n, phone))
            await asyncio.sleep(BEFORE_SECONDS)
            await until(lambda: bool(receiver.got and broker.published), 15.0, "somebody to be told")
            await broker.kill()
            await receiver.stop()
            rating, killing = work.create_task(self.rate()), work.create_task(self.kill())
            await asyncio.sleep(self.seconds)
            await killing
            self.is_over = True
            await rating
        await broker.start()
        await receiver.start()
        await self.kill_in_the_middle(broker, receiver)

    async def kill_in_the_middle(self, broker: Broker, receiver: HttpReceiver) -> None:
        """Once more while everybody catches up: what was sent and not yet noted as sent comes twice."""
        had, far = (len(receiver.got), len(broker.published)), self.wanted // 20
        await until(
            lambda: len(receiver.got) > had[0] + far and len(broker.published) > had[1] + far,
            CAUGHT_UP_SECONDS,
            "both to be told of what they missed",
        )
        self.centre.serve.kill()
        await self.centre.serve.ended()
        await self.centre.serve.start()


@asynccontextmanager
async def stage(broker: Broker, receiver: HttpReceiver) -> AsyncIterator[tuple[Callers, Web, list[Phone]]]:
    """A centre with two queues, in which everybody wants to be told of everything."""
    settings: dict[str, dict[str, Any]] = {
        "mqtt": {"url": broker.url},
        "webhooks": {"allow_hosts": [receiver.host]},
        "analytics": {"url": f"http://{receiver.host}/mp/collect"},
        "tracking": {"url": f"http://{receiver.host}/transactions", "property": "shop", "send": "all"},
    }
    async with Centre("telling", settings=settings) as centre:
        await centre.serve.start()
        callers = Callers(Floor(centre))
        cli = callers.floor.cli
        await cli("rating", "group", "add", "storm")
        for digit, name in (("1", "Lost"), ("2", "Callback")):
            await cli("rating", "option", "add", "storm", digit, name)
        phones = []
        for n in range(LANES):
            did = f"{DID[:-1]}{n}"
            await callers.queue(f"sales{n}", did, rating_group="storm")
            await cli("tracking", "pool", "add", f"shop{n}", did)
            phones.append(await callers.agent(f"200{n}", f"sales{n}"))
        await cli("analytics", "add", "shop", "G-ABC1234567", "hush")
        await cli("webhook", "add", "crm", receiver.url, "--secret", SECRET)
        await centre.obeyed(5.0)
        async with Web.of(callers.floor) as web:
            yield callers, web, phones


async def telling_round(_: None, number: int, *, events: int = EVENTS, away: float = AWAY_SECONDS) -> Round:
    """One storm on a centre of its own."""
    async with Broker() as broker, HttpReceiver() as receiver, stage(broker, receiver) as (callers, web, phones):
        engine = open_engine(callers.floor.centre.settings.database.url)
        try:
            kills = max(1, round(KILLS * away / AWAY_SECONDS))
            storm = Storm(callers.floor.centre, callers, web, engine, events, away, kills)
            await until(lambda: bool(broker.published), 10.0, "the broker to be told")
            storm.after_id = storm.newest()
            await storm.blow(phones, broker, receiver)
            return await _judged(storm, broker, receiver)
        finally:
            engine.dispose()


def _missing(storm: Storm, broker: Broker, receiver: HttpReceiver) -> dict[str, int]:
    wanted = told.wanted_of(told.events_of(storm.engine), storm.after_id)
    return told.told(broker, receiver).missing(wanted)


async def _judged(storm: Storm, broker: Broker, receiver: HttpReceiver) -> Round:
    clock = storm.callers.far.clock
    back_at = clock.now()
    await storm.callers.nothing_left(30.0)

    for _ in range(int(CAUGHT_UP_SECONDS / LOOK_SECONDS)):
        if not any(_missing(storm, broker, receiver).values()):
            break
        await asyncio.sleep(LOOK_SECONDS)
    caught_up = clock.now() - back_at
    events = told.events_of(storm.engine)
    found, wanted = told.told(broker, receiver), told.wanted_of(events, storm.after_id)
    failures = [f"{who} lacks {count} events" for who, count in found.missing(wanted).items() if count]
    failures += [f"the numbers of {entity} have a gap" for entity in told.gaps(events)[:5]]
    failures += [f"the webhook was told of {entity} out of order" for entity in told.out_of_order(receiver)[:5]]
    failures += found.unlike[:5]
    rated = sum(event.type == "call.rated" for event in events)
    if rated != storm.rerated:
        failures.append(f"{storm.rerated} ratings were given, and {rated} told")
    figures: dict[str, Figure] = {
        "events": len(wanted["webhook"]),
        "real calls": storm.calls,
        "ratings by API": storm.rerated,
        "kills": storm.kills + 1,
        "minutes away": storm.seconds / 60,
        "came twice": found.twice,
        "seconds until everybody had everything": [caught_up],
        "seconds from a call to the agent's phone, everybody away": storm.rings,
    }
    return Round(figures, failures)


PROOFS: list[Proof] = [
    Proof(
        name="telling",
        claim="Broker and receivers are away for ten minutes of real calls, 10 000 events and kills of serve: "
        "afterwards everybody has every event, no number is missing, and what came twice has the same id",
        rounds=1,
        run=telling_round,
    ),
]
