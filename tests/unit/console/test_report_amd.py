"""`report amd`, and what it adds to `report abandonment`, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from contact_center import metrics
from contact_center.models import Call
from contact_center.store.report_detection import Detection
from tests.unit.console.support import Cli
from tests.unit.console.test_law_reports import answered


@pytest.fixture
def spring(both: Cli) -> Cli:
    both.ok("campaign", "add", "spring", "--mode", "predictive", "amd=on", "hours=08:00-21:00")
    return both


def judged(
    session: Session, count: int, outcome: str, status: str, *, keyed: str = "", seconds: float = 1.2, ago: int = 1
) -> None:
    """So many calls with one verdict and one end; ``keyed``: what their agents said."""
    at = datetime.now(UTC) - timedelta(days=ago)
    for _ in range(count):
        call = session.get(Call, answered(session, outcome, at, disposition=keyed))
        assert call is not None
        verdict: dict[str, Any] = {"status": status, "cause": "X", "seconds": seconds, "sampled": False}
        call.record = {"amd": {**verdict, "action": "hangup"}}


def test_verdicts_are_held_against_the_agents_word(spring: Cli) -> None:
    with spring.writing() as session:
        judged(session, 100, "machine", "MACHINE")
        judged(session, 18, "connected", "MACHINE", keyed="machine")
        judged(session, 2, "connected", "MACHINE")
        judged(session, 60, "connected", "HUMAN", keyed="SALE", seconds=1.1)
        judged(session, 5, "connected", "NOTSURE", keyed="A", seconds=1.5)
        judged(session, 3, "no_free_operators", "HUMAN")
        answered(session, "connected", datetime.now(UTC) - timedelta(hours=1))  # before detection was on
    [told] = spring.json("report", "amd", "--campaign", "spring")
    assert (told["judged"], told["humans"], told["unsure"], told["machines"]) == (188, 63, 5, 120)
    assert (told["ended_as_machines"], told["checked_by_agents"], told["false_machines"]) == (100, 20, 2)
    assert told["false_machine_rate"] == 0.1
    assert (round(told["false_machine_rate_low"], 4), round(told["false_machine_rate_high"], 4)) == (0.0279, 0.3010)
    assert (told["persons_ended"], told["persons_ended_at_most"]) == (10, 31)
    assert (told["handled_by_agents"], told["missed_machines"]) == (65, 5)
    assert (told["person_delay_p50_seconds"], told["person_delay_max_seconds"]) == (1.1, 1.5)
    shown = spring.ok("report", "amd")
    assert "10.0 %" in shown
    assert "2.8 % to 30.1 %" in shown
    assert "false_machine_rate_high" in spring.ok("report", "amd", "--format", "csv").splitlines()[0]


def test_persons_taken_for_machines_are_added_to_the_abandonment_rate(spring: Cli) -> None:
    with spring.writing() as session:
        judged(session, 50, "machine", "MACHINE")
        judged(session, 9, "connected", "MACHINE", keyed="machine")
        judged(session, 1, "connected", "MACHINE")
        judged(session, 199, "connected", "HUMAN")
    [document] = spring.json("report", "abandonment", "--campaign", "spring")
    window = document["windows"][1]
    assert (window["abandonment"], window["false_machines"]) == (0.0, 5)
    assert window["abandonment_with_false_machines"] == round(5 / 205, 6)
    assert window["kept"]
    with spring.writing() as session:
        judged(session, 1, "connected", "MACHINE")
    [document] = spring.json("report", "abandonment", "--campaign", "spring")
    assert not document["windows"][1]["kept"], "10 of 211 are more than 3 %"


def test_where_nobody_has_listened_to_a_machine_no_rate_is_told(spring: Cli) -> None:
    with spring.writing() as session:
        judged(session, 3, "machine", "MACHINE")
    [told] = spring.json("report", "amd")
    assert told["false_machine_rate"] is None
    assert told["persons_ended"] is None
    assert told["person_delay_p50_seconds"] is None
    assert Detection().as_json()["false_machine_rate_low"] is None


def test_only_calls_of_the_stretch_are_counted_and_bad_input_is_refused(spring: Cli) -> None:
    with spring.writing() as session:
        judged(session, 1, "machine", "MACHINE", ago=10)
        judged(session, 1, "machine", "MACHINE", ago=1)
    since = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    [told] = spring.json("report", "amd", "--from", since)
    assert told["machines"] == 1
    assert spring.run("report", "amd", "--format", "xml").exit_code == 2
    assert spring.run("report", "amd", "--campaign", "nobody").exit_code == 3


def test_the_interval_is_wilsons() -> None:
    assert metrics.wilson(0, 0) is None
    low, high = metrics.wilson(0, 10) or (1.0, 1.0)
    assert (low, round(high, 4)) == (0.0, 0.2775)
    low, high = metrics.wilson(10, 10) or (0.0, 0.0)
    assert (round(low, 4), high) == (0.7225, 1.0)
    low, high = metrics.wilson(50, 100) or (0.0, 0.0)
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)


def test_actions_are_set_and_checked(spring: Cli) -> None:
    spring.ok("campaign", "set", "spring", "amd_action=message", "amd_message=custom/call-us")
    assert spring.json("campaign", "show", "spring")["options"]["amd_action"] == "message"
    refused = spring.run("campaign", "set", "spring", "amd_action=shout")
    assert refused.exit_code == 2
    assert "amd_action" in refused.stderr
