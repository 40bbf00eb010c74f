"""The laws a simulated campaign obeys, and the random numbers every mode shares.

The k-th call dialled draws from row k whatever the pacing, so that modes are compared on common random
numbers (L'Ecuyer's and Law's practice): differences between modes have far smaller variance than modes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import erfc, exp, log, pi, sin, sqrt
from typing import TypeVar

import numpy as np

CHUNK = 8192
_T = TypeVar("_T")

FAILS = ("no_answer", "machine", "busy", "invalid")


def constant(value: float) -> Callable[[float], float]:
    """A value that does not change with time."""
    return lambda at: value


def step(before: float, after: float, at_seconds: float) -> Callable[[float], float]:
    """A sudden change, as when the list is changed."""
    return lambda at: before if at < at_seconds else after


def drift(low: float, high: float, period_seconds: float) -> Callable[[float], float]:
    """A slow wave between two values, starting in the middle and rising."""
    return lambda at: (low + high) / 2 + (high - low) / 2 * sin(2 * pi * at / period_seconds)


@dataclass(frozen=True, slots=True)
class Laws:
    """One campaign's world; times in seconds, ``answer_rate`` and ``talk_mean`` as functions of the time.

    ``fail_shares``: of no_answer, machine, busy, invalid among calls that no person answers. ``odds``: the
    beta law of the leads' own answer probabilities (None: all leads alike). ``patience_mean``: of people on
    hold (None: they wait for the deadline). ``exponential``: talks so, as theory has them.
    ``agents``: (from second, how many) steps.
    """

    agents: tuple[tuple[float, int], ...]
    answer_rate: Callable[[float], float] = field(default_factory=lambda: constant(0.25))
    talk_mean: Callable[[float], float] = field(default_factory=lambda: constant(90.0))
    talk_cv: float = 1.0
    wrap_up_mean: float = 20.0
    wrap_up_cv: float = 0.6
    ring_mean: float = 12.0
    ring_cv: float = 0.53
    ring_timeout: float = 25.0
    fail_shares: tuple[float, float, float, float] = (0.55, 0.25, 0.12, 0.08)
    connect_deadline: float = 2.0
    patience_mean: float | None = None
    break_every: float | None = 7200.0
    break_mean: float = 300.0
    shift_seconds: float = 4 * 3600.0
    odds: tuple[float, float] | None = None
    exponential: bool = False
    recorded: Recorded | None = None

    def answer_after(self, lot: Lot) -> float:
        """Seconds from dial to answer."""
        if self.recorded is not None and self.recorded.answers:
            return _pick(self.recorded.answers, lot.fail)
        return lot.set_up + self._ring(lot)

    def fail_after(self, lot: Lot) -> tuple[float, str]:
        """Seconds from dial to the end of a call that no person answers, and its outcome."""
        if self.recorded is not None and self.recorded.fails:
            return _pick(self.recorded.fails, lot.fail)
        share, kind = lot.fail, 0
        while kind < len(FAILS) - 1 and share >= self.fail_shares[kind]:
            share -= self.fail_shares[kind]
            kind += 1
        ends = (self.ring_timeout, self._ring(lot) + 2.5, 2.0 * lot.spare, 0.5 * lot.spare)
        return lot.set_up + ends[kind], FAILS[kind]

    def talk(self, lot: Lot, at: float) -> float:
        """Seconds of a talk that begins now."""
        if self.recorded is not None and self.recorded.talks:
            return _pick(self.recorded.talks, _share_below(lot.talk))
        if self.exponential:
            return -self.talk_mean(at) * log(max(1.0 - _share_below(lot.talk), 1e-300))
        return lognormal(self.talk_mean(at), self.talk_cv, lot.talk)

    def wrap_up(self, lot: Lot) -> float:
        """Seconds of the wrap-up after a call."""
        if self.recorded is not None and self.recorded.wrap_ups:
            return _pick(self.recorded.wrap_ups, _share_below(lot.wrap_up))
        return lognormal(self.wrap_up_mean, self.wrap_up_cv, lot.wrap_up)

    def hold(self, lot: Lot) -> float:
        """Seconds that a person stays on the line with no agent."""
        if self.patience_mean is None:
            return self.connect_deadline
        return min(self.connect_deadline, -self.patience_mean * log(1.0 - lot.patience))

    def _ring(self, lot: Lot) -> float:
        ring = lognormal(self.ring_mean, self.ring_cv, lot.ring)
        return ring if ring < self.ring_timeout else self.ring_timeout * (0.3 + 0.7 * lot.spare)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Spans seen in a real campaign, in seconds; what is empty is drawn from the laws instead."""

    answers: tuple[float, ...] = ()
    fails: tuple[tuple[float, str], ...] = ()
    talks: tuple[float, ...] = ()
    wrap_ups: tuple[float, ...] = ()


def _pick(values: Sequence[_T], share: float) -> _T:
    return values[min(int(share * len(values)), len(values) - 1)]


def _share_below(normal: float) -> float:
    return 0.5 * erfc(-normal / sqrt(2.0))


def lognormal(mean: float, cv: float, normal: float) -> float:
    """A lognormal value with this mean and coefficient of variation, from a standard normal one."""
    if mean <= 0.0:
        return 0.0
    variance = log(1.0 + cv * cv)
    return exp(log(mean) - variance / 2 + sqrt(variance) * normal)


@dataclass(frozen=True, slots=True)
class Lot:
    """What fate holds for one call."""

    set_up: float
    fate: float
    fail: float
    ring: float
    talk: float
    wrap_up: float
    patience: float
    spare: float


class Lots:
    """The fates of calls by number, made in blocks as they are asked for; the same for the same seed."""

    def __init__(self, seed: int, odds: tuple[float, float] | None = None) -> None:
        self._seed, self._beta = seed, odds
        self._uniform = np.empty((0, 5))
        self._normal = np.empty((0, 3))
        self.odds = np.empty(0)

    def reach(self, count: int) -> None:
        """Make at least ``count`` calls' fates."""
        while len(self._uniform) < count:
            rng = np.random.default_rng((self._seed, len(self._uniform) // CHUNK))
            self._uniform = np.concatenate([self._uniform, rng.random((CHUNK, 5))])
            self._normal = np.concatenate([self._normal, rng.standard_normal((CHUNK, 3))])
            if self._beta is not None:
                self.odds = np.concatenate([self.odds, rng.beta(*self._beta, CHUNK)])

    def __getitem__(self, number: int) -> Lot:
        self.reach(number + 1)
        (set_up, fate, fail, patience, spare), (ring, talk, wrap) = (
            self._uniform[number].tolist(),
            self._normal[number].tolist(),
        )
        return Lot(1.0 + 2.0 * set_up, fate, fail, ring, talk, wrap, patience, spare)
