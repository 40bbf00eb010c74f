"""What campaigns leave to each other: claimed agents by priority and team, and calls seen by those that look ahead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contact_center.models import Agent, Campaign
from contact_center.options import CampaignOptions
from contact_center.roster import Roster
from dialer.campaign import CampaignRun, LiveCall
from dialer.floor import Floor
from dialer.sharing import Sharing
from tests.support.clock import HandClock
from tests.unit.dialer.test_cost import ORDER


class Centre:
    """Idle agents by team, and campaigns with ringing calls."""

    def __init__(self, **teams: int) -> None:
        self.clock = HandClock()
        self.roster = Roster(self.clock, lambda _: None)
        for team, count in teams.items():
            for _ in range(count):
                ext = f"{len(list(self.roster)) + 1001}"
                row = {"ext": ext, "name": ext, "endpoint": f"PJSIP/{ext}", "team": team, "status": "online"}
                self.roster.load([Agent(**row, since_at=self.clock.now())], self.clock.now())
        self.sharing = Sharing(Floor(self.roster, self.clock, lambda _: None, lambda _: None))
        self.runs = 0

    def campaign(self, team: str = "", mode: str = "progressive", calls: int = 0, **options: object) -> CampaignRun:
        self.runs += 1
        stored = CampaignOptions().changed(**options).model_dump(mode="json")
        values = {"mode": mode, "multiplier": 2.0, "team": team, "state": "running", "options": stored}
        run = CampaignRun.of(Campaign(id=self.runs, name=f"c{self.runs}", created_at=self.clock.now(), **values))
        for n in range(calls):
            name = f"{self.runs}-{n}"
            run.add(LiveCall(replace(ORDER, call_id=name, channel_id=name), self.clock.monotonic() - n))
        self.sharing.count(run)
        return run


@pytest.mark.parametrize(("mine", "theirs", "left"), [(50, 50, 3), (60, 50, 5), (50, 60, 3)])
def test_a_campaign_leaves_agents_to_calls_of_equal_or_higher_priority(mine, theirs, left):
    centre = Centre(sales=5)
    centre.campaign("sales", calls=2, priority=theirs)
    assert centre.sharing.idle_for(centre.campaign("sales", calls=1, priority=mine)) == left


def test_a_multiplier_needs_fewer_agents_for_its_calls():
    centre = Centre(sales=5)
    centre.campaign("sales", mode="power", calls=5)
    assert centre.sharing.idle_for(centre.campaign("sales")) == 2


def test_calls_for_everybody_are_first_taken_to_be_for_agents_whom_only_they_may_use():
    centre = Centre(sales=2, help=3)
    everybody = centre.campaign("", calls=4)
    assert centre.sharing.idle_for(centre.campaign("sales")) == 1
    assert centre.sharing.idle_for(everybody) == 5
    centre.campaign("help", calls=2)
    assert centre.sharing.idle_for(everybody) == 3


def test_what_has_ended_or_moved_to_another_team_claims_nobody_here():
    centre = Centre(sales=4, help=4)
    other, mine = centre.campaign("sales", calls=3), centre.campaign("sales")
    assert centre.sharing.idle_for(mine) == 1
    other.team = "help"
    centre.sharing.count(other)
    assert centre.sharing.idle_for(mine) == 4
    assert centre.sharing.idle_for(centre.campaign("help")) == 1
    other.ringing.clear()
    centre.sharing.count(other)
    assert centre.sharing.idle_for(centre.campaign("help")) == 4


def test_one_that_looks_ahead_sees_the_calls_of_all_that_share_its_agents_with_their_odds():
    centre = Centre(sales=4, help=12)
    mine = centre.campaign("sales", mode="predictive", calls=2)
    alone = centre.sharing.scene(mine, centre.clock.monotonic(), None)
    assert (alone.idle, alone.ringing, alone.odds) == (4, [0.0, 1.0], None)
    same = centre.campaign("sales", mode="predictive", calls=1)
    same.cautious_rate = 0.4
    everybody = centre.campaign("", mode="predictive", calls=2)
    everybody.cautious_rate = 0.2
    centre.campaign("help", mode="predictive", calls=9)
    mine.cautious_rate, mine.reserved = 0.3, 1
    scene = centre.sharing.scene(mine, centre.clock.monotonic(), None)
    assert scene.idle == 4
    assert scene.ringing == [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    assert scene.odds == pytest.approx([0.3, 0.3, 0.3, 0.4, 0.05, 0.05])  # a quarter of everybody is sales
