"""The broker as those who watch over `serve` see it: a part that is shown and not required, and a gauge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Engine

from ari_app.api import watch_broker
from contact_center.clock import SystemClock
from contact_center.http.health import Health, Part
from contact_center.http.metrics import Meters
from contact_center.http.pages import Pages
from contact_center.settings import Database, Mqtt, Settings
from contact_center.store.engine import open_engine
from contact_center.store.writer import Writer
from contact_center.telling.tellers import telling
from tests.support.api_world import call
from tests.support.mqtt_broker import Broker
from tests.unit.waiting import until


class Watched:
    """The pages of a serve that has a broker, or none."""

    def __init__(self, health: Health, meters: Meters) -> None:
        self._app = Pages(health, meters.registry)

    async def ready(self) -> tuple[int, dict[str, Any]]:
        reply = await call(self._app, "GET", "/health/ready", "", {}, b"")
        return reply.status, reply.json["parts"]

    async def broker(self) -> tuple[bool, str]:
        status, parts = await self.ready()
        assert status == 200, "calls do not hang on the broker"
        assert parts["mqtt"]["required"] is False
        return parts["mqtt"]["ok"], parts["mqtt"]["why"]

    async def gauge(self) -> list[str]:
        lines = (await call(self._app, "GET", "/metrics", "", {}, b"")).body.decode().splitlines()
        return [line.rsplit(" ", 1)[1] for line in lines if line.startswith('callwright_live{part="mqtt"}')]


@asynccontextmanager
async def served(engine: Engine, url: str) -> AsyncIterator[Watched]:
    clock, meters, health = SystemClock(), Meters(), Health()
    health.add("ari", lambda: Part(True))
    database = engine.url.render_as_string(hide_password=False)
    settings = Settings(database=Database(url=database), mqtt=Mqtt(url=url))
    async with Writer(open_engine(database), clock) as writer, telling(settings, clock, writer, meters) as tellers:
        watch_broker(health, tellers)
        yield Watched(health, meters)


async def seen(watched: Watched, wanted: tuple[bool, str], within: float = 5.0) -> None:
    found: list[tuple[bool, str]] = []

    async def look() -> bool:
        found.append(await watched.broker())
        return found[-1] == wanted

    await until(look, within)


async def test_a_broker_that_goes_and_comes_back_is_told_of_and_does_not_make_us_unready(engine: Engine) -> None:
    async with Broker() as broker, served(engine, broker.url) as watched:
        place = f"127.0.0.1:{broker.port}"
        await until(lambda: bool(broker.retained))
        assert await watched.broker() == (True, f"connected to {place}")
        assert await watched.gauge() == ["1.0"]
        await broker.kill()
        await seen(watched, (False, f"{place}: connection refused"))
        assert await watched.gauge() == ["0.0"]
        await broker.start()
        await seen(watched, (True, f"connected to {place}"), within=10.0)


async def test_a_broker_that_refuses_the_password_says_so_without_it(engine: Engine) -> None:
    async with Broker() as broker:
        broker.users = {"callwright": "s3cret"}
        async with served(engine, broker.url_of("callwright:wr0ng")) as watched:
            await seen(watched, (False, f"127.0.0.1:{broker.port} refuses the user callwright"))


async def test_without_a_broker_nothing_is_shown_of_it(engine: Engine) -> None:
    async with served(engine, "") as watched:
        status, parts = await watched.ready()
        assert (status, list(parts)) == (200, ["ari"])
        assert await watched.gauge() == []
