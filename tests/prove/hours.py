"""Hours of dialling in minutes: the product on the virtual clock, with Asterisk and people in memory."""

from __future__ import annotations

import asyncio
import json
import sys
from statistics import mean
from typing import Any

from ari_app.bridge import MOST_READY
from tests.lab.centre import ROOT
from tests.prove.proof import Figure, Proof, Round

HOURS = 4.0
GROWTH = 0.05
SETTLED_SECONDS = 600.0
MOST_MORE = 50  # objects of one class: statements that were made ready, an hour's sums; calls were tens of thousands
POOLED = {"ari_app.bridge.Bridge": MOST_READY}  # bridges given back are kept, as many as were ever needed at once


async def dialled(hours: float) -> dict[str, Any]:
    """What `tests.support.long_dialling` prints, run in a process of its own. RuntimeError when it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.long_dialling", str(hours), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(err.decode()[-600:])
    found: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return found


def faults(found: dict[str, Any]) -> list[str]:
    """One sentence for each thing that is left over, grew, or went wrong."""
    before, after = found["before"], found["after"]
    failures = [
        f"{name}: {before[name]} before, {after[name]} afterwards" for name in before if after[name] > before[name]
    ]
    for name, more in found["more_objects"].items():
        if more > POOLED.get(name, MOST_MORE):
            failures.append(f"{more} more objects {name} than before")
    for name in ("open_attempts", "leads_on_the_line", "twice_at_once"):
        failures += [f"{name.replace('_', ' ')}: {found[name]}"] if found[name] else []
    return [*failures, *grown(found["megabytes"])]


def grown(samples: list[list[float]]) -> list[str]:
    """Memory after ten minutes, against what it is later."""
    later = [mb for at, mb in samples if at >= SETTLED_SECONDS]
    if not later:
        return []
    base = mean(later[:3])
    return [f"memory grew from {base:.1f} to {max(later):.1f} MB"] if max(later) > base * (1 + GROWTH) else []


async def hours_round(_: None, number: int, *, hours: float = HOURS) -> Round:
    """Dial for so many virtual hours."""
    found = await dialled(hours)
    failures = faults(found)
    outcomes: dict[str, int] = found["outcomes"]
    if found["dialled"] < 3000 * hours:
        failures.append(f"only {found['dialled']} calls in {hours:g} hours")
    later = [mb for at, mb in found["megabytes"] if at >= SETTLED_SECONDS] or [found["megabytes"][-1][1]]
    figures: dict[str, Figure] = {
        "virtual hours": hours, "dials": found["dialled"],
        **{f"of them {name}": count for name, count in sorted(outcomes.items())},
        "MB after ten minutes": later[0], "most MB afterwards": max(later), "MB at the end": later[-1],
        "held before": _told(found["before"]), "held afterwards": _told(found["after"]),
        "more objects of our own": _told(found["more_objects"]) or "none",
    }  # fmt: skip
    return Round(figures, failures)


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


PROOFS: list[Proof] = [
    Proof(
        "virtual_hours",
        f"{HOURS:g} hours of dialling on the virtual clock, a power and a predictive campaign with 30 agents: memory "
        "stays within 5 % of what it was after ten minutes, and afterwards there is no call, channel, bridge, task, "
        f"thread or file more than before, and of no class of the product's own are there {MOST_MORE} objects more.",
        1,
        hours_round,
    ),
]
