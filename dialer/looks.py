"""When to look at which campaign: at once after a quiet moment, together when much happens, else at its time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from heapq import heappop, heappush
from math import inf

from contact_center.clock import Clock
from dialer.teams import TICK_SECONDS

LEAST_SECONDS = 0.005  # the shortest time between two looks for a line
REST_SECONDS = 0.1
"""At most so long what happens to a campaign that waits for its next line is left for then."""
ROUNDED_SECONDS = 0.0015
"""The event loop counts whole milliseconds: a timer may strike so much too early, and would be set for nothing."""
GAP_SECONDS = 0.004  # two looks begin so far apart at least: what happens in between is looked at together


class Looks:
    """Campaigns by id. A wake after a quiet moment is looked at at once; idle campaigns are never looked at, nor those
    that :meth:`rest`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken: set[int] = set()
        self._heap: list[tuple[float, int]] = []
        self._due: dict[int, float] = {}
        self._resting: dict[int, float] = {}
        self._stirred = asyncio.Event()
        self._began = float("-inf")

    def wake(self, ids: Iterable[int], *, at_once: bool = False) -> None:
        """Something happened to these campaigns; ``at_once``: it may matter to those that rest, too."""
        if self._resting and not at_once:
            now = self._clock.monotonic()
            ids = [campaign for campaign in ids if self._resting.get(campaign, 0.0) <= now]
        self._woken.update(ids)
        if self._woken:
            self._stirred.set()

    def at(self, campaign: int, seconds: float | None) -> None:
        """Look at it again after so many seconds at the latest; None: only when it is woken."""
        self._resting.pop(campaign, None)
        if seconds is None:
            self._due.pop(campaign, None)
            return
        due = self._clock.monotonic() + seconds
        self._due[campaign] = due
        heappush(self._heap, (due, campaign))

    def rest(self, campaign: int, seconds: float) -> None:
        """As :meth:`at`, where nothing that happens before can change what comes of a look."""
        self.at(campaign, seconds)
        self._resting[campaign] = self._clock.monotonic() + min(seconds, REST_SECONDS)

    def for_line(self, campaign: int, line_in: float | None) -> None:
        """Look for a line again that may be had in so many seconds; None: when a call has ended."""
        if line_in is None:
            self.at(campaign, TICK_SECONDS)
        else:
            self.rest(campaign, max(line_in, LEAST_SECONDS))

    def by(self, campaign: int, seconds: float) -> None:
        """As :meth:`at`, unless it is looked at sooner anyhow."""
        if self._due.get(campaign, inf) > self._clock.monotonic() + seconds:
            self.at(campaign, seconds)

    async def next(self) -> set[int]:
        """Wait until a campaign is to be looked at; gives all that are by now."""
        while True:
            now = self._clock.monotonic()
            due_in = self._take_due(now)
            wait = self._began + GAP_SECONDS - now
            if self._woken and wait <= 0.0:
                self._began = now
                woken, self._woken = self._woken, set()
                self._stirred.clear()
                return woken
            if self._woken:
                await asyncio.sleep(wait + ROUNDED_SECONDS)
                continue
            self._stirred.clear()
            try:
                async with asyncio.timeout(None if due_in is None else due_in + ROUNDED_SECONDS):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    def _take_due(self, now: float) -> float | None:
        """Wake what is due; gives the seconds until the next one is."""
        while self._heap:
            due, campaign = self._heap[0]
            if self._due.get(campaign) != due:
                heappop(self._heap)  # it was looked at meanwhile
            elif due <= now:
                heappop(self._heap)
                del self._due[campaign]
                self._woken.add(campaign)
            else:
                return due - now
        return None
