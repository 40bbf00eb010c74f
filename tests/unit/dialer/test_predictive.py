from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from dialer.estimators import AnswerRate, HandleLaw, LineLaw
from dialer.guard import Steering
from dialer.hearing import MOST_OPEN, Hearing
from dialer.lookahead import Lookahead
from dialer.pacing import make_pacer
from dialer.predictive import Predictive
from dialer.simulation.laws import Laws
from dialer.simulation.world import World
from dialer.trace import Recorder, replay

pytestmark = pytest.mark.clock


def shift(agents: int, seconds: float, pacer, **how):
    return World(Laws(((0.0, agents),), shift_seconds=seconds), pacer, seed=7, **how).run()


def test_until_twenty_live_answers_there_is_one_call_per_free_agent_and_it_says_so():
    pacer = make_pacer("predictive")
    assert pacer.decide(0.0, [], 5, [], [], 5, 0) == 5
    assert pacer.decide(1.0, [1.0] * 5, 5, [], [], 5, 0) == 0
    assert "until 20 live answers" in pacer.explain()["binding"]


def test_stored_history_stands_for_the_first_answers():
    first = make_pacer("predictive")
    shift(10, 3600.0, first, on_events=False)
    later = make_pacer("predictive", history=first.remember())
    assert later.decide(0.0, [], 10, [], [], 10, 0) > 10
    assert later.explain()["answer_rate"] == pytest.approx(0.25, abs=0.06)


def test_a_history_of_another_ring_timeout_is_refused():
    history = make_pacer("predictive", ring_timeout=25.0).remember()
    with pytest.raises(ValueError, match="ring timeout"):
        make_pacer("predictive", ring_timeout=40.0, history=history)
    with pytest.raises(ValueError, match="history"):
        make_pacer("predictive", history={"rate": {}})


def test_with_nobody_on_line_nothing_is_placed():
    pacer = make_pacer("predictive")
    shift(10, 1800.0, pacer, on_events=False)
    assert pacer.decide(1801.0, [], 0, [], [], 0, 0) == 0
    assert pacer.decide(1801.0, [], 3, [], [], 0, 0) == 0


def test_a_window_without_room_for_one_more_drop_allows_one_call_per_free_agent_only():
    history = learned_history()
    tight = make_pacer("predictive", windows=[(86400.0, 0.03, 30, 1000)], history=history)
    assert tight.decide(0.0, [], 6, [], [], 10, 0) <= 6
    assert tight.decide(1.0, [1.0] * 4, 6, [], [], 10, 0) <= 2
    roomy = make_pacer("predictive", windows=[(86400.0, 0.03, 10, 1000)], history=history)
    assert roomy.decide(0.0, [], 6, [], [], 10, 0) > 6


def learned_history():
    pacer = make_pacer("predictive")
    shift(10, 3600.0, pacer, on_events=False)
    return pacer.remember()


def test_a_window_never_passes_its_limit_by_over_dialling():
    pacer = make_pacer("predictive", windows=[(86400.0, 0.03, 29, 1000)], history=learned_history())
    out = shift(10, 5400.0, pacer)
    assert (29 + out.dropped) / (1000 + out.dropped + out.connected) <= 0.03


def test_the_reason_of_a_decision_is_a_sentence_with_its_numbers():
    pacer = make_pacer("predictive", history=learned_history())
    assert pacer.explain()["reason"] == "nothing has been decided yet"
    pacer.decide(0.0, [5.0] * 6, 2, [30.0] * 7, [4.0], 10, 0)
    assert "would find no agent" in pacer.explain()["reason"]
    pacer.decide(1.0, [], 0, [], [], 0, 0)
    assert pacer.explain()["reason"] == "nobody is on line"


def explained(chance: float, price: float) -> str:
    pacer = Predictive(target=0.03, connect_deadline=2.0, ring_timeout=25.0, max_lines=None, windows=())
    pacer._say(1, "price", chance=chance, price=price)
    return str(pacer.explain()["reason"])


@pytest.mark.parametrize(
    ("chance", "price", "said"),
    [
        (0.1234, 0.25, ("12.3 %", "25.0 %")),
        (0.0004, 0.00031, ("0.040 %", "0.031 %")),
        (0.00041, 0.000409, ("0.0410 %", "0.0409 %")),
        (0.0, 0.00000042, ("0.0 %", "0.000042 %")),
        (1e-12, 0.02, ("less than 0.000001 %", "2.0 %")),
        (0.3, 0.3, ("30.0 %", "30.0 %")),
    ],
)
def test_small_odds_and_prices_are_told_with_the_digits_that_tell_them_apart(chance, price, said):
    reason = explained(chance, price)
    assert f"no agent with {said[0]}, and {said[1]} is the most" in reason


def test_small_numbers_of_a_decision_are_not_rounded_to_nothing():
    pacer = Predictive(target=0.03, connect_deadline=2.0, ring_timeout=25.0, max_lines=None, windows=())
    pacer._say(1, "price", chance=0.00000123456, price=0.1234567, room=float("inf"))
    told = pacer.explain()
    assert (told["chance"], told["price"], told["room"]) == (0.00000123, 0.12346, float("inf"))


def test_calls_with_told_odds_whose_end_is_never_told_do_not_pile_up():
    pacer = Predictive(
        target=0.03, connect_deadline=2.0, ring_timeout=25.0, max_lines=None, windows=(), history=learned_history()
    )
    dialled = 0
    while dialled < MOST_OPEN + 3000:
        placed = pacer.decide(float(dialled), [], 400, [], [], 400, 0, next_odds=[0.25] * 3000)
        for _ in range(placed):
            pacer.observe("dial", float(dialled), dialled)
            dialled += 1
    assert len(pacer._told) == MOST_OPEN
    before = pacer.explain()["odds_calibration"]
    pacer.observe("answer", float(dialled), 5)  # long forgotten
    assert pacer.explain()["odds_calibration"] == before
    pacer.observe("answer", float(dialled), dialled - 1)
    assert pacer.explain()["odds_calibration"] > before
    assert len(pacer._told) == MOST_OPEN - 1


def test_a_trace_replays_to_the_same_numbers():
    lines: list[str] = []
    shift(8, 2400.0, Recorder(make_pacer("predictive"), lines.append), on_events=False)
    decisions = list(replay(lines, make_pacer("predictive")))
    assert len(decisions) == 2400
    assert all(then == now for then, now in decisions)


def test_the_command_line_does_not_load_numpy_for_pacing():
    code = "import sys, dialer.pacing; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_answer_rate_follows_a_step_within_a_hundred_calls():
    rng, rate = np.random.default_rng(3), AnswerRate()
    for live in rng.random(3000) < 0.15:
        rate.observe(bool(live))
    assert rate.mean == pytest.approx(0.15, abs=0.03)
    for live in rng.random(150) < 0.45:
        rate.observe(bool(live))
    assert rate.mean == pytest.approx(0.45, abs=0.13)


def test_in_quiet_times_the_answer_rate_is_sharp():
    rng, rate = np.random.default_rng(4), AnswerRate()
    for live in rng.random(6000) < 0.25:
        rate.observe(bool(live))
    assert rate.mean == pytest.approx(0.25, abs=0.025)
    assert rate.sd < 0.03


def test_the_law_of_talks_learns_the_mean_from_ends_and_from_talks_in_progress():
    rng, law = np.random.default_rng(5), HandleLaw(90.0)
    for seconds in rng.exponential(40.0, 3000):
        law.observe(float(seconds))
    law.refresh(np.array([30.0, 80.0]))
    assert law.mean == pytest.approx(40.0, rel=0.12)


def test_exact_probability_equals_brute_force():
    line, talk, wrap = LineLaw(25.0), HandleLaw(90.0), HandleLaw(20.0)
    ahead = Lookahead(line, talk, wrap)
    ringing, talking, wrapping = np.array([3.0, 9.0, 15.0]), np.array([10.0, 60.0]), np.array([4.0])
    load = ahead.load(ringing, talking, wrapping, -1, None)
    _, exact = ahead.place(load, 0.0, 0, None)
    rng, hits, draws = np.random.default_rng(6), 0.0, 40000
    rows = ahead.chances(ringing, talking, wrapping)
    for j in range(8):
        answers = (rng.random((draws, 3)) < rows[0][:, j]).sum(axis=1)
        free = (rng.random((draws, 3)) < rows[1][:, j]).sum(axis=1)
        hits += float((answers - free - 1 >= 0).mean()) / 8
    assert exact == pytest.approx(hits, abs=0.005)


def test_the_normal_form_is_close_to_the_exact_one():
    ahead = Lookahead(LineLaw(25.0), HandleLaw(90.0), HandleLaw(20.0))
    rng = np.random.default_rng(8)
    ringing, talking = rng.uniform(0, 25, 24), rng.uniform(0, 200, 18)
    placed = []
    for exact in (True, False):
        ahead.exact = exact
        placed.append(ahead.place(ahead.load(ringing, talking, np.empty(0), -3, None), 0.1, 50, None)[0])
    assert abs(placed[0] - placed[1]) <= 1


def test_ends_that_are_never_reported_are_read_off_the_ages():
    hearing = Hearing(LineLaw(25.0), Steering.of(0.03, ()), 2.0)
    rng = np.random.default_rng(9)
    starts, length, now = [0.0], [10.0], 0.0
    while now < 4000.0:
        now += 0.5
        for i in range(len(starts)):
            if now - starts[i] >= length[i]:
                starts[i], length[i] = now, float(rng.exponential(15.0)) + 0.6
        hearing.wrap_watch.look(now, now - np.array(starts))
    hearing.wrap.refresh(np.empty(0))
    assert hearing.wrap.mean == pytest.approx(15.6, rel=0.25)


def test_a_decision_takes_little_time_and_a_rebuild_too():
    pacer = make_pacer("predictive")
    shift(300, 900.0, pacer, on_events=False)
    rng = np.random.default_rng(1)
    args = (rng.uniform(0, 25, 500), 3, rng.exponential(90, 240), rng.exponential(20, 57), 300, 0)
    spans = []
    for i in range(300):
        began = time.process_time_ns()
        pacer.decide(901.0 + i, *args)
        spans.append(time.process_time_ns() - began)
    assert np.median(spans) < 400_000
