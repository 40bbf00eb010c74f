"""What pacing costs: ``python -m dialer.simulation.bench``. CPU time of this process, milliseconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from dialer.pacing import Pacer, make_pacer
from dialer.predictive import SLICES, Predictive
from dialer.simulation.laws import Laws
from dialer.simulation.world import World

CAMPAIGNS = 1000


def _learned(agents: int, seconds: float) -> Predictive:
    pacer = make_pacer("predictive")
    World(Laws(((0.0, agents),), shift_seconds=seconds), pacer, seed=agents, on_events=False).run()
    if not isinstance(pacer, Predictive):
        raise TypeError("the predictive mode has another pacer")
    return pacer


def _spent(since: int) -> float:
    return (time.process_time_ns() - since) / 1e6


def decide_spans(agents: int, looks: int = 3000) -> list[float]:
    """CPU milliseconds of each of many decisions, the world changing in between."""
    pacer, rng = _learned(agents, 900.0), np.random.default_rng(agents)
    talking, wrapping = int(agents * 0.8), int(agents * 0.18)
    spans = []
    for look in range(looks):
        ringing = rng.uniform(0, 26, max(int(agents * rng.uniform(0.8, 2.2)), 1))
        idle = int(rng.integers(0, max(agents - talking - wrapping, 1) + 1))
        args = (ringing, idle, rng.exponential(90, talking), rng.exponential(20, wrapping), agents, 0)
        began = time.process_time_ns()
        pacer.decide(901.0 + look, *args)
        spans.append(_spent(began))
    return spans


def rebuild_spans(agents: int, rounds: int = 60) -> list[float]:
    """CPU milliseconds of each slice of the tables' renewal, one by one."""
    pacer, spans = _learned(agents, 900.0), []
    for turn in range(rounds * SLICES):
        began = time.process_time_ns()
        pacer.observe("nothing", 1000.0 + 100.0 * turn, 0)
        spans.append(_spent(began))
    return spans


def campaigns_second() -> float:
    """CPU milliseconds of one second of ``CAMPAIGNS`` campaigns of 20 agents, events and tables included."""
    seconds = 1800.0
    clock = _Metered(make_pacer("predictive"))
    World(Laws(((0.0, 20),), shift_seconds=seconds), clock, seed=1, on_events=False).run()
    return clock.spent / seconds * CAMPAIGNS


class _Metered:
    """Counts what the pacer inside costs."""

    def __init__(self, pacer: Pacer) -> None:
        self._inner, self.spent = pacer, 0.0

    def observe(self, kind: str, at: float, ident: int, outcome: str | int | None = None) -> None:
        began = time.process_time_ns()
        self._inner.observe(kind, at, ident, outcome)
        self.spent += _spent(began)

    def decide(self, *args: Any, **kwargs: Any) -> int:
        began = time.process_time_ns()
        placed = self._inner.decide(*args, **kwargs)
        self.spent += _spent(began)
        return placed

    def explain(self) -> dict[str, Any]:
        return self._inner.explain()


def lines() -> Iterator[str]:
    """The figures, line by line."""
    for agents in (5, 20, 100, 300, 1000, 2000):
        spans = np.array(decide_spans(agents))
        p50, p99, worst = np.percentile(spans, [50, 99, 100])
        yield f"decide, {agents} agents: median {p50:.3f} ms, p99 {p99:.3f} ms, worst {worst:.3f} ms"
    for agents in (20, 300, 2000):
        spans = np.array(rebuild_spans(agents))
        yield f"a slice of the tables, {agents} agents: median {np.median(spans):.3f} ms, worst {spans.max():.3f} ms"
    yield f"{CAMPAIGNS} campaigns of 20 agents, each second: {campaigns_second():.0f} ms of one core"


def main() -> None:
    """Print the figures."""
    for line in lines():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
