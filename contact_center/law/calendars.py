"""Holidays as data: ``12-25``, ``nov thu 4`` (its fourth Thursday), ``may mon last``, ``easter -2``.

A day may carry ``since 2021`` or ``until 2021``: the first year in which it is, or is no longer, a holiday.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from contact_center.law.rules import Calendar

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEARS = re.compile(r"(.*?)(?: since (\d{4}))?(?: until (\d{4}))?\Z")


@lru_cache(maxsize=512)
def holidays(calendar: Calendar, year: int) -> frozenset[date]:
    """All days of a year that a calendar closes, the days on which a holiday is observed included."""
    days = {day for text in calendar.days for day in _days(text, year)}
    # New Year's Day of the next year may be observed on the last day of this one, and the other way round.
    near = days | {day for text in calendar.days for y in (year - 1, year + 1) for day in _days(text, y)}
    observed = {day for holiday in near for day in _observed(holiday, calendar.observed)}
    return frozenset(day for day in days | observed if day.year == year)


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous computus)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (a + 11 * h) // 319
    r = (2 * e + 2 * i - k - h + m + 32) % 7
    month = (h - m + r + 90) // 25
    return date(year, month, (h - m + r + month + 19) % 32)


def _days(text: str, year: int) -> Iterator[date]:
    match = _YEARS.match(text)
    assert match is not None
    words, since, until = match.groups()
    if (since and year < int(since)) or (until and year >= int(until)):
        return
    if fixed := re.fullmatch(r"(\d\d)-(\d\d)", words):
        yield date(year, int(fixed[1]), int(fixed[2]))
    elif moved := re.fullmatch(r"easter ([+-]\d+)", words):
        yield easter(year) + timedelta(days=int(moved[1]))
    elif nth := re.fullmatch(r"([a-z]{3}) ([a-z]{3}) (\d|last)(?: ([+-]\d+))?", words):
        yield _nth(year, _MONTHS.index(nth[1]) + 1, _WEEKDAYS.index(nth[2]), nth[3]) + timedelta(int(nth[4] or 0))
    else:
        raise ValueError(f"{text!r} is not a holiday such as 12-25, 'nov thu 4', 'may mon last' or 'easter -2'")


def _nth(year: int, month: int, weekday: int, which: str) -> date:
    if which == "last":
        after = date(year + month // 12, month % 12 + 1, 1)
        return after - timedelta(days=(after.weekday() - weekday - 1) % 7 + 1)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (int(which) - 1))


def _observed(day: date, how: str) -> Iterator[date]:
    if day.weekday() == 6 and how in ("monday", "both"):
        yield day + timedelta(days=1)
    elif day.weekday() == 5 and how == "both":
        yield day - timedelta(days=1)
