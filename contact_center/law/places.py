"""Where a person may be, from all that a lead says of him, and that place as one short text.

Each hint (number, postal code, state, country, explicit zone) says where he may be. Hints that agree narrow
each other down; where two contradict each other he may be in either place, and both must be open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from contact_center.law import geography
from contact_center.law.geography import Evidence
from contact_center.law.moments import clock_of
from contact_center.law.zone_names import known_zone

_T = TypeVar("_T")

LONGEST_KEY = 400
"""How many characters the lead's column takes."""

_PREFERRED = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"),
    *("America/Anchorage", "Pacific/Honolulu", "America/Halifax", "America/Puerto_Rico", "Europe/London"),
)
_STATE_FIELDS = ("state", "province", "region")
_POSTAL_FIELDS = ("postal_code", "postcode", "zip", "zip_code", "zipcode", "postal")
_ZONE_FIELDS = ("timezone", "time_zone", "tz")
_COUNTRY_FIELDS = ("country", "country_code")
_NORTH_AMERICAN = ("US", "CA", "PR", "VI", "GU", "AS", "MP")


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """What is known of where a lead is. ``number``: E.164; ``zone``: a tz database name, or empty.

    ``others``: further numbers of his; each says where he may be as much as the first.
    """

    number: str = ""
    postal: str = ""
    state: str = ""
    zone: str = ""
    country: str = ""
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, number: str, fields: Mapping[str, object], zone: str = "", others: Iterable[str] = ()) -> LeadFacts:
        """From a lead's number and fields, by the names that lists give their columns."""

        def first(names: Iterable[str]) -> str:
            return next((str(fields[name]).strip() for name in names if fields.get(name)), "")

        return cls(
            number=number,
            postal=first(_POSTAL_FIELDS),
            state=first(_STATE_FIELDS),
            zone=zone or first(_ZONE_FIELDS),
            country=first(_COUNTRY_FIELDS),
            others=tuple(others),
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Where a person may be.

    ``zones`` are those of the campaign's own hours: the explicit zone alone where there is one.
    ``law_zones`` are all in which the law's hours must be open. ``jurisdictions``: ``US-FL``, ``GB``;
    ``US`` alone means any state; empty means that nothing is known.
    """

    zones: tuple[str, ...]
    law_zones: tuple[str, ...]
    jurisdictions: tuple[str, ...]

    @property
    def key(self) -> str:
        """One text for it: ``zones|jurisdictions|law zones``, the last only where it differs."""
        parts = [",".join(self.zones), ",".join(self.jurisdictions)]
        if self.law_zones != self.zones:
            parts.append(",".join(self.law_zones))
        return "|".join(parts)

    def shorter(self) -> Places:
        """The same place where its key fits the lead's column, else with any state for many: that is stricter."""
        if len(self.key) <= LONGEST_KEY:
            return self
        wider = self
        if any(code.startswith("US-") for code in self.jurisdictions):
            others = {code for code in self.jurisdictions if not code.startswith("US-")}
            wider = Places(self.zones, self.law_zones, tuple(sorted(others | {"US"})))
        if len(wider.key) <= LONGEST_KEY:
            return wider
        return Places(_outermost(wider.zones), _outermost(wider.law_zones), wider.jurisdictions)

    @classmethod
    def of_key(cls, key: str) -> Places:
        """The place behind a key; one without jurisdictions says nothing of them. An empty key means UTC."""
        return _of_key(key)


def _outermost(zones: tuple[str, ...]) -> tuple[str, ...]:
    """Of zones of half the earth, those that are the first or the last to see an hour in some month.

    Where it is open in the first and in the last of them, it is open in those between.
    """
    kept: set[str] = set()
    for month in range(1, 13):
        at = datetime(2026, month, 15, tzinfo=UTC)
        by_offset = sorted(zones, key=lambda name: (at.astimezone(ZoneInfo(name)).utcoffset() or timedelta(), name))
        kept |= {by_offset[0], by_offset[-1]}
    return tuple(sorted(kept))


@lru_cache(maxsize=8192)
def _of_key(key: str) -> Places:
    zones, _, rest = (key or "UTC").partition("|")
    jurisdictions, _, law_zones = rest.partition("|")
    own = tuple(part for part in zones.split(",") if part) or ("UTC",)
    return Places(
        zones=own,
        law_zones=tuple(part for part in law_zones.split(",") if part) or own,
        jurisdictions=tuple(part for part in jurisdictions.split(",") if part),
    )


def place_key(facts: LeadFacts, *, site_zone: str, year: int | None = None) -> str:
    """The key of :func:`places_of`, as the lead's column keeps it. Raises UsageError as that does."""
    return places_of(facts, site_zone=site_zone, year=year).key


def places_of(facts: LeadFacts, *, site_zone: str, year: int | None = None) -> Places:
    """Where a lead may be. Zones whose clocks agree in ``year`` and the next stand once.

    A lead of which nothing is known is where the site is. Raises UsageError when the explicit zone is not in
    the tz database.
    """
    when = year or datetime.now(UTC).year
    explicit = known_zone(facts.zone) if facts.zone.strip() else ""
    hints = _hints(facts)
    clocks = [_distinct(hint.zones, when) for hint in hints if hint.zones]
    if explicit:
        clocks.append(_distinct({explicit}, when))
    zones = _agree([frozenset(clock) for clock in clocks])
    names = {name for clock in clocks for key, name in clock.items() if key in zones}
    law_zones = _one_each(names, when) or (site_zone,)
    own = (explicit,) if explicit else law_zones
    if explicit and len(law_zones) == 1 and clock_of(law_zones[0], when) == clock_of(explicit, when):
        law_zones = own
    return Places(own, law_zones, _jurisdictions(hints, law_zones if explicit else (), when)).shorter()


def _hints(facts: LeadFacts) -> list[Evidence]:
    """What each hint says; state and postal code only count where they can be North American ones."""
    number = geography.of_number(facts.number) if facts.number else Evidence()
    country = geography.of_country(facts.country) if facts.country else Evidence()
    others = [geography.of_number(other) for other in facts.others]
    hints = [number, *others, country]
    told = frozenset[str]().union(*(hint.jurisdictions for hint in hints))
    if not told or any(code.partition("-")[0] in _NORTH_AMERICAN for code in told):
        hints.append(geography.of_postal(facts.postal) if facts.postal else Evidence())
        hints.append(geography.of_state(facts.state) if facts.state else Evidence())
    return [hint for hint in hints if hint.zones or hint.jurisdictions]


def _jurisdictions(hints: list[Evidence], zones: tuple[str, ...], year: int) -> tuple[str, ...]:
    """Where hints agree, else all of them; an explicit zone only narrows states down, it adds none."""
    states = geography.atlas().states
    sets = [_spelled_out(hint.jurisdictions) for hint in hints if hint.jurisdictions]
    found = _agree(sets)
    if zones and len(found & states) > 1:
        clocks = {clock_of(zone, year) for zone in zones}
        near = {s for s in states if any(clock_of(z, year) in clocks for z in geography.atlas().zones[s])}
        found = frozenset((found - states) | (found & near)) or found
    if states <= found:
        found = (found - states) | {"US"}
    return tuple(sorted(found))


def _spelled_out(jurisdictions: frozenset[str]) -> frozenset[str]:
    return (jurisdictions - {"US"}) | geography.atlas().states if "US" in jurisdictions else jurisdictions


def _agree(sets: list[frozenset[_T]]) -> frozenset[_T]:
    """What all sets have in common; where they contradict each other, all of those that say the most."""
    if not sets:
        return frozenset()
    common = frozenset.intersection(*sets)
    return common or frozenset().union(*(one for one in sets if not any(other < one for other in sets)))


def _distinct(zones: Iterable[str], year: int) -> dict[tuple[object, ...], str]:
    """Each clock among these zones once, with the best known name of it."""
    clocks: dict[tuple[object, ...], str] = {}
    for zone in sorted(zones, key=lambda name: (_rank(name), name)):
        clocks.setdefault(clock_of(zone, year), zone)
    return clocks


def _one_each(zones: Iterable[str], year: int) -> tuple[str, ...]:
    return tuple(sorted(_distinct(zones, year).values()))


def _rank(zone: str) -> int:
    return _PREFERRED.index(zone) if zone in _PREFERRED else len(_PREFERRED)
