"""The price of a drop, steered by what has happened, and the hard guard on every window of the law."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from math import exp, inf, sqrt

GRAIN = 3600.0 / 4  # seconds of one bucket of a window
KEEP = 1.0 - 1.0 / 3000.0
RATIO_PRIOR = 5.0


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
    """How room for drops is spent: numbers from dynamic programming and simulation, see PACING.md.

    ``offset``: room at which the price is almost nothing; ``soft``: drops over which it rises to its level from
    there. Room above ``reserve`` is released over the answers still to come, with ``gentle`` drops' caution.
    ``last``: room that must be left at the settlement, ``ease``: drops over which the price rises from there.
    ``most``: of the level, since a high price near the end drops several people within seconds.
    """

    offset: float
    soft: float
    reserve: float
    gentle: float
    last: float
    ease: float
    most: float

    def toward(self, other: Feel, share: float) -> Feel:
        """A blend of two."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Feel(*(mine + share * (its - mine) for mine, its in pairs))

    def level(self, room: float, left: float, flow: float) -> float:
        """What the base price is multiplied by.

        ``room``: drops allowed by now less drops; ``left``: drops that answers still to come allow until the
        settlement; ``flow``: drops allowed per minute: what is on its way while the price is changed.
        """
        scale = sqrt(1.0 + flow)
        level = max(1.0 - exp(-max(room / scale - self.offset, 0.0) / self.soft), FLOOR)
        level += max(room - self.reserve * scale, 0.0) / (left + self.gentle)
        ends = (room + left - self.last * scale) / (self.ease * scale)
        return min(level, self.most) * max(min(ends, 1.0), 0.02)


FLOOR = 0.08  # of the level
LOOSE = Feel(offset=-0.1, soft=1.75, reserve=1.3, gentle=0.7, last=1.0, ease=0.4, most=2.5)
TIGHT = Feel(offset=0.3, soft=1.75, reserve=2.5, gentle=2.0, last=2.3, ease=1.8, most=1.5)
FEW = 14.0  # drops that a shift allows, up to which the feel is loose; tight from twice as many
SETTLED = 4 * 3600.0  # seconds after which the balance of a shift is to be spent, and again
GRACE, GRACE_ANSWERS = 1.0, 150.0  # drops forgiven at the very start, and until how many answers


def _feel(allowance: float) -> Feel:
    """For a shift that allows so many drops: where they are few, each one held back costs most."""
    share = max(min(allowance / FEW - 1.0, 1.0), 0.0)
    return TIGHT if share >= 1.0 else LOOSE.toward(TIGHT, share)


@dataclass(slots=True)
class Steering:
    """The price theta: a base, slowly learned, times a level by the room that drops have.

    The base is the price at which, by experience, the target's share is dropped. The level falls to almost
    nothing as the room of the shift or of a window runs out, and rises above one where room would be left
    over at the settlement, so that a shift which ends at any moment ends under its limit, and one that ends
    at the settlement has spent it. ``begun``: seconds, of the first event. ``feel``: None: by the shift's size.
    """

    target: float
    windows: list[Window]
    answered: int = 0
    dropped: int = 0
    ratio_dropped: float = RATIO_PRIOR * 1.2
    ratio_priced: float = RATIO_PRIOR
    charged: float = 0.03
    begun: float | None = None
    feel: Feel | None = None

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
        elapsed = max(now - self.begun, 0.0) if self.begun is not None else 0.0
        pace = self.answered / max(elapsed, 120.0)
        until = SETTLED - elapsed % SETTLED
        flow = 60.0 * pace * self.target
        feel = self.feel or _feel(self.target * pace * SETTLED)
        room = self.target * self.answered - self.dropped + GRACE * max(1.0 - self.answered / GRACE_ANSWERS, 0.0)
        level = feel.level(room, self.target * pace * until, flow)
        for window in self.windows:
            dropped, answered = window.totals(now)
            room = window.limit * (answered + 1.0) - dropped - 1.0
            level = min(level, feel.level(room, window.limit * pace * until + 2.0, flow))
        return min(self.base * level, 0.5)

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
