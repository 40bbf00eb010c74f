"""The peers' pacing rules, written anew from their published formulas, as pacers to compare with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp, floor
from typing import Any

import numpy as np

from dialer.pacing import Ages
from dialer.simulation.theory import erlang_b_of

PERIOD_SECONDS = 15.0  # VICIdial's adaptation
DIAL_SECONDS = 2.5  # VICIdial's placing


@dataclass(slots=True)
class Told:
    """What a rule may look at when it decides."""

    now: float
    ringing: int
    idle: int
    talking: Ages
    wrapping: Ages
    logged_in: int
    waiting: int


@dataclass(slots=True)
class Counts:
    """What a rule has heard: answers and drops in all, resolved calls of late."""

    answered: int = 0
    dropped: int = 0
    resolved: deque[tuple[float, bool]] = field(default_factory=deque)
    talk_seconds: float = 90.0
    ends: int = 0


class RulePacer:
    """A pacer made of one function of the state and the counts."""

    def __init__(self, rule: Callable[[Told, Counts], float]) -> None:
        self._rule, self._counts = rule, Counts()
        self._since: dict[int, float] = {}
        self._last: dict[str, Any] = {}

    def observe(self, kind: str, at: float, ident: int, outcome: str | int | None = None) -> None:
        """See :meth:`dialer.pacing.Pacer.observe`."""
        counts = self._counts
        if kind in ("answer", "fail"):
            counts.resolved.append((at, kind == "answer"))
            while counts.resolved and counts.resolved[0][0] < at - 1800.0:
                counts.resolved.popleft()
        elif kind in ("connect", "drop"):
            counts.answered += 1
            counts.dropped += kind == "drop"
            if kind == "connect" and isinstance(outcome, int):
                self._since[outcome] = at
        elif kind == "ready" and ident in self._since:
            counts.ends += 1
            share = max(1.0 / counts.ends, 0.005)
            counts.talk_seconds += share * (at - self._since.pop(ident) - counts.talk_seconds)

    def decide(
        self,
        now: float,
        ringing_ages: Ages,
        idle: int,
        talking_ages: Ages,
        wrapping_ages: Ages,
        logged_in: int,
        waiting: int,
        answer_odds: Ages | None = None,
        next_odds: Ages | None = None,
    ) -> int:
        """See :meth:`dialer.pacing.Pacer.decide`."""
        told = Told(now, len(ringing_ages), idle, talking_ages, wrapping_ages, logged_in, waiting)
        placed = max(int(self._rule(told, self._counts)), 0) if logged_in > 0 else 0
        self._last = {"placed": placed}
        return placed

    def explain(self) -> dict[str, Any]:
        """See :meth:`dialer.pacing.Pacer.explain`."""
        return dict(self._last)


def answer_share(counts: Counts) -> float:
    """The live share of the calls resolved in the last half hour, with twenty calls of a quarter before them."""
    calls = len(counts.resolved)
    return (sum(live for _, live in counts.resolved) + 5.0) / (calls + 20.0)


def fixed_multiplier(multiplier: float) -> RulePacer:
    """Lines in flight per agent on line who is not talking beyond a threshold: free agents x multiplier."""
    return RulePacer(lambda told, counts: round(told.idle * multiplier) - told.ringing - told.waiting)


def vicidial(method: str = "tapered", cap: float = 3.0, limit: float = 0.03) -> RulePacer:
    """VICIdial's adaptive dialling: ``method`` hard, average or tapered; a level per agent in 1 to ``cap``."""
    state = {"level": 1.0, "adapt": 0.0, "dial": 0.0, "samples": 0.0, "ready": 0.0, "agents": 0.0}

    def adapt(told: Told, counts: Counts) -> None:
        agents = max(state["agents"] / state["samples"], 1.0)
        lift = state["ready"] / state["samples"] / agents
        level = min(max(state["level"] * (1.0 + lift), 1.0), cap)
        if counts.answered > 50 and counts.dropped > limit * counts.answered:
            taper = max(1.0 - told.now / (4 * 3600.0), 0.0)
            level = {"hard": 1.0, "average": level / 2, "tapered": level * taper}[method]
        state.update(level=max(level, 1.0), adapt=told.now + PERIOD_SECONDS, samples=0.0, ready=0.0, agents=0.0)

    def rule(told: Told, counts: Counts) -> float:
        state["samples"] += 1
        state["ready"] += told.idle - told.waiting
        state["agents"] += told.logged_in
        if told.now >= state["adapt"]:
            adapt(told, counts)
        if told.now < state["dial"]:
            return 0
        state["dial"] = told.now + DIAL_SECONDS
        active = told.ringing + told.waiting + len(told.talking)
        return round(state["level"] * (told.idle + len(told.talking))) - active

    return RulePacer(rule)


def issabel(ring_seconds: float = 8.0) -> RulePacer:
    """Issabel's predictor: agents nearly certain to end, less what is in flight, over the answer share."""

    def rule(told: Told, counts: Counts) -> float:
        ages = np.asarray(told.talking, dtype=np.float64)
        ending = int((1.0 - np.exp(-(ages + ring_seconds) / max(counts.talk_seconds, 1.0)) >= 0.97).sum())
        free = told.idle + ending - told.waiting - told.ringing
        return floor(free / max(answer_share(counts), 0.2)) if free > 0 else 0

    return RulePacer(rule)


def expected_value(ring_seconds: float = 12.0, factor: float = 0.9) -> RulePacer:
    """Dial until the expected answers equal ``factor`` x the expected free agents one ring ahead."""

    def rule(told: Told, counts: Counts) -> float:
        busy = len(told.talking) + len(told.wrapping)
        free = told.idle + busy * (1.0 - exp(-ring_seconds / max(counts.talk_seconds, 1.0)))
        return floor((factor * free - told.waiting) / max(answer_share(counts), 0.02)) - told.ringing

    return RulePacer(rule)


def erlang_b(limit: float = 0.03, ring_seconds: float = 14.0) -> RulePacer:
    """Keep the flow of answers at the load that Erlang's loss formula blocks with ``limit``."""

    def rule(told: Told, counts: Counts) -> float:
        low, high = 0.0, float(max(told.logged_in, 1)) * 1.5
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if erlang_b_of(told.logged_in, middle) <= limit else (low, middle)
        flow = low / max(counts.talk_seconds, 1.0)
        in_flight = flow / max(answer_share(counts), 0.02) * ring_seconds * 1.5
        return floor(in_flight) - told.ringing

    return RulePacer(rule)
