"""Categories, values, comments and scores, set by hand."""

from __future__ import annotations

from typing import Any

import pytest

from contact_center.store.changes import read_events
from contact_center.store.facts import CategoryKeyed
from tests.unit.console.support import Cli
from tests.unit.console.test_ratings import BEGAN, a_call

ADDRESS = {"number": 3, "name": "Asked for the address", "value": "100.00"}
ORDER = {"number": 12, "name": "Order", "value": "0.00"}


def set_up(cli: Cli) -> None:
    cli.ok("category", "add", "3", "Asked for the address", "--value", "100")
    cli.ok("category", "add", "12", "Order")
    a_call(cli, "call-1")


def test_categories_have_number_name_and_value(both: Cli) -> None:
    set_up(both)
    assert both.json("category", "list") == [ADDRESS, ORDER]
    assert "Order" in both.ok("category", "list")
    both.ok("category", "remove", "12")
    both.ok("category", "add", "12", "Wrong number", "--value", "0.5")
    assert [(c["number"], c["name"], c["value"]) for c in both.json("category", "list")][1] == (
        12, "Wrong number", "0.50",
    )  # fmt: skip


def test_a_call_has_one_or_several_categories_a_comment_and_scores(both: Cli) -> None:
    set_up(both)
    words = ("--category", 3, "--category", 12, "--comment", "asked the way", "--call-score", 4, "--agent-score", 5)
    shown = both.json("call", "annotate", "call-1", *words)
    assert (shown["categories"], shown["comment"]) == ([ADDRESS, ORDER], "asked the way")
    assert (shown["call_score"], shown["agent_score"]) == (4, 5)
    in_the_terminal = both.ok("call", "show", "call-1")
    assert "3 Asked for the address, 12 Order" in in_the_terminal
    assert "100.00 (virtual)" in in_the_terminal
    with both.reading() as session:
        [event] = [e for e in read_events(session, after_id=0) if e.entity == "call"]
    assert (event.type, event.payload["categories"], event.payload["value"]) == (
        "call.annotate", [ADDRESS, ORDER], {"amount": "100.00", "kind": "virtual"},
    )  # fmt: skip


def test_the_value_is_the_explicit_one_or_the_virtual_one_of_the_categories(cli: Cli) -> None:
    set_up(cli)
    assert cli.json("call", "show", "call-1")["value"] is None
    shown = cli.json("call", "annotate", "call-1", "--category", 3)
    assert shown["value"] == {"amount": "100.00", "kind": "virtual"}
    shown = cli.json("call", "annotate", "call-1", "--value", "29.99")
    assert shown["value"] == {"amount": "29.99", "kind": "explicit"}
    assert shown["categories"] == [ADDRESS]


def test_a_call_keeps_a_category_that_was_removed_since(cli: Cli) -> None:
    set_up(cli)
    cli.ok("call", "annotate", "call-1", "--category", 3)
    cli.ok("category", "remove", "3")
    assert cli.json("call", "show", "call-1")["categories"] == [ADDRESS]


def test_a_score_needs_a_comment_in_the_same_save(cli: Cli) -> None:
    set_up(cli)
    cli.ok("call", "annotate", "call-1", "--comment", "well done")
    for score in ("--call-score", "--agent-score"):
        assert "comment in the same save" in cli.refused(2, "call", "annotate", "call-1", score, 5)
    cli.ok("call", "annotate", "call-1", "--comment", "very well done", "--agent-score", 5)
    shown = cli.json("call", "show", "call-1")
    assert (shown["call_score"], shown["agent_score"], shown["comment"]) == (None, 5, "very well done")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ()),
        (2, ("--comment", " ")),
        (2, ("--comment", "x" * 2001)),
        (2, ("--comment", "ok", "--call-score", 0)),
        (2, ("--comment", "ok", "--agent-score", 6)),
        (2, ("--value", "1.234")),
        (3, ("--category", 4)),
        (3, ("--category", 3, "--category", 99)),
    ],
)
def test_what_cannot_be_saved_is_refused_and_nothing_of_it_is_saved(cli: Cli, code: int, words: Any) -> None:
    set_up(cli)
    before = cli.json("call", "show", "call-1")
    cli.refused(code, "call", "annotate", "call-1", *words)
    assert cli.json("call", "show", "call-1") == before
    cli.refused(3, "call", "annotate", "call-9", "--comment", "who")


@pytest.mark.parametrize(
    "words", [("3", "Other"), ("4", "ORDER"), ("100000", "Big"), ("5", " "), ("5", "x", "--value", "-1")]
)
def test_bad_categories_are_refused(cli: Cli, words: tuple[str, ...]) -> None:
    set_up(cli)
    cli.refused(2, "category", "add", *words)
    assert cli.json("category", "list") == [ADDRESS, ORDER]


def test_what_the_menu_got_stands_under_keyed_and_not_among_what_was_set_by_hand(cli: Cli) -> None:
    set_up(cli)
    with cli.writing() as session:
        CategoryKeyed("call-1", BEGAN, "1001", 3, "Asked for the address", "29.99").apply(session)
    shown = cli.json("call", "show", "call-1")
    assert shown["keyed"] == {"category": 3, "value": "29.99"}
    assert (shown["categories"], shown["value"], shown["comment"]) == ([], None, None)
