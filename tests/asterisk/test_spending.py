"""Caps of trunks on the real Asterisk: the carrier gets no more calls than it may carry, and no longer ones.

Every kind of call has its test on the virtual clock (tests/calls/test_capped.py); the whole story is a proof.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.callers import Callers
from tests.asterisk.carriers import TwoCarriers, carried, reasons
from tests.asterisk.floor import Floor
from tests.lab.centre import CommandFailed
from tests.lab.farend.numbers import stays, talks
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 15.0
CALLS = 2
LEADS = [talks(0.5, 600 + n) for n in range(2)]
LONGEST_SECONDS = 1.2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers() -> AsyncIterator[Callers]:
    caps = {"trunk.main": {"calls_per_day": CALLS, "codecs": ["alaw"]}, "agents": {"trunk": "main"}}
    async with TwoCarriers("caps", settings=caps) as made:
        await made.serve.start()
        yield Callers(Floor(made))
        assert not made.far.faults


async def test_one_cap_for_agents_and_campaigns_holds_over_a_crash_and_a_raised_one_is_obeyed_at_once(callers: Callers):
    floor = callers.floor
    phone = await floor.agent("6001", team="few")
    own = phone.dial(stays(620))
    await own.until_answered(PATIENCE)
    own.hangup()
    await floor.until_state("6001", "idle", PATIENCE)
    await floor.campaign("few", LEADS[0], trunk="main")
    await (await floor.called(LEADS[0], PATIENCE)).until_over(PATIENCE)
    assert len(carried(callers)) == CALLS

    async def is_capped() -> bool:
        return (await reasons(callers, "few")).get("trunk_capped", "").endswith("raises it.")

    await until(is_capped, PATIENCE, "the cap to be told")
    floor.centre.serve.kill()
    await floor.centre.serve.ended()
    await floor.centre.serve.start()
    with pytest.raises(CommandFailed, match="its calls_per_day of 2 is reached"):
        await floor.cli("call", "place", "6001", stays(621))
    await floor.cli("lead", "add", "few", LEADS[1])
    assert len(carried(callers)) == CALLS
    await floor.cli("trunk", "set", "main", f"calls_per_day={CALLS + 2}")
    await (await floor.called(LEADS[1], PATIENCE)).until_over(PATIENCE)
    assert len(carried(callers)) == CALLS + 1


async def test_a_call_that_lasts_as_long_as_its_trunk_lets_one_last_is_ended_on_the_wire(callers: Callers):
    floor = callers.floor
    await floor.cli("trunk", "set", "main", f"max_call_minutes={LONGEST_SECONDS / 60}")
    await floor.until_state("6001", "idle", PATIENCE)
    number = stays(622)
    floor.far.phones["6001"].dial(number)
    far = await floor.called(number, PATIENCE)
    await far.until_over(PATIENCE)
    assert far.record.ended_by == "switch"
    lasted = (far.record.bye_at or 0.0) - (far.record.answered_at or 0.0)
    assert LONGEST_SECONDS - 0.2 < lasted < LONGEST_SECONDS + 1.5
    record = await callers.record(number)
    assert (record["call_state"], record["hung_up_by"]) == ("NORMAL_CLEARING_S", "system")
    await callers.nothing_left()
