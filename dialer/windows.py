"""The windows of the law on abandonment, exact across restarts: dropped and answered of the last day and month.

A pacer is told its windows once, when it is made, and lets what was carried over fade. Here every answered call
keeps the hour it was answered in, so that a bad hour counts until it has left the window. Where an hour lies on
the window's edge its drops count and its good answers do not: an error is on the careful side.

Counted are persons, as ``report abandonment`` does it. A call that a machine had answered by its agent's word is not
among the answered ones. Persons whom detection took for machines had nobody: agents have a sample of the machines, and
the share of persons among those is taken for that among all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, floor, inf

from contact_center.store.queries_pace import HOUR_SECONDS, AnsweredHour, CheckedHour

DAY_SECONDS, MONTH_SECONDS = 86400.0, 30 * 86400.0
SPANS = (DAY_SECONDS, MONTH_SECONDS)
NAMES = {DAY_SECONDS: "24 hours", MONTH_SECONDS: "30 days"}
_RENEW_SECONDS = 60.0  # how often hours that have become too old are looked for
_TINY = 1e-9


@dataclass(slots=True)
class _Total:
    dropped: int = 0
    answered: int = 0
    machines: int = 0


@dataclass(slots=True)
class Windows:
    """Answered and dropped calls of one campaign by hour; instants are epoch seconds.

    ``checks``: what agents say of machines, by the hour's start. ``false_rate``: the share of persons among the
    machines that they have listened to in the last 30 days; 0 as long as nobody has listened to one.
    """

    hours: deque[AnsweredHour] = field(default_factory=deque)
    checks: dict[float, CheckedHour] = field(default_factory=dict)
    false_rate: float = 0.0
    _owed: float = 0.0
    _totals: dict[float, _Total] = field(default_factory=dict)
    _renew_at: float = -inf

    @classmethod
    def of(cls, hours: Iterable[AnsweredHour], checks: Iterable[CheckedHour] = ()) -> Windows:
        """From the ledger, oldest first."""
        windows = cls(deque(hours))
        windows.check(checks, -inf)
        return windows

    @property
    def with_detection(self) -> bool:
        """Whether any call was ended as a machine's within the month."""
        return any(hour.machines for hour in self.hours)

    def check(self, checks: Iterable[CheckedHour], since: float) -> None:
        """What agents say of the hours from ``since`` on, in place of what they said before."""
        kept = {start: check for start, check in self.checks.items() if start < since}
        self.checks = kept | {check.start: check for check in checks}
        self._measure()
        self._renew_at = -inf

    def count(self, at: float, *, dropped: bool) -> None:
        """A person's call has found its agent, or has been dropped."""
        last = self._hour(at)
        self.hours[-1] = AnsweredHour(last.start, last.answered + 1, last.dropped + dropped, last.machines)
        for total in self._totals.values():
            total.dropped += dropped
            total.answered += 1

    def count_machine(self, at: float) -> bool:
        """A call was ended as a machine's. Whether, by measure, one more of those was a person's."""
        last = self._hour(at)
        self.hours[-1] = AnsweredHour(last.start, last.answered, last.dropped, last.machines + 1)
        for total in self._totals.values():
            total.machines += 1
        self._owed += self.false_rate
        is_person = self._owed >= 1.0 - _TINY
        self._owed -= is_person
        return is_person

    def _hour(self, at: float) -> AnsweredHour:
        start = floor(at / HOUR_SECONDS) * HOUR_SECONDS
        if not self.hours or self.hours[-1].start < start:
            self.hours.append(AnsweredHour(start, 0, 0))
        return self.hours[-1]

    def totals(self, now: float, seconds: float) -> tuple[int, int]:
        """Dropped and answered within the window that ends now, persons taken for machines in both."""
        persons = self.false_machines(now, seconds)
        total = self._totals[seconds]
        return total.dropped + persons, total.answered + persons

    def false_machines(self, now: float, seconds: float = MONTH_SECONDS) -> int:
        """How many persons, by measure, were ended as machines within the window that ends now, rounded up."""
        if not self._totals or not self._renew_at - _RENEW_SECONDS <= now < self._renew_at:
            self._renew(now)
        return ceil(self._totals[seconds].machines * self.false_rate - _TINY)

    def _renew(self, now: float) -> None:
        oldest = now - MONTH_SECONDS - HOUR_SECONDS
        while self.hours and self.hours[0].start <= oldest:
            self.hours.popleft()
        self.checks = {start: check for start, check in self.checks.items() if start > oldest}
        self._measure()
        for seconds in SPANS:
            begin, total = now - seconds, _Total()
            for hour in self.hours:
                if hour.start + HOUR_SECONDS > begin:
                    total.dropped += hour.dropped
                    total.answered += self._persons(hour) if hour.start >= begin else hour.dropped
                    total.machines += hour.machines
            self._totals[seconds] = total
        self._renew_at = now + _RENEW_SECONDS

    def _persons(self, hour: AnsweredHour) -> int:
        check = self.checks.get(hour.start)
        return max(hour.answered - check.machines, hour.dropped) if check else hour.answered

    def _measure(self) -> None:
        checked = sum(check.checked for check in self.checks.values())
        self.false_rate = sum(check.wrong for check in self.checks.values()) / checked if checked else 0.0

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
                if persons := self.false_machines(now, seconds):
                    told += f", {persons} of them persons taken for machines, by measure"
                sentence = f"hard limit of the last {NAMES[seconds]} ({told}): one call per free agent"
        return sentence

    def used_up(self, now: float, limit: float) -> str:
        """The window in which so many were dropped that the limit is reached; empty: none.

        For who dials ahead without forecasts: unlike ``forbids`` it lets him begin.
        """
        for seconds in SPANS:
            dropped, answered = self.totals(now, seconds)
            if dropped and dropped >= limit * answered - _TINY:
                told = f"{dropped} of {answered} answered calls dropped, {100 * limit:g} % allowed"
                return f"limit of the last {NAMES[seconds]} ({told}): one call per free agent"
        return ""

    def explain(self, now: float) -> dict[str, float]:
        """What detection adds, for `why campaign`; empty where no call was ended as a machine's."""
        if not self.with_detection:
            return {}
        return {"false_machines": self.false_machines(now), "false_machine_rate": round(self.false_rate, 4)}
