"""Windows worked out by hand, in UTC: where, from when until when it is open, and when it opens again.

Each is asked at five instants: a second before it opens, when it opens, in its middle, a second before it
closes, and when it closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from contact_center.law.places import LeadFacts

DAY = "08:00-21:00"
ALWAYS = "00:00-24:00"


@dataclass(frozen=True)
class Case:
    """One window; ``opens``, ``closes`` and ``again`` are UTC."""

    name: str
    facts: LeadFacts
    profile: str
    opens: datetime
    closes: datetime
    again: datetime
    hours: str


def case(
    name: str,
    times: str,
    number: str = "",
    profile: str = "us_tsr",
    hours: str = DAY,
    postal: str = "",
    state: str = "",
    zone: str = "",
) -> Case:
    """``times``: opens, closes and opens again, as 2026-07-15T12:00."""
    opens, closes, again = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in times.split())
    return Case(name, LeadFacts(number, postal, state, zone), profile, opens, closes, again, hours)


NEW_YORK, CHICAGO, DENVER = "+12125550123", "+13125550123", "+13035550123"
PHOENIX, LOS_ANGELES, HONOLULU = "+16025550123", "+12135550123", "+18085550123"
TAMPA, PANHANDLE, HOUSTON = "+18135550123", "+18505550123", "+17135550123"
LONDON = "+442079460018"

FEDERAL = [
    case("New York in winter", "2026-01-14T13:00 2026-01-15T02:00 2026-01-15T13:00", NEW_YORK),
    case("New York in summer", "2026-07-15T12:00 2026-07-16T01:00 2026-07-16T12:00", NEW_YORK),
    case("New York before the clock leaps", "2026-03-07T13:00 2026-03-08T02:00 2026-03-08T12:00", NEW_YORK),
    case("New York when the clock leaps", "2026-03-08T12:00 2026-03-09T01:00 2026-03-09T12:00", NEW_YORK),
    case("New York before the clock falls back", "2026-10-31T12:00 2026-11-01T01:00 2026-11-01T13:00", NEW_YORK),
    case("New York when the clock falls back", "2026-11-01T13:00 2026-11-02T02:00 2026-11-02T13:00", NEW_YORK),
    case("New York at the year's end", "2026-12-31T13:00 2027-01-01T02:00 2027-01-01T13:00", NEW_YORK),
    case(
        "New York with longer hours of its own",
        "2026-07-15T12:00 2026-07-16T01:00 2026-07-16T12:00",
        NEW_YORK,
        hours=ALWAYS,
    ),
    case(
        "New York with shorter hours of its own",
        "2026-07-15T14:00 2026-07-15T16:00 2026-07-16T14:00",
        NEW_YORK,
        hours="10:00-12:00",
    ),
    case(
        "New York on work days",
        "2026-07-10T13:00 2026-07-10T21:00 2026-07-13T13:00",
        NEW_YORK,
        hours="mon-fri 09:00-17:00",
    ),
    case("Chicago", "2026-07-15T13:00 2026-07-16T02:00 2026-07-16T13:00", CHICAGO),
    case("Denver", "2026-07-15T14:00 2026-07-16T03:00 2026-07-16T14:00", DENVER),
    case("Phoenix in summer", "2026-07-15T15:00 2026-07-16T04:00 2026-07-16T15:00", PHOENIX),
    case("Phoenix in winter", "2026-01-14T15:00 2026-01-15T04:00 2026-01-15T15:00", PHOENIX),
    case("the Navajo Nation or not", "2026-07-15T15:00 2026-07-16T03:00 2026-07-16T15:00", state="AZ"),
    case("Los Angeles in winter", "2026-01-14T16:00 2026-01-15T05:00 2026-01-15T16:00", LOS_ANGELES),
    case("Los Angeles in summer", "2026-07-15T15:00 2026-07-16T04:00 2026-07-16T15:00", LOS_ANGELES),
    case("Fairbanks by ZIP code", "2026-07-15T16:00 2026-07-16T05:00 2026-07-16T16:00", postal="99701"),
    case("Alaska, the Aleutians or not", "2026-07-15T17:00 2026-07-16T05:00 2026-07-16T17:00", state="Alaska"),
    case("Honolulu", "2026-07-15T18:00 2026-07-16T07:00 2026-07-16T18:00", HONOLULU),
    case("Puerto Rico", "2026-01-14T12:00 2026-01-15T01:00 2026-01-15T12:00", "+17875550123"),
    case("Samoa by ZIP code", "2026-07-15T19:00 2026-07-16T08:00 2026-07-16T19:00", postal="96799"),
]

STATES = [
    case("Tampa", "2026-07-15T12:00 2026-07-16T00:00 2026-07-16T12:00", TAMPA),
    case("Tampa on the last day before its law", "2021-06-30T12:00 2021-07-01T01:00 2021-07-01T12:00", TAMPA),
    case("Tampa on the first day of its law", "2021-07-01T12:00 2021-07-02T00:00 2021-07-02T12:00", TAMPA),
    case("the Panhandle in two zones", "2026-07-15T13:00 2026-07-16T00:00 2026-07-16T13:00", PANHANDLE),
    case(
        "the Panhandle, Pensacola by ZIP code",
        "2026-07-15T13:00 2026-07-16T01:00 2026-07-16T13:00",
        PANHANDLE,
        postal="32501",
    ),
    case(
        "the Panhandle, Tallahassee by ZIP code",
        "2026-07-15T12:00 2026-07-16T00:00 2026-07-16T12:00",
        PANHANDLE,
        postal="32301-1234",
    ),
    case("the Panhandle when the clocks leap", "2026-03-08T13:00 2026-03-09T00:00 2026-03-09T13:00", PANHANDLE),
    case("Houston on a Saturday", "2026-07-11T14:00 2026-07-12T02:00 2026-07-12T17:00", HOUSTON),
    case("Houston on a Sunday", "2026-07-12T17:00 2026-07-13T02:00 2026-07-13T14:00", HOUSTON),
    case("El Paso", "2026-07-13T15:00 2026-07-14T03:00 2026-07-14T15:00", "+19155550123", postal="79901"),
    case("Alabama before a Sunday", "2026-07-11T13:00 2026-07-12T01:00 2026-07-13T13:00", "+12055550123"),
    case("Alabama before the Fourth", "2026-07-02T13:00 2026-07-03T01:00 2026-07-06T13:00", "+12055550123"),
    case("Alabama before a Fourth on a Sunday", "2027-07-03T13:00 2027-07-04T01:00 2027-07-06T13:00", "+12055550123"),
    case("Louisiana before Thanksgiving", "2026-11-25T14:00 2026-11-26T02:00 2026-11-28T14:00", "+15045550123"),
    case("Louisiana before Mardi Gras", "2026-02-14T14:00 2026-02-15T02:00 2026-02-18T14:00", "+15045550123"),
    case("Louisiana before Good Friday", "2026-04-02T13:00 2026-04-03T01:00 2026-04-04T13:00", "+15045550123"),
    case("Rhode Island on a Saturday", "2026-07-11T14:00 2026-07-11T21:00 2026-07-13T13:00", "+14015550123"),
    case("Rhode Island on a Monday", "2026-07-13T13:00 2026-07-13T22:00 2026-07-14T13:00", "+14015550123"),
    case("Rhode Island before the Fourth", "2026-07-03T13:00 2026-07-03T22:00 2026-07-06T13:00", "+14015550123"),
    case("Rhode Island before Victory Day", "2026-08-08T14:00 2026-08-08T21:00 2026-08-11T13:00", "+14015550123"),
    case("Utah before Christmas", "2026-12-24T16:00 2026-12-25T03:00 2026-12-26T16:00", "+18015550123"),
    case("Utah before Pioneer Day", "2026-07-23T15:00 2026-07-24T02:00 2026-07-25T15:00", "+18015550123"),
    case("Utah before a New Year on a Saturday", "2027-12-30T16:00 2027-12-31T03:00 2028-01-03T16:00", "+18015550123"),
    case(
        "Kentucky",
        "2026-07-15T14:00 2026-07-16T01:00 2026-07-16T14:00",
        "+15025550123",
        postal="40202-0001",
        state="KY",
    ),
    case("Kentucky in two zones", "2026-07-15T15:00 2026-07-16T01:00 2026-07-16T15:00", state="Kentucky"),
    case("Pennsylvania on a Sunday", "2026-07-12T17:30 2026-07-13T01:00 2026-07-13T12:00", "+12155550123"),
    case("Pennsylvania before Flag Day", "2027-06-12T12:00 2027-06-13T01:00 2027-06-13T17:30", "+12155550123"),
    case(
        "Pennsylvania before Flag Day, a Monday", "2027-06-13T17:30 2027-06-14T01:00 2027-06-15T12:00", "+12155550123"
    ),
    case("South Dakota in two zones", "2026-07-11T15:00 2026-07-12T02:00 2026-07-13T15:00", "+16055550123"),
    case(
        "South Dakota, Rapid City", "2026-07-11T15:00 2026-07-12T03:00 2026-07-13T15:00", "+16055550123", postal="57701"
    ),
    case(
        "South Dakota, Sioux Falls",
        "2026-07-11T14:00 2026-07-12T02:00 2026-07-13T14:00",
        "+16055550123",
        postal="57101",
    ),
    case("Mississippi before a Sunday", "2026-07-11T13:00 2026-07-12T01:00 2026-07-13T13:00", "+16015550123"),
    case(
        "Oklahoma on the last day before its law", "2022-10-31T13:00 2022-11-01T02:00 2022-11-01T13:00", "+14055550123"
    ),
    case("Oklahoma on the first day of its law", "2022-11-01T13:00 2022-11-02T01:00 2022-11-02T13:00", "+14055550123"),
    case(
        "Washington on the last day of its old law",
        "2022-06-08T15:00 2022-06-09T04:00 2022-06-09T15:00",
        "+12065550123",
    ),
    case(
        "Washington on the first day of its new law",
        "2022-06-09T15:00 2022-06-10T03:00 2022-06-10T15:00",
        "+12065550123",
    ),
    case(
        "Connecticut on the last day of its old law",
        "2023-09-30T13:00 2023-10-01T01:00 2023-10-01T13:00",
        "+12035550123",
    ),
    case(
        "Connecticut on the first day of its new law",
        "2023-10-01T13:00 2023-10-02T00:00 2023-10-02T13:00",
        "+12035550123",
    ),
    case(
        "Maryland on the last day before its law", "2023-12-31T13:00 2024-01-01T02:00 2024-01-01T13:00", "+14105550123"
    ),
    case("Maryland on the first day of its law", "2024-01-01T13:00 2024-01-02T01:00 2024-01-02T13:00", "+14105550123"),
    case("Las Vegas", "2026-07-15T16:00 2026-07-16T03:00 2026-07-16T16:00", "+17025550123"),
    case("Boston", "2026-07-15T12:00 2026-07-16T00:00 2026-07-16T12:00", "+16175550123"),
    case("Indianapolis", "2026-07-15T13:00 2026-07-16T00:00 2026-07-16T13:00", "+13175550123"),
    case("Indiana in two zones", "2026-07-15T14:00 2026-07-16T00:00 2026-07-16T14:00", state="IN"),
    case("Wyoming", "2026-07-15T14:00 2026-07-16T02:00 2026-07-16T14:00", "+13075550123"),
    case("New Mexico", "2026-07-15T15:00 2026-07-16T03:00 2026-07-16T15:00", "+15055550123"),
    case("Minneapolis", "2026-07-15T14:00 2026-07-16T02:00 2026-07-16T14:00", "+16125550123"),
    case("Detroit", "2026-07-15T13:00 2026-07-16T01:00 2026-07-16T13:00", "+13135550123"),
    case("Upper Michigan in two zones", "2026-07-15T14:00 2026-07-16T01:00 2026-07-16T14:00", "+19065550123"),
]

CONTRADICTIONS = [
    case(
        "New York's number, Los Angeles' ZIP",
        "2026-07-15T15:00 2026-07-16T01:00 2026-07-16T15:00",
        NEW_YORK,
        postal="90001",
    ),
    case("New York's number, Florida", "2026-07-15T12:00 2026-07-16T00:00 2026-07-16T12:00", NEW_YORK, state="FL"),
    case(
        "New York's number, Texas on a Sunday",
        "2026-07-12T18:00 2026-07-13T01:00 2026-07-13T15:00",
        NEW_YORK,
        state="Texas",
    ),
    case(
        "New York's number, a zone of its own, by law",
        "2026-07-15T15:00 2026-07-16T01:00 2026-07-16T15:00",
        NEW_YORK,
        zone="America/Los_Angeles",
    ),
    case(
        "New York's number, a zone of its own, no law",
        "2026-07-15T15:00 2026-07-16T04:00 2026-07-16T15:00",
        NEW_YORK,
        "none",
        zone="America/Los_Angeles",
    ),
    case(
        "toll-free in the east: every state there",
        "2026-07-15T14:00 2026-07-15T22:00 2026-07-16T14:00",
        "+18005550123",
        zone="America/New_York",
    ),
    case(
        "toll-free in winter: every state and island",
        "2026-01-14T22:00 2026-01-14T23:00 2026-01-15T22:00",
        "+18005550123",
    ),
    case("a London number under US law", "2026-07-15T07:00 2026-07-15T20:00 2026-07-16T07:00", LONDON),
    case(
        "a London number under US law with longer hours",
        "2026-07-15T07:00 2026-07-15T20:00 2026-07-16T07:00",
        LONDON,
        hours=ALWAYS,
    ),
    case("a Toronto number under US law", "2026-07-11T14:00 2026-07-11T22:00 2026-07-12T14:00", "+14165550123"),
    case(
        "a New York number under Canadian law",
        "2026-07-11T14:00 2026-07-11T22:00 2026-07-12T14:00",
        NEW_YORK,
        "ca_crtc",
    ),
]

ELSEWHERE = [
    case(
        "Toronto on a Friday", "2026-07-10T13:00 2026-07-11T01:30 2026-07-11T14:00", "+14165550123", "ca_crtc", ALWAYS
    ),
    case(
        "Toronto on a Saturday", "2026-07-11T14:00 2026-07-11T22:00 2026-07-12T14:00", "+14165550123", "ca_crtc", ALWAYS
    ),
    case(
        "Toronto on a Sunday", "2026-07-12T14:00 2026-07-12T22:00 2026-07-13T13:00", "+14165550123", "ca_crtc", ALWAYS
    ),
    case(
        "St John's in summer",
        "2026-07-15T11:30 2026-07-16T00:00 2026-07-16T11:30",
        "+17095550123",
        "ca_crtc",
        ALWAYS,
        postal="A1A 1A1",
    ),
    case(
        "St John's in winter",
        "2026-01-14T12:30 2026-01-15T01:00 2026-01-15T12:30",
        "+17095550123",
        "ca_crtc",
        ALWAYS,
        postal="a1a1a1",
    ),
    case(
        "Vancouver with its own hours",
        "2026-07-15T16:00 2026-07-16T04:00 2026-07-16T16:00",
        "+16045550123",
        "ca_crtc",
        postal="V5K 0A1",
    ),
    case(
        "Ontario in two zones",
        "2026-07-15T14:00 2026-07-16T01:30 2026-07-16T14:00",
        state="Ontario",
        profile="ca_crtc",
        hours=ALWAYS,
    ),
    case("London in summer", "2026-07-15T07:00 2026-07-15T20:00 2026-07-16T07:00", LONDON, "uk_ofcom"),
    case("London before the clock leaps", "2026-03-28T08:00 2026-03-28T21:00 2026-03-29T07:00", LONDON, "uk_ofcom"),
    case("London when the clock leaps", "2026-03-29T07:00 2026-03-29T20:00 2026-03-30T07:00", LONDON, "uk_ofcom"),
    case(
        "London before the clock falls back", "2026-10-24T07:00 2026-10-24T20:00 2026-10-25T08:00", LONDON, "uk_ofcom"
    ),
    case("London when the clock falls back", "2026-10-25T08:00 2026-10-25T21:00 2026-10-26T08:00", LONDON, "uk_ofcom"),
    case("a British mobile", "2026-01-14T08:00 2026-01-14T21:00 2026-01-15T08:00", "+447700900123", "uk_ofcom"),
    case("Delhi, half an hour off", "2026-07-15T02:30 2026-07-15T15:30 2026-07-16T02:30", "+911123456789", "none"),
    case("Nepal, three quarters off", "2026-07-15T02:15 2026-07-15T15:15 2026-07-16T02:15", "+97714412345", "none"),
    case("Tokyo", "2026-07-14T23:00 2026-07-15T12:00 2026-07-15T23:00", "+81312345678", "none"),
    case("the Chathams", "2026-07-14T19:15 2026-07-15T08:15 2026-07-15T19:15", profile="none", zone="Pacific/Chatham"),
    case(
        "Lord Howe leaps half an hour",
        "2026-10-02T21:30 2026-10-03T10:30 2026-10-03T21:00",
        profile="none",
        zone="Australia/Lord_Howe",
    ),
    case(
        "Kiritimati, a day ahead",
        "2026-07-14T18:00 2026-07-15T07:00 2026-07-15T18:00",
        profile="none",
        zone="Pacific/Kiritimati",
    ),
    case(
        "Whitehorse, whose law changed",
        "2020-11-02T15:00 2020-11-03T04:00 2020-11-03T15:00",
        profile="none",
        zone="America/Whitehorse",
    ),
    case(
        "Volgograd, whose law changed",
        "2020-12-26T04:00 2020-12-26T17:00 2020-12-27T05:00",
        profile="none",
        zone="Europe/Volgograd",
    ),
    case(
        "Samoa, that left out a day",
        "2011-12-29T18:00 2011-12-30T07:00 2011-12-30T18:00",
        profile="none",
        zone="Pacific/Apia",
    ),
    case(
        "Cairo, whose midnight is left out",
        "2026-04-23T22:00 2026-04-24T03:00 2026-04-24T21:00",
        profile="none",
        zone="Africa/Cairo",
        hours="00:00-06:00",
    ),
    case(
        "an hour that comes twice", "2026-10-24T00:15 2026-10-24T00:45 2026-10-26T01:15", LONDON, "none", "01:15-01:45"
    ),
    case(
        "an end that comes twice", "2026-10-24T23:30 2026-10-25T00:30 2026-10-26T00:30", LONDON, "none", "00:30-01:30"
    ),
    case(
        "a start that comes twice", "2026-10-25T01:30 2026-10-25T03:00 2026-10-26T01:30", LONDON, "none", "01:30-03:00"
    ),
    case(
        "a start that is leapt over",
        "2026-03-29T01:00 2026-03-29T01:30 2026-03-30T00:30",
        LONDON,
        "none",
        "01:30-02:30",
    ),
    case(
        "New York's start that is leapt over",
        "2026-03-08T07:00 2026-03-08T07:30 2026-03-09T06:30",
        NEW_YORK,
        "none",
        "02:30-03:30",
    ),
]

CASES = [*FEDERAL, *STATES, *CONTRADICTIONS, *ELSEWHERE]
