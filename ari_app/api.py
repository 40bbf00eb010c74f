"""What takes long to load, and calls do not need: the API, and those who are told of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ari_app.app import App
from ari_app.screens import api_desk
from contact_center.http.api.desk import ApiDesk
from contact_center.http.app import make_app
from contact_center.http.health import Health, Part
from contact_center.http.metrics import Meters
from contact_center.http.pages import Pages
from contact_center.store.writer import Writer
from contact_center.telling import MQTT
from contact_center.telling.tellers import Tellers, telling


@asynccontextmanager
async def api(
    app: App, writer: Writer, meters: Meters, stir: Callable[[], None], health: Health, pages: Pages
) -> AsyncIterator[None]:
    """Answer and tell while the block lasts; ``stir``: called when a change wants to be obeyed."""
    async with api_desk(app, writer, meters, stir) as desk:
        await put_together(pages, desk)
        async with telling(app.env.settings, app.env.clock, writer, meters) as tellers:
            watch_broker(health, tellers)
            yield


async def put_together(pages: Pages, desk: ApiDesk) -> None:
    """Make the API, and answer who waits for it. Calls go on meanwhile: it takes a tenth of a second of a core."""
    pages.opened(await asyncio.to_thread(make_app, pages, desk=desk))


def watch_broker(health: Health, tellers: Tellers) -> None:
    """Show whether the broker is connected, where there is one; calls do not hang on it."""
    if (broker := tellers.mqtt) is not None:
        health.add(MQTT, lambda: Part(broker.live, broker.status), required=False)
