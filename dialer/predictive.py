"""Predictive pacing: dial while the next call, if answered, would find no agent with at most the price's odds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10
from typing import Any

import numpy as np

from dialer.estimators import BIN, Floats, LineLaw
from dialer.guard import Steering
from dialer.hearing import MOST_OPEN, Hearing
from dialer.lookahead import EXACT_AGENTS, Lookahead
from dialer.pacing import Ages

LEARNING_ANSWERS = 20  # live answers before more than one call per free agent is placed
STORED_CALLS = 100  # resolved calls of an earlier day that stand for them
CAUTION = 0.5  # posterior standard deviations of the answer rate added to it
LINES_PER_ANSWER = 1.5  # calls in flight per agent, in units of the calls that one answer takes
SLICES = 4
ODDS_KEEP = 1.0 - 1.0 / 2000.0  # of the evidence on told odds, per resolved call
_NONE = np.empty(0)


@dataclass(slots=True)
class _Seen:
    """The last look at the world, for the estimators, and the last decision, for people."""

    ringing: Floats = field(default_factory=lambda: _NONE)
    talking: Floats = field(default_factory=lambda: _NONE)
    wrapping: Floats = field(default_factory=lambda: _NONE)
    logged_in: int = 0
    told: dict[str, Any] = field(default_factory=dict)


class Predictive:
    """The engine; PACING.md tells the method.

    Its state changes in ``observe`` (laws, tables, counts) and, in ``decide``, only by the last look and the
    charged price, so that equal states decide alike. ``history``: see :meth:`remember`.
    """

    def __init__(
        self,
        *,
        target: float,
        connect_deadline: float,
        ring_timeout: float,
        max_lines: int | None,
        windows: Sequence[tuple[float, float, int, int]],
        history: Mapping[str, Any] | None = None,
    ) -> None:
        self._max_lines = max_lines
        self.line = LineLaw(ring_timeout)
        self.steering = Steering.of(target, windows)
        self.hearing = Hearing(self.line, self.steering, max(connect_deadline, 0.0))
        self._learned = False
        if history:
            self._recall(history)
        self.ahead = Lookahead(self.line, self.hearing.talk, self.hearing.wrap)
        self.ahead.hold = self.hearing.hold
        self.ahead.renew_busy()
        self._seen = _Seen()
        self._renew_at, self._slice = 0.0, 0
        self._coming: deque[float] = deque()
        self._told: dict[int, float] = {}
        self._came, self._foretold = 25.0, 25.0

    # -- hearing --------------------------------------------------------------------------------------

    def observe(self, kind: str, at: float, ident: int, outcome: str | int | None = None) -> None:
        """See :meth:`dialer.pacing.Pacer.observe`. Unknown kinds and impossible orders are passed over."""
        if self.steering.begun is None:
            self.steering.begun = at
        self.hearing.hear(kind, at, ident, outcome)
        if kind == "dial" and self._coming:
            self._told[ident] = self._coming.popleft()
            if len(self._told) > MOST_OPEN:  # the oldest: its end will never be told
                del self._told[next(iter(self._told))]
        elif kind in ("answer", "fail") and self._told:
            foretold = self._told.pop(ident, None)
            if foretold is not None:
                self._came = ODDS_KEEP * self._came + (kind == "answer")
                self._foretold = ODDS_KEEP * self._foretold + foretold
        if not self._learned and self.line.rate.outcomes:
            self._learned = self.steering.answered >= LEARNING_ANSWERS
        if at >= self._renew_at or at < self._renew_at - 60.0:
            self._renew(at)

    def _renew(self, at: float) -> None:
        """One slice of the tables, off the hot path."""
        seen, ahead, line, hearing = self._seen, self.ahead, self.line, self.hearing
        which, self._slice = self._slice, (self._slice + 1) % SLICES
        if which == 0:
            slots = (np.fmax(np.fmin(seen.ringing, line.edges[-2]), 0.0) / BIN).astype(np.intp)
            line.refresh(np.bincount(slots, minlength=line.bins).astype(np.float64))
            rate = min(line.rate.mean + CAUTION * line.rate.sd, 0.98)
            ahead.renew_ring(rate, line.rate.sd / max(rate, 1e-6))
            hearing.forget(at)
            line.rate.pace(at)
        elif which == 1:
            hearing.talk.refresh(seen.talking)
            hearing.wrap.refresh(seen.wrapping)
            ahead.stay, ahead.hold = hearing.stay, hearing.hold
            ahead.exact = seen.logged_in <= EXACT_AGENTS
            ahead.renew_busy()
        else:
            ahead.renew_turns(which - 2)
        self._renew_at = at + min(max(line.rate.outcomes / 400.0, 0.25), 4.0)

    # -- deciding -------------------------------------------------------------------------------------

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
        seen = self._seen
        seen.logged_in = logged_in
        seen.ringing, seen.talking, seen.wrapping = _array(ringing_ages), _array(talking_ages), _array(wrapping_ages)
        self.hearing.talk_watch.look(now, seen.talking)
        self.hearing.wrap_watch.look(now, seen.wrapping)
        coming = None if next_odds is None else self._calibrated(next_odds)
        placed = self._decide(now, max(min(idle, logged_in), 0), logged_in, max(waiting, 0), answer_odds, coming)
        if coming is not None:
            self._coming = deque(_array(next_odds)[:placed].tolist())
        return placed

    def _decide(
        self, now: float, idle: int, logged_in: int, waiting: int, ringing_odds: Ages | None, coming: Floats | None
    ) -> int:
        seen, steering = self._seen, self.steering
        if logged_in <= 0:
            return self._say(0, "nobody is on line")
        in_flight = len(seen.ringing) + waiting
        one_each = max(idle - in_flight, 0)
        most, cap = self._most(logged_in, in_flight, coming)
        if not self._learned:
            so_far = f"so far {steering.answered}"
            reason = f"one call per free agent until {LEARNING_ANSWERS} live answers are known, {so_far}"
            return self._say(min(one_each, most), cap if most < one_each else reason)
        odds = None
        if ringing_odds is not None and len(ringing_odds) == len(seen.ringing):
            odds = self._calibrated(ringing_odds)
        load = self.ahead.load(seen.ringing, seen.talking, seen.wrapping, waiting - idle, odds)
        price = steering.price(now)
        placed, chance = self.ahead.place(load, price, most, coming)
        binding = cap if placed >= most else "price"
        room, whose = steering.room(now)
        if room < 0.0 and placed > one_each:
            placed, binding = min(one_each, most), f"hard limit of the {whose}"
        steering.charge(0.0 if binding.startswith("hard") else price)
        return self._say(placed, binding, price=price, chance=chance, expected_answers=load.pending, room=room)

    def _most(self, logged_in: int, in_flight: int, coming: Floats | None) -> tuple[int, str]:
        """The cap on calls to place now, and its name."""
        rate = self.ahead.rate
        if coming is not None and len(coming):
            rate = float(coming[: max(logged_in, 16)].mean())
        lines, name = ceil(logged_in * max(LINES_PER_ANSWER / max(rate, 0.02), 2.0)), "lines per agent"
        if self._max_lines is not None and self._max_lines < lines:
            lines, name = self._max_lines, "max_lines"
        return max(lines - in_flight, 0), name

    def _calibrated(self, odds: Ages) -> Floats:
        """Odds as told, scaled by how many of the calls with odds were really answered."""
        scale = min(max(self._came / self._foretold, 0.2), 5.0)
        told: Floats = np.fmax(np.fmin(_array(odds) * scale, 0.99), 0.0)
        return told

    def _say(self, placed: int, binding: str, **told: float) -> int:
        self._seen.told = {"placed": placed, "binding": binding, **told}
        return placed

    # -- telling --------------------------------------------------------------------------------------

    def explain(self) -> dict[str, Any]:
        """See :meth:`dialer.pacing.Pacer.explain`. Shares as fractions, spans in seconds."""
        rate, steering, hearing = self.line.rate, self.steering, self.hearing
        told = {key: _kept(value) if isinstance(value, float) else value for key, value in self._seen.told.items()}
        return {
            "reason": self._reason(),
            **told,
            "answer_rate": round(rate.mean, 4),
            "answer_rate_sd": round(rate.sd, 4),
            "talk_seconds": round(hearing.talk.mean, 1),
            "wrap_up_seconds": round(hearing.wrap.mean, 1),
            "hold_seconds": round(hearing.hold, 2),
            "answered": steering.answered,
            "dropped": steering.dropped,
            "odds_calibration": round(self._came / self._foretold, 3),
        }

    def _reason(self) -> str:
        told = self._seen.told
        binding = str(told.get("binding", "nothing has been decided yet"))
        if binding != "price":
            return binding
        chance, price = _percents(told["chance"], told["price"])
        return (
            f"a call answered now would find no agent with {chance}, "
            f"and {price} is the most that the limit on abandonment leaves"
        )

    def remember(self) -> dict[str, Any]:
        """What has been learned, as JSON can hold it, for ``make_pacer(history=...)`` of the next start."""
        return {
            "rate": self.line.rate.state(),
            "line": self.line.state(),
            "talk": self.hearing.talk.state(),
            "wrap": self.hearing.wrap.state(),
        }

    def _recall(self, history: Mapping[str, Any]) -> None:
        """Go on from what was remembered. Raises ValueError if it is not of this form."""
        try:
            self.line.rate.restore(history["rate"])
            self.line.restore(history["line"])
            self.hearing.talk.restore(history["talk"])
            self.hearing.wrap.restore(history["wrap"])
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"this is not a pacer's history: {error!r}") from error
        self._learned = sum(history["rate"]["calls"][-1:]) >= STORED_CALLS


def _array(values: Ages | None) -> Floats:
    return np.asarray(() if values is None else values, dtype=np.float64)


def _kept(value: float) -> float:
    """Five places, and of what is smaller than those three digits: 0.0000012 is not 0."""
    return round(value, 5) if abs(value) >= 0.01 or not isfinite(value) else float(f"{value:.3g}")


def _percents(*shares: float) -> tuple[str, ...]:
    """Shares in percent with one place, or as many digits as they need to be told from 0 and from each other."""
    for digits in (2, 3, 4, 5):
        told = tuple(_percent(100.0 * share, digits) for share in shares)
        if len(set(told)) == len(set(shares)):
            break
    return told


def _percent(value: float, digits: int) -> str:
    if value >= 1.0 or value <= 0.0:
        return f"{max(value, 0.0):.{digits - 1}f} %"
    return f"{value:.{digits - 1 - floor(log10(value))}f} %" if value >= 1e-6 else "less than 0.000001 %"
