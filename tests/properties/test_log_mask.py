"""No telephone number survives the mask, wherever in a line it stands."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from contact_center.logs import DROPPED, Mask

NUMBERS = st.from_regex(r"\+?[1-9][0-9]{6,14}", fullmatch=True)
WORDS = st.text(st.sampled_from("abcxyz ,;:<>@/=\"'"), max_size=12)


@given(NUMBERS, WORDS, WORDS)
def test_a_number_in_free_text_keeps_three_digits_only(number: str, before: str, after: str) -> None:
    masked = Mask().text(f"{before} {number} {after}")
    assert number[-7:] not in masked
    assert number[-3:] in masked or DROPPED in masked


@given(NUMBERS, st.sampled_from(["number", "x", "deep", "to"]))
def test_a_number_in_any_field_at_any_depth_is_masked(number: str, field: str) -> None:
    line = Mask()(None, "info", {"event": "x", field: number, "list": [number, {field: number}]})
    assert number[-7:] not in json.dumps(line)


@given(st.text(min_size=4, max_size=30).filter(lambda s: s.strip() == s), WORDS)
def test_a_known_secret_never_comes_through(secret: str, around: str) -> None:
    line = Mask([secret])(None, "info", {"event": f"{around}{secret}{around}", "call_id": secret})
    assert secret not in (line["event"].replace(DROPPED, ""), line["call_id"])
    assert line["call_id"] == DROPPED


@given(st.text(max_size=200))
def test_any_text_can_be_masked_and_masking_twice_changes_nothing_about_numbers(text: str) -> None:
    once = Mask().text(text)
    assert isinstance(once, str)
