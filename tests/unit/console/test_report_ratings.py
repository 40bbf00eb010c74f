"""Reports of ratings, goals and calls on a real database."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from contact_center.models import QueueVisit
from contact_center.models_telling import CallMatch
from contact_center.store.facts import RatingAsked
from contact_center.store.report_calls import FIELDS
from tests.unit.console.support import Cli
from tests.unit.console.test_ratings import BEGAN, a_call

STATES = ("NORMAL_CLEARING_A", "NORMAL_CLEARING_B", "NORMAL_CLEARING_A", "FORCED_CLEARING_B")


def set_up(cli: Cli) -> None:
    """Four calls of two agents in a queue whose own channel is print; the third was matched to adwords."""
    cli.ok("rating", "group", "add", "sales")
    cli.ok("rating", "option", "add", "sales", "1", "Sale", "--asks-value", "--goal", "bought")
    cli.ok("rating", "option", "add", "sales", "2", "Lost")
    cli.ok("queue", "add", "support", "--did", "442079460018", "rating_group=sales", "source=print")
    for ext, name in (("1001", "Ann Lee"), ("1002", "Bo Day")):
        cli.ok("agent", "add", ext, "--name", name)
    for n, state in enumerate(STATES):
        agent = ("1001", "Ann Lee") if n < 3 else ("1002", "Bo Day")
        a_call(
            cli, f"call-{n}", queue="support", caller_number=f"+44740000000{n}", call_state=state, agents=[agent[1]],
            talk_seconds=10.4, did="442079460018",
        )  # fmt: skip
        with cli.writing() as session:
            session.add(
                QueueVisit(
                    call_id=f"call-{n}", n=1, queue="support", channel_id=f"c{n}", entered_at=BEGAN, agent=agent[0]
                )
            )
    with cli.writing() as session:
        session.add(CallMatch(call_id="call-2", at=BEGAN, did="1", source="adwords", matched=True, context_id="v-1"))


def counts(cli: Cli) -> dict[tuple[str, str], int]:
    channels = cli.json("report", "ratings")["channels"]
    return {(row["channel"], row["option"]): row["count"] for row in channels}


def test_ratings_by_channel_move_from_the_old_option_to_the_new_and_the_total_stays(both: Cli) -> None:
    set_up(both)
    both.ok("call", "rate", "call-0", "Lost")
    both.ok("call", "rate", "call-1", "Lost")
    both.ok("call", "rate", "call-2", "Sale", "--value", "10.00")
    assert counts(both) == {("print", "Lost"): 2, ("adwords", "Sale"): 1}
    both.ok("call", "rate", "call-0", "Sale", "--value", "29.99")
    assert counts(both) == {("print", "Lost"): 1, ("print", "Sale"): 1, ("adwords", "Sale"): 1}
    report = both.json("report", "ratings")
    assert (report["total"], report["value"]) == (3, "39.99")
    assert [(row["agent"], row["option"], row["count"], row["value"]) for row in report["agents"]] == [
        ("Ann Lee", "Lost", 1, "0.00"),
        ("Ann Lee", "Sale", 2, "39.99"),
    ]


def test_categories_are_counted_by_channel_with_the_calls_own_sum_or_the_virtual_value(both: Cli) -> None:
    set_up(both)
    both.ok("category", "add", "3", "Asked for the address", "--value", "100")
    both.ok("category", "add", "4", "Order")
    for call, words in (("call-0", "3"), ("call-1", "3"), ("call-2", "4 --value 29.99"), ("call-3", "3 --category 4")):
        both.ok("call", "annotate", call, "--category", *words.split())
    rows = both.json("report", "ratings")["categories"]
    assert [(row["channel"], row["category"], row["count"], row["value"]) for row in rows] == [
        ("adwords", "Order", 1, "29.99"),
        ("print", "Asked for the address", 3, "300.00"),
        ("print", "Order", 1, "0.00"),
    ]
    assert "Asked for the address" in both.ok("report", "ratings")
    text = both.ok("report", "ratings", "--by", "category", "--format", "csv")
    assert text.splitlines()[:2] == ["channel,category,count,value", "adwords,Order,1,29.99"]


def test_the_report_says_how_often_agents_rate_and_who_hangs_up_first(both: Cli) -> None:
    set_up(both)
    both.ok("call", "rate", "call-0", "Lost")
    with both.writing() as session:
        for n, result in ((0, "rated"), (2, "silence")):
            RatingAsked(f"call-{n}", BEGAN, "1001", result).apply(session)
    ann, bo = both.json("report", "ratings")["habits"]
    assert (ann["agent"], ann["talked"], ann["rated"], ann["rated_share"]) == ("Ann Lee", 3, 1, 0.3333)
    assert (ann["asked"], ann["rated_when_asked"], ann["not_rated"]) == (2, 1, {"silence": 1})
    assert (ann["caller_hung_up_first"], ann["agent_hung_up_first"], ann["forced"]) == (2, 1, 0)
    assert (bo["talked"], bo["rated"], bo["forced"]) == (1, 0, 1)
    assert "Ann Lee" in both.ok("report", "ratings")
    lines = list(csv.DictReader(io.StringIO(both.ok("report", "ratings", "--by", "habit", "--format", "csv"))))
    assert [line["agent"] for line in lines] == ["Ann Lee", "Bo Day"]


def test_a_rating_reaches_its_goal_and_a_new_one_reaches_it_again(both: Cli) -> None:
    set_up(both)
    both.ok("call", "rate", "call-2", "Sale", "--value", "10.00")
    both.ok("call", "rate", "call-2", "Lost")
    both.ok("call", "rate", "call-2", "Sale", "--value", "29.99")
    report = both.json("report", "goals")
    assert report["goals"] == [{"goal": "bought", "option": "Sale", "reached": 2, "calls": 1, "value": "39.99"}]
    assert [(row["call_id"], row["value"], row["context_id"]) for row in report["log"]] == [
        ("call-2", "10.00", "v-1"),
        ("call-2", "29.99", "v-1"),
    ]
    assert [row["option"] for row in both.json("visitor", "show", "v-1")["trace"] if row["what"] == "rating"] == [
        "Sale", "Lost", "Sale",
    ]  # fmt: skip
    assert "bought" in both.ok("report", "goals")
    assert both.ok("report", "goals", "--format", "csv").startswith("at,goal,option,value,call_id")


def test_calls_have_the_columns_asked_for_in_their_order(both: Cli) -> None:
    set_up(both)
    a_call(both, "later", caller_number="+447400000009", call_state="ORIGINATOR_CANCEL_A", queue="support")
    both.ok("call", "rate", "call-1", "Sale", "--value", "29.99")
    words = ("--display", "callState", "--display", "srcPhoneNumber", "--display", "callRating", "--limit", 2)
    text = both.ok("report", "calls", *words, "--sort", "srcPhoneNumber-asc", "--format", "csv")
    assert text == (
        "callState,srcPhoneNumber,callRating\nNORMAL_CLEARING_A,+447400000000,\nNORMAL_CLEARING_B,+447400000001,Sale\n"
    )
    first = both.json("report", "calls", "--sort", "callId-asc")[0]
    assert first == {
        "triggerDatetime": "2026-03-02 09:00:00", "srcPhoneNumber": "+447400000000", "callState": "NORMAL_CLEARING_A",
    }  # fmt: skip
    assert "triggerDatetime" in both.ok("report", "calls")
    every = [word for name in FIELDS for word in ("--display", name)]
    assert list(both.json("report", "calls", *every)[0]) == list(FIELDS)


def test_times_are_the_sites_and_calls_that_are_up_are_left_out(cli: Cli) -> None:
    a_call(cli, "summer", caller_number="+447400000001")
    with cli.writing() as session:
        from contact_center.models import Call

        row = session.get(Call, "summer")
        row.started_at, row.ended_at = BEGAN + timedelta(days=120), BEGAN + timedelta(days=120, seconds=61)
        session.add(Call(id="up", started_at=BEGAN))
    [shown] = cli.json("report", "calls", "--display", "triggerDatetime", "--display", "callDuration")
    assert shown == {"triggerDatetime": "2026-06-30 10:00:00", "callDuration": 61}


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1", "@x", "\tx", 'a "b", c\nd'])
def test_no_cell_is_a_formula_and_every_cell_comes_back(cli: Cli, text: str) -> None:
    a_call(cli, "call-1", caller_number="+447400000001", record={"comment": text})
    said = cli.ok("report", "calls", "--display", "callComment", "--display", "callId", "--format", "csv")
    [row] = list(csv.DictReader(io.StringIO(said)))
    assert row["callComment"] in (text, f"'{text}")
    assert not row["callComment"].startswith(("=", "+", "-", "@", "\t"))


@pytest.mark.parametrize(
    "words",
    [
        ("calls", "--display", "nothing"),
        ("calls", "--sort", "callState-up"),
        ("calls", "--sort", "agentName-desc"),
        ("calls", "--limit", "0"),
        ("calls", "--format", "xml"),
        ("calls", "--from", "yesterday"),
        ("ratings", "--by", "moon"),
        ("ratings", "--format", "xml"),
        ("goals", "--from", "2026-03-02", "--to", "2026-03-01"),
    ],
)
def test_what_is_not_known_is_refused_in_one_sentence(cli: Cli, words: Any) -> None:
    cli.refused(2, "report", *words)
