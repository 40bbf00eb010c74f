"""What waits for the writer's thread: facts in the order of their posting, requests between them or ahead of them.

A request ahead of the facts is served as soon as the thread is free. That is right for claims: a fact that is
not stored yet leaves its lead on the line and its number taken, so a claim that does not see it takes too little,
never too much. A fact that others must not overtake says so by `Fact.holds_back`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from contact_center.store.fact import Fact
from contact_center.store.journal import Entry
from contact_center.store.last_facts import LastFacts
from contact_center.store.requests import Request

GATHER_SECONDS = 0.2
"""How long a fact waits for others to share its transaction when nobody waits for a commit."""
LATE_SECONDS = 0.1
"""How much longer it waits at most for requests that go ahead of it; then they take turns."""
BATCH_FACTS = 200
"""A transaction takes in at most so many facts: others wait for the write lock."""
HURRIED_FACTS = 20
"""The same while a request waits that goes ahead."""


@dataclass(slots=True, eq=False)
class Posted:
    """A fact on its way, and whether the journal has it too."""

    entry: Entry
    posted_at: float
    journalled: bool = False
    tries: int = 0


class Inbox:
    """Used by all threads. ``backlog``: how many facts wait. ``last_facts`` holds those that wait, too."""

    def __init__(self, source: str, last_facts: LastFacts | None = None) -> None:
        self.backlog = 0
        self.stopping = False
        self._source = source
        self._last_facts = last_facts
        self._seq = 0
        self._changed = threading.Condition()
        self._queue: deque[Posted | Request] = deque()
        self._ahead: deque[Request] = deque()
        self._requests = 0
        self._holding_back = 0
        self._asleep = False
        self._went_ahead = False

    # ---- called from other threads

    def replay(self, entries: Sequence[Entry]) -> None:
        """Put what the journal held before everything else; called before the thread starts."""
        self._queue.extend(Posted(entry, 0.0, journalled=True) for entry in entries)
        self._holding_back = sum(entry.fact.holds_back for entry in entries)
        self.backlog = len(entries)

    def post(self, fact: Fact) -> None:
        """Take a fact."""
        with self._changed:
            self._seq += 1
            entry = Entry(self._source, self._seq, fact)
            if self._last_facts is not None:
                self._last_facts.write(entry)
            self._queue.append(Posted(entry, time.monotonic()))
            self._holding_back += fact.holds_back
            self.backlog += 1
            # One that gathers facts need not be woken for each of them.
            if self._asleep:
                self._changed.notify()

    def ask(self, request: Request, *, ahead: bool) -> None:
        """Take a request: behind everything taken before or, with ``ahead``, behind what holds it back only."""
        with self._changed:
            if ahead and not self._holding_back:
                self._ahead.append(request)
            else:
                self._queue.append(request)
                self._requests += 1
            self._changed.notify()

    def stop(self) -> None:
        """Let the thread go when nothing is left."""
        with self._changed:
            self.stopping = True
            self._changed.notify()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        with self._changed:
            return not self._queue and not self._ahead

    @property
    def is_hurried(self) -> bool:
        """Whether a request waits that goes ahead of the facts; cheap enough to ask between two of them."""
        return bool(self._ahead)

    # ---- the thread

    def sleep(self, seconds: float) -> None:
        """Wait until something comes, or so long."""
        with self._changed:
            self._asleep = True
            self._changed.wait(seconds)
            self._asleep = False

    def next(self, idle_seconds: float, *, gather: bool) -> Request | Posted | None:
        """What to do next, waited for so long at most. A request is taken out, a fact is not.

        ``gather``: let facts that come in one after the other share a transaction, unless somebody waits.
        """
        with self._changed:
            if not self._queue and not self._ahead and not self.stopping and idle_seconds > 0:
                self._asleep = True
                self._changed.wait(idle_seconds)
                self._asleep = False
            while gather and self._queue and not self._requests and not self._ahead and not self.stopping:
                head = self._queue[0]
                left = head.posted_at + GATHER_SECONDS - time.monotonic() if isinstance(head, Posted) else 0.0
                if left <= 0:
                    break
                self._changed.wait(left)
            if self._ahead and not (self._went_ahead and self._is_late()):
                self._went_ahead = True
                return self._ahead.popleft()
            self._went_ahead = False
            if self._queue and isinstance(self._queue[0], Request):
                self._requests -= 1
                return self._queue.popleft()
            return self._queue[0] if self._queue else None

    def _is_late(self) -> bool:
        """Whether what stands in order has waited so long that it takes turns with what goes ahead."""
        head = self._queue[0] if self._queue else None
        return isinstance(head, Request) or (
            head is not None and time.monotonic() - head.posted_at > GATHER_SECONDS + LATE_SECONDS
        )

    def batch(self, most: int) -> list[Posted]:
        """The facts at the head that one transaction may take: of one writer, up to the next request."""
        batch: list[Posted] = []
        with self._changed:
            for item in self._queue:
                if isinstance(item, Request) or len(batch) == most:
                    break
                if batch and item.entry.source != batch[0].entry.source:
                    break
                batch.append(item)
        return batch

    def done(self, stored: Sequence[Posted]) -> bool:
        """Forget what is stored now; whether the journal may forget all it has."""
        with self._changed:
            for posted in stored:
                self._queue.popleft()
                self._holding_back -= posted.entry.fact.holds_back
            self.backlog -= len(stored)
            if self._last_facts is not None and (not self.backlog or self._last_facts.is_filling):
                here_only = [item for item in self._queue if isinstance(item, Posted) and not item.journalled]
                self._last_facts.keep(item.entry for item in here_only)
            if not any(posted.journalled for posted in stored):
                return False
            waiting = next((item for item in self._queue if isinstance(item, Posted)), None)
            return waiting is None or not waiting.journalled

    def not_journalled(self) -> list[Posted]:
        """Facts that wait and are in memory only."""
        with self._changed:
            return [item for item in self._queue if isinstance(item, Posted) and not item.journalled]

    def requests(self) -> list[Request]:
        """Take all requests out; facts stay."""
        with self._changed:
            waiting = [*self._ahead, *(item for item in self._queue if isinstance(item, Request))]
            self._queue = deque(item for item in self._queue if isinstance(item, Posted))
            self._ahead.clear()
            self._requests = 0
        return waiting
