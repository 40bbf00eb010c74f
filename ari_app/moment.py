"""A thing that happens once, which many may wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


class Moment(Generic[T]):
    """Something that happens at most once: ``await moment`` gives its value, and to stop waiting is harmless.

    A bare ``asyncio.Future`` would not do: cancelling one of its waiters cancels it for all.
    """

    __slots__ = ("_future", "at")

    def __init__(self) -> None:
        self._future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.at: datetime | None = None

    @property
    def happened(self) -> bool:
        """Whether it has happened."""
        return self._future.done()

    @property
    def value(self) -> T:
        """What came of it; InvalidStateError while it has not happened."""
        return self._future.result()

    def happen(self, value: T, at: datetime) -> bool:
        """Let it happen now; False, changing nothing, where it already has."""
        if self._future.done():
            return False
        self.at = at
        self._future.set_result(value)
        return True

    def __await__(self) -> Generator[object, None, T]:
        return asyncio.shield(self._future).__await__()

    def add_done_callback(self, fn: Callable[[asyncio.Future[T]], object]) -> None:
        """Call `fn` from the loop once it has happened (soon, where it already has)."""
        self._future.add_done_callback(fn)

    def remove_done_callback(self, fn: Callable[[asyncio.Future[T]], object]) -> None:
        """Do not call `fn` any more."""
        self._future.remove_done_callback(fn)
