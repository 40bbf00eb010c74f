"""Abandoned calls in whole numbers, the rates that regulators ask for, and the windows they are counted in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import floor
from zoneinfo import ZoneInfo

from contact_center import metrics
from contact_center.law.rules import LedgerWindow

MACHINE_CODES = ("A", "AA", "AM", "AL", "machine")
"""What agents key when a machine had answered (VICIdial's answering machine statuses, and our own word)."""

PERIOD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of answered calls, in whole numbers.

    ``connected``: an agent was on the line in time; ``agent_machines`` of them were machines by his word.
    ``late``: an agent came, but after the law's seconds. ``dropped``: nobody was free. ``left_early``: the
    person hung up before the deadline was over. ``machines``: detection proved one. ``unproven``: calls of
    which it is not known whether a person answered (the answer may have met our giving up).
    """

    connected: int = 0
    agent_machines: int = 0
    late: int = 0
    dropped: int = 0
    left_early: int = 0
    machines: int = 0
    unproven: int = 0

    @property
    def abandoned(self) -> int:
        """Persons who got no agent in time."""
        return self.dropped + self.late

    @property
    def live(self) -> int:
        """Persons who got an agent in time."""
        return max(self.connected - self.agent_machines, 0)

    @property
    def answered(self) -> int:
        """Calls that a person answered and that count: abandoned and live."""
        return self.abandoned + self.live

    @property
    def rate(self) -> float | None:
        """Abandoned / answered by a person (16 CFR 310.4(b)(4)(i), 47 CFR 64.1200(a)(7)); None: none answered."""
        return metrics.drop_rate(self.abandoned, self.live)

    @property
    def upper_rate(self) -> float | None:
        """The same if every unproven call was a person who heard nothing."""
        return metrics.drop_rate(self.abandoned + self.unproven, self.live)

    @property
    def ofcom_rate(self) -> float | None:
        """The United Kingdom's formula without machine detection: see :func:`metrics.ofcom_abandonment`."""
        return metrics.ofcom_abandonment(self.abandoned, self.live, self.agent_machines)

    def with_false_machines(self, persons: int) -> Tally:
        """The same with so many of the ``machines`` being persons after all: they had no agent (Ofcom, Annex 3)."""
        return replace(self, dropped=self.dropped + persons, machines=max(self.machines - persons, 0))

    def allows(self, limit: float) -> bool:
        """Whether the next answered call might be abandoned, too, and the limit still be kept."""
        return self.abandoned + 1 <= limit * (self.answered + 1) + _TINY

    def room(self, limit: float) -> int:
        """How many of the next answered calls in a row might be abandoned; never below 0."""
        if limit >= 1:
            return max(self.answered, 1)
        return max(floor((limit * self.answered - self.abandoned) / (1 - limit) + _TINY), 0)


_TINY = 1e-9
"""0.03 of 100 is 3, whatever binary fractions make of it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From ``since`` until just before ``until``, and what it is called."""

    name: str
    since: datetime
    until: datetime


def stretch_of(window: LedgerWindow, now: datetime, zone: str) -> Stretch:
    """The window that ends now; the month is that of the zone's calendar."""
    if window is LedgerWindow.HOURS_24:
        return Stretch("24 hours", now - timedelta(hours=24), now)
    if window is LedgerWindow.DAYS_30:
        return Stretch("30 days", now - PERIOD, now)
    local = now.astimezone(ZoneInfo(zone))
    first = datetime(local.year, local.month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return Stretch(f"month {local:%Y-%m}", first, now)


def periods(started_at: datetime, now: datetime) -> Iterator[Stretch]:
    """Each successive 30-day period of a campaign from its first call on; the last one is not over."""
    since, n = started_at, 1
    while since < now:
        yield Stretch(f"period {n}", since, min(since + PERIOD, now))
        since, n = since + PERIOD, n + 1
