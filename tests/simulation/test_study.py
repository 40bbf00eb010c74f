from __future__ import annotations

import pytest

from dialer.pacing import make_pacer
from dialer.simulation import baselines
from dialer.simulation.laws import Laws, step
from dialer.simulation.replications import Interval, Summary, difference, shifts
from dialer.simulation.study import Candidate, advise, picture, study
from dialer.simulation.world import World

LIMIT = 0.03
TEN = Laws(((0.0, 10),), shift_seconds=2 * 3600.0)


def summary(name, make, laws=TEN, seeds=range(3), **how):
    return Summary.of(name, list(shifts(laws, make, seeds, on_events=False, **how)), LIMIT)


def test_predictive_uses_agents_far_better_than_progressive_and_stays_under_the_limit():
    seeds = range(11, 14)
    predictive = summary("predictive", lambda: make_pacer("predictive"), seeds=seeds)
    progressive = summary("progressive", lambda: make_pacer("progressive"), seeds=seeds)
    gain = difference(predictive, progressive)
    assert gain.mean - gain.half > 0.10
    assert predictive.worst_shift <= LIMIT


def test_a_hundred_agents_are_busy_and_the_opening_does_not_drop_people_in_volleys():
    found = summary("", lambda: make_pacer("predictive"), Laws(((0.0, 100),), shift_seconds=5400.0), range(21, 23))
    assert found.warm_utilization.mean > 0.93
    assert found.abandonment <= LIMIT
    assert found.worst_quarter <= 0.06


def test_a_shift_of_ten_agents_ends_under_its_limit_and_spends_most_of_it():
    found = summary("", lambda: make_pacer("predictive"), Laws(((0.0, 10),)), range(51, 55))
    assert found.worst_shift <= LIMIT
    assert found.abandonment > 0.024
    assert found.utilization.mean > 0.77


def test_a_sudden_better_list_keeps_abandonment_under_the_limit():
    laws = Laws(((0.0, 20),), shift_seconds=2 * 3600.0, answer_rate=step(0.15, 0.4, 3600.0))
    found = summary("", lambda: make_pacer("predictive"), laws, range(31, 34))
    assert found.abandonment <= LIMIT
    assert found.worst_shift <= LIMIT + 0.002
    assert found.worst_quarter <= 0.15


def test_the_same_seed_gives_the_same_shift_and_the_same_calls_to_every_mode():
    runs = [World(TEN, make_pacer("predictive"), seed=5, on_events=False).run() for _ in range(2)]
    assert runs[0] == runs[1]


def test_knowing_each_leads_odds_raises_utilization():
    laws = Laws(((0.0, 20),), shift_seconds=2 * 3600.0, odds=(1.0, 3.0))
    seeds = range(41, 44)
    blind = summary("", lambda: make_pacer("predictive"), laws, seeds)
    seeing = summary("", lambda: make_pacer("predictive"), laws, seeds, tell_odds=True)
    assert difference(seeing, blind).mean > 0.005
    assert seeing.abandonment <= LIMIT


@pytest.mark.parametrize(
    "make",
    [baselines.vicidial, baselines.issabel, baselines.expected_value, baselines.erlang_b,
     lambda: baselines.fixed_multiplier(2.0)],
)  # fmt: skip
def test_the_peers_rules_dial_and_connect(make):
    out = World(Laws(((0.0, 10),), shift_seconds=1800.0), make(), seed=1).run()
    assert out.connected > 20
    assert out.dropped + out.connected <= out.answered


def test_agents_never_talk_to_two_and_busy_time_never_passes_logged_in_time():
    out = World(TEN, make_pacer("power", multiplier=4.0), seed=9, on_events=False).run()
    assert 0.8 < out.utilization < 1.0
    assert out.abandonment > LIMIT


def test_the_study_recommends_the_best_lawful_way_and_draws_it(tmp_path):
    laws = Laws(((0.0, 10),), shift_seconds=2 * 3600.0)
    ways = [Candidate("progressive"), Candidate("power", 5.0), Candidate("predictive")]
    told = []
    found = study(laws, ways, limit=LIMIT, seeds=range(4), on_shift=lambda: told.append(1))
    assert len(told) == 12
    assert advise(found, LIMIT).mode == "predictive"
    picture(found, LIMIT, tmp_path / "p.png", "test")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_too_few_answers_are_said_to_be_too_few():
    found = study(Laws(((0.0, 2),), shift_seconds=900.0), [Candidate("progressive")], limit=LIMIT, seeds=range(2))
    advice = advise(found, LIMIT)
    assert advice.mode is None
    assert "do not suffice" in advice.sentence


def test_an_interval_of_one_value_is_endless_and_of_equal_ones_empty():
    assert Interval.of([0.5]).half == float("inf")
    assert Interval.of([0.5, 0.5, 0.5]).half == 0.0
