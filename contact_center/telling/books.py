"""The database as consumers of the outbox use it: read in a thread of its own, written through the one writer.

While the database is away they wait; nobody else waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from contact_center.clock import Clock
from contact_center.errors import Unreachable
from contact_center.store.engine import open_engine, reading, writing

PATIENCE_SECONDS = 1.0
"""Between two tries while the database is away."""
COMMIT_SECONDS = 5.0
READERS = 2

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Commit(Protocol):
    """``Writer.commit``."""

    async def __call__(self, fn: Callable[[Session], T], within: float, /) -> T:
        """What ``fn`` gives, after COMMIT. Raises Unreachable."""
        ...


class Books:
    """``async with Books(url, clock, writer.commit) as books``."""

    def __init__(self, url: str, clock: Clock, commit: Commit) -> None:
        self.clock = clock
        self._engine = open_engine(url, pool_size=READERS)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="callwright-telling")
        self._commit = commit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    async def read(self, fn: Callable[[Session], T]) -> T:
        """What ``fn`` gives in a reading transaction; waits while the database is away."""
        return await self._patiently(lambda: self._in_thread(fn))

    async def _in_thread(self, fn: Callable[[Session], T]) -> T:
        def work() -> T:
            with reading(self._engine) as session:
                return fn(session)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def commit(self, fn: Callable[[Session], T]) -> T:
        """What ``fn`` gives in a writing transaction; waits while the database is away, so ``fn`` may run twice."""
        return await self._patiently(lambda: self._commit(fn, COMMIT_SECONDS))

    async def _patiently(self, work: Callable[[], asyncio.Future[T]] | Callable[[], object]) -> T:
        is_away = False
        while True:
            try:
                return await work()  # type: ignore[misc, no-any-return]
            except Unreachable as error:
                if not is_away:
                    log.warning("telling waits for the database", action="tell", reason=str(error))
                is_away = True
                await asyncio.sleep(PATIENCE_SECONDS)


def plain_commit(engine: Engine) -> Commit:
    """A ``commit`` without a writer, in a thread of its own."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="callwright-commit")

    async def commit(fn: Callable[[Session], T], within: float, /) -> T:
        def work() -> T:
            with writing(engine) as session:
                return fn(session)

        return await asyncio.get_running_loop().run_in_executor(thread, work)

    return commit
