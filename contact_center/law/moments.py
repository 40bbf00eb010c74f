"""Local hours as instants, right to the second, on days that have 23, 24 or 25 hours.

Nothing is taken for open that the stricter reading would close: where the clock shows a time twice, a window
opens at the second and closes at the first; where the clock leaps over a time, both happen at the leap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Protocol
from zoneinfo import ZoneInfo

Minutes = tuple[tuple[int, int], ...]
"""Open parts of a local day in minutes since its midnight, in order; the ends are exclusive, 1440 ends a day."""

_DAY_MINUTES = 1440


class Timetable(Protocol):
    """What is open on which local day. Compared by identity: make one and keep it."""

    def minutes(self, day: date) -> Minutes:
        """The open parts of a day."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` on, until just before ``end``; both aware UTC."""

    start: datetime
    end: datetime


Clocked = tuple[Timetable, str]
"""A timetable, and the tz database name of the zone on whose clock it is read."""


def is_open(tables: Sequence[Clocked], at: datetime) -> bool:
    """Whether all of these timetables are open at ``at``, each on its own clock."""
    for timetable, zone in tables:
        day = at.astimezone(zone_of(zone)).date()
        if not any(span.start <= at < span.end for span in day_spans(timetable, zone, day)):
            return False
    return True


def next_open(tables: Sequence[Clocked], at: datetime, days: int) -> Span | None:
    """The stretch in which all are open at ``at`` or open next; None: not within ``days``.

    Its start is ``at`` itself when they are open then. An end more than ``days`` away is the end of that time.
    """
    common = _spans(*tables[0], at, days)
    for timetable, zone in tables[1:]:
        common = _both(common, _spans(timetable, zone, at, days))
    return next((Span(max(span.start, at), span.end) for span in common if span.end > at), None)


@lru_cache(maxsize=16384)
def day_spans(timetable: Timetable, zone: str, day: date) -> tuple[Span, ...]:
    """The open stretches of one local day of a zone."""
    spans = []
    for first, last in timetable.minutes(day):
        start, end = _moment(zone, day, first, second_time=True), _moment(zone, day, last, second_time=False)
        if start < end:
            spans.append(Span(start, end))
    return tuple(spans)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of a tz database name."""
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def clock_of(name: str, year: int) -> tuple[object, ...]:
    """What tells a zone's clock from others in a year and the next: its offset, and each shift to the second."""
    zone, start = zone_of(name), datetime(year, 1, 1, tzinfo=UTC)
    days = [start + timedelta(days=n) for n in range(732)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    shifts = [
        (_shift_between(zone, day, after), new)
        for (day, old), (after, new) in pairwise(zip(days, offsets, strict=True))
        if old != new
    ]
    return (offsets[0], *shifts)


def _spans(timetable: Timetable, zone: str, at: datetime, days: int) -> list[Span]:
    """Open stretches of one zone from the local day of ``at`` on, those that touch joined."""
    first = at.astimezone(zone_of(zone)).date()
    joined: list[Span] = []
    for offset in range(-1, days + 2):
        for span in day_spans(timetable, zone, first + timedelta(days=offset)):
            if joined and span.start <= joined[-1].end:
                joined[-1] = Span(joined[-1].start, max(span.end, joined[-1].end))
            else:
                joined.append(span)
    return joined


def _both(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Where both are open."""
    common: list[Span] = []
    left, right = 0, 0
    while left < len(some) and right < len(others):
        start = max(some[left].start, others[right].start)
        end = min(some[left].end, others[right].end)
        if start < end:
            common.append(Span(start, end))
        if some[left].end < others[right].end:
            left += 1
        else:
            right += 1
    return common


def _moment(zone: str, day: date, minute: int, *, second_time: bool) -> datetime:
    """When a zone's clock shows a minute of a day; ``second_time``: the later one of two.

    Midnight is always the first instant of its day, so that days join without a gap.
    """
    if minute == _DAY_MINUTES:
        day, minute = day + timedelta(days=1), 0
    place = zone_of(zone)
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=place)
    before, after = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if after < before:
        return _shift_between(place, after, before)
    return after if second_time and minute else before


def _shift_between(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The first second with the offset of ``high``; there is one shift between the two."""
    new = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == new:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)
