"""What Asterisk holds right now, for reconciling after a connect."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ari_app.errors import Refused
from ari_app.events import ChannelInfo, channel_info
from ari_app.line import Line, part


@dataclass(frozen=True, slots=True)
class BridgeInfo:
    """A bridge as Asterisk lists it; `channels` are ids."""

    id: str
    name: str
    types: str
    channels: tuple[str, ...]
    creator: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All channels and bridges, by id. `app_channel_ids`: those our application is subscribed to."""

    channels: Mapping[str, ChannelInfo]
    bridges: Mapping[str, BridgeInfo]
    app_channel_ids: frozenset[str]


async def take_snapshot(line: Line) -> Snapshot:
    """Ask Asterisk for everything; raises AriError."""
    async with asyncio.TaskGroup() as group:
        channels = group.create_task(line.request("GET", "channels"))
        bridges = group.create_task(line.request("GET", "bridges"))
        application = group.create_task(_application(line))
    channel_infos = [channel_info(raw) for raw in channels.result() or ()]
    bridge_infos = [_bridge_info(raw) for raw in bridges.result() or ()]
    return Snapshot(
        {info.id: info for info in channel_infos},
        {info.id: info for info in bridge_infos},
        frozenset((application.result() or {}).get("channel_ids", ())),
    )


async def _application(line: Line) -> Any:
    try:
        return await line.request("GET", f"applications/{part(line.app)}")
    except Refused as refused:
        if refused.status != 404:
            raise
        return None


def _bridge_info(raw: Mapping[str, Any]) -> BridgeInfo:
    return BridgeInfo(
        id=str(raw["id"]),
        name=str(raw.get("name") or ""),
        types=str(raw.get("bridge_type") or ""),
        channels=tuple(str(channel) for channel in raw.get("channels") or ()),
        creator=str(raw.get("creator") or ""),
    )
