"""`queue show`, `queue watch`, `report queues` and `report agents` over callers that were written down."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from contact_center.models import Agent
from contact_center.store.call_facts import CallArrived, CallConnected, CallFinished, CallQueued
from tests.unit.console.support import Cli

NOW = datetime.now(UTC)


def came(cli: Cli, call: str, ago: float, number: str = "+447400000001") -> None:
    """A caller who waits since `ago` seconds."""
    at = NOW - timedelta(seconds=ago)
    with cli.writing() as session:
        CallArrived(call, f"ch-{call}", at, "442079460018", number, "support").apply(session)
        CallQueued(call, 1, "support", f"ch-{call}", at, 50, 1).apply(session)


def left(cli: Cli, call: str, ago: float, *, talked_since: float | None = None) -> None:
    """He talks since `talked_since` seconds ago, if anybody took him, and left `ago` seconds ago."""
    record = {"id": call, "kind": "inbound", "queue": "support", "caller_number": "+447400000001", "agents": []}
    with cli.writing() as session:
        if talked_since is not None:
            at = NOW - timedelta(seconds=talked_since)
            CallConnected(call, 1, "support", at, "1001", "leg", "bridge", 5.0).apply(session)
        CallFinished(call, NOW - timedelta(seconds=ago), "abandoned", 0.0, record).apply(session)


@pytest.fixture
def support(cli: Cli) -> Cli:
    cli.ok("queue", "add", "support", "--did", "442079460018", "service_level_seconds=20")
    cli.ok("agent", "add", "1001", "--name", "Ann Lee", "--queue", "support")
    with cli.writing() as session:
        session.scalars(select(Agent)).one().state = "idle"
    return cli


def test_queue_show_has_the_line_that_asterisks_users_know_and_who_waits(support: Cli) -> None:
    came(support, "a", 0.5)
    shown = support.ok("queue", "show", "support")
    assert "support has 1 calls (max unlimited) in 'longest_idle' strategy (0s holdtime, 0s talktime)" in shown
    assert "Ann Lee (PJSIP/1001) (idle) has taken no calls" in shown
    assert re.search(r"1\. \+447400000001 \(wait: \d+:\d\d, prio: 50\)", shown)
    document = support.json("queue", "show", "support")
    assert [caller["call_id"] for caller in document["callers"]] == ["a"]
    assert document["figures"]["queued"] == 1
    assert support.json("queue", "show")[0]["name"] == "support"


def test_queue_watch_with_json_is_one_look(support: Cli) -> None:
    came(support, "a", 0.5)
    [document] = support.json("queue", "watch", "support")
    assert len(document["callers"]) == 1


def test_reports_count_what_was_written_down(support: Cli) -> None:
    came(support, "a", 100.0)
    left(support, "a", 40.0, talked_since=95.0)
    came(support, "b", 30.0)
    left(support, "b", 5.0)
    since = (NOW - timedelta(hours=1)).isoformat()
    [row] = support.json("report", "queues", "--from", since)
    assert (row["queued"], row["answered"], row["abandoned"]) == (2, 1, 1)
    assert (row["asa_seconds"], row["aht_seconds"], row["longest_wait_seconds"]) == (5.0, 55.0, 25.0)
    assert (row["service_level"], row["service_level_2"], row["abandonment"]) == (1.0, 0.5, 0.5)
    [agent] = support.json("report", "agents", "--from", since, "--queue", "support")
    assert (agent["ext"], agent["taken"], agent["aht_seconds"]) == ("1001", 1, 55.0)
    rows = support.json("report", "queues", "--from", since, "--interval", "10m")
    assert sum(row["queued"] for row in rows) == 2
    assert len(rows) >= 6
    assert all(row["until_at"] == following["since_at"] for row, following in pairwise(rows))
    [line] = csv.DictReader(io.StringIO(support.ok("report", "queues", "--from", since, "--format", "csv")))
    assert line["answered"] == "1"
    assert "support" in support.ok("report", "queues")


def test_what_makes_no_report_is_refused(support: Cli) -> None:
    support.refused(3, "report", "queues", "--queue", "nowhere")
    support.refused(2, "report", "queues", "--interval", "1s")
    support.refused(2, "report", "queues", "--format", "xml")
    support.refused(2, "report", "queues", "--from", "2026-03-02", "--to", "2026-03-01")
    support.refused(3, "report", "agents", "--agent", "9999")


def test_agents_have_skills_and_penalties(support: Cli) -> None:
    support.ok("agent", "set", "1001", "skills=danish:3,billing", "penalties=support:2")
    shown = support.json("agent", "show", "1001")
    assert (shown["skills"], shown["penalties"]) == ({"danish": 3, "billing": 1}, {"support": 2})
    assert "with penalty 2" in support.ok("queue", "show", "support")
    support.refused(2, "agent", "set", "1001", "skills=danish:99")
    support.refused(2, "agent", "set", "1001", "penalties=support")
    support.refused(2, "agent", "set", "1001", "penalties=support:-1")
    support.ok("agent", "set", "1001", "skills=", "penalties=")
    assert "skills" not in support.json("agent", "show", "1001")


def test_the_queue_of_own_calls_is_shown_and_set_without_being_added(cli: Cli) -> None:
    assert cli.json("queue", "show", "Outbound")["figures"]["queued"] == 0
    assert cli.json("call", "list", "--queue", "Outbound") == []
    assert cli.json("queue", "set", "Outbound", "wrap_up_seconds=20")["options"]["wrap_up_seconds"] == 20
    assert cli.json("queue", "set", "Outbound", "record=on")["options"]["wrap_up_seconds"] == 20
    assert [queue["name"] for queue in cli.json("queue", "list")] == ["Outbound"]
    assert "no queue 'outbound'" in cli.refused(3, "queue", "show", "outbound")


def test_names_and_hours_over_midnight_are_taken_as_they_are_written(cli: Cli) -> None:
    made = cli.json("queue", "add", "Продажи", "--did", "442079460018", "hours=22:00-06:00")
    assert (made["name"], made["options"]["hours"]) == ("Продажи", "22:00-06:00")
    assert cli.json("queue", "show", "Продажи")["name"] == "Продажи"
    cli.ok("campaign", "add", "Весна", "--mode", "power", "hours=mon-fri 22:00-06:00")
    assert cli.json("campaign", "show", "Весна")["name"] == "Весна"
