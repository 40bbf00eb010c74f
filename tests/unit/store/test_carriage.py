"""What the claim does with the lines it is given, and leads that no trunk of their campaign may carry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from contact_center.carriers import Carriers, Hand
from contact_center.models import Lead
from contact_center.store.carriage import NOT_CARRIED, close_not_carried, not_carried_count, open_carried
from contact_center.store.claims import campaign_exhausted
from contact_center.store.engine import writing
from tests.unit.store.world import LONDON, NOON, add_campaign, add_lead, due, take

TWO = Carriers(("british", "danish"), {"british": ("+44",), "danish": ("+45",)})


def test_each_lead_gets_a_line_of_a_trunk_that_may_carry_it_and_is_passed_over_while_there_is_none(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        for number in ("+4401", "+4501", "+4402", "+4502", "+4503"):
            add_lead(session, campaign, number)
        hand = Hand(["british", "british", "danish"], TWO)
        taken = take(session, campaign, 3, trunks=hand)
    assert [(one.number, one.trunk) for one in taken] == [
        ("+4503", "danish"),
        ("+4402", "british"),
        ("+4401", "british"),
    ]
    assert hand.lacking == {"danish"}


@pytest.mark.parametrize("blocking", [3, 60])
def test_leads_without_a_line_do_not_hold_up_those_behind_them(engine: Engine, blocking: int):
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, "+4401")
        for n in range(blocking):
            add_lead(session, campaign, f"+45{n:04d}")
        taken = take(session, campaign, 1, trunks=Hand(["british"], TWO))
    assert [one.number for one in taken] == ["+4401"]


def test_a_lead_that_no_trunk_may_carry_is_closed_with_the_reason_and_takes_no_line(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        inside = add_lead(session, campaign, "+4401")
        outside = [add_lead(session, campaign, f"+1201000{n:04d}") for n in range(30)]
        taken = take(session, campaign, 1, trunks=Hand(["british"], TWO))
        assert [one.lead_id for one in taken] == [inside]
        held = session.get_one(Lead, outside[0])
        assert (held.state, held.reason, held.attempts, held.dials) == ("closed", NOT_CARRIED, 0, 0)
        assert not_carried_count(session, campaign) == 30


def test_such_leads_come_back_when_a_trunk_may_carry_them_and_only_those(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        new, old = add_lead(session, campaign, "+1201"), due(session, campaign, "+4601", 1, dials=2, attempts=2)
        other, done = add_lead(session, campaign, "+4901"), add_lead(session, campaign, "+1202", state="closed")
        assert close_not_carried(session, campaign, [LONDON], TWO, NOON) == 3
        assert campaign_exhausted(session, campaign)
        wider = Carriers(("all",), {"all": ("+1", "+46")})
        assert open_carried(session, campaign, wider, NOON, 0) == (2, None)
        assert [session.get_one(Lead, one).state for one in (new, old, other, done)] == [
            "new",
            "due",
            "closed",
            "closed",
        ]
        assert {one.number for one in take(session, campaign, 9)} == {"+1201", "+4601"}


def test_a_promise_outlives_a_list_of_prefixes_that_did_not_have_the_number(engine: Engine):
    at = NOON + timedelta(days=1)
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, "+1201", state="closed", reason=NOT_CARRIED, callback_at=at)
        assert open_carried(session, campaign, Carriers(("all",), {"all": ("+1",)}), NOON, 0) == (1, None)
        found = session.get_one(Lead, lead)
        assert (found.state, found.next_attempt_at) == ("due", at)
