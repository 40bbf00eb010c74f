from __future__ import annotations

from contact_center.store.queries_pace import AnsweredHour, CheckedHour
from dialer.windows import DAY_SECONDS, MONTH_SECONDS, SPANS, Windows

NOON = 1_772_366_400.0  # a whole UTC hour
HOUR = 3600.0


def test_a_bad_hour_counts_until_it_has_left_the_day_and_then_only_in_the_month():
    windows = Windows.of([AnsweredHour(NOON, 100, 10)])
    for hours in (0, 1, 12, 23):
        assert "24 hours (10 of 100" in windows.forbids(NOON + hours * HOUR, 0.03)
    assert "30 days" in windows.forbids(NOON + 25 * HOUR, 0.03)
    assert windows.totals(NOON + 25 * HOUR, DAY_SECONDS) == (0, 0)
    assert windows.totals(NOON + 25 * HOUR, MONTH_SECONDS) == (10, 100)
    assert windows.totals(NOON + 31 * 24 * HOUR, MONTH_SECONDS) == (0, 0)


def test_of_an_hour_on_the_edge_the_drops_count_and_the_good_answers_do_not():
    windows = Windows.of([AnsweredHour(NOON, 100, 4)])
    assert windows.totals(NOON + DAY_SECONDS + HOUR / 2, DAY_SECONDS) == (4, 4)


def test_what_happens_now_is_counted_with_what_the_ledger_told():
    windows = Windows.of([AnsweredHour(NOON, 98, 1)])
    assert windows.forbids(NOON + 60, 0.03) == ""
    windows.count(NOON + 60, dropped=True)
    windows.count(NOON + HOUR + 60, dropped=False)
    assert windows.totals(NOON + HOUR + 61, DAY_SECONDS) == (2, 100)
    assert windows.forbids(NOON + HOUR + 61, 0.03) == ""
    windows.count(NOON + HOUR + 62, dropped=True)
    assert "24 hours (3 of 101" in windows.forbids(NOON + HOUR + 63, 0.03)


def test_nothing_is_allowed_beyond_one_call_per_agent_until_a_drop_fits_under_the_limit():
    windows = Windows()
    for n in range(33):
        assert f"0 of {n} answered" in windows.forbids(NOON, 0.03)
        windows.count(NOON, dropped=False)
    assert windows.forbids(NOON, 0.03) == ""


def test_the_pacer_is_told_both_windows():
    windows = Windows.of([AnsweredHour(NOON - 3 * DAY_SECONDS, 40, 2), AnsweredHour(NOON, 10, 1)])
    assert windows.rows(NOON + 60, 0.03) == [(SPANS[0], 0.03, 1, 10), (SPANS[1], 0.03, 3, 50)]


def test_persons_taken_for_machines_count_as_dropped_by_the_share_that_agents_measured():
    windows = Windows.of([AnsweredHour(NOON, 209, 0, 50)], [CheckedHour(NOON, 9, 10, 1)])
    assert windows.totals(NOON + 60, DAY_SECONDS) == (5, 205)
    assert windows.forbids(NOON + 60, 0.03) == ""
    windows.check([CheckedHour(NOON, 9, 11, 2)], NOON)
    assert windows.totals(NOON + 60, DAY_SECONDS) == (10, 210), "9.1 persons, rounded up"
    assert "(10 of 210 answered calls dropped, 10 of them persons taken" in windows.forbids(NOON + 60, 0.03)
    assert windows.explain(NOON + 60) == {"false_machines": 10, "false_machine_rate": 0.1818}
    assert windows.totals(NOON + 25 * HOUR, DAY_SECONDS) == (0, 0)
    assert windows.totals(NOON + 25 * HOUR, MONTH_SECONDS) == (10, 210)


def test_as_long_as_nobody_has_listened_to_a_machine_none_is_a_person():
    windows = Windows.of([AnsweredHour(NOON, 100, 1, 50)])
    assert windows.totals(NOON + 60, DAY_SECONDS) == (1, 100)
    assert windows.explain(NOON + 60) == {"false_machines": 0, "false_machine_rate": 0.0}
    assert Windows.of([AnsweredHour(NOON, 100, 1)]).explain(NOON + 60) == {}


def test_what_agents_said_fades_after_30_days_and_is_replaced_from_the_hour_that_was_read_again():
    old, young = CheckedHour(NOON, 0, 4, 4), CheckedHour(NOON + 48 * HOUR, 4, 4, 0)
    windows = Windows.of([AnsweredHour(NOON + 50 * HOUR, 1, 0, 10)], [old, young])
    assert windows.false_rate == 0.5
    windows.check([CheckedHour(NOON + 48 * HOUR, 0, 8, 8)], NOON + 48 * HOUR)
    assert windows.false_rate == 1.0
    windows.check([], NOON + 48 * HOUR)
    windows.totals(NOON + MONTH_SECONDS + 2 * HOUR, DAY_SECONDS)
    assert windows.false_rate == 0.0


def test_of_ten_machines_with_a_false_rate_of_a_fifth_two_are_told_to_be_persons():
    windows = Windows.of([], [CheckedHour(NOON, 8, 10, 2)])
    assert [windows.count_machine(NOON + n) for n in range(10)] == [False, False, False, False, True] * 2
    assert windows.totals(NOON + 10, DAY_SECONDS) == (2, 2)


def test_calls_that_a_machine_had_answered_by_their_agents_word_are_no_answers_of_persons():
    windows = Windows.of([AnsweredHour(NOON, 100, 2)])
    assert windows.forbids(NOON + 60, 0.03) == ""
    windows.check([CheckedHour(NOON, 40)], NOON)
    assert windows.totals(NOON + 60, DAY_SECONDS) == (2, 60)
    assert "(2 of 60 answered calls dropped)" in windows.forbids(NOON + 60, 0.03)
    assert windows.totals(NOON + DAY_SECONDS + HOUR / 2, DAY_SECONDS) == (2, 2), "on the edge only the drops count"
    windows.check([CheckedHour(NOON, 400)], NOON)
    assert windows.totals(NOON + 60, DAY_SECONDS) == (2, 2)
