"""When a fault strikes: random, but the same again with the same seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator


class Instants:
    """`async for n in Instants(100, least=0.5, most=3.0, seed=7)`: each turn comes a random time after the last."""

    def __init__(self, count: int, *, least: float, most: float, seed: int) -> None:
        self._count, self._least, self._most = count, least, most
        self._chance = random.Random(seed)

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self._count):
            await asyncio.sleep(self._chance.uniform(self._least, self._most))
            yield number
