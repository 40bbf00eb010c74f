"""How long a caller waits: as long as the queue keeps him, or until he asks to be called back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ari_app.channel import Channel
from ari_app.media import Digit
from ari_app.queue_place import Place, SentOn
from contact_center.terms import VisitEnd

CALLBACK_KEY = "1"
"""The key by which a caller asks to be called back."""


class Patience:
    """The end of one caller's wait; made by :func:`patience`."""

    def __init__(self, limit: asyncio.Timeout, may_ask: Callable[[], bool]) -> None:
        self._limit, self._may_ask = limit, may_ask
        self._until: float | None = None
        self._paused = False
        self.asked = False

    def key(self, digit: Digit | None) -> None:
        """What he keys; his wait is over when he may ask to be called back, and does."""
        if digit is None or digit.digit != CALLBACK_KEY or self._paused or self._limit.expired():
            return
        if self._may_ask():
            self.asked = True
            self._limit.reschedule(asyncio.get_running_loop().time())

    def keep_until(self, until: float | None) -> None:
        """The queue keeps him so long (loop time; None: for ever) by its settings of now."""
        if self._paused:
            self._until = until
        elif not self.asked and not self._limit.expired() and until != self._limit.when():
            self._limit.reschedule(until)

    def pause(self) -> None:
        """He has an agent: nothing sends him on any more."""
        if not self._limit.expired():
            self._until, self._paused, self.asked = self._limit.when(), True, False
            self._limit.reschedule(None)

    def resume(self) -> None:
        """His agent has gone again."""
        if self._paused:
            self._paused = False
            self._limit.reschedule(self._until)


@asynccontextmanager
async def patience(
    caller: Channel, place: Place, waited: float, may_ask: Callable[[], bool]
) -> AsyncIterator[Patience]:
    """SentOn when he has waited ``max_wait`` of his queue, ``waited`` seconds of it before, whatever it is set to then.

    SentOn, too, when he presses the key while ``may_ask`` says yes.
    """
    began = asyncio.get_running_loop().time() - waited

    def until() -> float | None:
        most = place.rules.options.max_wait
        return began + most if most else None

    limit = asyncio.timeout_at(until())
    waits = Patience(limit, may_ask)
    try:
        with caller.on_keys(waits.key), place.board.watched(lambda: waits.keep_until(until())):
            async with limit:
                yield waits
    except TimeoutError:
        if not limit.expired():
            raise
        raise SentOn(VisitEnd.CALLBACK if waits.asked else VisitEnd.TIMEOUT) from None
