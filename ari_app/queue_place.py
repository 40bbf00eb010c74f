"""A caller's place in a queue's line: held while the block lasts, and the agents he is offered to."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from contact_center.queues.board import QueueBoard, Waiting
from contact_center.queues.rules import QueueRules
from contact_center.roster import Offer
from contact_center.terms import VisitEnd

STAFF_SECONDS = 1.0
"""How soon it is noticed that the last agent of a queue has gone, where that sends its callers on."""


class SentOn(Exception):
    """A rule of the queue ends his wait: ``end`` is TIMEOUT, FULL or EMPTY."""

    def __init__(self, end: VisitEnd) -> None:
        super().__init__(end.value)
        self.end = end


class Place:
    """``async with Place(board, entry)``: in line from ``stand`` on; leaving the block leaves the line."""

    def __init__(self, board: QueueBoard, entry: Waiting) -> None:
        self.board, self.entry = board, entry
        entry.take = self._offered
        board.number(entry)
        self._offers: asyncio.Queue[Offer] = asyncio.Queue()

    @property
    def rules(self) -> QueueRules:
        """The queue's settings as they are now."""
        return self.board.queues[self.entry.queue]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def expect(self) -> None:
        """He will stand in line soon."""
        self.board.expect(self.entry)

    def stand(self) -> None:
        """He stands in line from now on; if an agent is free he is held for him at once."""
        self.board.enter(self.entry)

    def leave(self) -> None:
        """Out of the line; agents who were held for him meanwhile are free again."""
        self.board.leave(self.entry)
        while not self._offers.empty():
            self._offers.get_nowait().close()

    def missed(self, ext: str, at: float) -> None:
        """An agent did not take him."""
        self.entry.missed[ext] = at

    def _offered(self, offer: Offer) -> None:
        self._offers.put_nowait(offer)

    async def turn(self) -> Offer:
        """The next agent who is held for him. Raises SentOn when nobody is left who could ever be."""
        while True:
            if not self._offers.empty():
                return self._offers.get_nowait()
            leaves_empty = self.rules.options.when_empty == "overflow"
            if leaves_empty and not self.board.members(self.entry.queue, on_line=True):
                raise SentOn(VisitEnd.EMPTY)
            soon = [s for s in (self.board.next_look(self.entry), STAFF_SECONDS if leaves_empty else None) if s]
            try:
                async with asyncio.timeout(min(soon, default=None)):
                    return await self._offers.get()
            except TimeoutError:
                self.board.look(self.entry)
