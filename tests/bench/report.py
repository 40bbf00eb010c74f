"""The table and the two JSON files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.callers import CallersRun
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


# -- callers ------------------------------------------------------------------------------------------

_CALLERS_ROWS = (
    ("caller's 200 to music or agent, p50 / p99", "sound_ms", (0.5, 0.99)),
    ("caller's INVITE to his agent's, who was free, p50 / p95", "invite_ms", (0.5, 0.95)),
    ("caller and agent free to the agent's INVITE, p50 / p99", "offer_ms", (0.5, 0.99)),
    ("the same where he waited for the agent, p50 / p95", "freed_ms", (0.5, 0.95)),
    ("agent's 200 to two-way audio, p50 / p95", "talk_ms", (0.5, 0.95)),
)


def callers_line(run: CallersRun) -> str:
    """One run in one line."""
    heard = run.heard
    figures = "  ".join(
        f"{name.removesuffix('_ms')} {'/'.join(_ms(heard.figure(name, share)) for share in (0.5, 0.95, 0.99))}"
        for name in ("sound_ms", "invite_ms", "offer_ms", "freed_ms", "talk_ms")
    )
    return (
        f"{run.arm:<9} {run.scene.name:<7} {run.scene.calls:>5} calls {heard.per_second:.1f}/s  {figures} ms  "
        f"CPU Asterisk {run.asterisk_ms:.2f} app {run.app_ms:.2f} ms  events {run.events:.1f}  far end "
        f"{run.far_cores:.2f} others {run.others_cores:.2f} cores  {len(heard.lost)} lost, {len(heard.doubles)} "
        f"doubles, {heard.untaken} untaken"
    )


def write_callers(folder: Path, runs: Sequence[CallersRun]) -> None:
    """`bench-callers.json` with every run, and the table on the screen."""
    folder.mkdir(exist_ok=True)
    (folder / "bench-callers.json").write_text(json.dumps([run.figures() for run in runs], indent=1) + "\n")
    table = Table("figure", *(f"{run.scene.name}: {run.arm}" for run in runs), title="Callers into queues, ms")
    for label, name, shares in _CALLERS_ROWS:
        cells = [" / ".join(_ms(run.heard.figure(name, share)) for share in shares) for run in runs]
        table.add_row(label, *cells)
    table.add_row("the app's CPU per call", *(f"{run.app_ms:.2f}" if run.app_ms else "-" for run in runs))
    table.add_row("Asterisk's CPU per call", *(f"{run.asterisk_ms:.2f}" for run in runs))
    table.add_row("lost, agents with two calls", *(f"{len(r.heard.lost)}, {len(r.heard.doubles)}" for r in runs))
    Console(width=140).print(table)
