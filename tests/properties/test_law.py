"""What must hold of dialling law for any place, hours, profile and instant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contact_center.law.books import PROFILES, library
from contact_center.law.calendars import easter, holidays
from contact_center.law.force import rules_for
from contact_center.law.geography import atlas
from contact_center.law.places import LeadFacts, Places, place_key, places_of
from contact_center.law.windows import is_open, next_opening, open_until

NUMBERS = st.sampled_from(
    [
        *("+12125550123", "+18505550123", "+12705550123", "+16055550123", "+14015550123", "+18005550123"),
        *("+14165550123", "+17095550123", "+442079460018", "+447700900123", "+61412345678", "+79161234567"),
        *("+999123456", "+15005550123", "+17875550123", "+81312345678", "+97714412345", "+80012345678", ""),
    ]
)
STATES = st.sampled_from(["", "FL", "ri", "Texas", "Ontario", "QC", "BW", "Utah", "AZ", "nowhere"])
POSTALS = st.sampled_from(["", "32501", "90001-1234", "K1A 0B1", "a1a1a1", "SW1A 1AA", "96799", "00000", "57701"])
ZONES = st.sampled_from(["", "America/New_York", "Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe"])
COUNTRIES = st.sampled_from(["", "US", "gb", "Canada", "XX"])
FACTS = st.builds(LeadFacts, number=NUMBERS, postal=POSTALS, state=STATES, zone=ZONES, country=COUNTRIES)
HOURS = st.sampled_from(["08:00-21:00", "00:00-24:00", "mon-fri 09:00-17:30, sat 10:00-12:00", "01:15-02:45"])
PROFILE = st.sampled_from(sorted(PROFILES))
INSTANTS = st.datetimes(datetime(2003, 1, 1), datetime(2035, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
SECOND = timedelta(seconds=1)


@given(FACTS, HOURS, PROFILE, INSTANTS)
@settings(max_examples=400, deadline=None)
def test_the_next_opening_is_open_and_nothing_before_it_is(
    facts: LeadFacts, hours: str, profile: str, at: datetime
) -> None:
    key = place_key(facts, site_zone="UTC", year=at.year)
    opens = next_opening(key, hours, profile, at)
    assert (opens == at) is is_open(key, hours, profile, at)
    if opens is None or opens == at:
        return
    assert is_open(key, hours, profile, opens)
    assert not is_open(key, hours, profile, opens - SECOND)
    quarter = timedelta(minutes=15)
    moment = at
    while moment < min(opens, at + timedelta(days=3)):
        assert not is_open(key, hours, profile, moment)
        moment += quarter


@given(FACTS, HOURS, PROFILE, INSTANTS)
@settings(max_examples=400, deadline=None)
def test_it_is_open_until_the_second_it_closes(facts: LeadFacts, hours: str, profile: str, at: datetime) -> None:
    key = place_key(facts, site_zone="UTC", year=at.year)
    until = open_until(key, hours, profile, at)
    if not is_open(key, hours, profile, at):
        assert until == at
        return
    assert until > at
    assert is_open(key, hours, profile, until - timedelta(microseconds=1))
    if until < at + timedelta(days=21):
        assert not is_open(key, hours, profile, until)


@given(FACTS, HOURS, PROFILE, INSTANTS)
@settings(max_examples=200, deadline=None)
def test_a_law_never_opens_what_the_campaign_closes(facts: LeadFacts, hours: str, profile: str, at: datetime) -> None:
    key = place_key(facts, site_zone="UTC", year=at.year)
    if is_open(key, hours, profile, at):
        assert is_open(key, hours, "none", at)


@given(FACTS, PROFILE, INSTANTS)
@settings(max_examples=200, deadline=None)
def test_knowing_less_of_a_lead_never_opens_more_hours_of_the_law(facts: LeadFacts, profile: str, at: datetime) -> None:
    known = places_of(facts, site_zone="UTC", year=at.year)
    lost = Places(known.zones, known.law_zones, ())
    if is_open(lost.key, "00:00-24:00", profile, at):
        state_less = Places(known.zones, known.law_zones, tuple(j for j in known.jurisdictions if j[:2] == "US"))
        if profile == "us_tsr":
            assert is_open(state_less.key, "00:00-24:00", profile, at)


@given(FACTS, INSTANTS)
@settings(max_examples=200, deadline=None)
def test_a_place_is_the_same_read_back_from_its_key(facts: LeadFacts, at: datetime) -> None:
    places = places_of(facts, site_zone="UTC", year=at.year)
    assert Places.of_key(places.key) == places
    assert len(places.key) <= 400
    assert places.zones
    assert places.law_zones


@given(FACTS, PROFILE, INSTANTS)
@settings(max_examples=200, deadline=None)
def test_what_is_asked_is_what_the_strictest_rule_asks(facts: LeadFacts, profile: str, at: datetime) -> None:
    rules = rules_for(facts, at, profile=profile)
    assert bool(rules.rules) <= (profile != "none")
    for rule in rules.rules:
        match rule.model_dump():
            case {"kind": "ring", "seconds": seconds}:
                assert rules.ring_seconds >= seconds
            case {"kind": "message", "within_seconds": seconds, "counted_from": clock}:
                assert rules.message_seconds is not None
                assert rules.message_seconds <= seconds
                assert clock != "answer" or rules.message_clock == "answer"
            case {"kind": "cap", "calls": calls, "within_seconds": seconds}:
                assert any(cap.calls <= calls for cap in rules.caps if cap.seconds == seconds)
            case {"kind": "abandonment", "limit": float(limit), "window": window}:
                strictest = rules.abandonment[window]
                assert strictest is not None
                assert strictest <= limit
            case {"kind": "list", "max_age_days": days}:
                assert rules.list_days is not None
                assert rules.list_days <= days
            case {"kind": "lockout", "seconds": seconds}:
                assert rules.lockout_seconds >= seconds
            case {"kind": "machine_lockout", "seconds": seconds}:
                assert rules.machine_lockout_seconds >= seconds
            case {"kind": "records", "keep_days": days}:
                assert rules.keep_days >= days


@given(st.integers(2000, 2100))
@settings(max_examples=60, deadline=None)
def test_the_days_of_a_calendar_are_days_of_its_year(year: int) -> None:
    assert easter(year).weekday() == 6
    for book in library().books:
        for calendar in book.calendar:
            days = holidays(calendar, year)
            assert days
            assert {day.year for day in days} == {year}
    thanksgiving = next(day for day in (date(year, 11, 22) + timedelta(n) for n in range(7)) if day.weekday() == 3)
    assert thanksgiving in holidays(library().calendar("us_holidays"), year)


def test_every_state_has_a_clock_and_every_area_code_one_place() -> None:
    assert len(atlas().states) == 56
    assert all(atlas().zones[state] for state in atlas().states)
    assert all(code in atlas().states or code == "CA" for code in atlas().area_codes.values())
