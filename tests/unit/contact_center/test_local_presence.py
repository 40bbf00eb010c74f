"""Which number a campaign shows to whom."""

from __future__ import annotations

import pytest

from contact_center.errors import UsageError
from contact_center.local_presence import caller_id_for
from contact_center.options import CampaignOptions

AREAS = "+1:+12025550100, +1212:+12125550100,+44:+442079460000"
OWN = "+442079460999"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+12125559876", "+12125550100"),
        ("+12135559876", "+12025550100"),
        ("+447400000001", "+442079460000"),
        ("+4520123456", OWN),
    ],
)
def test_the_longest_prefix_of_the_number_says_what_is_shown_else_the_campaigns_own(number: str, shown: str) -> None:
    options = CampaignOptions().changed(caller_ids=AREAS, caller_id=OWN)
    assert caller_id_for(number, options.caller_ids, options.caller_id) == shown
    assert caller_id_for(number, tuple(reversed(options.caller_ids)), options.caller_id) == shown


def test_what_is_stored_is_read_again_and_an_empty_list_lifts_it() -> None:
    options = CampaignOptions().changed(caller_ids=AREAS)
    assert options.caller_ids == ("+1:+12025550100", "+1212:+12125550100", "+44:+442079460000")
    assert CampaignOptions.model_validate(options.model_dump(mode="json")) == options
    assert options.changed(caller_ids="").caller_ids == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("+1212", "PREFIX:NUMBER"),
        ("+1212:", "PREFIX:NUMBER"),
        (":+12125550100", "PREFIX:NUMBER"),
        ("1212:+12125550100", "PREFIX:NUMBER"),
        ("+1212:12125550100", "PREFIX:NUMBER"),
        ("+1212:+1212", "PREFIX:NUMBER"),
        ("+1212:+12125550100;+1213:+12135550100", "PREFIX:NUMBER"),
        ("+1212:+1\r\n2125550100", "PREFIX:NUMBER"),
        ("+१२१२:+12125550100", "PREFIX:NUMBER"),
        ("+1212:+12125550100,+1212:+12125550101", "named twice"),
    ],
)
def test_what_is_no_area_with_a_number_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        CampaignOptions().changed(caller_ids=text)
