"""The price of a drop, steered by what has happened, and the hard guard on every window of the law."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, inf, sqrt

GRAIN = 3600.0 / 4  # seconds of one bucket of a window
KEEP = 1.0 - 1.0 / 3000.0
RATIO_PRIOR = 5.0
GRACE = 3.0  # drops that a shift may be in debt at its very start


@dataclass(slots=True)
class Window:
    """Dropped and answered of the last ``seconds``; carried-over counts fade evenly as they grow old."""

    seconds: float
    limit: float
    carried_dropped: float
    carried_answered: float
    dropped: float = 0.0
    answered: float = 0.0
    started: float | None = None
    buckets: deque[list[float]] = field(default_factory=deque)

    def count(self, at: float, dropped: int) -> None:
        """One answered call has found its agent or been dropped."""
        if self.started is None:
            self.started = at
        if not self.buckets or at >= self.buckets[-1][0] + min(GRAIN, self.seconds / 64):
            self.buckets.append([at, 0.0, 0.0])
        self.buckets[-1][1] += dropped
        self.buckets[-1][2] += 1
        self.dropped += dropped
        self.answered += 1

    def totals(self, now: float) -> tuple[float, float]:
        """Dropped and answered within the window that ends now."""
        while self.buckets and self.buckets[0][0] < now - self.seconds:
            _, dropped, answered = self.buckets.popleft()
            self.dropped -= dropped
            self.answered -= answered
        kept = 1.0
        if self.started is not None and self.seconds > 0:
            kept = min(max(1.0 - (now - self.started) / self.seconds, 0.0), 1.0)
        return self.dropped + kept * self.carried_dropped, self.answered + kept * self.carried_answered


@dataclass(frozen=True, slots=True)
class Feel:
    """How a limit is kept: numbers found by simulation of 5 to 300 agents.

    ``margin`` + ``margin_growth`` x sqrt(allowed): drops kept in reserve, at first no more than ``early`` +
    ``early_growth`` x allowed. ``calm``: allowed drops over which the gains weaken. Below ``knee`` drops of
    room the ``barrier`` lowers the price by a factor e^-barrier per drop.
    """

    margin: float
    margin_growth: float
    early: float
    early_growth: float
    knee: float
    calm: float
    gain_above: float
    gain_below: float
    barrier: float

    def lean(self, limit: float, dropped: float, answered: float, grace: float) -> float:
        """The logarithm of what the price is multiplied by; ``grace``: drops forgiven for the time being."""
        allowed = limit * answered
        margin = min(self.margin + self.margin_growth * sqrt(allowed), self.early + self.early_growth * allowed)
        balance = (allowed - dropped - margin) / sqrt(1.0 + allowed / self.calm)
        gain = self.gain_above if balance > 0 else self.gain_below
        room = limit * (answered + 1.0) - dropped - 1.0 + grace
        steep = self.barrier * max(min(room - self.knee, 0.0), -8.0)
        return gain * max(min(balance, 6.0), -12.0) + steep


SHIFT = Feel(0.5, 0.3, 0.3, 0.2, knee=0.7, calm=10.0, gain_above=0.12, gain_below=0.25, barrier=1.0)
WINDOW = Feel(2.5, 0.3, 1.3, 0.3, knee=2.5, calm=30.0, gain_above=0.25, gain_below=0.45, barrier=0.8)


@dataclass(slots=True)
class Steering:
    """The price theta: slow learning of its level, fast correction by the balance of allowed drops.

    The balance is limit x answers - drops - margin. Below zero the price falls faster than it rises above,
    so that the balance hovers a few drops above zero whenever one looks: a shift that ends at any moment
    ends under its limit. Windows have a hard guard, so their price keeps a wider berth.
    """

    target: float
    windows: list[Window]
    shift_feel: Feel = SHIFT
    window_feel: Feel = WINDOW
    answered: int = 0
    dropped: int = 0
    ratio_dropped: float = RATIO_PRIOR * 1.2
    ratio_priced: float = RATIO_PRIOR
    charged: float = 0.03

    @classmethod
    def of(cls, target: float, windows: Sequence[tuple[float, float, int, int]]) -> Steering:
        """From the ledger's (seconds, limit, dropped so far, answered so far)."""
        rows = [Window(float(s), float(limit), float(d), float(a)) for s, limit, d, a in windows]
        return cls(target, rows, charged=target)

    def count(self, at: float, dropped: bool) -> None:
        """One answered call has found its agent or been dropped."""
        self.answered += 1
        self.dropped += dropped
        self.ratio_dropped = KEEP * self.ratio_dropped + dropped
        self.ratio_priced = KEEP * self.ratio_priced + self.charged
        for window in self.windows:
            window.count(at, int(dropped))

    def price(self, now: float) -> float:
        """The price of the marginal drop now, by the limit that is nearest."""
        grace = max(GRACE - self.answered / 60.0, 0.0)
        lean = self.shift_feel.lean(self.target, self.dropped, self.answered, grace)
        for window in self.windows:
            dropped, answered = window.totals(now)
            lean = min(lean, self.window_feel.lean(window.limit, dropped, answered, 0.0))
        return min(self.base * exp(lean), 0.75)

    @property
    def base(self) -> float:
        """The price at which, by experience, the target's share is dropped."""
        return min(self.target * self.ratio_priced / self.ratio_dropped, 0.5)

    def charge(self, price: float) -> None:
        """What the decision just made has charged."""
        self.charged += 0.05 * (price - self.charged)

    def room(self, now: float) -> tuple[float, str]:
        """Drops still allowed in a window if the next call, too, were abandoned; negative: none. And which."""
        room, whose = inf, ""
        for window in self.windows:
            dropped, answered = window.totals(now)
            left = window.limit * (answered + 1.0) - dropped - 1.0
            if left < room:
                room, whose = left, f"window of {window.seconds:.0f} s"
        return room, whose
