"""`max_call_minutes` of a trunk: whoever called, the system ends a call that lasts longer, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ari_app.trunk_caps import keep_caps
from contact_center.http.metrics import Meters
from contact_center.settings import Caps
from contact_center.terms import AgentState, Outcome
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.calls.world import make_order, world
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock

SITE = {"site": {"number_check": "digits"}}
TRUNK = {"main": {"host": "192.0.2.1", "max_call_minutes": 2}}
NUMBER = "+442079460018"
FAR = "PJSIP/callwright-trunk-main/*"
PHONE = FarEnd(rings_after=0.05, answers_after=0.5)
ANSWERS = FarEnd(rings_after=0.1, answers_after=1.0)
TIMER_EXPIRED = 102


@asynccontextmanager
async def centre_with_limit() -> AsyncIterator[QueueWorld]:
    async with queue_world(trunk=TRUNK, **SITE) as centre:
        centre.world.fake.far(FAR, ANSWERS)
        env = centre.world.app.env
        keeping = asyncio.create_task(keep_caps(env.trunks, Meters(), env.ari))
        try:
            yield centre
        finally:
            keeping.cancel()


@on_virtual_clock
async def test_an_own_call_ends_when_it_has_lasted_as_long_as_its_trunk_lets_one_last():
    async with centre_with_limit() as centre:
        centre.agent("1001", PHONE)
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(115)
        [leg] = centre.world.fake.dialled(FAR)
        assert centre.world.fake.together(phone.id, leg.id)
        record = await centre.own(NUMBER)
        assert leg.ended_at - leg.answered_at == pytest.approx(120.0, abs=1.1)
        assert leg.cause == TIMER_EXPIRED
        assert (record["hung_up_by"], record["call_state"]) == ("system", "NORMAL_CLEARING_S")
        assert [(span["kind"], span["label"]) for span in record["timeline"]][-2:] == [
            ("conversation", "conversation"),
            ("menu", "longest call of the trunk reached"),
        ]
        await centre.settled()
        assert centre.world.roster.get("1001").state is AgentState.IDLE
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_longer_limit_holds_for_calls_that_go_on_and_none_lets_them_last():
    async with centre_with_limit() as centre:
        centre.agent("1001", PHONE)
        centre.dial("1001", NUMBER)
        await asyncio.sleep(60)
        centre.world.app.env.trunks.take_caps("main", Caps(max_call_minutes=0))
        await asyncio.sleep(600)
        [leg] = centre.world.fake.dialled(FAR)
        assert leg.ended_at is None
        centre.world.app.env.trunks.take_caps("main", Caps(max_call_minutes=1))
        await centre.settled()
        assert leg.cause == TIMER_EXPIRED


@on_virtual_clock
async def test_a_caller_who_was_sent_on_to_a_number_is_cut_off_and_one_who_waits_or_talks_inside_is_not():
    async with centre_with_limit() as centre:
        centre.queue("away", dids=DID, max_wait="2", overflow=f"number:{NUMBER}")
        centre.queue("inside", dids="442079460602")
        centre.agent("1001", PHONE, "inside")
        inside, sent_on = centre.call("442079460602"), centre.call()
        record = await centre.record(sent_on)
        [leg] = centre.world.fake.dialled(FAR)
        assert leg.cause == TIMER_EXPIRED
        assert record["hung_up_by"] == "system"
        assert record["timeline"][-1]["label"] == "longest call of the trunk reached"
        await asyncio.sleep(60)
        assert inside.ended_at is None


@on_virtual_clock
async def test_a_campaigns_customer_who_is_cut_off_has_talked_and_his_record_says_whose_doing_it_was():
    async with world(PHONE) as centre:
        centre.fake.far("PJSIP/customer-*@trunk", ANSWERS)
        centre.app.place(make_order())
        await asyncio.sleep(20)
        await centre.app.calls["cw-1"].customer.cut_off()
        result = await centre.ended("call-1")
        assert (result.outcome, result.record["hung_up_by"]) == (Outcome.CONNECTED, "system")
        assert result.record["call_state"] == "NORMAL_CLEARING_S"
        assert result.record["timeline"][-1]["label"] == "longest call of the trunk reached"
        await centre.settled()
        centre.assert_nothing_left()
