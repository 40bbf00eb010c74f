"""Strategies, skills, hours and figures: arithmetic without a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from contact_center.options import Hours, Overflow, QueueOptions
from contact_center.queues.days import checked_holiday
from contact_center.queues.figures import Visit, figures, header, smoothed
from contact_center.queues.hours import is_served
from contact_center.queues.skills import fits, mastery, next_relaxation, parse_levels, relaxed
from contact_center.queues.strategies import Candidate, Memory, in_order
from contact_center.queues.waits import HandleTime, as_told, expected_wait
from contact_center.zones import next_change

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def agent(ext: str, *, idle: float = 10.0, **more: int) -> Candidate:
    return Candidate(ext, NOON - timedelta(seconds=idle), **more)


def order(strategy: str, *found: Candidate, memory: Memory | None = None) -> list[str]:
    return [c.ext for c in in_order(strategy, found, memory or Memory())]


def test_the_longest_idle_is_rung_first_whatever_he_took():
    assert order("longest_idle", agent("1", idle=5, taken=0), agent("2", idle=50, taken=9)) == ["2", "1"]


def test_who_took_the_fewest_calls_is_rung_first_and_of_equals_the_longest_idle():
    found = [agent("1", taken=3), agent("2", taken=1, idle=5), agent("3", taken=1, idle=50)]
    assert order("fewest_calls", *found) == ["3", "2", "1"]


def test_round_robin_goes_on_after_who_was_rung_last_by_extension_as_a_number():
    found = [agent("9"), agent("10"), agent("11")]
    assert order("round_robin", *found, memory=Memory(last_rung="9")) == ["10", "11", "9"]
    assert order("round_robin", *found, memory=Memory(last_rung="11")) == ["9", "10", "11"]
    assert order("round_robin", *found) == ["9", "10", "11"]


@pytest.mark.parametrize("strategy", ["longest_idle", "fewest_calls", "round_robin", "ring_all", "penalties", "skills"])
def test_a_lower_penalty_goes_before_every_strategy_but_dice(strategy):
    assert order(strategy, agent("1", idle=99, penalty=5, mastery=9), agent("2", taken=9)) == ["2", "1"]


def test_dice_ring_an_agent_with_penalty_one_half_as_often_as_one_with_none():
    memory = Memory(dice=Random(7))
    first = [order("weighted_random", agent("1"), agent("2", penalty=1), memory=memory)[0] for _ in range(9000)]
    assert first.count("1") / 9000 == pytest.approx(2 / 3, abs=0.02)


def test_who_is_best_at_what_the_queue_wants_is_rung_first():
    assert order("skills", agent("1", mastery=3, idle=99), agent("2", mastery=5)) == ["2", "1"]


def test_each_span_of_waiting_takes_one_level_off_and_at_last_anybody_will_do():
    needs = parse_levels(["danish:3", "billing"])
    assert relaxed(needs, 29.9, 30.0) == {"danish": 3, "billing": 1}
    assert relaxed(needs, 30.0, 30.0) == {"danish": 2}
    assert relaxed(needs, 90.0, 30.0) == {}
    assert relaxed(needs, 1e6, 0.0) == needs
    assert next_relaxation(needs, 29.0, 30.0) == pytest.approx(1.0)
    assert next_relaxation(needs, 90.0, 30.0) is None
    assert next_relaxation({}, 0.0, 30.0) is None
    assert fits({"danish": 2}, relaxed(needs, 30.0, 30.0))
    assert not fits({"danish": 2}, needs)
    assert mastery({"danish": 4, "other": 9}, needs) == 4


@pytest.mark.parametrize("word", ["", "danish:0", "danish:11", "d nish:3", "danish:x", ":3"])
def test_what_is_no_skill_is_refused(word):
    with pytest.raises(ValueError, match="a skill as danish:3"):
        parse_levels([word])


def test_a_queue_is_closed_on_holidays_and_outside_its_hours_by_the_sites_clock():
    hours, zone = "mon-fri 08:00-18:00", "Europe/Copenhagen"
    assert is_served(hours, (), zone, datetime(2026, 3, 2, 7, 0, tzinfo=UTC))
    assert not is_served(hours, (), zone, datetime(2026, 3, 2, 6, 59, 59, tzinfo=UTC))
    assert not is_served(hours, (), zone, datetime(2026, 3, 2, 17, 0, tzinfo=UTC))
    assert not is_served(hours, ("2026-03-02",), zone, NOON)
    assert not is_served(hours, ("03-02",), zone, NOON)
    assert is_served(hours, ("2025-03-02",), zone, NOON)
    assert not is_served("00:00-24:00", ("12-25",), zone, datetime(2026, 12, 24, 23, 30, tzinfo=UTC))


@pytest.mark.parametrize("hours", ["fri 22:00-06:00", "fri 22:00-24:00, sat 00:00-06:00"])
def test_hours_over_midnight_end_on_the_following_day(hours):
    def instant(day: int, hour: int, minute: int = 0) -> datetime:
        return datetime(2026, 3, day, hour, minute, tzinfo=UTC)  # the 6th is a Friday

    is_now = {at: is_served(hours, (), "UTC", at) for at in (instant(6, 5), instant(6, 21, 59), instant(7, 6))}
    assert not any(is_now.values()), is_now
    assert all(is_served(hours, (), "UTC", at) for at in (instant(6, 22), instant(7, 0), instant(7, 5, 59)))
    assert next_change("UTC", hours, instant(6, 23)) == instant(7, 6)


@pytest.mark.parametrize("text", ["22:00-22:00", "22:00-24:01", "25:00-06:00", "24:00-24:00"])
def test_hours_without_a_length_or_past_the_day_are_refused(text):
    with pytest.raises(ValueError, match="the end must be another time than the start, and 24:00 at the latest"):
        Hours.parse(text)


@pytest.mark.parametrize("text", ["2026-13-01", "2026-02-30", "25.12.", "12-25-2026", "2025-02-29"])
def test_what_is_no_day_is_no_holiday(text):
    with pytest.raises(ValueError, match=r"holiday|calendar"):
        checked_holiday(text)


@pytest.mark.parametrize("text", ["queue:", "number:12", "number:0044", "elsewhere", "message:x", "queue:a:b"])
def test_an_overflow_is_one_of_four(text):
    with pytest.raises(ValueError, match="is wanted"):
        Overflow.parse(text)


def test_the_expected_wait_falls_with_agents_and_rises_with_those_ahead():
    assert expected_wait(0, 3, 180.0) == pytest.approx(60.0)
    assert expected_wait(5, 3, 180.0) == pytest.approx(360.0)
    assert expected_wait(2, 0, 180.0) is None
    assert [as_told(s) for s in (5, 60, 89, 91, 360)] == [1, 1, 1, 2, 6]


def test_the_handle_time_follows_the_calls():
    handled = HandleTime()
    handled.note(100)
    assert handled.seconds == pytest.approx(100)
    handled.note(200)
    assert handled.seconds == pytest.approx(150)
    for _ in range(200):
        handled.note(40)
    assert handled.seconds == pytest.approx(40, abs=1)


def visit(wait: float, *, talk: float | None = None, outcome: str = "abandoned", **more) -> Visit:
    connected = NOON + timedelta(seconds=wait) if talk is not None else None
    return Visit(
        queue="sales",
        entered_at=NOON,
        connected_at=connected,
        left_at=NOON + timedelta(seconds=wait + (talk or 0)),
        outcome="connected" if talk is not None else outcome,
        wait_seconds=wait,
        talk_seconds=talk or 0.0,
        wrap_up_seconds=10.0 if talk is not None else 0.0,
        **more,
    )


def test_figures_are_those_of_the_formulas():
    visits = [
        visit(5, talk=100),
        visit(25, talk=200),
        visit(10),
        visit(40),
        visit(60, outcome="timeout"),
        visit(0, outcome="full"),
    ]
    counted = figures(visits, 20.0)
    assert (counted.queued, counted.answered, counted.abandoned, counted.sent_on) == (6, 2, 2, 2)
    assert counted.service_level == pytest.approx(1 / 2)
    assert counted.service_level_2 == pytest.approx(2 / 4)
    assert counted.abandonment == pytest.approx(2 / 6)
    assert counted.asa_seconds == pytest.approx(15)
    assert counted.aht_seconds == pytest.approx(160)
    assert counted.longest_wait_seconds == 60


def test_of_no_calls_every_figure_is_zero():
    assert figures([], 20.0).as_json()["service_level"] == 0.0


def test_the_said_wait_is_held_against_the_real_one():
    said = {"said_at": NOON + timedelta(seconds=2)}
    visits = [visit(62, talk=10, said_seconds=90.0, **said), visit(182, talk=10, said_seconds=90.0, **said), visit(9)]
    counted = figures(visits, 20.0)
    assert (counted.said, counted.said_error_seconds, counted.said_off_seconds) == (2, 30.0, 60.0)


def test_the_header_is_the_one_that_asterisks_users_know():
    options = QueueOptions().changed(service_level_seconds="60")
    assert header("800", options, []) == (
        "800 has 0 calls (max unlimited) in 'longest_idle' strategy (0s holdtime, 0s talktime), "
        "W:50, C:0, A:0, SL:0.0%, SL2:0.0% within 60s"
    )
    told = header("800", options.changed(max_length="5"), [visit(8, talk=40), visit(70)])
    assert "(max 5)" in told
    assert "(2s holdtime, 10s talktime), W:50, C:1, A:1, SL:100.0%, SL2:50.0% within 60s" in told
    assert smoothed([8, 8]) == 3
