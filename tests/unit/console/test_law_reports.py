"""`report abandonment`, `report evidence` and the lists that must not be called, on a real database."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from sqlmodel import col, select

from contact_center.clock import iso
from contact_center.law.chain import ChainWriter
from contact_center.models import Attempt, Audit, Call, Campaign, Lead
from tests.unit.console.support import Cli

ITEMS = {
    *("telemarketer", "seller", "product", "audience", "outbound", "prerecorded", "numbers_and_time"),
    *("script", "caller_id", "disposition"),
}
TAMPA = "+18135550123"


def campaign_of(session: Session, name: str = "spring") -> int:
    campaign = session.scalars(select(Campaign).where(col(Campaign.name) == name)).one()
    assert campaign.id is not None
    return campaign.id


def answered(
    session: Session,
    outcome: str,
    at: datetime,
    *,
    disposition: str = "",
    waited: float | None = None,
    campaign: str = "spring",
    number: str = TAMPA,
    place: str = "America/New_York|US-FL",
    **more: Any,
) -> str:
    """A call that was answered at an instant, as the facts of a serve leave it."""
    key = campaign_of(session, campaign)
    lead = Lead(campaign_id=key, number=number, zones=place, state="done", created_at=at)
    session.add(lead)
    session.flush()
    assert lead.id is not None
    call_id = f"call-{lead.id}"
    times: dict[str, Any] = {
        "intent_at": at - timedelta(seconds=20),
        "ringing_at": at - timedelta(seconds=18),
        "answered_at": at,
        "ended_at": at + timedelta(seconds=60),
    }
    fields = {"state": "done", "sip_code": None, **times, **more}
    session.add(
        Attempt(
            call_id=call_id,
            channel_id=f"cw-{lead.id}",
            lead_id=lead.id,
            campaign_id=key,
            n=1,
            number=number,
            trunk="main",
            outcome=outcome,
            **fields,
        )
    )
    timeline = [{"kind": "menu", "label": "silent call message"}] if outcome == "no_free_operators" else []
    session.add(
        Call(
            id=call_id,
            campaign=campaign,
            lead_id=lead.id,
            caller_number=number,
            started_at=fields["intent_at"],
            answered_at=fields["answered_at"],
            ended_at=fields["ended_at"],
            answer_to_agent_seconds=waited,
            disposition=disposition or outcome,
            timeline=timeline,
            agents=["Ann"] if outcome == "connected" else [],
        )
    )
    session.flush()
    return call_id


@pytest.fixture
def law(both: Cli) -> Cli:
    both.ok("campaign", "add", "spring", "--mode", "predictive", "profile=us_tsr", "seller=Acme", "hours=08:00-21:00")
    return both


def test_the_check_of_29_9_and_7_comes_out_of_the_database(law: Cli) -> None:
    now = datetime.now(UTC)
    with law.writing() as session:
        for n in range(29):
            answered(session, "no_free_operators", now - timedelta(minutes=n + 1))
        for n in range(16):
            answered(session, "connected", now - timedelta(minutes=n + 1), disposition="A" if n < 7 else "SALE")
    [document] = law.json("report", "abandonment", "--campaign", "spring")
    day, month = document["windows"]
    for window in (day, month):
        assert (window["dropped"], window["connected"], window["agent_machines"]) == (29, 16, 7)
        assert f"{100 * window['abandonment_ofcom']:.2f}" == "64.44"
        assert window["abandonment"] == round(29 / 38, 6)
        assert window["figures"] == "29 / 38 = 76.32 %"
        assert (window["kept"], window["room"], window["limit"]) == (False, 0, 0.03)
    assert "64.44 %" in law.ok("report", "abandonment")
    assert "OVER THE LIMIT" in law.ok("report", "abandonment")


def test_a_window_forgets_what_has_left_it(law: Cli) -> None:
    now = datetime.now(UTC)
    with law.writing() as session:
        answered(session, "no_free_operators", now - timedelta(hours=23, minutes=59))
        answered(session, "no_free_operators", now - timedelta(hours=24, minutes=1))
        answered(session, "no_free_operators", now - timedelta(days=29, hours=23))
        answered(session, "no_free_operators", now - timedelta(days=30, hours=1))
        answered(session, "connected", now - timedelta(days=60), waited=0.4)
    [document] = law.json("report", "abandonment")
    assert [window["dropped"] for window in document["windows"]] == [1, 3]
    assert [period["window"] for period in document["periods"]] == ["period 1", "period 2", "period 3"]
    assert sum(period["dropped"] for period in document["periods"]) == 4
    since = iso(now - timedelta(days=31))
    asked = law.json("report", "abandonment", "--from", since)[0]["asked"]
    assert (asked["window"], asked["dropped"], asked["connected"]) == ("asked for", 4, 0)


def test_by_law_an_agent_who_comes_late_is_an_abandoned_call(law: Cli) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    law.ok("campaign", "add", "free", "--mode", "power")
    with law.writing() as session:
        for campaign in ("spring", "free"):
            answered(session, "connected", now, waited=2.0, campaign=campaign)
            answered(session, "connected", now, waited=2.1, campaign=campaign)
            later = session.get_one(Call, answered(session, "connected", now, waited=3.4, campaign=campaign))
            later.record = {**later.record, "greeting_seconds": 1.5}
            answered(session, "technical_error", now, campaign=campaign)
            answered(session, "machine", now, campaign=campaign)
            answered(session, "technical_error", now, campaign=campaign, answered_at=None, state="unknown")
    by_name = {document["campaign"]: document["windows"][0] for document in law.json("report", "abandonment")}
    spring, free = by_name["spring"], by_name["free"]
    assert (spring["connected"], spring["late"]) == (2, 1), "one came late, one within 2 s of the greeting's end"
    assert spring["abandonment"] == round(1 / 3, 6)
    assert (free["connected"], free["late"], free["abandonment"]) == (3, 0, 0.0)
    for window in (spring, free):
        assert (window["left_early"], window["machines"], window["unproven"]) == (1, 1, 1)
    assert spring["abandonment_upper"] == 0.5


def test_the_report_is_csv_for_spreadsheets_and_bad_words_are_refused(law: Cli) -> None:
    with law.writing() as session:
        answered(session, "connected", datetime.now(UTC), waited=0.5)
    lines = law.ok("report", "abandonment", "--format", "csv").splitlines()
    assert lines[0].startswith('"campaign","profile","window"')
    assert lines[1].startswith('"spring","us_tsr","24 hours"')
    assert json.loads(law.ok("report", "abandonment", "--format", "json"))[0]["campaign"] == "spring"
    law.refused(2, "report", "abandonment", "--format", "xml")
    law.refused(3, "report", "abandonment", "--campaign", "nowhere")
    law.refused(2, "report", "abandonment", "--from", "2026-03-02", "--to", "2026-03-01")


def evidence_of(law: Cli, *words: object) -> tuple[Path, list[dict[str, Any]]]:
    file = law.folder / "spring.jsonl"
    law.ok("report", "evidence", file, "--campaign", "spring", *words)
    return file, [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_evidence_has_the_ten_items_of_every_call_and_the_rules_of_its_time(law: Cli) -> None:
    early = datetime(2021, 6, 30, 16, tzinfo=UTC)
    late = datetime(2021, 7, 1, 16, tzinfo=UTC)
    with law.writing() as session:
        answered(session, "connected", early, waited=0.5, disposition="SALE")
        answered(session, "no_free_operators", late)
        answered(session, "missed", late, answered_at=None, ended_at=late - timedelta(seconds=8))
        answered(session, "missed", late + timedelta(hours=12), answered_at=None)
    file, lines = evidence_of(law, "--from", "2021-06-01", "--to", "2021-08-01")
    assert (file.stat().st_mode & 0o077) == 0
    header, end = lines[0], lines[-1]
    assert (header["kind"], header["campaign"], header["format"]) == ("evidence", "spring", 1)
    assert (end["kind"], end["lines"]) == ("end", len(lines))
    calls = [line for line in lines if line["kind"] == "call"]
    assert [set(call["items"]) for call in calls] == [ITEMS] * 4
    first, second, short, night = calls
    assert first["items"]["seller"] == "Acme"
    assert first["items"]["numbers_and_time"]["called_number"] == TAMPA
    assert first["items"]["numbers_and_time"]["duration_seconds"] == 60.0
    assert first["items"]["disposition"]["disposition"] == "SALE"
    assert (first["abandoned"], second["abandoned"], short["abandoned"]) == (False, True, None)
    assert (first["items"]["prerecorded"], second["items"]["prerecorded"]) == (False, True)
    assert first["missing"] == ["audience", "caller_id", "product", "script"]
    assert "us-fl.hours" not in first["rules"]
    assert {"us-fl.hours", "us-fl.cap"} <= set(second["rules"])
    assert "us_federal 2026.1" in second["rules_version"]
    assert (short["rang_seconds"], short["rang_long_enough"]) == (10.0, False)
    assert [call["inside_hours"] for call in calls] == [True, True, True, False]
    kinds = {line["kind"] for line in lines}
    assert kinds == {"evidence", "settings", "rule", "lists", "call", "ledger", "findings", "end"}
    rules = {line["rule"]["id"] for line in lines if line["kind"] == "rule"}
    assert {"us.abandonment", "us-fl.cap", "us.records.2years"} <= rules
    assert not {"us.records", "us-ok.cap"} & rules, "not in force in 2021"
    findings = next(line for line in lines if line["kind"] == "findings")
    assert (findings["calls"], findings["outside_hours"], findings["short_rings"]) == (4, 1, 1)
    assert findings["list_is_fresh"] is False
    assert law.ok("report", "evidence", "--verify", file)
    assert night["inside_hours"] is False


def test_the_settings_of_each_call_are_those_of_its_time(law: Cli) -> None:
    now = datetime.now(UTC)
    with law.writing() as session:
        answered(session, "connected", now, waited=0.5)
        session.execute(text("UPDATE audit SET at = :at"), {"at": (now - timedelta(hours=1)).isoformat(" ")})
    law.ok(
        "campaign", "set", "spring", "seller=Other", "profile=none", "product=boilers", "caller_ids=+1813:+18135550100"
    )
    with law.writing() as session:
        answered(session, "connected", datetime.now(UTC) + timedelta(seconds=30), waited=0.5)
    _, lines = evidence_of(law, "--to", iso(now + timedelta(hours=1)))
    first, second = (line for line in lines if line["kind"] == "call")
    assert (first["items"]["seller"], first["profile"], bool(first["rules"])) == ("Acme", "us_tsr", True)
    assert (second["items"]["seller"], second["profile"], second["rules"]) == ("Other", "none", [])
    assert second["items"]["product"] == "boilers"
    assert second["items"]["caller_id"]["number"] == "+18135550100"
    assert second["items"]["numbers_and_time"]["calling_number"] == "+18135550100"
    assert [line["options"]["seller"] for line in lines if line["kind"] == "settings"] == ["Acme", "Other"]


def test_every_line_that_is_tampered_with_is_named(law: Cli) -> None:
    with law.writing() as session:
        answered(session, "connected", datetime.now(UTC), waited=0.5)
    file, lines = evidence_of(law)
    sound = file.read_bytes()
    raw = sound.splitlines(keepends=True)
    # Each line is changed once; the rules are many alike, so a few of them stand for all.
    for number in [0, 1, 2, 3, *range(len(raw) - 12, len(raw))]:
        body = raw[number].replace(b"2", b"3", 1)
        file.write_bytes(b"".join([*raw[:number], body, *raw[number + 1 :]]))
        said = law.refused(1, "report", "evidence", "--verify", file)
        assert f"breaks at line {number + 1}:" in said, said
    file.write_bytes(b"".join([*raw[:5], *raw[6:]]))
    assert "breaks at line 6: it does not follow" in law.refused(1, "report", "evidence", "--verify", file)
    file.write_bytes(b"".join(raw[:-1]))
    assert "its end is missing" in law.refused(1, "report", "evidence", "--verify", file)
    file.write_bytes(sound)
    assert law.json("report", "evidence", "--verify", file)["sound"] is True
    assert lines[-1]["hash"] == law.json("report", "evidence", "--verify", file)["end"]


def test_a_file_that_was_made_anew_from_end_to_end_is_found_out_too(law: Cli) -> None:
    with law.writing() as session:
        answered(session, "no_free_operators", datetime.now(UTC))
    file, lines = evidence_of(law)
    chain = ChainWriter()
    bodies = [{k: v for k, v in line.items() if k not in ("line", "prev", "hash")} for line in lines[:-1]]
    forged = [chain.line({**body, "dropped": 0} if "dropped" in body else body) for body in bodies] + [chain.last()]
    file.write_text("".join(forged), encoding="utf-8")
    assert "not in the audit log" in law.refused(1, "report", "evidence", "--verify", file)
    assert "not the hash you noted" in law.refused(
        1, "report", "evidence", "--verify", file, "--expect", lines[-1]["hash"]
    )
    law.ok("report", "evidence", "--verify", file, "--expect", chain.end)
    with law.reading() as session:
        noted = session.scalars(select(Audit).where(col(Audit.entity) == "evidence")).one()
    assert noted.detail["end"] == lines[-1]["hash"]


def test_evidence_is_asked_for_in_one_sentence_or_refused_in_one(law: Cli) -> None:
    assert "spring" in law.ok("report", "evidence")
    law.refused(2, "report", "evidence", law.folder / "all.jsonl")
    law.refused(3, "report", "evidence", law.folder / "x", "--campaign", "nowhere")
    law.refused(2, "report", "evidence", "--verify", law.folder / "nowhere")
    law.refused(2, "report", "evidence", law.folder, "--campaign", "spring")
    assert law.json("report", "evidence", "--campaign", "spring")["lines"]
    out = law.ok("report", "evidence", "--campaign", "spring")
    assert json.loads(out.splitlines()[-1])["kind"] == "end"


def test_national_lists_with_the_area_code_apart_go_onto_the_list(law: Cli) -> None:
    file = law.folder / "registry.txt"
    config = law.config.read_text(encoding="utf-8").replace('country = "GB"', 'country = "US"')
    law.config.write_text(config, encoding="utf-8")
    file.write_text("813,5550123\n212,5550187\n8135550199\nnonsense\n", encoding="utf-8")
    answer = law.run("--json", "dnc", "import", file, "--campaign", "spring")
    assert (answer.json["imported"], answer.json["rejected"]) == (3, 1)
    listed = {entry["number"] for entry in law.json("dnc", "list", "--campaign", "spring")}
    assert listed == {TAMPA, "+12125550187", "+18135550199"}
    law.ok("dnc", "remove", TAMPA, "--campaign", "spring")
    law.refused(3, "dnc", "remove", TAMPA)


def test_evidence_is_one_document_or_a_summary_in_the_formats_of_every_report(law: Cli) -> None:
    law.ok("campaign", "add", "other", "--mode", "power")
    with law.writing() as session:
        answered(session, "connected", datetime(2021, 6, 30, 16, tzinfo=UTC), waited=0.5)
    document = law.run("report", "evidence", "--format", "json", "--campaign", "spring").json
    assert document["campaign"] == "spring"
    calls = sum(line["kind"] == "call" for line in document["lines"])
    assert {line["kind"] for line in document["lines"]} >= {"evidence", "settings", "call", "findings"}
    assert [one["campaign"] for one in law.run("report", "evidence", "--format", "json").json] == ["other", "spring"]
    [row] = csv.DictReader(law.ok("report", "evidence", "--campaign", "spring", "--format", "csv").splitlines())
    assert (row["campaign"], row["calls"], calls) == ("spring", "1", 1)
    assert "other" in law.ok("report", "evidence", "--format", "table")
    law.refused(2, "report", "evidence", "--format", "xml")
    law.refused(2, "report", "evidence", law.folder / "x", "--campaign", "spring", "--format", "json")
    law.refused(3, "report", "evidence", "--campaign", "nope", "--format", "json")
