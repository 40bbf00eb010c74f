"""More than two hundred instants in places worked out by hand: open or not, and when it opens next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contact_center.law.places import place_key
from contact_center.law.windows import is_open, next_opening, open_until, why_closed
from tests.unit.law.zone_cases import CASES, Case

SECOND = timedelta(seconds=1)


def test_there_are_two_hundred_cases_at_least() -> None:
    assert len(CASES) * 5 >= 200
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("instant", ["before", "opens", "middle", "last", "closes"])
def test_a_place_is_open_and_opens_next_when_the_law_says_so(case: Case, instant: str) -> None:
    at, opened, opens_next = {
        "before": (case.opens - SECOND, False, case.opens),
        "opens": (case.opens, True, case.opens),
        "middle": (case.opens + (case.closes - case.opens) / 2, True, None),
        "last": (case.closes - SECOND, True, case.closes - SECOND),
        "closes": (case.closes, False, case.again),
    }[instant]
    key = place_key(case.facts, site_zone="UTC", year=case.opens.year)
    question = (key, case.hours, case.profile)
    assert is_open(*question, at) is opened
    assert next_opening(*question, at) == (at if opens_next is None else opens_next)
    assert open_until(*question, at) == (case.closes if opened else at)
    assert bool(why_closed(*question, at)) is not opened
