"""Leads that were promised a call, and leads that expire, in the claim, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from contact_center.carriers import ANY_TRUNK, Hand
from contact_center.models import Campaign, Lead, Outbox
from contact_center.options import CampaignOptions
from contact_center.own_agents import OwnAgents
from contact_center.store.admin import By
from contact_center.store.admin_dnc import add_dnc, remove_dnc
from contact_center.store.claims import campaign_exhausted, next_due_at
from contact_center.store.engine import reading, writing
from contact_center.store.expiry import close_expired, expired_count, expired_leads
from contact_center.store.facts import AttemptUncounted
from contact_center.store.tables import table_of
from tests.unit.store.world import NOON, add_campaign, add_lead, due, settled, take

MINUTE = timedelta(minutes=1)
BY = By("tests", NOON)


def promise(session: Session, campaign: int, number: str, at: datetime, agent: str = "", **more: Any) -> int:
    given = {"state": "due", "next_attempt_at": at, "callback_at": at, "callback_agent": agent}
    return add_lead(session, campaign, number, **given, **more)


def options(session: Session, **values: Any) -> None:
    session.connection().execute(update(table_of(Campaign)).values(options=values))


def row(session: Session, lead: int) -> Lead:
    return session.scalars(select(Lead).where(Lead.id == lead).execution_options(populate_existing=True)).one()


# -- promised calls -------------------------------------------------------------------------------------


def test_a_promised_call_that_is_due_goes_before_all_others_and_not_a_moment_sooner(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, "+4401", priority=100)
        due(session, campaign, "+4402", 90, priority=100)
        promise(session, campaign, "+4403", NOON, priority=-5)
        promise(session, campaign, "+4404", NOON + MINUTE)
        assert [claim.number for claim in take(session, campaign, 9)] == ["+4403", "+4401", "+4402"]
        assert next_due_at(session, campaign, None, NOON) == NOON + MINUTE
        assert [claim.number for claim in take(session, campaign, 9, now=NOON + MINUTE)] == ["+4404"]


@pytest.mark.parametrize(("counted", "kept"), [(True, False), (False, True)], ids=["dialled", "not attempted"])
def test_a_promise_is_kept_by_a_dial_and_not_by_one_that_the_trunk_swallowed(engine: Engine, counted: bool, kept: bool):
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = promise(session, campaign, "+4401", NOON, "1001")
        [claim] = take(session, campaign)
        assert claim.last_agent == "1001"
        settled(claim, counted=counted, lead_state="due", next_attempt_at=NOON + MINUTE).apply(session)
        assert (row(session, lead).callback_at is not None) is kept


def own(free: set[str], there: set[str], **seconds: float) -> OwnAgents:
    busy = frozenset(there - free)
    spans = {name: NOON - timedelta(seconds=seconds.get(name, 0)) for name in ("since", "promised_since")}
    return OwnAgents(frozenset(there), busy, free=frozenset(free), **spans)


@pytest.mark.parametrize(
    ("agents", "minutes", "taken"),
    [
        (own({"1001", "1002"}, {"1001", "1002"}, promised_since=900), 5, True),
        (own({"1002"}, {"1001", "1002"}, promised_since=900), 5, False),
        (own({"1002"}, {"1002"}, promised_since=900), 5, False),
        (own({"1002"}, {"1001", "1002"}, promised_since=900), 16, True),
    ],
    ids=["its agent is free", "he is busy", "he is away", "its time is over"],
)
def test_only_its_agent_gets_a_promised_call_until_its_time_is_over(engine, agents, minutes, taken):
    with writing(engine) as session:
        campaign = add_campaign(session)
        promise(session, campaign, "+4401", NOON - minutes * MINUTE, "1001")
        anyone = promise(session, campaign, "+4402", NOON - MINUTE)
        claims = take(session, campaign, 2, trunks=Hand(["main"] * 2, ANY_TRUNK, agents))
        assert [claim.number for claim in claims] == (["+4401", "+4402"] if taken else ["+4402"])
        assert anyone in [claim.lead_id for claim in claims]


def test_without_promise_seconds_and_sticky_seconds_no_lead_waits_for_anybody():
    assert OwnAgents.of(CampaignOptions(), "", [], [], NOON) is None
    found = OwnAgents.of(CampaignOptions(sticky=False, promise_seconds="15m"), "", [], [], NOON)
    assert found is not None
    assert found.promised_since == NOON - 15 * MINUTE


# -- expiry ---------------------------------------------------------------------------------------------


def test_a_lead_is_called_until_it_expires_and_then_closed_with_that_reason(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        over = add_lead(session, campaign, "+4401", expires_at=NOON)
        due(session, campaign, "+4402", 5, expires_at=NOON + MINUTE)
        assert [claim.number for claim in take(session, campaign, 9)] == ["+4402"]
        closed = row(session, over)
        assert (closed.state, closed.reason, closed.closed_at) == ("closed", "expired", NOON)
        told = session.scalars(select(Outbox).where(Outbox.type == "lead.state")).one()
        assert told.payload["reason"] == "expired"


@pytest.mark.parametrize(("age_minutes", "called"), [(59, True), (60, False)])
def test_all_leads_of_a_campaign_expire_so_long_after_their_import(engine: Engine, age_minutes: int, called: bool):
    with writing(engine) as session:
        campaign = add_campaign(session)
        options(session, lead_expires=3600.0)
        add_lead(session, campaign, "+4401", created_at=NOON - age_minutes * MINUTE)
        assert bool(take(session, campaign)) is called


def test_what_has_expired_far_from_the_front_is_closed_and_the_campaign_is_at_its_end(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        options(session, lead_expires=3600.0)
        old = NOON - timedelta(hours=2)
        add_lead(session, campaign, "+4401", zones="Asia/Tokyo", created_at=old)
        due(session, campaign, "+4402", -600, created_at=old)
        add_lead(session, campaign, "+4403", expires_at=NOON, created_at=NOON)
        done = add_lead(session, campaign, "+4404", expires_at=NOON, created_at=old, state="done")
    with reading(engine) as session:
        assert len(expired_leads(session, campaign, NOON)) == 3
        assert not campaign_exhausted(session, campaign)
    with writing(engine) as session:
        assert close_expired(session, campaign, NOON) == 3
        assert expired_leads(session, campaign, NOON) == []
        assert campaign_exhausted(session, campaign)
        assert expired_count(session, campaign) == 3
        assert row(session, done).state == "done"


def test_a_promise_outlasts_a_dial_that_turns_out_to_be_the_trunks_failure(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = promise(session, campaign, "+4401", NOON, "1001")
        [claim] = take(session, campaign)
        refused = {"outcome": "technical_error", "disposition": "technical_error", "sip_code": 503}
        settled(claim, lead_state="due", next_attempt_at=NOON + 10 * MINUTE, **refused).apply(session)
        AttemptUncounted((claim.attempt_id,), NOON + MINUTE, "trunk answers 503", NOON + MINUTE).apply(session)
        kept = row(session, lead)
        assert (kept.state, kept.attempts, kept.next_attempt_at) == ("due", 0, NOON + MINUTE)
        assert (kept.callback_at, kept.callback_agent) == (NOON, "1001")
        add_lead(session, campaign, "+4402", priority=100)
        [again] = take(session, campaign, now=NOON + MINUTE)
        assert (again.number, again.promised) == ("+4401", "1001"), "before all others"


@pytest.mark.parametrize("hours", [1, -1], ids=["to come", "over"])
def test_a_promised_call_that_a_list_held_back_is_made_at_its_time_when_the_list_does_not_any_more(
    engine: Engine, hours: int
):
    at = NOON + timedelta(hours=hours)
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = promise(session, campaign, "+4401", at)
        add_dnc(session, BY, ["+4401"], 0)
        assert row(session, lead).state == "dnc"
        assert remove_dnc(session, BY, "+4401", 0).leads == 1
        back = row(session, lead)
        assert (back.state, back.next_attempt_at, back.callback_at) == ("due", max(at, NOON), at)
