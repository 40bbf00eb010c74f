"""Several numbers of one lead, caps and parts of the day, as people give them and are told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from contact_center.models import Lead
from contact_center.store.claims import claim
from contact_center.store.engine import writing
from contact_center.terms import CallKind
from tests.unit.console.support import Cli
from tests.unit.store.world import settled

ANN, BOB, CID = "+442079460018", "+442079460019", "+442079460020"
LONDON = ZoneInfo("Europe/London")
NEW_YORK = "+12125550123"


@pytest.fixture
def spring(cli: Cli) -> Cli:
    cli.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    cli.ok("campaign", "start", "spring")
    return cli


def numbers(cli: Cli, lead: int = 1) -> list[str]:
    return [one["number"] for one in cli.json("lead", "show", lead)["numbers"]]


def unserved(cli: Cli, outcome: str = "missed", **more: Any) -> None:
    """The one lead is dialled now, and not served."""
    with writing(cli.engine) as session:
        session.execute(update(Lead).where(Lead.state == "due").values(next_attempt_at=datetime.now(UTC)))
    with writing(cli.engine) as session:
        (taken,) = claim(
            session,
            campaign_id=1,
            want=1,
            now=datetime.now(UTC),
            open_zones=None,
            trunks=["main"],
            max_attempts=0,
            kind=CallKind.POWER,
        )
    with writing(cli.engine) as session:
        settled(taken, outcome=outcome, disposition=outcome, alternate=True, **more).apply(session)


def reasons(cli: Cli, lead: int = 1) -> dict[str, str]:
    return {one["rule"]: one["detail"] for one in cli.json("why", "lead", lead)["reasons"]}


def test_a_lead_is_added_with_its_numbers_and_shows_which_was_dialled(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, "phone2=020 7946 0019", f"alt_phone={CID}", f"phone3={ANN}", "name=Ann")
    lead = spring.json("lead", "show", 1)
    assert (lead["number"], lead["fields"], numbers(spring)) == (ANN, {"name": "Ann"}, [ANN, CID, BOB])
    unserved(spring)
    lead = spring.json("lead", "show", 1)
    assert (lead["number"], lead["history"][0]["number"]) == (CID, ANN)
    assert [one["next"] for one in lead["numbers"]] == [False, True, False]
    assert spring.json("call", "list")[0]["caller_number"] == ANN
    assert f"{CID} (next)" in spring.ok("lead", "show", 1)
    assert [d["id"] for d in spring.json("lead", "list", "--number", BOB)] == [1]


def test_a_further_number_that_is_none_is_refused(spring: Cli) -> None:
    spring.refused(2, "lead", "add", "spring", ANN, "phone2=12")
    assert spring.json("lead", "list") == []


def test_a_file_brings_further_numbers_and_keeps_what_is_no_number_as_a_field(spring: Cli) -> None:
    file = put(spring, f"phone,phone2,Alt Phone,phone_3\n{ANN},{BOB},n/a,020 7946 0020\n{NEW_YORK},,,\n")
    assert spring.json("lead", "import", "spring", file)["imported"] == 2
    assert numbers(spring) == [ANN, BOB, CID]
    assert spring.json("lead", "show", 1)["fields"] == {"alt_phone": "n/a"}
    assert numbers(spring, 2) == [NEW_YORK]


def test_an_imported_number_that_another_lead_has_as_its_second_is_a_duplicate(spring: Cli) -> None:
    spring.ok("lead", "import", "spring", put(spring, f"phone,phone2\n{ANN},{BOB}\n"))
    assert spring.json("lead", "import", "spring", put(spring, f"phone\n{BOB}\n{CID}\n"))["duplicates"] == 1
    assert "it is lead 1" in spring.refused(2, "lead", "add", "spring", BOB)


def test_a_row_whose_number_an_earlier_row_of_the_file_has_as_its_second_is_a_duplicate(spring: Cli) -> None:
    file = put(spring, f"phone,phone2\n{ANN},{BOB}\n{BOB},\n{CID},\n")
    done = spring.json("lead", "import", "spring", file)
    assert (done["imported"], done["duplicates"]) == (2, 1)
    spring.ok("campaign", "add", "summer", "--mode", "power")
    assert spring.json("lead", "import", "summer", file, "--dedupe", "none")["imported"] == 3


def test_what_is_exported_brings_the_same_numbers_when_it_is_imported(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, f"phone2={BOB}", f"phone3={CID}")
    unserved(spring)
    spring.ok("lead", "import", "spring", put(spring, f"phone,phone2\n{NEW_YORK},none\n"))
    file = spring.folder / "out.csv"
    spring.ok("lead", "export", file)
    spring.ok("campaign", "add", "summer", "--mode", "power")
    assert spring.json("lead", "import", "summer", file)["imported"] == 2
    assert [numbers(spring, 3), numbers(spring, 4)] == [[BOB, ANN, CID], [NEW_YORK]]
    assert spring.json("lead", "show", 4)["fields"]["field_phone2"] == "none"


def test_the_hours_of_every_place_that_a_number_tells_hold(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, f"phone2={NEW_YORK}")
    assert sorted(spring.json("lead", "show", 1)["timezones"]) == ["America/New_York", "Europe/London"]


def test_why_tells_which_number_is_next_and_which_are_left_out(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, f"phone2={BOB}", f"phone3={CID}")
    closed = {"lead_state": "closed", "next_attempt_at": None, "sip_code": 404}
    unserved(spring, "invalid_number", **closed)
    told = f"{BOB} is dialled next (number 2 of 3). {ANN} is left out: the number does not exist."
    assert reasons(spring)["numbers"] == told


def test_why_tells_that_another_number_is_called_where_one_is_listed(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, f"phone2={BOB}")
    unserved(spring)
    with writing(spring.engine) as session:
        session.connection().exec_driver_sql(
            f"INSERT INTO dnc (number, campaign_id, reason, at) VALUES ('{BOB}', 0, '', '2026-01-01 00:00:00')"
        )
    assert reasons(spring)["dnc"] == f"The number is on the do-not-call list. {ANN} is called instead."


def test_why_tells_a_persons_cap_and_until_when(spring: Cli) -> None:
    spring.ok("campaign", "set", "spring", "person_cap=1/24h")
    spring.ok("lead", "add", "spring", ANN, f"phone2={BOB}")
    unserved(spring)
    told = reasons(spring)["person_cap"]
    assert told.startswith("1 of 1 calls in 24 h (person_cap): not before ")
    spring.ok("campaign", "set", "spring", "person_cap=")
    assert "person_cap" not in reasons(spring)


def test_why_tells_the_part_of_the_day_and_when_the_next_begins(spring: Cli) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    spring.ok("campaign", "set", "spring", "day_parts=00:00-12:00,12:00-24:00")
    spring.ok("lead", "add", "spring", ANN)
    unserved(spring, next_attempt_at=now, day_parts="00:00-12:00,12:00-24:00")
    due_at = datetime.fromisoformat(spring.json("lead", "show", 1)["next_attempt_at"]).astimezone(LONDON)
    assert (due_at.hour in (0, 12), timedelta() < due_at - now <= timedelta(hours=12)) == (True, True)
    assert f"not before {due_at:%Y-%m-%d %H:%M:%S} Europe/London" in reasons(spring)["day_parts"]


def put(cli: Cli, content: str) -> Path:
    file = cli.folder / "leads.csv"
    file.write_text(content)
    return file


def test_a_row_whose_number_another_row_of_the_file_has_as_its_second_is_a_duplicate(
    spring: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "leads.csv"
    file.write_text(f"phone_number,phone2\n{ANN},{BOB}\n{BOB},\n{CID},\n")
    assert spring.json("lead", "import", "spring", file)["imported"] == 2
    assert [one["number"] for one in spring.json("lead", "list")] == [ANN, CID]
