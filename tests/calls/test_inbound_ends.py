"""Callers who are given to a number, come on an unknown one, or are hung up."""

from __future__ import annotations

import asyncio

from tests.calls.queue_world import DID, queue_world
from tests.calls.test_inbound import kinds
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock


@on_virtual_clock
async def test_an_overflow_to_a_number_connects_the_caller_with_it():
    trunk = {"main": {"host": "192.0.2.1"}}
    async with queue_world(trunk=trunk) as centre:
        centre.world.fake.far("PJSIP/callwright-trunk-main/*", FarEnd(rings_after=0.1, answers_after=2.0))
        centre.queue("sales", dids=DID, max_wait="5", overflow="number:+442079460018")
        caller = centre.call()
        await asyncio.sleep(9)
        outside = centre.world.fake.dialled("PJSIP/callwright-trunk-main/*")[0]
        assert outside.endpoint == "PJSIP/callwright-trunk-main/sip:+442079460018@192.0.2.1:5060"
        assert centre.world.fake.together(caller.id, outside.id)
        centre.world.fake.hang_up(outside.id)
        record = await centre.record(caller)
        assert kinds(record) == [("queue", "sales"), ("conversation", "+442079460018")]
        assert record["disposition"] == "overflow"
        assert record["talk_seconds"] == record["timeline"][1]["seconds"] > 1.0
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_an_unknown_number_goes_to_the_fallback():
    async with queue_world() as centre:
        sent = []
        centre.world.fake.dialplan["callwright-fallback", "s"] = sent.append
        caller = centre.call("442079469999")
        await asyncio.sleep(1)
        assert sent == [caller]


@on_virtual_clock
async def test_a_supervisor_ends_a_waiting_call():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID)
        caller = centre.call()
        await asyncio.sleep(1)
        [call] = centre.desk.calls.values()
        assert await centre.world.app.hang_up(call.caller.call_id)
        assert (await centre.record(caller))["hung_up_by"] == "system"
