"""How long to wait before the next try."""

from __future__ import annotations

import random


class Backoff:
    """Doubling waits with jitter: each between half of the current span and the whole of it."""

    def __init__(self, first_seconds: float, most_seconds: float, rng: random.Random | None = None) -> None:
        self.first_seconds, self.most_seconds = first_seconds, most_seconds
        self._rng = rng or random.Random()
        self._span = first_seconds
        self.fresh = True

    def reset(self) -> None:
        """Begin at the first span again."""
        self._span = self.first_seconds
        self.fresh = True

    def next_seconds(self) -> float:
        """The wait before the next try."""
        span = self._span
        self._span = min(self._span * 2.0, self.most_seconds)
        return span * self._rng.uniform(0.5, 1.0)
