"""What a campaign teaches: who answers and when, how long talks and wrap-ups last.

Everything is learned online with forgetting. Times are seconds. Nothing here reads a clock.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BIN = 0.5  # seconds of a bin of the answer and fail time laws
SHAPE_MEMORY = 6000.0  # resolved calls over which the shapes of ringing are remembered
HANDLE_MEMORY = 800.0  # calls over which talk and wrap-up hazards are remembered
RATE_MEMORIES = (60.0, 250.0, 1000.0, 6000.0)
PRIOR_CALLS, PRIOR_RATE = 4.0, 0.25
CYCLE = 30.0  # seconds, about a ring cycle
FORGET = 0.998  # of the evidence for each memory, per call

HANDLE_EDGES = np.array(
    [0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 26, 34, 45, 60, 80, 105, 140, 190, 250, 330, 440, 600, 900, 1500, 3600, 7200],
    dtype=np.float64,
)


class AnswerRate:
    """The probability that a call is answered by a person, under drift and sudden change.

    A bank of discounted beta estimates with different memories, weighted by how well each predicted the
    recent outcomes (dynamic model averaging: Raftery, Karny, Ettler 2010). In quiet times the long memory
    rules and the estimate is sharp; after a change the short one takes over within some tens of calls.
    """

    def __init__(self) -> None:
        self._hits = [0.0] * len(RATE_MEMORIES)
        self._calls = [0.0] * len(RATE_MEMORIES)
        self._weights = [1.0 / len(RATE_MEMORIES)] * len(RATE_MEMORIES)
        self.outcomes = 0
        self.stretch = 1.0
        self._since: tuple[float, int] | None = None
        self.mean, self.sd = PRIOR_RATE, 0.2

    def observe(self, answered: bool) -> None:
        """One call has been resolved."""
        self.outcomes += 1
        total, mean, square = 0.0, 0.0, 0.0
        forget = 1.0 - (1.0 - FORGET) / self.stretch
        for i, memory in enumerate(RATE_MEMORIES):
            hits, calls = self._hits[i] + PRIOR_CALLS * PRIOR_RATE, self._calls[i] + PRIOR_CALLS
            rate = hits / calls
            weight = self._weights[i] ** forget * (rate if answered else 1.0 - rate) + 1e-9
            keep = 1.0 - 1.0 / (memory * self.stretch)
            self._hits[i] = self._hits[i] * keep + answered
            self._calls[i] = self._calls[i] * keep + 1.0
            hits, calls = self._hits[i] + PRIOR_CALLS * PRIOR_RATE, self._calls[i] + PRIOR_CALLS
            rate = hits / calls
            self._weights[i] = weight
            total += weight
            mean += weight * rate
            square += weight * (rate * rate + rate * (1.0 - rate) / (calls + 1.0))
        self._weights = [max(weight / total, 1e-4) for weight in self._weights]
        self.mean = mean / total
        self.sd = sqrt(max(square / total - self.mean * self.mean, 1e-9))

    def pace(self, at: float) -> None:
        """Lengthen the memories where calls are many, so that the shortest spans more than a ring cycle.

        Answers come earlier than timeouts, so that a wave of calls looks lucky first and unlucky later.
        """
        if self._since is None or at < self._since[0]:
            self._since = (at, self.outcomes)
        elif at - self._since[0] >= CYCLE:
            share = (self.outcomes - self._since[1]) * 1.5 * CYCLE / (at - self._since[0])
            self.stretch = max(1.0, share / RATE_MEMORIES[0])
            self._since = (at, self.outcomes)

    def state(self) -> dict[str, list[float]]:
        """What has been learned, as plain numbers."""
        return {"hits": list(self._hits), "calls": list(self._calls), "weights": list(self._weights)}

    def restore(self, state: dict[str, list[float]]) -> None:
        """Go on from what was learned before, with half the confidence: another day is not the same day."""
        self._hits = [0.5 * value for value in state["hits"]]
        self._calls = [0.5 * value for value in state["calls"]]
        self._weights = list(state["weights"])
        rate = (self._hits[-1] + PRIOR_CALLS * PRIOR_RATE) / (self._calls[-1] + PRIOR_CALLS)
        self.mean, self.sd = rate, sqrt(rate * (1 - rate) / (self._calls[-1] + PRIOR_CALLS + 1.0))


class LineLaw:
    """When calls are answered and when they fail: competing risks over the age of a call (Aalen, Johansen)."""

    def __init__(self, ring_timeout: float) -> None:
        self.bins = int((max(ring_timeout, 1.0) + 8.0) / BIN)
        self.edges = np.arange(self.bins + 1) * BIN
        middle = self.edges[:-1] + BIN / 2
        early = np.exp(-(((middle - 12.0) / 7.0) ** 2)) * (middle < ring_timeout + 3.0)
        self._answered = 6.0 * early / early.sum()
        late = ((middle > ring_timeout + 1.0) & (middle < ring_timeout + 3.0)) * 1.0
        self._failed = 9.0 * late / late.sum() + 9.0 * early / early.sum()
        self._size = 1.0
        self.rate = AnswerRate()
        self.answer_cdf, self.fail_cdf = np.empty(0), np.empty(0)
        self.refresh(np.zeros(self.bins))

    def observe(self, age: float | None, answered: bool) -> None:
        """One call has been resolved at this age (None: unknown)."""
        self.rate.observe(answered)
        if age is None:
            return
        self._size /= 1.0 - 1.0 / SHAPE_MEMORY  # growing increments instead of shrinking histograms
        at = min(max(int(age / BIN), 0), self.bins - 1)
        (self._answered if answered else self._failed)[at] += self._size
        if self._size > 1e6:
            self._answered /= self._size
            self._failed /= self._size
            self._size = 1.0

    def refresh(self, ringing: Floats) -> None:
        """Renew the laws; ``ringing``: calls in progress by age bin, which count as censored."""
        answered, failed = self._answered / self._size, self._failed / self._size
        leave = answered + failed
        at_risk = np.cumsum((leave + ringing)[::-1])[::-1] - 0.5 * ringing
        hazard = leave / np.maximum(at_risk, 1e-9)
        left = np.concatenate([[1.0], np.cumprod(np.clip(1.0 - hazard, 0.0, 1.0))[:-1]])
        share = left / np.maximum(at_risk, 1e-9)
        self.answer_cdf = _cdf(share * answered)
        self.fail_cdf = _cdf(share * failed)

    def state(self) -> dict[str, list[float]]:
        """Calls answered and failed by age, as plain numbers."""
        return {"answered": (self._answered / self._size).tolist(), "failed": (self._failed / self._size).tolist()}

    def restore(self, state: dict[str, list[float]]) -> None:
        """Go on from what was learned before; raises ValueError where it was for another ring timeout."""
        answered, failed = np.array(state["answered"]), np.array(state["failed"])
        if answered.shape != self._answered.shape or failed.shape != self._failed.shape:
            raise ValueError("the history is for another ring timeout")
        self._answered, self._failed, self._size = answered, failed, 1.0
        self.refresh(np.zeros(self.bins))

    def quantiles(self, count: int) -> Floats:
        """``count`` quantiles of the time from dial to answer."""
        levels = (np.arange(count) + 0.5) / count
        rising = self.answer_cdf + np.arange(self.bins + 1) * 1e-12
        return np.asarray(np.interp(levels, rising, self.edges))


def _cdf(mass: Floats) -> Floats:
    cumulated = np.concatenate([[0.0], np.cumsum(mass)])
    return np.asarray(cumulated / max(float(cumulated[-1]), 1e-12))


class HandleLaw:
    """How long a talk or a wrap-up lasts: piecewise-constant hazards, calls in progress as censored exposure.

    Each bin's hazard is drawn towards the overall rate by ``SHRINK`` events' worth.
    """

    SHRINK = 2.0

    def __init__(self, mean: float) -> None:
        self._events = np.zeros(len(HANDLE_EDGES) - 1)
        self._exposure = np.zeros(len(HANDLE_EDGES) - 1)
        self._prior = mean
        self.ended = 0
        self.cumulated = np.empty(0)
        self.refresh(np.empty(0))

    def observe(self, seconds: float, ended: bool = True) -> None:
        """A span has ended, or (``ended`` false) was cut off at this length."""
        seconds = min(max(seconds, 0.0), 7199.0)
        at = int(np.searchsorted(HANDLE_EDGES, seconds, side="right")) - 1
        if ended:
            keep = 1.0 - 1.0 / HANDLE_MEMORY
            self._events *= keep
            self._exposure *= keep
            self._events[at] += 1.0
            self.ended += 1
        self._exposure[:at] += np.diff(HANDLE_EDGES)[:at]
        self._exposure[at] += seconds - HANDLE_EDGES[at]

    def refresh(self, ages: Floats) -> None:
        """Renew the law; ``ages``: of spans in progress."""
        exposure = self._exposure
        if len(ages):
            exposure = exposure + np.clip(ages[:, None] - HANDLE_EDGES[:-1], 0.0, np.diff(HANDLE_EDGES)).sum(axis=0)
        overall = (self._events.sum() + 1.0) / (exposure.sum() + self._prior)
        hazard = (self._events + self.SHRINK * 1.0) / (exposure + self.SHRINK / overall)
        self.cumulated = np.concatenate([[0.0], np.cumsum(hazard * np.diff(HANDLE_EDGES))])

    def state(self) -> dict[str, list[float]]:
        """Ends and exposure by age, as plain numbers."""
        return {"events": self._events.tolist(), "exposure": self._exposure.tolist()}

    def restore(self, state: dict[str, list[float]]) -> None:
        """Go on from what was learned before; raises ValueError for other bins."""
        events, exposure = np.array(state["events"]), np.array(state["exposure"])
        if events.shape != self._events.shape or exposure.shape != self._exposure.shape:
            raise ValueError("the history is of another version")
        self._events, self._exposure = events, exposure
        self.refresh(np.empty(0))

    def hazard_until(self, age: Floats) -> Floats:
        """The cumulated hazard at each age."""
        return np.asarray(np.interp(age, HANDLE_EDGES, self.cumulated))

    @property
    def mean(self) -> float:
        """The mean length by the present law."""
        left = np.exp(-self.cumulated)
        return float(((left[:-1] + left[1:]) / 2 * np.diff(HANDLE_EDGES)).sum())
