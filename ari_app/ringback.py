"""Ringback for somebody who stays on the line when it is over."""

from __future__ import annotations

import asyncio

from ari_app.channel import Channel
from ari_app.client import AriClient


class Ringback:
    """What one party hears while another one's phone rings. It can be ended whatever became of its beginning."""

    def __init__(self, channel: Channel, ari: AriClient) -> None:
        self._channel, self._ari = channel, ari
        self._begun: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin it. Raises AriError; the command goes on where its caller is cancelled."""
        self._begun = self._ari.spawn(self._channel.ring(), f"ringback {self._channel.id}")
        await asyncio.shield(self._begun)

    async def end(self) -> None:
        """End it, if it was begun. Raises AriError."""
        begun, self._begun = self._begun, None
        if begun is None:
            return
        await asyncio.wait([begun])  # sent at once, this command could overtake the other one
        await self._channel.ring_stop()
