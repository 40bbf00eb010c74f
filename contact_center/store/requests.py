"""One function to run in a transaction for a coroutine that waits, with an outcome that is certain."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from contact_center.store.errors import explain, is_conflict, is_trouble
from contact_center.store.link import Link

TRIES = 3
"""How often a transaction that lost its connection or a conflict is tried, its COMMIT not sent yet."""
OUTCOME_SECONDS = 2.0
"""How long PostgreSQL is asked for the outcome of a COMMIT that it did not answer."""


class Phase(Enum):
    """How far a request is. Once it is COMMITTING it cannot be called off."""

    WAITING = auto()
    RUNNING = auto()
    COMMITTING = auto()
    DONE = auto()
    CALLED_OFF = auto()


class Request:
    """Asked by a coroutine, which waits on ``future``; served by the writer's thread."""

    def __init__(self, run: Callable[[Session], Any], *, writes: bool) -> None:
        self.run = run
        self.writes = writes
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        # Nobody may be waiting any more when it fails.
        self.future.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._lock = threading.Lock()
        self._phase = Phase.WAITING

    def call_off(self) -> bool:
        """Give it up: nothing of it will be stored. False when its COMMIT is on the way, or its answer."""
        with self._lock:
            if self._phase in (Phase.COMMITTING, Phase.DONE):
                return False
            self._phase = Phase.CALLED_OFF
            return True

    def _enter(self, phase: Phase) -> bool:
        """Go on to ``phase``, unless it was called off."""
        with self._lock:
            if self._phase is Phase.CALLED_OFF:
                return False
            self._phase = phase
            return True

    def finish(self, *, result: Any = None, error: Exception | None = None) -> None:
        """Tell the coroutine; from any thread."""
        with self._lock:
            self._phase = Phase.DONE
        with suppress(RuntimeError):  # the loop may be closed already, and then nobody waits
            if error is not None:
                self.loop.call_soon_threadsafe(self.refuse, error)
            else:
                self.loop.call_soon_threadsafe(self._answer, result)

    def _answer(self, result: Any) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def refuse(self, error: Exception) -> None:
        """Tell the coroutine, on its loop, that it failed, unless it has its answer."""
        if not self.future.done():
            self.future.set_exception(error)

    def serve(self, link: Link) -> Exception | None:
        """Run it, commit it and tell the coroutine. Gives the error if the database is in trouble."""
        for attempt in range(1, TRIES + 1):
            if not self._enter(Phase.RUNNING):
                return None
            try:
                result = self._transact(link)
            except Exception as error:
                is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
                if (is_lost or is_conflict(error)) and attempt < TRIES and self._phase is Phase.RUNNING:
                    continue
                if isinstance(error, DBAPIError) and is_trouble(error):
                    self.finish(error=explain(error, link.url))
                else:
                    self.finish(error=error)
                return None if is_conflict(error) else error
            self.finish(result=result)
            return None
        return None

    def _transact(self, link: Link) -> Any:
        """Run and commit. When COMMIT is not answered, the database is asked what became of it."""
        transaction_id = ""
        try:
            with link.transaction(writes=self.writes) as (session, transaction):
                if self.writes:
                    transaction_id = link.transaction_id()
                result = self.run(session)
                session.flush()
                if not self._enter(Phase.COMMITTING):
                    return None
                transaction.commit()
        except DBAPIError as error:
            if self._phase is not Phase.COMMITTING or not self.writes or not error.connection_invalidated:
                raise
            if not link.is_committed(transaction_id, OUTCOME_SECONDS):
                raise
        return result
