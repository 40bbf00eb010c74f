"""What a running contact centre shows of itself from its first moment, and the API when that is loaded."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial

from ari_app.ami import Ami
from ari_app.app import App
from ari_app.client import AriClient
from contact_center.http.health import Health, Part
from contact_center.http.metrics import Meters
from contact_center.http.pages import Pages
from contact_center.http.server import HttpServer
from contact_center.store.writer import Writer
from contact_center.telling import MQTT, NOT_YET
from contact_center.trunks import TrunkLines

Api = Callable[[App, Writer, Meters, Callable[[], None], Health, Pages], AbstractAsyncContextManager[None]]
"""`ari_app.api.api`."""

CONNECT_SECONDS = 1.0
"""How long the API waits for a line to Asterisk; without one there are no calls that could come first."""
SETTLE_SECONDS = 10.0
"""How long it waits for the calls that Asterisk holds to be settled; to load it takes a core for a second."""


def health_of(app: App, writer: Writer, ami: Ami) -> Health:
    """What readiness depends on."""
    health, ari = Health(), app.env.ari
    health.add("ari", lambda: Part(ari.live, ari.status))
    health.add("database", lambda: Part(writer.healthy, writer.trouble or "stores facts"))
    health.add("ami", lambda: Part(ami.live, ami.status), required=False)
    if (tapes := app.env.tapes) is not None:
        health.add("recordings", lambda: Part(*tapes.health()), required=False)
    for name, line in app.env.trunks.lines.items():
        health.add(f"trunk {name}", partial(_trunk, line), required=False)
    if app.env.settings.mqtt.url:
        health.add(MQTT, lambda: Part(False, NOT_YET), required=False)
    return health


def _trunk(line: TrunkLines) -> Part:
    """Whether a carrier takes our calls and may carry more of them."""
    if line.down_since is not None:
        return Part(False, line.reason)
    return Part(False, line.capped.reason) if line.capped is not None else Part(True, "takes calls")


@asynccontextmanager
async def web(
    app: App,
    writer: Writer,
    ami: Ami,
    meters: Meters,
    stir: Callable[[], None],
    listener: socket.socket,
    load_api: Callable[[], Api],
) -> AsyncIterator[None]:
    """Serve while the block lasts; ``stir``: called when a change wants to be obeyed."""
    health = health_of(app, writer, ami)
    pages = Pages(health, meters.registry)
    async with HttpServer(app.env.settings.http.bind, pages, listener):
        await calls_first(app.env.ari)
        api = await asyncio.to_thread(load_api)
        async with api(app, writer, meters, stir, health, pages):
            yield


async def calls_first(ari: AriClient) -> None:
    """Wait until the calls that Asterisk holds are settled, no longer than it takes where there are none to settle."""
    for seconds in (CONNECT_SECONDS, SETTLE_SECONDS):
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ari.until_live()
        if ari.live or not ari.generation:
            return
