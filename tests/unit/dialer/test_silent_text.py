"""The words for people for whom nobody is free, and what a campaign needs for them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contact_center.errors import CallwrightError
from contact_center.options import CampaignOptions
from contact_center.silent_text import refuse_without_words, silent_text
from contact_center.terms import LeadState, Outcome
from tests.unit.dialer.test_engine import Placer, desk, numbers

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
ACME = {"seller": "Acme Ltd", "caller_id": "+442079460000"}


def options(**values: str) -> CampaignOptions:
    return CampaignOptions().changed(**values)


def test_the_words_say_who_called_on_which_number_to_reach_him_and_the_key():
    words = silent_text(options(profile="uk_ofcom", opt_out_key="2", **ACME), "en", NOW)
    assert words.required
    for part in ("Acme Ltd", "4 4 2 0 7 9 4 6 0 0 0 0", "press 2"):
        assert part in words.text
    assert "telemarketing" not in words.text  # no marketing in the United Kingdom
    assert "telemarketing" in silent_text(options(profile="us_tsr", **ACME), "en", NOW).text
    assert "Acme Ltd" in silent_text(options(profile="uk_ofcom", **ACME), "da", NOW).text


def test_words_of_ones_own_are_filled_in_and_without_a_law_there_are_none():
    own = silent_text(options(silent_message="Here {seller}, call {number} or press {key}.", **ACME), "en", NOW)
    assert own.text == "Here Acme Ltd, call 4 4 2 0 7 9 4 6 0 0 0 0 or press 9."
    assert not own.required
    assert silent_text(options(**ACME), "en", NOW).text == ""


@pytest.mark.parametrize("given", [{}, {"seller": "Acme Ltd"}, {"caller_id": "+442079460000"}])
def test_a_law_without_what_the_words_need_is_refused_in_one_sentence(given):
    with pytest.raises(CallwrightError, match=r"^Campaign spring obeys us_tsr, .* set .*=\.\.\..*\.$"):
        refuse_without_words("spring", options(profile="us_tsr", **given), NOW)
    refuse_without_words("spring", options(profile="us_tsr", silent_message="custom/sorry", **given), NOW)


async def test_nobody_is_called_before_the_words_can_be_played(tmp_path):
    law = {"leads": numbers(2), "profile": "uk_ofcom", "hours": "00:00-24:00", **ACME}
    placer = Placer(spoken=False)
    async with desk(tmp_path, campaigns={"law": law, "none": {"leads": numbers(1, 50)}}, placer=placer) as d:
        await d.placed(1)
        await d.quiet(1)
        assert d.placer.orders[0].campaign == "none"
        placer.spoken = True
        orders = await d.placed(3)
        assert all("Acme Ltd" in order.message and order.message_required for order in orders[1:])


async def test_a_person_who_keyed_that_he_wants_no_more_calls_is_not_called_again(tmp_path):
    async with desk(tmp_path, campaigns={"law": {"leads": numbers(1)}}) as d:
        (order,) = await d.placed(1)
        d.dialer.ledger.answered(order, d.clock.now())
        run = next(iter(d.dialer.campaigns.values()))
        assert len(run.waiting) == 1
        d.dialer.ledger.let_go(order, d.clock.now())
        assert len(run.waiting) == 0, "he needs no agent while he hears the message"
        d.end(order, Outcome.NO_FREE_OPERATORS, opted_out=True)
        assert (await d.lead(order.number)).state == LeadState.DNC
