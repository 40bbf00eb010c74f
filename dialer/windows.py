"""The windows of the law on abandonment, exact across restarts: dropped and answered of the last day and month.

A pacer is told its windows once, when it is made, and lets what was carried over fade. Here every answered call
keeps the hour it was answered in, so that a bad hour counts until it has left the window. Where an hour lies on
the window's edge its drops count and its good answers do not: an error is on the careful side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import floor, inf

from contact_center.store.queries_pace import HOUR_SECONDS, AnsweredHour

DAY_SECONDS, MONTH_SECONDS = 86400.0, 30 * 86400.0
SPANS = (DAY_SECONDS, MONTH_SECONDS)
NAMES = {DAY_SECONDS: "24 hours", MONTH_SECONDS: "30 days"}
_RENEW_SECONDS = 60.0  # how often hours that have become too old are looked for


@dataclass(slots=True)
class Windows:
    """Answered and dropped calls of one campaign by hour; instants are epoch seconds."""

    hours: deque[AnsweredHour] = field(default_factory=deque)
    _totals: dict[float, list[int]] = field(default_factory=dict)
    _renew_at: float = -inf

    @classmethod
    def of(cls, hours: Iterable[AnsweredHour]) -> Windows:
        """From the ledger, oldest first."""
        return cls(deque(hours))

    def count(self, at: float, *, dropped: bool) -> None:
        """A person's call has found its agent, or has been dropped."""
        start = floor(at / HOUR_SECONDS) * HOUR_SECONDS
        if not self.hours or self.hours[-1].start < start:
            self.hours.append(AnsweredHour(start, 0, 0))
        last = self.hours[-1]
        self.hours[-1] = AnsweredHour(last.start, last.answered + 1, last.dropped + dropped)
        for totals in self._totals.values():
            totals[0] += dropped
            totals[1] += 1

    def totals(self, now: float, seconds: float) -> tuple[int, int]:
        """Dropped and answered within the window that ends now."""
        if not self._totals or not self._renew_at - _RENEW_SECONDS <= now < self._renew_at:
            self._renew(now)
        dropped, answered = self._totals[seconds]
        return dropped, answered

    def _renew(self, now: float) -> None:
        while self.hours and self.hours[0].start + HOUR_SECONDS <= now - MONTH_SECONDS:
            self.hours.popleft()
        for seconds in SPANS:
            begin, dropped, answered = now - seconds, 0, 0
            for hour in self.hours:
                if hour.start + HOUR_SECONDS > begin:
                    dropped += hour.dropped
                    answered += hour.answered if hour.start >= begin else hour.dropped
            self._totals[seconds] = [dropped, answered]
        self._renew_at = now + _RENEW_SECONDS

    def rows(self, now: float, limit: float) -> list[tuple[float, float, int, int]]:
        """For ``make_pacer(windows=...)``: seconds, limit, dropped and answered so far."""
        return [(seconds, limit, *self.totals(now, seconds)) for seconds in SPANS]

    def forbids(self, now: float, limit: float) -> str:
        """The window that would be furthest over the limit if the next call, too, were dropped; empty: none."""
        least, sentence = 0.0, ""
        for seconds in SPANS:
            dropped, answered = self.totals(now, seconds)
            room = limit * (answered + 1) - dropped - 1
            if room < least:
                least = room
                told = f"{dropped} of {answered} answered calls dropped"
                sentence = f"hard limit of the last {NAMES[seconds]} ({told}): one call per free agent"
        return sentence
