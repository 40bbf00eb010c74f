"""How many calls to place now: pure arithmetic behind one interface.

A pacer hears what happens (:meth:`Pacer.observe`) and answers how many calls to place
(:meth:`Pacer.decide`). It reads no clock, does no I/O and draws no global random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Ages: TypeAlias = "NDArray[np.float64] | Sequence[float]"


class Pacer(Protocol):
    """Decides how many calls to place."""

    def observe(self, kind: str, at: float, ident: int, outcome: str | int | None = None) -> None:
        """Hear of one thing that happened.

        ``kind``: dial, answer, fail, connect, drop, hangup, ready, login, logout; ``at``: seconds on one
        clock; ``ident``: the call's number (dial to drop) or the agent's (connect to logout; for connect the
        call's, with the agent's in ``outcome``). A fail's outcome is no_answer, busy, invalid or machine. A drop
        of a number below 0 is a person who, by measure, was taken for a machine.
        """
        ...

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
        """Calls to place now, never negative.

        Ages are seconds, unordered: of calls not answered yet, of talks, of wrap-ups. ``waiting``: people
        who answered and have no agent. Odds: probabilities of a live answer, per ringing call and for the
        next leads in order.
        """
        ...

    def explain(self) -> dict[str, Any]:
        """The state, the numbers and the binding limit of the last decision."""
        ...


@dataclass(slots=True)
class _Ratio:
    """Free agents x multiplier calls at once, as AutoCall's call multiplier has it.

    The fractional part is not lost: each call of the whole part earns fraction / whole of a further one, so
    with one agent 1.2 means two calls every fifth time. At no time are there more than the product rounded
    up.
    """

    multiplier: float
    max_lines: int | None
    earned: float = 0.0
    last: dict[str, Any] | None = None

    def observe(self, kind: str, at: float, ident: int, outcome: str | int | None = None) -> None:
        """A fixed ratio learns nothing."""

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
        """See :meth:`Pacer.decide`."""
        free = min(max(idle, 0), max(logged_in, 0))
        in_flight = len(ringing_ages) + max(waiting, 0)
        target = round(free * self.multiplier, 6)
        whole, room = math.floor(target), math.ceil(target) - in_flight
        place = max(whole - in_flight, 0)
        if whole == 0 < target:
            place += self._earn(target, 1, room - place)
        elif place:
            place += self._earn((target - whole) / whole, place, room - place)
        binding = "multiplier"
        if self.max_lines is not None and in_flight + place > self.max_lines:
            place, binding = max(self.max_lines - in_flight, 0), "max_lines"
        self.last = {
            "free_agents": free,
            "multiplier": self.multiplier,
            "target": target,
            "in_flight": in_flight,
            "earned": round(self.earned, 3),
            "placed": place,
            "binding": "no free agent" if free == 0 else binding,
        }
        return place

    def _earn(self, share: float, calls: int, room: int) -> int:
        self.earned = round(self.earned + share * calls, 9)
        extra = min(math.floor(self.earned), max(room, 0))
        self.earned = round(self.earned - extra, 9) % 1.0 if extra else min(self.earned, 1.0)
        return extra

    def explain(self) -> dict[str, Any]:
        """See :meth:`Pacer.explain`."""
        return dict(self.last or {})


def make_pacer(
    mode: str,
    *,
    target: float = 0.03,
    connect_deadline: float = 2.0,
    ring_timeout: float = 25.0,
    max_lines: int | None = None,
    multiplier: float = 1.0,
    windows: Sequence[tuple[float, float, int, int]] = (),
    seed: int = 0,
    history: Mapping[str, Any] | None = None,
) -> Pacer:
    """A pacer for ``progressive`` (one call per free agent), ``power`` (free agents x multiplier), ``predictive``.

    ``target``: the share of answered calls that may be abandoned; ``windows``: (seconds, limit, dropped so
    far, answered so far) from the ledger; ``history``: what an earlier predictive pacer's ``remember`` told.
    ``seed`` is taken for every mode alike: none of them draws random numbers. Raises ValueError for another
    mode or for numbers that make no sense.
    """
    if mode == "progressive":
        return _Ratio(1.0, max_lines)
    if mode == "power":
        return _Ratio(multiplier, max_lines)
    if mode == "predictive":
        from dialer.predictive import Predictive  # noqa: PLC0415  numpy only where it is used

        return Predictive(
            target=target,
            connect_deadline=connect_deadline,
            ring_timeout=ring_timeout,
            max_lines=max_lines,
            windows=windows,
            history=history,
        )
    raise ValueError(f"there is no pacing for mode {mode!r}")
