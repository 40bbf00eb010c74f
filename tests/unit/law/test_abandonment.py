"""Abandoned calls in whole numbers: the rates, what is left of a limit, and the windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_center.law.abandonment import Tally, periods, stretch_of
from contact_center.law.rules import LedgerWindow

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
COUNTS = st.integers(0, 5000)


def test_the_worked_check_of_the_united_kingdoms_formula_gives_64_44_percent() -> None:
    tally = Tally(connected=9 + 7, agent_machines=7, dropped=29)
    assert tally.ofcom_rate is not None
    assert f"{100 * tally.ofcom_rate:.2f}" == "64.44"
    assert tally.rate == 29 / 38


def test_machines_count_only_when_they_are_proven() -> None:
    assert Tally(connected=97, dropped=3).rate == 0.03
    assert Tally(connected=97, agent_machines=10, dropped=3).rate == pytest.approx(3 / 90)
    assert Tally(connected=97, dropped=3, machines=50, left_early=9).rate == 0.03
    assert Tally(connected=97, dropped=2, late=1).rate == 0.03
    assert Tally(connected=97, dropped=2, unproven=1).upper_rate == 0.03
    assert Tally(machines=4).rate is None
    assert Tally(connected=95, dropped=3, machines=10).with_false_machines(2) == Tally(95, dropped=5, machines=8)


@pytest.mark.parametrize(
    ("connected", "dropped", "allowed", "room"), [(97, 2, True, 1), (97, 3, False, 0), (96, 2, False, 0)]
)
def test_the_next_call_must_fit_in_even_if_it_is_abandoned(
    connected: int, dropped: int, allowed: bool, room: int
) -> None:
    tally = Tally(connected=connected, dropped=dropped)
    assert tally.allows(0.03) is allowed
    assert tally.room(0.03) == room


@given(COUNTS, COUNTS, st.sampled_from([0.01, 0.02, 0.03, 0.05]))
def test_what_is_left_is_just_what_keeps_the_limit(live: int, dropped: int, limit: float) -> None:
    room = Tally(connected=live, dropped=dropped).room(limit)
    full = Tally(connected=live, dropped=dropped + room)
    assert room == 0 or full.abandoned <= limit * full.answered + 1e-6
    assert not Tally(connected=live, dropped=dropped + room).allows(limit)


def test_windows_end_now_and_a_month_begins_with_the_calendar_of_the_site() -> None:
    assert stretch_of(LedgerWindow.HOURS_24, NOW, "UTC").since == NOW - timedelta(hours=24)
    assert stretch_of(LedgerWindow.DAYS_30, NOW, "UTC").since == NOW - timedelta(days=30)
    month = stretch_of(LedgerWindow.MONTH, datetime(2026, 4, 1, 2, tzinfo=UTC), "America/Toronto")
    assert month.name == "month 2026-03"
    assert month.since == datetime(2026, 3, 1, 5, tzinfo=UTC)


def test_a_campaign_has_successive_periods_of_thirty_days_from_its_first_answer() -> None:
    first = NOW - timedelta(days=65)
    found = list(periods(first, NOW))
    assert [one.name for one in found] == ["period 1", "period 2", "period 3"]
    assert found[0].since == first
    assert all(a.until == b.since for a, b in pairwise(found))
    assert found[-1].until == NOW
    assert list(periods(NOW, NOW)) == []
