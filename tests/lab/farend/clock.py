"""One clock for the whole far end: epoch seconds that never jump while it runs."""

from __future__ import annotations

import time


class Clock:
    """`now()` is wall-clock UTC (epoch seconds) read off the monotonic clock, so spans are exact as well."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Epoch seconds, UTC."""
        return time.monotonic() + self._offset

    def from_kernel(self, stamp: float) -> float:
        """A kernel receive time stamp (CLOCK_REALTIME seconds) on this clock."""
        return self.now() - max(0.0, time.time() - stamp)
