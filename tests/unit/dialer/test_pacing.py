from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.pacing import make_pacer


def decide(pacer, *, ringing: int, idle: int, on_line: int | None = None, waiting: int = 0) -> int:
    return pacer.decide(0.0, [1.0] * ringing, idle, [], [], idle if on_line is None else on_line, waiting)


def test_five_free_agents_times_1_2_are_six_calls_at_once():
    pacer = make_pacer("power", multiplier=1.2)
    assert decide(pacer, ringing=0, idle=5) == 6
    assert decide(pacer, ringing=6, idle=5) == 0
    assert decide(pacer, ringing=5, idle=5) == 1


def test_with_one_agent_1_2_means_two_calls_every_fifth_time():
    pacer = make_pacer("power", multiplier=1.2)
    assert [decide(pacer, ringing=0, idle=1) for _ in range(10)] == [1, 1, 1, 1, 2, 1, 1, 1, 1, 2]


def test_a_multiplier_below_one_dials_for_every_second_free_moment():
    pacer = make_pacer("power", multiplier=0.5)
    assert [decide(pacer, ringing=0, idle=1) for _ in range(4)] == [0, 1, 0, 1]


def test_progressive_places_one_call_per_free_agent():
    pacer = make_pacer("progressive", multiplier=3.0)
    assert decide(pacer, ringing=0, idle=4) == 4
    assert decide(pacer, ringing=4, idle=4) == 0


def test_people_who_wait_count_as_calls():
    assert decide(make_pacer("power", multiplier=1.0), ringing=1, idle=3, waiting=1) == 1


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="no pacing"):
        make_pacer("warp")


def test_the_last_decision_is_explained():
    pacer = make_pacer("power", multiplier=1.2)
    decide(pacer, ringing=2, idle=5)
    assert pacer.explain()["target"] == 6.0
    assert pacer.explain()["placed"] == 4


@given(
    multiplier=st.floats(0.1, 10),
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), st.integers(0, 5)), max_size=60),
    max_lines=st.one_of(st.none(), st.integers(0, 30)),
)
def test_never_negative_never_above_the_product_never_without_agents(multiplier, steps, max_lines):
    pacer = make_pacer("power", multiplier=multiplier, max_lines=max_lines)
    for ringing, idle, waiting in steps:
        placed = decide(pacer, ringing=ringing, idle=idle, waiting=waiting)
        assert placed >= 0
        if idle == 0:
            assert placed == 0
        if placed:
            assert ringing + waiting + placed <= math.ceil(round(idle * multiplier, 6))
            assert max_lines is None or ringing + waiting + placed <= max_lines


@given(multiplier=st.floats(1.0, 5), rounds=st.integers(50, 300), idle=st.integers(1, 8))
def test_in_the_long_run_the_fraction_is_placed_too(multiplier, rounds, idle):
    pacer = make_pacer("power", multiplier=multiplier)
    placed = sum(decide(pacer, ringing=0, idle=idle) for _ in range(rounds))
    assert placed == pytest.approx(multiplier * idle * rounds, abs=1.01)
