"""`campaign set NAME filter=...`: what people are told of it."""

from __future__ import annotations

import pytest

from tests.unit.console.support import Cli

OF_LEEDS = 'priority >= 5 and fields.city == "Leeds"'


@pytest.fixture
def spring(cli: Cli) -> Cli:
    cli.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    cli.ok("lead", "add", "spring", "+442079460018", "priority=5", "city=Leeds")
    cli.ok("lead", "add", "spring", "+442079460019", "priority=5", "city=York")
    return cli


def rules(cli: Cli, *asked: str) -> dict[str, str]:
    return {reason["rule"]: reason["detail"] for reason in cli.json("why", *asked)["reasons"]}


def test_a_filter_is_shown_and_why_names_the_part_that_leaves_a_lead_out(spring: Cli) -> None:
    spring.ok("campaign", "set", "spring", f"filter={OF_LEEDS}")
    assert spring.json("campaign", "show", "spring")["options"]["filter"] == OF_LEEDS
    assert "filter" not in rules(spring, "lead", "1")
    told = 'The campaign\'s filter leaves it out: fields.city == "Leeds" (fields.city is York).'
    assert rules(spring, "lead", "2")["filter"] == told
    assert rules(spring, "campaign", "spring")["filter"].startswith("1 lead that waits is left out by the filter: prio")
    spring.ok("campaign", "set", "spring", "filter=")
    assert "filter" not in rules(spring, "lead", "2")


def test_leads_are_listed_by_an_expression(spring: Cli) -> None:
    found = spring.json("lead", "list", "spring", "--filter", '"or" in fields.city')
    assert [lead["id"] for lead in found] == [2]


@pytest.mark.parametrize(
    "asked", [("campaign", "set", "spring", "filter=nr > 5"), ("lead", "list", "--filter", "nr > 5")]
)
def test_a_bad_filter_is_refused_in_one_sentence_with_its_place(spring: Cli, asked: tuple[str, ...]) -> None:
    told = spring.refused(2, *asked)
    assert "at character 1: nr is not known; known are priority, attempts" in " ".join(told.split())
