"""Caps on calls to a person and lock-outs after an abandoned call, asked with the claim."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from contact_center.attempt_rules import AttemptRules
from contact_center.law.force import Cap
from contact_center.models import Call, Campaign, Lead
from contact_center.options import CampaignOptions
from contact_center.settings import Settings
from contact_center.store.admin import By
from contact_center.store.admin_dnc import (
    add_dnc,
)
from contact_center.store.engine import reading, writing
from contact_center.store.facts import AttemptRinging
from contact_center.store.law_claims import FORBIDDEN, Hold, calls_since, held_by_law, put_off
from contact_center.store.law_places import place_leads_again
from contact_center.store.law_why import why_law_holds, why_law_slows
from contact_center.store.queries_why import Circumstances, why_lead
from contact_center.terms import CallKind
from tests.unit.store.world import NOON, add_campaign, add_lead, events, row, rows, settled, take

TAMPA, LONDON_NUMBER = "+18135550123", "+442079460018"
FLORIDA = "America/New_York|US-FL"
BRITAIN = "Europe/London|GB"
HOUR = timedelta(hours=1)


def called(session: Session, lead: int, campaign: int, at: datetime, outcome: str = "missed") -> None:
    """A call that ended a minute after it began, as facts would have left it."""
    session.execute(text("UPDATE lead SET state = CASE WHEN id = :id THEN 'new' ELSE 'closed' END"), {"id": lead})
    (taken,) = take(session, campaign, now=at)
    fact = settled(taken, outcome=outcome, ended_at=at + timedelta(minutes=1), next_attempt_at=at)
    fact.apply(session)


def hold(engine: Engine, lead: int, at: datetime, profile: str = "us_tsr", agent_is_sure: bool = False) -> Hold | None:
    with reading(engine) as session:
        own = session.get(Lead, lead)
        assert own is not None
        return held_by_law(session, [own], profile=profile, now=at, agent_is_sure=agent_is_sure).get(lead)


def test_a_person_in_florida_is_called_three_times_a_day_whatever_campaign_calls_him(engine: Engine) -> None:
    with writing(engine) as session:
        campaigns = [add_campaign(session, f"c{n}") for n in range(4)]
        leads = [add_lead(session, campaign, TAMPA, zones=FLORIDA) for campaign in campaigns]
        for n in range(3):
            called(session, leads[n], campaigns[n], NOON + n * HOUR)
    fourth = hold(engine, leads[3], NOON + 3 * HOUR)
    assert fourth == Hold("cap", NOON + 24 * HOUR, "3 calls in 24 h, 3 are allowed")
    assert hold(engine, leads[3], NOON + 24 * HOUR - timedelta(seconds=1)) == fourth
    assert hold(engine, leads[3], NOON + 24 * HOUR) is None
    assert hold(engine, leads[3], NOON + 3 * HOUR, profile="none") is None


def test_calls_that_the_trunk_swallowed_do_not_count(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, TAMPA, zones=FLORIDA)
        for n in range(3):
            called(session, lead, campaign, NOON + n * HOUR, "not_attempted" if n == 1 else "missed")
    assert hold(engine, lead, NOON + 3 * HOUR) is None
    with writing(engine) as session:
        called(session, lead, campaign, NOON + 3 * HOUR)
    assert hold(engine, lead, NOON + 4 * HOUR) is not None


def test_a_call_that_is_up_counts_as_soon_as_its_intent_is_stored(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, TAMPA, zones=FLORIDA)
        for n in range(2):
            called(session, lead, campaign, NOON + n * HOUR)
    assert hold(engine, lead, NOON + 2 * HOUR) is None
    with writing(engine) as session:
        session.execute(text("UPDATE lead SET state = 'new'"))
        assert len(take(session, campaign, now=NOON + 2 * HOUR)) == 1
    assert hold(engine, lead, NOON + 2 * HOUR) is not None


def test_calls_of_agents_count_and_calls_back_do_not(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, TAMPA, zones=FLORIDA)
        for n, kind in enumerate(("manual", "manual", "callback", "manual")):
            if n == 3:
                assert not held_by_law(session, [session.get_one(Lead, lead)], profile="us_tsr", now=NOON)
            call = Call(id=f"call{n}", kind=kind, caller_number=TAMPA, started_at=NOON - HOUR)
            session.add(call)
            session.flush()
    assert hold(engine, lead, NOON) is not None


def test_the_cap_of_the_strictest_place_holds(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        leads = [
            add_lead(session, campaign, number, zones=zones)
            for number, zones in (
                ("+12125550123", "America/New_York|US-NY"),
                ("+12125550124", "America/New_York|US-FL,US-NY"),
                ("+18005550125", "America/Chicago,America/New_York|US"),
            )
        ]
        for n in range(3):
            for lead in leads:
                called(session, lead, campaign, NOON + n * HOUR)
    assert [hold(engine, lead, NOON + 3 * HOUR) is not None for lead in leads] == [False, True, True]


def test_after_an_abandoned_call_a_british_person_is_left_alone_for_72_hours(engine: Engine) -> None:
    with writing(engine) as session:
        campaign, other = add_campaign(session), add_campaign(session, "autumn")
        lead = add_lead(session, campaign, LONDON_NUMBER, zones=BRITAIN)
        twin = add_lead(session, other, LONDON_NUMBER, zones=BRITAIN)
        called(session, lead, campaign, NOON, "no_free_operators")
    until = NOON + timedelta(minutes=1) + 72 * HOUR
    for own in (lead, twin):
        assert hold(engine, own, NOON + HOUR, "uk_ofcom") == Hold(
            "lockout", until, "a call was abandoned; locked out for 72 h"
        )
        assert hold(engine, own, until - timedelta(seconds=1), "uk_ofcom") is not None
        assert hold(engine, own, until, "uk_ofcom") is None
    assert hold(engine, lead, NOON + HOUR, "uk_ofcom", agent_is_sure=True) is None
    assert hold(engine, lead, NOON + HOUR, "us_tsr") is not None, "his own country's law holds, too"
    assert hold(engine, lead, NOON + HOUR, "none") is None


def test_a_british_number_taken_for_a_machines_is_left_alone_for_24_hours_unless_an_agent_is_sure(
    engine: Engine,
) -> None:
    with writing(engine) as session:
        campaign, other = add_campaign(session), add_campaign(session, "autumn")
        lead = add_lead(session, campaign, LONDON_NUMBER, zones=BRITAIN)
        twin = add_lead(session, other, LONDON_NUMBER, zones=BRITAIN)
        called(session, lead, campaign, NOON, "machine")
    until = NOON + timedelta(minutes=1) + 24 * HOUR
    told = "a call was taken for a machine's; locked out for 24 h"
    for own in (lead, twin):
        assert hold(engine, own, NOON + HOUR, "uk_ofcom") == Hold("machine_lockout", until, told)
        assert hold(engine, own, until - timedelta(seconds=1), "uk_ofcom") is not None
        assert hold(engine, own, until, "uk_ofcom") is None
    assert hold(engine, lead, NOON + HOUR, "uk_ofcom", agent_is_sure=True) is None
    assert hold(engine, lead, NOON + HOUR, "none") is None
    with writing(engine) as session:
        session.execute(text("UPDATE lead SET state = 'new' WHERE id = :id"), {"id": twin})
        assert take(session, other, now=NOON + HOUR, profile="uk_ofcom") == []
    held = row(engine, Lead, id=twin)
    assert (held["state"], held["next_attempt_at"], held["reason"]) == ("due", until, told)
    with writing(engine) as session:
        session.execute(text("UPDATE lead SET state = 'new' WHERE id = :id"), {"id": twin})
        shown = take(session, other, now=NOON + HOUR, profile="uk_ofcom", kind=CallKind.PREVIEW)
        assert [one.lead_id for one in shown] == [twin], "the agent of a preview is there before the call"


@pytest.mark.parametrize(("outcome", "held"), [("technical_error", True), ("connected", False)])
def test_a_verdict_of_a_machine_locks_out_also_where_the_call_went_to_agents_and_met_none(
    engine: Engine, outcome: str, held: bool
) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, LONDON_NUMBER, zones=BRITAIN)
        called(session, lead, campaign, NOON, outcome)
        for call in session.scalars(select(Call)):
            call.record = {**call.record, "amd": {"status": "MACHINE", "sampled": True}}
    assert (hold(engine, lead, NOON + HOUR, "uk_ofcom") is not None) is held


def test_why_says_that_a_lock_out_holds_power_campaigns_and_not_preview_campaigns(engine: Engine) -> None:
    seen = Circumstances(settings=Settings(), now=NOON + HOUR, served=True)
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, LONDON_NUMBER, zones=BRITAIN)
        called(session, lead, campaign, NOON, "machine")
        own, row_ = session.get_one(Lead, lead), session.get_one(Campaign, campaign)
        row_.options = {**row_.options, "profile": "uk_ofcom"}
        reasons = {reason.rule: reason.detail for reason in why_lead(session, own, seen)}
        told = "A call was taken for a machine's; locked out for 24 h: not before 2026-03-03 12:01:00 Europe/London."
        assert reasons["machine_lockout"] == told
        row_.mode = "preview"
        assert "machine_lockout" not in {reason.rule for reason in why_lead(session, own, seen)}


def test_a_lead_that_is_held_waits_until_it_may_be_called(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, TAMPA, zones=FLORIDA)
        put_off(session, lead, Hold("cap", NOON + 5 * HOUR, "3 calls in 24 h, 3 are allowed"), NOON)
        assert take(session, campaign, now=NOON + 4 * HOUR) == []
    stored = row(engine, Lead, id=lead)
    assert (stored["state"], stored["next_attempt_at"], stored["attempts"]) == ("due", NOON + 5 * HOUR, 0)
    assert ("lead.state", str(lead), 1) in events(engine, "lead")
    with writing(engine) as session:
        assert len(take(session, campaign, now=NOON + 5 * HOUR)) == 1
        put_off(session, lead, Hold("cap", NOON + 9 * HOUR, "x"), NOON)
    assert row(engine, Lead, id=lead)["state"] == "dialing", "what is on the line is not put off"


def test_the_predicates_say_the_same_in_sql(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        leads = [add_lead(session, campaign, f"+1813555{n:04d}", zones=FLORIDA) for n in range(3)]
        for n in range(2):
            called(session, leads[0], campaign, NOON + n * HOUR)
        add_dnc(session, By("test", NOON), ["+18135550001"], campaign)
        add_dnc(session, By("test", NOON), ["+18135550002"], campaign + 1)
        assert calls_since(session, leads, NOON + timedelta(minutes=1)) == {leads[0]: 1, leads[1]: 0, leads[2]: 0}
        found = session.execute(text(f"SELECT id FROM lead WHERE {FORBIDDEN}")).scalars().all()
    assert found == [leads[1]]


def test_a_preview_counts_from_its_dial_not_from_when_the_agent_was_shown_the_lead(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, TAMPA, zones=FLORIDA)
        for n in range(3):
            called(session, lead, campaign, NOON + n * HOUR)
        session.execute(text("UPDATE lead SET state = 'new'"))
        for call in session.scalars(select(Call)):
            call.started_at -= timedelta(minutes=50)
        session.flush()
        assert calls_since(session, [lead], NOON - timedelta(minutes=1)) == {lead: 3}
    found = hold(engine, lead, NOON + timedelta(hours=23, minutes=30))
    assert found is not None
    assert found.until == NOON + timedelta(hours=24)


def test_why_says_what_the_law_holds_against_a_lead(engine: Engine) -> None:
    options = CampaignOptions().changed(profile="us_tsr")
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, TAMPA, zones=FLORIDA)
        evening = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)
        for n in range(3):
            called(session, lead, campaign, evening - (5 - n) * HOUR)
        own = session.get_one(Lead, lead)
        hours, cap = why_law_holds(session, own, options, evening)
        assert (hours.rule, cap.rule) == ("outside_hours", "cap")
        assert "US-FL: calls 08:00-20:00 only" in hours.detail
        assert "opens at 2026-03-03 08:00:00 America/New_York" in hours.detail
        assert cap.detail == "3 calls in 24 h, 3 are allowed: not before 2026-03-03 15:30:00 America/New_York."
        assert list(why_law_holds(session, own, CampaignOptions(), NOON + 4 * HOUR)) == []


def test_why_says_where_a_campaign_stands_in_each_window(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, TAMPA, zones=FLORIDA)
        called(session, lead, campaign, NOON, "no_free_operators")
        session.execute(text("UPDATE attempt SET answered_at = intent_at"))
        row_ = session.get_one(Campaign, campaign)
        row_.options = {**row_.options, "profile": "us_tsr"}
        law, day, month = why_law_slows(session, row_, NOON + HOUR, "UTC")
        assert (law.detail, law.binds) == ("Profile us_tsr.", False)
        assert day.detail.startswith("1 / 1 = 100.00 % abandoned in 24 hours, 3 % allowed: one call per free agent")
        assert (day.binds, month.binds) == (True, True)


@pytest.mark.parametrize("mode", ["power", "progressive", "preview"])
def test_why_does_not_tell_of_a_limit_that_no_law_sets_and_the_mode_does_not_steer_by(
    engine: Engine, mode: str
) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, TAMPA, zones=FLORIDA)
        called(session, lead, campaign, NOON, "no_free_operators")
        session.execute(text("UPDATE attempt SET answered_at = intent_at"))
        row_ = session.get_one(Campaign, campaign)
        row_.mode = mode
        for reason in why_law_slows(session, row_, NOON + HOUR, "UTC"):
            assert not reason.binds
            assert reason.detail.startswith("1 / 1 = 100.00 % abandoned in ")
            assert "per free agent" not in reason.detail


def test_leads_of_an_older_program_get_the_key_of_their_place(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        leads = {
            add_lead(session, campaign, TAMPA, zones="America/New_York"): FLORIDA,
            add_lead(
                session, campaign, LONDON_NUMBER, zones="Europe/Paris"
            ): "Europe/Paris|GB|Europe/London,Europe/Paris",
            add_lead(
                session, campaign, "+18505550123", zones="America/Chicago,America/New_York", fields={"zip": "32501"}
            ): "America/Chicago|US-FL",
            add_lead(session, campaign, "+12125550123", zones="America/New_York", state="done"): "America/New_York",
        }
        for n in range(600):
            add_lead(session, campaign, f"+1813556{n:04d}", zones="America/New_York")
        after = place_leads_again(session, campaign, site_zone="UTC")
        assert after is not None
        assert place_leads_again(session, campaign, site_zone="UTC", after_id=after) is None
    stored = {one["id"]: one["zones"] for one in rows(engine, Lead)}
    assert {key: stored[key] for key in leads} == leads
    assert list(stored.values()).count(FLORIDA) == 601


@pytest.mark.parametrize("rang", [True, False])
def test_a_call_that_was_taken_back_counts_for_the_caps_where_his_phone_rang(engine: Engine, rang: bool) -> None:
    """A preview's agent who hangs up while it rings, or a campaign that is stopped, has disturbed him all the same."""
    rules = AttemptRules(caps=(Cap(1, 24 * 3600.0),))
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = add_lead(session, campaign, "+441632960001")
        (taken,) = take(session, campaign, own=rules)
        if rang:
            AttemptRinging(taken.channel_id, NOON).apply(session)
        back = {"outcome": "not_attempted", "counted": False, "sip_code": None, "next_attempt_at": NOON}
        settled(taken, **back).apply(session)
        assert calls_since(session, [lead], NOON - HOUR) == {lead: int(rang)}
        for own in (rules, AttemptRules(parts=("09:00-12:00", "12:00-17:00"))):
            leads = session.scalars(select(Lead).execution_options(populate_existing=True)).all()
            assert bool(held_by_law(session, leads, profile="none", now=NOON, own=own)) is rang
