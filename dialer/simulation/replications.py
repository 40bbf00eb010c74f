"""Replications on common random numbers, and intervals for what they tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from dialer.pacing import Pacer
from dialer.simulation.laws import Laws
from dialer.simulation.world import Outcome, World

# two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
      2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045)  # fmt: skip

MakePacer = Callable[[], Pacer]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and half its 95 % interval (infinite for a single value)."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """By Student's t over independent replications."""
        n = len(values)
        mean = sum(values) / n
        if n < 2:
            return cls(mean, float("inf"))
        deviation = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
        return cls(mean, (_T[n - 2] if n - 2 < len(_T) else 1.96) * deviation / sqrt(n))


@dataclass(frozen=True, slots=True)
class Summary:
    """Replications of one pacing. Shares as fractions; ``over``: of shifts that ended above the limit."""

    name: str
    utilization: Interval
    warm_utilization: Interval
    abandonment: float
    worst_shift: float
    over: float
    worst_quarter: float
    connects_per_agent_hour: Interval
    outcomes: tuple[Outcome, ...]

    @classmethod
    def of(cls, name: str, outcomes: Sequence[Outcome], limit: float) -> Summary:
        """From the shifts' outcomes; abandonment is pooled over all of them."""
        ended = sum(o.dropped + o.connected for o in outcomes)
        hourly = [3600.0 * o.connected / o.logged_in_seconds if o.logged_in_seconds else 0.0 for o in outcomes]
        return cls(
            name,
            Interval.of([o.utilization for o in outcomes]),
            Interval.of([o.warm_utilization for o in outcomes]),
            sum(o.dropped for o in outcomes) / ended if ended else 0.0,
            max(o.abandonment for o in outcomes),
            sum(o.abandonment > limit for o in outcomes) / len(outcomes),
            max(o.worst_quarter() for o in outcomes),
            Interval.of(hourly),
            tuple(outcomes),
        )


def shifts(
    laws: Laws,
    make: MakePacer,
    seeds: Sequence[int],
    *,
    tick: float = 1.0,
    on_events: bool = True,
    tell_odds: bool = False,
    warm_up: float = 1800.0,
) -> Iterator[Outcome]:
    """One shift per seed, each with a new pacer."""
    for seed in seeds:
        world = World(laws, make(), seed=seed, tick=tick, on_events=on_events, tell_odds=tell_odds, warm_up=warm_up)
        yield world.run()


def difference(one: Summary, other: Summary) -> Interval:
    """Utilization of one less the other, paired by seed: the common random numbers cancel."""
    pairs = zip(one.outcomes, other.outcomes, strict=True)
    return Interval.of([a.utilization - b.utilization for a, b in pairs])
