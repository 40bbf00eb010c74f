"""What a running contact centre shows to others: health, metrics, the API, and those who are told of events.

Loading this takes as long as all the rest together, so ``serve`` does it last, when calls are served already.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from ari_app.ami import Ami
from ari_app.app import App
from ari_app.screens import api_desk
from contact_center.http.app import Health, HttpServer, Part, make_app
from contact_center.http.metrics import Meters
from contact_center.store.writer import Writer
from contact_center.telling.mqtt import NAME as MQTT
from contact_center.telling.mqtt import NOT_YET
from contact_center.telling.tellers import Tellers, telling
from contact_center.trunks import TrunkLines


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


def watch_broker(health: Health, tellers: Tellers) -> None:
    """Show whether the broker is connected, where there is one; calls do not hang on it."""
    if (broker := tellers.mqtt) is not None:
        health.add(MQTT, lambda: Part(broker.live, broker.status), required=False)


@asynccontextmanager
async def web(
    app: App, writer: Writer, ami: Ami, meters: Meters, stir: Callable[[], None], listener: socket.socket
) -> AsyncIterator[None]:
    """Serve and tell while the block lasts; ``stir``: called when a change wants to be obeyed."""
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(api_desk(app, writer, meters, stir))
        health = health_of(app, writer, ami)
        pages = make_app(health, meters.registry, desk=desk)
        await stack.enter_async_context(HttpServer(app.env.settings.http.bind, pages, listener))
        watch_broker(health, await stack.enter_async_context(telling(app.env.settings, app.env.clock, writer, meters)))
        yield
