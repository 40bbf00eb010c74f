"""Whether a party talks, as TALK_DETECT tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Voice:
    """Silent until told otherwise."""

    def __init__(self) -> None:
        self.talking = False
        self.listeners: set[Callable[[bool, int], None]] = set()
        self._changed = asyncio.Event()

    def becomes(self, *, talking: bool, duration_ms: int = 0) -> None:
        """Take in an event; ``duration_ms``: how long the talk was that has ended, the silence after it not counted."""
        self.talking = talking
        self._changed.set()
        self._changed = asyncio.Event()
        for hear in tuple(self.listeners):
            hear(talking, duration_ms)

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
