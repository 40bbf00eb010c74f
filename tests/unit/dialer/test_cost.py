"""What looks cost, in CPU time, with the real dialer, roster and pacers; the store is away, so nothing is dialled."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from contact_center.clock import SystemClock
from contact_center.dialling import DialOrder
from contact_center.models import Agent, Campaign
from contact_center.options import CampaignOptions
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.facts import Fact
from contact_center.terms import AgentState, CallKind
from dialer.campaign import LiveCall, Past
from dialer.engine import Dialer
from dialer.pacing import make_pacer
from dialer.simulation.laws import Laws
from dialer.simulation.world import World
from tests.unit.dialer.test_engine import Placer

pytestmark = pytest.mark.clock

AGENTS, RINGING = 20, 35


class NoStore:
    """Takes facts, as a writer does while the database is away."""

    healthy, backlog = False, 0

    def post(self, fact: Fact) -> None:
        self.backlog += 1


ORDER = DialOrder(
    call_id="",
    channel_id="",
    attempt_id=0,
    n=1,
    attempts=1,
    lead_id=0,
    campaign="",
    kind=CallKind.PREDICTIVE,
    number="+447400000001",
    trunk="main",
    endpoint="",
    caller_id="",
    team="",
    prefer_agent="",
    hide_number=False,
    force_hangup=False,
    ring_seconds=25.0,
    agent_ring_seconds=10.0,
    deadline_seconds=2.0,
    wrap_up_seconds=5.0,
    ordered_at=SystemClock().now(),
)


@pytest.fixture(scope="module")
def learned() -> dict[str, Any]:
    pacer = make_pacer("predictive")
    World(Laws(((0.0, AGENTS),), shift_seconds=600.0), pacer, seed=1).run()
    return {"ring_seconds": 25.0, "pacer": pacer.remember()}  # type: ignore[attr-defined]


def hall(campaigns: int, learned: dict[str, Any]) -> Dialer:
    """So many predictive campaigns in mid-shift, each with 20 agents of its own and 35 calls ringing."""
    clock = SystemClock()
    roster = Roster(clock, lambda _: None)
    settings = Settings.model_validate({"trunk": {"main": {"host": "127.0.0.1", "max_channels": 10000}}})
    away: Any = NoStore()
    dialer = Dialer(writer=away, roster=roster, placer=Placer(), settings=settings, clock=clock)
    options = CampaignOptions().changed(hours="00:00-24:00").model_dump(mode="json")
    for key in range(1, campaigns + 1):
        row = {"mode": "predictive", "state": "running", "team": f"t{key}", "options": options}
        dialer._take_row(Campaign(id=key, name=f"c{key}", created_at=clock.now(), **row), Past(learned=learned))
        for n in range(AGENTS):
            ext = str(100_000 + AGENTS * key + n)
            agent = {"ext": ext, "name": ext, "endpoint": f"PJSIP/{ext}", "team": f"t{key}", "status": "online"}
            roster.load([Agent(**agent, since_at=clock.now())], clock.now())
            if n:  # one of each team is idle
                roster.change(roster.get(ext), engaged=AgentState.TALKING if n < 16 else AgentState.WRAP_UP)
    for run in dialer.campaigns.values():
        for n in range(RINGING):
            name = f"k{run.id}-{n}"
            order = replace(ORDER, call_id=name, channel_id=name, attempt_id=1000 * run.id + n, team=run.team)
            dialer.ledger.placed(run, LiveCall(order, clock.monotonic() - 0.6 * n))
        dialer._sharing.count(run)
    return dialer


def cpu_of_a_look(dialer: Dialer) -> float:
    """Seconds, the second time around."""
    for _ in range(2):
        began = time.process_time()
        for run in dialer.campaigns.values():
            if want := dialer._pace(run):
                dialer._release(want, 0)
        spent = time.process_time() - began
    return spent / len(dialer.campaigns)


@pytest.mark.alone
def test_a_thousand_campaigns_of_twenty_agents_paced_each_second_fit_into_one_core(learned):
    few, many = cpu_of_a_look(hall(8, learned)), cpu_of_a_look(hall(80, learned))
    assert many < 0.0008
    assert many < 5 * few  # caches and memory, but nothing quadratic: that would be ten times


@pytest.mark.alone
def test_an_agent_s_change_costs_the_same_however_many_campaigns_and_agents_there_are(learned):
    costs = []
    for campaigns in (8, 80):
        roster = (dialer := hall(campaigns, learned))._floor.roster
        seats = list(roster)[: 8 * AGENTS]
        began = time.process_time()
        for seat in seats:
            for state in (AgentState.OFFERED, AgentState.TALKING, AgentState.WRAP_UP, None):
                roster.change(seat, engaged=state)
        costs.append((time.process_time() - began) / (4 * len(seats)))
        assert dialer._floor.crew("").on_line == campaigns * AGENTS
    assert costs[1] < 4 * costs[0] + 0.00002
    assert costs[1] < 0.0003
