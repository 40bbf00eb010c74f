"""What agents are asked after callbacks, on the virtual clock and a real store."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine

from contact_center.terms import AgentState
from tests.calls.callback_world import (
    ANSWERS,
    BUSY,
    RINGS,
    TAKES,
    CallbackWorld,
    busy,
    cancel,
    lived,
    states,
)
from tests.calls.menu_world import Menus, said
from tests.lab.until import until
from tests.support.fake_ari import FarEnd
from tests.support.fake_world import FakeChannel

RATED = {"rating_group": "sales", "rating_ivr": "on", "callback_attempts": "1"}
MACHINE = FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=20.0)


async def dialled(world: CallbackWorld, *customer: FarEnd) -> tuple[Menus, FakeChannel]:
    """A callback that was ordered while the agent was busy, and its first dial."""
    menus = Menus(world.centre.world.app.env, store=world.store.post)
    world.customer(*customer)
    with busy(world):
        await world.ordered()
    await until(world.dials, 20.0, "the dial")
    return menus, world.dials()[0]


def agent_leg(world: CallbackWorld, ext: str = "1001") -> FakeChannel:
    return world.fake.dialled(f"PJSIP/{ext}")[-1]


def test_after_a_callback_the_agent_rates_and_keys_a_category_into_the_record_of_the_order(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        menus, dial = await dialled(world, MACHINE)
        await until(lambda: dial.ended_at is not None, 60.0, "the machine's end")
        await asyncio.sleep(1)
        assert states(world) == [("done", 1, 1)]
        world.fake.press(agent_leg(world).id, "12999#")
        await asyncio.sleep(4)
        world.fake.press(agent_leg(world).id, "3#2999#")
        await asyncio.sleep(20)
        [record] = world.documents()
        rating = record["rating"]
        assert (rating["option"], rating["digit"], rating["value"], rating["source"]) == ("Sale", 1, "29.99", "ivr")
        assert record["keyed"] == {"category": 3, "value": "29.99"}
        assert (record["call_state"], menus.results) == ("NORMAL_CLEARING_A", ["rated"])
        assert said(dial) == []
        assert world.centre.world.roster.get("1001").state is AgentState.IDLE
        world.centre.world.assert_nothing_left()

    lived(engine, scenario, category_menu="both", **RATED)


@pytest.mark.parametrize("customer", [BUSY, RINGS], ids=["busy", "no answer"])
def test_after_an_unanswered_callback_the_agent_who_is_still_there_rates_it(engine: Engine, customer: FarEnd):
    async def scenario(world: CallbackWorld) -> None:
        menus, dial = await dialled(world, customer)
        leg = agent_leg(world)
        await until(lambda: bool(said(leg)), 60.0, "the menu")
        assert dial.ended_at is not None
        assert not leg.ringback
        [before] = world.documents()
        assert [event["label"] for event in before["timeline"]][-1] == "1 unanswered call completed"
        assert world.centre.world.roster.get("1001").state is AgentState.WRAP_UP
        world.fake.press(leg.id, "2")
        await asyncio.sleep(10)
        [record] = world.documents()
        assert (record["rating"]["option"], record["rating"]["digit"]) == ("Lost", 2)
        assert (record["agents"], record["keyed"]) == (["Agent 1001"], None)
        assert (menus.results, menus.keyed) == (["rated"], [])
        assert world.rows("SELECT type FROM outbox WHERE type = 'call.rated'") == [("call.rated",)]
        assert world.centre.world.roster.get("1001").state is AgentState.IDLE
        world.centre.world.assert_nothing_left()

    lived(engine, scenario, category_menu="both", **RATED)


def test_each_unanswered_attempt_is_rated_and_the_newest_rating_stands(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        menus, _ = await dialled(world, BUSY, BUSY)
        for number, keys in enumerate(("2", "1050#"), 1):
            await until(lambda n=number: len(world.dials()) == n and bool(said(agent_leg(world))), 2000.0, "the menu")
            world.fake.press(agent_leg(world).id, keys)
            await asyncio.sleep(30)
        [record] = world.documents()
        assert (record["rating"]["option"], record["rating"]["value"]) == ("Sale", "0.50")
        assert "Lost" in [rating["option"] for rating in record["rating"]["history"]]
        assert (menus.results, states(world)) == (["rated", "rated"], [("failed", 2, 2)])

    lived(engine, scenario, **{**RATED, "callback_attempts": "2"})


def test_the_next_attempt_comes_at_its_time_though_the_agent_says_nothing_in_the_menu(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        menus, first = await dialled(world, BUSY, ANSWERS)
        await until(lambda: len(world.dials()) == 2, 2000.0, "the second dial")
        assert world.dials()[1].created - first.ended_at == pytest.approx(900, abs=10)
        assert (menus.rated, menus.results) == ([], ["silence"])

    lived(engine, scenario, **{**RATED, "callback_attempts": "2"})


def test_an_agent_who_hangs_up_in_the_menu_has_not_rated_and_is_free(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        menus, _ = await dialled(world, BUSY)
        leg = agent_leg(world)
        await until(lambda: bool(said(leg)), 60.0, "the menu")
        world.fake.hang_up(leg.id)
        await asyncio.sleep(3)
        assert (menus.rated, menus.results) == ([], ["hung_up"])
        assert world.documents()[0]["call_state"] == "USER_BUSY_A"
        assert world.centre.world.roster.get("1001").state is AgentState.IDLE
        world.centre.world.assert_nothing_left()

    lived(engine, scenario, **RATED)


def test_an_agent_on_his_line_rates_an_unanswered_callback_there_and_stays_on_it(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        line = world.fake.inbound(["persistent", "1001"], channel_id="line1001", endpoint="Phone/1001")
        await asyncio.sleep(1)
        menus, _ = await dialled(world, BUSY)
        await until(lambda: bool(said(line)), 60.0, "the menu")
        world.fake.press(line.id, "2")
        await asyncio.sleep(10)
        assert (menus.rated, world.documents()[0]["rating"]["option"]) == ([("Lost", None)], "Lost")
        assert line.ended_at is None
        assert line.bridge is not None
        assert world.centre.world.roster.get("1001").state is AgentState.IDLE

    lived(engine, scenario, **RATED)


@pytest.mark.parametrize("why", ["customer first", "the trunk is down", "cancelled", "the agent has gone", "IVR off"])
def test_nothing_is_asked_where_there_is_nothing_to_rate_or_nobody_to_ask(engine: Engine, why: str):
    async def scenario(world: CallbackWorld) -> None:
        refused = FarEnd(rings_after=None, rejects_after=0.1, rejects_with=(34, 503, "CONGESTION"))
        menus, _ = await dialled(world, refused if why == "the trunk is down" else RINGS)
        await asyncio.sleep(2)
        if why == "cancelled":
            [(callback_id,)] = world.rows("SELECT id FROM callback")
            cancel(world, callback_id)
        if why == "the agent has gone":
            world.fake.hang_up(agent_leg(world).id)
        await asyncio.sleep(50)
        assert menus.facts == []
        assert all(said(leg) == [] for leg in world.fake.dialled("PJSIP/1001"))
        world.centre.world.assert_nothing_left()

    first = {"callback_first": "customer"} if why == "customer first" else {}
    lived(engine, scenario, **{**RATED, **first, **({"rating_ivr": "off"} if why == "IVR off" else {})})


def test_after_a_transfer_the_agent_who_has_the_customer_is_stored_and_he_rates(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.centre.agent("1002", TAKES)
        menus, dial = await dialled(world, ANSWERS)
        await asyncio.sleep(4)
        first = agent_leg(world)
        assert world.fake.together(first.id, dial.id)
        world.fake.press(first.id, "*71002#")
        await asyncio.sleep(2)
        world.fake.hang_up(first.id)
        await asyncio.sleep(2)
        second = agent_leg(world, "1002")
        assert world.fake.together(second.id, dial.id)
        [stored] = world.rows("SELECT agent, agent_channel_id, bridge_id FROM callback_attempt")
        assert stored == ("1002", second.id, second.bridge.id if second.bridge else "")
        await asyncio.sleep(5)
        world.fake.hang_up(dial.id)
        await asyncio.sleep(2)
        world.fake.press(second.id, "2")
        await asyncio.sleep(5)
        [record] = world.documents()
        assert record["rating"]["option"] == "Lost"
        assert {fact.agent for fact in menus.facts} == {"1002"}
        assert said(first) == []
        assert record["agents"] == ["Agent 1001", "Agent 1002"]
        told = [event for _, channel, _, event, _ in world.centre.lines if channel == dial.id]
        assert told == ["ENTERQUEUE", "CONNECT", "ATTENDEDTRANSFER"]
        world.centre.world.assert_nothing_left()

    lived(engine, scenario, **RATED)
