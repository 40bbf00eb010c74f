"""In which time zones a number may lie, and whether it may be called there now.

A number tells its place only roughly: a mobile number of a large country may be in any of its zones. So
hours must be open in ALL zones a number may lie in, unless the lead's own zone is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from phonenumbers import NumberParseException
from phonenumbers import timezone as number_zones

from contact_center.errors import UsageError
from contact_center.options import Hours

_UNKNOWN = "Etc/Unknown"
_LOOK_AHEAD_DAYS = 9


def zone_key(number: str, *, site_zone: str, explicit: str | None = None) -> str:
    """Comma-joined, sorted tz names that ``number`` (E.164) may lie in.

    ``explicit`` wins; a number that tells nothing lies in the ``site_zone``. Zones whose clocks agree all
    year stand once. Raises UsageError when ``explicit`` is not in the tz database.
    """
    if explicit and explicit.strip():
        return known_zone(explicit)
    try:
        names = number_zones.time_zones_for_number(phonenumbers.parse(number))
    except NumberParseException:
        return site_zone
    if _UNKNOWN in names:
        return site_zone
    return _distinct(names, datetime.now(UTC).year) or site_zone


def known_zone(text: str) -> str:
    """The tz database's own spelling of a zone. Raises UsageError when there is none."""
    name = _spellings().get(text.strip().lower())
    if name is None:
        raise UsageError(f"timezone {text.strip()[:40]!r} is not in the tz database; write it as Europe/London.")
    return name


def is_open(zones: str, hours: str, at: datetime) -> bool:
    """Whether ``hours`` (as in ``campaign set hours=``) cover the instant ``at`` in every zone of the key.

    An empty key means UTC.
    """
    ranges = _hours(hours)
    for zone in _zones(zones):
        local = at.astimezone(zone)
        if not any(part.covers(local.weekday(), local.time()) for part in ranges):
            return False
    return True


def next_change(zones: str, hours: str, at: datetime) -> datetime | None:
    """The first instant after ``at`` at which :func:`is_open` gives another answer.

    None when it never does within nine days: always open, or never in all zones at once.
    """
    now = is_open(zones, hours, at)
    moments = {m for zone in _zones(zones) for m in _boundaries(zone, _hours(hours), at)}
    return next((m for m in sorted(moments) if m > at and is_open(zones, hours, m) != now), None)


def _boundaries(zone: ZoneInfo, ranges: tuple[Hours, ...], at: datetime) -> Iterator[datetime]:
    """Each opening, closing, midnight and shift of the zone's clock in the days after ``at``."""
    first = at.astimezone(zone).date()
    minutes = {0} | {m % 1440 for part in ranges for m in (part.start_minute, part.end_minute)}
    for offset in range(_LOOK_AHEAD_DAYS + 1):
        day = first + timedelta(days=offset)
        for minute in minutes:
            local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
            yield local.astimezone(UTC)
            yield local.replace(fold=1).astimezone(UTC)
        yield from _shift(zone, day)


def _shift(zone: ZoneInfo, day: date) -> Iterator[datetime]:
    """The instant within a local day at which the zone's offset changes, to the second."""
    low = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    high = low + timedelta(days=1)
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    yield high.replace(microsecond=0)


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


@lru_cache(maxsize=256)
def _hours(text: str) -> tuple[Hours, ...]:
    return Hours.parse(text)


@lru_cache(maxsize=1024)
def _zones(key: str) -> tuple[ZoneInfo, ...]:
    return tuple(ZoneInfo(name) for name in (key or "UTC").split(","))


@lru_cache(maxsize=1024)
def _distinct(names: tuple[str, ...], year: int) -> str:
    """One name for each group of zones whose clocks agree every day of this year and the next."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    known = _spellings()
    kept: dict[tuple[timedelta | None, ...], str] = {}
    for name in sorted(name for name in names if name.lower() in known):
        zone = ZoneInfo(name)
        clock = tuple((start + timedelta(days=n)).astimezone(zone).utcoffset() for n in range(730))
        kept.setdefault(clock, name)
    return ",".join(sorted(kept.values()))
