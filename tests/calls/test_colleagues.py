"""Agents who call each other and give up; on the virtual clock."""

from __future__ import annotations

import asyncio

from tests.calls.queue_world import queue_world
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock


@on_virtual_clock
async def test_an_agent_who_hangs_up_while_a_colleagues_phone_rings_has_made_an_attempt_that_was_missed():
    async with queue_world() as centre:
        centre.agent("1001", FarEnd(rings_after=0.05, answers_after=0.5))
        centre.agent("1002", FarEnd(rings_after=0.05))
        phone = centre.dial("1001", "1002")
        await asyncio.sleep(4)
        centre.world.fake.hang_up(phone.id)
        record = await centre.own("xxxxxxxx")
        assert (record["disposition"], record["call_state"]) == ("missed", "ORIGINATOR_CANCEL_B")
        assert record["agents"] == ["Agent 1001"]
        await centre.settled()
        centre.world.assert_nothing_left()
