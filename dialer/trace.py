"""A pacer's events and decisions as lines of JSON, and the same decisions made again from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dialer.pacing import Ages, Pacer


@dataclass(slots=True)
class Recorder:
    """A pacer that writes down all it hears and answers; ``write`` takes one line without its end."""

    pacer: Pacer
    write: Callable[[str], object]

    def observe(self, kind: str, at: float, ident: int, outcome: str | int | None = None) -> None:
        """See :meth:`dialer.pacing.Pacer.observe`."""
        self.write(json.dumps(["o", kind, at, ident, outcome]))
        self.pacer.observe(kind, at, ident, outcome)

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
        told = [now, _plain(ringing_ages), idle, _plain(talking_ages), _plain(wrapping_ages), logged_in, waiting]
        told += [_plain(answer_odds), _plain(next_odds)]
        placed = self.pacer.decide(
            now, ringing_ages, idle, talking_ages, wrapping_ages, logged_in, waiting, answer_odds, next_odds
        )
        self.write(json.dumps(["d", told, placed]))
        return placed

    def explain(self) -> dict[str, Any]:
        """See :meth:`dialer.pacing.Pacer.explain`."""
        return self.pacer.explain()


def replay(lines: Iterable[str], pacer: Pacer) -> Iterator[tuple[int, int]]:
    """Tell a new pacer what a trace holds. Yields (placed then, placed now) per decision.

    Raises ValueError where a line is not of a trace.
    """
    for line in lines:
        entry = json.loads(line)
        if entry[:1] == ["o"] and len(entry) == 5:
            pacer.observe(*entry[1:])
        elif entry[:1] == ["d"] and len(entry) == 3:
            now, ringing, idle, talking, wrapping, logged_in, waiting, answer_odds, next_odds = entry[1]
            placed = pacer.decide(now, ringing, idle, talking, wrapping, logged_in, waiting, answer_odds, next_odds)
            yield entry[2], placed
        else:
            raise ValueError(f"not a line of a trace: {line[:80]}")


def _plain(values: Ages | None) -> list[float] | None:
    return None if values is None else np.asarray(values, dtype=np.float64).tolist()
