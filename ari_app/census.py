"""Now and then what we believe of our channels is compared with what Asterisk has.

An event that never came must not keep a call up for ever. Events and the list travel on different sockets, so that
one difference proves nothing: what is not so at two looks in a row is put right.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from ari_app.errors import AriError
from ari_app.events import ChannelInfo, channel_info

if TYPE_CHECKING:
    from ari_app.channel import Channel
    from ari_app.client import AriClient

LOOK_SECONDS = 4.0
"""Time between two looks: a lost event is made good within twice this."""

log = structlog.get_logger(__name__)


class Census:
    """``await Census(ari).run()`` until cancelled."""

    def __init__(self, ari: AriClient) -> None:
        self._ari = ari
        self._doubted: set[str] = set()

    async def run(self) -> None:
        """Look again and again, while events are proven to come; else the reconciler will."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._ari.live:
                self._doubted.clear()
                continue
            try:
                await self.look()
            except AriError as error:
                log.debug("not counted", action="census", reason=str(error))

    async def look(self) -> int:
        """One look; how many channels were put right."""
        known = [channel for channel in self._ari.channels.values() if channel.sent]
        if not known:
            return 0
        listed = {raw["id"]: raw for raw in await self._ari.request("GET", "channels") or ()}
        doubted, mended = set(), 0
        for channel in known:
            info = channel_info(listed[channel.id]) if channel.id in listed else None
            if channel.gone.happened or not _differs(channel, info):
                continue
            if channel.id not in self._doubted:
                doubted.add(channel.id)
                continue
            log.warning("an event was lost", action="census", channel=channel.id, state=info.state if info else "gone")
            channel.settle(info)
            mended += 1
        self._doubted = doubted
        return mended


def _differs(channel: Channel, info: ChannelInfo | None) -> bool:
    """Whether Asterisk has it in a state that we were not told of."""
    if info is None:
        return True
    unheard = (info.state == "Up" and not channel.answered.happened) or (
        info.state == "Ringing" and not channel.ringing.happened
    )
    return unheard or info.in_stasis != channel.entered.happened
