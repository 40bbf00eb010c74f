"""The law on the real Asterisk, judged by what the far end's trunk received and when."""

from __future__ import annotations

import pytest

from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.numbers import Behaviour, number_for, stays
from tests.lab.farend.record import Side
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LISTED_SECONDS = 0.25  # after the commit of a do-not-call entry no INVITE leaves later
CANCEL_SECONDS = 1.0  # and a phone that rings is silent


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


@pytest.mark.parametrize("campaign_only", [False, True], ids=["company", "campaign"])
async def test_a_ringing_call_is_cancelled_within_a_second_of_its_listing(floor: Floor, campaign_only: bool):
    team = f"dnc{campaign_only:d}"
    await floor.agent(f"14{campaign_only:d}1", team=team)
    number = number_for(Behaviour.NEVER_ANSWERS, 700 + campaign_only)
    await floor.campaign(team, number)
    customer = await floor.called(number)
    await floor.cli("dnc", "add", number, *(("--campaign", team) if campaign_only else ()))
    listed_at = floor.far.clock.now()
    await customer.until_over(3.0)
    assert customer.record.ended_at - listed_at < CANCEL_SECONDS
    [lead] = await floor.cli("lead", "list", team)
    await until(lambda: len(floor.far.log.attempts(number)) == 1, 1.0, "one call")
    why = await floor.cli("why", "lead", str(lead["id"]))
    assert "dnc" in {reason["rule"] for reason in why["reasons"]}


async def test_no_invite_leaves_for_a_number_later_than_a_quarter_of_a_second_after_its_listing(floor: Floor):
    """100 races: leads that are due and a list that grows by their numbers, one after the other."""
    await floor.agent("1431", team="race")
    await floor.cli("campaign", "add", "race", "--mode", "power", "--team", "race", "--multiplier", "10")
    await floor.cli("campaign", "set", "race", "hours=00:00-24:00", "max_attempts=1")
    numbers = [number_for(Behaviour.REFUSES, 486_000 + n) if False else stays(5000 + n, ring=0.05) for n in range(100)]
    for number in numbers:
        await floor.cli("lead", "add", "race", number)
    await floor.cli("campaign", "start", "race")
    listed: dict[str, float] = {}
    for number in numbers:
        await floor.cli("dnc", "add", number)
        listed[number] = floor.far.clock.now()
    late = {
        call.party: call.invite_at - listed[call.party]
        for call in floor.far.log.select(Side.CUSTOMER)
        if call.party in listed and call.invite_at > listed[call.party] + LISTED_SECONDS
    }
    assert late == {}
    await floor.cli("campaign", "stop", "race")
