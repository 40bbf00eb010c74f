"""What one call owes the law, and what it makes of the next one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contact_center.law.duties import duties
from contact_center.law.rules import Clock

AT = datetime(2026, 7, 15, 23, 59, 30, tzinfo=UTC)
FLORIDA, BRITAIN = "America/New_York|US-FL", "Europe/London|GB"
HOURS = "08:00-21:00"


def test_a_call_to_florida_is_sent_before_eight_in_the_evening() -> None:
    duty = duties(FLORIDA, HOURS, "us_tsr", AT)
    assert duty.invite_before == datetime(2026, 7, 16, 0, 0, tzinfo=UTC)
    assert (duty.ring_seconds, duty.message_seconds, duty.message_clock) == (15.0, 2.0, Clock.GREETING_END)
    assert duty.version


def test_a_call_that_may_not_be_sent_now_has_no_time_left() -> None:
    assert duties(FLORIDA, HOURS, "us_tsr", AT + timedelta(seconds=30)).invite_before == AT + timedelta(seconds=30)


def test_without_a_law_only_the_campaigns_hours_bind() -> None:
    duty = duties(FLORIDA, HOURS, "none", AT)
    assert duty.invite_before == datetime(2026, 7, 16, 1, 0, tzinfo=UTC)
    assert (duty.ring_seconds, duty.message_seconds, duty.lockout_seconds, duty.version) == (0.0, None, 0.0, "")


def test_after_an_abandoned_call_the_next_waits_for_the_lock_out() -> None:
    duty = duties(BRITAIN, HOURS, "uk_ofcom", AT)
    wanted = AT + timedelta(minutes=10)
    assert duty.next_attempt_at(wanted, AT, abandoned=True) == AT + timedelta(hours=72)
    assert duty.next_attempt_at(wanted, AT, abandoned=False) == wanted
    assert duty.next_attempt_at(AT + timedelta(days=9), AT, abandoned=True) == AT + timedelta(days=9)
    assert duty.next_attempt_at(None, AT, abandoned=True) is None
    assert duties(FLORIDA, HOURS, "us_tsr", AT).next_attempt_at(wanted, AT, abandoned=True) == wanted
