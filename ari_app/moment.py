"""A thing that happens once, which many may wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


class Moment(Generic[T]):
    """Something that happens at most once: ``await moment`` gives its value, and to stop waiting is harmless.

    A bare ``asyncio.Future`` would not do: cancelling one of its waiters cancels it for all. One is made when somebody
    waits, since of a channel's moments most are never waited for.
    """

    __slots__ = ("_future", "_value", "at", "happened")

    def __init__(self) -> None:
        self._future: asyncio.Future[T] | None = None
        self.happened = False
        self.at: datetime | None = None

    @property
    def value(self) -> T:
        """What came of it; InvalidStateError while it has not happened."""
        if not self.happened:
            raise asyncio.InvalidStateError("It has not happened.")
        return self._value

    def happen(self, value: T, at: datetime) -> bool:
        """Let it happen now; False, changing nothing, where it already has."""
        if self.happened:
            return False
        self.happened, self._value, self.at = True, value, at
        if self._future is not None:
            self._future.set_result(value)
        return True

    def _waited_for(self) -> asyncio.Future[T]:
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
            if self.happened:
                self._future.set_result(self._value)
        return self._future

    def __await__(self) -> Generator[object, None, T]:
        return asyncio.shield(self._waited_for()).__await__()

    def add_done_callback(self, fn: Callable[[asyncio.Future[T]], object]) -> None:
        """Call `fn` from the loop once it has happened (soon, where it already has)."""
        self._waited_for().add_done_callback(fn)

    def remove_done_callback(self, fn: Callable[[asyncio.Future[T]], object]) -> None:
        """Do not call `fn` any more."""
        if self._future is not None:
            self._future.remove_done_callback(fn)
