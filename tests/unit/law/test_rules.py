"""The rules that come with the program: what each profile asks, and since when."""

from __future__ import annotations

from datetime import UTC, datetime

import phonenumbers
import pytest
from phonenumbers import geocoder

from contact_center.errors import UsageError
from contact_center.law.books import PROFILES, library
from contact_center.law.force import Cap, rule_document, rules_for
from contact_center.law.geography import atlas
from contact_center.law.places import LeadFacts
from contact_center.law.rules import Clock, LedgerWindow
from contact_center.options import ABANDONMENT_LIMITS, GREETING_END_PROFILES, CampaignOptions

NOW = datetime(2026, 7, 15, 18, tzinfo=UTC)
NEW_YORK, TAMPA, LONDON, TORONTO = "+12125550123", "+18135550123", "+442079460018", "+14165550123"


def test_the_profiles_are_those_that_a_campaign_may_have() -> None:
    for profile in PROFILES:
        assert CampaignOptions().changed(profile=profile).profile == profile
    with pytest.raises(UsageError, match="profile=us is not known"):
        rules_for(LeadFacts(NEW_YORK), NOW, profile="us")


def test_without_a_profile_the_law_asks_nothing() -> None:
    rules = rules_for(LeadFacts(NEW_YORK), NOW, profile="none")
    assert (rules.rules, rules.caps, rules.abandonment, rules.version) == ((), (), {}, "")
    assert (rules.ring_seconds, rules.lockout_seconds, rules.message_seconds) == (0.0, 0.0, None)


def test_the_united_states_ask_what_the_papers_say() -> None:
    rules = rules_for(LeadFacts(NEW_YORK), NOW, profile="us_tsr")
    assert rules.abandonment == {LedgerWindow.DAYS_30: 0.03}
    assert (rules.message_seconds, rules.message_clock) == (2.0, Clock.GREETING_END)
    assert (rules.ring_seconds, rules.list_days, rules.keep_days) == (15.0, 31, 1827)
    assert any("key or a word" in text for text in rules.message_contents)
    assert rules.caps == ()
    assert "us_federal 2026.1" in rules.version


def test_florida_caps_calls_to_a_person_since_july_2021() -> None:
    assert rules_for(LeadFacts(TAMPA), NOW, profile="us_tsr").caps == (Cap(3, 86400.0),)
    before = datetime(2021, 7, 1, 3, 59, 59, tzinfo=UTC)
    after = datetime(2021, 7, 1, 4, tzinfo=UTC)
    assert rules_for(LeadFacts(TAMPA), before, profile="us_tsr").caps == ()
    assert rules_for(LeadFacts(TAMPA), after, profile="us_tsr").caps == (Cap(3, 86400.0),)


def test_a_rule_holds_as_soon_as_it_does_in_one_of_two_zones() -> None:
    midnight_in_the_east = datetime(2021, 7, 1, 4, 30, tzinfo=UTC)
    assert rules_for(LeadFacts("+18505550123"), midnight_in_the_east, profile="us_tsr").caps == (Cap(3, 86400.0),)


def test_the_profiles_that_may_count_from_the_greetings_end_are_those_whose_law_does() -> None:
    clocks = {profile: rules_for("", NOW, profile=profile) for profile in PROFILES if profile != "none"}
    from_end = [profile for profile, rules in clocks.items() if rules.message_clock is Clock.GREETING_END]
    assert tuple(from_end) == GREETING_END_PROFILES


def test_the_limits_that_the_dialer_steers_by_are_those_of_the_law() -> None:
    strictest = {
        profile: min(limit for limit in rules_for("", NOW, profile=profile).abandonment.values() if limit is not None)
        for profile in PROFILES
        if profile != "none"
    }
    assert strictest == ABANDONMENT_LIMITS


def test_a_campaign_counts_from_the_greetings_end_only_under_a_law_that_lets_it() -> None:
    chosen = CampaignOptions().changed(profile="us_tsr", message_clock="greeting_end")
    with pytest.raises(UsageError, match="message_clock=greeting_end goes with profile=us_tsr only"):
        chosen.changed(profile="uk_ofcom")
    with pytest.raises(UsageError, match="goes with profile=us_tsr only"):
        CampaignOptions().changed(message_clock="greeting_end")
    assert chosen.changed(profile="uk_ofcom", message_clock="answer").message_clock == "answer"


def test_ofcoms_three_percent_was_a_rule_until_march_2017_and_is_practice_since() -> None:
    before = rules_for(LeadFacts(LONDON), datetime(2017, 2, 28, 12, tzinfo=UTC), profile="uk_ofcom")
    after = rules_for(LeadFacts(LONDON), datetime(2017, 3, 1, 12, tzinfo=UTC), profile="uk_ofcom")
    assert before.abandonment == after.abandonment == {LedgerWindow.HOURS_24: 0.03}
    assert {rule.force for rule in before.rules if rule.id.startswith("gb.abandonment")} == {"policy"}
    limits = {rule.id: rule.force for rule in after.rules if rule.id.startswith("gb.abandonment")}
    assert limits == {"gb.abandonment.2017": "policy", "gb.abandonment.practice": "practice"}
    assert after.lockout_seconds == 72 * 3600
    assert (after.message_seconds, after.message_clock) == (2.0, Clock.ANSWER)


def test_a_number_taken_for_a_machines_is_left_alone_for_24_hours_in_britain_since_february_2011() -> None:
    days = [datetime(*day, 12, tzinfo=UTC) for day in ((2011, 1, 31), (2011, 2, 1), (2017, 2, 28), (2017, 3, 1))]
    found = [rules_for(LeadFacts(LONDON), day, profile="uk_ofcom") for day in days]
    assert [rules.machine_lockout_seconds for rules in found] == [0.0, 86400.0, 86400.0, 86400.0]
    forces = [{rule.force for rule in rules.rules if rule.id.startswith("gb.machine")} for rules in found]
    assert forces == [set(), {"policy"}, {"policy"}, {"practice"}]
    assert rules_for(LeadFacts(LONDON), NOW, profile="none").machine_lockout_seconds == 0.0
    assert rules_for(LeadFacts(NEW_YORK), NOW, profile="us_tsr").machine_lockout_seconds == 0.0


def test_canada_counts_per_month() -> None:
    rules = rules_for(LeadFacts(TORONTO), NOW, profile="ca_crtc")
    assert rules.abandonment == {LedgerWindow.MONTH: 0.05}
    assert (rules.list_days, rules.keep_days) == (31, 1096)


def test_the_law_of_the_campaign_and_of_the_lead_hold_together() -> None:
    rules = rules_for(LeadFacts(LONDON), NOW, profile="us_tsr")
    assert rules.abandonment == {LedgerWindow.DAYS_30: 0.03, LedgerWindow.HOURS_24: 0.03}
    assert rules.lockout_seconds == 72 * 3600
    assert rules.message_clock is Clock.ANSWER
    assert rules.list_days == 28


def test_an_unknown_state_may_be_any_of_them() -> None:
    assert rules_for(LeadFacts("+18005550123"), NOW, profile="us_tsr").caps == (Cap(3, 86400.0),)
    assert rules_for("Europe/London", NOW, profile="us_tsr").caps == (Cap(3, 86400.0),)


def test_records_are_kept_for_five_years_since_october_2024() -> None:
    before = rules_for(LeadFacts(NEW_YORK), datetime(2024, 10, 14, 12, tzinfo=UTC), profile="us_tsr")
    after = rules_for(LeadFacts(NEW_YORK), datetime(2024, 10, 15, 12, tzinfo=UTC), profile="us_tsr")
    assert (before.keep_days, after.keep_days) == (731, 1827)


def test_every_rule_says_where_it_is_written_and_reads_as_json() -> None:
    for rule in library().rules:
        document = rule_document(rule)
        assert document["source"].strip()
        assert "://" not in document["source"]
        assert document["from"] == rule.since.isoformat()
        assert library().version_of(rule).endswith("2026.1")


def test_area_codes_lie_where_the_numbering_plan_says() -> None:
    checked = 0
    for code, place in atlas().area_codes.items():
        number = phonenumbers.parse(f"+1{code}5551234")
        told = geocoder.description_for_number(number, "en")
        if place == "CA":
            assert phonenumbers.region_code_for_number(number) in ("CA", None)
            continue
        names = {name for name, known in atlas().names.items() if known == place}
        if told and told.lower() in atlas().names:
            assert told.lower() in names, (code, told, place)
            checked += 1
        elif told[-4:-2] == ", ":
            assert told[-2:].lower() in names, (code, told, place)
            checked += 1
    assert checked > 300
