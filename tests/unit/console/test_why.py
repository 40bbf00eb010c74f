"""`callwright why ...`: each rule speaks when it binds, in its order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from contact_center.models import Agent, Attempt, Campaign, DncEntry, Lead, PaceNote, TrunkNote
from tests.unit.console.support import Cli

ANN = "+442079460018"


@pytest.fixture
def ready(cli: Cli) -> Cli:
    """A lead that nothing holds back: running campaign, open hours, an idle agent, a serve."""
    cli.ok("campaign", "add", "spring", "--mode", "power", "--team", "sales", "hours=00:00-24:00")
    cli.ok("campaign", "start", "spring")
    cli.ok("agent", "add", "1001", "--name", "Ann", "--team", "sales")
    cli.ok("lead", "add", "spring", ANN)
    with cli.writing() as session:
        agent = session.scalars(select(Agent)).one()
        agent.state, agent.status = "idle", "online"
    cli.served = True
    return cli


def change(cli: Cli, kind: type[Any], **values: Any) -> None:
    with cli.writing() as session:
        row = session.scalars(select(kind)).first()
        assert row is not None
        for name, value in values.items():
            setattr(row, name, value)


def rules(cli: Cli) -> list[str]:
    return [reason["rule"] for reason in cli.json("why", "lead", "1")["reasons"]]


def test_a_lead_that_nothing_holds_back_is_dialable(ready: Cli) -> None:
    assert ready.json("why", "lead", "1") == {"lead": 1, "dialable": True, "reasons": []}
    assert "can be dialled now" in ready.ok("why", "lead", "1")


def test_a_name_with_a_space_is_quoted_as_a_shell_wants_it(cli: Cli) -> None:
    said = cli.ok("campaign", "add", "Frühling 2026", "--mode", "power")
    assert "`callwright lead import 'Frühling 2026' FILE.csv`" in said
    cli.ok("lead", "add", "Frühling 2026", ANN)
    assert "`callwright campaign start 'Frühling 2026'` runs it." in cli.ok("why", "lead", "1")
    assert "`callwright campaign start 'Frühling 2026'` is possible" in cli.refused(
        1, "campaign", "pause", "Frühling 2026"
    )


def test_the_caller_id_of_its_area_is_told(ready: Cli) -> None:
    ready.ok("campaign", "set", "spring", "caller_ids=+44:+442079460000,+4420:+442079460001,+1:+12025550100")
    found = ready.json("why", "lead", "1")
    told = "It is shown +442079460001, the caller ID of its area +4420 (caller_ids)."
    assert found == {"lead": 1, "dialable": True, "reasons": [{"rule": "caller_id", "detail": told}]}


def test_a_campaign_that_does_not_run(ready: Cli) -> None:
    ready.ok("campaign", "pause", "spring")
    found = ready.json("why", "lead", "1")
    assert found["dialable"] is False
    assert found["reasons"][0] == {
        "rule": "campaign_not_running",
        "detail": "Campaign spring is paused; `callwright campaign resume spring` runs it.",
    }


def test_outside_the_hours_of_the_lead_it_says_when_they_open(ready: Cli) -> None:
    tokyo = datetime.now(ZoneInfo("Asia/Tokyo"))
    opens = (tokyo + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    change(ready, Lead, zones="Asia/Tokyo")
    day = opens.strftime("%a").lower()
    ready.ok("campaign", "set", "spring", f"hours={day} {opens:%H}:00-{opens:%H}:30")
    [reason] = ready.json("why", "lead", "1")["reasons"]
    assert reason["rule"] == "outside_hours"
    assert f"opens at {opens:%Y-%m-%d %H:%M:%S} Asia/Tokyo" in reason["detail"]


def test_not_due_yet(ready: Cli) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    change(ready, Lead, state="due", next_attempt_at=due, disposition="busy")
    [reason] = ready.json("why", "lead", "1")["reasons"]
    assert reason["rule"] == "not_due"
    local = due.astimezone(ZoneInfo("Europe/London"))
    assert f"after busy is due at {local:%Y-%m-%d %H:%M:%S} Europe/London" in reason["detail"]


def test_attempts_used_up_and_do_not_call(ready: Cli) -> None:
    ready.ok("campaign", "set", "spring", "max_attempts=2")
    change(ready, Lead, attempts=2)
    assert rules(ready) == ["attempts_used_up"]
    with ready.writing() as session:
        session.add(DncEntry(number=ANN, at=datetime.now(UTC)))
    assert rules(ready) == ["dnc", "attempts_used_up"]


@pytest.mark.parametrize("state", ["done", "closed", "dnc", "dialing", "talking"])
def test_a_lead_that_does_not_wait_says_so_alone(ready: Cli, state: str) -> None:
    change(ready, Lead, state=state, reason="the number does not exist")
    assert rules(ready) == [state]


def open_attempt(cli: Cli, number: str, channel: str) -> None:
    with cli.writing() as session:
        lead = Lead(campaign_id=1, number=number, state="dialing", created_at=datetime.now(UTC))
        session.add(lead)
        session.flush()
        session.add(
            Attempt(
                call_id=f"call-{channel}",
                channel_id=channel,
                lead_id=lead.id,
                campaign_id=1,
                n=1,
                number=number,
                live_number=number,
                trunk="main",
                state="ringing",
                intent_at=datetime.now(UTC),
            )
        )


def test_the_number_is_on_a_live_call_of_another_lead(ready: Cli) -> None:
    open_attempt(ready, ANN, "c1")
    assert rules(ready) == ["number_in_use"]


def test_a_full_trunk(ready: Cli) -> None:
    open_attempt(ready, "+442079460021", "c1")
    assert rules(ready) == []
    open_attempt(ready, "+442079460022", "c2")
    [reason] = ready.json("why", "lead", "1")["reasons"]
    assert reason["detail"] == "Trunk main has 2 of its 2 channels in use."


def test_a_trunk_that_is_down(ready: Cli) -> None:
    with ready.writing() as session:
        session.add(TrunkNote(name="main", state="down", reason="no answer to OPTIONS", since_at=datetime.now(UTC)))
    [reason] = ready.json("why", "lead", "1")["reasons"]
    assert reason["rule"] == "trunk_down"
    assert "no answer to OPTIONS" in reason["detail"]


def test_no_agents_and_busy_agents(ready: Cli) -> None:
    change(ready, Agent, state="talking")
    assert rules(ready) == ["agents_busy"]
    change(ready, Agent, state="paused")
    assert rules(ready) == ["no_agents"]
    change(ready, Agent, state="idle", team="other")
    [reason] = ready.json("why", "lead", "1")["reasons"]
    assert reason == {"rule": "no_agents", "detail": "No agent of team sales is on line (it has no agents)."}


def test_no_serve(ready: Cli) -> None:
    ready.served = False
    assert rules(ready) == ["no_serve"]


def test_other_leads_come_first_in_the_dialling_order(ready: Cli) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    with ready.writing() as session:
        for n, values in enumerate(
            (
                {"state": "due", "last_agent": "1001", "next_attempt_at": past},  # served before: first
                {"state": "due", "last_agent": "", "next_attempt_at": past},  # a retry: after new ones
                {"state": "new"},  # newer: before
                {"state": "new", "priority": 9},  # higher priority: before
                {"state": "new", "zones": "Europe/London", "campaign_id": 2},  # another campaign
                {"state": "due", "last_agent": "1001", "next_attempt_at": past + timedelta(days=1)},  # not due
            )
        ):
            row = {"campaign_id": 1, "number": f"+44207946003{n}", "zones": "Europe/London"}
            if values.get("campaign_id"):
                session.add(Campaign(name="summer", created_at=past))
                session.flush()
            session.add(Lead(**{**row, "created_at": past, **values}))
    found = ready.json("why", "lead", "1")
    assert found["dialable"] is True
    assert found["reasons"][0]["rule"] == "others_first"
    assert found["reasons"][0]["detail"].startswith("3 leads come first")
    assert ready.json("why", "lead", "4")["reasons"][0]["detail"].startswith("2 leads come first")
    assert ready.json("why", "lead", "3")["reasons"][0]["detail"].startswith("4 leads come first")
    assert ready.json("why", "lead", "2")["reasons"] == []


def test_the_last_pacing_decision_is_told(ready: Cli) -> None:
    decision = {"want": 0, "idle": 1, "reason": "two calls ring already"}
    with ready.writing() as session:
        session.add(PaceNote(campaign_id=1, at=datetime.now(UTC), decisions=[decision]))
    [reason] = ready.json("why", "lead", "1")["reasons"]
    assert reason["rule"] == "pace"
    assert "two calls ring already" in reason["detail"]
    campaign = ready.json("why", "campaign", "spring")
    assert campaign["decisions"] == [decision]
    assert campaign["dialable"] is True
    assert "two calls ring already" in ready.ok("why", "campaign", "spring")


def test_why_a_campaign_stands_still(ready: Cli) -> None:
    change(ready, Lead, state="due", next_attempt_at=datetime.now(UTC) + timedelta(hours=1))
    assert [r["rule"] for r in ready.json("why", "campaign", "spring")["reasons"]] == ["not_due"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%a").lower()
    change(ready, Lead, state="new", zones="UTC")
    ready.ok("campaign", "set", "spring", f"hours={tomorrow} 08:00-09:00")
    assert [r["rule"] for r in ready.json("why", "campaign", "spring")["reasons"]] == ["outside_hours"]
    change(ready, Lead, state="done")
    assert [r["rule"] for r in ready.json("why", "campaign", "spring")["reasons"]] == ["no_leads"]


def test_what_is_not_there_is_exit_3(ready: Cli) -> None:
    ready.refused(3, "why", "lead", "99")
    ready.refused(3, "why", "lead", "99999999999999999999")
    ready.refused(3, "why", "campaign", "summer")
    ready.refused(2, "why", "lead", "one")
