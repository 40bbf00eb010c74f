"""Caps for a person and parts of the day: how they are written, and when a part is free."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_center.attempt_rules import AttemptRules, free_part_at
from contact_center.errors import UsageError
from contact_center.law.force import Cap
from contact_center.options import CampaignOptions
from contact_center.settings import Site

PARTS = ("09:00-12:00", "12:00-17:00", "17:00-20:00")
LONDON, NEW_YORK = "Europe/London", "America/New_York"
DAY = 86400.0


def at(clock: str, day: int = 2) -> datetime:
    hour, minute = clock.split(":")
    return datetime(2026, 3, day, int(hour), int(minute), tzinfo=UTC)


def free(dialled: list[datetime], now: datetime, per_part: int = 1, zones: tuple[str, ...] = (LONDON,)) -> datetime:
    return free_part_at(PARTS, per_part, zones, dialled, now)


def test_the_caps_of_site_and_campaign_both_hold_and_the_stricter_of_two_for_one_span() -> None:
    options = CampaignOptions().changed(person_cap="5/24h, 7/7d")
    rules = AttemptRules.of(options, Site(person_cap="3/24h"))
    assert rules.caps == (Cap(3, DAY), Cap(7, 7 * DAY))
    assert not AttemptRules.of(CampaignOptions(), Site())
    assert AttemptRules.of(CampaignOptions(), Site(person_cap="3/1d"))


@pytest.mark.parametrize("text", ["3", "0/24h", "3/0", "3/30s", "3/31d", "x/24h", "3/24h/2", "-1/24h", "1000/24h"])
def test_a_cap_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="person_cap="):
        CampaignOptions().changed(person_cap=text)
    with pytest.raises(ValueError, match="person_cap"):
        Site.model_validate({"person_cap": text})


@pytest.mark.parametrize("text", ["9-12", "12:00-09:00", "09:00-12:00,11:00-13:00", "mon 09:00-12:00", "25:00-26:00"])
def test_parts_of_a_day_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="day_parts="):
        CampaignOptions().changed(day_parts=text)


def test_a_part_with_its_attempts_used_is_passed_over() -> None:
    assert free([at("09:10")], at("10:00")) == at("12:00")
    assert free([at("09:10"), at("12:00")], at("12:30")) == at("17:00")
    assert free([at("09:10"), at("12:00"), at("19:59")], at("19:59")) == at("09:00", 3)
    assert free([at("09:10")], at("12:00", 1)) == at("12:00", 1)


def test_a_part_takes_as_many_attempts_as_are_set() -> None:
    assert free([at("09:10")], at("10:00"), per_part=2) == at("10:00")
    assert free([at("09:10"), at("09:40")], at("10:00"), per_part=2) == at("12:00")


def test_between_the_parts_nobody_is_called() -> None:
    assert free([at("09:10")], at("20:00")) == at("09:00", 3)
    assert free([at("09:10", 1)], at("08:59")) == at("09:00")


def test_the_parts_are_those_of_the_leads_own_clock_and_of_each_zone_he_may_be_in() -> None:
    assert free([at("15:00")], at("16:00"), zones=(NEW_YORK,)) == at("17:00")
    assert free([at("15:00")], at("15:30"), zones=(LONDON, NEW_YORK)) == at("17:00")


def test_the_day_on_which_the_clocks_change_has_its_parts_by_the_clock_on_the_wall() -> None:
    saturday, sunday = datetime(2026, 3, 28, 19, 0, tzinfo=UTC), datetime(2026, 3, 29, 8, 0, tzinfo=UTC)
    assert free([saturday], saturday) == sunday, "09:00 of British summer time"


def test_zones_whose_parts_never_meet_are_waited_for_three_weeks() -> None:
    now = at("09:30")
    assert free_part_at(("09:00-10:00",), 1, (LONDON, "Asia/Tokyo"), [at("09:10", 1)], now) == now + timedelta(days=21)


@given(
    st.lists(st.integers(0, 7 * 96), max_size=30),
    st.integers(0, 7 * 96),
    st.integers(1, 3),
    st.sampled_from([(LONDON,), (NEW_YORK,), (LONDON, "Europe/Paris"), (LONDON, NEW_YORK)]),
)
def test_no_part_of_a_day_ever_gets_more_attempts_than_set(
    quarters: list[int], now: int, per_part: int, zones: tuple[str, ...]
) -> None:
    start = datetime(2026, 3, 25, tzinfo=UTC)  # a week with a change of clocks in Europe
    dialled = [start + timedelta(minutes=15 * n) for n in quarters]
    then = free(dialled, start + timedelta(minutes=15 * now), per_part, zones)
    assert then >= start + timedelta(minutes=15 * now)
    for zone in zones:
        part = part_of(then, zone)
        assert part is not None
        assert sum(part_of(one, zone) == part for one in dialled) < per_part


def part_of(moment: datetime, zone: str) -> tuple[object, str] | None:
    """By the clock on the wall, apart from what is tested."""
    local = moment.astimezone(ZoneInfo(zone))
    clock = f"{local:%H:%M}"
    return next(((local.date(), part) for part in PARTS if part[:5] <= clock < part[6:]), None)
