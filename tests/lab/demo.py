"""`make demo`: a whole campaign on a real Asterisk, with simulated customers and agents who speak SIP and RTP.

python -m tests.lab.demo [--leads 240] [--agents 10]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console as Screen
from rich.table import Table

from tests.lab.centre import ROOT, Centre
from tests.lab.farend.numbers import Behaviour, number_for, refuses, stays, talks
from tests.lab.farend.record import Side, max_in_flight
from tests.lab.farend.script import Script
from tests.lab.judge import Judge

CAMPAIGN = "demo"
RETRIES = {"retry_missed": "4s", "retry_unavailable": "4s", "retry_busy": "2s", "retry_technical": "3s"}
CAMPAIGN_SECONDS = 420.0
# of 100 leads so many do this; the rest answer, talk and hang up
KINDS: tuple[tuple[int, str], ...] = (
    (5, "rings"), (10, "486"), (7, "480"), (5, "404"), (3, "603"), (2, "500"), (2, "503"),
    (4, "machine"), (3, "hangs up at once"), (12, "stays"),
)  # fmt: skip


def lead_numbers(count: int) -> list[str]:
    """A list of leads with mixed outcomes, the kinds spread evenly."""
    numbers: list[str] = []
    for serial in range(count):
        place = serial * 37 % 100
        for share, kind in KINDS:
            if place < share:
                numbers.append(_number(kind, serial))
                break
            place -= share
        else:
            numbers.append(talks(2.0 + serial % 5, serial, ring=(0.5, 1.0, 2.0, 3.0)[serial % 4]))
    return numbers


def _number(kind: str, serial: int) -> str:
    match kind:
        case "rings":
            return number_for(Behaviour.NEVER_ANSWERS, serial)
        case "machine":
            return number_for(Behaviour.MACHINE, serial, ring=2.0, two=20)
        case "hangs up at once":
            return number_for(Behaviour.TALKS_TENTHS, serial, ring=1.0, two=0)
        case "stays":
            return stays(serial, ring=1.0)
        case _:
            return refuses(int(kind), serial, ring=0.5)


class Steps:
    """One plain line per step, with the seconds it took."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()

    def done(self, what: str) -> None:
        """A step is done."""
        self._done += 1
        now = time.monotonic()
        print(f"[{self._done}/{self._total}] {what} ({now - self._began:.1f} s)", flush=True)
        self._began = now


async def demo(leads: int, agents: int) -> int:
    """Run it; the exit code."""
    steps = Steps(7)
    numbers = lead_numbers(leads)
    async with Centre("demo") as centre:
        steps.done(f"Asterisk {centre.switch.asterisk.version} with the bundle, the far end and a database are up")
        await centre.serve.start()
        steps.done("callwright serve is ready")
        for phone in await centre.add_agents(agents):
            phone.obeys_auto_answer = False
            phone.script = Script("agent", ring_seconds=0.0, talk_seconds=6.0)
        steps.done(f"{agents} agents added, their phones registered")
        await centre.add_campaign(
            CAMPAIGN,
            numbers,
            mode="predictive",
            multiplier="1.5",
            max_attempts="2",
            ring_seconds="15",
            **RETRIES,
        )
        steps.done(f"{leads} leads imported; retry delays shortened for the demo: {RETRIES}, at most 2 attempts")
        for call in [phone.dial("*45") for phone in centre.far.phones]:
            await call.until_over(20)
        steps.done("every agent dialled *45 and is on line")
        await _watch(centre)
        steps.done("the campaign ran to its end")
        summary = await _summary(centre, numbers)
        steps.done("report made; leaving nothing running")
    _print(summary)
    lab = ROOT / ".lab"
    lab.mkdir(exist_ok=True)
    (lab / "demo-summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(f"summary: {Path('.lab') / 'demo-summary.json'}")
    return 1 if summary["mismatches"] or summary["state"] != "finished" else 0


async def _watch(centre: Centre) -> None:
    """Start the campaign and show the wallboard until it is finished."""
    await centre.cli("campaign", "start", CAMPAIGN)
    watch = await asyncio.create_subprocess_exec(
        *centre.command, "campaign", "watch", CAMPAIGN, env=centre.environment, cwd=centre.base
    )
    try:
        async with asyncio.timeout(CAMPAIGN_SECONDS):
            await watch.wait()
    except TimeoutError:
        watch.kill()
        await watch.wait()
        print("the campaign did not end in time; what there is is reported", file=sys.stderr)


async def _summary(centre: Centre, numbers: list[str]) -> dict[str, Any]:
    campaign = await centre.cli("campaign", "show", CAMPAIGN)
    listed = await centre.cli("lead", "list", CAMPAIGN, "--limit", "100000")
    calls = await centre.cli("call", "list", "--campaign", CAMPAIGN, "--limit", "100000")
    mismatches = Judge(calls, centre.far.log.calls).mismatches()
    customers = centre.far.log.select(Side.CUSTOMER)
    return {
        "leads": len(numbers),
        "attempts": len(customers),
        "connects": campaign["connected"],
        "dropped": campaign["dropped"],
        "abandonment": campaign["abandonment"],
        "mismatches": len({line.split()[0].rstrip(":") for line in mismatches}),
        "mismatch_lines": mismatches[:50],
        "state": campaign["state"],
        "leads_by_disposition": dict(Counter(lead["disposition"] or "none" for lead in listed)),
        "most_calls_at_once": max_in_flight(customers),
        "retry_delays": RETRIES,
        "far_end_faults": centre.far.faults,
    }


def _print(summary: dict[str, Any]) -> None:
    screen = Screen()
    table = Table("what", "figure", title="Demo campaign, judged by the far end's own record")
    for key in (
        "leads",
        "attempts",
        "connects",
        "dropped",
        "abandonment",
        "most_calls_at_once",
        "mismatches",
    ):
        table.add_row(key.replace("_", " "), str(summary[key]))
    for disposition, count in sorted(summary["leads_by_disposition"].items()):
        table.add_row(f"leads: {disposition}", str(count))
    screen.print(table)
    for line in summary["mismatch_lines"]:
        screen.print(f"mismatch: {line}", style="red")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="A whole campaign on a real Asterisk.")
    parser.add_argument("--leads", type=int, default=240)
    parser.add_argument("--agents", type=int, default=10)
    given = parser.parse_args()
    sys.exit(asyncio.run(demo(given.leads, given.agents)))


if __name__ == "__main__":
    main()
