"""What Asterisk holds right now, for reconciling after a connect."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
    """All channels and bridges, by id. `app_channel_ids`: those our applications are subscribed to."""

    channels: Mapping[str, ChannelInfo]
    bridges: Mapping[str, BridgeInfo]
    app_channel_ids: frozenset[str]


async def take_snapshot(line: Line) -> Snapshot:
    """Ask Asterisk for everything; raises AriError.

    Bridges before channels: who hangs up in between is missing from the second list, as one who has gone. The other way
    round he would be there and in no bridge, as one who talked to nobody.
    """
    async with asyncio.TaskGroup() as group:
        bridges = group.create_task(line.request("GET", "bridges"))
        apps = [group.create_task(_application(line, app)) for app in {line.app, line.agents_app}]
    channel_infos = [channel_info(raw) for raw in await line.request("GET", "channels") or ()]
    bridge_infos = [_bridge_info(raw) for raw in bridges.result() or ()]
    return Snapshot(
        {info.id: info for info in channel_infos},
        {info.id: info for info in bridge_infos},
        frozenset(channel_id for app in apps for channel_id in (app.result() or {}).get("channel_ids", ())),
    )


async def _application(line: Line, app: str) -> Any:
    try:
        return await line.request("GET", f"applications/{part(app)}")
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


def bridge_of(channel_id: str, snapshot: Snapshot) -> BridgeInfo | None:
    """The bridge that a channel is in."""
    return next((bridge for bridge in snapshot.bridges.values() if channel_id in bridge.channels), None)


def partner_of(channel_id: str, snapshot: Snapshot, known_id: str = "") -> tuple[ChannelInfo | None, BridgeInfo | None]:
    """Who is in a bridge with a channel, and the bridge. Of several it is ``known_id``, if that one is among them."""
    bridge = bridge_of(channel_id, snapshot)
    if bridge is None:
        return None, None
    others = [snapshot.channels[c] for c in bridge.channels if c != channel_id and c in snapshot.channels]
    others.sort(key=lambda other: other.id != known_id)
    return (others[0] if others else None), bridge


@dataclass(frozen=True, slots=True)
class FoundTalk:
    """An agent who had a customer, and the bridge he is in; a customer ``on_hold`` is not in it."""

    agent: ChannelInfo
    bridge: BridgeInfo
    on_hold: bool


def talk_of(channel_id: str, agent_channel_id: str, snapshot: Snapshot) -> FoundTalk | None:
    """The talk of a customer with the agent who was written down for him, or with whoever has him now."""
    partner, bridge = partner_of(channel_id, snapshot, agent_channel_id)
    if partner is not None and bridge is not None:
        return FoundTalk(partner, bridge, on_hold=False)
    agent, apart = snapshot.channels.get(agent_channel_id), bridge_of(agent_channel_id, snapshot)
    if bridge is None and agent is not None and apart is not None:
        return FoundTalk(agent, apart, on_hold=True)
    return None


def made_at(info: ChannelInfo) -> datetime | None:
    """When a channel was made."""
    try:
        return datetime.fromisoformat(info.created_at)
    except ValueError:
        return None


def leg_began(agent_leg: ChannelInfo) -> datetime | None:
    """When a leg that was dialled for this call was made: the talk began then, if nobody could write it down."""
    return made_at(agent_leg) if agent_leg.app_args[:1] == ("agent",) else None
