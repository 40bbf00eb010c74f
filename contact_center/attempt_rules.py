"""What a campaign itself asks of attempts, besides the law: caps for a person, and attempts by the part of the day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from contact_center.law.force import Cap
from contact_center.law.moments import Span, day_spans, zone_of
from contact_center.law.windows import LOOK_AHEAD_DAYS, weekly
from contact_center.options import CampaignOptions, parse_caps
from contact_center.settings import Site


@dataclass(frozen=True, slots=True)
class AttemptRules:
    """``caps``: on calls to one person, the site's and the campaign's. ``parts``: of a day, as ``09:00-12:00``, in
    each of which a lead that was not reached is called ``per_part`` times; empty: whenever it is due.
    """

    caps: tuple[Cap, ...] = ()
    parts: tuple[str, ...] = ()
    per_part: int = 1

    @classmethod
    def of(cls, options: CampaignOptions, site: Site) -> Self:
        """Of a campaign at this site; of two caps for one span the stricter holds."""
        fewest: dict[float, int] = {}
        for calls, seconds in (*parse_caps(site.person_cap), *parse_caps(options.person_cap)):
            fewest[seconds] = min(calls, fewest.get(seconds, calls))
        caps = tuple(Cap(calls, seconds) for seconds, calls in sorted(fewest.items()))
        return cls(caps, parts_of(options.day_parts), options.attempts_per_part)

    def __bool__(self) -> bool:
        """Whether anything is asked at all."""
        return bool(self.caps or self.parts)


NO_RULES = AttemptRules()


def parts_of(text: str) -> tuple[str, ...]:
    """The parts of ``day_parts``, each as hours."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def free_part_at(
    parts: Sequence[str], per_part: int, zones: Sequence[str], dialled: Sequence[datetime], at: datetime
) -> datetime:
    """When from ``at`` on it is a part of the day in which a lead was not dialled ``per_part`` times, in all ``zones``.

    ``dialled``: when he was. Where that is not within three weeks, the end of these.
    """
    last, free = at + timedelta(days=LOOK_AHEAD_DAYS), at
    while free < last:
        moments = [_free_in(parts, per_part, zone, dialled, free, last) for zone in zones]
        if max(moments, default=free) <= free:
            return free
        free = max(moments)
    return last


def _free_in(
    parts: Sequence[str], per_part: int, zone: str, dialled: Sequence[datetime], at: datetime, last: datetime
) -> datetime:
    for span in _spans(parts, zone, at):
        used = sum(span.start <= moment < span.end for moment in dialled)
        if span.end > at and used < per_part:
            return max(at, span.start)
    return last


def _spans(parts: Sequence[str], zone: str, at: datetime) -> Iterator[Span]:
    """The parts of each day on the clock of a zone, in order, from the day of ``at`` on."""
    first = at.astimezone(zone_of(zone)).date()
    for offset in range(LOOK_AHEAD_DAYS + 1):
        day = first + timedelta(days=offset)
        found = (span for part in parts for span in day_spans(weekly(part), zone, day))
        yield from sorted(found, key=lambda span: span.start)
