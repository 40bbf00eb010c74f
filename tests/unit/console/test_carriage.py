"""What commands say of leads that no trunk may carry, and of those that wait for an agent of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from contact_center.models import Agent, Lead
from tests.unit.console.support import Cli

ANN, DANE = "+442079460018", "+4532123456"
CLOSED = "no trunk of the campaign may carry the number (allowed_prefixes)"


@pytest.fixture
def british(cli: Cli) -> Cli:
    """A campaign whose only trunk carries British numbers."""
    with cli.config.open("a", encoding="utf-8") as file:
        file.write('allowed_prefixes = ["+44"]\n')
    cli.ok("campaign", "add", "spring", "--mode", "power")
    return cli


def test_an_import_says_how_many_leads_no_trunk_may_carry_and_they_are_counted(british: Cli, tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text(f"phone\n{ANN}\n{DANE}\n+12025550123\n")
    assert f"2 of them are closed: {CLOSED}" in british.ok("lead", "import", "spring", str(file))
    shown = british.json("campaign", "show", "spring")
    assert (shown["leads"]["new"], shown["leads"]["closed"], shown["not_carried"]) == (1, 2, 2)
    told = [reason["detail"] for reason in british.json("why", "campaign", "spring")["reasons"]]
    assert f"2 leads are closed: {CLOSED}." in told


def test_a_lead_that_is_added_says_so_and_why_names_the_lists(british: Cli) -> None:
    assert f"but is closed: {CLOSED}" in british.ok("lead", "add", "spring", DANE)
    [reason] = british.json("why", "lead", "1")["reasons"]
    assert reason["rule"] == "not_carried"
    assert f"{DANE} may not be called: trunk.main.allowed_prefixes has only +44." in reason["detail"]


def test_a_lead_that_waited_before_the_list_came_is_told_of_before_it_is_closed(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    cli.ok("lead", "add", "spring", DANE)
    with cli.config.open("a", encoding="utf-8") as file:
        file.write('allowed_prefixes = ["+44"]\n')
    found = cli.json("why", "lead", "1")
    assert found["dialable"] is False
    assert "not_carried" in [reason["rule"] for reason in found["reasons"]]


def test_a_lead_that_waits_for_its_own_agent_says_until_when(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00", "sticky_seconds=5m")
    cli.ok("campaign", "start", "spring")
    cli.ok("agent", "add", "1001", "--name", "Ann")
    cli.ok("lead", "add", "spring", ANN)
    cli.served = True
    with cli.writing() as session:
        agent, lead = session.scalars(select(Agent)).one(), session.scalars(select(Lead)).one()
        agent.state, agent.status = "wrap_up", "online"
        lead.state, lead.last_agent, lead.next_attempt_at = "due", "1001", datetime.now(UTC) - timedelta(seconds=20)
    found = {reason["rule"]: reason["detail"] for reason in cli.json("why", "lead", "1")["reasons"]}
    assert found["own_agent_busy"].startswith("It waits for agent 1001, who is wrap_up, until ")
