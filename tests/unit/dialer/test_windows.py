from __future__ import annotations

from contact_center.store.queries_pace import AnsweredHour
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
