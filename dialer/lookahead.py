"""P(a call dialled now, if answered, finds no agent): the distribution of answers against free agents.

For horizons h_j (quantiles of the answer time) the balance D_j = answered by then - agents free by then is a
sum of independent indicators. Small teams: its exact distribution by the discrete Fourier transform of the
probability generating function; larger ones: normal with continuity and skewness correction (Edgeworth).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from dialer.estimators import BIN, Floats, HandleLaw, LineLaw

HORIZONS = 8
POINTS = 64  # of the Fourier transform
LOWEST = -24  # the balance is told apart from LOWEST to LOWEST + POINTS - 1
EXACT_AGENTS = 24  # up to so many agents the distribution is exact
MOST_AT_ONCE = 4000

TALK_AGES = np.array(
    [0, 1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 26, 31, 36, 42, 48, 56, 64, 74, 86, 100, 118, 140, 170, 210, 270, 350,
     450, 600, 900, 1500], dtype=np.float64)  # fmt: skip
WRAP_AGES = np.array([0, 1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 26, 32, 40, 50, 65, 90, 150, 300], dtype=np.float64)


def _middles(edges: Floats) -> Floats:
    return np.append((edges[:-1] + edges[1:]) / 2, edges[-1] * 1.2)


def _slots(edges: Floats) -> NDArray[np.intp]:
    """Which bin an age of so many whole seconds is in."""
    return np.searchsorted(edges, np.arange(int(edges[-1]) + 1), side="right") - 1


_TALK_SLOT, _WRAP_SLOT = _slots(TALK_AGES), _slots(WRAP_AGES)
_TALK_MIDDLE, _WRAP_MIDDLE = _middles(TALK_AGES), _middles(WRAP_AGES)
_HALF = POINTS // 2 + 1
_TURN = np.exp(2j * pi * np.arange(_HALF) / POINTS)


def _tail_kernel() -> NDArray[np.complex128]:
    """Weights w with P(D >= 0) = Re(sum over frequencies of w x characteristic function)."""
    balances = np.arange(0, LOWEST + POINTS)
    kernel: NDArray[np.complex128] = np.conj(_TURN[:, None] ** balances).sum(axis=1) / POINTS
    kernel[1 : POINTS // 2] *= 2.0
    return np.asarray(kernel)


_KERNEL = np.tile(_tail_kernel() / HORIZONS, HORIZONS)


@dataclass(slots=True)
class Load:
    """The balance without further calls: cumulants per horizon, and its characteristic function if exact."""

    mean: Floats
    variance: Floats
    skew: Floats
    answers: Floats
    transform: NDArray[np.complex128] | None
    pending: float


class Lookahead:
    """Tables of the laws, renewed in slices off the hot path, and the probability itself."""

    def __init__(self, line: LineLaw, talk: HandleLaw, wrap: HandleLaw) -> None:
        self._line, self._talk, self._wrap = line, talk, wrap
        self.exact = True
        self.hold = 2.0
        self.stay = 0.985
        self.rate, self.spread = line.rate.mean, 0.0
        self.horizons = line.quantiles(HORIZONS)
        bins = line.bins + len(TALK_AGES) + len(WRAP_AGES)
        self._sums = np.zeros((bins, 3 * HORIZONS + 1))
        self._turns = np.ones((bins, HORIZONS * _HALF), dtype=np.complex128)
        self.arrive = np.zeros(HORIZONS)
        self._inside = np.zeros((line.bins, HORIZONS))
        self._alive = np.zeros((line.bins, 2))
        self.renew_ring(self.rate, 0.0)
        self.renew_busy()
        self.renew_turns(0)
        self.renew_turns(1)

    # -- off the hot path -----------------------------------------------------------------------------

    def renew_ring(self, rate: float, spread: float) -> None:
        """Take over the answer law. ``rate``: of an answer; ``spread``: its relative uncertainty."""
        line, self.rate, self.spread = self._line, rate, spread
        self.horizons = line.quantiles(HORIZONS)
        middle = line.edges[:-1] + BIN / 2
        inside = np.interp(middle, line.edges, line.answer_cdf)
        later = np.interp(middle[:, None] + self.horizons, line.edges, line.answer_cdf) - inside[:, None]
        alive = 1.0 - np.interp(middle, line.edges, line.fail_cdf)
        self._inside = np.maximum(later, 0.0)
        self._alive = np.stack([np.maximum(1.0 - inside, 0.0), np.maximum(alive, 1e-9)], axis=1)
        still = rate * self._alive[:, 0] + (1.0 - rate) * self._alive[:, 1]
        chance = np.clip(rate * self._inside / still[:, None], 0.0, 1.0)
        ring = self._sums[: line.bins]
        ring[:, :HORIZONS] = chance
        ring[:, HORIZONS : 2 * HORIZONS] = chance * (1 - chance)
        ring[:, 2 * HORIZONS : 3 * HORIZONS] = chance * (1 - chance) * (1 - 2 * chance)
        ring[:, -1] = rate * self._alive[:, 0] / still
        self.arrive = (np.arange(HORIZONS) + 0.5) / HORIZONS

    def renew_busy(self) -> None:
        """Take over the laws of talk and wrap-up: P(ready within h + hold | state, age)."""
        within = self.horizons + self.hold
        count = 30
        step = float(within[-1]) / count
        ends = np.arange(count + 1) * step
        talk = self._talk.hazard_until(_TALK_MIDDLE[:, None] + ends)
        left = np.exp(-(talk - talk[:, :1]))
        wrap = 1.0 - np.exp(-self._wrap.hazard_until(np.maximum(within - (ends[:-1, None] + step / 2), 0.0)))
        free_talk = (left[:, :-1] - left[:, 1:]) @ wrap
        start = self._wrap.hazard_until(_WRAP_MIDDLE)[:, None]
        free_wrap = 1.0 - np.exp(-(self._wrap.hazard_until(_WRAP_MIDDLE[:, None] + within) - start))
        free = np.clip(np.concatenate([free_talk, free_wrap]) * self.stay, 0.0, 1.0)
        busy = self._sums[self._line.bins :]
        busy[:, :HORIZONS] = -free
        busy[:, HORIZONS : 2 * HORIZONS] = free * (1 - free)
        busy[:, 2 * HORIZONS : 3 * HORIZONS] = -free * (1 - free) * (1 - 2 * free)

    def renew_turns(self, part: int) -> None:
        """Generating functions at the roots of unity: part 0 ringing calls, 1 busy agents; small teams only."""
        if not self.exact:
            return
        bins = self._line.bins
        rows, turn = (slice(0, bins), _TURN) if part == 0 else (slice(bins, None), np.conj(_TURN))
        chance = np.abs(self._sums[rows, :HORIZONS, None])
        self._turns[rows] = (1.0 + chance * (turn - 1.0)).reshape(chance.shape[0], -1)

    def chances(self, ringing: Floats, talking: Floats, wrapping: Floats) -> tuple[Floats, Floats]:
        """P(answered by h_j) per ringing call and P(free by h_j) per busy agent, talks first."""
        ring, busy = self._slots(ringing, talking, wrapping)
        return self._sums[ring, :HORIZONS], -self._sums[busy, :HORIZONS]

    # -- the hot path ---------------------------------------------------------------------------------

    def _slots(self, ringing: Floats, talking: Floats, wrapping: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of the tables: of ringing calls, of busy agents."""
        bins = self._line.bins
        ring = (np.fmax(np.fmin(ringing, (bins - 1) * BIN), 0.0) * (1.0 / BIN)).astype(np.intp)
        talk = _TALK_SLOT[np.fmax(np.fmin(talking, TALK_AGES[-1]), 0.0).astype(np.intp)]
        wrap = _WRAP_SLOT[np.fmax(np.fmin(wrapping, WRAP_AGES[-1]), 0.0).astype(np.intp)]
        return ring, np.concatenate([talk + bins, wrap + (bins + len(TALK_AGES))])

    def load(self, ringing: Floats, talking: Floats, wrapping: Floats, surplus: int, odds: Floats | None) -> Load:
        """The balance if nothing more is dialled. ``surplus``: people on hold less idle agents."""
        bins = self._line.bins
        ring, busy = self._slots(ringing, talking, wrapping)
        every = busy if odds is not None else np.concatenate([ring, busy])
        counts = np.bincount(every, minlength=len(self._sums)).astype(np.float64)
        sums = counts @ self._sums
        full = np.multiply.reduce(self._turns[every], axis=0) if self.exact else None
        if odds is None:
            answers, pending = counts[:bins] @ self._sums[:bins, :HORIZONS], float(sums[-1])
        else:
            alive = self._alive[ring]
            scale = odds / (odds * alive[:, 0] + (1.0 - odds) * alive[:, 1])
            chance = np.clip(self._inside[ring] * scale[:, None], 0.0, 1.0)
            answers, pending = chance.sum(axis=0), float((scale * alive[:, 0]).sum())
            spread = chance * (1 - chance)
            sums[:HORIZONS] += answers
            sums[HORIZONS : 2 * HORIZONS] += spread.sum(axis=0)
            sums[2 * HORIZONS : 3 * HORIZONS] += (spread * (1 - 2 * chance)).sum(axis=0)
            if full is not None and len(ring):
                each = 1.0 + chance[:, :, None] * (_TURN - 1.0)
                full = full * np.multiply.reduce(each.reshape(len(ring), -1), axis=0)
        if full is not None:
            told_apart = max(surplus, LOWEST + len(busy))  # idle agents beyond do not count until the tables follow
            full = (full.reshape(HORIZONS, _HALF) * _TURN**told_apart).ravel()
        h = HORIZONS
        return Load(sums[:h] + surplus, sums[h : 2 * h].copy(), sums[2 * h : 3 * h], answers, full, pending)

    def place(self, load: Load, price: float, most: int, odds: Floats | None) -> tuple[int, float]:
        """The most calls n <= ``most`` so that the n-th, if answered, finds no agent with P <= ``price``.

        ``odds``: of the next leads in order. Returns n and the probability at n (without a further call).
        """
        if load.transform is not None:
            return self._place_exact(load, load.transform, price, min(most, 96), odds)
        return self._place_normal(load, price, min(most, MOST_AT_ONCE), odds)

    def _place_exact(
        self, load: Load, transform: NDArray[np.complex128], price: float, most: int, odds: Floats | None
    ) -> tuple[int, float]:
        if float(load.mean[-1]) > LOWEST + POINTS - 16:
            return 0, 1.0
        common = (1.0 + (self.rate * self.arrive)[:, None] * (_TURN - 1.0)).ravel()
        placed, chance = 0, max(float((transform @ _KERNEL).real), 0.0)
        while placed < most and chance <= price:
            if odds is not None and placed < len(odds):
                step = (1.0 + (odds[placed] * self.arrive)[:, None] * (_TURN - 1.0)).ravel()
            else:
                step = common
            after = transform * step
            following = float((after @ _KERNEL).real)
            placed += 1
            if following > price:
                break
            transform, chance = after, following
        return placed, chance

    def _place_normal(self, load: Load, price: float, most: int, odds: Floats | None) -> tuple[int, float]:
        if odds is not None and len(odds):
            first = np.concatenate([[0.0], np.cumsum(odds)])
            second = np.concatenate([[0.0], np.cumsum(odds * odds)])
            rest, known = self.rate, len(odds)
        else:
            first = second = np.zeros(1)
            rest, known = self.rate, 0
        rows = list(zip(load.mean.tolist(), load.variance.tolist(), load.skew.tolist(),
                        load.answers.tolist(), self.arrive.tolist(), strict=True))  # fmt: skip

        def chance(n: int) -> float:
            inside, more = min(n, known), max(n - known, 0)
            total = float(first[inside]) + more * rest
            squares = float(second[inside]) + more * rest * rest
            return sum(_tail(row, total, squares, self.spread) for row in rows) / HORIZONS

        at_once = chance(0)
        if at_once > price or most == 0:
            return 0, at_once
        middling = HORIZONS // 2  # where the mean is balanced the chance is about a half: seldom is there more to place
        balanced = -rows[middling][0] / max(self.rate * rows[middling][4], 1e-3)
        low, high = 0, min(max(int(balanced), 1), most)
        while high < most and chance(high) <= price:
            low, high = high, min(high * 2, most)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if chance(middle) <= price else (low, middle)
        return min(low + 1, most), at_once


def _tail(row: tuple[float, float, float, float, float], total: float, squares: float, spread: float) -> float:
    """P(D >= 0) at one horizon with further calls of these summed odds, by Edgeworth's first correction."""
    mean, variance, skew, answers, arrive = row
    extra = total * arrive
    square = squares * arrive * arrive
    mean += extra
    variance += extra - square + ((answers + extra) * spread) ** 2
    skew += extra - 3.0 * square + 2.0 * square * (square / extra if extra > 0.0 else 0.0)
    deviation = sqrt(variance) if variance > 1e-6 else 1e-3
    x = (-0.5 - mean) / deviation
    if x > 6.0:
        return 0.0
    if x < -3.0:
        return 1.0
    plain = 0.5 * erfc(x * 0.7071067811865476)
    bend = skew / (variance * deviation) if variance > 1e-6 else 0.0
    corrected = plain + bend / 6.0 * (x * x - 1.0) * exp(-x * x / 2.0) * 0.3989422804014327
    return min(max(corrected, 0.0), 1.0)
