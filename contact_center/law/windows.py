"""When a person may be called: the campaign's own hours and every calling-hours rule of law, all open at once.

``key`` is the lead's place as :func:`contact_center.law.places.place_key` gives it, ``hours`` and ``profile``
are the campaign's options of these names. All instants are aware UTC.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from contact_center.law import moments
from contact_center.law.books import library
from contact_center.law.calendars import holidays
from contact_center.law.force import every_rule, quarter_of, rules_for
from contact_center.law.geography import zones_in
from contact_center.law.moments import Minutes
from contact_center.law.places import Places
from contact_center.law.rules import HoursRule
from contact_center.options import Hours

LOOK_AHEAD_DAYS = 21
"""How far an opening is looked for: weekly hours that meet holidays may be closed for two weeks."""


class Weekly:
    """Hours as in ``campaign set hours=``, the same every week."""

    def __init__(self, hours: str) -> None:
        self._days = tuple(_minutes(hours, weekday) for weekday in range(7))

    def minutes(self, day: date) -> Minutes:
        """The open parts of a day."""
        return self._days[day.weekday()]


class ByLaw:
    """The calling hours of some rules, each on the days on which it is in force."""

    def __init__(self, rules: tuple[HoursRule, ...]) -> None:
        self._rules = [(rule, weekly(rule.hours)) for rule in rules]

    def minutes(self, day: date) -> Minutes:
        """What is left of a day when every rule is obeyed."""
        left: Minutes = ((0, 1440),)
        for rule, hours in self._rules:
            if rule.in_force(day):
                closed = is_holiday(rule, day)
                left = () if closed else _common(left, hours.minutes(day))
        return left


def is_holiday(rule: HoursRule, day: date) -> bool:
    """Whether one of the rule's calendars closes this day."""
    return any(day in holidays(library().calendar(name), day.year) for name in rule.closed)


@lru_cache(maxsize=1024)
def weekly(hours: str) -> Weekly:
    """The timetable of a text; always the same object for the same text."""
    return Weekly(hours)


def is_open(key: str, hours: str, profile: str, at: datetime) -> bool:
    """Whether a call may be started at this instant."""
    return moments.is_open(_tables(key, hours, profile, at.year), at)


def next_opening(key: str, hours: str, profile: str, at: datetime) -> datetime | None:
    """The first instant from ``at`` on at which a call may be started; None: not within three weeks."""
    span = moments.next_open(_tables(key, hours, profile, at.year), at, LOOK_AHEAD_DAYS)
    return span.start if span else None


def open_until(key: str, hours: str, profile: str, at: datetime) -> datetime:
    """The instant from which on no call may be started; ``at`` itself when none may be now.

    Where a rule wants the ringing inside the hours too, that is earlier than their end by the shortest time
    a call must ring. Hours that do not end within three weeks end there.
    """
    span = _stretch(key, hours, profile, quarter_of(at))
    if span is None or not span.start <= at < span.end:  # they opened or closed in this quarter of an hour
        span = moments.next_open(_tables(key, hours, profile, at.year), at, LOOK_AHEAD_DAYS)
    if span is None or span.start > at:
        return at
    return max(at, span.end - _ringing_inside(key, profile, quarter_of(at)))


@lru_cache(maxsize=4096)
def _ringing_inside(key: str, profile: str, quarter: datetime) -> timedelta:
    """How long before the end of the hours a call must begin to ring inside them, where a rule wants that."""
    rules = rules_for(key, quarter, profile=profile)
    inside = any(rule.counts == "ringing" for rule in rules.hours)
    return timedelta(seconds=rules.ring_seconds if inside else 0.0)


@lru_cache(maxsize=4096)
def _stretch(key: str, hours: str, profile: str, quarter: datetime) -> moments.Span | None:
    """The stretch that is open at the beginning of a quarter of an hour, or opens next: asked for with each call.

    It is the same for the rest of the quarter.
    """
    return moments.next_open(_tables(key, hours, profile, quarter.year), quarter, LOOK_AHEAD_DAYS)


def why_closed(key: str, hours: str, profile: str, at: datetime) -> list[str]:
    """In words, what forbids a call at this instant: the campaign's hours, and each rule of law that does."""
    places = Places.of_key(key)
    shut = [zone for zone in places.zones if not moments.is_open([(weekly(hours), zone)], at)]
    reasons = [f"the campaign's hours {hours}, in {', '.join(shut)}"] if shut else []
    for rule in every_rule(profile, places.jurisdictions):
        if isinstance(rule, HoursRule):
            reasons += _closed_by(rule, _zones_of(rule.jurisdiction, places.law_zones, at.year), at)
    return reasons


def _closed_by(rule: HoursRule, zones: tuple[str, ...], at: datetime) -> list[str]:
    shut = [zone for zone in zones if not moments.is_open([(_by_law((rule,)), zone)], at)]
    if not shut:
        return []
    days = [at.astimezone(moments.zone_of(zone)).date() for zone in shut]
    what = "no calls on a holiday" if any(is_holiday(rule, day) for day in days) else f"calls {rule.hours} only"
    return [f"{rule.jurisdiction}: {what}, in {', '.join(shut)} ({rule.source})"]


@lru_cache(maxsize=8192)
def _tables(key: str, hours: str, profile: str, year: int) -> tuple[moments.Clocked, ...]:
    """All that must be open at once: the campaign's hours in its zones, the law's in those it holds in."""
    places = Places.of_key(key)
    tables: list[moments.Clocked] = [(weekly(hours), zone) for zone in places.zones]
    by_zone: dict[str, list[HoursRule]] = {}
    for rule in every_rule(profile, places.jurisdictions):
        if isinstance(rule, HoursRule):
            for zone in _zones_of(rule.jurisdiction, places.law_zones, year):
                by_zone.setdefault(zone, []).append(rule)
    tables += [(_by_law(tuple(rules)), zone) for zone, rules in by_zone.items()]
    return tuple(tables)


@lru_cache(maxsize=4096)
def _zones_of(jurisdiction: str, zones: tuple[str, ...], year: int) -> tuple[str, ...]:
    """In which of these zones somebody may be to whom a jurisdiction's rules apply: those with one of its clocks.

    The rules of one whose clocks are not among them apply in all: where he is is not known then.
    """
    clocks = {moments.clock_of(zone, year) for zone in zones_in(jurisdiction)}
    return tuple(zone for zone in zones if moments.clock_of(zone, year) in clocks) or zones


@lru_cache(maxsize=1024)
def _by_law(rules: tuple[HoursRule, ...]) -> ByLaw:
    """The timetable of some rules; always the same object for the same rules."""
    return ByLaw(rules)


def _minutes(hours: str, weekday: int) -> Minutes:
    """The parts of a weekday that a text opens, joined where they touch."""
    parts = sorted((part.start_minute, part.end_minute) for part in Hours.parse(hours) if weekday in part.days)
    joined: list[tuple[int, int]] = []
    for start, end in parts:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _common(some: Minutes, others: Minutes) -> Minutes:
    both = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return tuple(sorted((start, end) for start, end in both if start < end))
