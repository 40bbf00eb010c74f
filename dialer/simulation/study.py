"""Modes and multipliers side by side on the same calls, what they tell, and a picture of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dialer.pacing import Pacer, make_pacer
from dialer.simulation.laws import Laws
from dialer.simulation.replications import Summary, difference, shifts

LEAST_ANSWERS = 100  # answered calls per shift below which nothing is recommended
LEAST_REPLICATIONS = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way of pacing: ``mode`` and, for power, its multiplier."""

    mode: str
    multiplier: float = 1.0

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"power x {self.multiplier:g}" if self.mode == "power" else self.mode

    def make(self, laws: Laws, limit: float) -> Pacer:
        """A new pacer."""
        return make_pacer(
            self.mode,
            target=limit,
            connect_deadline=laws.connect_deadline,
            ring_timeout=laws.ring_timeout,
            multiplier=self.multiplier,
        )


def study(
    laws: Laws,
    candidates: Sequence[Candidate],
    *,
    limit: float,
    seeds: Sequence[int],
    warm_up: float = 1800.0,
    on_shift: Callable[[], object] = lambda: None,
) -> list[Summary]:
    """Every candidate on the same calls; ``on_shift`` is called after each simulated shift."""
    found = []
    for candidate in candidates:
        outcomes = []
        for outcome in shifts(laws, partial(candidate.make, laws, limit), seeds, warm_up=warm_up):
            outcomes.append(outcome)
            on_shift()
        found.append(Summary.of(candidate.name, outcomes, limit))
    return found


@dataclass(frozen=True, slots=True)
class Advice:
    """What to set, in a sentence; ``mode`` is None where the data do not suffice."""

    mode: str | None
    sentence: str


def advise(found: Sequence[Summary], limit: float) -> Advice:
    """The highest utilization among those under the limit, if the shifts suffice to tell."""
    least = min(min(o.dropped + o.connected for o in summary.outcomes) for summary in found)
    if least < LEAST_ANSWERS or min(len(summary.outcomes) for summary in found) < LEAST_REPLICATIONS:
        return Advice(
            None,
            f"The data do not suffice: {least} answered calls in the shortest of {len(found[0].outcomes)} shifts; "
            f"{LEAST_ANSWERS} in each of at least {LEAST_REPLICATIONS} are needed.",
        )
    lawful = sorted((s for s in found if s.abandonment <= limit), key=lambda s: -s.utilization.mean)
    if not lawful:
        return Advice(None, f"None of these keeps abandonment at or below {100 * limit:.1f} %.")
    best = lawful[0]
    words = f"{best.name}: utilization {100 * best.utilization.mean:.1f} % "
    words += f"at {100 * best.abandonment:.2f} % abandonment"
    if len(lawful) > 1:
        gain = difference(best, lawful[1])
        words += f", {100 * gain.mean:.1f} ± {100 * gain.half:.1f} points above {lawful[1].name}"
        if gain.mean - gain.half <= 0.0:
            words += " (which these shifts cannot tell apart)"
    return Advice(best.name, words + ".")


def as_document(found: Sequence[Summary], advice: Advice, limit: float) -> dict[str, Any]:
    """The study as JSON holds it; shares as fractions, half widths of 95 % intervals beside the means."""
    return {
        "abandonment_limit": limit,
        "modes": [
            {
                "name": s.name,
                "utilization": round(s.utilization.mean, 4),
                "utilization_half_width": _finite(s.utilization.half),
                "utilization_after_warm_up": round(s.warm_utilization.mean, 4),
                "abandonment": round(s.abandonment, 5),
                "worst_shift": round(s.worst_shift, 5),
                "shifts_over_limit": round(s.over, 4),
                "worst_quarter_hour": round(s.worst_quarter, 4),
                "connects_per_agent_hour": round(s.connects_per_agent_hour.mean, 2),
                "shifts": len(s.outcomes),
            }
            for s in found
        ],
        "recommended": advice.mode,
        "advice": advice.sentence,
    }


def _finite(value: float) -> float | None:
    return None if value == float("inf") else round(value, 4)


def picture(found: Sequence[Summary], limit: float, path: Path, title: str) -> None:
    """Utilization against abandonment as a PNG file. Needs matplotlib; raises ImportError without it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  only here is it needed
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for summary in found:
        x, y = 100 * summary.abandonment, 100 * summary.utilization.mean
        half = 0.0 if summary.utilization.half == float("inf") else 100 * summary.utilization.half
        axes.errorbar(x, y, yerr=half, fmt="o", capsize=3)
        axes.annotate(summary.name, (x, y), textcoords="offset points", xytext=(6, 4))
    axes.axvline(100 * limit, linestyle="--", color="crimson")
    axes.set(xlabel="abandonment, %", ylabel="utilization, %", title=title)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, format="png")
