from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from contact_center.store.queries_pace import ComingLead
from dialer.live_odds import LEAST_CALLS, LiveOdds, moment_of

AT = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # a Monday


def lead(number: str = "+447400000001", **more: object) -> ComingLead:
    known = {"zones": "Asia/Tokyo", "attempts": 0, "last_outcome": "", "last_at": None, **more}
    return ComingLead(id=1, number=number, **known)  # type: ignore[arg-type]


def test_the_moment_is_on_the_clock_of_the_lead_s_own_zone():
    moment = moment_of(lead(attempts=2, last_outcome="busy", last_at=AT - timedelta(hours=3)), AT)
    assert (moment.hour, moment.weekday) == (8, 1)
    assert (moment.attempt, moment.last_outcome, moment.hours_since) == (3, "busy", 3.0)
    assert (moment.number_type, moment.prefix) == ("mobile", "+4474")
    assert moment_of(lead("+442079460018", zones=""), AT).number_type == "fixed"
    assert moment_of(lead(zones="Europe/London,Europe/Paris"), AT).hour == 23


def taught(odds: LiveOdds, calls: int, *, told_apart: bool) -> LiveOdds:
    """Mobile numbers answer three times as often as fixed ones, or all alike."""
    fate = random.Random(3)
    for n in range(calls):
        mobile = n % 2 == 0
        forecast = odds.forecast(lead("+447400000001" if mobile else "+442079460018"), AT)
        odds.observe(forecast, fate.random() < ((0.45 if mobile else 0.15) if told_apart else 0.3))
    return odds


def test_odds_are_used_only_when_they_were_better_than_the_plain_rate():
    assert not taught(LiveOdds(), LEAST_CALLS - 20, told_apart=True).useful
    good = taught(LiveOdds(), 1200, told_apart=True)
    assert good.useful
    assert not taught(LiveOdds(), 1200, told_apart=False).useful
    mobile, fixed = (good.relative(good.forecast(lead(n), AT)) for n in ("+447400000001", "+442079460018"))
    assert mobile > 1.2
    assert fixed < 0.8
    report = good.report()
    assert report["used"] is True
    assert report["brier"] < report["brier_of_plain_rate"]
    assert sum(one["calls"] for one in report["reliability"]) == report["calls"] == 1200


def test_what_was_learned_is_json_and_the_next_start_goes_on_with_it():
    good, after = taught(LiveOdds(), 1200, told_apart=True), LiveOdds()
    after.restore(json.loads(json.dumps(good.state())))
    assert after.useful
    for number in ("+447400000001", "+442079460018"):
        assert after.forecast(lead(number), AT).odds == pytest.approx(good.forecast(lead(number), AT).odds)


def test_the_calibration_counts_on_through_a_restart_from_the_first_call():
    few, after = taught(LiveOdds(), 60, told_apart=True), LiveOdds()
    after.restore(json.loads(json.dumps(few.state())))
    assert after.report() == few.report()
    taught(after, 100, told_apart=True)
    assert after.report()["calls"] == 160


def test_a_report_kept_without_its_counts_stands_until_there_are_calls_enough():
    state = json.loads(json.dumps(taught(LiveOdds(), 1200, told_apart=True).state()))
    del state["learned"]["scores"]
    after = LiveOdds()
    after.restore(state)
    assert after.report()["calls"] == 1200
    taught(after, LEAST_CALLS, told_apart=True)
    assert after.report()["calls"] == LEAST_CALLS


@pytest.mark.parametrize("state", [{}, {"learned": {}}, {"learned": {"mean": 3}, "level": 1, "report": {}}, {"x": 1}])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(ValueError, match="odds' state"):
        LiveOdds().restore(state)
