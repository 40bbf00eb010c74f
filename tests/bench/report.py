"""The table and the two JSON files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.figures import Run, middle, summary

_ROWS = (
    ("customer's 200 to two-way audio, p50", "two_way_p50_ms", "ms"),
    ("customer's 200 to two-way audio, p95", "two_way_p95_ms", "ms"),
    ("command to customer's INVITE, p50", "command_to_invite_p50_ms", "ms"),
    ("highest clean call rate", "clean_rate", "calls/s"),
    ("Asterisk's CPU per call", "asterisk_ms_per_call", "ms"),
    ("the app's CPU per call", "app_ms_per_call", "ms"),
    ("ARI events per call", "events_per_call", ""),
)


def line(run: Run) -> str:
    """One run in one line."""
    return (
        f"{run.arm:<10} {run.rate:>5g}/s  {run.calls:>5} calls  two-way {_ms(run.p50)}/{_ms(run.p95)} ms  "
        f"INVITE {_ms(run.invite_p50)} ms  CPU Asterisk {run.asterisk_ms:.2f} app {run.app_ms:.2f} ms  "
        f"events {run.events:.1f}  {run.bytes / 1000:.1f} kB  placed {run.placed_per_second:.1f}/s  "
        f"others {run.others_cores:.2f} cores  {'clean' if run.clean else 'not clean'}, {len(run.failures)} failed"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def write(folder: Path, rounds: Mapping[str, Sequence[Run]], steps: Sequence[Run], rates: Mapping[str, float]) -> None:
    """`bench.json` with the contract's keys, `bench-runs.json` with every run, and the table on the screen."""
    summaries = {arm: summary(runs, rates.get(arm)) for arm, runs in rounds.items()}
    folder.mkdir(exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(summaries, indent=2) + "\n")
    runs = [asdict(run) for own in rounds.values() for run in own] + [asdict(run) for run in steps]
    (folder / "bench-runs.json").write_text(json.dumps(runs) + "\n")
    table = Table("figure", *summaries, title="Medians of the rounds, judged by the far end's own record")
    for label, key, unit in _ROWS:
        table.add_row(label, *(_cell(found[key], unit) for found in summaries.values()))
    table.add_row(
        "bytes of ARI per call", *(_cell(middle(r.bytes / 1000 for r in own), "kB") for own in rounds.values())
    )
    table.add_row(
        "CPU others used meanwhile", *(_cell(middle(r.others_cores for r in own), "cores") for own in rounds.values())
    )
    Console(width=110).print(table)


def _cell(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:g} {unit}".strip()
