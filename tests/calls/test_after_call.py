"""What happens on the line after the customer has gone, on the virtual clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ari_app.after_call import After, Asked
from ari_app.errors import HungUp
from ari_app.scope import until_hangup
from contact_center.terms import AgentState, Outcome
from tests.calls.menu_world import PRESS, RATE, SAVED, SORRY, VALUE, Menus, said
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.calls.world import PHONE, World, make_order, world
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual

CUSTOMER = "PJSIP/customer-*@trunk"
TALKS = FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=5.0)
RATED = {"rating_group": "sales", "rating_ivr": True}


async def left_alone(centre: World, number: int = 1, **order: Any) -> Any:
    """A campaign's customer talked to the agent and has hung up; the agent's leg."""
    centre.fake.far(CUSTOMER, TALKS)
    centre.app.place(make_order(number, **{**RATED, **order}))
    await centre.heard.done.setdefault(f"call-{number}", asyncio.Event()).wait()
    return centre.fake.dialled("PJSIP/1001")[-1]


@on_virtual_clock
async def test_after_a_campaigns_call_the_agent_hears_the_options_and_rates_by_one_digit():
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env)
        leg = await left_alone(centre)
        await asyncio.sleep(6)
        assert said(leg) == [RATE, PRESS, "sound:digits/1", PRESS, "sound:digits/2"]
        centre.fake.press(leg.id, "2")
        await centre.settled()
        assert (menus.rated, menus.results) == ([("Lost", None)], ["rated"])
        assert said(leg)[-1] == SAVED
        assert said(centre.fake.dialled(CUSTOMER)[0]) == []
        centre.assert_nothing_left()


@on_virtual_clock
async def test_the_agent_is_asked_outside_the_bridge_where_a_sound_may_hold_his_channel_as_he_hangs_up():
    async with world(PHONE) as centre:
        Menus(centre.app.env)
        leg = await left_alone(centre)
        assert leg.bridge is not None
        await asyncio.sleep(0.1)
        assert (said(leg)[0], leg.bridge, leg.ended_at) == (RATE, None, None)
        await centre.settled()
        centre.assert_nothing_left()


@on_virtual_clock
async def test_the_record_is_written_and_the_customers_line_free_before_the_agent_is_asked():
    async with world(PHONE) as centre:
        Menus(centre.app.env)
        leg = await left_alone(centre)
        [result] = centre.heard.results["call-1"]
        assert (result.outcome, result.record["call_state"]) == (Outcome.CONNECTED, "NORMAL_CLEARING_A")
        assert [c.id for c in centre.fake.channels.values()] == [leg.id]
        assert centre.roster.get("1001").state is AgentState.WRAP_UP
        await centre.settled()
        assert centre.roster.get("1001").state is AgentState.IDLE


@on_virtual_clock
async def test_a_value_is_asked_for_and_may_be_keyed_ahead_of_its_prompt():
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env)
        leg = await left_alone(centre)
        centre.fake.press(leg.id, "12999#")
        await centre.settled()
        assert menus.rated == [("Sale", "29.99")]
        assert VALUE not in said(leg)


@on_virtual_clock
async def test_with_speech_off_only_please_rate_this_call_is_heard():
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env)
        leg = await left_alone(centre, rating_group="quiet")
        await asyncio.sleep(0.1)
        centre.fake.press(leg.id, "2")
        await centre.settled()
        assert said(leg)[0] == RATE
        assert PRESS not in said(leg)
        assert menus.rated == [("Lost", None)]


@pytest.mark.parametrize(
    "order",
    [{"rating_ivr": False}, {"rating_group": "", "rating_ivr": True}, {"rating_group": "gone", "rating_ivr": True}],
)
def test_with_the_rating_ivr_off_or_no_group_the_agents_leg_ends_with_the_customers(order):
    async def life() -> None:
        async with world(PHONE) as centre:
            menus = Menus(centre.app.env)
            leg = await left_alone(centre, **order)
            await asyncio.sleep(0.1)
            assert leg.ended_at is not None
            assert (said(leg), menus.facts) == ([], [])
            await centre.settled()

    run_virtual(life())


@on_virtual_clock
async def test_an_agent_who_hangs_up_first_is_asked_nothing():
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env)
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0))
        centre.app.place(make_order(**RATED))
        await asyncio.sleep(5)
        centre.fake.hang_up("cw-1-test-a1")
        result = await centre.ended("call-1")
        assert (result.record["call_state"], menus.facts) == ("NORMAL_CLEARING_B", [])


@on_virtual_clock
async def test_star_2_ends_the_customers_leg_and_the_rating_follows():
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env)
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0))
        centre.app.place(make_order(force_hangup=True, **RATED))
        await asyncio.sleep(5)
        centre.fake.press("cw-1-test-a1", "*2")
        await asyncio.sleep(1)
        assert "cw-1" not in centre.fake.channels
        centre.fake.press("cw-1-test-a1", "1050#")
        result = await centre.ended("call-1")
        assert result.record["call_state"] == "FORCED_CLEARING_B"
        assert menus.rated == [("Sale", "0.50")]


@pytest.mark.parametrize(
    ("keys", "result"),
    [("", "silence"), ("7", "silence"), ("2" * 40, "silence"), ("1" + "9" * 40, "silence"), ("15#5#5#", "wrong_value")],
)
def test_what_is_no_rating_is_stored_as_not_rated_within_the_limit(keys, result):
    async def life() -> None:
        async with world(PHONE) as centre:
            menus = Menus(centre.app.env, limit_seconds=60.0)
            leg = await left_alone(centre)
            began = asyncio.get_running_loop().time()
            centre.fake.press(leg.id, keys)
            await centre.ended("call-1")
            assert asyncio.get_running_loop().time() - began <= 60.0
            assert (menus.rated, menus.results) == ([], [result])
            await centre.settled()
            centre.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_an_agent_who_hangs_up_in_the_menu_has_not_rated_and_is_free():
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env)
        leg = await left_alone(centre)
        centre.fake.press(leg.id, "12")
        await asyncio.sleep(0.5)
        centre.fake.hang_up(leg.id)
        await centre.settled()
        assert (menus.rated, menus.results) == ([], ["hung_up"])
        assert centre.roster.get("1001").state is AgentState.IDLE


@on_virtual_clock
async def test_the_next_call_waits_no_longer_than_the_limit_and_nothing_is_rated_then():
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env, limit_seconds=8.0)
        leg = await left_alone(centre)
        freed = asyncio.get_running_loop().time()
        offer = asyncio.create_task(centre.roster.reserve_within(30.0, "", "next"))
        while not offer.done():
            centre.fake.press(leg.id, "1") if leg.id in centre.fake.channels else None
            await asyncio.sleep(0.5)
        assert 7.9 <= asyncio.get_running_loop().time() - freed <= 9.0
        offer.result().close()
        assert menus.results == ["too_late"]
        await centre.settled()
        centre.assert_nothing_left()


@on_virtual_clock
async def test_no_call_reaches_an_agent_in_the_menu_even_if_he_goes_off_line_and_on_again():
    async with world(PHONE) as centre:
        Menus(centre.app.env)
        await left_alone(centre)
        await centre.roster.go_offline("1001", by="agent:1001")
        await centre.roster.go_online("1001", by="agent:1001")
        centre.roster.end_wrap_up(centre.roster.get("1001"))
        assert centre.roster.reserve("", "next") is None
        await centre.settled()
        offer = centre.roster.reserve("", "next")
        assert offer is not None
        offer.close()


@on_virtual_clock
async def test_wrap_up_follows_the_menu():
    async with world(PHONE) as centre:
        runs = asyncio.create_task(centre.roster.run())
        Menus(centre.app.env)
        leg = await left_alone(centre, wrap_up_seconds=10.0)
        centre.fake.press(leg.id, "2")
        await centre.ended("call-1")
        assert centre.roster.get("1001").state is AgentState.WRAP_UP
        assert centre.roster.get("1001").wrap_up_until_at is not None
        await asyncio.sleep(11)
        assert centre.roster.get("1001").state is AgentState.IDLE
        runs.cancel()


@on_virtual_clock
async def test_a_change_of_the_group_applies_to_the_next_call():
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env)
        leg = await left_alone(centre)
        menus.book.load((), ())
        centre.fake.press(leg.id, "2")
        await centre.ended("call-1")
        assert menus.rated == [("Lost", None)]
        leg = await left_alone(centre, 2)
        await centre.settled()
        assert said(leg) == []


# -- queues -------------------------------------------------------------------------------------------


async def in_talk(centre: QueueWorld, **options: str) -> tuple[Any, Any]:
    """A caller and his agent, who talk."""
    centre.queue("sales", dids=DID, **{"rating_group": "sales", "rating_ivr": "on", **options})
    centre.agent("1001", PHONE, "sales")
    caller = centre.call()
    await asyncio.sleep(2)
    leg = centre.world.fake.dialled("PJSIP/1001")[-1]
    assert centre.world.fake.together(caller.id, leg.id)
    return caller, leg


@on_virtual_clock
async def test_after_a_queues_call_the_agent_rates_and_the_caller_never_hears_any_of_it():
    async with queue_world() as centre:
        menus = Menus(centre.world.app.env)
        caller, leg = await in_talk(centre)
        centre.world.fake.hang_up(caller.id)
        record = await centre.record(caller)
        assert record["call_state"] == "NORMAL_CLEARING_A"
        assert leg.id in centre.world.fake.channels
        centre.world.fake.press(leg.id, "2")
        await centre.settled()
        assert menus.rated == [("Lost", None)]
        assert said(caller) == []
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_supervisor_who_ends_the_call_leaves_the_agent_with_the_rating():
    async with queue_world() as centre:
        menus = Menus(centre.world.app.env)
        caller, leg = await in_talk(centre, category_menu="code")
        [call] = centre.desk.calls.values()
        assert await centre.desk.hang_up(call.caller.call_id)
        await asyncio.sleep(1)
        centre.world.fake.press(leg.id, "2")
        await centre.settled()
        assert (menus.rated, menus.keyed) == ([("Lost", None)], [])
        assert said(caller) == []


@on_virtual_clock
async def test_the_category_menu_comes_after_the_rating_when_the_customer_ended_the_call():
    async with queue_world() as centre:
        menus = Menus(centre.world.app.env)
        caller, leg = await in_talk(centre, category_menu="both")
        centre.world.fake.hang_up(caller.id)
        await asyncio.sleep(1)
        centre.world.fake.press(leg.id, "2")
        await asyncio.sleep(3)
        centre.world.fake.press(leg.id, "3#2999#")
        await centre.settled()
        assert (menus.rated, menus.keyed) == ([("Lost", None)], [(3, "29.99")])
        assert said(caller) == []


@on_virtual_clock
async def test_star_2_does_not_count_as_the_customers_ending_for_the_category_menu():
    async with queue_world() as centre:
        menus = Menus(centre.world.app.env)
        caller, leg = await in_talk(centre, category_menu="code", rating_ivr="off", force_hangup="on")
        centre.world.fake.press(leg.id, "*2")
        record = await centre.record(caller)
        await centre.settled()
        assert record["call_state"] == "FORCED_CLEARING_B"
        assert (menus.facts, said(leg)) == ([], [])


@on_virtual_clock
async def test_a_wrong_category_is_told_and_none_chosen_means_no_menu():
    async with queue_world() as centre:
        menus = Menus(centre.world.app.env)
        caller, leg = await in_talk(centre, category_menu="code", rating_ivr="off")
        centre.world.fake.hang_up(caller.id)
        await asyncio.sleep(0.5)
        centre.world.fake.press(leg.id, "99#")
        await asyncio.sleep(2)
        assert SORRY in said(leg)
        centre.world.fake.press(leg.id, "12#")
        await centre.settled()
        assert menus.keyed == [(12, None)]
        centre.queue("sales", dids=DID, category_menu="off")
        caller = centre.call()
        await asyncio.sleep(2)
        leg = centre.world.fake.dialled("PJSIP/1001")[-1]
        centre.world.fake.hang_up(caller.id)
        await centre.settled()
        assert said(leg) == []


@pytest.mark.parametrize("way", ["number:+442079460018", "message"])
def test_an_overflow_number_or_message_never_gets_the_menu(way):
    async def life() -> None:
        async with queue_world(trunk={"main": {"host": "127.0.0.9"}}) as centre:
            menus = Menus(centre.world.app.env)
            centre.world.fake.far("PJSIP/*127.0.0.9*", FarEnd(rings_after=0.1, answers_after=0.5))
            centre.queue("sales", dids=DID, rating_group="sales", rating_ivr="on", max_wait="3", overflow=way)
            caller = centre.call()
            await asyncio.sleep(10)
            outside = centre.world.fake.dialled("PJSIP/*442079460018*")
            assert bool(outside) == way.startswith("number")
            centre.world.fake.hang_up(caller.id)
            await centre.settled()
            assert menus.facts == []
            assert [said(channel) for channel in (caller, *outside)] == [[]] * (1 + len(outside))

    run_virtual(life())


# -- several agents, and none ---------------------------------------------------------------------------


async def legs(centre: World) -> tuple[Any, ...]:
    """A customer's leg and two agents', each agent held for the call."""
    ari, offers = centre.app.env.ari, []
    for ext in ("1001", "1002"):
        offer = centre.roster.reserve("", "call-1", prefer=ext)
        assert offer is not None
        offer.connected(0.0)
        offers.append(offer)
    channels = [ari.channel(f"cw-{name}") for name in ("customer", "first", "second")]
    for channel, endpoint in zip(channels, ("1001", "1001", "1002"), strict=True):
        await channel.originate(f"PJSIP/{endpoint}", ring_seconds=5.0)
        await channel.entered
    return (*channels, *offers)


@on_virtual_clock
async def test_with_several_agents_on_a_call_the_last_on_the_line_rates():
    async with world(PHONE, PHONE) as centre:
        menus, told = Menus(centre.app.env), []
        customer, first, second, offer_1, offer_2 = await legs(centre)
        asked = Asked("call-1", "sales", rating_ivr=True)

        async def talk() -> None:
            async with After(centre.app.env.after, customer, told.append) as after, until_hangup(customer):
                after.talks(first, offer_1, asked)
                after.talks(second, offer_2, asked)
                centre.fake.hang_up(customer.id)
                asyncio.get_running_loop().call_later(2.0, centre.fake.press, second.id, "2")
                await customer.left()

        with pytest.raises(HungUp):
            await talk()
        assert [hangup.channel for hangup in told] == [customer]
        assert menus.rated == [("Lost", None)]
        assert [fact.agent for fact in menus.facts] == ["1002", "1002"]
        assert said(centre.fake.channels[first.id]) == []
        offer_1.close()
        offer_2.close()


@on_virtual_clock
async def test_an_agent_whose_customer_did_not_answer_can_be_asked_too():
    async with world(PHONE, PHONE) as centre:
        menus = Menus(centre.app.env)
        _, leg, _, offer, other = await legs(centre)
        asked = Asked("call-1", "sales", rating_ivr=True, category_menu="both")
        asyncio.get_running_loop().call_later(2.0, centre.fake.press, leg.id, "2")
        assert centre.app.env.after is not None
        await centre.app.env.after.after(leg, offer, asked, customer_ended=False)
        assert (menus.rated, menus.keyed, menus.results) == ([("Lost", None)], [], ["rated"])
        offer.close()
        other.close()
