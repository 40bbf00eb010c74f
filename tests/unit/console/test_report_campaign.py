"""`report campaign` and `report hours` on a real database."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from contact_center.clock import iso
from contact_center.models import Audit, Call, Campaign, PaceHistory
from contact_center.store.changes import add_event
from contact_center.store.report_campaign import NOTHING_LEARNED, TOO_LONG_AGO
from contact_center.store.report_hours import DAYS
from contact_center.terms import Outcome
from dialer.odds import LeadMoment, LeadOdds
from tests.unit.console.support import Cli
from tests.unit.console.test_law_reports import answered, campaign_of

LONDON = {"place": "Europe/London|GB"}
START = (datetime.now(UTC) - timedelta(days=2)).replace(hour=10, minute=0, second=0, microsecond=0)
"""Ten in the morning UTC, two days ago."""


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


@pytest.fixture
def spring(both: Cli) -> Cli:
    """A campaign that ran from ten to eleven with Ann, and in which all that can happen happened."""
    both.ok("agent", "add", "1001", "--name", "Ann Lee")
    both.ok("campaign", "add", "spring", "--mode", "predictive")
    with both.writing() as session:
        campaign = session.scalars(select(Campaign)).one()
        campaign.created_at = at(-60)
        for minutes, state in ((0, "running"), (60, "finished")):
            session.add(
                Audit(
                    at=at(minutes), actor="dialer", action="state", entity="campaign", entity_id="spring",
                    detail={"state": state},
                )
            )  # fmt: skip
    return both


def a_dial(cli: Cli, outcome: str, minutes: float, **more: Any) -> str:
    """A dial whose answer, or what would have been it, comes at this minute; the dial itself 20 s earlier."""
    seconds = {key: more.pop(key) for key in ("ring_seconds", "wait_seconds", "talk_seconds") if key in more}
    with cli.writing() as session:
        call_id = answered(session, outcome, at(minutes), **{**LONDON, **more})
        row = session.get(Call, call_id)
        assert row is not None
        row.wait_seconds, row.ring_seconds = 20.0, 18.0
        for key, value in seconds.items():
            setattr(row, key, value)
    return call_id


def ann_is(cli: Cli, minutes: float, state: str, call_id: str = "") -> None:
    with cli.writing() as session:
        payload = {"ext": "1001", "state": state, "since_at": iso(at(minutes)), "call_id": call_id}
        add_event(
            session, at=at(minutes), entity="agent", entity_id="1001", type="agent.state", payload=payload
        )  # fmt: skip


def a_shift(cli: Cli) -> None:
    """Ann: free 10, talk 20, wrap-up 6, free 14, another queue's call 5, free 15 until past the end, then off."""
    first = a_dial(
        cli, "connected", 10, waited=0.4, talk_seconds=1200.0, agent="1001", connected_at=at(10), ended_at=at(30)
    )
    story = ((-5, "idle", ""), (10, "talking", first), (30, "wrap_up", ""), (36, "idle", ""))
    for minutes, state, call_id in (*story, (50, "talking", "a-queue-call"), (55, "idle", ""), (70, "offline", "")):
        ann_is(cli, minutes, state, call_id)


def one(cli: Cli, *words: object) -> dict[str, Any]:
    [document] = cli.json("report", "campaign", "spring", *words)
    return dict(document)


def test_leads_dials_and_outcomes_are_counted_with_their_shares(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", "+442079460018")
    spring.ok("lead", "add", "spring", "+442079460019")
    silent = {"answered_at": None, "ended_at": at(5)}
    for n in range(3):
        a_dial(spring, "missed", 1 + n, ring_seconds=25.0, **silent)
    a_dial(spring, "busy", 4, ringing_at=None, ring_seconds=0.0, **silent)
    a_dial(spring, "not_attempted", 4, ringing_at=None, ring_seconds=0.0, **silent)
    a_dial(spring, "", 4, **{**silent, "ended_at": None, "state": "dialing"})
    for n, waited in enumerate((0.1, 0.2, 0.3, 1.9)):
        a_dial(spring, "connected", 10 + n, waited=waited, talk_seconds=60.0 * (n + 1), connected_at=at(10 + n))
    a_dial(spring, "connected", 20, waited=0.2, talk_seconds=150.0, disposition="AM", connected_at=at(20))
    a_dial(spring, "no_free_operators", 21)
    document = one(spring)
    leads = document["leads"]
    assert (leads["loaded"], leads["dialled"], leads["reached"]) == (14, 11, 5)
    assert leads["penetration"] == round(11 / 14, 6)
    assert leads["by_state"]["new"] == 2
    assert (document["dials"], document["in_progress"], document["not_attempted"], document["completed"]) == (
        12, 1, 1, 10,
    )  # fmt: skip
    assert (document["answered"], document["answer_rate"]) == (6, 0.6)
    assert (document["machines"], document["people"], document["contact_rate"]) == (1, 5, 0.5)
    outcomes = {line["outcome"]: (line["count"], line["share"]) for line in document["outcomes"]}
    assert outcomes["connected"] == (5, round(5 / 11, 6))
    assert outcomes["missed"] == (3, round(3 / 11, 6))
    assert outcomes["machine"] == (0, 0.0)
    assert set(outcomes) == {outcome.value for outcome in Outcome}
    assert sum(share for _, share in outcomes.values()) == pytest.approx(1.0, abs=1e-5)
    assert (document["connected"], document["dropped"], document["abandonment"]) == (5, 1, round(1 / 6, 6))
    assert document["ring_seconds"] == round((3 * 25 + 6 * 18) / 9, 3)
    assert (document["wait_seconds"], document["talk_seconds"]) == (20.0, 150.0)
    ranks = [document[f"answer_to_agent{part}_seconds"] for part in ("", "_p50", "_p95")]
    assert ranks == [0.54, 0.2, 1.9]


def test_abandonment_is_told_by_both_formulas_from_the_same_calls(spring: Cli) -> None:
    for n in range(29):
        a_dial(spring, "no_free_operators", n / 10)
    for n in range(16):
        a_dial(spring, "connected", n / 10, disposition="A" if n < 7 else "SALE")
    document = one(spring)
    assert document["abandonment"] == round(29 / 45, 6)
    law = document["law"]
    assert (law["dropped"], law["connected"], law["agent_machines"], law["limit"]) == (29, 16, 7, 0.03)
    assert law["abandonment"] == round(29 / 38, 6)
    assert f"{100 * law['abandonment_ofcom']:.2f}" == "64.44"
    shown = " ".join(spring.ok("report", "campaign", "spring").split())
    assert "29 dropped of 45: 64.44 %" in shown
    assert "29 / 38 = 76.32 %, limit 3.00 %; UK formula 64.44 %" in shown


def test_agent_hours_are_the_campaigns_own_calls_and_free_time_while_it_ran(spring: Cli) -> None:
    a_shift(spring)
    document = one(spring)
    agents = document["agents"]
    minutes = [agents[f"{part}_seconds"] / 60 for part in ("talk", "wrap_up", "free", "other_calls")]
    assert minutes == [20.0, 6.0, 29.0, 5.0]
    assert agents["hours"] == round(55 / 60, 4)
    assert agents["connects_per_agent_hour"] == round(60 / 55, 6)
    assert agents["occupancy"] == round(26 / 55, 6)
    assert agents["utilization"] == round(20 / 55, 6)
    assert document["wrap_up_seconds"] == 360.0
    assert agents["words"] == ""


def test_a_talk_goes_on_being_the_campaigns_after_its_end_and_a_wrap_up_that_began_before_the_stretch(
    spring: Cli,
) -> None:
    late = a_dial(spring, "connected", 58, waited=0.1, agent="1001", connected_at=at(58), ended_at=at(64))
    for minutes, state, call_id in ((58, "talking", late), (64, "wrap_up", ""), (65, "idle", "")):
        ann_is(spring, minutes, state, call_id)
    agents = one(spring)["agents"]
    assert [agents[f"{part}_seconds"] for part in ("talk", "wrap_up", "free")] == [360.0, 60.0, 0.0]
    clipped = one(spring, "--from", iso(at(64.5)))["agents"]
    assert [clipped[f"{part}_seconds"] for part in ("talk", "wrap_up", "free", "other_calls")] == [0.0, 30.0, 0.0, 0.0]


def test_whoever_talked_for_it_counts_even_from_another_team(spring: Cli) -> None:
    spring.ok("campaign", "set", "spring", "team=sales")
    a_shift(spring)
    agents = one(spring)["agents"]
    assert (agents["talk_seconds"], agents["free_seconds"]) == (1200.0, 29 * 60.0)


def test_only_what_was_dialled_in_the_stretch_is_counted(spring: Cli) -> None:
    a_dial(spring, "connected", 10, waited=0.5)
    a_dial(spring, "missed", 40, answered_at=None)
    assert one(spring, "--from", iso(at(30)))["dials"] == 1
    assert one(spring, "--to", iso(at(30)))["connected"] == 1
    assert one(spring, "--to", iso(at(30)))["leads"]["loaded"] == 1
    assert one(spring, "--from", iso(at(9.8)), "--to", iso(at(10)))["dials"] == 0


def test_agents_are_told_as_far_back_as_their_states_are_kept(spring: Cli) -> None:
    a_shift(spring)
    long_ago = iso(START - timedelta(days=90))
    agents = one(spring, "--from", long_ago)["agents"]
    assert agents["since_at"] > long_ago
    assert agents["talk_seconds"] == 1200.0
    before = one(spring, "--from", long_ago, "--to", iso(START - timedelta(days=60)))["agents"]
    assert (before["since_at"], before["connects_per_agent_hour"], before["words"]) == (None, None, TOO_LONG_AGO)


def test_a_campaign_that_has_done_nothing_is_told_without_a_figure_made_up(spring: Cli) -> None:
    document = one(spring)
    for key in ("answer_rate", "contact_rate", "abandonment", "ring_seconds", "talk_seconds", "wrap_up_seconds"):
        assert document[key] is None
    assert document["leads"]["penetration"] is None
    assert document["agents"]["connects_per_agent_hour"] is None
    calibration = document["calibration"]
    assert (calibration["calls"], calibration["brier"], calibration["reliability"]) == (0, None, [])
    assert calibration["words"] == NOTHING_LEARNED
    assert NOTHING_LEARNED in " ".join(spring.ok("report", "campaign", "spring").split())


def test_the_calibration_of_the_odds_is_what_the_dialer_stored(spring: Cli) -> None:
    odds = LeadOdds()
    for n in range(400):
        odds.observe(LeadMoment(hour=10, weekday=n % 2, prefix="+4420" if n % 2 else "+4474"), n % 2 == 1 and n % 8 > 1)
    report = {**odds.report(), "used": True, "needed": 200}
    with spring.writing() as session:
        learned = {"odds": {"learned": odds.state()}, "odds_report": report}
        session.add(PaceHistory(campaign_id=campaign_of(session), at=at(60), learned=learned))
    calibration = one(spring)["calibration"]
    assert calibration["calls"] == 400
    assert (calibration["brier"], calibration["brier_of_plain_rate"]) == (
        report["brier"],
        report["brier_of_plain_rate"],
    )
    assert calibration["skill"] == pytest.approx(1 - report["brier"] / report["brier_of_plain_rate"], abs=1e-4)  # type: ignore[operator]
    assert calibration["skill"] > 0
    assert calibration["reliability"] == report["reliability"]
    assert "better than the plain answer rate; they are used" in calibration["words"]
    shown = " ".join(spring.ok("report", "campaign", "spring").split())
    assert f"Brier score {report['brier']:.4f}" in shown
    assert "Reliability of the odds" in shown
    assert "70.0 % to 80.0 %" in shown
    assert "Reliability of the odds" in spring.ok("why", "campaign", "spring")


def test_all_campaigns_are_told_one_after_the_other_and_as_lines_of_csv(spring: Cli) -> None:
    spring.ok("campaign", "add", "autumn", "--mode", "power")
    a_dial(spring, "connected", 10, waited=0.5)
    assert [one["campaign"] for one in spring.json("report", "campaign")] == ["autumn", "spring"]
    lines = list(csv.DictReader(io.StringIO(spring.ok("report", "campaign", "--format", "csv"))))
    assert [line["campaign"] for line in lines] == ["autumn", "spring"]
    line = lines[1]
    assert (line["leads_loaded"], line["outcome_connected"], line["outcome_connected_share"]) == ("1", "1", "1.0")
    assert (line["law_abandonment"], line["calibration_calls"], line["calibration_reliability"]) == ("0.0", "0", "")
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.values())
    assert json.loads(spring.ok("report", "campaign", "spring", "--format", "json"))[0]["dials"] == 1


def test_no_cell_of_the_report_is_a_formula_whatever_a_campaign_is_called(spring: Cli) -> None:
    with spring.writing() as session:
        session.scalars(select(Campaign)).one().name = "=1+1"
    [line] = csv.DictReader(io.StringIO(spring.ok("report", "campaign", "--format", "csv")))
    assert line["campaign"] == "'=1+1"


def test_hours_are_those_of_the_dial_on_the_sites_clock(spring: Cli) -> None:
    a_shift(spring)
    a_dial(spring, "missed", 70, answered_at=None)
    a_dial(spring, "not_attempted", 71, answered_at=None)
    a_dial(spring, "no_free_operators", 60.1)  # dialled just before eleven
    for words in (("spring",), ()):
        document = spring.json("report", "hours", *words)
        assert document["timezone"] == "Europe/London"
        assert document["campaign"] == (words[0] if words else None)
        assert [row["hour"] for row in document["hours"]] == list(range(24))
        busy = [row for row in document["hours"] if row["dials"]]
        first, second = busy
        assert second["hour"] == first["hour"] + 1
        assert [first[key] for key in ("dials", "completed", "answered", "connected", "dropped")] == [2, 2, 2, 1, 1]
        assert (first["answer_rate"], first["abandonment"]) == (1.0, 0.5)
        assert [second[key] for key in ("dials", "completed", "answered")] == [2, 1, 0]
        own = (55 / 60, 0.0) if words else (1.0, 10 / 60)
        assert (first["agent_hours"], second["agent_hours"]) == tuple(round(hours, 4) for hours in own)
        week = document["weekdays"]
        assert sum(row["dials"] for row in week) == 4
        assert {row["weekday"] for row in week} == {DAYS[START.weekday()]}


def test_an_hour_of_the_clock_is_found_in_summer_and_in_zones_off_by_a_part_of_an_hour(spring: Cli) -> None:
    config = spring.config.read_text(encoding="utf-8")
    summer = datetime(2025, 7, 1, 10, 40, tzinfo=UTC)
    with spring.writing() as session:
        answered(session, "connected", summer, **LONDON)
    stretch = ("--from", "2025-06-30T00:00Z", "--to", "2025-07-03T00:00Z")
    for zone, hour in (("Europe/London", 11), ("Asia/Kathmandu", 16), ("Asia/Kolkata", 16), ("America/St_Johns", 8)):
        spring.config.write_text(config.replace("Europe/London", zone), encoding="utf-8")
        found = spring.json("report", "hours", "spring", *stretch)
        assert [row["hour"] for row in found["hours"] if row["dials"]] == [hour], zone
        assert [(row["weekday"], row["hour"]) for row in found["weekdays"]] == [("tue", hour)], zone
        assert found["agents_since_at"] is None


def test_hours_are_csv_and_a_table_by_hour_and_by_weekday(spring: Cli) -> None:
    a_shift(spring)
    by_hour = list(csv.DictReader(io.StringIO(spring.ok("report", "hours", "--format", "csv"))))
    assert len(by_hour) == 24
    assert sum(int(row["dials"]) for row in by_hour) == 1
    by_day = list(csv.DictReader(io.StringIO(spring.ok("report", "hours", "--by", "weekday", "--format", "csv"))))
    assert [row["weekday"] for row in by_day if row["dials"] == "1"] == [DAYS[START.weekday()]]
    assert "agents' hours" in spring.ok("report", "hours")
    assert DAYS[START.weekday()] in spring.ok("report", "hours", "spring", "--by", "weekday")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, ("campaign", "nowhere")),
        (3, ("hours", "nowhere")),
        (2, ("campaign", "--format", "xml")),
        (2, ("hours", "--format", "xml")),
        (2, ("hours", "--by", "moon")),
        (2, ("campaign", "--from", "yesterday")),
        (2, ("hours", "--from", "2026-03-02", "--to", "2026-03-01")),
    ],
)
def test_what_is_not_known_is_refused_in_one_sentence(cli: Cli, code: int, words: Any) -> None:
    cli.refused(code, "report", *words)


def test_with_no_campaign_at_all_the_reports_are_empty(cli: Cli) -> None:
    assert cli.json("report", "campaign") == []
    assert cli.ok("report", "campaign", "--format", "csv").strip() == '"campaign"'
    assert cli.json("report", "hours")["weekdays"] == []


def test_the_report_of_agents_counts_customers_of_campaigns_beside_callers_of_queues(spring: Cli) -> None:
    a_shift(spring)
    a_dial(spring, "no_free_operators", 21)
    [ann] = spring.json("report", "agents", "--from", iso(at(0)), "--to", iso(at(60)))
    assert (ann["taken"], ann["connected"]) == (0, 1)
    [ann] = spring.json("report", "agents", "--from", iso(at(15)), "--to", iso(at(60)))
    assert ann["connected"] == 0
