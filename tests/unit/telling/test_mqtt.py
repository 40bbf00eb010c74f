"""The broker: every event once at least, states that are true, and none of it lost when the broker goes away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from sqlalchemy import Engine

from contact_center.clock import SystemClock
from contact_center.settings import Mqtt
from contact_center.store.admin import By
from contact_center.store.admin_agents import AgentDraft, add_agent, remove_agent
from contact_center.store.admin_campaigns import add_campaign, set_campaign
from contact_center.store.admin_queues import add_queue
from contact_center.store.changes import add_event
from contact_center.store.engine import reading, writing
from contact_center.store.telling import newest_event_id
from contact_center.telling.broker import Broker as Where
from contact_center.telling.feed import News
from contact_center.telling.mqtt import MqttTeller
from tests.support.mqtt_broker import Broker
from tests.support.telling import NOON, add_events, all_ids, books
from tests.unit.waiting import until

BY = By("test", NOON)


@asynccontextmanager
async def telling(engine: Engine, broker: Broker) -> AsyncIterator[MqttTeller]:
    news = News()

    async def watch() -> None:
        while True:
            with reading(engine) as session:
                news.tell(newest_event_id(session))
            await asyncio.sleep(0.05)

    async with books(engine, SystemClock()) as own:
        teller = MqttTeller(Mqtt(url=broker.url), own, news, random.Random(1))
        tasks = [asyncio.create_task(teller.run()), asyncio.create_task(watch())]
        await until(lambda: teller.live or tasks[0].done())
        try:
            yield teller
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def told(broker: Broker) -> list[int]:
    return [orjson.loads(message.payload)["id"] for message in broker.of("callwright/event/")]


def centre(engine: Engine) -> None:
    with writing(engine) as session:
        add_agent(session, BY, AgentDraft("1001", "Ann Lee"))
        add_queue(session, BY, "support", {"dids": "442079460001"})
        add_campaign(session, BY, "spring", {"mode": "power"}, ["main"])


async def test_events_are_published_with_qos_1_and_masked_numbers_and_states_are_retained(engine: Engine) -> None:
    centre(engine)
    async with Broker() as broker, telling(engine, broker) as teller:
        before = len(all_ids(engine))
        add_events(engine, 30)
        await until(lambda: len(told(broker)) == 30)
        await until(lambda: teller.backlog == 0)
        assert told(broker) == all_ids(engine)[before:]
        await until(lambda: len(broker.retained) == 4)
        assert set(broker.retained) == {
            "callwright/engine/online",
            "callwright/agent/1001/state",
            "callwright/queue/support/state",
            "callwright/campaign/spring/state",
        }
        agent = orjson.loads(broker.retained["callwright/agent/1001/state"])
        assert (agent["ext"], agent["state"]) == ("1001", "offline")
        queue = orjson.loads(broker.retained["callwright/queue/support/state"])
        assert (queue["name"], queue["waiting"]) == ("support", 0)
    for message in broker.of("callwright/event/"):
        assert (message.topic, message.qos, message.retain) == ("callwright/event/call.queued", 1, False)
        assert b"+4474" not in message.payload
    assert all(message.qos == 1 for message in broker.published)


async def test_a_state_follows_what_happens_and_goes_when_its_owner_goes(engine: Engine) -> None:
    centre(engine)
    async with Broker() as broker, telling(engine, broker):
        await until(lambda: "callwright/agent/1001/state" in broker.retained)
        with writing(engine) as session:
            add_agent(session, BY, AgentDraft("1002", "Bo Day"))
        await until(lambda: "callwright/agent/1002/state" in broker.retained)
        with writing(engine) as session:
            remove_agent(session, BY, "1002", force=False, served=False)
        await until(lambda: "callwright/agent/1002/state" not in broker.retained)


async def test_the_last_will_says_that_we_are_gone_and_a_new_connection_that_we_are_back(engine: Engine) -> None:
    async with Broker() as broker, telling(engine, broker):
        await until(lambda: broker.retained.get("callwright/engine/online") == b"true")
        broker.drop_clients()
        await until(lambda: broker.retained.get("callwright/engine/online") == b"false")
        await until(lambda: broker.retained.get("callwright/engine/online") == b"true")
    assert broker.connections == 2


async def test_whoever_asks_is_sent_all_states_anew(engine: Engine) -> None:
    centre(engine)
    async with Broker() as broker, telling(engine, broker):
        await until(lambda: "callwright/campaign/spring/state" in broker.retained)
        first = len(broker.of("callwright/campaign/spring/"))
        broker.retained.clear()
        for _ in range(20):
            await broker.deliver("callwright/resync", b"anything \x00 at all")
        await until(lambda: len(broker.retained) == 3)
        assert len(broker.of("callwright/campaign/spring/")) == first + 1


async def test_a_broker_that_was_away_has_every_event_afterwards(engine: Engine) -> None:
    centre(engine)
    start = len(all_ids(engine))
    async with Broker() as broker, telling(engine, broker) as teller:
        add_events(engine, 300)
        await until(lambda: len(broker.published) >= 200 and len(set(told(broker))) >= 200)
        await broker.kill()
        add_events(engine, 1500, start=300)
        await until(lambda: not teller.live)
        await broker.start()
        added = set(all_ids(engine)[start:])  # asked once: what is asked at every look takes the broker's time
        await until(lambda: len(broker.published) >= len(added) and set(told(broker)) >= added, within=15)
        assert set(told(broker)) == added
        seqs = {}
        for message in broker.of("callwright/event/"):
            event = orjson.loads(message.payload)
            seqs.setdefault(event["entity_id"], []).append(event["seq"])
        for entity, numbers in seqs.items():
            assert list(dict.fromkeys(numbers)) == list(range(1, 37)), entity
        await until(lambda: len(broker.retained) == 4)


async def test_what_the_broker_did_not_acknowledge_is_sent_again_by_the_next_process(engine: Engine) -> None:
    async with Broker() as broker:
        async with telling(engine, broker):
            broker.acknowledges = False
            add_events(engine, 50)
        assert not told(broker)
        broker.acknowledges = True
        async with telling(engine, broker):
            await until(lambda: set(told(broker)) == set(all_ids(engine)))


def test_the_address_of_the_broker_is_read_from_the_url() -> None:
    assert Where.of("mqtt://broker.lan") == Where("broker.lan", 1883, None, None, False)
    assert Where.of("mqtts://me:s%40cret@b.example:9883") == Where("b.example", 9883, "me", "s@cret", True)
    assert Where.of("mqtts://[::1]") == Where("::1", 8883, None, None, True)
    assert Where.of("mqtts://me:s@[::1]").place == "[::1]:8883"


async def test_the_figures_of_a_campaign_are_counted_now_and_then_and_its_start_is_told_at_once(engine: Engine) -> None:
    centre(engine)
    async with Broker() as broker, telling(engine, broker):
        await until(lambda: len(broker.of("callwright/campaign/spring/")) == 1)
        for n in range(10):
            with writing(engine) as session:
                payload = {"campaign": "spring", "n": n}
                add_event(session, at=NOON, entity="call", entity_id=f"c-{n}", type="call.queued", payload=payload)
            await until(lambda wanted=n: len(told(broker)) > wanted)  # type: ignore[misc]
        assert len(broker.of("callwright/campaign/spring/")) == 1
        with writing(engine) as session:
            set_campaign(session, BY, "spring", {"multiplier": "1.2"}, ["main"])
        await until(lambda: len(broker.of("callwright/campaign/spring/")) == 2, within=2.0)
        assert orjson.loads(broker.retained["callwright/campaign/spring/state"])["multiplier"] == 1.2
