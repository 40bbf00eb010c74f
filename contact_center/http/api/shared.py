"""Dear documents, made once for all who ask at the same time, and for those who ask right after them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

SHARED_SECONDS = 0.5
"""How old such a document may be; a change made by way of the API makes all of them old at once."""
MOST_KEPT = 500


@dataclass(frozen=True, slots=True)
class _Made:
    at: float
    body: asyncio.Task[bytes]


class SharedDocuments:
    """By key; a document that could not be made is not kept."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}

    async def get(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The document of this key. Raises what ``make`` raises."""
        now, known = asyncio.get_running_loop().time(), self._made.get(key)
        if known is None or now - known.at > SHARED_SECONDS or _failed(known.body):
            if len(self._made) >= MOST_KEPT:
                self._made.clear()
            known = self._made[key] = _Made(now, asyncio.create_task(_awaited(make), name=f"document {key}"))
        return await asyncio.shield(known.body)

    def forget(self) -> None:
        """Something was changed."""
        self._made.clear()


async def _awaited(make: Callable[[], Awaitable[bytes]]) -> bytes:
    return await make()


def _failed(body: asyncio.Task[bytes]) -> bool:
    return body.done() and (body.cancelled() or body.exception() is not None)
