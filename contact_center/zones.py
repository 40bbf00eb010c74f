"""In which time zones a number may lie, and whether it may be called there now by the campaign's own hours.

A number tells its place only roughly: a mobile number of a large country may be in any of its zones. So
hours must be open in ALL zones a number may lie in, unless the lead's own zone is known. What the law adds
is in :mod:`contact_center.law`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from contact_center.law import moments
from contact_center.law.places import LeadFacts, Places, places_of
from contact_center.law.windows import weekly
from contact_center.law.zone_names import known_zone

__all__ = ["is_open", "known_zone", "next_change", "zone_key"]

_LOOK_AHEAD_DAYS = 9


def zone_key(number: str, *, site_zone: str, explicit: str | None = None) -> str:
    """Comma-joined, sorted tz names that ``number`` (E.164) may lie in.

    ``explicit`` wins; a number that tells nothing lies in the ``site_zone``. Zones whose clocks agree all
    year stand once. Raises UsageError when ``explicit`` is not in the tz database.
    """
    return ",".join(places_of(LeadFacts(number, zone=explicit or ""), site_zone=site_zone).zones)


def is_open(zones: str, hours: str, at: datetime) -> bool:
    """Whether ``hours`` (as in ``campaign set hours=``) cover the instant ``at`` in every zone of the key.

    An empty key means UTC.
    """
    return moments.is_open(_tables(zones, hours), at)


def next_change(zones: str, hours: str, at: datetime) -> datetime | None:
    """The first instant after ``at`` at which :func:`is_open` gives another answer.

    None when it never does within nine days: always open, or never in all zones at once.
    """
    span = moments.next_open(_tables(zones, hours), at, _LOOK_AHEAD_DAYS)
    if span is None:
        return None
    change = span.end if span.start <= at else span.start
    return change if change < at + timedelta(days=_LOOK_AHEAD_DAYS) else None


def _tables(zones: str, hours: str) -> list[moments.Clocked]:
    return [(weekly(hours), zone) for zone in Places.of_key(zones).zones]
