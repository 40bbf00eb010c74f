"""The caps of trunks in a running contact centre: what was used before, what is used now, and who is told of it."""

from __future__ import annotations

import asyncio

import structlog

from ari_app.client import AriClient
from contact_center.http.metrics import Meters
from contact_center.settings import Settings
from contact_center.store.trunk_use import kept_trunks
from contact_center.store.writer import Writer
from contact_center.trunks import Trunks

log = structlog.get_logger(__name__)

COUNT_SECONDS = 1.0  # how old the minutes may be that a cap is judged by


async def load_use(trunks: Trunks, settings: Settings, writer: Writer) -> None:
    """Take over what earlier processes counted, and the caps in force. Raises Unreachable."""
    for name, kept in (await writer.read(lambda session: kept_trunks(session, settings))).items():
        trunks.take_caps(name, kept.caps)
        trunks.remember(name, kept.minutes, (kept.state, kept.reason))


async def load_caps(trunks: Trunks, settings: Settings, writer: Writer, name: str) -> None:
    """A supervisor has changed the caps of a trunk. Raises Unreachable."""
    kept = (await writer.read(lambda session: kept_trunks(session, settings))).get(name)
    if kept is not None:
        trunks.take_caps(name, kept.caps)


def cut_off(trunks: Trunks, ari: AriClient) -> None:
    """End every call to the outside that has lasted as long as its trunk lets one last."""
    for name, channel_id in trunks.too_long():
        channel = ari.find(channel_id)
        if channel is not None and not channel.is_cut_off and not channel.gone.happened:
            log.warning("call ended: it reached max_call_minutes", action="cut_off", trunk=name, channel=channel_id)
            ari.spawn(channel.cut_off(), f"cut off {channel_id}")


async def keep_caps(trunks: Trunks, meters: Meters, ari: AriClient) -> None:
    """Count, write down, tell, and end calls that last too long, every second. Runs until cancelled."""
    while True:
        trunks.tick()
        cut_off(trunks, ari)
        for name, capped, day in trunks.figures():
            meters.trunk_capped.labels(name).set(capped)
            meters.trunk_calls.labels(name).set(day.calls)
            meters.trunk_minutes.labels(name).set(round(day.seconds / 60, 2))
        await asyncio.sleep(COUNT_SECONDS)
