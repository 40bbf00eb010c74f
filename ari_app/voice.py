"""Whether a party talks, as TALK_DETECT tells it."""

from __future__ import annotations

import asyncio


class Voice:
    """Silent until told otherwise."""

    def __init__(self) -> None:
        self.talking = False
        self._changed = asyncio.Event()

    def becomes(self, *, talking: bool) -> None:
        """Take in an event."""
        self.talking = talking
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, *, talking: bool) -> None:
        """Wait until the party talks, or is silent."""
        while self.talking is not talking:
            await self._changed.wait()

    async def talks_within(self, seconds: float) -> bool:
        """Whether the party begins to talk within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self.until(talking=True)
        except TimeoutError:
            return False
        return True
