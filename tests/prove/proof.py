"""What a proof is: a claim, and rounds on a real Asterisk that may each refute it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.lab.centre import Centre

Figure = int | float | str | list[float]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round gave: figures by name (a list: measurements, of which percentiles are shown), and failures."""

    figures: Mapping[str, Figure]
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Proof:
    """`run(centre, number)` is one round; `centre()` makes what it stands on (None: it makes its own).

    A centre serves several rounds, until one fails.
    """

    name: str
    claim: str
    rounds: int
    run: Callable[[Any, int], Awaitable[Round]]
    centre: Callable[[], Centre] | None = None
    rounds_per_centre: int = 10
    variant: str = ""  # rounds of another variant, such as a shorter one, do not count towards this proof


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 for no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def folded(rounds: list[Mapping[str, Any]]) -> dict[str, str]:
    """Figures of all rounds together: whole numbers summed, measurements as p50, p95 and the largest."""
    together: dict[str, Any] = {}
    for figures in rounds:
        for name, value in figures.items():
            if isinstance(value, str) or name not in together:
                together[name] = list(value) if isinstance(value, list) else value
            else:
                together[name] = together[name] + value
    return {name: _shown(value) for name, value in together.items()}


def _shown(value: Figure) -> str:
    if not isinstance(value, list):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if not value:
        return "none"
    p50, p95 = percentile(value, 0.5), percentile(value, 0.95)
    return f"p50 {p50:.3g}, p95 {p95:.3g}, max {max(value):.3g} ({len(value)} measured)"
