"""The two worlds of the contract: a fake Asterisk on a virtual clock, and a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import aiohttp

from ari_app.client import AriClient
from tests.contract.small_etc import ARI_PASSWORD, ARI_USER, QUIET_SECONDS, SPEECH_SECONDS
from tests.lab.switch import Switch
from tests.lab.until import until
from tests.support.fake_amd import Answerer, answered_by
from tests.support.fake_ari import FakeAri
from tests.support.virtual_clock import virtual_now

APP = "callwright"
LIVE_SECONDS = 15.0
EMPTY_SECONDS = 5.0


class World(Protocol):
    """What a contract test does to an Asterisk, besides using the client."""

    ari: AriClient

    async def inbound(self) -> str:
        """A caller enters Stasis(app, inbound, did) from the dialplan; its channel's id."""
        ...

    async def steal(self) -> None:
        """Another program takes the application's name and goes."""
        ...

    async def drop(self) -> None:
        """The event socket breaks."""
        ...

    async def crash(self) -> None:
        """kill -9, and a new start."""
        ...


class FakeWorld:
    """A FakeAri."""

    def __init__(self, fake: FakeAri, ari: AriClient) -> None:
        self.fake, self.ari = fake, ari

    async def inbound(self) -> str:
        """As ``World``."""
        return self.fake.inbound(["inbound", "did"], app=APP).id

    async def steal(self) -> None:
        """As ``World``."""
        self.fake.steal(APP)

    async def drop(self) -> None:
        """As ``World``."""
        self.fake.drop_sockets()

    async def crash(self) -> None:
        """As ``World``."""
        self.fake.crash()
        self.fake.boot()


class RealWorld:
    """A real Asterisk, reached through a proxy that can break the connection."""

    def __init__(self, switch: Switch, ari: AriClient, breakers: list[Callable[[], None]]) -> None:
        self.switch, self.ari, self._breakers = switch, ari, breakers
        self._calls = 0

    async def inbound(self) -> str:
        """As ``World``: the second half of a Local channel is the caller."""
        self._calls += 1
        body = {
            "endpoint": "Local/did@entry",
            "context": "far",
            "extension": "answer",
            "channelId": f"peer-{self._calls}",
            "otherChannelId": f"caller-{self._calls}",
        }
        await self.ari.request("POST", "channels", body=body)
        return f"caller-{self._calls}"

    async def steal(self) -> None:
        """As ``World``."""
        url = f"http://{self.switch.address}:8088/ari/events?app={APP}"
        headers = {"Authorization": aiohttp.encode_basic_auth(ARI_USER, ARI_PASSWORD)}
        async with aiohttp.ClientSession(headers=headers) as session, session.ws_connect(url):
            await until(lambda: not self.ari.live, 5.0, "the client notices the theft")

    async def drop(self) -> None:
        """As ``World``."""
        for break_now in self._breakers:
            break_now()

    async def crash(self) -> None:
        """As ``World``."""
        self.switch.kill()
        await self.switch.start()


@asynccontextmanager
async def fake_world() -> AsyncIterator[FakeWorld]:
    """A live client on a fake; nothing may be left at the end."""
    fake = FakeAri()
    answered_by(fake, Answerer(talks=((QUIET_SECONDS, QUIET_SECONDS + SPEECH_SECONDS),)))
    async with AriClient(app=APP, transport=fake.transport(APP), now=virtual_now) as ari:
        await ari.until_live()
        yield FakeWorld(fake, ari)
        await nothing_left(ari)


@asynccontextmanager
async def real_world(switch: Switch) -> AsyncIterator[RealWorld]:
    """A live client on a real Asterisk; nothing may be left at the end."""
    breakers: list[Callable[[], None]] = []
    async with (
        breakable_proxy(switch.address, breakers) as port,
        AriClient(url=f"http://{switch.address}:{port}", user=ARI_USER, password=ARI_PASSWORD, app=APP) as ari,
    ):
        async with asyncio.timeout(LIVE_SECONDS):
            await ari.until_live()
        yield RealWorld(switch, ari, breakers)
        await nothing_left(ari)


async def nothing_left(ari: AriClient) -> None:
    """Hang up what the test was not about, then wait until Asterisk is empty and no handle is left."""
    async with asyncio.timeout(LIVE_SECONDS):
        await ari.until_live()
    for channel_id in (await ari.snapshot()).channels:
        if channel_id.startswith("peer-"):
            await ari.channel(channel_id).hang_up()
            ari.channel(channel_id).lost()

    left: object = True
    async with asyncio.timeout(EMPTY_SECONDS):
        while left:
            snapshot = await ari.snapshot()
            left = snapshot.channels or snapshot.bridges or ari.channels


@asynccontextmanager
async def breakable_proxy(host: str, breakers: list[Callable[[], None]]) -> AsyncIterator[int]:
    """Carries TCP to port 8088 of `host`; a call of any of `breakers` resets all connections."""
    writers: set[asyncio.StreamWriter] = set()
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # a reset is what this proxy is for
        finally:
            writer.close()
            writers.discard(writer)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, to_there = await asyncio.open_connection(host, 8088)
        except OSError:
            writer.close()
            return
        writers.update((writer, to_there))
        for task in (asyncio.create_task(pump(reader, to_there)), asyncio.create_task(pump(there, writer))):
            pumps.add(task)
            task.add_done_callback(pumps.discard)

    def break_all() -> None:
        for writer in list(writers):
            writer.transport.abort()

    breakers.append(break_all)
    server = await asyncio.start_server(accept, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        break_all()
        for task in list(pumps):
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
