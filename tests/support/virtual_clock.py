"""An asyncio loop whose time jumps to the next timer when nothing is left to do, and that finds deadlocks.

``@on_virtual_clock`` makes an async test run on it: hours pass in milliseconds and every instant is exact.
Sockets have no place in such a test. Threads do (``asyncio.to_thread``): time stands still while one works.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

EPOCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""What the virtual wall clock shows at second 0: a Monday morning."""
THREAD_SECONDS = 10.0
"""A thread that works longer than this (of real time) counts as stuck."""


class Deadlock(AssertionError):
    """Nothing is ready, no timer is set and no thread works: the test would wait for ever."""


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """The loop; ``time()`` starts at 0 and moves only by jumps."""

    def __init__(self) -> None:
        self._virtual_seconds = 0.0
        self._threads = 0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._virtual_seconds

    def jump(self, seconds: float) -> None:
        """Let `seconds` have passed."""
        self._virtual_seconds += seconds

    @property
    def threads(self) -> int:
        """Threads at work for this loop."""
        return self._threads

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As always; while it runs, time stands still."""
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        """As always; a thread of the loop's own waits for the others meanwhile."""
        self._threads += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._threads -= 1

    def hold(self) -> None:
        """Time stands still until as many calls of `release`: somebody works for this loop whom it cannot see."""
        self._threads += 1

    def release(self) -> None:
        """He is done."""
        self._threads -= 1

    def _thread_ended(self, _: object) -> None:
        self._threads -= 1


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting, moves the loop's clock on."""

    def __init__(self, loop: VirtualClockLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; else the clock jumps by `timeout`."""
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._loop.threads:
            ready = super().select(THREAD_SECONDS)
            if not ready:
                raise Deadlock(f"A thread works for more than {THREAD_SECONDS:g} s.")
            return ready
        if timeout is None:
            waiting = "\n".join(f"  {task!r}" for task in asyncio.all_tasks(self._loop))
            raise Deadlock(f"At {self._loop.time():.3f} s all wait for something that cannot come:\n{waiting}")
        self._loop.jump(timeout)
        return ready


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a fresh virtual clock; its result."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(main)


def on_virtual_clock(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make an async test run on a fresh virtual clock."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_virtual(test(*args, **kwargs))

    del run.__wrapped__  # pytest must take it for what it is: no coroutine function
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run


def virtual_now() -> datetime:
    """The virtual wall clock, for ``AriClient(now=virtual_now)`` and the like."""
    return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


class VirtualClock:
    """``contact_center.clock.Clock`` on the running virtual loop."""

    def now(self) -> datetime:
        """Aware UTC instant."""
        return virtual_now()

    def monotonic(self) -> float:
        """Virtual seconds."""
        return asyncio.get_running_loop().time()
