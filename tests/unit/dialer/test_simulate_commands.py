from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from contact_center import console
from contact_center.console import Hooks
from contact_center.console.root import make_app
from contact_center.models import Attempt, Campaign, Lead
from contact_center.store.engine import open_engine, writing
from dialer import simulate_commands
from tests.support.databases import fresh_sqlite

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    url = fresh_sqlite(tmp_path / "callwright.db")
    (tmp_path / "callwright.toml").write_text(
        f'[site]\ntimezone = "Europe/London"\ncountry = "GB"\n[database]\nurl = "{url}"\n'
    )
    return tmp_path


def run(place: Path, *words: str):
    app: typer.Typer = make_app(Hooks(serve_is_running=lambda url: False))
    console.mount(app)
    simulate_commands.mount(app)
    return CliRunner().invoke(app, ["--config", str(place / "callwright.toml"), *words])


def record(place: Path, attempts: int) -> None:
    """A campaign with attempts as a dialer leaves them: a third answered, talks of 40 s."""
    rng, engine = np.random.default_rng(1), open_engine(f"sqlite:///{place / 'callwright.db'}")
    with writing(engine) as session:
        row = Campaign(name="spring", mode="power", state="stopped", created_at=AT, options={"wrap_up_seconds": 10})
        session.add(row)
        session.flush()
        for n in range(attempts):
            lead = Lead(campaign_id=row.id, number=f"+44161496{n:04d}", created_at=AT)
            session.add(lead)
            session.flush()
            at = AT + timedelta(seconds=12.0 * n)
            live = bool(rng.random() < 1 / 3)
            answered = at + timedelta(seconds=float(rng.uniform(4, 15))) if live else None
            ended = answered + timedelta(seconds=float(rng.exponential(40))) if answered else at + timedelta(seconds=26)
            session.add(
                Attempt(
                    call_id=f"c{n}", channel_id=f"ch{n}", lead_id=lead.id, campaign_id=row.id, n=1, number=lead.number,
                    trunk="main", state="done", outcome="connected" if live else "missed",
                    agent=f"1{n % 3:03d}" if live else "",
                    intent_at=at, answered_at=answered, connected_at=answered, ended_at=ended,
                )
            )  # fmt: skip
    engine.dispose()


def test_simulate_compares_modes_and_draws_them(place):
    picture = place / "out.png"
    words = [
        "simulate",
        "--agents",
        "6",
        "--hours",
        "1.5",
        "--shifts",
        "4",
        "--mode",
        "progressive",
        "--mode",
        "predictive",
    ]
    answer = run(place, "--json", *words, "--picture", str(picture))
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    names = [mode["name"] for mode in document["modes"]]
    assert names == ["progressive", "predictive"]
    assert document["modes"][1]["utilization"] > document["modes"][0]["utilization"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_simulate_says_when_the_shifts_do_not_suffice(place):
    answer = run(place, "simulate", "--agents", "2", "--hours", "0.2", "--shifts", "1", "--mode", "progressive")
    assert answer.exit_code == 0, answer.output
    assert "do not suffice" in answer.output


def test_a_mode_that_does_not_exist_is_named(place):
    answer = run(place, "simulate", "--mode", "warp")
    assert answer.exit_code != 0
    assert "warp" in answer.output


def test_replay_takes_spans_and_agents_from_the_recorded_day(place):
    record(place, 400)
    answer = run(place, "--json", "replay", "spring", "--shifts", "2", "--mode", "progressive")
    assert answer.exit_code == 0, answer.output
    mode = json.loads(answer.stdout)["modes"][0]
    assert 3600 / (40 + 10) * 0.4 < mode["connects_per_agent_hour"] < 3600 / (40 + 10)


def test_a_campaign_with_few_attempts_is_refused_with_its_counts(place):
    record(place, 30)
    answer = run(place, "replay", "spring")
    assert answer.exit_code != 0
    assert "30 ended attempts" in answer.output
