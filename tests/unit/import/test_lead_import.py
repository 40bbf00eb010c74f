"""`callwright lead import`: files as people have them, on a real database."""

from __future__ import annotations

import csv
import gzip
import io
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from contact_center.models import LeadBatch, LeadImport
from tests.unit.console.support import Cli

ANN, BOB, CID = "+442079460018", "+442079460019", "+442079460020"


def put(cli: Cli, content: str | bytes, name: str = "leads.csv") -> Path:
    file = cli.folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def leads(cli: Cli, campaign: str = "spring") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli.json("lead", "list", "--campaign", campaign, "--limit", 1000)
    return found


def rejects(file: Path) -> list[dict[str, str]]:
    text = file.with_name(file.name + ".rejects.csv").read_bytes().decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_plain_file_becomes_leads(cli: Cli) -> None:
    file = put(
        cli,
        "Phone,First Name,priority,timezone,Shoe size\n020 7946 0018,Ann,5,Europe/Paris,38\n+44 20 7946 0019,Bob,,,\n",
    )
    result = cli.json("lead", "import", "spring", file)
    assert result.pop("seconds") > 0
    assert result == {"imported": 2, "duplicates": 0, "rejected": 0, "rejects_file": None, "dnc": 0, "not_carried": 0}
    ann, bob = leads(cli)
    assert (ann["number"], ann["priority"], ann["timezones"]) == (ANN, 5, ["Europe/Paris"])
    assert ann["fields"] == {"first_name": "Ann", "shoe_size": "38"}
    assert (bob["number"], bob["priority"], bob["fields"]) == (BOB, 0, {"first_name": "Bob"})
    assert {ann["state"], bob["state"]} == {"new"}
    assert not file.with_name("leads.csv.rejects.csv").exists()


@pytest.mark.parametrize("name", ["phone", "Phone Number", "number", "TEL", "mobile", "telephone"])
def test_the_number_may_stand_under_many_names(cli: Cli, name: str) -> None:
    cli.ok("lead", "import", "spring", put(cli, f"name,{name}\nAnn,{ANN}\n"))
    assert leads(cli)[0]["number"] == ANN


def test_a_file_with_several_numbers_takes_the_first_name_by_preference(cli: Cli) -> None:
    cli.ok("lead", "import", "spring", put(cli, f"mobile,phone\n{BOB},{ANN}\n"))
    assert leads(cli)[0]["number"] == ANN
    assert leads(cli)[0]["fields"] == {"mobile": BOB}


STANDARD = (
    "V1|S1|101|44|2079460018|Ms|Ann|M|Lee|1 High St|||Leeds||W Yorks|LS1|GB|F|1980-01-01|020|a@b|pw|hi|3|NI|x|7|own"
)


@pytest.mark.parametrize("delimiter", ["|", "\t"])
def test_a_list_in_vicidials_order_needs_no_header(cli: Cli, delimiter: str) -> None:
    second = "V2||101||+442079460019||Bob"
    file = put(cli, f"{STANDARD}\n{second}\n".replace("|", delimiter), "leads.txt")
    assert cli.json("lead", "import", "spring", file)["imported"] == 2
    ann, bob = leads(cli)
    assert (ann["number"], ann["priority"]) == (ANN, 7)
    assert ann["fields"]["vendor_lead_code"] == "V1"
    assert (ann["fields"]["first_name"], ann["fields"]["postal_code"], ann["fields"]["owner"]) == ("Ann", "LS1", "own")
    assert (bob["number"], bob["fields"]["first_name"]) == (BOB, "Bob")


def test_vicidials_header_joins_code_and_number_and_keeps_its_do_not_call_states(cli: Cli) -> None:
    file = put(
        cli,
        "list_id,phone_code,phone_number,first_name,status,rank\n"
        "1,44,02079460018,Ann,NEW,3\n"
        "1,1,2125550123,Bea,NA,\n"
        "1,44,2079460019,Bob,DNC,\n"
        "1,xx,2079460020,Cid,NEW,\n",
    )
    result = cli.json("lead", "import", "spring", file)
    assert (result["imported"], result["rejected"]) == (2, 2)
    assert [d["number"] for d in leads(cli)] == [ANN, "+12125550123"]
    assert [r["reason"] for r in rejects(file)] == [
        "the row's status is DNC: it must not be called",
        "phone_code 'xx' is not a country code",
    ]


def test_a_mere_list_of_numbers_is_enough(cli: Cli) -> None:
    assert cli.json("lead", "import", "spring", put(cli, f"{ANN}\n\n020 7946 0019\nnobody\n"))["imported"] == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(cli: Cli, delimiter: str) -> None:
    rows = [["phone", "name", "note"], [ANN, "Ann", "a,b;c"], [BOB, "Bob", "x|y"], [CID, "Cid", ""]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    assert cli.json("lead", "import", "spring", put(cli, text.getvalue()))["imported"] == 3
    assert leads(cli)[0]["fields"] == {"name": "Ann", "note": "a,b;c"}


def test_a_spreadsheets_sep_line_is_understood(cli: Cli) -> None:
    cli.ok("lead", "import", "spring", put(cli, f"sep=;\r\nphone;name\r\n{ANN};Ann, Lee\r\n"))
    assert leads(cli)[0]["fields"] == {"name": "Ann, Lee"}


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Zoë Łódź"),
        ("utf-8-sig", "Zoë Łódź"),
        ("utf-16", "Zoë Łódź"),
        ("utf-16-le", "Zoë Łódź"),
        ("utf-16-be", "Zoë Łódź"),
        ("utf-32", "Zoë Łódź"),
        ("latin-1", "Søren Ærø"),
        ("cp1252", "Zoë “Z” €5"),
        ("cp1251", "Иван Петров из Москвы"),
    ],
)
def test_the_encoding_is_found_out(cli: Cli, encoding: str, name: str) -> None:
    rows = "".join(f"+4420794600{n:02d},{name},Leeds\n" for n in range(20))
    cli.ok("lead", "import", "spring", put(cli, f"phone,name,city\n{rows}".encode(encoding)))
    assert {d["fields"]["name"] for d in leads(cli)} == {name}


def test_an_encoding_may_be_told(cli: Cli) -> None:
    file = put(cli, f"phone,name\n{ANN},Łódź\n".encode("cp1250"))
    cli.ok("lead", "import", "spring", file, "--encoding", "cp1250")
    assert leads(cli)[0]["fields"]["name"] == "Łódź"
    for wrong in ("klingon", "base64", "rot13", "utf-16"):
        cli.refused(2, "lead", "import", "spring", file, "--encoding", wrong)


def test_each_bad_row_is_told_with_its_line_its_reason_and_itself(cli: Cli) -> None:
    file = put(
        cli,
        "phone,name,priority,timezone\n"
        f"{ANN},Ann,,\n"
        ",nobody,,\n"
        "abc,x,,\n"
        f'{BOB},"Bob\nof two lines",,\n'
        f'{CID},"a"b,,\n'
        f"{CID},x,much,\n"
        f"{CID},x,,Mars/Base\n"
        f"{CID},x,,,more,cells\n"
        f"{CID},nul\0byte,,\n"
        f'"{CID},never closed,,\n'
        "=cmd|'/c calc'!A0,x,,\n"
        "+447700900123,not in use,,\n",
    )
    result = cli.json("lead", "import", "spring", file)
    assert (result["imported"], result["rejected"]) == (2, 10)
    assert result["rejects_file"] == f"{file}.rejects.csv"
    found = [(r["line"], r["reason"]) for r in rejects(file)]
    assert [line for line, _ in found] == ["3", "4", "7", "8", "9", "10", "11", "12", "13", "14"]
    for word, (_, reason) in zip(
        (
            *("empty", "does not belong", "quotes", "priority", "Mars/Base", "6 cells", "NUL"),
            *("never closed", "does not belong", "numbering plan"),
        ),
        found,
        strict=True,
    ):
        assert word in reason
    assert rejects(file)[0]["name"] == "nobody"
    assert rejects(file)[8]["phone"].startswith("'=cmd")
    assert {d["fields"].get("name") for d in leads(cli)} == {"Ann", "Bob\nof two lines"}


def test_bytes_of_another_encoding_far_down_the_file_are_their_rows_problem(cli: Cli) -> None:
    rows = "".join(f"{ANN},Zoë {'x' * 1000}\n" for _ in range(300)).encode()
    file = put(cli, b"phone,name\n" + rows + f"{BOB},Søren\n{CID},Cid\n".encode("latin-1"))
    result = cli.json("lead", "import", "spring", file)
    assert (result["imported"], result["duplicates"], result["rejected"]) == (2, 299, 1)
    assert rejects(file)[0]["reason"] == "the row has bytes that are not utf-8 text"


def test_rejects_can_be_mended_and_imported(cli: Cli) -> None:
    file = put(cli, f"phone,name\n12,Ann\n{BOB},Bob\n")
    cli.ok("lead", "import", "spring", file)
    bad = file.with_name("leads.csv.rejects.csv")
    mended = put(cli, bad.read_text(encoding="utf-8").replace(",12,", f",{ANN},"), "mended.csv")
    assert cli.json("lead", "import", "spring", mended)["imported"] == 1
    assert leads(cli)[1]["fields"] == {"name": "Ann"}
    cli.ok("lead", "import", "spring", put(cli, f"phone,name\n{BOB},Bob\n"))
    assert not bad.exists()


def test_the_same_number_comes_once_by_campaign_by_system_or_as_often_as_it_stands(cli: Cli) -> None:
    cli.ok("campaign", "add", "summer", "--mode", "power")
    file = put(cli, f"phone,name\n{ANN},a\n02079460018,b\n{BOB},c\n")

    def counts(campaign: str, dedupe: str) -> tuple[int, int]:
        result = cli.json("lead", "import", campaign, file, "--dedupe", dedupe)
        return result["imported"], result["duplicates"]

    assert counts("spring", "campaign") == (2, 1)
    assert counts("spring", "campaign") == (0, 3)
    assert counts("summer", "system") == (0, 3)
    assert counts("summer", "campaign") == (2, 1)
    assert counts("summer", "none") == (3, 0)
    assert len(leads(cli, "summer")) == 5
    cli.refused(2, "lead", "import", "spring", file, "--dedupe", "perhaps")


def test_numbers_on_the_do_not_call_list_are_kept_but_never_dialled(cli: Cli) -> None:
    cli.ok("dnc", "add", ANN)
    result = cli.json("lead", "import", "spring", put(cli, f"phone\n{ANN}\n{BOB}\n"))
    assert (result["imported"], result["dnc"]) == (2, 1)
    assert [d["state"] for d in leads(cli)] == ["dnc", "new"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("only line ends", b"\n\r\n\n"),
        ("only delimiters", b",,,\n,,,\n"),
        ("header only", b"phone,name\n"),
        ("header twice the same", f"phone,name,Phone\n{ANN},x,y\n".encode()),
        ("no number column", b"name,city\nAnn,Leeds\n"),
        ("binary", bytes(range(256)) * 40),
        ("NULs", b"\0" * 5000),
        ("Excel", b"PK\x03\x04" + b"x" * 500),
        ("gzip", gzip.compress(b"phone\n+442079460018\n", mtime=0)),
        ("a million columns", b"phone" + b",x" * 1_000_000 + b"\n"),
        ("a line without end", b"9" * 3_000_000),
        ("1001 columns", ",".join(f"c{n}" for n in range(1001)).encode()),
        ("a header never closed", b'"phone,name\n' + f"{ANN},x\n".encode() * 50),
    ],
)
def test_a_file_that_is_no_list_of_leads_is_one_sentence(cli: Cli, name: str, content: bytes) -> None:
    file = put(cli, content)
    assert str(file) in cli.refused(2, "lead", "import", "spring", file), name
    assert leads(cli) == []
    with cli.reading() as session:
        assert session.scalars(select(LeadImport)).all() == []
        assert session.scalars(select(LeadBatch)).all() == []


def test_what_is_no_file_is_one_sentence(cli: Cli) -> None:
    cli.refused(2, "lead", "import", "spring", cli.folder)
    cli.refused(2, "lead", "import", "spring", cli.folder / "nowhere.csv")
    cli.refused(2, "lead", "import", "spring", "/dev/zero")
    cli.refused(2, "lead", "import", "spring", "x" * 5000)
    fifo = cli.folder / "fifo"
    os.mkfifo(fifo)
    cli.refused(2, "lead", "import", "spring", fifo)
    cli.refused(3, "lead", "import", "nowhere", put(cli, f"phone\n{ANN}\n"))


def test_what_was_made_harmless_for_spreadsheets_is_itself_again_when_rejects_are_imported(cli: Cli) -> None:
    rows = f"phone,callback_at,callback_agent,priority,note\n{ANN},+2h,1009,-5,=1+1\n{BOB},,1009,-7,-\n"
    cli.ok("lead", "import", "spring", put(cli, rows))
    file = cli.folder / "leads.csv.rejects.csv"
    assert "'+2h" in file.read_text()
    cli.ok("agent", "add", "1001", "--name", "Ann")
    file.write_text(file.read_text().replace("1009", "1001").replace(f"{BOB},", f"{BOB},+3h"))
    assert cli.json("lead", "import", "spring", file)["rejected"] == 0
    ann, bob = leads(cli)
    assert (ann["callback_agent"], ann["priority"], ann["fields"]) == ("1001", -5, {"note": "=1+1"})
    assert (bob["callback_agent"], bob["priority"], bob["fields"]) == ("1001", -7, {"note": "-"})


def test_rejects_never_overwrite_the_file_itself(cli: Cli) -> None:
    file = put(cli, "phone\nabc\n")
    cli.refused(2, "lead", "import", "spring", file, "--rejects", file)
    cli.refused(2, "lead", "import", "spring", file, "--rejects", cli.folder)
    cli.refused(2, "lead", "import", "spring", file, "--rejects", cli.folder / "no" / "x.csv")
    assert file.read_bytes() == b"phone\nabc\n"
