"""An agent who ends his call without his phone: as if he hung up, or as by `*2` where that is allowed."""

from __future__ import annotations

import asyncio
from typing import Any

from contact_center.terms import AgentState
from tests.calls.menu_world import RATE, Menus, said
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.calls.world import PHONE
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock

TRUNK: dict[str, Any] = {"trunk": {"main": {"host": "192.0.2.1"}}, "site": {"number_check": "digits"}}
RATED = {"rating_group": "sales", "rating_ivr": "on"}


async def in_talk(centre: QueueWorld, **options: str) -> tuple[Any, Any, str]:
    """A caller and his agent, who talk, and the call's id."""
    centre.queue("sales", dids=DID, **RATED, **options)
    centre.agent("1001", PHONE, "sales")
    caller = centre.call()
    await asyncio.sleep(2)
    [call] = centre.desk.calls.values()
    return caller, centre.world.fake.dialled("PJSIP/1001")[-1], call.caller.call_id


@on_virtual_clock
async def test_his_leg_ends_as_if_he_had_hung_up_and_he_is_not_asked():
    async with queue_world() as centre:
        menus = Menus(centre.world.app.env)
        caller, leg, call_id = await in_talk(centre)
        assert await centre.world.app.hang_up_as(call_id, "1001")
        record = await centre.record(caller)
        assert (record["call_state"], record["hung_up_by"]) == ("NORMAL_CLEARING_B", "agent")
        await centre.settled()
        assert (menus.facts, leg.id in centre.world.fake.channels) == ([], False)
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_where_star_2_is_allowed_the_customers_leg_ends_and_he_rates():
    async with queue_world() as centre:
        menus = Menus(centre.world.app.env)
        caller, leg, call_id = await in_talk(centre, force_hangup="on")
        assert await centre.world.app.hang_up_as(call_id, "1001")
        record = await centre.record(caller)
        assert (record["call_state"], record["hung_up_by"]) == ("FORCED_CLEARING_B", "agent")
        await asyncio.sleep(1)
        assert said(leg)[0] == RATE
        centre.world.fake.press(leg.id, "2")
        await centre.settled()
        assert menus.rated == [("Lost", None)]
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_in_a_consult_it_gives_the_customer_away_as_hanging_up_does():
    async with queue_world(**TRUNK) as centre:
        caller, leg, call_id = await in_talk(centre, force_hangup="on")
        centre.agent("1002", PHONE, team="other")
        centre.world.fake.press(leg.id, "*71002#")
        await asyncio.sleep(3)
        assert not await centre.world.app.hang_up_as(call_id, "1002")
        assert await centre.world.app.hang_up_as(call_id, "1001")
        await asyncio.sleep(2)
        assert centre.world.fake.together(caller.id, centre.world.fake.dialled("PJSIP/1002")[-1].id)
        assert not await centre.world.app.hang_up_as(call_id, "1001")
        assert await centre.world.app.hang_up_as(call_id, "1002")
        await asyncio.sleep(1)
        centre.world.fake.hang_up(centre.world.fake.dialled("PJSIP/1002")[-1].id)
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_his_own_call_that_still_rings_is_taken_back_and_stands_in_red():
    async with queue_world(**TRUNK) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far("PJSIP/callwright-trunk-main/*", FarEnd(rings_after=0.1))
        centre.dial("1001", "+442079460018")
        await asyncio.sleep(2)
        [call_id] = centre.world.app.own.calls
        assert await centre.world.app.hang_up_as(call_id, "1001")
        record = await centre.own("+442079460018")
        assert [event["kind"] for event in record["timeline"]] == ["queue", "queue_callback", "deleted"]
        assert record["hung_up_by"] == "agent"
        await centre.settled()
        assert centre.world.roster.get("1001").state in (AgentState.IDLE, AgentState.OFFLINE)
        centre.world.assert_nothing_left()
