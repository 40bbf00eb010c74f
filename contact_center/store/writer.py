"""The writer: facts are posted without waiting, intents are committed before the act.

One thread owns one connection. What is posted and what is committed is stored in the order of the calls.
While the database is away facts are kept in order, in memory and in a journal that survives a crash.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from contact_center.clock import Clock
from contact_center.errors import Unreachable
from contact_center.ids import new_id
from contact_center.store.errors import OutcomeUnknown, place
from contact_center.store.fact import Fact
from contact_center.store.journal import Entry, Journal
from contact_center.store.last_facts import LastFacts, left_behind
from contact_center.store.link import Link
from contact_center.store.pruning import FIRST_SECONDS, Pruner
from contact_center.store.pruning_told import KEEP_TRACKING
from contact_center.store.requests import OUTCOME_SECONDS, Request
from contact_center.store.worker import Worker

STALL_SECONDS = 0.7
"""A statement at work for so long makes the database unhealthy."""
CUT_SECONDS = 3.0
"""A statement at work for so long has its connection cut."""
WATCH_SECONDS = 0.1
START_SECONDS = 10.0
"""How long the replay of an earlier journal may take before the start is given up."""
STOP_SECONDS = 5.0
"""How long an ending writer goes on storing; what is left then stays in the journal."""

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Writer:
    """Use it as ``async with Writer(engine, clock, journal_path) as writer``."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        journal_path: Path | None = None,
        *,
        start_seconds: float = START_SECONDS,
        stop_seconds: float = STOP_SECONDS,
        prune_after_seconds: float = FIRST_SECONDS,
        keep_tracking: timedelta = KEEP_TRACKING,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._journal_path = journal_path
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._pruner = Pruner(prune_after_seconds, keep_tracking)
        self._journal: Journal | None = None
        self._last_facts: LastFacts | None = None
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[bool], None]] = []
        self._was_healthy = True
        self._stirred = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Start the thread and store first what an earlier run left in the journal or in memory.

        Raises Unreachable when the database does not take it; the journal is kept then.
        """
        loop = asyncio.get_running_loop()
        entries = self._open_journal()

        def on_change() -> None:
            with suppress(RuntimeError):  # the loop may be closed already
                loop.call_soon_threadsafe(self._look)

        link, last_facts = Link(self._engine), self._last_facts
        self._worker = Worker(link, self._clock, self._journal, new_id("w"), on_change, self._pruner, last_facts)
        self._worker.inbox.replay(entries)
        self._thread = threading.Thread(target=self._worker.run, name="callwright-writer", daemon=True)
        self._thread.start()
        self._watcher = asyncio.create_task(self._watch(), name="writer-watch")
        if entries and not await self.drain(self._start_seconds):
            trouble = self.trouble
            await self._end(0.0)
            raise Unreachable(trouble or f"{place(self._engine.url)}: the journal could not be stored.")
        if entries:
            _log.warning("journal_replayed", action="store", facts=len(entries))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store what is left, within ``stop_seconds``; the rest stays in the journal for the next start."""
        await self._end(self._stop_seconds)

    def _open_journal(self) -> list[Entry]:
        if self._journal_path is None:
            return []
        self._journal = Journal(self._journal_path)
        entries, senseless = self._journal.read()
        if senseless:
            beside = self._journal.set_aside(senseless)
            _log.error("journal_lines_rejected", action="store", lines=len(senseless), file=str(beside))
        self._journal.reserve()
        return entries + self._rescue(self._journal, entries)

    def _rescue(self, journal: Journal, entries: list[Entry]) -> list[Entry]:
        """Facts that a kill left in shared memory go into the journal, as those of an outage do."""
        known = {(entry.source, entry.seq) for entry in entries}
        rescued = [entry for entry in left_behind(journal.path) if (entry.source, entry.seq) not in known]
        journal.append(entry.line() for entry in rescued)
        try:
            self._last_facts = LastFacts(journal.path)
        except OSError as error:
            _log.warning("last_facts_not_kept", action="store", error=str(error))
        return rescued

    async def _end(self, within: float) -> None:
        worker, thread, watcher = self._worker, self._thread, self._watcher
        if worker is None or thread is None or watcher is None:
            return
        if within:
            await self.drain(within)
        worker.inbox.stop()
        await asyncio.to_thread(thread.join, STOP_SECONDS)
        left, self._thread = worker.inbox.backlog, None
        await watcher
        if left:
            _log.warning("facts_left", action="store", facts=left, journal=str(self._journal_path or "none"))
        if self._journal is not None and not thread.is_alive():
            self._journal.close(remove=left == 0)
            self._journal = None
            if self._last_facts is not None:
                self._last_facts.close(remove=not worker.inbox.not_journalled())
                self._last_facts = None

    # ---- storing

    def post(self, fact: Fact) -> None:
        """Store this, in its turn. Never blocks, never raises."""
        if self._worker is None or self._thread is None:
            _log.error("fact_posted_to_no_writer", action="store", fact=type(fact).__name__)
            return
        self._worker.inbox.post(fact)

    async def commit(self, fn: Callable[[Session], T], within: float = 2.0, *, ahead: bool = False) -> T:
        """Run ``fn`` in a writing transaction; returns after COMMIT, what ``fn`` gave.

        It sees everything posted before. With ``ahead`` it does not wait for that: only facts that hold
        back (`Fact.holds_back`) are sure to be stored before it. Claims may go ahead, recovery may not.
        ``fn`` runs in the writer's thread, and again when its transaction was rolled back: it does nothing
        but use the session. What it raises is raised here, and nothing is stored. Raises Unreachable when
        the database is in trouble or ``within`` seconds are over: nothing is stored and never will be,
        because the thread asks, immediately before COMMIT, whether it was called off. When the connection
        is lost in COMMIT itself, PostgreSQL is asked by the transaction's number; only when that cannot be
        done either is OutcomeUnknown raised.
        """
        return await self._ask(fn, writes=True, within=within, ahead=ahead)

    async def read(self, fn: Callable[[Session], T], within: float = 2.0, *, ahead: bool = False) -> T:
        """Run ``fn`` in a reading transaction. Sees and raises what `commit` does."""
        return await self._ask(fn, writes=False, within=within, ahead=ahead)

    async def _ask(self, fn: Callable[[Session], T], *, writes: bool, within: float, ahead: bool) -> T:
        worker = self._worker
        if worker is None or self._thread is None:
            raise Unreachable("The writer is not running.")
        if not self.healthy:
            raise Unreachable(self.trouble)
        request = Request(fn, writes=writes)
        worker.inbox.ask(request, ahead=ahead)
        timer = request.loop.call_later(within, self._out_of_time, request, within)
        try:
            answer: T = await request.future
        except asyncio.CancelledError:
            request.call_off()
            raise
        finally:
            timer.cancel()
        return answer

    def _out_of_time(self, request: Request, within: float) -> None:
        if request.call_off():
            request.refuse(Unreachable(self.trouble or self._too_slow(within)))
        else:
            # COMMIT is on the way, or done, and cannot be called back.
            unknown = OutcomeUnknown(self._unanswered())
            request.loop.call_later(OUTCOME_SECONDS + STALL_SECONDS, request.refuse, unknown)

    def _unanswered(self) -> str:
        return (
            f"{place(self._engine.url)}: the database does not answer a COMMIT; whether the change is stored "
            "will be seen when it is back."
        )

    def _too_slow(self, within: float) -> str:
        return f"{place(self._engine.url)}: the database took longer than {within:g} s; nothing was stored."

    async def drain(self, within: float = 5.0) -> bool:
        """Wait until everything posted is stored; False when it is not ``within`` so many seconds."""
        try:
            async with asyncio.timeout(within):
                while True:
                    if self._worker is not None:
                        self._worker.tell_when_empty = True
                    self._stirred.clear()
                    if not self.backlog:
                        break
                    await self._stirred.wait()
        except TimeoutError:
            return False
        return True

    # ---- health

    @property
    def healthy(self) -> bool:
        """Whether the database takes writes; False within a second of the opposite."""
        worker = self._worker
        return worker is not None and not worker.trouble and worker.link.stalled_seconds < STALL_SECONDS

    @property
    def trouble(self) -> str:
        """What is wrong with the database, in one sentence; empty when nothing is."""
        worker = self._worker
        if worker is None:
            return "The writer is not running."
        if worker.trouble or worker.link.stalled_seconds < STALL_SECONDS:
            return worker.trouble
        return f"{place(self._engine.url)}: the database does not answer."

    @property
    def backlog(self) -> int:
        """How many facts are posted and not stored yet."""
        return 0 if self._worker is None else self._worker.inbox.backlog

    @property
    def quarantined(self) -> int:
        """How many facts were put aside since the start."""
        return 0 if self._worker is None else self._worker.quarantined

    def on_health(self, fn: Callable[[bool], None]) -> None:
        """Call ``fn`` on the event loop at each change of `healthy`."""
        self._listeners.append(fn)

    def keep_events_for(self, consumer: Callable[[], int]) -> None:
        """Events after the id that ``consumer`` gives, the last that it has, are not pruned, however old.

        It is called in the writer's thread.
        """
        self._pruner.consumers.append(consumer)

    def _look(self) -> None:
        self._stirred.set()
        if self.healthy != self._was_healthy:
            self._was_healthy = not self._was_healthy
            for listener in self._listeners:
                listener(self._was_healthy)

    async def _watch(self) -> None:
        """See what the thread cannot report: that it hangs in a statement."""
        while self._worker is not None and self._thread is not None:
            await asyncio.sleep(WATCH_SECONDS)
            self._look()
            if not self.healthy and self.backlog:
                await asyncio.to_thread(self._worker.write_journal)
            if self._worker.link.stalled_seconds > CUT_SECONDS:
                self._worker.link.cut()
