"""Who is asked after a customer was given away, and what is left on a line when he hangs up within a consult."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contact_center.terms import AgentState
from tests.calls.menu_world import RATE, Menus, said
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.calls.world import make_order
from tests.support.fake_ari import FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import run_virtual

SETTINGS: dict[str, Any] = {
    "trunk": {"main": {"host": "192.0.2.1"}},
    "site": {"number_check": "digits"},
    "agents": {"ring_seconds": 10},
}
RATED = {"rating_group": "sales", "rating_ivr": "on"}
TAKES = FarEnd(rings_after=0.05, answers_after=1.0)
RINGS = FarEnd(rings_after=0.05)
CUSTOMER = "PJSIP/customer-*@trunk"


def leg(centre: QueueWorld, ext: str) -> FakeChannel:
    return centre.world.fake.dialled(f"PJSIP/{ext}")[-1]


async def of_a_queue(centre: QueueWorld) -> FakeChannel:
    centre.queue("sales", dids=DID, **RATED)
    centre.agent("1001", TAKES, "sales")
    return centre.call()


async def of_a_campaign(centre: QueueWorld) -> FakeChannel:
    centre.agent("1001", TAKES)
    centre.world.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=0.2))
    centre.world.app.place(make_order(prefer_agent="1001", rating_group="sales", rating_ivr=True))
    await asyncio.sleep(0.5)
    return centre.world.fake.dialled(CUSTOMER)[0]


async def of_his_own(centre: QueueWorld) -> FakeChannel:
    centre.queue("Outbound", **RATED)
    centre.agent("1001", TAKES)
    centre.world.fake.far("PJSIP/callwright-trunk-main/*", FarEnd(rings_after=0.1, answers_after=0.5))
    centre.dial("1001", "02079460018")
    await asyncio.sleep(0.5)
    return centre.world.fake.dialled("PJSIP/callwright-trunk-main/*")[0]


async def consulted(centre: QueueWorld, first: FakeChannel) -> None:
    centre.world.fake.press(first.id, "*71002#")
    await asyncio.sleep(3)
    centre.world.fake.hang_up(first.id)


async def three_way(centre: QueueWorld, first: FakeChannel) -> None:
    centre.world.fake.press(first.id, "*71002#")
    await asyncio.sleep(3)
    centre.world.fake.press(first.id, "*3")
    await asyncio.sleep(1)
    centre.world.fake.hang_up(first.id)


async def blind(centre: QueueWorld, first: FakeChannel) -> None:
    centre.world.fake.press(first.id, "*71002#")
    await asyncio.sleep(0.5)
    centre.world.fake.hang_up(first.id)


async def refer(centre: QueueWorld, first: FakeChannel) -> None:
    centre.world.fake.refer(first.id, "1002")


BEGINS = {"queue": of_a_queue, "campaign": of_a_campaign, "own call": of_his_own}
GIVES = {"consult": consulted, "three-way": three_way, "blind": blind, "refer": refer}
Give = Callable[[QueueWorld, FakeChannel], Awaitable[None]]


@pytest.mark.parametrize("begins", BEGINS)
@pytest.mark.parametrize("gives", GIVES)
def test_after_a_transfer_and_the_callers_end_the_last_agent_rates_and_the_first_one_is_not_asked(begins, gives):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            fake, menus, give = centre.world.fake, Menus(centre.world.app.env), GIVES[gives]
            customer = await BEGINS[begins](centre)
            centre.agent("1002", TAKES, team="other")
            await asyncio.sleep(3)
            first = next(c for c in fake.channels.values() if fake.together(c.id, customer.id) and c is not customer)
            await give(centre, first)
            await asyncio.sleep(3)
            second = leg(centre, "1002")
            assert fake.together(customer.id, second.id)
            assert first.id not in fake.channels
            await asyncio.sleep(4)
            fake.hang_up(customer.id)
            await asyncio.sleep(3)
            assert said(second)[0] == RATE
            assert centre.world.roster.get("1002").state is AgentState.WRAP_UP
            fake.press(second.id, "2")
            await centre.settled()
            assert (menus.rated, menus.results) == ([("Lost", None)], ["rated"])
            assert {fact.agent for fact in menus.facts} == {"1002"}
            assert (said(first), said(customer)) == ([], [])
            states = {ext: centre.world.roster.get(ext).state for ext in ("1001", "1002")}
            assert set(states.values()) <= {AgentState.IDLE, AgentState.OFFLINE}
            centre.world.assert_nothing_left()

    run_virtual(life())


def test_who_hangs_up_on_the_customer_he_was_given_is_not_asked_and_neither_is_the_first_agent():
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            menus = Menus(centre.world.app.env)
            await of_a_queue(centre)
            centre.agent("1002", TAKES)
            await asyncio.sleep(3)
            await consulted(centre, leg(centre, "1001"))
            await asyncio.sleep(3)
            centre.world.fake.hang_up(leg(centre, "1002").id)
            await centre.settled()
            assert menus.facts == []
            centre.world.assert_nothing_left()

    run_virtual(life())


@pytest.mark.parametrize("keys", ["*71002#", "*71002# *4", "*71002# *3"])
def test_a_caller_who_hangs_up_within_a_consult_is_rated_by_the_agent_who_had_him(keys):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            menus = Menus(centre.world.app.env)
            caller = await of_a_queue(centre)
            centre.agent("1002", TAKES)
            await asyncio.sleep(3)
            first = leg(centre, "1001")
            for part in keys.split():
                centre.world.fake.press(first.id, part)
                await asyncio.sleep(3)
            centre.world.fake.hang_up(caller.id)
            await asyncio.sleep(3)
            assert leg(centre, "1002").id not in centre.world.fake.channels
            assert said(first)[0] == RATE
            centre.world.fake.press(first.id, "2")
            await centre.settled()
            assert {fact.agent for fact in menus.facts} == {"1001"}
            centre.world.assert_nothing_left()

    run_virtual(life())


# -- lines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0.0001, 0.001, 0.002, 0.003, 0.004, 0.006, 0.02, 0.3])
@pytest.mark.parametrize("rated", [False, True])
def test_a_caller_who_hangs_up_while_a_consult_rings_leaves_no_ringback_on_the_agents_line(after, rated):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            fake, menus = centre.world.fake, Menus(centre.world.app.env)
            centre.queue("sales", dids=DID, **(RATED if rated else {}))
            centre.agent("1001", TAKES, "sales")
            centre.agent("1002", RINGS)
            line = fake.inbound(["persistent", "1001"], channel_id="line1001", endpoint="Phone/1001")
            await asyncio.sleep(1)
            caller = centre.call()
            await asyncio.sleep(3)
            fake.press(line.id, "*71002#")
            await asyncio.sleep(after)
            fake.hang_up(caller.id)
            await asyncio.sleep(2)
            assert not line.ringback
            assert [c for c in fake.dialled("PJSIP/1002") if c.id in fake.channels] == []
            fake.press(line.id, "2")
            await asyncio.sleep(3)
            assert menus.rated == ([("Lost", None)] if rated else [])
            again = centre.call()
            await asyncio.sleep(3)
            assert fake.together(again.id, line.id)
            fake.hang_up(again.id)
            fake.hang_up(line.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@pytest.mark.parametrize("keys", ["*71002#", "*71002# *4", "*71002# *3", "*71002# *4 *4", "*71002# *4 *1"])
def test_the_end_of_a_consult_leaves_no_music_on_the_line_of_the_other(keys):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            fake = centre.world.fake
            centre.queue("sales", dids=DID)
            centre.agent("1001", TAKES, "sales")
            centre.agent("1002", TAKES)
            line = fake.inbound(["persistent", "1002"], channel_id="line1002", endpoint="Phone/1002")
            await asyncio.sleep(1)
            caller = centre.call()
            await asyncio.sleep(3)
            for part in keys.split():
                fake.press(leg(centre, "1001").id, part)
                await asyncio.sleep(2)
            if keys.endswith("*1"):
                assert fake.together(caller.id, leg(centre, "1001").id)
            else:
                fake.hang_up(caller.id)
            await asyncio.sleep(3)
            assert (line.moh, line.ringback, line.ended_at) == (False, False, None)
            assert line.bridge is not None
            assert line.bridge.name == "callwright-line"
            assert centre.world.roster.get("1002").state is AgentState.IDLE
            fake.hang_up(line.id)
            fake.hang_up(caller.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())
