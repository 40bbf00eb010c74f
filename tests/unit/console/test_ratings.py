"""Rating groups, options, and ratings from the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contact_center.models import Call, Rating
from contact_center.models_ratings import RatingAskedRow
from contact_center.store.changes import read_events, take_controls
from contact_center.store.facts import CallRated, CategoryKeyed, RatingAsked
from tests.unit.console.support import Cli

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def set_up(cli: Cli) -> None:
    """A queue with a group of two options, and a call of it that is over."""
    cli.ok("rating", "group", "add", "sales")
    cli.ok("rating", "option", "add", "sales", "1", "Sale", "--asks-value", "--goal", "bought")
    cli.ok("rating", "option", "add", "sales", "2", "Lost", "--goal", "lost")
    cli.ok("queue", "add", "support", "--did", "442079460018", "rating_group=sales")
    a_call(cli, "call-1", queue="support")


def a_call(cli: Cli, call_id: str, **columns: Any) -> None:
    with cli.writing() as session:
        session.add(Call(id=call_id, started_at=BEGAN, ended_at=BEGAN + timedelta(minutes=1), **columns))


def events(cli: Cli, call_id: str = "call-1") -> list[tuple[str, Any]]:
    with cli.reading() as session:
        found = read_events(session, after_id=0, limit=1000)
    return [(event.type, event.payload) for event in found if event.entity_id == call_id]


def test_groups_have_options_by_digit_and_a_removed_option_frees_its_digit_and_keeps_its_history(both: Cli) -> None:
    set_up(both)
    both.ok("call", "rate", "call-1", "Lost")
    both.ok("rating", "option", "remove", "sales", "Lost")
    both.ok("rating", "option", "add", "sales", "2", "Callback")
    shown = both.json("rating", "group", "show", "sales")
    assert [(o["digit"], o["name"], o["asks_value"], o["goal"]) for o in shown["options"]] == [
        (1, "Sale", True, "bought"),
        (2, "Callback", False, None),
    ]
    assert [(o["digit"], o["name"]) for o in shown["removed"]] == [(2, "Lost")]
    assert both.json("call", "show", "call-1")["rating"]["option"] == "Lost"
    assert "no option 'Lost'" in both.refused(3, "call", "rate", "call-1", "Lost")
    assert "Callback" in both.ok("rating", "option", "list", "sales")
    assert "sales" in both.ok("rating", "group", "list")


def test_a_running_serve_is_told_of_each_change(cli: Cli) -> None:
    set_up(cli)
    with cli.writing() as session:
        told = [(c.entity, c.action) for c in take_controls(session, BEGAN)]
    assert [entity for entity, _ in told] == ["rating_group"] * 3 + ["queue"]
    assert "applies at next start" in cli.ok("rating", "group", "set", "sales", "--no-speech")
    assert cli.json("rating", "group", "show", "sales")["speech"] is False


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ("rating", "group", "add", "sales")),
        (2, ("rating", "group", "add", "two/words")),
        (2, ("rating", "group", "remove", "sales")),
        (3, ("rating", "group", "show", "nobody")),
        (3, ("rating", "option", "add", "nobody", "1", "Sale")),
        (2, ("rating", "option", "add", "sales", "1", "Other")),
        (2, ("rating", "option", "add", "sales", "3", "sale")),
        (2, ("rating", "option", "add", "sales", "0", "Zero")),
        (2, ("rating", "option", "add", "sales", "10", "Ten")),
        (2, ("rating", "option", "add", "sales", "3", "7")),
        (2, ("rating", "option", "add", "sales", "3", " ")),
        (2, ("rating", "option", "add", "sales", "3", "a\nb")),
        (3, ("rating", "option", "remove", "sales", "9")),
        (3, ("queue", "set", "support", "rating_group=nobody")),
        (3, ("campaign", "add", "spring", "--mode", "power", "rating_group=nobody")),
        (3, ("call", "rate", "call-9", "1")),
        (3, ("call", "rate", "call-1", "9")),
        (2, ("call", "rate", "call-1", "1")),
        (2, ("call", "rate", "call-1", "1", "--value", "1000000")),
        (2, ("call", "rate", "call-1", "1", "--value", "29.999")),
        (2, ("call", "rate", "call-1", "2", "--value", "29.99")),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_changes_nothing(cli: Cli, code: int, words: Any) -> None:
    set_up(cli)
    before = cli.json("rating", "group", "list"), cli.json("call", "show", "call-1")
    cli.refused(code, *words)
    assert (cli.json("rating", "group", "list"), cli.json("call", "show", "call-1")) == before


def test_a_call_can_only_be_rated_where_a_group_is_assigned(cli: Cli) -> None:
    set_up(cli)
    cli.ok("queue", "add", "bare", "--did", "442079460019")
    a_call(cli, "call-2", queue="bare")
    a_call(cli, "call-3")
    assert "queue set bare rating_group=GROUP" in cli.refused(2, "call", "rate", "call-2", "1")
    assert "no queue or campaign" in cli.refused(2, "call", "rate", "call-3", "1")


def test_rerating_replaces_the_rating_and_is_a_further_event_of_the_history(both: Cli) -> None:
    set_up(both)
    first = both.json("call", "rate", "call-1", "2")["rating"]
    assert (first["option"], first["digit"], first["value"], first["source"]) == ("Lost", 2, None, "cli")
    second = both.json("call", "rate", "call-1", "sale", "--value", "29.99")["rating"]
    assert (second["option"], second["digit"], second["value"]) == ("Sale", 1, "29.99")
    assert [(h["option"], h["goal"]) for h in second["history"]] == [("Lost", "lost"), ("Sale", "bought")]
    assert "Sale 29.99 (cli), before: Lost" in both.ok("call", "show", "call-1")
    rated = [payload for type_, payload in events(both) if type_ == "call.rated"]
    assert [(p["option"], p["was"], p["value"], p["goal"]) for p in rated] == [
        ("Lost", None, None, "lost"),
        ("Sale", "Lost", "29.99", "bought"),
    ]
    with both.reading() as session:
        assert session.query(Rating).count() == 2


def test_a_campaigns_group_rates_its_calls(cli: Cli) -> None:
    set_up(cli)
    cli.ok("campaign", "add", "spring", "--mode", "power", "rating_group=sales", "rating_ivr=on")
    a_call(cli, "call-2", campaign="spring")
    assert cli.json("call", "rate", "call-2", "2")["rating"]["option"] == "Lost"


def test_what_was_keyed_on_the_phone_is_stored_once_and_told(both: Cli) -> None:
    set_up(both)
    at = BEGAN + timedelta(minutes=2)
    rated = CallRated("call-1", at, "1001", "Sale", 1, "0.50", "sales", "bought")
    asked = RatingAsked("call-1", at, "1001", "rated")
    silent = RatingAsked("call-1", at + timedelta(minutes=1), "1001", "silence")
    keyed = CategoryKeyed("call-1", at, "1001", 3, "Order", "29.99")
    for fact in (rated, asked, silent, keyed) * 2:
        with both.writing() as session:
            type(fact).from_json(fact.to_json()).apply(session)
    shown = both.json("call", "show", "call-1")
    assert (shown["rating"]["option"], shown["rating"]["value"], shown["rating"]["source"]) == ("Sale", "0.50", "ivr")
    assert len(shown["rating"]["history"]) == 1
    assert shown["keyed"] == {"category": 3, "value": "29.99"}
    assert shown["categories"] == []
    told = [(type_, payload.get("reason")) for type_, payload in events(both)]
    assert told == [("call.rated", None), ("call.not_rated", "silence"), ("call.keyed", None)]
    with both.reading() as session:
        assert session.query(RatingAskedRow).count() == 2


def test_facts_of_a_call_that_was_erased_are_let_go(cli: Cli) -> None:
    set_up(cli)
    with cli.writing() as session:
        CallRated("gone", BEGAN, "1001", "Sale", 1, "0.50", "sales", "").apply(session)
        CategoryKeyed("gone", BEGAN, "1001", 3, "", None).apply(session)
    with cli.reading() as session:
        assert session.query(Rating).count() == 0
