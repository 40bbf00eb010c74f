"""A pacer's events and decisions as lines of JSON, and the same decisions made again from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dialer.pacing import Ages, Pacer, make_pacer


@runtime_checkable
class Remembers(Protocol):
    """A pacer that can tell what it has learned."""

    def remember(self) -> dict[str, Any] | None:
        """For ``history=`` of the next one; None where there is nothing to learn."""
        ...


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

    def remember(self) -> dict[str, Any] | None:
        """See :class:`Remembers`."""
        return self.pacer.remember() if isinstance(self.pacer, Remembers) else None


def header(campaign: str, settings: dict[str, Any]) -> str:
    """The line before all others of a pacer: what :func:`dialer.pacing.make_pacer` made it of."""
    return json.dumps(["p", campaign, settings])


def replay_all(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    """As :func:`replay`, with the pacers that the trace itself describes: a new one at each header.

    Raises ValueError where a line is not of a trace, or no header stands before it.
    """
    pacer: Pacer | None = None
    for line in lines:
        entry = _entry(line)
        if entry[:1] == ["p"] and len(entry) == 3:
            try:
                pacer = make_pacer(**entry[2])
            except TypeError as error:
                raise ValueError(f"the header is of another version: {error}") from error
        elif pacer is None:
            raise ValueError("a trace begins with its header")
        else:
            yield from replay([line], pacer)


def replay(lines: Iterable[str], pacer: Pacer) -> Iterator[tuple[int, int]]:
    """Tell a new pacer what a trace holds. Yields (placed then, placed now) per decision.

    Raises ValueError where a line is not of a trace.
    """
    for line in lines:
        entry = _entry(line)
        if entry[:1] == ["o"] and len(entry) == 5:
            pacer.observe(*entry[1:])
        elif entry[:1] == ["d"] and len(entry) == 3:
            now, ringing, idle, talking, wrapping, logged_in, waiting, answer_odds, next_odds = entry[1]
            placed = pacer.decide(now, ringing, idle, talking, wrapping, logged_in, waiting, answer_odds, next_odds)
            yield entry[2], placed
        else:
            raise ValueError(f"not a line of a trace: {line[:80]}")


def _entry(line: str) -> list[Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not a line of a trace: {line[:80]}") from error
    return entry if isinstance(entry, list) else []


def _plain(values: Ages | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values]
