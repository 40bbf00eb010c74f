from __future__ import annotations

import json
from math import exp

import numpy as np
import pytest

from dialer.odds import LeadMoment, LeadOdds


def truth(moment: LeadMoment) -> float:
    score = -1.2 + 0.9 * (moment.hour >= 17) - 0.35 * (moment.attempt - 1) - 1.0 * (moment.last_outcome == "invalid")
    return 1.0 / (1.0 + exp(-score))


def moments(count: int, seed: int) -> list[LeadMoment]:
    rng = np.random.default_rng(seed)
    return [
        LeadMoment(
            hour=int(rng.integers(8, 21)),
            weekday=int(rng.integers(0, 7)),
            attempt=int(rng.integers(1, 5)),
            last_outcome=("", "missed", "invalid")[int(rng.integers(0, 3))],
            hours_since=float(rng.uniform(0, 100)),
            number_type="mobile",
            prefix=str(rng.integers(40, 48)),
        )
        for _ in range(count)
    ]


def taught(count: int) -> LeadOdds:
    odds, rng = LeadOdds(0.25), np.random.default_rng(1)
    for moment in moments(count, 2):
        odds.observe(moment, bool(rng.random() < truth(moment)))
    return odds


def test_learned_odds_beat_the_plain_answer_rate_and_come_near_the_truth():
    odds = taught(8000)
    told = [(odds.odds(moment), truth(moment)) for moment in moments(800, 3)]
    error = np.mean([(a - b) ** 2 for a, b in told]) ** 0.5
    assert error < 0.05
    report = odds.report()
    assert report["brier"] < 0.97 * report["brier_of_plain_rate"]


def test_forecasts_are_reliable_where_there_are_many():
    for bucket in taught(8000).report()["reliability"]:
        if bucket["calls"] > 500:
            assert bucket["forecast"] == pytest.approx(bucket["answered"], abs=0.05)


def test_little_knowledge_keeps_to_the_base_rate_and_shows_its_doubt():
    odds = LeadOdds(0.3)
    moment = moments(1, 5)[0]
    assert odds.odds(moment) == pytest.approx(0.36, abs=0.08)
    before = odds.spread(moment)
    for _ in range(200):
        odds.observe(moment, False)
    assert odds.spread(moment) < before
    assert odds.odds(moment) < 0.1


def test_the_best_lead_comes_first_and_equals_keep_their_order():
    odds = taught(4000)
    evening = LeadMoment(hour=18, weekday=2)
    hopeless = LeadMoment(hour=9, weekday=2, attempt=4, last_outcome="invalid")
    assert odds.best_first([hopeless, evening, evening]) == [1, 2, 0]


def test_what_was_learned_can_be_stored():
    odds, later = taught(500), LeadOdds()
    later.restore(odds.state())
    moment = moments(1, 9)[0]
    assert later.odds(moment) == odds.odds(moment)


def test_the_calibration_goes_on_where_it_stood_before_a_restart():
    whole, first, later = taught(500), taught(300), LeadOdds()
    later.restore(json.loads(json.dumps(first.state())))
    assert later.report() == first.report()
    rng = np.random.default_rng(1)
    rng.random(300)
    for moment in moments(500, 2)[300:]:
        later.observe(moment, bool(rng.random() < truth(moment)))
    assert later.report() == whole.report()
    assert later.report()["calls"] == 500


def test_a_state_without_scores_is_scored_anew_and_half_a_one_is_refused():
    learned = taught(300).state()
    later = LeadOdds()
    later.restore({"mean": learned["mean"], "variance": learned["variance"]})
    assert later.report()["calls"] == 0
    for scores in ({}, {**learned["scores"], "buckets": []}, {**learned["scores"], "calls": 7}):
        with pytest.raises((KeyError, ValueError)):
            LeadOdds().restore({**learned, "scores": scores})


def test_each_line_of_the_reliability_table_says_which_forecasts_it_counts():
    for line in taught(3000).report()["reliability"]:
        assert line["from"] <= line["forecast"] <= line["to"]
        assert line["to"] - line["from"] == pytest.approx(0.1)


def test_without_calls_the_report_says_so():
    assert LeadOdds().report()["calls"] == 0
