"""What an agent must be able to do for a caller, and how a long wait makes one less demanding."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

HIGHEST = 10
_NEED = re.compile(r"([a-z][a-z0-9_-]{0,29})(?::([0-9]{1,2}))?\Z")


def parse_levels(words: Iterable[str]) -> dict[str, int]:
    """``danish:3`` or ``billing`` (level 1) as levels by name. Raises ValueError."""
    levels: dict[str, int] = {}
    for word in words:
        match = _NEED.match(word.strip().lower())
        level = int(match.group(2) or 1) if match else 0
        if match is None or not 1 <= level <= HIGHEST:
            raise ValueError(f"a skill as danish:3 is wanted, with a level from 1 to {HIGHEST}")
        levels[match.group(1)] = level
    return levels


def relaxed(needs: Mapping[str, int], waited_seconds: float, relax_seconds: float) -> dict[str, int]:
    """What is still wanted after a wait: each ``relax_seconds`` (0: never) takes one level off every need."""
    if relax_seconds <= 0:
        return dict(needs)
    steps = math.floor(max(waited_seconds, 0.0) / relax_seconds + 1e-9)
    return {name: level - steps for name, level in needs.items() if level > steps}


def next_relaxation(needs: Mapping[str, int], waited_seconds: float, relax_seconds: float) -> float | None:
    """Seconds until less is wanted; None when nothing will change any more."""
    if not needs or relax_seconds <= 0 or not relaxed(needs, waited_seconds, relax_seconds):
        return None
    steps = math.floor(max(waited_seconds, 0.0) / relax_seconds + 1e-9) + 1
    return steps * relax_seconds - waited_seconds


def fits(skills: Mapping[str, int], needs: Mapping[str, int]) -> bool:
    """Whether an agent's levels are at least those that are wanted."""
    return all(skills.get(name, 0) >= level for name, level in needs.items())


def mastery(skills: Mapping[str, int], needs: Iterable[str]) -> int:
    """How much of what the queue asks for an agent has; more is better."""
    return sum(skills.get(name, 0) for name in needs)
