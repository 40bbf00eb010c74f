"""Instants as people type them: ISO, a date, a time of day, or a span from now."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from contact_center.errors import UsageError
from contact_center.law.abandonment import Stretch
from contact_center.options import parse_span

_REVERSED = "--to is not after --from; give a later instant."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(text: str, zone: str, now: datetime, option: str) -> datetime:
    """An aware UTC instant that comes. Local times are those of ``zone``; a bare time of day is the next one.

    Takes ``2026-03-01T15:00Z``, ``2026-03-01 15:00``, ``2026-03-01``, ``15:00`` and ``+90m``.
    Raises UsageError naming ``option``.
    """
    return _instant(text, zone, now, option, "+")


def past_instant(text: str, zone: str, now: datetime, option: str) -> datetime:
    """The same of a stretch that is looked back at: a bare time of day is the last one, and ``-90m`` so long ago."""
    return _instant(text, zone, now, option, "-")


def _instant(text: str, zone: str, now: datetime, option: str, sign: Literal["+", "-"]) -> datetime:
    word = text.strip()
    local = ZoneInfo(zone)
    try:
        if word.startswith(("+", sign)):
            span = timedelta(seconds=parse_span(word[1:]))
            return now + span if word.startswith("+") else now - span
        if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", word):
            clock = time.fromisoformat(word.zfill(5))
            return _next(clock, local, now) if sign == "+" else _last(clock, local, now)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", word):
            day = date.fromisoformat(word)
            return datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)
        at = datetime.fromisoformat(word)
        return (at if at.tzinfo else at.replace(tzinfo=local)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text[:40]!r} is not an instant; 2026-03-01T15:00Z, '2026-03-01 15:00', 15:00 or {sign}90m "
            "is wanted."
        ) from None


def stretch(since: str, until: str, zone: str, now: datetime) -> Stretch:
    """``--from`` and ``--to`` as a stretch of time; without the first it begins with time, without the second now.

    Raises UsageError when it ends before it begins.
    """
    begin = past_instant(since, zone, now, "--from") if since else _EPOCH
    end = past_instant(until, zone, now, "--to") if until else now
    if end <= begin:
        raise UsageError(_REVERSED)
    return Stretch("asked for", begin, end)


def bounds(since: str, until: str, zone: str, now: datetime) -> tuple[datetime | None, datetime | None]:
    """``--from`` and ``--to`` of a list; None where one is left out. Raises UsageError where they are reversed."""
    begin = past_instant(since, zone, now, "--from") if since else None
    end = past_instant(until, zone, now, "--to") if until else None
    if begin is not None and end is not None and end <= begin:
        raise UsageError(_REVERSED)
    return begin, end


def _next(clock: time, zone: ZoneInfo, now: datetime) -> datetime:
    today = now.astimezone(zone)
    for days in (0, 1):
        day = today.date() + timedelta(days=days)
        at = datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)
        if at > now:
            return at
    raise ValueError(clock)


def _last(clock: time, zone: ZoneInfo, now: datetime) -> datetime:
    today = now.astimezone(zone)
    for days in (0, 1):
        at = datetime.combine(today.date() - timedelta(days=days), clock, tzinfo=zone).astimezone(UTC)
        if at <= now:
            return at
    raise ValueError(clock)
