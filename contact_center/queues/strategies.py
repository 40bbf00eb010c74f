"""Which of the agents who could take a caller is rung first.

A penalty goes before every strategy, as Asterisk's users know it: who has a lower one is rung first. Only
``weighted_random`` takes it as a weight instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent who is free and may take the caller. ``taken``: calls of this queue that he took."""

    ext: str
    idle_since_at: datetime
    taken: int = 0
    penalty: int = 0
    mastery: int = 0


@dataclass(slots=True)
class Memory:
    """What a strategy remembers of its queue: who was rung last, and its dice."""

    last_rung: str = ""
    dice: Random = field(default_factory=Random)


Order = Callable[[Sequence[Candidate], Memory], list[Candidate]]


def _by_length(ext: str) -> tuple[int, str]:
    return len(ext), ext


def _longest_idle(found: Sequence[Candidate], _: Memory) -> list[Candidate]:
    return sorted(found, key=lambda c: (c.penalty, c.idle_since_at, _by_length(c.ext)))


def _fewest_calls(found: Sequence[Candidate], _: Memory) -> list[Candidate]:
    return sorted(found, key=lambda c: (c.penalty, c.taken, c.idle_since_at, _by_length(c.ext)))


def _round_robin(found: Sequence[Candidate], memory: Memory) -> list[Candidate]:
    """After the one who was rung last, by extension; he himself comes last."""
    last = _by_length(memory.last_rung)
    return sorted(found, key=lambda c: (c.penalty, _by_length(c.ext) <= last, _by_length(c.ext)))


def _weighted_random(found: Sequence[Candidate], memory: Memory) -> list[Candidate]:
    """By dice, the more often the lower the penalty: with twice the penalty plus one, half as often."""
    drawn = {c.ext: memory.dice.random() ** (c.penalty + 1) for c in sorted(found, key=lambda c: _by_length(c.ext))}
    return sorted(found, key=lambda c: drawn[c.ext], reverse=True)


def _skills(found: Sequence[Candidate], _: Memory) -> list[Candidate]:
    return sorted(found, key=lambda c: (c.penalty, -c.mastery, c.idle_since_at, _by_length(c.ext)))


STRATEGIES: dict[str, Order] = {
    "longest_idle": _longest_idle,
    "fewest_calls": _fewest_calls,
    "round_robin": _round_robin,
    "ring_all": _longest_idle,
    "weighted_random": _weighted_random,
    "penalties": _longest_idle,
    "skills": _skills,
}


def in_order(strategy: str, found: Sequence[Candidate], memory: Memory) -> list[Candidate]:
    """The candidates, the one to be rung first in front."""
    return STRATEGIES[strategy](found, memory)
