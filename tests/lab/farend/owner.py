"""Owner of the far end's background tasks: one per scripted call, one per registration."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine

from tests.lab.farend.call import Call


class Owner:
    """Every task has a name and an end; a task that fails leaves its traceback in `faults`."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run `work` until it ends or `close`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def play(self, call: Call, part: Coroutine[None, None, None]) -> None:
        """Run a party's part in `call` until it ends or the call does."""
        task = self.start(part, f"part of {call.record.party}")
        call.on_over.append(task.cancel)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.faults.append("".join(traceback.format_exception(error)))

    async def close(self) -> None:
        """Cancel all tasks and wait for them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
