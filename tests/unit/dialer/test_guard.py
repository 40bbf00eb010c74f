from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.guard import LOOSE, SETTLED, TIGHT, Steering, Window


def test_what_is_older_than_the_window_no_longer_counts():
    window = Window(3600.0, 0.03, 0.0, 0.0)
    for n in range(100):
        window.count(float(n), dropped=int(n < 10))
    assert window.totals(100.0) == (10.0, 100.0)
    assert window.totals(3600.0 + 200.0)[1] == 0.0


def test_counts_carried_over_fade_evenly():
    window = Window(1000.0, 0.03, 30.0, 1000.0)
    window.count(0.0, dropped=0)
    assert window.totals(500.0)[0] == pytest.approx(15.0)
    assert window.totals(2000.0)[0] == 0.0


def test_room_is_what_is_left_if_this_call_too_were_abandoned():
    assert Steering.of(0.03, [(86400.0, 0.03, 29, 1000)]).room(0.0)[0] == pytest.approx(0.03)
    room, whose = Steering.of(0.03, [(86400.0, 0.03, 0, 0), (2592000.0, 0.03, 40, 1000)]).room(0.0)
    assert room < 0
    assert "2592000" in whose
    assert Steering.of(0.03, ()).room(0.0)[0] == float("inf")


def test_each_drop_lowers_the_price_and_answers_without_one_raise_it():
    steering = Steering.of(0.03, ())
    for n in range(400):
        steering.count(float(n), dropped=n % 40 == 0)
    before = steering.price(400.0)
    for n in range(5):
        steering.count(400.0 + n, dropped=True)
    low = steering.price(405.0)
    assert low < 0.7 * before
    for n in range(200):
        steering.count(405.0 + n, dropped=False)
    assert steering.price(605.0) > before


def steered(now, answered, dropped):
    steering = Steering.of(0.03, ())
    steering.begun, steering.answered, steering.dropped = 0.0, answered, dropped
    return steering


def test_near_the_limit_the_price_falls_to_almost_nothing():
    at = SETTLED / 2
    assert steered(at, 1000, 30).price(at) < 0.2 * steered(at, 1000, 26).price(at)
    assert steered(at, 1000, 40).price(at) <= 0.08 * steered(at, 1000, 26).price(at) * 1.5


@given(dropped=st.integers(0, 60), share=st.floats(0.05, 0.99))
def test_a_drop_more_never_raises_the_price(dropped, share):
    at = SETTLED * share
    assert steered(at, 1000, dropped + 1).price(at) <= steered(at, 1000, dropped).price(at)


def test_what_would_be_left_over_is_spent_before_the_settlement_and_not_after_it():
    room_left = {share: steered(SETTLED * share, 1000, 20).price(SETTLED * share) for share in (0.4, 0.9, 1.01)}
    assert room_left[0.9] > 1.2 * room_left[0.4]
    assert room_left[1.01] < room_left[0.9]


def test_just_before_the_settlement_the_last_drop_is_kept():
    at = SETTLED - 60.0
    assert steered(at, 1000, 29).price(at) < 0.001
    assert steered(at, 1000, 26).price(at) > 0.01


def test_each_drop_held_back_weighs_more_where_a_shift_allows_few():
    assert LOOSE.level(1.0, 5.0, 0.1) > TIGHT.level(1.0, 5.0, 0.1)
    assert LOOSE.toward(TIGHT, 0.0) == LOOSE


def test_a_limit_of_zero_never_raises():
    steering = Steering.of(0.0, [(60.0, 0.0, 0, 0)])
    steering.count(1.0, True)
    assert steering.price(2.0) == 0.0
