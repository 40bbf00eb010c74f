"""What people see of trunks: their use and their caps, which of them bind, and how they are changed at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from asterisk_conf.doctor import trunks as doctor
from contact_center.models import Audit, Control, TrunkNote
from contact_center.settings import load
from contact_center.store.facts import TrunkUsed
from contact_center.store.trunk_use import read_trunks
from tests.unit.console.support import Cli

ANN = "+442079460018"


@pytest.fixture
def capped(cli: Cli) -> Cli:
    """A trunk with caps, of which some has been used."""
    with cli.config.open("a", encoding="utf-8") as file:
        file.write("calls_per_hour = 20\nminutes_per_day = 100\ncost_per_minute = 0.02\n")
    used(cli, minutes_ago=90, calls=12, seconds=2400.0)
    used(cli, minutes_ago=5, calls=8, seconds=600.0)
    return cli


def used(cli: Cli, *, minutes_ago: int, calls: int, seconds: float) -> None:
    now = datetime.now(UTC)
    at = (now - timedelta(minutes=minutes_ago)).replace(second=0, microsecond=0)
    with cli.writing() as session:
        TrunkUsed("main", at, calls, seconds, now).apply(session)


def told_capped(cli: Cli) -> None:
    """A running serve says that the trunk takes no more."""
    with cli.writing() as session:
        note = TrunkNote(
            name="main", state="capped", reason="its calls_per_hour of 20 is reached", since_at=datetime.now(UTC)
        )
        session.add(note)


def test_a_trunk_shows_what_it_used_of_its_caps(capped: Cli) -> None:
    [main] = capped.json("trunk", "list")
    assert main["used"] == {
        "calls_per_hour": 8,
        "calls_per_day": 20,
        "minutes_per_hour": 10.0,
        "minutes_per_day": 50.0,
        "spend_per_day": 1.0,
    }
    assert (main["state"], main["caps"]["calls_per_hour"], main["changed"]) == ("up", 20, {})
    told = capped.ok("trunk", "list")
    assert "8 of 20" in told
    assert "50 of 100" in told
    assert "1 GBP" in told
    assert capped.json("trunk", "show", "main") == main
    assert "calls_per_hour" in capped.ok("trunk", "show", "main")


def test_a_cap_that_is_reached_stands_in_the_list_with_the_moment_at_which_it_ends(capped: Cli) -> None:
    used(capped, minutes_ago=1, calls=12, seconds=0.0)
    [main] = capped.json("trunk", "list")
    assert (main["state"], main["reason"]) == ("capped", "its calls_per_hour of 20 is reached")
    ends = datetime.fromisoformat(main["free_at"]) - datetime.now(UTC)
    assert timedelta(minutes=54) < ends < timedelta(minutes=57)
    assert "free at" in capped.ok("trunk", "show", "main")


def test_a_cap_is_changed_at_once_for_a_running_serve_and_given_back_to_the_settings(capped: Cli) -> None:
    said = capped.ok("trunk", "set", "main", "calls_per_hour=500", "minutes_per_day=0")
    assert "calls_per_hour=500" in said
    assert "minutes_per_day" not in said
    with capped.reading() as session:
        control = session.scalars(select(Control).where(Control.entity == "trunk")).one()
        assert (control.entity_id, control.action) == ("main", "set")
        audit = session.scalars(select(Audit).where(Audit.entity == "trunk")).one()
        assert audit.detail["caps"] == {"calls_per_hour": 500, "minutes_per_day": 0.0}
    [main] = capped.json("trunk", "list")
    assert main["changed"] == {"calls_per_hour": 500, "minutes_per_day": 0.0}
    main = capped.json("trunk", "set", "main", "calls_per_hour=", "minutes_per_day=")
    assert (main["changed"], main["caps"]["calls_per_hour"]) == ({}, 20)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("nosuch", "calls_per_hour=1"), 3, "There is no trunk 'nosuch'; `callwright trunk list` shows what there is."),
        (("main",), 2, "Give a cap to change, such as calls_per_hour=100"),
        (("main", "max_cps=1"), 2, "'max_cps' is no cap of a trunk; known are calls_per_hour"),
        (("main", "calls_per_hour=-1"), 2, "calls_per_hour is not allowed as '-1'"),
        (("main", "calls_per_hour=many"), 2, "calls_per_hour is not allowed as 'many'"),
        (("main", "spend_per_day=5", "cost_per_minute=0"), 2, "it needs cost_per_minute, too"),
    ],
)
def test_a_change_that_makes_no_sense_is_one_sentence(capped: Cli, words, code, sentence) -> None:
    assert sentence in capped.refused(code, "trunk", "set", *words)


def test_a_price_is_wanted_where_money_is_capped(cli: Cli) -> None:
    with cli.config.open("a", encoding="utf-8") as file:
        file.write("spend_per_day = 50\n")
    assert "trunk.main.spend_per_day is not allowed as 50: it needs cost_per_minute, too" in cli.refused(
        2, "trunk", "list"
    )


def test_why_names_the_cap_that_holds_a_campaign_and_an_agent_who_is_to_call_is_told_it(capped: Cli) -> None:
    capped.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    capped.ok("lead", "add", "spring", ANN)
    capped.ok("agent", "add", "1001", "--name", "Ann")
    told_capped(capped)
    reasons = {reason["rule"]: reason["detail"] for reason in capped.json("why", "campaign", "spring")["reasons"]}
    assert "Trunk main takes no more calls since" in reasons["trunk_capped"]
    assert "its calls_per_hour of 20 is reached" in reasons["trunk_capped"]
    assert "trunk_capped" in [reason["rule"] for reason in capped.json("why", "lead", "1")["reasons"]]
    capped.served = True
    assert "Trunk main takes no more calls: its calls_per_hour of 20 is reached" in capped.refused(
        1, "call", "place", "1001", ANN
    )


def test_doctor_tells_of_caps_that_are_reached_nearly_used_up_or_changed_by_hand(capped: Cli) -> None:
    def found() -> tuple[bool | None, str]:
        [finding] = asyncio.run(doctor.check_all(load(capped.config, {}), read_trunks))
        assert finding.name == "caps of trunk main"
        return finding.ok, finding.detail

    assert found() == (True, "8 of calls_per_hour=20, 50 of minutes_per_day=100")
    capped.ok("trunk", "set", "main", "calls_per_hour=200")
    assert found() == (None, "calls_per_hour=200 stands in place of the settings")
    capped.ok("trunk", "set", "main", "calls_per_hour=10")
    assert found() == (None, "8 of calls_per_hour=10 are used")
    used(capped, minutes_ago=1, calls=2, seconds=0.0)
    assert found() == (False, "it takes no more calls: its calls_per_hour of 10 is reached")


def test_minutes_older_than_two_days_are_forgotten(capped: Cli) -> None:
    used(capped, minutes_ago=3 * 1440, calls=1, seconds=1.0)
    used(capped, minutes_ago=0, calls=1, seconds=1.0)
    [main] = capped.json("trunk", "list")
    assert main["used"]["calls_per_day"] == 21
    used(capped, minutes_ago=0, calls=5, seconds=1.0)
    assert capped.json("trunk", "list")[0]["used"]["calls_per_day"] == 25


def test_the_help_of_a_trunk_says_what_its_name_is(cli: Cli) -> None:
    assert "trunk.NAME section in the settings" in " ".join(cli.bare("trunk", "show", "--help").stdout.split())
