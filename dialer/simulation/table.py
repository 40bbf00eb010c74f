"""The long tables of PACING.md: ``python -m dialer.simulation.table`` writes them anew (about 20 minutes).

``--quick`` takes fewer shifts; ``--write FILE`` puts the tables between the markers of that file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dialer.pacing import Pacer, make_pacer
from dialer.simulation import baselines
from dialer.simulation.laws import Laws, drift, step
from dialer.simulation.replications import Interval, Summary, difference, shifts

LIMIT = 0.03
BEGIN, END = "<!-- tables begin -->", "<!-- tables end -->"
BOUNDS = {5: (71.5, 74.7), 10: (79.2, 81.2), 20: (85.6, 86.5), 50: (91.8, 92.4), 100: (95.0, 95.7), 300: (97.7, 98.5)}
SHIFTS = {5: 24, 10: 20, 20: 10, 50: 5, 100: 3, 300: 2}
ODDS_SHIFTS = {5: 24, 20: 10, 100: 4}
RULES: dict[str, Callable[[], Pacer]] = {
    "progressive": lambda: make_pacer("progressive"),
    "power x 2": lambda: make_pacer("power", multiplier=2.0),
    "VICIdial hard": lambda: baselines.vicidial("hard"),
    "VICIdial average": lambda: baselines.vicidial("average"),
    "VICIdial tapered": lambda: baselines.vicidial("tapered"),
    "Issabel": baselines.issabel,
    "expected value": baselines.expected_value,
    "Erlang B": baselines.erlang_b,
    "predictive": lambda: make_pacer("predictive"),
}


def scenarios(agents: int) -> dict[str, Laws]:
    """The variants of the world, one change at a time."""
    staff = ((0.0, agents),)
    return {
        "answer rate drifts .12 to .38": Laws(staff, answer_rate=drift(0.12, 0.38, 5400.0)),
        "answer rate steps .15 to .40": Laws(staff, answer_rate=step(0.15, 0.40, 7200.0)),
        "answer rate steps .40 to .15": Laws(staff, answer_rate=step(0.40, 0.15, 7200.0)),
        "agents step by half and double": Laws(
            ((0.0, agents), (4000.0, agents // 2), (8000.0, agents * 2), (11000.0, agents))
        ),
        "burst of short calls": Laws(staff, talk_mean=lambda at: 25.0 if 6000.0 < at < 8000.0 else 90.0),
        "W = 0": Laws(staff, connect_deadline=0.0),
        "impatient callees": Laws(staff, patience_mean=1.0),
        "talk CV .4": Laws(staff, talk_cv=0.4),
        "talk CV 1.8": Laws(staff, talk_cv=1.8),
    }


def _summary(name: str, laws: Laws, make: Callable[[], Pacer], count: int, first_seed: int) -> Summary:
    return Summary.of(name, list(shifts(laws, make, range(first_seed, first_seed + count))), LIMIT)


def _points(interval: Interval) -> str:
    half = "" if interval.half == float("inf") else f" ± {100 * interval.half:.1f}"
    return f"{100 * interval.mean:.1f}{half}"


def main_table(share: float) -> Iterator[str]:
    """Utilization against the wanted figure and the bound, per team size."""
    yield ("| agents | utilization | after warm-up | abandonment pooled | worst shift | shifts over | "
           "worst 15 min | wanted | B0 | short of B0 |")  # fmt: skip
    yield "|" + "---|" * 10
    for agents, (wanted, bound) in BOUNDS.items():
        found = _summary("", Laws(((0.0, agents),)), RULES["predictive"], max(int(SHIFTS[agents] * share), 2), 2000)
        yield (
            f"| {agents} | {_points(found.utilization)} | {100 * found.warm_utilization.mean:.1f} "
            f"| {100 * found.abandonment:.2f} | {100 * found.worst_shift:.2f} | {100 * found.over:.0f} % "
            f"| {100 * found.worst_quarter:.1f} | {wanted} | {bound} | {bound - 100 * found.utilization.mean:.1f} |"
        )


def rule_table(share: float, sizes: tuple[int, ...] = (5, 20, 100)) -> Iterator[str]:
    """The peers' rules on the same calls: utilization (abandonment)."""
    yield "| rule | " + " | ".join(f"{n} agents" for n in sizes) + " |"
    yield "|" + "---|" * (len(sizes) + 1)
    for name, make in RULES.items():
        cells = []
        for agents in sizes:
            count = max(int(SHIFTS[agents] * share / 2), 2)
            found = _summary(name, Laws(((0.0, agents),)), make, count, 2000)
            over = " over" if found.abandonment > LIMIT else ""
            cells.append(f"{100 * found.utilization.mean:.1f} ({100 * found.abandonment:.1f}{over})")
        yield f"| {name} | " + " | ".join(cells) + " |"


def scenario_table(share: float, sizes: tuple[int, ...] = (10, 20, 100)) -> Iterator[str]:
    """The variants: utilization (abandonment pooled, worst shift, worst quarter hour)."""
    yield "| world | " + " | ".join(f"{n} agents" for n in sizes) + " |"
    yield "|" + "---|" * (len(sizes) + 1)
    for name in scenarios(10):
        cells = []
        for agents in sizes:
            laws = scenarios(agents)[name]
            make = _told(laws)
            found = _summary(name, laws, make, max(int(SHIFTS[agents] * share / 3), 2), 3000)
            cells.append(f"{100 * found.utilization.mean:.1f} ({100 * found.abandonment:.2f}, "
                         f"{100 * found.worst_shift:.2f}, {100 * found.worst_quarter:.1f})")  # fmt: skip
        yield f"| {name} | " + " | ".join(cells) + " |"


def odds_table(share: float, sizes: tuple[int, ...] = (5, 20, 100)) -> Iterator[str]:
    """Leads with beta(1, 3) odds, known to the pacer or not, on the same leads."""
    yield ("| agents | without odds | with odds | gain, points | B0 without odds | "
           "connects per agent-hour without | with | gain |")  # fmt: skip
    yield "|" + "---|" * 8
    for agents in sizes:
        laws, count = Laws(((0.0, agents),), odds=(1.0, 3.0)), max(int(ODDS_SHIFTS[agents] * share), 2)
        seeds = range(4000, 4000 + count)
        runs = [list(shifts(laws, RULES["predictive"], seeds, tell_odds=told)) for told in (False, True)]
        blind, seeing = (Summary.of("", outcomes, LIMIT) for outcomes in runs)
        gain = difference(seeing, blind)
        hourly = Interval.of([3600.0 * (b.connected / b.logged_in_seconds - a.connected / a.logged_in_seconds)
                              for a, b in zip(*runs, strict=True)])  # fmt: skip
        yield (
            f"| {agents} | {_points(blind.utilization)} ({100 * blind.abandonment:.2f}) "
            f"| {_points(seeing.utilization)} ({100 * seeing.abandonment:.2f}) | {_points(gain)} "
            f"| {BOUNDS[agents][1]} | {blind.connects_per_agent_hour.mean:.2f} "
            f"| {seeing.connects_per_agent_hour.mean:.2f} | {hourly.mean:.2f} ± {hourly.half:.2f} |"
        )


def _told(laws: Laws) -> Callable[[], Pacer]:
    """A predictive pacer that is told the deadline of this world."""
    return lambda: make_pacer("predictive", connect_deadline=laws.connect_deadline)


def tables(share: float) -> Iterator[str]:
    """All tables, line by line."""
    parts = (
        ("p .25, talk 90 s, wrap-up 20 s, W 2 s; utilization and abandonment in %", main_table),
        ("The peers' rules on the same calls, untuned: utilization % (abandonment %)", rule_table),
        ("Other worlds: utilization % (abandonment %: pooled, worst shift, worst quarter hour)", scenario_table),
        ("Leads with known odds, beta(1, 3): utilization % (abandonment %)", odds_table),
    )
    for title, part in parts:
        yield f"### {title}"
        yield ""
        yield from part(max(share, 0.7) if part is main_table else share)
        yield ""


def main() -> None:
    """Print the tables, and write them into a file if told so."""
    parser = argparse.ArgumentParser(description="The tables of PACING.md, made anew.")
    parser.add_argument("--quick", action="store_true", help="fewer shifts")
    parser.add_argument("--write", type=Path, help="the file whose tables are replaced")
    chosen = parser.parse_args()
    lines = []
    for line in tables(0.3 if chosen.quick else 1.0):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        lines.append(line)
    if chosen.write:
        text = chosen.write.read_text(encoding="utf-8")
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        chosen.write.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
