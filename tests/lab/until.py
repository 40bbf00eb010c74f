"""Waiting for the thing itself: used in tests instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.05
T = TypeVar("T")


@overload
async def until(predicate: Callable[[], Awaitable[T]], deadline: float, what: str) -> T: ...


@overload
async def until(predicate: Callable[[], T | None], deadline: float, what: str) -> T: ...


async def until(predicate: Callable[[], Any], deadline: float, what: str) -> Any:
    """Call `predicate` (plain or async) until it gives something true; that is the result.

    TimeoutError after `deadline` seconds, naming `what` and the last value seen.
    """
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + deadline, FIRST_PAUSE_SECONDS
    while True:
        value: Any = predicate()
        if inspect.isawaitable(value):
            try:
                async with asyncio.timeout_at(end):
                    value = await value
            except TimeoutError:
                raise TimeoutError(f"{what}: the check itself did not end within {deadline:g} s") from None
        if value:
            return value
        if loop.time() >= end:
            raise TimeoutError(f"not within {deadline:g} s: {what} (last seen: {value!r})")
        await asyncio.sleep(min(pause, max(0.0, end - loop.time())))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
