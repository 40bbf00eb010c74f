"""Calls that are promised to leads, and leads that expire: given by command, by file, and by an agent's disposition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from contact_center.clock import iso
from contact_center.models import Attempt, Call, Campaign, Lead
from tests.unit.console.support import Cli

ANN, BEN = "+442079460018", "+442079460019"


@pytest.fixture
def spring(cli: Cli) -> Cli:
    cli.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    cli.ok("agent", "add", "1001", "--name", "Ann")
    return cli


def soon(hours: int = 24) -> datetime:
    return (datetime.now(UTC) + timedelta(hours=hours)).replace(microsecond=0)


def test_a_lead_is_added_with_the_call_that_was_promised_and_its_end(spring: Cli) -> None:
    at, end = soon(), soon(48)
    times = (f"callback_at={iso(at)}", "callback_agent=1001", f"expires_at={iso(end)}", "city=Leeds")
    spring.ok("lead", "add", "spring", ANN, *times)
    spring.ok("lead", "add", "spring", BEN, "callback_at=+90m", "callback_agent=anyone")
    lead = spring.json("lead", "show", "1")
    assert (lead["state"], lead["fields"], lead["last_agent"]) == ("due", {"city": "Leeds"}, None)
    assert (lead["next_attempt_at"], lead["callback_at"], lead["callback_agent"]) == (iso(at), iso(at), "1001")
    assert lead["expires_at"] == iso(end)
    assert spring.json("lead", "show", "2")["callback_agent"] is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["callback_at=2020-01-01"], "callback_at '2020-01-01' is past"),
        (["callback_at=soon"], "callback_at 'soon' is not an instant"),
        (["expires_at=2020-01-01"], "expires_at '2020-01-01' is past"),
        (["callback_agent=1001"], "callback_agent goes with callback_at"),
        (["callback_at=+2h", "expires_at=+1h"], "callback_at is not before expires_at"),
        (["callback_at=+2h", "callback_agent=1009"], "agent"),
        (["next_attempt_at=+2h"], "next_attempt_at is not set by hand; callback_at=T says when"),
    ],
)
def test_a_time_that_cannot_be_is_refused_and_no_lead_comes_of_it(spring: Cli, given: list[str], told: str) -> None:
    answer = spring.run("lead", "add", "spring", ANN, *given)
    assert answer.exit_code in (2, 3)
    assert told in answer.stderr
    assert spring.json("lead", "list") == []


def test_a_file_has_the_times_in_columns_and_rows_with_bad_ones_are_rejected(spring: Cli, tmp_path: Path) -> None:
    at, end = soon(), soon(48)
    file = tmp_path / "leads.csv"
    rows = [
        f"{ANN},{iso(at)},1001,{iso(end)},",
        f"{BEN},,,,{iso(at)}",
        "+442079460020,2020-01-01,,,",
        f"+442079460022,{iso(at)},1009,,",
        "+442079460021,,,,",
    ]
    file.write_text("\n".join(["phone,callback_at,callback_agent,expires_at,next_attempt_at", *rows]))
    done = spring.json("lead", "import", "spring", file)
    assert (done["imported"], done["rejected"]) == (2, 3)
    first, last = spring.json("lead", "list")
    assert (first["state"], first["callback_at"], first["callback_agent"]) == ("due", iso(at), "1001")
    assert (first["expires_at"], first["fields"]) == (iso(end), {})
    assert (last["state"], last["callback_at"], last["expires_at"]) == ("new", None, None)
    rejects = Path(done["rejects_file"]).read_text()
    assert "next_attempt_at is not set by hand" in rejects
    assert "is past" in rejects
    assert "there is no agent 1009 to call back" in rejects


def talked(cli: Cli) -> None:
    """Agent 1001 has talked with the lead."""
    now = datetime.now(UTC)
    with cli.writing() as session:
        lead = session.scalars(select(Lead)).one()
        lead.state, lead.dials = "done", 1
        common = {"call_id": "call-1", "channel_id": "cw-1", "lead_id": 1, "campaign_id": 1, "n": 1, "number": ANN}
        session.add(Attempt(**common, trunk="main", agent="1001", intent_at=now, outcome="connected", state="done"))
        session.add(Call(id="call-1", kind="power", campaign="spring", lead_id=1, started_at=now, ended_at=now))


@pytest.mark.parametrize(("wish", "agent"), [((), "1001"), (("--anyone",), None)], ids=["the same agent", "anyone"])
def test_an_agent_promises_a_call_by_himself_or_by_anyone(
    spring: Cli, wish: tuple[str, ...], agent: str | None
) -> None:
    spring.ok("lead", "add", "spring", ANN)
    talked(spring)
    at = soon()
    spring.ok("call", "dispose", "call-1", "CALLBK", "--callback-at", iso(at), *wish)
    lead = spring.json("lead", "show", "1")
    assert (lead["state"], lead["callback_at"], lead["callback_agent"]) == ("due", iso(at), agent)


def test_a_call_after_the_end_of_its_lead_is_not_promised(spring: Cli) -> None:
    spring.ok("campaign", "set", "spring", "lead_expires=1h")
    spring.ok("lead", "add", "spring", ANN)
    talked(spring)
    told = spring.refused(2, "call", "dispose", "call-1", "CALLBK", "--callback-at", iso(soon()))
    assert "expires at" in told


def test_why_says_that_a_lead_has_expired_or_is_kept_for_its_agent(spring: Cli) -> None:
    spring.ok("campaign", "set", "spring", "promise_seconds=15m")
    spring.ok("lead", "add", "spring", ANN, "callback_at=+1h", "callback_agent=1001")
    with spring.writing() as session:
        lead = session.scalars(select(Lead)).one()
        lead.next_attempt_at = lead.callback_at = datetime.now(UTC) - timedelta(minutes=1)
    told = {reason["rule"]: reason["detail"] for reason in spring.json("why", "lead", "1")["reasons"]}
    assert told["promised"].startswith("The call is promised with agent 1001, who is offline; until ")
    with spring.writing() as session:
        session.scalars(select(Lead)).one().created_at = datetime.now(UTC) - timedelta(days=2)
        campaign = session.scalars(select(Campaign)).one()
        campaign.options = {**campaign.options, "lead_expires": 3600.0}
    told = {reason["rule"]: reason["detail"] for reason in spring.json("why", "lead", "1")["reasons"]}
    assert told["expired"].startswith("It expired at 20")


def test_a_promise_outlives_the_do_not_call_list_and_the_lead_is_not_dialled_before(spring: Cli) -> None:
    at = soon()
    spring.ok("dnc", "add", BEN)
    for number in (ANN, BEN):
        spring.ok("lead", "add", "spring", number, f"callback_at={iso(at)}", "callback_agent=1001")
    spring.ok("dnc", "add", ANN)
    assert [(lead["state"], lead["next_attempt_at"]) for lead in spring.json("lead", "list")] == [("dnc", None)] * 2
    for number in (ANN, BEN):
        spring.ok("dnc", "remove", number)
    for lead in spring.json("lead", "list"):
        assert (lead["state"], lead["next_attempt_at"], lead["callback_agent"]) == ("due", iso(at), "1001")


def test_no_call_is_promised_for_later_than_the_campaigns_leads_live(spring: Cli, tmp_path: Path) -> None:
    spring.ok("campaign", "set", "spring", "lead_expires=1h")
    assert "lead's end by lead_expires" in spring.refused(2, "lead", "add", "spring", ANN, "callback_at=+2h")
    file = tmp_path / "leads.csv"
    file.write_text(f"phone,callback_at\n{ANN},+2h\n{BEN},+30m\n")
    done = spring.json("lead", "import", "spring", file)
    assert (done["imported"], done["rejected"]) == (1, 1)
    assert "lead's end by lead_expires" in Path(done["rejects_file"]).read_text()
    assert [lead["number"] for lead in spring.json("lead", "list")] == [BEN]


def test_calls_that_a_removed_agent_promised_are_anybodys(spring: Cli) -> None:
    spring.ok("agent", "add", "1002", "--name", "Ben")
    for number, agent in ((ANN, "1001"), (BEN, "1002")):
        spring.ok("lead", "add", "spring", number, "callback_at=+2h", f"callback_agent={agent}")
    spring.ok("agent", "remove", "1001")
    assert [lead["callback_agent"] for lead in spring.json("lead", "list")] == [None, "1002"]
    assert all(lead["callback_at"] for lead in spring.json("lead", "list"))
