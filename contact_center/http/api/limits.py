"""How much the API takes on: requests a second, refusals a minute, readers at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST_ADDRESSES = 2000
"""So many addresses are remembered for their refusals; the oldest is forgotten first."""


class RateLimit:
    """Lets ``per_second`` through, and a burst of as many as one second's worth."""

    def __init__(self, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._monotonic = per_second, monotonic
        self._left, self._at = per_second, monotonic()

    def take(self) -> bool:
        """Whether one more may pass now."""
        now = self._monotonic()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


@dataclass(slots=True)
class _Refusals:
    since: float
    count: int = 0


class RefusalLimit:
    """Counts wrong tokens by address: after ``most`` in a ``window_seconds`` the address must wait for its end.

    Only wrong tokens are held up: whoever shares the address and has a right one is served all the same.
    """

    def __init__(
        self, most: int = 20, window_seconds: float = 60.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._window, self._monotonic = most, window_seconds, monotonic
        self._by_address: OrderedDict[str, _Refusals] = OrderedDict()

    def refuse(self, address: str) -> float:
        """Note a wrong token; the seconds that the address has to wait, 0 while it may try again."""
        now = self._monotonic()
        known = self._by_address.get(address)
        if known is None or now - known.since >= self._window:
            known = self._by_address[address] = _Refusals(now)
            self._by_address.move_to_end(address)
            if len(self._by_address) > MOST_ADDRESSES:
                self._by_address.popitem(last=False)
        known.count += 1
        return max(known.since + self._window - now, 1.0) if known.count > self._most else 0.0
