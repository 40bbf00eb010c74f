"""Durations read off the ages that decide is told, for callers that never report the ends."""

from __future__ import annotations

import numpy as np

from dialer.estimators import Floats, HandleLaw

SLACK = 0.25  # seconds by which the start of one span may seem to wander between two looks
PATIENCE = 6  # spans that ended unreported before what is seen counts


class AgeWatch:
    """Feeds a law from vanished ages, as long as nobody reports the ends.

    A span's start is now - age. A start seen at one look and gone at the next ended in between; its length
    is taken to the middle of the two looks.
    """

    def __init__(self, law: HandleLaw) -> None:
        self._law, self._starts, self._at = law, np.empty(0), 0.0
        self._vanished = 0
        self.reported = False

    def look(self, now: float, ages: Floats) -> None:
        """What is under way now."""
        if self.reported or now - self._at < SLACK:
            return
        starts = np.sort(now - ages)
        if len(self._starts):
            for start in self._gone(starts).tolist():
                self._vanished += 1
                if self._vanished > PATIENCE:
                    self._law.observe((now + self._at) / 2 - start)
        self._starts, self._at = starts, now

    def _gone(self, starts: Floats) -> Floats:
        if not len(starts):
            return self._starts
        at = np.searchsorted(starts, self._starts)
        after = np.abs(starts[np.minimum(at, len(starts) - 1)] - self._starts)
        before = np.abs(starts[np.maximum(at - 1, 0)] - self._starts)
        gone: Floats = self._starts[np.minimum(after, before) > SLACK]
        return gone
