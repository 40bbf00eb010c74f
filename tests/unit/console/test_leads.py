"""`callwright lead ...` and `callwright dnc ...` on a real database."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from contact_center.models import Attempt, Audit, Call, Lead, Outbox
from contact_center.models_callbacks import Callback
from contact_center.store.claims import claim
from contact_center.store.engine import writing
from contact_center.terms import CallKind
from tests.unit.console.support import Cli

ANN, BOB = "+442079460018", "+442079460019"


@pytest.fixture
def spring(cli: Cli) -> Cli:
    cli.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    return cli


def test_a_lead_is_added_with_priority_zone_and_fields(spring: Cli) -> None:
    lead = spring.json(
        *("lead", "add", "spring", "020 7946 0018", "first_name=Ann", "priority=5", "timezone=europe/paris")
    )
    lead.pop("created_at")
    assert lead == {
        "id": 1,
        "campaign": "spring",
        "number": ANN,
        "state": "new",
        "disposition": None,
        "attempts": 0,
        "next_attempt_at": None,
        "last_agent": None,
        "priority": 5,
        "fields": {"first_name": "Ann"},
        "dials": 0,
        "timezones": ["Europe/Paris"],
        "reason": None,
        "closed_at": None,
        "callback_at": None,
        "callback_agent": None,
        "expires_at": None,
    }


def test_a_number_stands_once_in_a_campaign_but_may_stand_in_others(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN)
    assert "it is lead 1" in spring.refused(2, "lead", "add", "spring", "02079460018")
    spring.ok("campaign", "add", "summer", "--mode", "power")
    spring.ok("lead", "add", "summer", ANN)


@pytest.mark.parametrize(
    "words",
    [("12",), ("abc",), ("",), (ANN, "priority=high"), (ANN, "priority=1001"), (ANN, "timezone=Mars/Base")],
)
def test_bad_leads_are_refused_in_one_sentence(spring: Cli, words: tuple[str, ...]) -> None:
    spring.refused(2, "lead", "add", "spring", *words)
    spring.refused(3, "lead", "add", "nowhere", ANN)
    assert spring.json("lead", "list") == []


def test_leads_are_listed_by_filter_sort_and_limit(spring: Cli) -> None:
    for n, number in enumerate((BOB, ANN, "+442079460020")):
        spring.ok("lead", "add", "spring", number, f"priority={n}")
    assert [d["id"] for d in spring.json("lead", "list")] == [1, 2, 3]
    assert [d["id"] for d in spring.json("lead", "list", "--sort", "-priority")] == [3, 2, 1]
    assert [d["id"] for d in spring.json("lead", "list", "--sort", "number", "--limit", "2")] == [2, 1]
    assert [d["id"] for d in spring.json("lead", "list", "--number", "02079460019")] == [1]
    assert spring.json("lead", "list", "--state", "done", "--campaign", "spring") == []
    spring.refused(2, "lead", "list", "--sort", "id; drop table lead")
    spring.refused(2, "lead", "list", "--state", "odd")
    spring.refused(3, "lead", "list", "--campaign", "nowhere")
    spring.refused(3, "lead", "show", "99")


def test_leads_that_came_to_an_end_are_recycled_by_what_they_came_to(spring: Cli) -> None:
    used_up, asked = "all attempts are used up", "all 2 attempts used"
    ends = [
        ("closed", "busy", used_up),
        ("closed", "missed", asked),
        ("closed", "invalid_number", "the number does not exist"),
        ("done", "NI", ""),
        ("done", "connected", ""),
        ("dnc", "busy", "on the do-not-call list"),
        ("due", "busy", ""),
    ]
    for n, _ in enumerate(ends):
        spring.ok("lead", "add", "spring", f"+4420794600{n:02d}")
    with writing(spring.engine) as session:
        for lead, (state, disposition, reason) in zip(session.scalars(select(Lead)), ends, strict=True):
            lead.state, lead.disposition, lead.reason, lead.attempts = state, disposition, reason, 2

    def fresh() -> list[int]:
        return [d["id"] for d in spring.json("lead", "list", "--state", "due") if d["attempts"] == 0]

    assert spring.json("lead", "recycle", "spring") == {"campaign": "spring", "recycled": 2}
    assert fresh() == [1, 2]
    words = ("--disposition", "ni", "--disposition", "invalid_number")
    assert spring.json("lead", "recycle", "spring", *words)["recycled"] == 2
    assert fresh() == [1, 2, 3, 4]
    lead = spring.json("lead", "show", "1")
    assert (lead["reason"], lead["closed_at"], lead["disposition"]) == ("recycled", None, "busy")
    assert lead["next_attempt_at"] is not None
    assert spring.json("lead", "recycle", "spring", "--disposition", "nothing")["recycled"] == 0
    spring.refused(3, "lead", "recycle", "nowhere")


def test_more_leads_than_one_transaction_takes_are_recycled_once_each(spring: Cli) -> None:
    rows = "".join(f"+4420794{n:05d}\n" for n in range(60000, 61201))
    file = spring.folder / "many.csv"
    file.write_text(f"phone\n{rows}")
    found = spring.json("lead", "import", "spring", file)["imported"]
    with writing(spring.engine) as session:
        session.execute(text("UPDATE lead SET state = 'done', disposition = 'busy'"))
    assert spring.json("lead", "recycle", "spring", "--disposition", "busy")["recycled"] == found > 1000
    assert spring.json("campaign", "show", "spring")["leads"]["due"] == found


def test_an_export_has_no_formula_and_can_be_imported_again(spring: Cli) -> None:
    evil = ["=1+1", "+1-1", "-2", "@SUM(A1)", "\tx", "\rx", "plain", "'quoted", 'a"b,c']
    for n, value in enumerate(evil):
        spring.ok("lead", "add", "spring", f"+4420794600{n:02d}", f"note={value}")
    file = spring.folder / "out.csv"
    assert spring.json("lead", "export", file, "--campaign", "spring")["exported"] == len(evil)
    assert file.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))
    assert [row["number"] for row in rows] == [f"+4420794600{n:02d}" for n in range(len(evil))]
    for row, value in zip(rows, evil, strict=True):
        assert row["note"] == (f"'{value}" if value[0] in "=+-@\t\r" else value)
        assert not any(cell[:1] in ("=", "@", "\t", "\r") for cell in row.values())
    spring.ok("campaign", "add", "again", "--mode", "power")
    spring.ok("lead", "import", "again", file)
    leads = spring.json("lead", "list", "--campaign", "again")
    assert [d["fields"]["note"] for d in leads] == evil


def test_an_export_of_leads_that_are_due_can_be_imported_again(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN)
    with writing(spring.engine) as session:
        past = {"past": "2026-03-02 12:00:00.000000"}
        session.execute(text("UPDATE lead SET state = 'due', next_attempt_at = :past, callback_at = :past"), past)
    file = spring.folder / "due.csv"
    spring.ok("lead", "export", file)
    spring.ok("campaign", "add", "again", "--mode", "power")
    assert spring.json("lead", "import", "again", file)["imported"] == 1


def test_a_field_that_is_named_as_a_column_of_the_lead_has_a_column_of_its_own(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, "state=NY", "reason=moved", "field_state=old")
    [row] = csv.DictReader(io.StringIO(spring.ok("lead", "export"), newline=""))
    assert (row["state"], row["reason"]) == ("new", "")
    assert (row["field_state"], row["field_field_state"], row["field_reason"]) == ("old", "NY", "moved")
    file = spring.folder / "own.csv"
    spring.ok("lead", "export", file)
    spring.ok("campaign", "add", "again", "--mode", "power")
    spring.ok("lead", "import", "again", file)


def test_an_export_to_stdout_is_csv_alone(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, "first_name=Ann")
    lines = spring.ok("lead", "export").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith('"id","campaign","number"')
    assert f'"{ANN}"' in lines[1]
    spring.refused(2, "lead", "export", "--json")
    spring.refused(2, "lead", "export", spring.folder)
    spring.refused(2, "lead", "export", spring.folder / "no" / "such" / "x.csv")


def test_data_cannot_act_on_the_terminal(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, "note=\x1b[2J[red]boo[/red]")
    shown = spring.ok("lead", "list") + spring.ok("lead", "show", "1")
    assert "\x1b[2J" not in shown
    assert "[red]boo[/red]" in shown


def test_the_do_not_call_list_holds_waiting_leads_back(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN)
    added = spring.json("dnc", "add", "02079460018", "--reason", "asked")
    assert added == {"number": ANN, "campaign": None, "added": True, "leads": 1}
    assert spring.json("dnc", "add", ANN)["added"] is False
    lead = spring.json("lead", "show", "1")
    assert (lead["state"], lead["reason"]) == ("dnc", "on the do-not-call list")
    [entry] = spring.json("dnc", "list")
    assert (entry["number"], entry["campaign"], entry["reason"]) == (ANN, None, "asked")
    assert spring.json("dnc", "remove", ANN)["leads"] == 1
    assert spring.json("lead", "show", "1")["state"] == "new"
    spring.refused(3, "dnc", "remove", ANN)


def test_a_list_of_one_campaign_leaves_the_others_alone(spring: Cli) -> None:
    spring.ok("campaign", "add", "summer", "--mode", "power")
    spring.ok("lead", "add", "spring", ANN)
    spring.ok("lead", "add", "summer", ANN)
    spring.ok("dnc", "add", ANN, "--campaign", "spring")
    assert [d["state"] for d in spring.json("lead", "list")] == ["dnc", "new"]
    assert spring.json("dnc", "list", "--campaign", "spring")[0]["campaign"] == "spring"
    assert spring.json("dnc", "list", "--campaign", "summer") == []
    spring.ok("dnc", "add", ANN)
    spring.ok("dnc", "remove", ANN, "--campaign", "spring")
    assert [d["state"] for d in spring.json("lead", "list")] == ["dnc", "dnc"]


def test_a_new_lead_on_the_list_is_kept_but_never_dialled(spring: Cli) -> None:
    spring.ok("dnc", "add", ANN)
    assert "never called" in spring.ok("lead", "add", "spring", ANN)
    assert spring.json("lead", "show", "1")["state"] == "dnc"


def test_a_file_of_numbers_goes_onto_the_list(spring: Cli) -> None:
    for n in range(3):
        spring.ok("lead", "add", "spring", f"+4420794600{n:02d}")
    file = spring.folder / "blocked.csv"
    rows = ["phone,why", *(f"+4420794600{n:02d},x" for n in range(1200 % 100)), "+442079460001", "abc", ""]
    file.write_text("\r\n".join(rows), encoding="utf-8")
    answer = spring.run("--json", "dnc", "import", file)
    assert answer.exit_code == 0
    assert answer.json["rejected"] == 1
    assert answer.json["imported"] >= 1
    assert "line" in answer.stderr
    again = spring.json("dnc", "import", file)
    assert (again["imported"], again["rejected"]) == (0, 1)
    assert "this is a folder" in spring.refused(2, "dnc", "import", spring.folder)
    assert "no such file" in spring.refused(2, "dnc", "import", spring.folder / "nowhere")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "nothing in it is a number"),
        (b"phone\n", "nothing in it is a number"),
        (b"Ann,London\nBob,Leeds\n", "nothing in it is a number"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\n+442079460001\n", "no text"),
        ("+442079460001\n".encode("utf-16"), "no text"),
    ],
)
def test_a_file_without_any_number_is_no_do_not_call_list(spring: Cli, content: bytes, said: str) -> None:
    file = spring.folder / "blocked.csv"
    file.write_bytes(content)
    told = spring.refused(2, "dnc", "import", file)
    assert said in told
    assert "blocked.csv" in told
    assert spring.json("dnc", "list") == []


def dialled(cli: Cli, number: str) -> str:
    """Play the dialer: claim the lead of a number and end its call; the call's id."""
    cli.ok("campaign", "start", "spring")
    now = datetime.now(UTC)
    with cli.writing() as session:
        [taken] = claim(
            session,
            campaign_id=1,
            want=1,
            now=now,
            open_zones=None,
            trunks=["main"],
            max_attempts=0,
            kind=CallKind.POWER,
        )
        assert taken.number == number
        call = session.get_one(Call, taken.call_id)
        call.record = {"comment": "lives in Leeds", "attempts": []}
    return taken.call_id


def test_erasing_waits_for_the_end_of_the_call(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN)
    dialled(spring, ANN)
    assert "is on a call" in spring.refused(1, "lead", "erase", ANN)


def test_an_erased_person_is_found_nowhere_but_on_the_do_not_call_list(spring: Cli) -> None:
    spring.ok("lead", "add", "spring", ANN, "first_name=Annabella")
    call_id = dialled(spring, ANN)
    spring.ok("call", "dispose", call_id, "NI", "--dnc")
    with spring.writing() as session:
        session.scalars(select(Attempt)).one().live_number = None
        moments = ("entered_at", "ordered_at", "since_at", "due_at", "expires_at")
        when = dict.fromkeys(moments, datetime.now(UTC))
        session.add(Callback(id="cb", call_id=call_id, queue="q", number=ANN, state="waiting", live_key="k", **when))
    erased = spring.json("lead", "erase", ANN)
    assert (erased["leads"], erased["calls"], erased["attempts"], erased["dnc_entries_kept"]) == (1, 1, 1, 1)
    with spring.reading() as session:
        tables = ("lead", "attempt", "call", "callback", "outbox", "control", "lead_batch")
        for table in tables:
            rows = [str(tuple(row)) for row in session.execute(text(f"SELECT * FROM {table}"))]
            mine = [r for r in rows if "'dnc'" not in r]
            assert not [r for r in mine if ANN in r or "Annabella" in r or "Leeds" in r], table
        audited = [str(row.detail) for row in session.scalars(select(Audit))]
        assert not [r for r in audited if ANN in r or "Annabella" in r]
        assert session.scalars(select(Lead)).one().state == "closed"
        assert session.scalars(select(Callback)).one().state == "cancelled"
    assert ANN not in str(erased)
    assert spring.json("dnc", "list")[0]["number"] == ANN
    spring.refused(3, "lead", "erase", BOB)


def test_leads_and_lists_work_on_both_databases(both: Cli) -> None:
    both.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    both.ok("lead", "add", "spring", ANN, "first_name=Ann", "priority=5")
    both.ok("lead", "add", "spring", BOB)
    both.ok("dnc", "add", ANN)
    both.ok("dnc", "remove", ANN)
    call_id = dialled(both, ANN)
    assert both.json("call", "dispose", call_id, "CALLBK", "--callback-at", "+2h")["disposition"] == "CALLBK"
    with both.writing() as session:
        session.scalars(select(Attempt)).one().live_number = None
    assert "not_due" in [r["rule"] for r in both.json("why", "lead", "1")["reasons"]]
    assert both.json("call", "list", "--number", ANN, "--from", "2020-01-01")[0]["id"] == call_id
    assert both.json("campaign", "show", "spring")["leads"]["due"] == 1
    assert both.json("lead", "erase", ANN)["leads"] == 1
    assert both.json("lead", "export", both.folder / "x.csv")["exported"] == 2
    file = both.folder / "leads.csv"
    file.write_text(f"phone,first_name\n{BOB},Bob\n+442079460020,Cid\n", encoding="utf-8")
    result = both.json("lead", "import", "spring", file)
    assert (result["imported"], result["duplicates"]) == (1, 1)
    assert both.json("why", "lead", "3")["dialable"] is False
    with both.reading() as session:
        assert session.scalars(select(Outbox)).first() is not None
