from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contact_center.options import CampaignOptions
from contact_center.outcomes import after, classify, gave_up
from contact_center.terms import LeadState, Outcome

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (480, "unavailable"),
        (408, "unavailable"),
        (410, "unavailable"),
        (486, "busy"),
        (600, "busy"),
        (603, "busy"),
        (403, "technical_error"),
        (488, "technical_error"),
        (500, "technical_error"),
        (502, "technical_error"),
        (503, "technical_error"),
        (404, "invalid_number"),
        (604, "invalid_number"),
        (484, "invalid_number"),
        (607, "blocked"),
        (608, "blocked"),
        (418, "technical_error"),
    ],
)
def test_each_sip_answer_has_its_outcome(code, outcome):
    assert classify(code, 127) == outcome


@pytest.mark.parametrize(("cause", "outcome"), [(17, "busy"), (21, "busy"), (19, "unavailable"), (1, "invalid_number")])
def test_without_a_sip_code_the_cause_decides(cause, outcome):
    assert classify(None, cause) == outcome


def test_giving_up_counts_as_missed_only_when_the_phone_rang():
    assert gave_up(rang=True) is Outcome.MISSED
    assert gave_up(rang=False) is Outcome.NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("outcome", "minutes"),
    [("missed", 90), ("unavailable", 90), ("busy", 5), ("technical_error", 10), ("no_free_operators", 10)],
)
def test_the_seed_s_delays_are_the_defaults(outcome, minutes):
    change = after(Outcome(outcome), ended_at=NOW, attempts=1, options=CampaignOptions())
    assert change.state is LeadState.DUE
    assert change.next_attempt_at == NOW + timedelta(minutes=minutes)
    assert change.counted


@pytest.mark.parametrize("outcome", ["invalid_number", "blocked"])
def test_numbers_that_cannot_work_are_closed(outcome):
    assert after(Outcome(outcome), ended_at=NOW, attempts=1, options=CampaignOptions()).state is LeadState.CLOSED


def test_what_the_trunk_swallowed_uses_up_no_attempt():
    change = after(Outcome.NOT_ATTEMPTED, ended_at=NOW, attempts=1, options=CampaignOptions(max_attempts=1))
    assert (change.state, change.counted) == (LeadState.DUE, False)


def test_the_last_attempt_closes_the_lead():
    options = CampaignOptions(max_attempts=2)
    assert after(Outcome.BUSY, ended_at=NOW, attempts=1, options=options).state is LeadState.DUE
    assert after(Outcome.BUSY, ended_at=NOW, attempts=2, options=options).state is LeadState.CLOSED


def test_no_limit_of_attempts_means_until_the_customer_gets_in_touch():
    assert after(Outcome.MISSED, ended_at=NOW, attempts=999, options=CampaignOptions()).state is LeadState.DUE


def test_an_uncertain_attempt_counts_and_waits():
    change = after(Outcome.NOT_ATTEMPTED, ended_at=NOW, attempts=1, options=CampaignOptions(), certain=False)
    assert change.counted
    assert change.next_attempt_at == NOW + timedelta(minutes=10)
