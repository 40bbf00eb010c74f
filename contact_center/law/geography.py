"""What numbers, postal codes and names tell of a place: its clocks and the jurisdictions it may lie in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import phonenumbers
from phonenumbers import NumberParseException
from phonenumbers import timezone as number_zones
from phonenumbers.tzdata import TIMEZONE_DATA

from contact_center.law.books import data_file
from contact_center.law.zone_names import is_zone

NORTH_AMERICA = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one hint says: the person is in one of these zones and in one of these jurisdictions.

    An empty set says nothing. ``US`` as a jurisdiction stands for every state of it.
    """

    zones: frozenset[str] = frozenset()
    jurisdictions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """States and provinces, and what area and postal codes belong to them."""

    zones: dict[str, frozenset[str]]
    names: dict[str, str]
    area_codes: dict[int, str]
    postal: dict[str, frozenset[str]]
    postal_zones: dict[str, frozenset[str]]

    @property
    def states(self) -> frozenset[str]:
        """All states of the United States, as ``US-FL``."""
        return frozenset(code for code in self.zones if code.startswith("US-"))


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The atlas of the United States and Canada."""
    raw = tomllib.loads(data_file("places"))
    found = Atlas({}, {}, {}, {}, {})
    for country, key in (("us", "zips"), ("ca", "postal")):
        for short, place in raw[country].items():
            code = f"{country.upper()}-{short}"
            found.zones[code] = frozenset(place["zones"])
            found.names[short.lower()] = found.names[place["name"].lower()] = code
            found.area_codes.update(dict.fromkeys(place.get("area_codes", ()), code))
            for prefix in _prefixes(place[key]):
                found.postal[prefix] = found.postal.get(prefix, frozenset()) | {code}
    found.area_codes.update(dict.fromkeys(raw["ca_area_codes"]["all"], "CA"))
    for table in ("us_zip_zones", "ca_postal_zones"):
        for zone, prefixes in raw[table].items():
            found.postal_zones.update(dict.fromkeys(_prefixes(prefixes), frozenset({zone})))
    return found


def of_number(number: str) -> Evidence:
    """Where a number in E.164 form may be; a mobile or toll-free number may be in all of its country.

    An area code that touches two clocks may be in both, whatever its exchanges say: numbers are ported.
    """
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return Evidence()
    if parsed.country_code == NORTH_AMERICA:
        return _north_american(number, parsed)
    region = phonenumbers.region_code_for_number(parsed)
    regions = {region} if region else set(phonenumbers.region_codes_for_country_code(parsed.country_code or 0))
    zones = _known(number_zones.time_zones_for_number(parsed)) or _zones_of(regions)
    return Evidence(zones, frozenset(regions - {"001"}))


def _north_american(number: str, parsed: phonenumbers.PhoneNumber) -> Evidence:
    code = number[2:5]
    zones = _area_zones().get(code)
    place = atlas().area_codes.get(int(code)) if code.isdecimal() and len(code) == 3 else None
    if place is not None:
        return Evidence(zones or atlas().zones.get(place, frozenset()), _jurisdiction(place))
    region = phonenumbers.region_code_for_number(parsed)
    if region is None or region in ("001", "US", "CA") or zones is None:
        every = _known(number_zones.time_zones_for_number(parsed))
        return Evidence(every or _zones_of(("US", "CA")), frozenset({"US", "CA"}))
    return Evidence(zones, frozenset({region}))


def of_postal(postal: str) -> Evidence:
    """Where a ZIP code or a Canadian postal code is; nothing for any other."""
    text = re.sub(r"[\s-]", "", postal).upper()
    if not (re.fullmatch(r"\d{5}(\d{4})?", text) or re.fullmatch(r"[A-Z]\d[A-Z](\d[A-Z]\d)?", text)):
        return Evidence()
    places = _longest(atlas().postal, text)
    if not places:
        return Evidence()
    zones = _longest(atlas().postal_zones, text) or frozenset().union(*(atlas().zones[code] for code in places))
    return Evidence(zones, frozenset().union(*(_jurisdiction(code) for code in places)))


def of_state(state: str) -> Evidence:
    """Where a state or province is, by its name or its two letters; nothing for any other."""
    code = atlas().names.get(" ".join(state.lower().replace(".", "").split()))
    return Evidence(atlas().zones[code], _jurisdiction(code)) if code else Evidence()


def of_country(country: str) -> Evidence:
    """Where a country is, by its two letters or a name that many lists carry; nothing for any other."""
    text = country.strip().upper().replace(".", "")
    code = {"USA": "US", "UNITED STATES": "US", "UK": "GB", "UNITED KINGDOM": "GB", "CANADA": "CA", "CAN": "CA"}
    short = code.get(text, text)
    zones = _zones_of((short,))
    return Evidence(zones, frozenset({short})) if zones else Evidence()


def zones_in(jurisdiction: str) -> frozenset[str]:
    """The zones of a state (``US-FL``) or a country, its territories included; empty when it is not known."""
    if jurisdiction == "US":
        return frozenset().union(*(atlas().zones[state] for state in atlas().states))
    return atlas().zones.get(jurisdiction) or _country_zones(jurisdiction)


def _jurisdiction(code: str) -> frozenset[str]:
    """Provinces have no rules of their own here; states do."""
    return frozenset({code if code.startswith("US-") else code.partition("-")[0]})


def _longest(table: dict[str, frozenset[str]], text: str) -> frozenset[str]:
    return next((table[text[:n]] for n in range(len(text), 0, -1) if text[:n] in table), frozenset())


def _prefixes(items: Iterable[str]) -> Iterator[str]:
    """``["350-352", "K"]`` as ``350 351 352 K``."""
    for item in items:
        first, _, last = item.partition("-")
        if last:
            yield from (str(n).zfill(len(first)) for n in range(int(first), int(last) + 1))
        else:
            yield first


@lru_cache(maxsize=1)
def _area_zones() -> dict[str, frozenset[str]]:
    """For each North American area code all zones that any of its exchanges lies in."""
    found: dict[str, set[str]] = {}
    for prefix, names in TIMEZONE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4:
            found.setdefault(prefix[1:4], set()).update(names)
    return {code: _known(names) for code, names in found.items()}


@lru_cache(maxsize=256)
def _country_zones(country: str) -> frozenset[str]:
    return frozenset(zone for zone, codes in _zone_table() if country in codes)


def _zones_of(countries: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(_country_zones(country) for country in countries))


@lru_cache(maxsize=1)
def _zone_table() -> tuple[tuple[str, frozenset[str]], ...]:
    """The zones of the tz database with their country, from the tzdata package."""
    text = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return tuple((row[2], frozenset(row[0].split(","))) for row in rows)


def _known(names: Iterable[str]) -> frozenset[str]:
    """The names without what is no zone of the tz database."""
    return frozenset(name for name in names if is_zone(name))
