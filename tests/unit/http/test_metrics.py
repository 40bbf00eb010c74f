"""The field's figures against worked examples."""

from __future__ import annotations

import pytest

from contact_center import metrics


def test_ofcoms_worked_example_is_64_44_percent() -> None:
    rate = metrics.ofcom_abandonment(dropped=29, live=9, machines=7)
    assert rate is not None
    assert round(rate * 100, 2) == 64.44


def test_the_three_service_levels_differ_in_what_they_divide_by() -> None:
    assert metrics.service_level(80, 90) == pytest.approx(0.8889, abs=1e-4)
    assert metrics.service_level_sl2(80, 5, 90, 10) == 0.85
    assert metrics.service_level_of_offered(80, 100) == 0.8
    assert metrics.service_level_of_offered(80, 100, short_abandons=20) == 1.0


def test_abandonment_and_drops() -> None:
    assert metrics.abandonment(5, 100) == 0.05
    assert metrics.drop_rate(3, 97) == 0.03
    assert metrics.ofcom_abandonment(3, 97, 0) == 0.03
    assert metrics.ofcom_abandonment(2, 0, 0) == 1.0


def test_speed_of_answer_and_handle_time() -> None:
    assert metrics.asa([2.0, 4.0, 6.0]) == 4.0
    assert metrics.aht(300.0, 30.0, 70.0, 4) == 100.0


def test_occupancy_counts_wrap_up_and_utilisation_does_not() -> None:
    assert metrics.occupancy(40.0, 5.0, 15.0, 40.0) == 0.6
    assert metrics.utilisation(40.0, 5.0, 15.0, 40.0) == 0.45
    assert metrics.predictive_gain(0.5, 0.25) == 2.0
    assert metrics.ewma(8.0, 4.0) == 7.0


@pytest.mark.parametrize(
    "nothing",
    [
        metrics.service_level(0, 0),
        metrics.service_level_sl2(0, 0, 0, 0),
        metrics.service_level_of_offered(0, 0),
        metrics.abandonment(0, 0),
        metrics.drop_rate(0, 0),
        metrics.ofcom_abandonment(0, 0, 0),
        metrics.ofcom_abandonment(0, 0, 5),
        metrics.asa([]),
        metrics.aht(0.0, 0.0, 0.0, 0),
        metrics.occupancy(0.0, 0.0, 0.0, 0.0),
    ],
)
def test_of_nothing_there_is_no_figure(nothing: float | None) -> None:
    assert nothing is None
