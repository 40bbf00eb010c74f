"""The simulator against queueing theory."""

from __future__ import annotations

import numpy as np
import pytest

from dialer.simulation.laws import Laws, constant
from dialer.simulation.theory import erlang_a, erlang_b_of, erlang_c
from dialer.simulation.world import World


class PoissonDialer:
    """Dials at the instants of a Poisson process whatever the agents do: an M/G/c arrival stream."""

    def __init__(self, rate: float, seed: int) -> None:
        self._rng, self._rate, self._next = np.random.default_rng(seed), rate, 0.0

    def observe(self, kind, at, ident, outcome=None):
        pass

    def decide(self, now, *_args, **_kwargs):
        due = 0
        while self._next <= now:
            due += 1
            self._next += float(self._rng.exponential(1 / self._rate))
        return due

    def explain(self):
        return {}


def stream(agents: int, load: float, *, deadline: float, patience: float | None, seed: int):
    laws = Laws(
        agents=((0.0, agents),),
        answer_rate=constant(1.0),
        talk_mean=constant(60.0),
        exponential=True,
        wrap_up_mean=0.0,
        connect_deadline=deadline,
        patience_mean=patience,
        break_every=None,
        shift_seconds=24 * 3600.0,
    )
    return World(laws, PoissonDialer(load / 60.0, seed), seed=seed, tick=1.0, on_events=False).run()


@pytest.mark.parametrize(("agents", "load"), [(5, 3.5), (20, 16.0)])
def test_with_endless_patience_the_share_that_waits_is_erlang_c(agents, load):
    runs = [stream(agents, load, deadline=1e9, patience=None, seed=seed) for seed in range(4)]
    shares = [run.waited / run.answered for run in runs]
    assert np.mean(shares) == pytest.approx(erlang_c(agents, load), abs=0.035)
    waits = [run.hold_seconds / run.answered for run in runs]
    assert np.mean(waits) == pytest.approx(erlang_c(agents, load) * 60 / (agents - load), rel=0.25)


@pytest.mark.parametrize(("agents", "load"), [(5, 6.0), (20, 20.0)])
def test_with_exponential_patience_the_share_dropped_is_erlang_a(agents, load):
    runs = [stream(agents, load, deadline=1e9, patience=30.0, seed=seed) for seed in range(4)]
    waits, abandons = erlang_a(agents, load / 60, 1 / 60, 1 / 30)
    assert np.mean([run.abandonment for run in runs]) == pytest.approx(abandons, abs=0.012)
    assert np.mean([run.waited / run.answered for run in runs]) == pytest.approx(waits, abs=0.03)


def test_with_no_hold_at_all_the_share_dropped_is_erlang_b():
    runs = [stream(10, 8.0, deadline=0.0, patience=None, seed=seed) for seed in range(4)]
    assert np.mean([run.abandonment for run in runs]) == pytest.approx(erlang_b_of(10, 8.0), abs=0.012)


def test_erlang_a_with_tiny_impatience_waits_as_often_as_erlang_c():
    assert erlang_a(8, 0.1, 1 / 60, 1e-7)[0] == pytest.approx(erlang_c(8, 6.0), rel=1e-3)
