"""Numbers about the line to Asterisk, for metrics and doctor."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

LATENCY_BOUNDS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 3000.0)
"""Upper bounds of the buckets of REST latency; a last bucket takes the rest."""


@dataclass(slots=True)
class Counters:
    """Counts since the start of the process; only ever growing."""

    events: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    uncertain: int = 0
    not_sent: int = 0
    late_replies: int = 0
    connects: int = 0
    replaced: int = 0
    beats_missed: int = 0
    sounds_failed: int = 0
    latency_ms: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_MS) + 1))
    latency_sum_ms: float = 0.0

    def replied(self, status: int, seconds: float) -> None:
        """One reply of REST, and how long it took."""
        milliseconds = seconds * 1000.0
        self.statuses[status] += 1
        self.latency_ms[bisect_left(LATENCY_BOUNDS_MS, milliseconds)] += 1
        self.latency_sum_ms += milliseconds
