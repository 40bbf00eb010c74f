"""Days on which a queue is closed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

_HOLIDAY = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})\Z")
_LEAP_YEAR = 2024  # a holiday of every year may be 29 February


def checked_holiday(text: str) -> str:
    """``2026-12-25``, or ``12-25`` for every year. Raises ValueError."""
    match = _HOLIDAY.match(text)
    if match is None:
        raise ValueError(f"{text} is no holiday: 2026-12-25, or 12-25 for every year, is wanted")
    year, month, day = match.groups()
    try:
        date(int(year or _LEAP_YEAR), int(month), int(day))
    except ValueError:
        raise ValueError(f"{text} is no day of the calendar") from None
    return text


def is_holiday(holidays: Sequence[str], day: date) -> bool:
    """Whether the whole of a local day is a holiday."""
    return day.isoformat() in holidays or f"{day:%m-%d}" in holidays
