"""`callwright call ...` on a real database."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from contact_center.models import Agent, Attempt, Call, Control, Lead
from contact_center.terms import AgentState
from tests.unit.console.support import Cli

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ANN = "+442079460018"


def add_call(cli: Cli, key: str = "call-1", **values: Any) -> None:
    """One finished call of 75 s, as the store keeps it; ``values`` change its columns."""
    row: dict[str, Any] = {
        "id": key,
        "kind": "power",
        "direction": "outbound",
        "campaign": "spring",
        "lead_id": 1,
        "caller_number": ANN,
        "started_at": START,
        "answered_at": START + timedelta(seconds=12),
        "ended_at": START + timedelta(seconds=75),
        "wait_seconds": 12.0,
        "ring_seconds": 11.0,
        "talk_seconds": 62.0,
        "answer_to_agent_seconds": 1.0,
        "hung_up_by": "caller",
        "call_state": "NORMAL_CLEARING_A",
        "disposition": "connected",
        "agents": ["Ann Lee"],
        "timeline": [
            span("queue", "spring", 0, 0, "yellow"),
            span("queue_callback", "", 0, 12, "orange"),
            span("conversation", "conversation", 13, 62, "green", "Ann Lee"),
        ],
        "record": {"attempts": [{"n": 1, "at": "x", "outcome": "connected", "sip_code": 200, "agent": "1001"}]},
    }
    with cli.writing() as session:
        session.add(Call(**{**row, **values}))


def span(kind: str, label: str, start: int, seconds: int, color: str, agent: str | None = None) -> dict[str, Any]:
    at = (START + timedelta(seconds=start)).isoformat().replace("+00:00", "Z")
    return {"kind": kind, "label": label, "agent": agent, "at": at, "seconds": seconds, "color": color}


@pytest.fixture
def spring(cli: Cli) -> Cli:
    cli.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    cli.ok("lead", "add", "spring", ANN)
    add_call(cli)
    with cli.writing() as session:
        session.scalars(select(Lead)).one().state = "done"
        session.add(
            Attempt(
                call_id="call-1",
                channel_id="channel-1",
                lead_id=1,
                campaign_id=1,
                n=1,
                number=ANN,
                trunk="main",
                state="done",
                outcome="connected",
                agent="1001",
                intent_at=START,
            )
        )
    return cli


def lead(cli: Cli) -> Any:
    return cli.json("lead", "show", "1")


def test_the_document_of_a_call_is_the_contracts(spring: Cli) -> None:
    document = spring.json("call", "show", "call-1")
    assert list(document) == [
        *("id", "kind", "direction", "queue", "campaign", "lead_id", "did", "caller_number", "agents"),
        *("started_at", "answered_at", "ended_at", "wait_seconds", "ring_seconds", "talk_seconds"),
        *("answer_to_agent_seconds", "hung_up_by", "call_state", "disposition", "attempts", "rating"),
        *("categories", "value", "comment", "call_score", "agent_score", "keyed", "matching", "recording", "timeline"),
    ]
    assert document["started_at"] == "2026-03-02T09:00:00.000Z"
    assert document["agents"] == ["Ann Lee"]
    assert document["attempts"][0]["outcome"] == "connected"
    assert [event["kind"] for event in document["timeline"]] == ["queue", "queue_callback", "conversation"]


def test_json_may_stand_after_the_command(spring: Cli) -> None:
    assert spring.run("call", "show", "call-1", "--json").json["id"] == "call-1"


def test_the_timeline_is_drawn_to_scale(spring: Cli) -> None:
    lines = spring.ok("call", "show", "call-1").splitlines()
    bars = {line.split()[1]: line.count("█") for line in lines if line.startswith("09:")}
    assert bars["queue"] == 0
    assert bars["conversation"] > 3 * bars["queue_callback"] > 0
    assert "Ann Lee" in lines[-1]


def test_a_call_without_a_story_yet_can_be_shown(spring: Cli) -> None:
    add_call(spring, "call-2", ended_at=None, answered_at=None, timeline=[], record={}, agents=[], call_state="")
    assert spring.json("call", "show", "call-2")["ended_at"] is None
    assert "no timeline yet" in spring.ok("call", "show", "call-2")


def test_calls_are_listed_by_filter_newest_first(spring: Cli) -> None:
    add_call(spring, "call-2", started_at=START + timedelta(days=1), agents=['Bob "B" 100%_'], kind="predictive")
    add_call(spring, "call-3", started_at=START - timedelta(days=1), disposition="SALE", campaign="other", agents=[])

    def ids(*words: str) -> list[str]:
        return [d["id"] for d in spring.json("call", "list", *words)]

    assert ids() == ["call-2", "call-1", "call-3"]
    assert ids("--sort", "started_at", "--limit", "1") == ["call-3"]
    assert ids("--campaign", "spring") == ["call-2", "call-1"]
    assert ids("--agent", "Ann Lee") == ["call-1"]
    assert ids("--agent", 'Bob "B" 100%_') == ["call-2"]
    assert ids("--agent", "%") == []
    assert ids("--kind", "predictive") == ["call-2"]
    assert ids("--disposition", "SALE") == ["call-3"]
    assert ids("--number", "020 7946 0018") == ["call-2", "call-1", "call-3"]
    assert ids("--from", "2026-03-02") == ["call-2", "call-1"]
    assert ids("--from", "2026-03-02T09:00Z", "--to", "2026-03-02 09:00:01") == ["call-1"]
    assert ids("--disposition", "' OR 1=1 --") == []
    spring.refused(2, "call", "list", "--sort", "password")
    spring.refused(2, "call", "list", "--kind", "odd")
    spring.refused(2, "call", "list", "--from", "yesterday")
    spring.refused(3, "call", "show", "call-9")


def test_a_filter_that_names_what_is_not_there_says_so(spring: Cli) -> None:
    file = spring.folder / "w.csv"
    for words in (("call", "list"), ("call", "export", file)):
        assert "no campaign 'nope'" in spring.refused(3, *words, "--campaign", "nope")
        assert "no queue 'nope'" in spring.refused(3, *words, "--queue", "nope")
        assert "--to is not after --from" in spring.refused(2, *words, "--from", "2026-03-02", "--to", "2026-03-01")
    assert not file.exists()
    add_call(spring, "call-2", kind="manual", queue="Outbound", campaign="")
    assert [d["id"] for d in spring.json("call", "list", "--queue", "Outbound")] == ["call-2"]
    told = spring.refused(2, "report", "calls", "--from", "2026-03-02", "--to", "2026-03-01")
    assert "--to is not after --from" in told


def test_an_agents_calls_are_found_by_his_name_and_by_his_extension(spring: Cli) -> None:
    spring.ok("agent", "add", "1001", "--name", "Ann Lee")
    spring.ok("agent", "add", "1002", "--name", "Bob")
    for agent, found in (("Ann Lee", ["call-1"]), ("1001", ["call-1"]), ("1002", []), ("100", [])):
        assert [d["id"] for d in spring.json("call", "list", "--agent", agent)] == found


def test_an_export_of_calls_is_safe_for_spreadsheets(spring: Cli) -> None:
    add_call(spring, "call-2", started_at=START + timedelta(days=1), agents=["=HYPERLINK(1)"])
    file = spring.folder / "calls.csv"
    assert spring.json("call", "export", file)["exported"] == 2
    rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))
    assert [row["id"] for row in rows] == ["call-1", "call-2"]
    assert rows[1]["agents"] == "'=HYPERLINK(1)"
    assert rows[0]["caller_number"] == ANN


def test_an_export_of_calls_has_rating_categories_value_and_scores(spring: Cli) -> None:
    rated = {
        "rating": {"option": "Sale", "value": "250.00", "history": []},
        "categories": [{"number": 3, "name": "Complaint", "value": "0"}, {"number": 5, "name": "Order", "value": "20"}],
        "explicit_value": "250.00",
        "call_score": 4,
        "agent_score": 5,
    }
    add_call(spring, "call-2", started_at=START + timedelta(days=1), record=rated)
    file = spring.folder / "calls.csv"
    spring.ok("call", "export", file)
    plain, row = csv.DictReader(io.StringIO(file.read_bytes().decode(), newline=""))
    names = ("rating", "rating_value", "categories", "value", "call_score", "agent_score")
    assert [row[name] for name in names] == ["Sale", "250.00", "3 Complaint, 5 Order", "250.00", "4", "5"]
    assert {plain[name] for name in names} == {""}


def test_a_disposition_closes_the_lead(spring: Cli) -> None:
    assert spring.json("call", "dispose", "call-1", "SALE")["disposition"] == "SALE"
    assert (lead(spring)["state"], lead(spring)["disposition"]) == ("done", "SALE")


def test_a_digit_means_what_the_phone_means_by_it(spring: Cli) -> None:
    assert spring.json("call", "dispose", "call-1", "2")["disposition"] == "NI"
    assert spring.json("call", "dispose", "call-1", "77")["disposition"] == "77"


def test_a_promised_call_goes_to_the_same_agent_at_local_time_of_the_lead(spring: Cli) -> None:
    with spring.writing() as session:
        session.scalars(select(Lead)).one().zones = "Asia/Tokyo"
    spring.ok("call", "dispose", "call-1", "CALLBK", "--callback-at", "2030-06-03 15:00")
    found = lead(spring)
    assert found["state"] == "due"
    assert found["next_attempt_at"] == "2030-06-03T06:00:00.000Z"
    assert found["last_agent"] == "1001"


def test_nobody_is_promised_a_call_that_the_do_not_call_list_forbids(spring: Cli) -> None:
    spring.ok("dnc", "add", ANN)
    told = spring.refused(2, "call", "dispose", "call-1", "CALLBK", "--callback-at", "+2d")
    assert "on the do-not-call list" in told
    assert spring.json("call", "show", "call-1")["disposition"] == "connected"
    spring.ok("dnc", "remove", ANN)
    spring.ok("call", "dispose", "call-1", "DNC")
    assert "on the do-not-call list" in spring.refused(2, "call", "dispose", "call-1", "NI", "--callback-at", "+2d")
    assert lead(spring)["state"] == "dnc"


@pytest.mark.parametrize("state", ["done", "talking", "closed"])
@pytest.mark.parametrize("words", [("CALLBK",), ("CALLBK", "--callback-at", "+2d")])
def test_a_promised_call_is_made_though_the_attempts_are_used_up(
    spring: Cli, state: str, words: tuple[str, ...]
) -> None:
    spring.ok("campaign", "set", "spring", "max_attempts=2")
    with spring.writing() as session:
        row = session.scalars(select(Lead)).one()
        row.state, row.attempts, row.reason = state, 2, "all 2 attempts used" if state == "closed" else ""
    spring.ok("call", "dispose", "call-1", *words)
    found = lead(spring)
    assert (found["state"], found["attempts"]) == ("due", 1)
    assert "used up" not in spring.ok("why", "lead", "1")


def test_a_lead_whose_number_does_not_exist_is_not_promised_a_call(spring: Cli) -> None:
    with spring.writing() as session:
        row = session.scalars(select(Lead)).one()
        row.state, row.reason = "closed", "the number does not exist"
    told = spring.refused(2, "call", "dispose", "call-1", "CALLBK", "--callback-at", "+2d")
    assert "the number does not exist" in told


def test_a_promise_without_a_time_is_kept_after_retry_missed(spring: Cli) -> None:
    spring.ok("campaign", "set", "spring", "retry_missed=2h")
    spring.ok("call", "dispose", "call-1", "CALLBK")
    due = datetime.fromisoformat(lead(spring)["next_attempt_at"])
    assert timedelta(minutes=119) < due - datetime.now(UTC) <= timedelta(hours=2)


def test_do_not_call_puts_the_number_on_the_list(spring: Cli) -> None:
    for words in (("NI", "--dnc"), ("DNC",)):
        spring.ok("call", "dispose", "call-1", *words)
        assert lead(spring)["state"] == "dnc"
        assert lead(spring)["disposition"] == words[0]
        assert [entry["number"] for entry in spring.json("dnc", "list")] == [ANN]
        spring.ok("dnc", "remove", ANN)


def test_a_lead_on_the_line_is_disposed_before_its_call_ends(spring: Cli) -> None:
    with spring.writing() as session:
        session.scalars(select(Lead)).one().state = "talking"
        call = session.get_one(Call, "call-1")
        call.ended_at, call.disposition, call.record, call.timeline = None, "", {}, []
        session.scalars(select(Attempt)).one().answered_at = START
    told = spring.json("call", "dispose", "call-1", "SALE")
    assert lead(spring)["state"] == "done"
    assert told["attempts"] == spring.json("call", "show", "call-1")["attempts"] != []
    assert told["timeline"] != []


@pytest.mark.parametrize(
    "words",
    [
        ("",),
        ("<b>",),
        ("x" * 41,),
        ("SALE", "--callback-at", "2020-01-01"),
        ("SALE", "--callback-at", "soon"),
        ("SALE", "--callback-at", "9999-12-31"),
        ("DNC", "--callback-at", "+1h"),
        ("SALE", "--dnc", "--callback-at", "+1h"),
        ("SALE", "--callback-at", "25:00"),
    ],
)
def test_bad_dispositions_are_refused_and_change_nothing(spring: Cli, words: tuple[str, ...]) -> None:
    spring.refused(2, "call", "dispose", "call-1", *words)
    spring.refused(3, "call", "dispose", "call-9", "SALE")
    assert spring.json("call", "show", "call-1")["disposition"] == "connected"
    assert lead(spring)["state"] == "done"


def test_nobody_promises_to_call_back_without_a_lead(spring: Cli) -> None:
    add_call(spring, "call-2", lead_id=None)
    spring.refused(2, "call", "dispose", "call-2", "CALLBK", "--callback-at", "+1h")


def test_only_a_running_serve_can_hang_up(spring: Cli) -> None:
    add_call(spring, "call-2", ended_at=None)
    assert "callwright serve" in spring.refused(4, "call", "hangup", "call-2")
    spring.refused(3, "call", "hangup", "call-9")
    spring.served = True
    spring.refused(1, "call", "hangup", "call-1")
    spring.ok("call", "hangup", "call-2")
    with spring.reading() as session:
        row = session.scalars(select(Control).where(Control.action == "hangup")).one()  # type: ignore[arg-type]
    assert (row.entity, row.entity_id, row.payload) == ("call", "call-2", {"call_id": "call-2"})
    spring.ok("agent", "add", "1001", "--name", "Ann Lee")
    assert "does not talk in call call-2" in spring.refused(1, "call", "hangup", "call-2", "--agent", "1001")
    spring.refused(3, "call", "hangup", "call-2", "--agent", "9999")


def test_a_recording_is_paused_and_goes_on_by_a_running_serve_where_there_is_one(spring: Cli) -> None:
    add_call(spring, "call-2", ended_at=None, record={"recording": "call-2.wav"})
    add_call(spring, "call-3", ended_at=None)
    assert "callwright serve" in spring.refused(4, "call", "record", "call-2", "pause")
    spring.refused(3, "call", "record", "call-9", "pause")
    spring.refused(2, "call", "record", "call-2", "erase")
    spring.served = True
    assert "is over" in spring.refused(1, "call", "record", "call-1", "pause")
    assert "not being recorded" in spring.refused(1, "call", "record", "call-3", "pause")
    assert "pauses" in spring.ok("call", "record", "call-2", "pause")
    assert spring.json("call", "record", "call-2", "resume") == {"call_id": "call-2", "record": "resume"}
    assert spring.json("call", "show", "call-2")["recording"] == "call-2.wav"
    with spring.reading() as session:
        rows = list(session.scalars(select(Control).where(Control.action == "record")))  # type: ignore[arg-type]
    assert [(row.entity_id, row.payload["record"]) for row in rows] == [("call-2", "pause"), ("call-2", "resume")]


def test_call_place_asks_a_running_serve_and_refuses_what_must_not_be_called(spring: Cli) -> None:
    spring.ok("agent", "add", "1001", "--name", "Ann")
    spring.ok("agent", "add", "1002", "--name", "Bob")
    spring.ok("dnc", "add", "+442079460099")
    assert "callwright serve" in spring.refused(4, "call", "place", "1001", ANN)
    spring.served = True
    spring.refused(3, "call", "place", "1009", ANN)
    assert "not a" in spring.refused(2, "call", "place", "1001", "12345")
    assert "do-not-call" in spring.refused(2, "call", "place", "1001", "+442079460099")
    assert "himself" in spring.refused(2, "call", "place", "1001", "1001")
    asked = spring.json("call", "place", "1001", "020 7946 0018")
    spring.ok("call", "place", "1002", "1001")
    with spring.writing() as session:
        first, second = session.scalars(select(Control).where(Control.action == "place")).all()  # type: ignore[arg-type]
        assert (first.entity, first.entity_id) == ("call", asked["call_id"])
        assert first.payload == {"call_id": asked["call_id"], "ext": "1001", "number": ANN}
        assert second.payload["number"] == "1001"
        ann = session.scalars(select(Agent).where(Agent.ext == "1001")).one()  # type: ignore[arg-type]
        ann.state = AgentState.TALKING
    assert "has a call" in spring.refused(1, "call", "place", "1001", ANN)
    spring.served = False
    assert "No serve is running" in spring.refused(4, "call", "place", "1001", ANN)


def test_call_place_obeys_the_prefixes_that_the_trunk_allows(spring: Cli) -> None:
    spring.ok("agent", "add", "1001", "--name", "Ann")
    spring.served = True
    with spring.config.open("a", encoding="utf-8") as file:
        file.write('allowed_prefixes = ["+4474", "+45"]\n')
    assert "allowed_prefixes has only +4474, +45" in spring.refused(2, "call", "place", "1001", ANN)
    spring.ok("call", "place", "1001", "+4532123456")


def test_who_is_forgotten_has_his_recordings_deleted_by_serve(spring: Cli) -> None:
    add_call(spring, "call-2", record={"recording": "call-2.wav"})
    spring.ok("lead", "erase", ANN)
    assert spring.json("call", "show", "call-2")["recording"] is None
    with spring.reading() as session:
        rows = list(session.scalars(select(Control).where(Control.action == "unrecord")))  # type: ignore[arg-type]
    assert [(row.entity, row.entity_id) for row in rows] == [("call", "call-2")]
