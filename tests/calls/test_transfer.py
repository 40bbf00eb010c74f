"""A customer is given on: blind, after a consult, by REFER; on the virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from contact_center.terms import AgentState
from tests.calls.consult_world import RINGS, SETTINGS, TAKES, Three, begun
from tests.calls.queue_world import DID, queue_world
from tests.calls.world import make_order
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual


@on_virtual_clock
async def test_a_transfer_frees_the_first_agent_and_the_record_shows_who_spoke_with_whom():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, TAKES)
        await asyncio.sleep(4)
        await three.hang_up("agent")
        assert centre.world.roster.get("1001").state is AgentState.IDLE
        assert centre.world.roster.get("1002").state is AgentState.TALKING
        await asyncio.sleep(6)
        await three.hang_up("other")
        record = await centre.record(three.customer)
        spans = [(event["kind"], event["agent"], round(event["seconds"])) for event in record["timeline"]]
        assert spans == [
            ("queue", None, 1),
            ("conversation", "Agent 1001", 3),
            ("consult", "Agent 1002", 4),
            ("conversation", "Agent 1002", 7),
        ]
        assert record["agents"] == ["Agent 1001", "Agent 1002"]
        assert (record["hung_up_by"], record["call_state"]) == ("agent", "NORMAL_CLEARING_B")
        assert centre.events(three.customer) == ["ENTERQUEUE", "CONNECT", "ATTENDEDTRANSFER"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_blind_transfer_that_nobody_takes_rings_its_agent_again_and_then_the_queue():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, FarEnd(rings_after=0.05, rejects_after=4.0))
        await three.hang_up("agent")
        assert three.customer.moh
        centre.world.fake.far("PJSIP/1001", RINGS)
        centre.world.roster.get("1003").queues = ("sales",)
        await asyncio.sleep(5)
        assert len(centre.world.fake.dialled("PJSIP/1001")) == 2
        assert three.customer.moh
        await asyncio.sleep(12)
        [third] = centre.world.fake.dialled("PJSIP/1003")
        assert centre.world.fake.together(three.customer.id, third.id)
        assert not three.customer.moh
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        assert record["agents"] == ["Agent 1001", "Agent 1003"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_an_agent_who_rejects_the_customer_he_gave_away_is_not_rung_again_at_once_by_the_queue():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, FarEnd(rings_after=0.05, rejects_after=2.0))
        centre.world.fake.far("PJSIP/1001", FarEnd(rings_after=0.05, rejects_after=1.0))
        await three.hang_up("agent")
        await asyncio.sleep(5)
        assert three.customer.moh
        assert len(centre.world.fake.dialled("PJSIP/1001")) == 2
        await asyncio.sleep(4)
        assert len(centre.world.fake.dialled("PJSIP/1001")) == 3
        await three.hang_up("customer")
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_whoever_was_given_a_customer_can_give_him_on():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, TAKES)
        await three.hang_up("agent")
        centre.world.fake.press(three.other.id, "*71003#")
        await asyncio.sleep(2)
        [third] = centre.world.fake.dialled("PJSIP/1003")
        assert centre.world.fake.together(three.other.id, third.id)
        await three.hang_up("other")
        assert centre.world.fake.together(three.customer.id, third.id)
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        assert record["agents"] == ["Agent 1001", "Agent 1002", "Agent 1003"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_the_time_in_which_nobody_has_the_customer_belongs_to_no_conversation():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, FarEnd(rings_after=0.05, rejects_after=6.0))
        await three.hang_up("agent")
        centre.world.fake.far("PJSIP/1001", RINGS)
        centre.world.roster.get("1003").queues = ("sales",)
        await asyncio.sleep(20)
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        first, *rest = [event for event in record["timeline"] if event["kind"] != "queue"]
        assert (first["agent"], round(first["seconds"])) == ("Agent 1001", 3)
        assert [event["agent"] for event in rest] == ["Agent 1003"]
        assert record["talk_seconds"] == pytest.approx(sum(event["seconds"] for event in (first, *rest)))
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize("takes", [True, False])
def test_a_refer_of_the_phone_gives_the_customer_away_or_keeps_him(takes):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            centre.queue("sales", dids=DID)
            centre.agent("1001", TAKES, "sales")
            centre.agent("1002", TAKES if takes else FarEnd(rings_after=0.05, rejects_after=0.5))
            three = Three(centre, centre.call())
            await asyncio.sleep(3)
            centre.world.fake.refer(three.agent.id, "1002")
            await asyncio.sleep(0.3)
            assert three.hears() == "c*"
            await asyncio.sleep(2)
            assert three.agent.told == ["channel_answered" if takes else "channel_unavailable"]
            assert (three.hears(), three.up()) == (("co", "co") if takes else ("ca", "ca"))
            if not takes:
                centre.world.fake.far("PJSIP/1002", TAKES)
                centre.world.fake.refer(three.agent.id, "1002")
                await asyncio.sleep(2)
                assert three.agent.told[-1] == "channel_answered"
            await three.hang_up("customer")
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_a_phone_that_hangs_up_as_soon_as_its_refer_is_taken_has_given_the_customer_away():
    async with queue_world(**SETTINGS) as centre:
        centre.queue("sales", dids=DID)
        centre.agent("1001", TAKES, "sales")
        centre.agent("1002", TAKES)
        three = Three(centre, centre.call())
        await asyncio.sleep(3)
        centre.world.fake.refer(three.agent.id, "1002")
        centre.world.fake.hang_up(three.agent.id)
        await asyncio.sleep(2)
        assert (three.hears(), len(centre.world.fake.dialled("PJSIP/1001"))) == ("co", 1)
        await three.hang_up("customer")
        assert centre.events(three.customer) == ["ENTERQUEUE", "CONNECT", "BLINDTRANSFER"]
        [data] = [data for _, _, _, event, data in centre.lines if event == "BLINDTRANSFER"]
        assert tuple(data[:2]) == ("1002", "callwright-agent")
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_refer_with_replaces_or_within_a_consult_is_declined_and_the_customer_stays_where_he_is():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, TAKES)
        centre.world.fake.refer(three.agent.id, "1003")
        await asyncio.sleep(1)
        assert (three.agent.told, three.hears()) == (["channel_declined"], "ao c*")
        await three.keys("*1")
        centre.world.fake.refer(three.agent.id, "1003", replaces=three.customer.id)
        await asyncio.sleep(1)
        assert (three.agent.told, three.hears()) == (["channel_declined"] * 2, "ca")
        assert centre.world.fake.dialled("PJSIP/1003") == []
        await three.hang_up("customer")
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_the_customer_of_a_campaign_is_given_to_a_colleague_and_who_gets_nobody_hears_an_apology():
    async with queue_world(**SETTINGS) as centre:
        fake, app = centre.world.fake, centre.world.app
        centre.agent("1001", TAKES)
        centre.agent("1002", TAKES, team="other")
        fake.far("PJSIP/customer*", FarEnd(rings_after=0.05, answers_after=0.2))
        for number, talks_to in ((1, "1002"), (2, "")):
            app.place(make_order(number, wrap_up_seconds=3.0, prefer_agent="1001"))
            await asyncio.sleep(2)
            [customer] = fake.dialled(f"PJSIP/customer-{number}@trunk")
            agent = fake.dialled("PJSIP/1001")[-1]
            assert fake.together(customer.id, agent.id)
            fake.far("PJSIP/100?", TAKES if talks_to else FarEnd(rings_after=0.05, rejects_after=1.0))
            fake.press(agent.id, "*71002#")
            await asyncio.sleep(0.4)
            fake.hang_up(agent.id)
            await asyncio.sleep(0.1)
            assert centre.world.roster.get("1001").state is AgentState.WRAP_UP
            await asyncio.sleep(1.5)
            if talks_to:
                assert fake.together(customer.id, fake.dialled("PJSIP/1002")[0].id)
                fake.hang_up(customer.id)
            result = await centre.world.ended(f"call-{number}")
            expected = ["Agent 1001", "Agent 1002"] if talks_to else ["Agent 1001"]
            assert result.record["agents"] == expected
            assert result.record["hung_up_by"] == ("caller" if talks_to else "system")
            assert ("sound:im-sorry" in [what for _, what in customer.heard]) is not bool(talks_to)
            for ext in ("1001", "1002"):
                centre.world.roster.end_wrap_up(centre.world.roster.get(ext))
        await centre.settled()
        centre.world.assert_nothing_left()
