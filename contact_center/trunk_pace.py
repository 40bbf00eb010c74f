"""One carrier's lines: how many are in use, and when the next call may be sent."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from contact_center.dialling import DialOrder
from contact_center.settings import Trunk
from contact_center.spending import Reached, Spending

PROBE_SECONDS = 30.0  # one call each so often while it is down, until one gets through
START_SECONDS = 30.0  # campaigns are back at its full rate so long after it came back
LEAST_SECONDS = 0.001  # between two looks of who waits
LATE_SECONDS = 0.05  # a line that is taken so much later than it might have been is not missed afterwards
PENDING_SECONDS = 0.05  # between two looks while calls are about to be sent
_WINDOW_SECONDS = 1.02  # calls per second are counted over slightly more than one, for jitter on the wire
_BURST_SECONDS = 0.05  # no more than the share of so long at once: a burst delays its own last calls


@dataclass(slots=True)
class TrunkLines:
    """One trunk: ``live`` calls of ours, ``inbound`` callers, and who waits for a line.

    ``pending``: lines that are taken for calls which are about to be sent. ``taken``: when the last lines were due,
    ``placed``: when the calls of the last second were sent. ``back``, ``back_at``: when it came back after trouble, on
    both clocks.
    """

    name: str
    settings: Trunk
    spending: Spending
    capped: Reached | None = None
    noted: tuple[str, str] = ("up", "")
    live: int = 0
    pending: int = 0
    inbound: int = 0
    waiting: int = 0
    down_since: datetime | None = None
    reason: str = ""
    back: float = float("-inf")
    back_at: datetime | None = None
    taken: deque[float] = field(default_factory=deque)
    placed: deque[float] = field(default_factory=deque)
    streak: list[DialOrder | None] = field(default_factory=list)
    last_probe: float = float("-inf")

    def is_full(self, *, campaign: bool) -> bool:
        """Whether a call must end before another one may be placed."""
        kept = max(self.settings.reserve_inbound, self.inbound) if campaign else self.inbound
        return self.live >= self.settings.max_channels - kept

    def wait_seconds(self, now: float, *, campaign: bool = True) -> float | None:
        """Seconds until a call may be placed; None when a call must end first, or others are served first."""
        if self.capped is not None or self.is_full(campaign=campaign) or (campaign and self.waiting):
            return None
        since_probe = self.last_probe + PROBE_SECONDS - now if self.down_since is not None else 0.0
        return max(since_probe, self._pace_seconds(now, self.rate(now) if campaign else self.settings.max_cps), 0.0)

    def starts(self, now: float) -> bool:
        """Whether it has come back only lately."""
        return now - self.back < START_SECONDS

    def rate(self, now: float) -> float:
        """Calls per second that campaigns may send: from one on, slowly more, where it has just come back."""
        most = self.settings.max_cps
        return min(most, max(1.0, most * (now - self.back) / START_SECONDS))

    def _pace_seconds(self, now: float, rate: float) -> float:
        while self.placed and self.placed[0] <= now - max(_WINDOW_SECONDS, 1 / rate):
            self.placed.popleft()
        if len(self.placed) + self.pending >= max(int(rate), 1):
            if not self.placed:
                return PENDING_SECONDS
            return max(self.placed[0] + max(_WINDOW_SECONDS, 1 / rate) - now, LEAST_SECONDS)
        return self._spread_seconds(rate, now)

    def _spread_seconds(self, rate: float, now: float) -> float:
        """Seconds until a call keeps an even distance to the ones before; a few may follow each other at once.

        It counts from when lines were due: from when calls went out, each store of an intent would take from the rate.
        """
        return PENDING_SECONDS if self.pending >= _burst(rate) else max(self._due(rate) - now, 0.0)

    def _due(self, rate: float) -> float:
        burst = _burst(rate)
        return self.taken[-burst] + burst * _WINDOW_SECONDS / rate if len(self.taken) >= burst else float("-inf")

    def take(self, now: float, *, campaign: bool) -> None:
        """A line for a call that is about to be sent."""
        rate = self.rate(now) if campaign else self.settings.max_cps
        self.live += 1
        self.pending += 1
        self.taken.append(max(self._due(rate), now - LATE_SECONDS))
        if len(self.taken) > _burst(self.settings.max_cps):
            self.taken.popleft()
        if self.down_since is not None:
            self.last_probe = now

    def untake(self) -> None:
        """Nothing was sent on that line after all."""
        self.live -= 1
        self.pending -= 1
        if self.taken:
            self.taken.pop()

    def send(self, now: float, at: datetime) -> None:
        """Its call goes out in this moment."""
        self.pending -= 1
        self.placed.append(now)
        self.spending.use.add(at, calls=1)


def _burst(rate: float) -> int:
    return max(2, ceil(rate * _BURST_SECONDS))
