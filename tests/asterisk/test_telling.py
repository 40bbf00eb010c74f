"""A visitor calls the number he was shown, orders for 9.99, and everybody who is told has it: on the real Asterisk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from tests.asterisk.callers import Callers
from tests.asterisk.floor import Floor
from tests.asterisk.web import Web
from tests.lab.centre import Centre
from tests.lab.judge import instant
from tests.lab.until import until
from tests.support.mqtt_broker import Broker
from tests.support.receivers import HttpReceiver
from tests.support.telling import SECRET
from tests.unit.matching.test_tracking import SEED

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

DID = "442079460001"
CALLER = "+447400000001"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with HttpReceiver() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(receiver: HttpReceiver, broker: Broker) -> AsyncIterator[Centre]:
    settings: dict[str, dict[str, Any]] = {
        "mqtt": {"url": broker.url},
        "webhooks": {"allow_hosts": [receiver.host]},
        "tracking": {
            "url": f"http://{receiver.host}/transactions",
            "property": "test-integration-property",
            "source": "Respose-test-integration@1.0.0",
        },
    }
    async with Centre("telling", settings=settings) as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


async def test_the_seeds_example_from_a_real_call_and_everybody_else_is_told_too(
    centre: Centre, receiver: HttpReceiver, broker: Broker
) -> None:
    floor = Floor(centre)
    callers = Callers(floor)
    await callers.queue("sales", DID)
    await floor.cli("tracking", "pool", "add", "shop", DID)
    await floor.cli("webhook", "add", "crm", receiver.url, "--secret", SECRET, "--type", "call.*")
    async with Web.of(floor) as web:
        visit = {"context_id": "ann", "url": "http://example.com/page", "source": "adwords"}
        _, shown = await web.request("POST", "/tracking/visits", visit, role="lead_push")
    assert shown["number"] == f"+{DID}"
    await callers.agent("2001", "sales")
    caller = callers.call(DID, CALLER)
    await caller.until_hears("2001", 5.0)
    call_id = await _call_id(floor)
    await floor.cli("tracking", "order", call_id, "09890809", "9.99", "--currency", "GBP")
    caller.hangup()
    record = await callers.record(CALLER)
    assert record["matching"] == {"context_id": "ann", "matched": True, "offline": False}
    await until(lambda: bool(_transactions(receiver)), 5.0, "the transaction to be told")
    (told,) = _transactions(receiver)
    assert type(told["events"][0]["meta"]["ts"]) is int
    assert told["events"][0]["meta"].pop("ts") == int(instant(record["ended_at"]))
    example = orjson.loads(orjson.dumps(SEED))
    example["events"][0]["meta"].pop("ts")
    assert told == example

    types = {"call.arrived", "call.matched", "call.connected", "call.order", "call.ended"}
    await until(lambda: types <= _hooked(receiver), 5.0, "the webhook to be told")
    await until(lambda: types <= _published(broker), 5.0, "the broker to be told")
    assert broker.retained["callwright/engine/online"] == b"true"
    await until(lambda: _state(broker, "agent/2001").get("state") == "idle", 5.0, "the agent's state to be told")
    await until(lambda: _state(broker, "queue/sales").get("waiting") == 0, 5.0, "the queue's state to be told")
    report = await floor.cli("report", "matching")
    assert (report["calls"], report["matched"]) == (1, 1)
    await _assert_broker_is_shown(centre, broker)


async def _call_id(floor: Floor) -> str:
    found: list[str] = []

    async def stored() -> bool:
        found[:] = [call["id"] for call in await floor.cli("call", "list", "--number", CALLER)]
        return bool(found)

    await until(stored, 3.0, "the call to be stored")
    return found[0]


def _transactions(receiver: HttpReceiver) -> list[Any]:
    return [request.json for request in receiver.got if request.path == "/transactions"]


def _hooked(receiver: HttpReceiver) -> set[str]:
    return {request.json["type"] for request in receiver.got if request.path == "/hook"}


async def _assert_broker_is_shown(centre: Centre, broker: Broker) -> None:
    base = f"http://{centre.settings.http.bind}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/health/ready") as ready:
            part = (await ready.json())["parts"]["mqtt"]
        async with session.get(f"{base}/metrics") as metrics:
            assert 'callwright_live{part="mqtt"} 1.0' in await metrics.text()
    assert part == {"ok": True, "required": False, "why": f"connected to 127.0.0.1:{broker.port}"}


def _state(broker: Broker, name: str) -> dict[str, Any]:
    kept = broker.retained.get(f"callwright/{name}/state")
    return orjson.loads(kept) if kept else {}


def _published(broker: Broker) -> set[str]:
    return {orjson.loads(message.payload)["type"] for message in broker.of("callwright/event/")}
