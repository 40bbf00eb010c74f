"""Settings for one run, an Asterisk made of them, and a Stasis application of a few lines."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from asterisk_conf import bundle, secrets
from contact_center.settings import Settings
from tests.lab.addresses import AddressBlock
from tests.lab.farend import FarEnd
from tests.lab.switch import Switch


@dataclass(frozen=True)
class Place:
    """Addresses of Asterisk, the trunk's far side and the phones."""

    at: str
    trunk: str
    phones: str

    @classmethod
    def of(cls, block: AddressBlock) -> Place:
        return cls(block.take(), block.take(), block.take())

    def settings(self, **tables: dict[str, Any]) -> Settings:
        """Settings for these addresses; ``tables`` add to or replace keys of their sections."""
        given: dict[str, dict[str, Any]] = {
            "asterisk": {
                "ari_url": f"http://{self.at}:8088/ari",
                "ari_password": secrets.fresh(),
                "ami_host": self.at,
                "ami_secret": secrets.fresh(),
                "sip_bind": f"{self.at}:5060",
            },
            "trunk": {"main": {"host": self.trunk}},
            "fastagi": {"bind": f"{self.at}:4573"},
            "http": {"bind": f"{self.at}:8080"},
        }
        for name, keys in tables.items():
            given[name] = {**given.get(name, {}), **keys}
        return Settings.model_validate(given)

    def far_end(self, record: Path) -> FarEnd:
        return FarEnd(switch=(self.at, 5060), trunk=(self.trunk, 5060), phones=(self.phones, 5060), record=record)


@asynccontextmanager
async def switch_of(settings: Settings, etc: Path, name: str = "conf") -> AsyncIterator[Switch]:
    """A running Asterisk made of these settings by ``bundle.render``."""
    bundle.render(settings, etc)
    host = settings.asterisk.sip_bind.rpartition(":")[0]
    async with Switch(name, host, etc) as switch:
        yield switch


def headers(settings: Settings) -> dict[str, str]:
    pair = f"{settings.asterisk.ari_user}:{settings.asterisk.ari_password}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


async def ari(settings: Settings, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """One ARI request: status and decoded body."""
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(headers=headers(settings), timeout=timeout) as session,
        session.request(method, f"{settings.asterisk.ari_url}/{path}", json=body) as response,
    ):
        text = await response.text()
        return response.status, json.loads(text) if text else None


@asynccontextmanager
async def stasis(settings: Settings) -> AsyncIterator[Application]:
    """The product's application name, held by a socket that only listens."""
    url = f"{settings.asterisk.ari_url}/events?app={settings.asterisk.app}"
    async with aiohttp.ClientSession(headers=headers(settings)) as session:
        socket = await session.ws_connect(url)
        application = Application(socket)
        try:
            yield application
        finally:
            await application.close()


class Application:
    """What the application is told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def entered(self, within: float = 5.0) -> dict[str, Any]:
        """The next StasisStart."""
        return await self.told("StasisStart", within)

    async def told(self, kind: str, within: float = 5.0) -> dict[str, Any]:
        """The next event of a type."""
        async with asyncio.timeout(within):
            while True:
                event: dict[str, Any] = json.loads((await self.socket.receive()).data)
                if event["type"] == kind:
                    return event

    async def close(self) -> None:
        """Go away as a crashed program does: the name is free at once."""
        await self.socket.close()
