"""Leads with several numbers: which is dialled next, which are left out, and to whom all of them belong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from contact_center.attempt_rules import AttemptRules
from contact_center.carriers import Carriers, Hand
from contact_center.law.force import Cap
from contact_center.models import Attempt, Call, Campaign, DncEntry, Lead, Outbox
from contact_center.models_leads import LeadNumber
from contact_center.store.admin import By
from contact_center.store.admin_calls import dispose_call
from contact_center.store.admin_dnc import add_dnc, import_dnc, remove_dnc
from contact_center.store.admin_leads import LeadDraft, add_lead, add_leads, erase_number
from contact_center.store.carriage import close_not_carried, open_carried
from contact_center.store.claims import Claim
from contact_center.store.engine import reading, writing
from contact_center.store.facts import AttemptRinging, AttemptUncounted
from contact_center.store.law_facts import NumberForbidden
from contact_center.store.lead_numbers import add_numbers, numbers_document
from contact_center.store.previews import PreviewNoted
from contact_center.store.tables import table_of
from tests.unit.store.world import LONDON, NOON, add_campaign, forbid, row, rows, settled, take
from tests.unit.store.world import add_lead as lead_in

FIRST, SECOND, THIRD, OTHER = (f"+44163296000{n}" for n in (1, 2, 3, 4))
BY = By("tests", NOON)
HOUR = timedelta(hours=1)


def person(session: Session, campaign: int, numbers: Sequence[str] = (FIRST, SECOND, THIRD), **more: Any) -> int:
    lead = lead_in(session, campaign, numbers[0], **more)
    add_numbers(session, {lead: numbers})
    return lead


def told(engine: Engine, lead: int) -> list[dict[str, Any]]:
    with reading(engine) as session:
        return numbers_document(session, session.get_one(Lead, lead))


def dialled(engine: Engine, campaign: int, **more: Any) -> Claim:
    """The one lead, made due, and taken."""
    with writing(engine) as session:
        session.execute(update(Lead).where(table_of(Lead).c.state == "due").values(next_attempt_at=NOON))
        (taken,) = take(session, campaign, **more)
    return taken


def unserved(engine: Engine, taken: Claim, **more: Any) -> None:
    with writing(engine) as session:
        settled(taken, **{"alternate": True, **more}).apply(session)


def test_after_each_unanswered_dial_the_next_number_is_dialled_and_then_the_first_again(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign)
    found = []
    for _ in range(4):
        taken = dialled(engine, campaign)
        found.append(taken.number)
        unserved(engine, taken)
    assert found == [FIRST, SECOND, THIRD, FIRST]
    kept = row(engine, Lead, id=lead)
    assert (kept["attempts"], kept["dials"], kept["number"]) == (4, 4, SECOND)
    assert [one["number"] for one in rows(engine, Attempt)] == found


def test_after_other_outcomes_the_same_number_is_dialled_again(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        person(session, campaign)
    unserved(engine, dialled(engine, campaign), alternate=False, outcome="technical_error")
    assert dialled(engine, campaign).number == FIRST


@pytest.mark.parametrize(("outcome", "code"), [("invalid_number", 404), ("invalid_number", 484), ("unavailable", 410)])
def test_a_number_that_does_not_exist_is_left_out_and_the_next_is_dialled_at_once(
    engine: Engine, outcome: str, code: int
) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign, (FIRST, SECOND))
    taken = dialled(engine, campaign)
    closed = {"lead_state": "closed", "next_attempt_at": None, "reason": "the number does not exist"}
    change = closed if outcome == "invalid_number" else {}
    unserved(engine, taken, outcome=outcome, sip_code=code, disposition=outcome, **change)
    kept = row(engine, Lead, id=lead)
    ended_at = taken.intent_at + timedelta(seconds=30)
    assert (kept["state"], kept["number"], kept["next_attempt_at"]) == ("due", SECOND, ended_at)
    assert (kept["closed_at"], kept["reason"]) == (None, "")
    assert told(engine, lead) == [
        {"number": FIRST, "next": False, "left_out": "the number does not exist"},
        {"number": SECOND, "next": True, "left_out": None},
    ]
    unserved(engine, dialled(engine, campaign))
    assert dialled(engine, campaign).number == SECOND, "no other is left"


def test_a_lead_none_of_whose_numbers_exists_is_closed(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign, (FIRST, SECOND))
    gone = {"outcome": "invalid_number", "sip_code": 404, "lead_state": "closed", "next_attempt_at": None}
    for _ in range(2):
        unserved(engine, dialled(engine, campaign), **gone)
    assert row(engine, Lead, id=lead)["state"] == "closed"


def test_the_next_number_may_be_dialled_sooner_until_all_were_tried(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign, (FIRST, SECOND))
    for soon in (True, False):
        taken = dialled(engine, campaign)
        ended_at = taken.intent_at + timedelta(seconds=30)
        unserved(engine, taken, alternate_at=ended_at + timedelta(minutes=1))
        wait = timedelta(minutes=1 if soon else 90)
        assert row(engine, Lead, id=lead)["next_attempt_at"] == ended_at + wait


def test_a_lead_that_somebody_moved_meanwhile_is_not_turned(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign)
    taken = dialled(engine, campaign)
    with writing(engine) as session:
        session.execute(update(Lead).values(state="done"))
    unserved(engine, taken)
    assert row(engine, Lead, id=lead)["number"] == FIRST


def test_a_dial_that_turns_out_to_be_the_trunks_failure_is_made_again_to_the_same_number(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign)
    taken = dialled(engine, campaign)
    unserved(engine, taken, outcome="technical_error", disposition="technical_error")
    assert row(engine, Lead, id=lead)["number"] == SECOND
    with writing(engine) as session:
        AttemptUncounted((taken.attempt_id,), NOON, "the trunk was down", NOON).apply(session)
    assert row(engine, Lead, id=lead)["number"] == FIRST


def test_a_listed_number_is_passed_over_and_the_lead_goes_on_with_the_others(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign)
        forbid(session, FIRST)
        forbid(session, SECOND, campaign)
    assert dialled(engine, campaign).number == THIRD, "the claim itself looks at the list"
    assert row(engine, Lead, id=lead)["state"] == "dialing"


def test_no_listed_number_is_ever_next(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign)
        forbid(session, SECOND)
    unserved(engine, dialled(engine, campaign))
    assert row(engine, Lead, id=lead)["number"] == THIRD


@pytest.mark.parametrize("put", [add_dnc, import_dnc])
def test_listing_one_number_turns_a_waiting_lead_and_listing_all_holds_it(engine: Engine, put: Any) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign, (FIRST, SECOND))
        assert put(session, BY, [FIRST], 0).leads == 0
    assert (row(engine, Lead, id=lead)["state"], row(engine, Lead, id=lead)["number"]) == ("new", SECOND)
    with writing(engine) as session:
        assert put(session, BY, [SECOND], 0).leads == 1
    assert row(engine, Lead, id=lead)["state"] == "dnc"
    with writing(engine) as session:
        assert remove_dnc(session, BY, FIRST, 0).leads == 1
    assert (row(engine, Lead, id=lead)["state"], row(engine, Lead, id=lead)["number"]) == ("new", FIRST)


def test_who_says_on_the_phone_that_he_wants_no_calls_is_listed_with_all_his_numbers(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        person(session, campaign)
        NumberForbidden(SECOND, 0, "keyed", "customer", NOON).apply(session)
    assert {one["number"] for one in rows(engine, DncEntry)} == {FIRST, SECOND, THIRD}


def test_a_number_that_no_trunk_may_carry_is_passed_over(engine: Engine) -> None:
    carriers = Carriers(("main",), {"main": (THIRD,)})
    with writing(engine) as session:
        campaign = add_campaign(session)
        person(session, campaign)
    assert dialled(engine, campaign, trunks=Hand(["main"], carriers)).number == THIRD


def test_leads_that_wait_are_turned_to_a_number_that_a_trunk_carries(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign)
        carriers = Carriers(("main",), {"main": (SECOND,)})
        assert close_not_carried(session, campaign, [LONDON], carriers, NOON) == 0
    assert (row(engine, Lead, id=lead)["state"], row(engine, Lead, id=lead)["number"]) == ("new", SECOND)


def test_a_lead_that_was_closed_comes_back_when_a_trunk_may_carry_another_of_its_numbers(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign, (FIRST, SECOND))
        nowhere = Carriers(("main",), {"main": ("+1",)})
        assert close_not_carried(session, campaign, [LONDON], nowhere, NOON) == 1
    with writing(engine) as session:
        assert open_carried(session, campaign, Carriers(("main",), {"main": (SECOND,)}), NOON, 0) == (1, None)
    assert (row(engine, Lead, id=lead)["state"], row(engine, Lead, id=lead)["number"]) == ("new", SECOND)


def test_a_new_lead_begins_with_the_first_number_that_may_be_called(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = session.get_one(Campaign, add_campaign(session))
        forbid(session, FIRST)
        one = add_lead(session, BY, campaign, LeadDraft(FIRST, LONDON, others=(SECOND,)))
        assert (one.number, one.state) == (SECOND, "new")
        added = add_leads(session, BY, campaign, [LeadDraft(THIRD, LONDON, others=(OTHER,))], "campaign")
        assert (added.dnc, len(added.ids)) == (0, 1)
    assert [one["number"] for one in rows(engine, LeadNumber)] == [FIRST, SECOND, THIRD, OTHER]


def test_a_number_that_a_lead_has_as_its_second_is_a_duplicate(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = session.get_one(Campaign, add_campaign(session))
        add_lead(session, BY, campaign, LeadDraft(FIRST, LONDON, others=(SECOND,)))
        added = add_leads(session, BY, campaign, [LeadDraft(SECOND, LONDON), LeadDraft(THIRD, LONDON)], "campaign")
        assert (added.duplicates, len(added.ids)) == (1, 1)
        two = [LeadDraft(OTHER, LONDON, others=("+442079460099",)), LeadDraft("+442079460099", LONDON)]
        assert add_leads(session, BY, campaign, two, "campaign").duplicates == 1


def test_erasing_one_number_forgets_all_of_the_person(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        person(session, campaign)
    unserved(engine, dialled(engine, campaign))
    with writing(engine) as session:
        counts = erase_number(session, BY, THIRD)
    assert (counts["leads"], counts["calls"], counts["attempts"]) == (1, 1, 1)
    assert rows(engine, LeadNumber) == []
    assert {one["number"] for one in (*rows(engine, Lead), *rows(engine, Attempt))} == {""}


def test_a_persons_cap_counts_all_his_numbers_and_other_campaigns_and_puts_him_off(engine: Engine) -> None:
    rules = AttemptRules(caps=(Cap(2, 24 * 3600.0),))
    with writing(engine) as session:
        spring, summer = add_campaign(session, "spring"), add_campaign(session, "summer")
        lead = person(session, spring, (FIRST, SECOND))
        person(session, summer, (SECOND, THIRD))
    unserved(engine, dialled(engine, spring, own=rules))
    unserved(engine, dialled(engine, summer, now=NOON + HOUR))
    later = NOON + 3 * HOUR
    with writing(engine) as session:
        session.execute(update(Lead).values(state="due", next_attempt_at=later))
        assert take(session, spring, now=later, own=rules) == []
        assert len(take(session, summer, now=later)) == 1, "the other campaign has no cap"
    kept = row(engine, Lead, id=lead)
    assert (kept["state"], kept["next_attempt_at"]) == ("due", NOON + 24 * HOUR)
    assert kept["reason"] == "2 of 2 calls in 24 h (person_cap)"


def test_one_transaction_does_not_call_a_person_twice_by_two_numbers(engine: Engine) -> None:
    rules = AttemptRules(caps=(Cap(1, 24 * 3600.0),))
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead_in(session, campaign, SECOND)
        person(session, campaign, (FIRST, SECOND))
        lead_in(session, campaign, OTHER)
        taken = take(session, campaign, want=5, trunks=["main"] * 5, own=rules)
    assert sorted(claim.number for claim in taken) == [FIRST, OTHER]


def test_parts_of_the_day_put_off_whoever_was_called_in_this_one(engine: Engine) -> None:
    parts = {"day_parts": "09:00-12:00,12:00-17:00,17:00-20:00"}
    rules = AttemptRules(parts=tuple(parts["day_parts"].split(",")))
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign, (FIRST, SECOND))
    taken = dialled(engine, campaign, own=rules)
    unserved(engine, taken, **parts)
    evening = NOON.replace(hour=17)
    assert row(engine, Lead, id=lead)["next_attempt_at"] == evening
    with writing(engine) as session:
        session.execute(update(Lead).values(next_attempt_at=NOON + HOUR))
        assert take(session, campaign, now=NOON + 2 * HOUR, own=rules) == []
    assert row(engine, Lead, id=lead)["next_attempt_at"] == evening
    with writing(engine) as session:
        (second,) = take(session, campaign, now=evening, own=rules)
        settled(second, **parts).apply(session)
    assert row(engine, Lead, id=lead)["next_attempt_at"] == NOON.replace(hour=9) + timedelta(days=1)


@pytest.mark.parametrize(("rang", "again"), [(True, 0), (False, 1)], ids=["rang", "never rang"])
@pytest.mark.parametrize(
    "rules", [AttemptRules(caps=(Cap(1, 24 * 3600.0),)), AttemptRules(parts=("09:00-12:00", "12:00-17:00"))]
)
def test_a_call_that_was_taken_back_counts_where_it_rang(engine: Engine, rules: Any, rang: bool, again: int) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        person(session, campaign, (FIRST,))
        (taken,) = take(session, campaign, own=rules)
        if rang:
            AttemptRinging(taken.channel_id, taken.intent_at).apply(session)
        settled(taken, outcome="not_attempted", counted=False, next_attempt_at=NOON + HOUR).apply(session)
        assert len(take(session, campaign, now=NOON + HOUR, own=rules)) == again


def test_a_call_that_somebody_asked_for_is_made_in_whatever_part_of_the_day(engine: Engine) -> None:
    rules = AttemptRules(parts=("09:00-12:00", "12:00-17:00"))
    with writing(engine) as session:
        campaign = add_campaign(session)
        person(session, campaign)
        (taken,) = take(session, campaign, own=rules)
        settled(taken, outcome="connected", lead_state="due", day_parts="09:00-12:00,12:00-17:00").apply(session)
        session.execute(update(Lead).values(next_attempt_at=NOON + HOUR))
        assert len(take(session, campaign, now=NOON + HOUR, own=rules)) == 1


@pytest.mark.parametrize("of_lead", [True, False])
def test_who_tells_an_agent_that_he_wants_no_calls_is_listed_with_the_numbers_of_every_lead_that_he_is(
    engine: Engine, of_lead: bool
) -> None:
    """Whether we had called him, or he calls in from one of them: none of the others is dialled afterwards."""
    with writing(engine) as session:
        spring, summer = add_campaign(session, "spring"), add_campaign(session, "summer")
        first = person(session, spring, (FIRST, SECOND))
        other = person(session, summer, (SECOND, THIRD))
        call = Call(
            id="call-1",
            kind="power" if of_lead else "inbound",
            direction="outbound" if of_lead else "inbound",
            lead_id=first if of_lead else None,
            campaign="spring" if of_lead else "",
            caller_number=FIRST if of_lead else SECOND,
            started_at=NOON,
        )
        session.add(call)
        session.flush()
        dispose_call(session, BY, "call-1", "DNC")
    assert {one["number"] for one in rows(engine, DncEntry)} == {FIRST, SECOND, THIRD}
    assert [row(engine, Lead, id=lead)["state"] for lead in (first, other)] == ["dnc", "dnc"]
    with writing(engine) as session:
        assert [take(session, campaign) for campaign in (spring, summer)] == [[], []]


@pytest.mark.parametrize("one_by_one", [True, False])
def test_of_leads_that_come_together_one_with_the_second_number_of_another_is_a_duplicate(
    engine: Engine, one_by_one: bool
) -> None:
    drafts = [LeadDraft(FIRST, LONDON, others=(SECOND,)), LeadDraft(SECOND, LONDON), LeadDraft(THIRD, LONDON)]
    with writing(engine) as session:
        campaign = session.get_one(Campaign, add_campaign(session))
        for some in [[draft] for draft in drafts] if one_by_one else [drafts]:
            add_leads(session, BY, campaign, some, "campaign")
    assert [one["number"] for one in rows(engine, Lead)] == [FIRST, THIRD]


def test_erasing_a_person_takes_him_out_of_what_agents_were_shown(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign)
        for over in ("", "skipped"):
            PreviewNoted("1001", "preview-1", lead, "spring", FIRST, {"name": "Ann"}, NOON + HOUR, NOON, over).apply(
                session
            )
        PreviewNoted("1001", "preview-2", lead + 1, "spring", OTHER, {"name": "Bob"}, NOON + HOUR, NOON).apply(session)
    with writing(engine) as session:
        erase_number(session, BY, FIRST)
    told_of = str([event["payload"] for event in rows(engine, Outbox)])
    assert (FIRST in told_of, "Ann" in told_of) == (False, False)
    assert (OTHER in told_of, "Bob" in told_of) == (True, True)


def test_who_was_erased_is_not_called_again_when_his_last_dial_turns_out_to_be_the_trunks_failure(
    engine: Engine,
) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        lead = person(session, campaign, (FIRST,))
    taken = dialled(engine, campaign)
    unserved(engine, taken, outcome="technical_error", disposition="technical_error", sip_code=503)
    with writing(engine) as session:
        erase_number(session, BY, FIRST)
        AttemptUncounted((taken.attempt_id,), NOON, "the trunk was down", NOON).apply(session)
    assert (row(engine, Lead, id=lead)["state"], row(engine, Lead, id=lead)["reason"]) == ("closed", "erased")
