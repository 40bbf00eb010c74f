"""Shares stay shares, whatever was counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contact_center import metrics

COUNTS = st.integers(0, 10_000)
SECONDS = st.floats(0, 1e6)


@given(COUNTS, COUNTS, COUNTS)
def test_ofcoms_rate_is_a_share_and_never_above_the_plain_rate(dropped: int, live: int, machines: int) -> None:
    rate, plain = metrics.ofcom_abandonment(dropped, live, machines), metrics.drop_rate(dropped, live)
    if rate is not None:
        assert 0.0 <= rate <= 1.0
    if rate is not None and plain is not None:
        assert rate <= plain + 1e-12


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_occupancy_is_a_share_and_utilisation_never_above_it(
    talk: float, hold: float, wrap_up: float, idle: float
) -> None:
    occupancy = metrics.occupancy(talk, hold, wrap_up, idle)
    utilisation = metrics.utilisation(talk, hold, wrap_up, idle)
    if occupancy is not None and utilisation is not None:
        assert 0.0 <= utilisation <= occupancy + 1e-12 <= 1.0 + 2e-12
