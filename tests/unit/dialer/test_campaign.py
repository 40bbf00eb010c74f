from __future__ import annotations

import pytest

from contact_center.models import Campaign
from contact_center.options import CampaignOptions
from contact_center.store.queries_pace import AnsweredHour
from dialer.campaign import CampaignRun, Past, Scene
from dialer.windows import Windows
from tests.support.clock import HandClock


def row(mode: str, **options: object) -> Campaign:
    stored = CampaignOptions().changed(**options).model_dump(mode="json")
    return Campaign(id=1, name="spring", mode=mode, state="running", options=stored, created_at=HandClock().now())


@pytest.mark.parametrize("change", [{"ring_seconds": "15"}, {"connect_deadline": "3"}, {"priority": "60"}, {}])
@pytest.mark.parametrize("mode", ["progressive", "power", "predictive"])
def test_settings_of_a_campaign_can_change_while_it_runs(mode, change):
    run = CampaignRun.of(row("predictive"))
    run.take(row(mode, **change))
    assert run.wants(0.0, Scene(idle=3, on_line=3, ringing=[], waiting=0, talking=[], wrapping=[])) == 3


FREE = Scene(idle=5, on_line=5, ringing=[], waiting=0, talking=[], wrapping=[])


def power(dropped: int, answered: int, **options: object) -> CampaignRun:
    """A campaign of power 2 with five free agents and what was answered in this hour."""
    at = HandClock().now().timestamp() // 3600 * 3600
    past = Past(windows=Windows.of([AnsweredHour(at, answered, dropped)]))
    spring = row("power", **options)
    spring.multiplier = 2.0
    return CampaignRun.of(spring, past, at=at)


@pytest.mark.parametrize(
    ("dropped", "answered", "profile", "calls"),
    [
        (0, 0, "uk_ofcom", 10),
        (0, 1, "uk_ofcom", 10),
        (2, 100, "uk_ofcom", 10),
        (3, 100, "uk_ofcom", 5),
        (3, 4, "us_tsr", 5),
        (3, 4, "none", 10),
    ],
)
def test_under_a_law_power_falls_to_one_call_per_free_agent_at_the_limit(dropped, answered, profile, calls):
    run = power(dropped, answered, profile=profile)
    assert run.wants(0.0, FREE, HandClock().now().timestamp()) == calls
    reason = run.explain("", 0)["held_back_by"]
    assert (f"{dropped} of {answered} answered calls dropped" in reason) is (calls == 5)


@pytest.mark.parametrize(
    ("profile", "own", "steered"),
    [("none", 0.5, 0.5), ("uk_ofcom", 0.5, 0.03), ("uk_ofcom", 0.01, 0.01), ("us_tsr", 1, 0.03), ("ca_crtc", 1, 0.05)],
)
def test_the_law_limits_abandonment_where_the_campaigns_own_limit_is_wider(profile, own, steered):
    options = CampaignOptions().changed(profile=profile, abandonment_limit=own)
    assert options.limit == steered
    run = power(4, 100, profile=profile, abandonment_limit=own)
    assert (run.wants(0.0, FREE, HandClock().now().timestamp()) == 5) is (profile != "none" and steered <= 0.04)
