from __future__ import annotations

import pytest

from contact_center.models import Campaign
from contact_center.options import CampaignOptions
from dialer.campaign import CampaignRun, Scene
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
