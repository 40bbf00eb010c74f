from __future__ import annotations

import pytest

from contact_center.models import Campaign
from contact_center.options import CampaignOptions
from dialer.campaign import CampaignRun
from tests.support.clock import HandClock


def row(mode: str, **options: object) -> Campaign:
    stored = CampaignOptions().changed(**options).model_dump(mode="json")
    return Campaign(id=1, name="spring", mode=mode, state="running", options=stored, created_at=HandClock().now())


@pytest.mark.parametrize("change", [{"ring_seconds": "15"}, {"connect_deadline": "3"}, {"priority": "60"}, {}])
@pytest.mark.parametrize("mode", ["progressive", "power", "predictive"])
def test_settings_of_a_campaign_can_change_while_it_runs(mode, change):
    run = CampaignRun.of(row("predictive"))
    run.take(row(mode, **change))
    assert run.wants(0.0, 3, 3, [], [], 0) == 3


def test_a_predictive_pacer_keeps_what_it_learned():
    run = CampaignRun.of(row("predictive"))
    for call in range(40):
        run.pacer.observe("dial", float(call), call)
        run.pacer.observe("answer", call + 5.0, call)
    known = run.pacer.explain().get("answer_rate") or 0
    run.take(row("predictive", priority="60"))
    run.wants(100.0, 1, 1, [], [], 0)
    assert run.pacer.explain()["answer_rate"] > max(known, 0.5)
