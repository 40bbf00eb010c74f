"""`callwright campaign trace` and what `why campaign` shows of pacing, by the real program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from contact_center.clock import SystemClock
from contact_center.models import PaceHistory, PaceNote
from dialer.pacing import make_pacer
from dialer.simulation.laws import Laws
from dialer.simulation.world import World
from dialer.trace import Recorder, header
from tests.support.databases import fresh_sqlite
from tests.unit.console.support import Cli

SETTINGS = {"mode": "predictive", "ring_timeout": 20.0, "windows": [[86400.0, 0.03, 1, 50]], "history": None}


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    made = Cli(tmp_path, fresh_sqlite(tmp_path / "callwright.db"))
    made.ok("campaign", "add", "spring", "--mode", "predictive")
    yield made
    made.engine.dispose()


def record(file: Path, sections: int = 1) -> int:
    """Quarter hours of ten agents, as serve writes them down; gives how many decisions were made."""
    lines: list[str] = []
    for n in range(sections):
        lines.append(header("spring", SETTINGS))
        pacer = Recorder(make_pacer(**SETTINGS), lines.append)  # type: ignore[arg-type]
        World(Laws(((0.0, 10),), shift_seconds=300.0), pacer, seed=n, on_events=False).run()
    file.write_text("\n".join(lines) + "\n")
    return sum(line.startswith('["d"') for line in lines)


def test_what_was_recorded_is_taken_along_and_made_again_to_the_same_numbers(cli: Cli, tmp_path: Path) -> None:
    decisions = record(cli.folder / "spring.trace", sections=2)
    found = cli.json("campaign", "trace", "spring", "--to", str(tmp_path / "mine"), "--check")
    assert (found["decisions"], found["differing"]) == (decisions, 0)
    assert (tmp_path / "mine").read_text() == (cli.folder / "spring.trace").read_text()
    assert "all as they were" in cli.ok("campaign", "trace", "spring", "--check")


def test_a_decision_that_comes_out_otherwise_is_counted(cli: Cli) -> None:
    decisions = record(file := cli.folder / "spring.trace")
    lines = file.read_text().splitlines()
    last = max(n for n, line in enumerate(lines) if line.startswith('["d"'))
    entry = json.loads(lines[last])
    lines[last] = json.dumps([*entry[:2], entry[2] + 1])
    file.write_text("\n".join(lines) + "\n")
    found = cli.json("campaign", "trace", "spring", "--check")
    assert (found["decisions"], found["differing"]) == (decisions, 1)


def test_half_a_line_at_the_end_is_not_yet_part_of_it(cli: Cli) -> None:
    decisions = record(file := cli.folder / "spring.trace")
    file.write_text(file.read_text() + '["d", [1.0, [')
    assert cli.json("campaign", "trace", "spring", "--check")["decisions"] == decisions


def test_without_a_trace_it_says_how_to_begin_and_rubbish_is_named(cli: Cli) -> None:
    assert "record_trace=on" in cli.refused(1, "campaign", "trace", "spring")
    cli.ok("campaign", "set", "spring", "record_trace=on")
    assert "nothing was decided yet" in cli.refused(1, "campaign", "trace", "spring")
    (cli.folder / "spring.trace").write_text('["d", [], 1]\n')
    assert "begins with its header" in cli.refused(1, "campaign", "trace", "spring", "--check")
    (cli.folder / "spring.trace").write_text("rubbish\n")
    assert "not a line of a trace" in cli.refused(1, "campaign", "trace", "spring", "--check")
    assert "name another one" in cli.refused(2, "campaign", "trace", "spring", "--to", str(cli.folder / "spring.trace"))
    cli.refused(3, "campaign", "trace", "summer")


def test_why_campaign_shows_the_last_decisions_and_how_good_the_odds_are(cli: Cli) -> None:
    pacer = make_pacer("predictive")
    pacer.decide(0.0, [], 3, [5.0], [], 4, 0)
    decision = {k: v for k, v in pacer.explain().items() if v != float("inf")} | {"idle": 3, "ringing": 0, "claimed": 3}
    report = {"calls": 300, "brier": 0.17, "brier_of_plain_rate": 0.19, "used": True, "needed": 200,
              "reliability": [{"calls": 300, "forecast": 0.25, "answered": 0.26}]}  # fmt: skip
    with cli.writing() as session:
        at = SystemClock().now()
        session.add(PaceNote(campaign_id=1, at=at, decisions=[{"at": at.isoformat(), **decision}]))
        session.add(PaceHistory(campaign_id=1, at=at, learned={"odds_report": report}))
    document = cli.json("why", "campaign", "spring")
    assert document["odds"]["brier"] == 0.17
    assert document["decisions"][0]["binding"].startswith("one call per free agent until 20 live answers")
    shown = " ".join(cli.ok("why", "campaign", "spring").split())
    assert "one call per free agent until 20 live answers are known, so far 0" in shown
    assert "Brier score 0.1700, of the plain answer rate 0.1900; used" in shown
    assert "25.0 %" in shown
