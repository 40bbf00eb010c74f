"""What pacing costs: ``python -m dialer.simulation.bench``. CPU time of this process, milliseconds."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
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
        ringing = rng.uniform(0, 26, max(int(agents * rng.uniform(0.2, 1.2)), 1))
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


def figures(quick: bool = False) -> Iterator[tuple[str, float, str]]:
    """Each figure: its name, CPU milliseconds, and how a person reads it."""
    for agents in (20, 300, 2000) if quick else (5, 20, 100, 300, 1000, 2000):
        spans = np.array(decide_spans(agents, 1000 if quick else 3000))
        p50, p99, worst = np.percentile(spans, [50, 99, 100])
        yield f"decide_{agents}_p50_ms", p50, f"decide, {agents} agents: median {p50:.3f} ms"
        yield f"decide_{agents}_p99_ms", p99, f"decide, {agents} agents: p99 {p99:.3f} ms, worst {worst:.3f} ms"
    for agents in (20, 300, 2000):
        spans = np.array(rebuild_spans(agents, 20 if quick else 60))
        words = f"a slice of the tables, {agents} agents: median {np.median(spans):.3f} ms, worst {spans.max():.3f} ms"
        yield f"rebuild_{agents}_worst_ms", float(spans.max()), words
    second = campaigns_second()
    yield "second_of_1000_campaigns_ms", second, f"{CAMPAIGNS} campaigns of 20 agents, each second: {second:.0f} ms"


def main() -> None:
    """Print the figures; ``--write FILE`` keeps them as JSON."""
    parser = argparse.ArgumentParser(description="What pacing costs, in CPU time.")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and looks")
    parser.add_argument("--write", type=Path, help="the JSON file for the figures")
    chosen = parser.parse_args()
    found: dict[str, float] = {}
    for name, value, words in figures(chosen.quick):
        found[name] = round(float(value), 4)
        sys.stdout.write(words + "\n")
        sys.stdout.flush()
    if chosen.write:
        chosen.write.parent.mkdir(parents=True, exist_ok=True)
        chosen.write.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
