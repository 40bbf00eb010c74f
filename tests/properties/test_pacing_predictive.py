from __future__ import annotations

import copy

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer.pacing import make_pacer
from dialer.simulation.laws import Laws
from dialer.simulation.world import World

KINDS = ["dial", "answer", "fail", "connect", "drop", "hangup", "ready", "login", "logout", "nonsense"]
OUTCOMES = [None, "no_answer", "busy", "invalid", "machine", 1, 2, 3]
ages = st.lists(st.floats(0, 500), max_size=40)
events = st.lists(
    st.tuples(st.sampled_from(KINDS), st.floats(0, 50), st.integers(0, 6), st.sampled_from(OUTCOMES)), max_size=150
)


def learned(agents: int):
    """A pacer that has paced an hour."""
    pacer = make_pacer("predictive", max_lines=60)
    World(Laws(((0.0, agents),), shift_seconds=2400.0), pacer, seed=agents, on_events=False).run()
    return pacer


LEARNED = {agents: learned(agents) for agents in (6, 40)}


@given(events=events, looks=st.lists(st.tuples(ages, st.integers(0, 9), st.integers(0, 9)), max_size=5))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_events_in_any_order_never_break_it_nor_make_it_negative(events, looks):
    pacer = make_pacer("predictive", max_lines=30)
    for kind, at, ident, outcome in events:
        pacer.observe(kind, at, ident, outcome)
    for ringing, idle, waiting in looks:
        placed = pacer.decide(60.0, ringing, idle, ringing[:3], ringing[3:6], idle + 4, waiting)
        assert placed >= 0
        assert placed == 0 or placed + len(ringing) + waiting <= 30
    assert isinstance(pacer.explain(), dict)


@given(
    agents=st.sampled_from(sorted(LEARNED)),
    ringing=ages,
    talking=st.lists(st.floats(0, 9000), max_size=30),
    wrapping=st.lists(st.floats(0, 200), max_size=10),
    idle=st.integers(0, 30),
    waiting=st.integers(0, 4),
)
@settings(deadline=None, max_examples=120)
def test_one_more_idle_agent_never_means_fewer_calls(agents, ringing, talking, wrapping, idle, waiting):
    busy = len(talking) + len(wrapping)
    args = (np.array(ringing), np.array(talking), np.array(wrapping))
    placed = [
        copy.deepcopy(LEARNED[agents]).decide(2401.0, args[0], free, args[1], args[2], free + busy, waiting)
        for free in (idle, idle + 1)
    ]
    assert placed[0] <= placed[1]


@given(agents=st.sampled_from(sorted(LEARNED)), ringing=ages, odds=st.lists(st.floats(0, 1), min_size=40, max_size=80))
@settings(deadline=None, max_examples=60)
def test_odds_of_any_kind_keep_the_caps(agents, ringing, odds):
    pacer = copy.deepcopy(LEARNED[agents])
    placed = pacer.decide(2401.0, ringing, 9, [5.0], [], 10, 0, odds[: len(ringing)], odds)
    assert placed == 0 or placed + len(ringing) <= 60
    assert pacer.decide(2402.0, [], 0, [], [], 0, 3, [], odds) == 0


@given(agents=st.sampled_from(sorted(LEARNED)), ringing=ages, idle=st.integers(0, 20))
@settings(deadline=None, max_examples=60)
def test_equal_states_decide_alike(agents, ringing, idle):
    twins = [copy.deepcopy(LEARNED[agents]) for _ in range(2)]
    assert len({twin.decide(2401.0, ringing, idle, [50.0] * 5, [3.0], idle + 6, 0) for twin in twins}) == 1
