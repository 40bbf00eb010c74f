"""Numbers as people write them, and the zones they may lie in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_center.console.moments import instant, past_instant, stretch
from contact_center.errors import UsageError
from contact_center.numbers import dialable, mask, normalise
from contact_center.terms import NumberCheck
from contact_center.zones import is_open, known_zone, next_change, zone_key

LONDON = "+442079460018"


@pytest.mark.parametrize(
    "text",
    [
        "02079460018",
        "020 7946 0018",
        "(020) 7946-0018",
        "020.7946.0018",
        "+44 (0)20 7946 0018",
        "0044 20 7946 0018",
        "442079460018",
        "tel:+442079460018",
        "０２０７９４６００１８",  # noqa: RUF001
        "٠٢٠٧٩٤٦٠٠١٨",
        "\u202a+442079460018\u202c",
        "\u00a0+44\u00a020\u00a07946\u00a00018",
        '="02079460018"',
        "'+442079460018",
        "442079460018.0",
    ],
)
def test_the_many_ways_to_write_a_number_are_one_number(text: str) -> None:
    assert normalise(text, "GB", NumberCheck.VALID) == LONDON


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("+", "no digits"),
        ("abc", "does not belong"),
        ("1-800-FLOWERS", "does not belong"),
        ("02079460018 ext", "does not belong"),
        ("02079460018;02079460019", "does not belong"),
        ("=1+1", "does not belong"),
        ("+44+20", "only stand in front"),
        ("4.42079E+11", "rounded by a spreadsheet"),
        ("12", "too short"),
        ("+44207946001899999999", "too long"),
        ("0" * 65, "too long"),
        ("+999123456789", "country code"),
        ("+447700900123", "numbering plan of GB"),
        ("020\x0079460018", "does not belong"),
    ],
)
def test_what_is_no_number_says_why(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        normalise(text, "GB", NumberCheck.VALID)


def test_with_digits_only_the_length_counts() -> None:
    assert normalise("+447700900123", "GB", NumberCheck.DIGITS) == "+447700900123"
    assert normalise("07700 900123", "GB", NumberCheck.DIGITS) == "+447700900123"
    assert normalise("+999123456789", "GB", NumberCheck.DIGITS) == "+999123456789"
    with pytest.raises(UsageError):
        normalise("123", "GB", NumberCheck.DIGITS)


@given(st.text(max_size=40), st.sampled_from(["GB", "US", "RU", "DK", "IT"]), st.sampled_from(list(NumberCheck)))
def test_whatever_is_typed_gives_a_dialable_number_or_a_reason(text: str, country: str, check: NumberCheck) -> None:
    reason = ""
    try:
        number = normalise(text, country, check)
    except UsageError as error:
        reason = str(error)
    if reason:
        assert "\n" not in reason
    else:
        assert dialable(number)
        assert normalise(number, country, check) == number


@given(st.text(max_size=20))
def test_only_plus_and_7_to_15_digits_are_dialable(text: str) -> None:
    good = text.startswith("+") and text[1:].isascii() and text[1:].isdigit() and 8 <= len(text) <= 16
    assert dialable(text) is (good and text[1] != "0")


def test_nothing_that_could_break_a_dial_string_is_dialable() -> None:
    for evil in ("+442079460018\n", "+44@evil", "+44&Local/1", "+44,20", " +442079460018", "+４４２０７９４６００１８"):  # noqa: RUF001
        assert not dialable(evil)


def test_a_masked_number_shows_its_last_three_digits() -> None:
    assert mask(LONDON) == "**********018"
    assert mask("12") == "12"


def test_a_number_lies_in_the_zones_of_its_place() -> None:
    assert zone_key(LONDON, site_zone="UTC") == "Europe/London"
    assert zone_key("+12125550123", site_zone="UTC") == "America/New_York"
    assert zone_key(LONDON, site_zone="UTC", explicit="asia/tokyo") == "Asia/Tokyo"
    assert zone_key("+447700900123", site_zone="Europe/Paris") == "Europe/London"
    assert zone_key("nonsense", site_zone="Europe/Paris") == "Europe/Paris"
    everywhere = zone_key("+18005550100", site_zone="UTC").split(",")
    assert {"America/New_York", "America/Los_Angeles", "Pacific/Honolulu"} & set(everywhere)
    assert everywhere == sorted(everywhere)
    assert len(",".join(everywhere)) <= 400
    with pytest.raises(UsageError, match="Mars"):
        known_zone("Mars/Base")


def test_a_number_of_many_zones_is_called_only_when_all_are_open() -> None:
    zones, hours = "America/Los_Angeles,America/New_York", "08:00-21:00"
    new_york = ZoneInfo("America/New_York")
    for hour, opened in ((10, False), (11, True), (20, True), (21, False), (23, False)):
        assert is_open(zones, hours, datetime(2026, 6, 3, hour, 30, tzinfo=new_york)) is opened


def test_hours_follow_the_clock_on_the_wall_when_it_is_changed() -> None:
    for day, utc_hour in ((datetime(2026, 3, 28), 8), (datetime(2026, 3, 29), 7), (datetime(2026, 10, 25), 8)):
        opens = day.replace(tzinfo=UTC) + timedelta(hours=utc_hour)
        assert is_open("Europe/London", "08:00-21:00", opens)
        assert not is_open("Europe/London", "08:00-21:00", opens - timedelta(seconds=1))
        assert next_change("Europe/London", "08:00-21:00", opens - timedelta(hours=3)) == opens


def test_hours_inside_the_lost_hour_open_when_the_clock_jumps_over_them() -> None:
    midnight = datetime(2026, 3, 29, tzinfo=UTC)
    assert next_change("Europe/London", "01:30-02:30", midnight) == midnight + timedelta(hours=1)


def test_hours_that_never_change_have_no_next_change() -> None:
    now = datetime(2026, 3, 29, tzinfo=UTC)
    assert next_change("UTC", "00:00-24:00", now) is None
    assert next_change("UTC,Asia/Tokyo", "09:00-10:00", now) is None


ZONES = st.sampled_from(
    ["UTC", "Europe/London", "America/New_York,America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]
)
HOURS = st.sampled_from(["08:00-21:00", "mon-fri 09:00-17:30, sat 10:00-12:00", "sun 01:15-02:45", "22:00-24:00"])
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@given(ZONES, HOURS, INSTANTS, st.floats(0.01, 0.99))
def test_nothing_changes_before_the_next_change(zones: str, hours: str, at: datetime, part: float) -> None:
    change = next_change(zones, hours, at)
    if change is None:
        return
    assert change > at
    assert is_open(zones, hours, at + (change - at) * part) is is_open(zones, hours, at)
    assert is_open(zones, hours, change) is not is_open(zones, hours, at)


def test_instants_as_people_type_them() -> None:
    now = datetime(2026, 6, 3, 12, 0, tzinfo=UTC)
    cases = {
        "2026-06-04T15:00Z": datetime(2026, 6, 4, 15, tzinfo=UTC),
        "2026-06-04 15:00": datetime(2026, 6, 4, 14, tzinfo=UTC),
        "2026-06-04": datetime(2026, 6, 3, 23, tzinfo=UTC),
        "15:00": datetime(2026, 6, 3, 14, tzinfo=UTC),
        "9:30": datetime(2026, 6, 4, 8, 30, tzinfo=UTC),
        "+90m": now + timedelta(minutes=90),
    }
    for text, at in cases.items():
        assert instant(text, "Europe/London", now, "--from") == at, text
    for text in ("", "soon", "25:00", "2026-13-01", "+soon", "+999999999d", "9999999-01-01"):
        with pytest.raises(UsageError, match="--from"):
            instant(text, "Europe/London", now, "--from")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("08:00", "2026-03-03T08:00Z"),
        ("12:00", "2026-03-03T12:00Z"),
        ("22:00", "2026-03-02T22:00Z"),
        ("-90m", "2026-03-03T10:30Z"),
        ("+1h", "2026-03-03T13:00Z"),
        ("2026-03-03 15:00", "2026-03-03T15:00Z"),
    ],
)
def test_a_stretch_that_is_looked_back_at_begins_at_the_last_such_time(text: str, at: str) -> None:
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert past_instant(text, "Europe/London", noon, "--from") == datetime.fromisoformat(at)
    assert stretch("08:00", "", "Europe/London", noon).since == noon - timedelta(hours=4)
    with pytest.raises(UsageError, match="or -90m is wanted"):
        past_instant("yesterday", "Europe/London", noon, "--from")
